//! Roots over NFS in the lab: a base, the machine's union over it, and nfs-ganesha with the emitted
//! configuration.
//!
//! Unions are mounted in a mount namespace of our own, so they end with us, however we end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use tokio::process::Child;

use super::network::Run;
use super::site::LabSite;
use super::{Error, Result, assets, call, failed, is_here, machine};
use crate::out::table::{RootRow, Tables};
use crate::storage;
use crate::store;
use crate::terminal::chain;

/// How long nfs-ganesha may take to serve; 20 to 100 ms were seen (4.3, 2026-11).
const PATIENCE: Duration = Duration::from_secs(15);
/// What it logs when it serves.
const SERVING: &str = "NFS SERVER INITIALIZED";

/// What ends with a run.
pub(super) struct Roots {
    server: Child,
    _mounted: Mounted,
}

/// Mounts the root of the machine's host, and exports it; nothing where it has none.
pub(super) fn begin(site: &LabSite, cache: &Path, run: &Run, tell: &mut dyn FnMut(&str)) -> Result<Option<Roots>> {
    let generation = store::open(&site.out)?;
    let tables = Tables::read(&generation.files).map_err(|error| Error::Unfit(error.to_string()))?;
    let Some(row) = site.host.as_ref().and_then(|host| tables.roots.iter().find(|row| row.host == *host)) else {
        return Ok(None);
    };
    if !is_here("ganesha.nfsd") {
        return Err(Error::Tools { missing: "ganesha.nfsd".into(), packages: "nfs-ganesha nfs-ganesha-vfs".into() });
    }
    place_base(row, cache, tell)?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| failed("leave the mount namespace of", "pxelator")(errno.into()))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|errno| failed("keep mounts below", "/")(errno.into()))?;
    let plan = storage::plan(&generation, &tables, &[row], false).map_err(unfit)?;
    // From here on something may be mounted: whatever fails, it is unmounted.
    let mounted = Mounted(site.nfs.clone());
    let failures = storage::execute(plan, &generation, &mut |step| tell(step));
    failures.into_iter().next().map_or(Ok(()), |error| Err(unfit(error)))?;
    Ok(Some(Roots { server: serve(row, &generation, run)?, _mounted: mounted }))
}

fn unfit(error: storage::Error) -> Error {
    Error::Unfit(chain(&error))
}

/// The lab's base in place of the site's, unless the folder has one from an earlier run: what a machine
/// changed stands on that very folder.
fn place_base(row: &RootRow, cache: &Path, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let to = Path::new(&row.lower);
    if to.is_dir() {
        return Ok(());
    }
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).map_err(failed("make", parent))?;
    call("cp", &["-a", &cache.join(assets::BASE).to_string_lossy(), &row.lower])?;
    tell(&format!("base {}: the lab's small system in place of the site's", row.base));
    Ok(())
}

/// Starts nfs-ganesha within the namespace and waits until it serves.
fn serve(row: &RootRow, generation: &store::Generation, run: &Run) -> Result<Child> {
    let (conf, log) = (run.folder.join("ganesha.conf"), run.folder.join("ganesha.log"));
    let emitted = generation.files.get("nfs/ganesha.conf").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    fs::write(&conf, only(&emitted.unwrap_or_default(), &row.export)).map_err(failed("write", &conf))?;
    let mut server = machine::ganesha(run, &conf, &log)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if said.contains(SERVING) {
            return Ok(server);
        }
        let ended = server.try_wait().map_err(failed("wait for", "ganesha.nfsd"))?;
        if ended.is_some() || Instant::now() > deadline {
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            let output = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            return Err(Error::Command { command: "ganesha.nfsd".into(), output });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The configuration as it was emitted, without the exports of machines that are not booted here.
fn only(conf: &str, export: &str) -> String {
    let (mut kept, mut block) = (String::new(), String::new());
    let path = format!("Path = {export};");
    for line in conf.split_inclusive('\n') {
        match line.trim_end() {
            "EXPORT {" => block = line.to_owned(),
            "}" => {
                let whole = std::mem::take(&mut block) + line;
                kept.push_str(if whole.contains(&path) { &whole } else { "" });
            }
            _ if block.is_empty() => kept.push_str(line),
            _ => block.push_str(line),
        }
    }
    kept
}

impl Roots {
    /// Ends the server; the unions go with us.
    pub(super) async fn end(mut self) {
        let _gone_already = self.server.start_kill();
        let _gone_already = self.server.wait().await;
    }
}

/// A folder below which unions are mounted.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _they_end_with_our_namespace = storage::unmount_below(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exports_of_other_machines_are_left_out() {
        let conf = "HEAD { }\nEXPORT {\n  Path = /n/root/a; Pseudo = /n/root/a;\n}\nEXPORT {\n  Path = /n/root/ab; Pseudo = /n/root/ab;\n}\n";
        assert_eq!(only(conf, "/n/root/ab"), "HEAD { }\nEXPORT {\n  Path = /n/root/ab; Pseudo = /n/root/ab;\n}\n");
    }
}

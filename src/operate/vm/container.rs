//! Containers over a base: their own folder with an identity in it, and systemd, which runs them.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::child;
use super::run::Stopped;
use super::{
    Error, NEEDED_MIB, OVER, Result, clear, discard as discard_folder, failed, fresh_machine_id, home, lock, prepare,
    require_root,
};
use crate::out::table::{ContainerRow, VM_FILES, VmRow};
use crate::storage::beneath::{Found, Root};
use crate::store::Generation;

const KEYGEN_PATIENCE: Duration = Duration::from_secs(60);
const SYSTEMD_PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(200);
/// There, where systemd is process 1 (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// Host keys that OpenSSH makes.
const KINDS: [&str; 3] = ["rsa", "ecdsa", "ed25519"];

/// Makes the folder; false where it is there already.
pub fn prepare(row: &VmRow, container: &ContainerRow, generation: &Generation, state: &Path) -> Result<bool> {
    require_root()?;
    let lock = lock(&home(state), &row.vm)?;
    let to = Path::new(&container.upper);
    let parent = to.parent().unwrap_or(to);
    let aside = parent.join(format!(".{}.new", row.vm));
    clear(&aside)?;
    if to.exists() {
        is_over(row, container)?;
        return Ok(false);
    }
    let base = open_base(row, container)?;
    fs::create_dir_all(parent).map_err(failed("make", parent))?;
    prepare::has_room(row, parent, NEEDED_MIB)?;
    let made = make(row, container, &base, generation, &aside, &lock)
        .and_then(|()| fs::rename(&aside, to).map_err(failed("rename", &aside)));
    if made.is_err() {
        clear(&aside)?;
    }
    made.map(|()| true)
}

/// Its changes were made over the base that the site says: overlayfs mounts them over no other.
fn is_over(row: &VmRow, container: &ContainerRow) -> Result<()> {
    let path = Path::new(&container.upper).join(OVER);
    let was = fs::read_to_string(&path).map_err(failed("read", &path))?;
    if was.trim_end() == container.lower {
        return Ok(());
    }
    Err(Error::OtherSnapshot { vm: row.vm.clone(), was: was.trim_end().to_owned(), is: container.lower.clone() })
}

fn open_base(row: &VmRow, container: &ContainerRow) -> Result<Root> {
    let wrong = |what: &'static str| Error::NoBase {
        vm: row.vm.clone(),
        folder: container.lower.clone(),
        base: container.base.clone(),
        what,
    };
    let is_folder = |path: &str| fs::symlink_metadata(format!("{}{path}", container.lower)).is_ok_and(|meta| meta.is_dir());
    match () {
        () if !is_folder("") => Err(wrong("it is missing")),
        () if !is_folder("/etc") || !is_folder("/usr") => Err(wrong("it has no /etc or no /usr")),
        () => Ok(Root::open(&container.lower)?),
    }
}

fn make(row: &VmRow, container: &ContainerRow, base: &Root, generation: &Generation, aside: &Path, lock: &File) -> Result<()> {
    let vm = row.vm.as_str();
    let upper = aside.join("upper");
    DirBuilder::new().mode(0o700).create(aside).map_err(failed("make", aside))?;
    let machine_id = format!("{}\n", fresh_machine_id()?);
    let has_dbus_id = matches!(base.look("/var/lib/dbus/machine-id")?, Found::File { .. });
    let dbus: &[&str] = if has_dbus_id { &["var", "var/lib", "var/lib/dbus"] } else { &[] };
    for folder in ["", "etc", "etc/ssh", "etc/systemd", "etc/systemd/network"].iter().chain(dbus) {
        let path = upper.join(folder);
        DirBuilder::new().mode(0o755).create(&path).map_err(failed("make", &path))?;
    }
    let work = aside.join("work");
    DirBuilder::new().mode(0o755).create(&work).map_err(failed("make", &work))?;
    let over = aside.join(OVER);
    fs::write(&over, format!("{}\n", container.lower)).map_err(failed("write", &over))?;
    let network = generation.files.get(&format!("{VM_FILES}{vm}.network")).map(Vec::as_slice).unwrap_or_default();
    let old = text_of(base, "/etc/hostname")?.unwrap_or_default();
    let hosts = text_of(base, "/etc/hosts")?.map(|text| renamed(&text, old.trim(), row));
    let files = [
        ("etc/hostname", Some(format!("{vm}\n")), 0o644),
        ("etc/machine-id", Some(machine_id.clone()), 0o444),
        ("var/lib/dbus/machine-id", has_dbus_id.then_some(machine_id), 0o444),
        ("etc/hosts", hosts, 0o644),
        ("etc/systemd/network/10-pxelator.network", Some(String::from_utf8_lossy(network).into_owned()), 0o644),
    ];
    for (name, text, mode) in files {
        let (path, Some(text)) = (upper.join(name), text) else { continue };
        fs::write(&path, text).map_err(failed("write", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed("close", &path))?;
    }
    for kind in kinds(container) {
        let (file, comment) = (upper.join(format!("etc/ssh/ssh_host_{kind}_key")), format!("root@{vm}"));
        let file = file.to_string_lossy();
        child::call(vm, lock, KEYGEN_PATIENCE, &["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", &comment, "-f", &file])?;
    }
    Ok(())
}

fn text_of(base: &Root, path: &str) -> Result<Option<String>> {
    Ok(match base.look(path)? {
        Found::File { bytes, .. } => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Found::Nothing | Found::Link(_) | Found::Other => None,
    })
}

/// The kinds of keys that the base has, so that no client misses one.
fn kinds(container: &ContainerRow) -> Vec<&'static str> {
    let has = |kind: &&str| fs::symlink_metadata(format!("{}/etc/ssh/ssh_host_{kind}_key", container.lower)).is_ok();
    let own: Vec<&str> = KINDS.into_iter().filter(has).collect();
    if own.is_empty() { vec!["ed25519"] } else { own }
}

/// Lines of hosts(5) in which the old name stands get the new one.
fn renamed(text: &str, old: &str, row: &VmRow) -> String {
    let old = old.split('.').next().unwrap_or_default();
    let is_old = |word: &str| {
        !old.is_empty() && old != "localhost" && (word == old || word.strip_prefix(old).is_some_and(|rest| rest.starts_with('.')))
    };
    let line = |line: &str| {
        let said = line.split('#').next().unwrap_or_default();
        let mut words = said.split_whitespace();
        let (address, names) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
        if !names.iter().any(|name| is_old(name)) {
            return line.to_owned();
        }
        // The address of the old machine is not ours.
        let address = if address.starts_with("127.") || address == "::1" { address } else { "127.0.1.1" };
        let new = names.into_iter().map(|name| match is_old(name) {
            true if name.contains('.') => format!("{}.{}", row.vm, row.domain),
            true => row.vm.clone(),
            false => name.to_owned(),
        });
        std::iter::once(address.to_owned()).chain(new).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

pub(super) fn is_running(vm: &str) -> bool {
    Path::new("/run/systemd/machines").join(vm).exists()
}

/// systemd mounts the root and runs the container: both units come from out/.
pub fn start(row: &VmRow, container: &ContainerRow, generation: &Generation, state: &Path) -> Result<()> {
    require_root()?;
    let vm = row.vm.clone();
    let lock = lock(&home(state), &vm)?;
    if !Path::new(&container.upper).exists() {
        return Err(Error::NotPrepared { vm });
    }
    is_over(row, container)?;
    if !Path::new(BOOTED).is_dir() {
        return Err(Error::NoSystemd { vm });
    }
    if is_running(&row.vm) {
        return Err(Error::Runs { vm });
    }
    let place = |from: &str, to: &Path| {
        let bytes = generation.files.get(&format!("{VM_FILES}{from}")).map(Vec::as_slice).unwrap_or_default();
        let parent = to.parent().unwrap_or(to);
        fs::create_dir_all(parent).and_then(|()| fs::write(to, bytes)).map_err(failed("write", to))
    };
    let where_line = format!("Where={}", container.root);
    let is_mount = |(path, bytes): &(&String, &Vec<u8>)| {
        let has_line = || String::from_utf8_lossy(bytes).lines().any(|line| line == where_line);
        path.starts_with(VM_FILES) && path.ends_with(".mount") && has_line()
    };
    let unit = generation.files.iter().find(is_mount).and_then(|(path, _)| path.strip_prefix(VM_FILES)).unwrap_or_default();
    // Until the next start of this machine; `systemctl enable` is the administrator's.
    place(&format!("{vm}.nspawn"), &Path::new("/run/systemd/nspawn").join(format!("{vm}.nspawn")))?;
    place(unit, &Path::new(BOOTED).join(unit))?;
    fs::create_dir_all(&container.root).map_err(failed("make", &container.root))?;
    child::call(&vm, &lock, SYSTEMD_PATIENCE, &["systemctl", "daemon-reload"])?;
    child::call(&vm, &lock, SYSTEMD_PATIENCE, &["systemctl", "start", unit])?;
    child::call(&vm, &lock, SYSTEMD_PATIENCE, &["machinectl", "start", &vm]).map(drop)
}

/// Asks it to turn itself off, and ends it where it does not within the time.
pub fn stop(row: &VmRow, state: &Path, patience: Duration) -> Result<Stopped> {
    require_root()?;
    let vm = row.vm.as_str();
    let lock = lock(&home(state), vm)?;
    if !is_running(&row.vm) {
        return Ok(Stopped::Already);
    }
    child::call(vm, &lock, SYSTEMD_PATIENCE, &["machinectl", "poweroff", vm])?;
    let deadline = Instant::now() + patience;
    while is_running(&row.vm) && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
    if !is_running(&row.vm) {
        return Ok(Stopped::Off);
    }
    child::call(vm, &lock, SYSTEMD_PATIENCE, &["machinectl", "terminate", vm])?;
    Ok(Stopped::Cut)
}

/// Its changes go; its root is unmounted first.
pub(super) fn discard(container: &ContainerRow) -> Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if mounts.lines().any(|line| line.split(' ').nth(1) == Some(&container.root)) {
        let unmounted = rustix::mount::unmount(container.root.as_str(), rustix::mount::UnmountFlags::empty());
        unmounted.map_err(|errno| failed("unmount", &container.root)(errno.into()))?;
    }
    discard_folder(Path::new(&container.upper))
}

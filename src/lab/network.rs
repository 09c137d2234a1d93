//! A namespace with a bridge and a tap, and a folder for the run; both gone afterwards, whatever happens.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::libc::pid_t;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{FlockOperation, flock};

use super::site::LabSite;
use super::{Result, call, failed};

/// Where runs keep their files; a reboot empties it.
const RUNS: &str = "/run/pxelator-lab";
const PREFIX: &str = "pxlab-";

/// One run's folder, locked as long as we live: whoever can take the lock knows that we do not.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) namespace: String,
    _lock: File,
}

impl Run {
    /// Clears what dead runs left, then makes a folder for this one.
    pub(super) fn begin() -> Result<Run> {
        clear_dead();
        let id = std::process::id().to_string();
        let folder = Path::new(RUNS).join(&id);
        fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
        let lock = File::create(folder.join("lock")).map_err(failed("make", &folder))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| failed("lock", &folder)(errno.into()))?;
        Ok(Run { folder, namespace: format!("{PREFIX}{id}"), _lock: lock })
    }

    /// The namespace: a bridge with the server's address, and a tap for the machine.
    pub(super) fn network(&self, site: &LabSite) -> Result<()> {
        let name = self.namespace.as_str();
        let bits = u32::from(site.network.mask).count_ones();
        let address = format!("{}/{bits}", site.server);
        call("ip", &["netns", "add", name])?;
        let ip = |line: &str| {
            let words: Vec<&str> = ["-n", name].into_iter().chain(line.split(' ')).collect();
            call("ip", &words).map(drop)
        };
        ip("link set lo up")?;
        ip("link add br0 type bridge stp_state 0 forward_delay 0")?;
        ip(&format!("addr add {address} dev br0"))?;
        // The router advertisement leaves from this address, at once and without looking for twins.
        ip("addr add fe80::1/64 dev br0 nodad")?;
        ip("link set br0 up")?;
        ip("tuntap add dev tap0 mode tap")?;
        ip("link set tap0 master br0")?;
        ip("link set tap0 up")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        clear(&self.namespace, &self.folder);
    }
}

/// Runs whose lock is free belong to nobody.
fn clear_dead() {
    for entry in fs::read_dir(RUNS).into_iter().flatten().flatten() {
        let folder = entry.path();
        let lock = File::open(folder.join("lock"));
        let dead = lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok());
        if dead {
            clear(&format!("{PREFIX}{}", entry.file_name().to_string_lossy()), &folder);
        }
    }
}

/// Ends what runs in a namespace, and deletes both; what is not there any more is fine.
fn clear(namespace: &str, folder: &Path) {
    if Path::new("/run/netns").join(namespace).exists() {
        let running = call("ip", &["netns", "pids", namespace]).unwrap_or_default();
        for pid in running.split_whitespace().filter_map(|pid| pid.parse::<pid_t>().ok()) {
            // Our own thread that answers router solicitations lives there too, and ends with us.
            if pid != std::process::id() as pid_t {
                let _gone_already = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _gone_already = call("ip", &["netns", "del", namespace]);
    }
    let _gone_already = fs::remove_dir_all(folder);
}

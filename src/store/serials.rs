//! The serials of zones in the state folder: `serve` and `deploy` read and settle the same ones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use super::{Error, Result, failed, out};
use crate::out::serial::{Serials, next};
use crate::out::table::json;

const FILE: &str = "serials.json";
/// More than a million zones have.
const BYTES_MAX: u64 = 256 << 20;
/// How [`out::replace_state`] begins the name of what becomes [`FILE`].
const UNFINISHED: &str = "serials.new-";
/// Settling takes far less, and whoever deploys waits.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// The serials that were settled last; none in a new state folder.
pub fn read(state: &Path) -> Result<Serials> {
    let path = state.join(FILE);
    let Some(bytes) = read_state(&path, BYTES_MAX)? else { return Ok(Serials::new()) };
    serde_json::from_slice(&bytes).map_err(|error| Error::Serials { path, what: error.to_string() })
}

/// Gives each zone (name → text) its serial, and remembers it.
pub fn settle(state: &Path, zones: &BTreeMap<String, String>) -> Result<BTreeMap<String, u32>> {
    std::fs::create_dir_all(state).map_err(failed("make the state folder", state))?;
    // A deploy and the server that it waits for may both be here.
    let _one_at_a_time = lock(state)?;
    clear_leftovers(state);
    let known = read(state)?;
    let fresh = next(&known, zones);
    if fresh != known {
        out::replace_state(&state.join(FILE), &json(&fresh))?;
    }
    let own = |name: &String| fresh.get(name).map(|serial| (name.clone(), serial.serial));
    Ok(zones.keys().filter_map(own).collect())
}

/// The folder may belong to another user, who may hold it for ever: root does not wait as long.
fn lock(folder: &Path) -> Result<File> {
    let file = File::open(folder).map_err(failed("open", folder))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy { path: folder.to_owned() }),
            Err(errno) => return Err(failed("lock", folder)(errno.into())),
        }
    }
}

/// What killed ones had begun to write; we hold the lock, so nobody writes there now.
fn clear_leftovers(state: &Path) {
    for entry in std::fs::read_dir(state).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _best_effort = std::fs::remove_file(entry.path());
        }
    }
}

/// A file of the state folder, which may belong to another user: no link is followed, no pipe waited for.
pub(crate) fn read_state(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    use io::Read;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(failed("read", path)(errno.into())),
    };
    if !file.metadata().map_err(failed("read", path))?.is_file() {
        return Err(Error::Special { path: PathBuf::from(path) });
    }
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_kept_and_a_link_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("pxelator-serials-{}", std::process::id()));
        let zones = |text: &str| BTreeMap::from([("z".to_owned(), text.to_owned())]);
        for (text, serial) in [("a", 1), ("a", 1), ("b", 2), ("a", 3)] {
            assert_eq!(settle(&folder, &zones(text)).unwrap()["z"], serial);
        }
        let own = std::fs::read(folder.join(FILE)).unwrap();
        std::fs::write(folder.join("elsewhere"), &own).unwrap();
        std::fs::remove_file(folder.join(FILE)).unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.join(FILE)).unwrap();
        assert!(settle(&folder, &zones("c")).is_err());
        assert_eq!(std::fs::read(folder.join("elsewhere")).unwrap(), own);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_another_holds_is_not_waited_for_and_leftovers_go() {
        let folder = std::env::temp_dir().join(format!("pxelator-serials-busy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("serials.new-1"), "half").unwrap();
        let held = lock(&folder).unwrap();
        let busy = settle(&folder, &BTreeMap::new()).unwrap_err().to_string();
        assert!(busy.starts_with(&format!("{} is busy: ", folder.display())), "{busy}");
        drop(held);
        settle(&folder, &BTreeMap::new()).unwrap();
        assert!(!folder.join("serials.new-1").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

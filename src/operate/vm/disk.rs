//! Who has a VM's disk: asked of the locks that QEMU itself holds, whoever started it and under whatever path.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::{Result, failed};

/// Where QEMU's locks lie in a disk: a byte for each thing that it does, or lets nobody else do (block/file-posix.c).
const LOCKS_BEGIN: i64 = 100;
const LOCKS_BYTES: i64 = 200;

/// Does any program have it open as QEMU does? Nothing where we may not look.
pub(super) fn is_held(disk: &Path) -> Result<Option<bool>> {
    let file = match File::open(disk) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(false)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(failed("open", disk)(error)),
    };
    let mut lock = whole();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)).map_err(|errno| failed("ask the locks of", disk)(errno.into()))?;
    Ok(Some(i32::from(lock.l_type) != libc::F_UNLCK))
}

/// Keeps every QEMU from the disk as long as the file lives; nothing where there is no disk, or somebody has it.
pub(super) fn hold(disk: &Path) -> Result<Option<File>> {
    let file = match File::options().read(true).write(true).open(disk) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", disk)(error)),
    };
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole())) {
        Ok(_) => Ok(Some(file)),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(errno) => Err(failed("lock", disk)(errno.into())),
    }
}

/// All of QEMU's locks, for one that wants none beside it.
fn whole() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: LOCKS_BEGIN,
        l_len: LOCKS_BYTES,
        l_pid: 0,
    }
}

/// The program that has it open, for a message: `qemu-system-x86 (process 12)`.
pub(super) fn holder(disk: &Path) -> String {
    let own = fs::metadata(disk).map(|meta| (meta.dev(), meta.ino())).ok();
    let has_it = |process: &Path| {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::metadata(file.path()).ok()).any(|meta| Some((meta.dev(), meta.ino())) == own)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let numbered =
        processes.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)));
    let found = numbered.filter(|path| own.is_some() && has_it(path)).find_map(|path| {
        let name = fs::read_to_string(path.join("comm")).ok()?;
        Some(format!("{} (process {})", name.trim(), path.file_name()?.to_string_lossy()))
    });
    found.unwrap_or_else(|| "another program".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_held_is_nobody_elses() {
        let disk = std::env::temp_dir().join(format!("pxelator-held-{}", std::process::id()));
        assert!(hold(&disk).unwrap().is_none(), "there is none");
        fs::write(&disk, [0; 512]).unwrap();
        assert_eq!(is_held(&disk).unwrap(), Some(false));
        let held = hold(&disk).unwrap();
        assert_eq!((held.is_some(), is_held(&disk).unwrap()), (true, Some(true)));
        assert!(hold(&disk).unwrap().is_none(), "somebody has it");
        drop(held);
        assert!(hold(&disk).unwrap().is_some());
        fs::remove_file(disk).unwrap();
    }
}

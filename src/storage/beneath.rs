//! Files within a machine's root, opened as the machine would see them: its links lead to its own files.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, renameat, unlinkat};

use super::{Result, failed, refused};

/// The largest file that is compared with a declared one, in bytes; declared ones are smaller.
const COMPARED_BYTES_MAX: u64 = 4 << 20;

/// A machine's root, seen from the server.
pub(super) struct Root {
    folder: File,
    path: String,
}

impl Root {
    pub(super) fn open(path: &str) -> Result<Root> {
        let folder = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(refused("open", path))?;
        Ok(Root { folder: folder.into(), path: path.to_owned() })
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    fn open_within(&self, path: &str, flags: OFlags) -> rustix::io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        // As if the root were `/`: neither `..` nor a link leads out, and an absolute link leads back in.
        openat2(&self.folder, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS).map(File::from)
    }

    /// A regular file's bytes and permissions, if root owns it; `None` where there is nothing like it.
    pub(super) fn read(&self, path: &str) -> Result<Option<(Vec<u8>, u32)>> {
        let mut file = match self.open_within(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(refused("open", self.full(path))(errno)),
        };
        let meta = file.metadata().map_err(failed("read", self.full(path)))?;
        if !meta.is_file() || meta.len() > COMPARED_BYTES_MAX || meta.uid() != 0 || meta.gid() != 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read", self.full(path)))?;
        Ok(Some((bytes, meta.mode() & 0o7777)))
    }

    /// Puts a file there, whole or not at all, and the folders that it needs.
    pub(super) fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        // One name for all tries: what a killed one left is replaced.
        let fresh = format!(".{name}.pxelator-new");
        match unlinkat(&parent, &fresh, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(refused("remove", format!("{}/{fresh}", self.full(path)))(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, &fresh, flags, Mode::from_raw_mode(0o600)).map_err(refused("write", self.full(path)))?;
        let mut file = File::from(file);
        let written = file
            .write_all(bytes)
            .and_then(|()| fchown(&file, Some(0), Some(0)))
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_data())
            .and_then(|()| renameat(&parent, &fresh, &parent, name).map_err(Into::into));
        if written.is_err() {
            let _best_effort = unlinkat(&parent, &fresh, AtFlags::empty());
        }
        written.map_err(failed("write", self.full(path)))
    }

    /// Takes a file away; one that is gone already is fine.
    pub(super) fn remove(&self, path: &str) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(errno) => Err(refused("remove", self.full(path))(errno)),
        }
    }

    /// The folder of a path, made where it is missing, and the last part of the path.
    fn parent<'p>(&self, path: &'p str) -> Result<(File, &'p str)> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = String::from("/");
        let mut folder = self.open_within(&at, OFlags::PATH | OFlags::DIRECTORY).map_err(refused("open", self.full(&at)))?;
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            at = format!("{}/{part}", at.trim_end_matches('/'));
            folder = match self.open_within(&at, OFlags::PATH | OFlags::DIRECTORY) {
                Err(rustix::io::Errno::NOENT) => {
                    mkdirat(&folder, part, Mode::from_raw_mode(0o755)).map_err(refused("make", self.full(&at)))?;
                    self.open_within(&at, OFlags::PATH | OFlags::DIRECTORY)
                }
                other => other,
            }
            .map_err(refused("open", self.full(&at)))?;
        }
        Ok((folder, name))
    }
}

/// Does a folder exist?
pub(super) fn is_folder(path: &str) -> bool {
    Path::new(path).is_dir()
}

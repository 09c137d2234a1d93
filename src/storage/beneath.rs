//! Files within a machine's root, opened as the machine would see them: its links lead to its own files.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::content::{Stand, Thing};
use super::{Result, failed, refused};

/// The largest file that is compared with a declared one, in bytes; declared ones are smaller.
pub(crate) const COMPARED_BYTES_MAX: u64 = 4 << 20;

/// A machine's root, seen from the server.
pub(crate) struct Root {
    folder: File,
    path: String,
    /// The same without links.
    real: PathBuf,
}

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    File {
        bytes: Vec<u8>,
        mode: u32,
        owner: (u32, u32),
    },
    Link(CString),
    /// A folder, a device, a whiteout, or a file that is too large to be ours.
    Other,
}

impl Root {
    pub(crate) fn open(path: &str) -> Result<Root> {
        let folder = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(refused("open", path))?;
        let real = Path::new(path).canonicalize().map_err(failed("open", path))?;
        Ok(Root { folder: folder.into(), path: path.to_owned(), real })
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    fn open_within(&self, path: &str, flags: OFlags) -> rustix::io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        // As if the root were `/`: neither `..` nor a link leads out, and an absolute link leads back in.
        openat2(&self.folder, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS).map(File::from)
    }

    /// What stands at a path. Nothing is opened for reading but a regular file: a machine may have put a
    /// device there, and opening one acts on the server.
    pub(crate) fn look(&self, path: &str) -> Result<Found> {
        let handle = match self.open_within(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(handle) => handle,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Found::Nothing),
            Err(errno) => return Err(refused("open", self.full(path))(errno)),
        };
        let meta = handle.metadata().map_err(failed("read", self.full(path)))?;
        let kind = meta.file_type();
        if kind.is_symlink() {
            let target = readlinkat(&handle, "", Vec::new()).map_err(refused("read", self.full(path)))?;
            return Ok(Found::Link(target));
        }
        if !kind.is_file() || meta.len() > COMPARED_BYTES_MAX {
            return Ok(Found::Other);
        }
        let mut bytes = Vec::new();
        let mut file = File::open(format!("/proc/self/fd/{}", handle.as_raw_fd())).map_err(failed("open", self.full(path)))?;
        file.read_to_end(&mut bytes).map_err(failed("read", self.full(path)))?;
        Ok(Found::File { bytes, mode: meta.mode() & 0o7777, owner: (meta.uid(), meta.gid()) })
    }

    /// The same with permissions and owner, of folders too.
    pub(super) fn stand(&self, path: &str) -> Result<Option<Stand>> {
        let handle = match self.open_within(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(handle) => handle,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(refused("open", self.full(path))(errno)),
        };
        let meta = handle.metadata().map_err(failed("read", self.full(path)))?;
        let thing = match self.look(path)? {
            Found::Nothing => return Ok(None),
            Found::File { bytes, .. } => Thing::File(bytes),
            Found::Link(target) => Thing::Link(target.into_bytes()),
            Found::Other if meta.is_dir() => Thing::Folder,
            Found::Other if meta.is_file() => Thing::Large,
            Found::Other => Thing::Other,
        };
        Ok(Some(Stand { thing, mode: meta.mode() & 0o7777, owner: meta.uid(), group: meta.gid() }))
    }

    /// A path as it is once the links in its folders are followed; folders that are missing stay as they are.
    pub(crate) fn resolved(&self, path: &str) -> String {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let cuts = folders.match_indices('/').map(|(at, _)| at).chain([folders.len()]);
        let ends: Vec<usize> = cuts.filter(|end| *end > 0).collect();
        for end in ends.into_iter().rev() {
            let (known, rest) = folders.split_at_checked(end).unwrap_or((folders, ""));
            let Ok(handle) = self.open_within(known, OFlags::PATH | OFlags::DIRECTORY) else { continue };
            let Ok(real) = std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd())) else { continue };
            let Ok(below) = real.strip_prefix(&self.real) else { continue };
            let below = below.to_string_lossy();
            let slash = if below.is_empty() { "" } else { "/" };
            return format!("{slash}{below}{rest}/{name}");
        }
        path.to_owned()
    }

    /// Puts a file there, whole or not at all, and the folders that it needs.
    pub(crate) fn write(&self, path: &str, bytes: &[u8], mode: u32, (uid, gid): (u32, u32)) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        // One name for all tries: what a killed one left is replaced.
        let fresh = format!(".{name}.pxelator-new");
        match unlinkat(&parent, &fresh, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(refused("remove", format!("{}/{fresh}", self.full(path)))(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, &fresh, flags, Mode::from_raw_mode(0o600)).map_err(refused("write", self.full(path)))?;
        let mut file = File::from(file);
        let written = file
            .write_all(bytes)
            .and_then(|()| fchown(&file, Some(uid), Some(gid)))
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_data())
            .and_then(|()| renameat(&parent, &fresh, &parent, name).map_err(Into::into));
        if written.is_err() {
            let _best_effort = unlinkat(&parent, &fresh, AtFlags::empty());
        }
        written.map_err(failed("write", self.full(path)))
    }

    /// Puts a link there, in place of what stands there.
    pub(crate) fn link(&self, path: &str, target: &CString) -> Result<()> {
        self.unlink(path)?;
        let (parent, name) = self.parent(path)?;
        symlinkat(target.as_c_str(), &parent, name).map_err(refused("write", self.full(path)))
    }

    /// Takes a file away, and the folders that then are empty and that `base` has not.
    pub(crate) fn remove(&self, path: &str, base: &Root) -> Result<()> {
        self.unlink(path)?;
        let mut folder = path;
        while let Some((parent, _)) = folder.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            folder = parent;
            let (above, name) = self.parent(folder)?;
            if base.look(folder)? != Found::Nothing || unlinkat(&above, name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// One that is gone already is fine.
    fn unlink(&self, path: &str) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
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
                Err(Errno::NOENT) => {
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
pub(crate) fn is_folder(path: &str) -> bool {
    Path::new(path).is_dir()
}

/// Is there nothing in it?
pub(crate) fn is_empty(folder: &str) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

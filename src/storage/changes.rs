//! What a machine changed: its upper folder, told from the base beneath.
//!
//! The upper folder holds everything that was touched; only what differs from the base is a change. A
//! deleted file is a character device 0:0 (a whiteout) to overlayfs and `.wh.NAME` to aufs; a folder that
//! was deleted and made anew is marked opaque. Nobody renames within our unions (redirect_dir=nofollow),
//! so a moved file is one that was deleted and one that was added.
//!
//! **Invariant:** nothing is opened through a link, so a machine cannot make us look elsewhere.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr, openat, openat2, readlinkat, statat};
use rustix::io::Errno;
use serde::Serialize;

use super::beneath::{COMPARED_BYTES_MAX, Found, Root};
use super::plan::{Mark, Written, remembered};
use super::{Error, Result, refused, upper_folder};
use crate::out::table::{OverlayRow, RootRow};

/// How many folders deep we look.
pub const DEPTH_MAX: usize = 256;
/// How much of two files is compared at once, in bytes.
const PIECE_BYTES: usize = 1 << 16;

/// A path that is not as the base has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// In the machine's system; folders end in a slash.
    pub path: String,
    pub kind: Kind,
    /// What of it was changed: content, mode, owner, target, kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub what: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Added,
    Changed,
    Deleted,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Added => "added",
            Kind::Changed => "changed",
            Kind::Deleted => "deleted",
        };
        // Machines choose the names of their files: they must not act on a terminal.
        write!(f, "{kind:<8} {}", crate::diag::tame(self.path.clone()).replace(['\n', '\t'], "\u{fffd}"))?;
        if self.what.is_empty() { Ok(()) } else { write!(f, " ({})", self.what.join(", ")) }
    }
}

/// Everything that a host changed, by path. Files that the site puts there are no change while they are as
/// declared.
pub fn changes(row: &RootRow, overlay: &OverlayRow) -> Result<Vec<Change>> {
    // Marks of overlayfs are hidden from others, and the list would be wrong.
    if !nix::unistd::Uid::effective().is_root() {
        return Err(Error::Root("changes"));
    }
    let upper = upper_folder(overlay);
    if !super::beneath::is_folder(&upper) {
        return Err(Error::NoUpper { host: row.host.clone(), upper });
    }
    let state = remembered(overlay)?;
    if !state.lower.is_empty() && state.lower != row.lower {
        return Err(Error::OtherBase { host: row.host.clone(), upper: overlay.upper.clone(), lower: row.lower.clone() });
    }
    // Where the base has a link in place of a folder, as `lib` of a Debian system, the file lies behind it.
    let base = Root::open(&row.lower)?;
    let written: Written = state.written.into_iter().map(|(path, mark)| (base.resolved(&path), mark)).collect();
    let mut walk = Walk { is_aufs: overlay.union == "aufs", written: &written, upper_path: &upper, found: Vec::new() };
    let lower = open_root(&row.lower)?;
    walk.folder(&open_root(&upper)?, Some(&lower), "/", 0)?;
    walk.found.extend(removed(&written, &Root::open(&upper)?, &base)?);
    walk.found.sort();
    Ok(walk.found)
}

/// Declared files that the base has not, and the machine removed: nothing is left of them to be found.
fn removed(written: &Written, upper: &Root, base: &Root) -> Result<Vec<Change>> {
    let mut gone = Vec::new();
    for path in written.keys() {
        if upper.look(path)? == Found::Nothing && base.look(path)? == Found::Nothing {
            gone.push(Change { path: path.clone(), kind: Kind::Deleted, what: Vec::new() });
        }
    }
    Ok(gone)
}

struct Walk<'a> {
    is_aufs: bool,
    /// What the server put there itself.
    written: &'a Written,
    upper_path: &'a str,
    found: Vec<Change>,
}

/// What stands in a folder under a name.
struct Entry {
    kind: FileType,
    stat: Stat,
}

impl Walk<'_> {
    /// One folder of the upper side, and the same of the base where it has one.
    fn folder(&mut self, upper: &File, lower: Option<&File>, at: &str, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            let what = vec![format!("deeper than {DEPTH_MAX} folders, not looked at")];
            self.found.push(Change { path: at.to_owned(), kind: Kind::Changed, what });
            return Ok(());
        }
        let names = self.names(upper, at)?;
        if self.is_opaque(upper, &names) {
            self.hidden(&names, lower, at)?;
        }
        for name in names {
            match name.to_str().and_then(|name| name.strip_prefix(".wh.")).filter(|_| self.is_aufs) {
                Some(own) if own.starts_with(".wh.") => {} // aufs's own books
                Some(gone) => self.deleted(lower, OsStr::new(gone), at)?,
                None => self.entry(upper, lower, &name, at, depth)?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, upper: &File, lower: Option<&File>, name: &OsStr, at: &str, depth: usize) -> Result<()> {
        let path = &format!("{at}{}", name.to_string_lossy());
        let Some(new) = entry(upper, name).map_err(refused("read", self.full(path)))? else { return Ok(()) };
        let old = match lower {
            Some(lower) => entry(lower, name).map_err(refused("read", path))?,
            None => None,
        };
        if new.kind == FileType::CharacterDevice && new.stat.st_rdev == 0 {
            return self.deleted(lower, name, at);
        }
        let shown = if new.kind == FileType::Directory { format!("{path}/") } else { path.clone() };
        match &old {
            None => self.add(&shown, Kind::Added, Vec::new(), upper, name)?,
            Some(old) => {
                let what = self.difference(upper, lower, name, &new, old, path)?;
                if !what.is_empty() {
                    self.add(&shown, Kind::Changed, what, upper, name)?;
                }
            }
        }
        if new.kind == FileType::Directory {
            let beneath = match (lower, &old) {
                (Some(lower), Some(old)) if old.kind == FileType::Directory => {
                    Some(open_folder(lower, name).map_err(refused("open", path))?)
                }
                _ => None,
            };
            let folder = open_folder(upper, name).map_err(refused("open", self.full(path)))?;
            self.folder(&folder, beneath.as_ref(), &shown, depth + 1)?;
        }
        Ok(())
    }

    /// A whiteout; one over nothing hides nothing.
    fn deleted(&mut self, lower: Option<&File>, name: &OsStr, at: &str) -> Result<()> {
        let Some(lower) = lower else { return Ok(()) };
        let path = format!("{at}{}", name.to_string_lossy());
        let Some(old) = entry(lower, name).map_err(refused("read", &path))? else { return Ok(()) };
        let slash = if old.kind == FileType::Directory { "/" } else { "" };
        self.found.push(Change { path: format!("{path}{slash}"), kind: Kind::Deleted, what: Vec::new() });
        Ok(())
    }

    /// What the base has in a folder that was made anew, and the new one has not.
    fn hidden(&mut self, names: &[OsString], lower: Option<&File>, at: &str) -> Result<()> {
        let Some(lower) = lower else { return Ok(()) };
        for name in self.names(lower, at)?.iter().filter(|name| !names.contains(name)) {
            self.deleted(Some(lower), name, at)?;
        }
        Ok(())
    }

    /// Is what the base has in this folder hidden?
    fn is_opaque(&self, folder: &File, names: &[OsString]) -> bool {
        if self.is_aufs {
            return names.iter().any(|name| name == ".wh..wh..opq");
        }
        let mut value = [0; 8];
        fgetxattr(folder, "trusted.overlay.opaque", &mut value[..]).is_ok_and(|len| value.get(..len) == Some(b"y"))
    }

    /// What of an entry is not as in the base.
    fn difference(
        &self,
        upper: &File,
        lower: Option<&File>,
        name: &OsStr,
        new: &Entry,
        old: &Entry,
        path: &str,
    ) -> Result<Vec<String>> {
        if new.kind != old.kind {
            return Ok(vec![format!("{} → {}", kind_name(old.kind), kind_name(new.kind))]);
        }
        let mut what = Vec::new();
        let mode = |entry: &Entry| entry.stat.st_mode & 0o7777;
        let owner = |entry: &Entry| format!("{}:{}", entry.stat.st_uid, entry.stat.st_gid);
        let same_content = match (new.kind, lower) {
            (FileType::RegularFile, Some(lower)) => {
                new.stat.st_size == old.stat.st_size && same_bytes(upper, lower, name).map_err(refused("read", path))?
            }
            (FileType::Symlink, Some(lower)) => {
                readlinkat(upper, name, Vec::new()).ok() == readlinkat(lower, name, Vec::new()).ok()
            }
            (FileType::CharacterDevice | FileType::BlockDevice, _) => new.stat.st_rdev == old.stat.st_rdev,
            _ => true,
        };
        what.extend((!same_content).then(|| if new.kind == FileType::Symlink { "target" } else { "content" }.to_owned()));
        what.extend((mode(new) != mode(old)).then(|| format!("mode {:04o} → {:04o}", mode(old), mode(new))));
        what.extend((owner(new) != owner(old)).then(|| format!("owner {} → {}", owner(old), owner(new))));
        Ok(what)
    }

    /// Tells a change, unless the server made it.
    fn add(&mut self, path: &str, kind: Kind, what: Vec<String>, upper: &File, name: &OsStr) -> Result<()> {
        if self.is_ours(path, kind, upper, name).map_err(refused("read", self.full(path)))? {
            return Ok(());
        }
        self.found.push(Change { path: path.to_owned(), kind, what });
        Ok(())
    }

    /// A file that is as the server wrote it, or a folder that it made for one.
    fn is_ours(&self, path: &str, kind: Kind, upper: &File, name: &OsStr) -> rustix::io::Result<bool> {
        if let Some(mark) = self.written.get(path) {
            let Some(mut file) = open_file(upper, name)? else { return Ok(false) };
            let stat = rustix::fs::fstat(&file)?;
            if u64::try_from(stat.st_size).is_ok_and(|size| size > COMPARED_BYTES_MAX) || (stat.st_uid, stat.st_gid) != (0, 0) {
                return Ok(false);
            }
            let mut bytes = Vec::new();
            let limit = COMPARED_BYTES_MAX;
            (&mut file).take(limit).read_to_end(&mut bytes).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            return Ok(Mark::of(&bytes, stat.st_mode & 0o7777) == *mark);
        }
        let made_for_one =
            kind == Kind::Added && path.ends_with('/') && self.written.keys().any(|written| written.starts_with(path));
        let as_made = |entry: Entry| entry.stat.st_mode & 0o7777 == 0o755 && (entry.stat.st_uid, entry.stat.st_gid) == (0, 0);
        Ok(made_for_one && entry(upper, name)?.is_some_and(as_made))
    }

    fn names(&self, folder: &File, at: &str) -> Result<Vec<OsString>> {
        let failed = |errno| refused("list", self.full(at))(errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(folder).map_err(failed)? {
            let name = OsString::from_vec(entry.map_err(failed)?.file_name().to_bytes().to_vec());
            names.extend((name != "." && name != "..").then_some(name));
        }
        Ok(names)
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.upper_path)
    }
}

fn kind_name(kind: FileType) -> &'static str {
    let names = [(FileType::RegularFile, "file"), (FileType::Directory, "folder"), (FileType::Symlink, "link")];
    names.iter().find(|(known, _)| *known == kind).map_or("device", |(_, name)| name)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_root(path: &str) -> Result<File> {
    openat(CWD, path, FOLDER, Mode::empty()).map(File::from).map_err(refused("open", path))
}

fn beneath(folder: &File, name: &OsStr, flags: OFlags) -> rustix::io::Result<File> {
    openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).map(File::from)
}

fn open_folder(folder: &File, name: &OsStr) -> rustix::io::Result<File> {
    beneath(folder, name, FOLDER)
}

/// A regular file. It is opened for reading only when it is known to be one: opening a device acts on the server.
fn open_file(folder: &File, name: &OsStr) -> rustix::io::Result<Option<File>> {
    let handle = match beneath(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC) {
        Ok(handle) => handle,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    if FileType::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let opened = File::open(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    opened.map(Some).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// What stands there; links are not followed.
fn entry(folder: &File, name: &OsStr) -> rustix::io::Result<Option<Entry>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Entry { kind: FileType::from_raw_mode(stat.st_mode), stat })),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn same_bytes(upper: &File, lower: &File, name: &OsStr) -> rustix::io::Result<bool> {
    let (Some(mut one), Some(mut other)) = (open_file(upper, name)?, open_file(lower, name)?) else { return Ok(false) };
    let (mut left, mut right) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let (a, b) = (fill(&mut one, &mut left)?, fill(&mut other, &mut right)?);
        if a != b || left.get(..a) != right.get(..b) {
            return Ok(false);
        }
        if a < PIECE_BYTES {
            return Ok(true);
        }
    }
}

/// As much as fits, or to the end.
fn fill(file: &mut File, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    let mut at = 0;
    while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))? {
            0 => break,
            count => at += count,
        }
    }
    Ok(at)
}

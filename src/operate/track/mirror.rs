//! What rsync brought: `machines/HOST/` in the state folder, every owner and permission of which lies in an
//! attribute (`rsync --fake-super`). Files here belong to whoever runs us; links are files that hold their
//! target, so nothing in there leads elsewhere, and nothing runs with another's rights.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, setxattr};
use rustix::io::Errno;

use super::meta::{Kind, Meta};
use super::{Error, Result, failed};

/// How many paths of one host are kept.
pub const PATHS_MAX: usize = 200_000;
/// How large an attribute, or all their names, may be (xattr(7)).
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;
/// rsync's own names for what it keeps beside a file.
const PREFIX: &str = "user.rsync.";
/// What users may set, also here.
const USERS: &str = "user.";
const STAT: &str = "user.rsync.%stat";

/// Which file it is on this disk, where it has several names.
type Inode = Option<(u64, u64)>;

/// One path of the mirror.
pub(super) struct Entry {
    /// On the machine.
    pub(super) path: Vec<u8>,
    pub(super) meta: Meta,
    /// Its content, and of a link its target.
    pub(super) file: PathBuf,
}

/// All that lies in some folders of a mirror, in order, but for what is named. Git takes no `.git`, however it
/// is written: such paths go to `refused`.
pub(super) fn scan(
    host: &str,
    mirror: &Path,
    folders: &[&str],
    without: &BTreeSet<Vec<u8>>,
    refused: &mut Vec<Vec<u8>>,
) -> Result<Vec<Entry>> {
    let mut waiting: Vec<Vec<u8>> = folders.iter().map(|folder| folder.as_bytes().to_vec()).collect();
    let mut all = Vec::new();
    while let Some(path) = waiting.pop() {
        if without.contains(&path) {
            continue;
        }
        if path.split(|byte| *byte == b'/').any(|part| part.eq_ignore_ascii_case(b".git")) {
            refused.push(path);
            continue;
        }
        let file = beneath(mirror, &path);
        let Some(meta) = meta(&file)? else { continue };
        if meta.0.kind == Kind::Folder {
            for entry in fs::read_dir(&file).map_err(failed("read", &file))? {
                let name = entry.map_err(failed("read", &file))?.file_name().into_vec();
                waiting.push([path.as_slice(), b"/", &name].concat());
            }
        }
        all.push((path, meta, file));
        if all.len() > PATHS_MAX {
            return Err(Error::TooMany { host: host.to_owned() });
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    // The first path of a file stands for its others.
    let mut first: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
    let mut out = Vec::new();
    for (path, (mut meta, id), file) in all {
        if let Some(id) = id {
            match first.get(&id) {
                Some(other) => meta.same_as = Some(other.clone()),
                None => drop(first.insert(id, path.clone())),
            }
        }
        out.push(Entry { path, meta, file });
    }
    Ok(out)
}

/// Where a path of the machine lies below a folder.
pub(super) fn beneath(root: &Path, path: &[u8]) -> PathBuf {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    root.join(OsStr::from_bytes(path))
}

/// What a file stands for, and which it is where it has several names; `None` for what is neither file, folder
/// nor link.
fn meta(file: &Path) -> Result<Option<(Meta, Inode)>> {
    let own = fs::symlink_metadata(file).map_err(failed("read", file))?;
    if own.file_type().is_symlink() {
        // Whoever put it here was not rsync, which writes a file in its place.
        return Err(Error::Io { step: "read", path: file.to_owned(), source: io::ErrorKind::InvalidData.into() });
    }
    let mut attributes = attributes(file)?;
    let kept = attributes.remove(STAT.strip_prefix(PREFIX).unwrap_or_default());
    let stat = kept.map_or(Some((own.mode(), own.uid(), own.gid())), |text| parse(&text));
    let stat = stat.ok_or_else(|| failed("understand the attributes of", file)(io::ErrorKind::InvalidData.into()))?;
    let Some(kind) = Kind::of_bits(stat.0) else { return Ok(None) };
    let id = (own.is_file() && own.nlink() > 1).then(|| (own.dev(), own.ino()));
    Ok(Some((Meta { kind, mode: stat.0 & 0o7777, owner: stat.1, group: stat.2, same_as: None, attributes }, id)))
}

/// `100644 0,0 33:42`
fn parse(text: &[u8]) -> Option<(u32, u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split(' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let (owner, group) = words.nth(1)?.trim_end_matches(['\0', '\n']).split_once(':')?;
    Some((mode, owner.parse().ok()?, group.parse().ok()?))
}

/// What rsync keeps beside a file, without its prefix.
fn attributes(file: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut buffer = vec![0; ATTRIBUTE_BYTES_MAX];
    let failed = |errno: Errno| failed("read the attributes of", file)(errno.into());
    let count = match llistxattr(file, buffer.as_mut_slice()) {
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        other => other.map_err(failed)?,
    };
    let names: Vec<String> = buffer
        .get(..count)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .filter_map(|name| String::from_utf8(name.to_vec()).ok())
        .collect();
    let mut all = BTreeMap::new();
    for name in names {
        // Others than `user.*` are kept with the prefix.
        let short = name.strip_prefix(PREFIX).unwrap_or(&name);
        if !name.starts_with(USERS) {
            continue;
        }
        let count = lgetxattr(file, &name, buffer.as_mut_slice()).map_err(failed)?;
        all.insert(short.to_owned(), buffer.get(..count).unwrap_or_default().to_vec());
    }
    Ok(all)
}

fn kept_name(name: &str) -> String {
    if name.starts_with(USERS) { name.to_owned() } else { format!("{PREFIX}{name}") }
}

/// Writes beside a file what it stands for, so that `rsync --fake-super` sends it as such.
pub(super) fn dress(file: &Path, meta: &Meta) -> Result<()> {
    let stat = format!("{:o} 0,0 {}:{}", meta.kind.bits() | meta.mode, meta.owner, meta.group).into_bytes();
    let own = (STAT.to_owned(), stat);
    for (name, value) in meta.attributes.iter().map(|(name, value)| (kept_name(name), value.clone())).chain([own]) {
        setxattr(file, &name, &value, XattrFlags::empty()).map_err(|errno| match errno {
            Errno::NOTSUP => Error::NoAttributes { path: file.to_owned() },
            other => failed("write the attributes of", file)(other.into()),
        })?;
    }
    Ok(())
}

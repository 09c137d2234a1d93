//! Pinned files: opened beneath their folder, hashed for `assets.lock`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::{Error, Result, failed};
use crate::model::Asset;

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Opens `path` below `root`; no link and no `..` can lead out of it (openat2, RESOLVE_BENEATH).
pub fn open_beneath(root: &Path, path: &str) -> io::Result<File> {
    let folder = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat2(folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)?);
    // A pipe or a device would hold up whoever reads it.
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file")) }
}

/// Size and hash of a file below `root`.
pub fn hash(root: &Path, path: &str) -> Result<Asset> {
    let full = root.join(path);
    let mut file = open_beneath(root, path).map_err(failed("open", &full))?;
    let mut hasher = blake3::Hasher::new();
    let (mut size, mut chunk) = (0, vec![0; CHUNK_BYTES]);
    loop {
        let count = file.read(&mut chunk).map_err(failed("read", &full))?;
        if count == 0 {
            return Ok(Asset { blake3: hasher.finalize().to_hex().to_string(), size });
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        size += count as u64;
    }
}

/// Does the file exist below `root`?
pub fn exists(root: &Path, path: &str) -> bool {
    open_beneath(root, path).is_ok()
}

/// The folder itself, or an error that names it.
pub fn require_folder(root: &Path) -> Result<()> {
    let meta = std::fs::metadata(root).map_err(failed("open", root))?;
    if meta.is_dir() { Ok(()) } else { Err(Error::Special { path: root.to_owned() }) }
}

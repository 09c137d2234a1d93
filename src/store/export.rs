//! A plain tree for other file servers: written whole or not at all, as `out/` is.
//!
//! A list of its own files lies in the tree. What is not on it is somebody else's, and the folder is then
//! left as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};

use super::assets::open_beneath;
use super::out::{clear_leftovers, exchange, lock, write_synced};
use super::{Error, Result, failed};
use crate::answer::Content;
use crate::out::table::AssetRow;

/// The list of files; hidden, so that a listing shows what machines ask for.
const LIST: &str = ".pxelator-export";
/// What helps where a pinned file is another one.
const MEND: &str = "run `pxelator lock` if the new file is meant, or restore the old one";
/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes all files below a folder; `assets` is where the pinned ones lie, if not where the site says.
///
/// # Errors
/// The folder holds what is not ours, a pinned file is missing or another one, or the disk refuses. The
/// folder is then as it was.
pub fn write(folder: &Path, files: &BTreeMap<String, Content>, assets: Option<&Path>) -> Result<()> {
    refuse_foreign(folder)?;
    // A link stays a link: what it leads to is replaced.
    let real = folder.canonicalize();
    let folder = real.as_deref().unwrap_or(folder);
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "tree".into());
    fs::create_dir_all(parent).map_err(failed("make", parent))?;
    let _one_at_a_time = lock(parent)?;
    clear_leftovers(parent, &name);
    refuse_foreign(folder)?;
    let fresh = parent.join(format!(".{name}.building-{}", std::process::id()));
    let written = fill(&fresh, files, assets).and_then(|()| exchange(&fresh, folder));
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(failed("remove", &fresh))?;
    }
    written
}

fn refuse_foreign(folder: &Path) -> Result<()> {
    let foreign = |what: String| Error::NotExported { path: folder.to_owned(), what };
    let mut found = BTreeSet::new();
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", folder)(error)),
        Ok(_) => list(folder, "", &mut found)?,
    }
    if found.is_empty() {
        return Ok(());
    }
    let known = fs::read_to_string(folder.join(LIST)).map_err(|_| foreign("it has no list of ours".into()))?;
    let known: BTreeSet<&str> = known.lines().chain([LIST]).collect();
    match found.iter().find(|path| !known.contains(path.as_str())) {
        Some(other) => Err(foreign(format!("{other} is not from an export"))),
        None => Ok(()),
    }
}

/// All that lies below a folder, empty folders too: those are nobody's of ours.
fn list(root: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let folder = root.join(below);
    let mut count = 0;
    for entry in fs::read_dir(&folder).map_err(failed("list", &folder))? {
        let entry = entry.map_err(failed("list", &folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        count += 1;
        if entry.file_type().map_err(failed("read", &entry.path()))?.is_dir() {
            list(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    if count == 0 && !below.is_empty() {
        found.insert(below.to_owned());
    }
    Ok(())
}

fn fill(fresh: &Path, files: &BTreeMap<String, Content>, assets: Option<&Path>) -> Result<()> {
    fs::create_dir(fresh).map_err(failed("make", fresh))?;
    let mut folders = BTreeSet::from([fresh.to_owned()]);
    for (name, content) in files {
        let path = fresh.join(name);
        if let Some(parent) = path.parent().filter(|parent| !folders.contains(*parent)) {
            fs::create_dir_all(parent).map_err(failed("make", parent))?;
            folders.insert(parent.to_owned());
        }
        match content {
            Content::Bytes(bytes) => write_synced(&path, bytes)?,
            Content::Asset(row) => asset(row, assets.unwrap_or(Path::new(&row.root)), &path)?,
        }
    }
    let list: String = files.keys().map(|name| format!("{name}\n")).collect();
    write_synced(&fresh.join(LIST), list.as_bytes())?;
    folders.iter().try_for_each(|folder| File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write", folder)))
}

/// A pinned file, or an error where it is not the one that was pinned.
fn asset(row: &AssetRow, root: &Path, to: &Path) -> Result<()> {
    let path = root.join(&row.path);
    let wrong = |what: String| Error::Asset { path: path.clone(), what };
    let mut file = open_beneath(root, &row.path).map_err(|error| wrong(format!("cannot be opened ({error}): say where the assets lie with --assets DIR")))?;
    let mut hasher = blake3::Hasher::new();
    let (mut size, mut chunk) = (0_u64, vec![0; CHUNK_BYTES]);
    loop {
        let count = file.read(&mut chunk).map_err(failed("read", &path))?;
        if count == 0 {
            break;
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        size += count as u64;
    }
    if size != row.size {
        return Err(wrong(format!("has {size} bytes, assets.lock says {}: {MEND}", row.size)));
    }
    if hasher.finalize().to_hex().as_str() != row.blake3 {
        return Err(wrong(format!("has another hash than assets.lock says: {MEND}")));
    }
    link_or_copy(&mut file, to)
}

/// The very file that was read gets a second name. Another disk, or a rule of the kernel against links to
/// others' files, wants a copy.
fn link_or_copy(file: &mut File, to: &Path) -> Result<()> {
    let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if linkat(CWD, &opened, CWD, to, AtFlags::SYMLINK_FOLLOW).is_ok() {
        return Ok(());
    }
    file.seek(SeekFrom::Start(0)).map_err(failed("read", to))?;
    let mut copy = File::create(to).map_err(failed("write", to))?;
    io::copy(file, &mut copy).map_err(failed("write", to))?;
    copy.sync_data().map_err(failed("write", to))
}

//! Source files that we rewrite: whole or not at all, with the mode and the owner that they had.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::{Error, Result, failed, read_file};

/// The bytes of one source file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_file(path)
}

/// Replaces a file of a site. A link stays a link: what it leads to is replaced.
///
/// # Errors
/// The file lies outside of the folder, holds no longer what we read, or the disk refuses.
pub fn rewrite_within(folder: &Path, name: &str, old: &[u8], new: &[u8]) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (path, root) = (folder.join(name), folder.canonicalize().map_err(failed("open", folder))?);
    let real = path.canonicalize().map_err(failed("open", &path))?;
    if !real.starts_with(root) {
        return Err(Error::Escape { path, folder: folder.to_owned() });
    }
    rewrite(&path, old, new)
}

/// Replaces one file, wherever it lies.
///
/// # Errors
/// It holds no longer what we read, or the disk refuses.
pub fn rewrite(path: &Path, old: &[u8], new: &[u8]) -> Result<()> {
    let real = path.canonicalize().map_err(failed("open", path))?;
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fresh = real.with_file_name(format!(".{name}.new-{}", std::process::id()));
    let written = write_beside(path, &real, &fresh, old, new);
    if written.is_err() {
        let _best_effort = fs::remove_file(&fresh);
    }
    written
}

fn write_beside(path: &Path, real: &PathBuf, fresh: &PathBuf, old: &[u8], new: &[u8]) -> Result<()> {
    let meta = fs::metadata(real).map_err(failed("read", path))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh).map_err(failed("write", fresh))?;
    // Root edits a user's file: it stays the user's. Others may not give files away, and need not.
    let _only_root_may = fchown(&file, Some(meta.uid()), Some(meta.gid()));
    file.set_permissions(Permissions::from_mode(meta.mode() & 0o7777)).map_err(failed("write", fresh))?;
    file.write_all(new).and_then(|()| file.sync_data()).map_err(failed("write", fresh))?;
    if read_file(real)? != old {
        return Err(Error::Changed { path: path.to_owned() });
    }
    fs::rename(fresh, real).map_err(failed("rename", fresh))?;
    let parent = real.parent().unwrap_or(Path::new("/"));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("write", parent))
}

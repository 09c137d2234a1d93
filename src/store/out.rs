//! Writes `out/` whole or not at all: a new folder beside it, and one exchange of names.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, renameat_with, syncfs};

use super::{Error, Result, failed, read_folder};
use crate::out::{MANIFEST, Manifest, Tree};

/// Up to how many files are brought to the disk one by one; of more the whole file system is, once.
const SYNCED_ALONE_MAX: usize = 128;

/// Writes the tree. Gives false where the folder holds it already.
pub fn write(folder: &Path, tree: &Tree, manifest: &Manifest) -> Result<bool> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "out".into());
    fs::create_dir_all(parent).map_err(failed("make", parent))?;
    let _one_at_a_time = lock(parent)?;
    // Also where nothing is to write: a build that was killed behind its exchange left the old tree.
    clear_leftovers(parent, &name);
    if is_current(folder, manifest) {
        return Ok(false);
    }
    refuse_foreign(folder)?;
    let fresh = parent.join(format!(".{name}.building-{}", std::process::id()));
    let written = fill(&fresh, tree, manifest).and_then(|()| exchange(&fresh, folder));
    if fresh.exists() {
        // The old tree after an exchange, or an unfinished new one.
        fs::remove_dir_all(&fresh).map_err(failed("remove", &fresh))?;
    }
    written.map(|()| true)
}

/// Does the folder hold exactly this generation?
pub fn is_current(folder: &Path, manifest: &Manifest) -> bool {
    read_folder(folder).is_ok_and(|(found, _, findings)| found == *manifest && findings.is_clean())
}

/// A folder that holds anything which we did not write is nobody's to throw away.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let foreign = |what: String| Error::Foreign { path: folder.to_owned(), what };
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", folder)(error)),
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(());
            }
        }
    }
    let (_, _, findings) = read_folder(folder).map_err(|_| foreign("it has no manifest of ours".into()))?;
    match findings.added.first() {
        Some(added) => Err(foreign(format!("{added} is not from a build"))),
        None => Ok(()),
    }
}

/// One build at a time writes beside a folder; the lock ends with the program, however it ends.
pub(super) fn lock(parent: &Path) -> Result<File> {
    let file = File::open(parent).map_err(failed("open", parent))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|errno| failed("lock", parent)(errno.into()))?;
    Ok(file)
}

/// Folders of builds that were killed: we hold the lock, so nobody is writing them.
pub(super) fn clear_leftovers(parent: &Path, name: &str) {
    let prefix = format!(".{name}.building-");
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _best_effort = fs::remove_dir_all(entry.path());
        }
    }
}

fn fill(fresh: &Path, tree: &Tree, manifest: &Manifest) -> Result<()> {
    fs::create_dir(fresh).map_err(failed("make", fresh))?;
    for (path, artifact) in tree.files() {
        let path = fresh.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("make", parent))?;
        }
        // Waiting for the disk file by file took 20 s with 5,000 files.
        let write = if manifest.files.len() > SYNCED_ALONE_MAX { write_unsynced } else { write_synced };
        write(&path, artifact.bytes())?;
    }
    write_synced(&fresh.join(MANIFEST), manifest.text().as_bytes())?;
    if manifest.files.len() > SYNCED_ALONE_MAX {
        let folder = File::open(fresh).map_err(failed("open", fresh))?;
        return syncfs(&folder).map_err(|errno| failed("write", fresh)(errno.into()));
    }
    let folders: BTreeSet<PathBuf> = tree.files().filter_map(|(path, _)| fresh.join(path).parent().map(Path::to_owned)).collect();
    folders.iter().try_for_each(|folder| File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write", folder)))
}

fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(failed("write", path))
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(failed("write", path))?;
    file.write_all(bytes).map_err(failed("write", path))?;
    file.sync_data().map_err(failed("write", path))
}

/// One system call: there is no moment without a whole tree. Where the file system cannot exchange
/// names, the old tree steps aside first.
pub(super) fn exchange(fresh: &Path, folder: &Path) -> Result<()> {
    if !folder.exists() {
        fs::rename(fresh, folder).map_err(failed("rename", fresh))?;
    } else if renameat_with(CWD, fresh, CWD, folder, RenameFlags::EXCHANGE).is_err() {
        let mut old = fresh.as_os_str().to_owned();
        old.push("-old");
        let old = PathBuf::from(old);
        fs::rename(folder, &old).map_err(failed("rename", folder))?;
        if let Err(error) = fs::rename(fresh, folder) {
            fs::rename(&old, folder).map_err(failed("rename", &old))?;
            return Err(failed("rename", fresh)(error));
        }
        fs::remove_dir_all(&old).map_err(failed("remove", &old))?;
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("write", parent))
}

/// Replaces one file: the new text beside it, then its name.
pub fn replace_file(path: &Path, text: &str) -> Result<()> {
    replace(path, text, |_| Ok(()))
}

/// The same in a state folder: the file belongs to whoever has the folder. A deploy by root writes what
/// the server, under its own user, reads and replaces.
pub(crate) fn replace_state(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let owner = fs::metadata(folder).map_err(failed("open", folder))?;
    replace(path, text, |file| {
        file.set_permissions(Permissions::from_mode(0o644))?;
        // Others than root may not give files away, and need not.
        let _only_root_may = fchown(file, Some(owner.uid()), Some(owner.gid()));
        Ok(())
    })
}

/// A folder in a state folder, which belongs to whoever has the one around it. A link is none.
pub(crate) fn make_in_state(folder: &Path) -> Result<()> {
    let owner = fs::metadata(folder.parent().unwrap_or(Path::new("."))).map_err(failed("open", folder))?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("make", folder)(error)),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = File::from(rustix::fs::open(folder, flags, Mode::empty()).map_err(|errno| failed("open", folder)(errno.into()))?);
    if made.metadata().map_err(failed("open", folder))?.uid() == 0 {
        // Others than root may not give folders away, and need not.
        let _only_root_may = fchown(&made, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

fn replace(path: &Path, text: &str, dress: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    // What a killed run left under this number. A link goes, and not what it leads to.
    let _seldom_there = fs::remove_file(&fresh);
    let mut file = File::create_new(&fresh).map_err(failed("write", &fresh))?;
    dress(&file)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_data())
        .map_err(failed("write", &fresh))?;
    fs::rename(&fresh, path).map_err(failed("rename", &fresh))
}

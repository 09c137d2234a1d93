//! The boot server's side of roots over NFS: unions that are mounted, files that overlays have, and what
//! machines changed.
//!
//! ```text
//!  nfs/roots.jsonl ─► plan(what is mounted) ─► steps ─► execute: folders, mounts, files
//!  upper + lower   ─► changes: added, changed, deleted
//! ```
//! [`plan`] looks and decides, [`execute`] does and decides nothing; [`changes`] tells an upper folder from
//! its lower one.
//!
//! **Invariant:** whatever a machine put into its root, nothing outside of it is read or written: paths are
//! opened beneath the root, as the machine would see them. The compiler's rooms are never named.

pub(crate) mod beneath;
pub mod changes;
pub mod content;
mod execute;
mod mounts;
mod plan;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::out::table::{OverlayRow, RootRow, TableError, Tables};
use crate::store;

pub use execute::{execute, unmount_below};
pub use plan::{Mark, Plan, State, Step, Written, plan, reset};

/// What keeps a root from being kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{path} {what}: put the files of base `{base}` there (a Debian system: debootstrap --variant=minbase bookworm {path})"
    )]
    NoBase { base: String, path: String, what: &'static str },
    #[error(
        "{host}: {target} is in use and cannot be unmounted: turn the machine off, take the export away (`exportfs -u {address}:{target}`, or stop nfs-ganesha), and try again"
    )]
    Busy { host: String, target: String, address: String },
    #[error(
        "{host}: its changes in {upper} were made over another base than {lower}: let the overlay stand on that base again, or discard them with `pxelator storage reset {host}`"
    )]
    OtherBase { host: String, upper: String, lower: String },
    #[error("{host}: this kernel knows no {union}; say union=overlayfs, or install a kernel that does")]
    NoUnion { host: String, union: String },
    #[error("this needs root: run `sudo pxelator {0} …`")]
    Root(&'static str),
    #[error(
        "{host}: the machine has something else at {path} ({source}): move it away there, or `pxelator storage reset {host}`"
    )]
    InTheWay { host: String, path: String, source: Box<Error> },
    #[error("no host `{host}` with a root{hint}")]
    Host { host: String, hint: String },
    #[error("{host} mounts base `{base}` itself, so nothing of it is kept apart; only overlays have changes of their own")]
    NoOverlay { host: String, base: String },
    #[error("{host} has no changes yet: {upper} is missing; `pxelator storage apply` makes it")]
    NoUpper { host: String, upper: String },
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Table(#[from] TableError),
}

pub type Result<T> = std::result::Result<T, Error>;

fn failed(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { step, path, source }
}

/// The same for system calls that give a bare number.
fn refused(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(rustix::io::Errno) -> Error {
    let path = path.into();
    move |errno| Error::Io { step, path, source: errno.into() }
}

/// One program at a time changes the roots; the lock ends with it, however it ends. Nothing is locked where
/// no folder is yet.
pub fn lock(tables: &Tables) -> Result<Option<File>> {
    let Some(folder) = tables.roots.first().map(plan::nfs_folder).filter(|folder| beneath::is_folder(folder)) else {
        return Ok(None);
    };
    let file = File::open(folder).map_err(failed("open", folder))?;
    flock(&file, FlockOperation::LockExclusive).map_err(refused("lock", folder))?;
    Ok(Some(file))
}

/// What machines could reach besides their roots: whoever forges an NFS file handle reads and writes any file
/// of the file system that is exported from (exports(5), `no_subtree_check`).
pub fn shared_disk(tables: &Tables) -> Option<String> {
    let device = |path: &str| std::fs::metadata(path).ok().map(|meta| meta.dev());
    let overlays = tables.roots.iter().filter_map(|row| row.overlay.as_ref()).map(|overlay| overlay.upper.as_str());
    let folders = tables.roots.iter().map(|row| row.lower.as_str()).chain(overlays);
    let shared = folders.into_iter().find(|folder| device(folder).is_some_and(|own| Some(own) == device("/")))?;
    Some(format!(
        "{shared} lies on the file system of /: a machine that forges NFS file handles can reach every file there; keep bases and upper folders on file systems of their own"
    ))
}

/// The root of a host.
pub fn root_of<'t>(tables: &'t Tables, host: &str) -> Result<&'t RootRow> {
    let found = tables.roots.iter().find(|row| row.host.eq_ignore_ascii_case(host));
    found.ok_or_else(|| {
        let known = tables.roots.iter().map(|row| row.host.as_str());
        let hint = match crate::diag::nearest(host, known) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if tables.hosts.values().any(|row| row.host.eq_ignore_ascii_case(host)) => ": its profile has no `root`".into(),
            None => " in this generation".into(),
        };
        Error::Host { host: host.to_owned(), hint }
    })
}

/// The same, where it has changes of its own.
pub fn overlay_of<'t>(tables: &'t Tables, host: &str) -> Result<(&'t RootRow, &'t OverlayRow)> {
    let row = root_of(tables, host)?;
    let overlay = row.overlay.as_ref().ok_or_else(|| Error::NoOverlay { host: row.host.clone(), base: row.base.clone() })?;
    Ok((row, overlay))
}

/// Where a host's changes lie, and what the server remembers of the files that it put there.
fn upper_folder(overlay: &OverlayRow) -> String {
    format!("{}/upper", overlay.upper)
}

fn state_file(overlay: &OverlayRow) -> String {
    format!("{}/state.json", overlay.upper)
}

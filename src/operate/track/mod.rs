//! Folders of machines that already run, kept in git.
//!
//! ```text
//!  track/hosts.jsonl ─► pull: rsync over ssh ─► machines/HOST ─► scan ─► one commit
//!                                 repository.git ─► story: log and differences
//!                                 repository.git ─► restore: a tree of its own ─► rsync back
//! ```
//! [`mirror`] knows how rsync keeps what a file is, [`meta`] how git does, [`git`] speaks to `git`. All lies in
//! `track/` of the state folder.
//!
//! **Invariant:** a commit is made of a whole pull or not at all: rsync ended well, every object is on the
//! disk, and then one name moves. One program at a time works here; its rsync holds the lock too, so that one
//! which outlives us is waited for. What a machine sends reaches no terminal but through `terminal::escaped`.

mod git;
pub mod meta;
mod mirror;
mod pull;
mod restore;
mod story;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::out::table::{TableError, TrackRow};
use crate::remote::Problem;
use crate::store;

pub use git::{Blob, Repository};
pub use mirror::PATHS_MAX;
pub use pull::{Counts, Last, Pulled, SIDE_BY_SIDE_MAX, pull_all};
pub use restore::{Done, Order, restore};
pub use story::{Line, differences, log, untold};

/// How large a file may be that is kept; larger ones are named.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// How long a pull or a restore of one host may take.
const HOST_SECS_MAX: u64 = 3600;
/// How long rsync waits for the next byte, in seconds.
const SILENCE_SECS_MAX: u32 = 60;
/// How long another one that ends just now is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How much rsync may print: a line for each path that is too large, or that is put back.
const PRINTED_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("another `pxelator track` is at work in {folder}: wait for its end, and try again")]
    Busy { folder: PathBuf },
    #[error("{folder} belongs to another user (number {owner}), or is no folder: pull as that user, or give another --state")]
    Foreign { folder: PathBuf, owner: u32 },
    #[error("nothing was pulled into {folder} yet: run `pxelator track pull`, or give its --state")]
    Nothing { folder: PathBuf },
    #[error("nothing of {host} was pulled yet: run `pxelator track pull {host}`")]
    NothingOf { host: String },
    #[error("no host `{host}` with tracked folders{hint}")]
    Host { host: String, hint: String },
    #[error("there is no program `{program}` on this machine: install it")]
    NoProgram { program: &'static str, source: io::Error },
    #[error("git: {what}")]
    Git { what: String },
    #[error("there is no rsync on {host}: install it there (apt-get install rsync)")]
    NoRsync { host: String },
    #[error("{host} has no folder {folder}{what}: correct its `track` line in the site, or make the folder there")]
    NoFolder { host: String, folder: String, what: &'static str },
    #[error(transparent)]
    Remote(#[from] Problem),
    #[error("rsync and {host}: {said}; nothing was kept of this pull")]
    Rsync { host: String, said: String },
    #[error("files of {host} went away while they were read, twice: name what is so short-lived in except= of its `track` line")]
    Vanished { host: String },
    #[error(
        "{host} was not done within {HOST_SECS_MAX} s, so nothing was kept of this pull; the next one goes on where it ended"
    )]
    Slow { host: String },
    #[error("{host} has more than {PATHS_MAX} files and folders to keep: name what is not needed in except= of its `track` line")]
    TooMany { host: String },
    #[error("the file system of {path} keeps no attributes of files (user.*): give a --state on ext4, xfs or btrfs")]
    NoAttributes { path: PathBuf },
    #[error("{path} of {host} is not tracked{hint}")]
    NotTracked { host: String, path: String, hint: String },
    #[error("{host} had no {path} at {commit}: `pxelator track log {host} {path}` lists the commits that changed it")]
    NotThere { host: String, path: String, commit: String },
    #[error("no commit of {host} has {path}{hint}")]
    NeverThere { host: String, path: String, hint: String },
    #[error("`{text}` is no commit: `pxelator track log` lists them; a time is one too, such as 2h, 2026-11-25")]
    NoCommit { text: String },
    #[error(
        "not everything could be put back on {host} ({said}): mend that and run it again with `--to {commit}`; its state before is commit {before}"
    )]
    HalfBack { host: String, said: String, commit: String, before: String },
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Table(#[from] TableError),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

fn failed(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { step, path, source }
}

/// `track/` of a state folder.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

/// The same, while nobody else works there.
pub struct Held {
    pub place: Place,
    lock: File,
}

impl Place {
    pub fn new(state: &Path) -> Place {
        Place { folder: state.join("track") }
    }

    /// What was pulled so far.
    pub fn repository(&self) -> Result<Repository> {
        Repository::open(self.folder.join("repository.git")).ok_or_else(|| Error::Nothing { folder: self.folder.clone() })
    }

    /// Makes what is missing, and keeps others away until it is dropped.
    pub fn hold(&self) -> Result<Held> {
        if let Some(state) = self.folder.parent() {
            fs::create_dir_all(state).map_err(failed("make", state))?;
        }
        self.is_ours()?;
        for folder in [&self.folder, &self.folder.join("machines"), &self.folder.join("hosts")] {
            // Passwords may stand in files of machines: these folders are for nobody else.
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
        }
        let path = self.folder.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = opened.map_err(failed("open", &path))?;
        let until = Instant::now() + LOCK_PATIENCE;
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if Instant::now() >= until {
                return Err(Error::Busy { folder: self.folder.clone() });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let held = Held { place: self.clone(), lock };
        held.clear("scratch")?;
        Repository::make(self.folder.join("repository.git"))?;
        Ok(held)
    }

    /// A link, or the folder of another user, is not written to: who pulled first keeps it.
    fn is_ours(&self) -> Result<()> {
        let Ok(found) = fs::symlink_metadata(&self.folder) else { return Ok(()) };
        match found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() {
            true => Ok(()),
            false => Err(Error::Foreign { folder: self.folder.clone(), owner: found.uid() }),
        }
    }

    fn mirror(&self, host: &str) -> PathBuf {
        self.folder.join("machines").join(host)
    }

    fn last_file(&self, host: &str) -> PathBuf {
        self.folder.join("hosts").join(format!("{host}.json"))
    }
}

impl Held {
    /// A folder of ours, empty.
    fn clear(&self, name: &str) -> Result<PathBuf> {
        let folder = self.place.folder.join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("empty", &folder)(error)),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed("make", &folder))?;
        Ok(folder)
    }
}

/// The hosts that are named, or all.
pub fn chosen<'t>(rows: impl Iterator<Item = &'t TrackRow> + Clone, named: &[String]) -> Result<Vec<&'t TrackRow>> {
    if named.is_empty() {
        return Ok(rows.collect());
    }
    let mut all: Vec<&TrackRow> = Vec::new();
    for name in named {
        let row = row_of(rows.clone(), name)?;
        // Who is named twice is pulled once: two at work in one mirror would mix.
        if !all.iter().any(|other| other.host == row.host) {
            all.push(row);
        }
    }
    Ok(all)
}

/// The row of a host.
pub fn row_of<'t>(mut rows: impl Iterator<Item = &'t TrackRow> + Clone, name: &str) -> Result<&'t TrackRow> {
    let all = rows.clone();
    rows.find(|row| row.host.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let hint = match crate::diag::nearest(name, all.map(|row| row.host.as_str())) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => ": write a `track` line that names it, and build".to_owned(),
        };
        Error::Host { host: name.to_owned(), hint }
    })
}

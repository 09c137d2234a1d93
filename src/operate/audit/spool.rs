//! The spool on disk: records appended to the newest segment, each batch in one write.
//!
//! **Invariant:** nothing is ever written before the end of a file, and nothing to a segment that has a
//! later one: whoever read up to a place has read all before it. Several programs may append at once.
//!
//! A clock that was ahead for a while leaves a segment of a later hour. Records go on behind it, in
//! segments with that hour and a further number, one for each real hour, so that these grow old too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use nix::fcntl::{OFlag, openat};
use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use nix::sys::stat::Mode;
use tracing::warn;

use super::segment::{HOUR_SECS, Segment, list};

/// Below the state folder.
pub const FOLDER: &str = "audit";
/// A segment that has so many bytes is followed by another, within its hour.
pub(super) const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// Read by the service's user and group.
const FILE_MODE: u32 = 0o640;
pub(super) const FOLDER_MODE: u32 = 0o750;

/// Whoever appends.
pub(super) struct Spool {
    folder: PathBuf,
    current: Option<Current>,
    /// Files with something that the disk may not have yet, each once.
    unsynced: Vec<Arc<File>>,
    /// The last line may have no end: the disk was full within it.
    torn: bool,
    /// Was it said that the newest segment is of a later hour?
    told: bool,
}

struct Current {
    file: Arc<File>,
    segment: Segment,
    bytes: u64,
    /// The clock's, when it was opened.
    hour: i64,
    /// When the folder was changed last: other programs begin segments too.
    seen: SystemTime,
}

/// A write that came to an end before its time.
#[derive(Debug)]
pub(super) struct Failed {
    /// Lines that are whole all the same.
    pub(super) kept: usize,
    pub(super) error: io::Error,
}

impl Spool {
    pub(super) fn new(state: &Path) -> Spool {
        Spool { folder: state.join(FOLDER), current: None, unsynced: Vec::new(), torn: false, told: false }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Files that were written to, for whoever brings them to the disk: those that it does not get come back.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    pub(super) fn put_back(&mut self, files: Vec<Arc<File>>) {
        for file in files {
            self.mark(file);
        }
    }

    fn mark(&mut self, file: Arc<File>) {
        if !self.unsynced.iter().any(|other| Arc::ptr_eq(other, &file)) {
            self.unsynced.push(file);
        }
    }

    /// Appends whole lines; `at` is the time, in microseconds.
    pub(super) fn append(&mut self, at: i64, lines: &[u8]) -> Result<(), Failed> {
        let failed = |error| Failed { kept: 0, error };
        let hour = at.div_euclid(1_000_000 * HOUR_SECS);
        if !self.is_newest(hour) {
            self.open(hour).map_err(failed)?;
        }
        if let Some(file) = self.current.as_ref().map(|current| current.file.clone()) {
            self.mark(file);
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        // After a torn line its end comes first, in the same write.
        let ended = if self.torn { [b"\n", lines].concat() } else { Vec::new() };
        let bytes = if self.torn { &ended } else { lines };
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match (&*current.file).write(rest) {
                Ok(count) if count > 0 => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    let written = bytes.get(..done).unwrap_or_default();
                    let whole = written.iter().filter(|byte| **byte == b'\n').count();
                    let kept = whole.saturating_sub(usize::from(self.torn && done > 0));
                    self.torn = if done > 0 { written.last() != Some(&b'\n') } else { self.torn };
                    // What is wrong with this file may not be with the next.
                    self.current = None;
                    return Err(Failed { kept, error: other.err().unwrap_or(io::ErrorKind::WriteZero.into()) });
                }
            }
        }
        current.bytes += done as u64;
        self.torn = false;
        Ok(())
    }

    /// Is the open segment still the one to append to?
    fn is_newest(&self, hour: i64) -> bool {
        let changed = || fs::metadata(&self.folder).and_then(|folder| folder.modified()).ok();
        self.current.as_ref().is_some_and(|current| {
            let is_now = hour == current.segment.hour || hour == current.hour;
            is_now && current.bytes < SEGMENT_BYTES_MAX && changed() == Some(current.seen)
        })
    }

    fn open(&mut self, hour: i64) -> io::Result<()> {
        self.current = None;
        let made = match fs::DirBuilder::new().mode(FOLDER_MODE).create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            other => other.map(|()| true)?,
        };
        let folder = open_folder(&self.folder)?;
        if let Some(state) = self.folder.parent().filter(|_| made) {
            own(&folder, &fs::metadata(state)?)?;
        }
        let newest = list(&self.folder)?.last().copied();
        // A clock that was set back finds a newer segment, and stays with it.
        let segment = newest.filter(|newest| newest.hour >= hour).unwrap_or(Segment { hour, number: 0 });
        let mut opened = self.open_segment(&folder, segment, hour)?;
        let is_of_before = segment.hour > hour && written(&opened.file.metadata()?).is_some_and(|written| written < hour);
        if opened.bytes >= SEGMENT_BYTES_MAX || is_of_before {
            opened = self.open_segment(&folder, Segment { number: segment.number + 1, ..segment }, hour)?;
        }
        if segment.hour > hour + 1 && !std::mem::replace(&mut self.told, true) {
            warn!("the newest file of the audit spool, {segment}, is of a later hour than the clock says: records go on behind it");
        }
        self.torn |= opened.bytes > 0 && !ends_with_newline(&opened.file, opened.bytes)?;
        self.current = Some(opened);
        Ok(())
    }

    fn open_segment(&self, folder: &File, segment: Segment, hour: i64) -> io::Result<Current> {
        let name = segment.file();
        let (file, is_new) = match open_at(folder, &name, OFlag::O_CREAT | OFlag::O_EXCL) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (open_at(folder, &name, OFlag::empty())?, false),
            other => (other?, true),
        };
        if is_new {
            own(&file, &folder.metadata()?)?;
        }
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other(format!("{name} is no file")));
        }
        Ok(Current { file: Arc::new(file), segment, bytes: found.len(), hour, seen: fs::metadata(&self.folder)?.modified()? })
    }
}

// The folder belongs to the service's user, and root works in it too: no link in it leads root elsewhere,
// and root gives away nothing that it did not make.

fn open_folder(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW).open(path)
}

fn open_at(folder: &File, name: &str, more: OFlag) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | more;
    Ok(File::from(openat(folder, name, flags, Mode::from_bits_truncate(FILE_MODE))?))
}

/// What root makes belongs to whom the folder around it does: the service appends to it too.
fn own(made: &File, around: &fs::Metadata) -> io::Result<()> {
    let mine = made.metadata()?;
    if (mine.uid(), mine.gid()) == (around.uid(), around.gid()) || !nix::unistd::Uid::effective().is_root() || mine.uid() != 0 {
        return Ok(());
    }
    fchown(made, Some(around.uid()), Some(around.gid()))
}

/// What the kernel has, the disk gets; also the names of segments that are new. Gives back what it did not get.
pub(super) fn sync(folder: &Path, files: Vec<Arc<File>>) -> Result<(), (Vec<Arc<File>>, io::Error)> {
    let mut failed = (Vec::new(), None);
    for file in &files {
        if let Err(error) = file.sync_data() {
            failed.0.push(file.clone());
            failed.1 = Some(error);
        }
    }
    match failed {
        (left, Some(error)) => Err((left, error)),
        (_, None) if files.is_empty() => Ok(()),
        // Without its name a file is lost: all of them are tried again.
        (_, None) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| (files, error)),
    }
}

/// The hour in which a file was written to last.
pub(super) fn written(file: &fs::Metadata) -> Option<i64> {
    let since = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(|secs| secs.div_euclid(HOUR_SECS))
}

fn ends_with_newline(file: &File, bytes: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, bytes - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str) -> PathBuf {
        let state = std::env::temp_dir().join(format!("pxelator-spool-{name}-{}", std::process::id()));
        let _from_before = fs::remove_dir_all(&state);
        fs::create_dir_all(&state).unwrap();
        state
    }

    /// Microseconds since 1970.
    fn hours(count: i64) -> i64 {
        count * HOUR_SECS * 1_000_000
    }

    #[test]
    fn the_disk_gets_every_segment_that_was_written() {
        let state = state("sync");
        let mut spool = Spool::new(&state);
        for hour in [10, 10, 11, 12] {
            spool.append(hours(hour), b"{}\n").unwrap();
        }
        let files = spool.take_unsynced();
        assert_eq!(files.len(), 3, "also those that have a successor");
        assert!(spool.take_unsynced().is_empty());
        spool.put_back(files);
        spool.append(hours(12), b"{}\n").unwrap();
        assert_eq!(spool.unsynced.len(), 3, "each once");
        sync(spool.folder(), spool.unsynced.clone()).unwrap();
        let (left, _) = sync(&state.join("none"), spool.take_unsynced()).unwrap_err();
        assert_eq!(left.len(), 3, "their names may not be there");
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn after_a_clock_that_was_ahead_records_go_on_behind_it_by_the_hour() {
        let state = state("ahead");
        let now = jiff::Timestamp::now().as_second().div_euclid(HOUR_SECS);
        let mut spool = Spool::new(&state);
        spool.append(hours(now + 9000), b"ahead\n").unwrap();
        spool.append(hours(now), b"now\n").unwrap();
        let written = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs((now * HOUR_SECS) as u64);
        File::open(spool.folder().join(Segment { hour: now + 9000, number: 0 }.file())).unwrap().set_modified(written).unwrap();
        spool.append(hours(now + 1), b"an hour later\n").unwrap();
        spool.append(hours(now + 1), b"and more\n").unwrap();
        let all = list(spool.folder()).unwrap();
        let texts: Vec<String> = all.iter().map(|one| fs::read_to_string(spool.folder().join(one.file())).unwrap()).collect();
        assert_eq!(texts, ["ahead\nnow\n", "an hour later\nand more\n"], "in the order in which they came");
        assert!(all.iter().all(|one| one.hour == now + 9000));
        fs::remove_dir_all(&state).unwrap();
        // A step back by minutes makes no new one.
        let mut spool = Spool::new(&state);
        fs::create_dir(&state).unwrap();
        [now + 1, now, now + 1].iter().for_each(|hour| spool.append(hours(*hour), b"{}\n").unwrap());
        assert_eq!(list(spool.folder()).unwrap().len(), 1);
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn no_link_leads_elsewhere_and_nothing_is_given_away_that_was_there() {
        let state = state("links");
        let elsewhere = state.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, state.join(FOLDER)).unwrap();
        let failed = |hour| Spool::new(&state).append(hours(hour), b"{}\n").unwrap_err().error;
        assert!(failed(10).raw_os_error().is_some());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::remove_file(state.join(FOLDER)).unwrap();
        fs::create_dir(state.join(FOLDER)).unwrap();
        let name = |hour| Segment { hour, number: 0 }.file();
        fs::write(elsewhere.join("secret"), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.join("secret"), state.join(FOLDER).join(name(11))).unwrap();
        assert!(failed(11).raw_os_error().is_some());
        assert_eq!(fs::metadata(elsewhere.join("secret")).unwrap().len(), 0);
        fs::create_dir(state.join(FOLDER).join(name(12))).unwrap();
        assert_eq!(failed(12).kind(), io::ErrorKind::IsADirectory);
        if nix::unistd::Uid::effective().is_root() {
            std::os::unix::fs::chown(state.join(FOLDER), Some(1234), Some(1234)).unwrap();
            fs::write(state.join(FOLDER).join(name(13)), "").unwrap();
            let owner = |hour| fs::metadata(state.join(FOLDER).join(name(hour))).unwrap().uid();
            [13, 14].iter().for_each(|hour| Spool::new(&state).append(hours(*hour), b"{}\n").unwrap());
            assert_eq!((owner(13), owner(14)), (0, 1234), "what was there stays whose it is");
        }
        fs::remove_dir_all(&state).unwrap();
    }
}

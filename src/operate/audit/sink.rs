//! A sink's thread: from its cursor on, whole seconds become documents and go there; then the cursor moves.
//!
//! ```text
//! cursor ─► records of closed seconds ─► documents ─► delivered, or refused for ever ─► cursor
//!                                                └─ Trouble: told, and all of it again later
//! ```
//! **Invariant:** the cursor is written after the sink has answered for every document. After a crash some
//! are sent again, and the sink has them already.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::couch::{Couch, Refused, Trouble};
use super::document::{documents, second};
use super::line::{self, Entry};
use super::segment::{Listing, Place, Segment, each_line};
use super::FOLDER;
use super::spool::FOLDER_MODE;
use crate::event::Event;
use crate::out::table::SinkRow;
use crate::serve::Handle;
use crate::serve::clock::Clock;
use crate::serve::journal::Journal;

/// Where cursors lie, below the spool: it shows by its time whether it has other segments.
const CURSORS: &str = "sinks";
/// How long after its end a second is closed: a batch may be stamped, and written a little later.
const GRACE_SECS: i64 = 1;
/// What has been in the spool for so long belongs to a closed second, whatever a clock that was set back says.
const STALE: Duration = Duration::from_secs(5);
/// How much of the spool goes at once, in bytes; a second is never divided, below the other limit.
const BATCH_BYTES_MAX: usize = 4 << 20;
const SECOND_BYTES_MAX: usize = 64 << 20;
/// How often it is looked for something new.
const LOOK: Duration = Duration::from_millis(500);
/// How long it waits after trouble: at first, doubled each time, at last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// How often the same trouble is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Sink {
    couch: Couch,
    url: String,
    folder: PathBuf,
    clock: Clock,
    journal: Arc<Journal>,
    cursor: Place,
    listing: Listing,
    /// Where the spool ended, and when that was seen.
    ends: VecDeque<(Instant, Place)>,
    trouble: Option<Told>,
}

/// What is wrong, since when, and when it was said last.
struct Told {
    what: String,
    since: Instant,
    said: Instant,
}

/// What is to be sent, and the place behind it.
#[derive(Default)]
struct Batch {
    records: Vec<(Place, Entry)>,
    damaged: usize,
    end: Place,
}

/// The cursor as it lies beside the spool.
#[derive(Serialize, Deserialize)]
struct Cursor {
    url: String,
    segment: String,
    offset: u64,
}

/// How far a sink is, in the spool that is there.
pub(super) fn cursor(folder: &Path, segments: &[Segment], url: &str) -> Place {
    let cursor = written(folder, url);
    if is_of(folder, segments, cursor) { cursor } else { Place::default() }
}

/// The cursor as it was written.
fn written(folder: &Path, url: &str) -> Place {
    let read = || {
        let cursor: Cursor = serde_json::from_slice(&fs::read(cursor_file(folder, url)).ok()?).ok()?;
        Some(Place { segment: Segment::parse(&format!("{}.jsonl", cursor.segment))?, offset: cursor.offset })
    };
    read().unwrap_or_default()
}

/// Was the cursor written for this spool? A state folder that came back from a backup has less than the
/// sink had, and what is new there must not lie before the cursor.
fn is_of(folder: &Path, segments: &[Segment], cursor: Place) -> bool {
    if cursor == Place::default() {
        return true;
    }
    if segments.last().is_none_or(|newest| *newest < cursor.segment) {
        return false;
    }
    // A segment that was let go of, or nothing of one.
    if cursor.offset == 0 || segments.binary_search(&cursor.segment).is_err() {
        return true;
    }
    let mut before = [0];
    let read = fs::File::open(folder.join(cursor.segment.file())).and_then(|file| file.read_exact_at(&mut before, cursor.offset - 1));
    match read {
        Ok(()) => before == *b"\n",
        Err(error) => error.kind() != io::ErrorKind::UnexpectedEof,
    }
}

fn cursor_file(folder: &Path, url: &str) -> PathBuf {
    folder.join(CURSORS).join(format!("couchdb-{}.cursor", &blake3::hash(url.as_bytes()).to_hex().as_str().chars().take(16).collect::<String>()))
}

/// What ends here now; where it ended when that was long enough ago.
fn stale(ends: &mut VecDeque<(Instant, Place)>, end: Place) -> Place {
    ends.push_back((Instant::now(), end));
    while ends.get(1).is_some_and(|(seen, _)| seen.elapsed() >= STALE) {
        ends.pop_front();
    }
    ends.front().filter(|(seen, _)| seen.elapsed() >= STALE).map(|(_, end)| *end).unwrap_or_default()
}

impl Sink {
    pub(super) fn new(row: SinkRow, handle: &Handle) -> Sink {
        let folder = handle.state.join(FOLDER);
        Sink {
            cursor: written(&folder, &row.url),
            listing: Listing::default(),
            url: row.url.clone(),
            couch: Couch::new(row),
            folder,
            clock: handle.clock,
            journal: handle.journal.clone(),
            ends: VecDeque::new(),
            trouble: None,
        }
    }

    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut wait = FIRST_WAIT;
        while !stop.load(Ordering::Relaxed) {
            let pause = match self.round() {
                Ok(true) => Duration::ZERO,
                Ok(false) => LOOK,
                Err(Trouble(what)) => {
                    self.tell(what);
                    wait = (wait * 2).min(LAST_WAIT);
                    wait
                }
            };
            if self.trouble.is_none() {
                wait = FIRST_WAIT;
            }
            let until = Instant::now() + pause;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Sends what can be sent; whether there may be more at once.
    fn round(&mut self) -> Result<bool, Trouble> {
        let folder = self.folder.display().to_string();
        let failed = |error: io::Error| Trouble(format!("cannot read the audit spool {folder}: {error}"));
        let batch = match self.collect() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false), // nothing happened yet
            other => other.map_err(failed)?,
        };
        if batch.end == self.cursor {
            return Ok(false);
        }
        if batch.damaged > 0 {
            warn!("audit: {} damaged lines before {} in the spool were passed over", batch.damaged, batch.end);
        }
        let refused = self.couch.deliver(&documents(batch.records))?;
        refused.into_iter().for_each(|refused| self.refused(refused));
        self.move_on(batch.end).map_err(|error| Trouble(format!("cannot write how far {} is: {error}; it would get the same again", self.url)))?;
        if let Some(told) = self.trouble.take() {
            info!("audit: {} is back after {} s, and gets what it missed", self.url, told.since.elapsed().as_secs());
        }
        Ok(true)
    }

    /// The records behind the cursor, of one segment and of whole seconds.
    fn collect(&mut self) -> io::Result<Batch> {
        let segments = self.listing.look(&self.folder)?;
        if !is_of(&self.folder, segments, self.cursor) {
            warn!(
                "audit: the spool is not the one that the cursor {} was written for; {} gets all of it again (it keeps each record once)",
                self.cursor, self.url
            );
            self.cursor = Place::default();
            self.ends.clear();
        }
        let Some(newest) = segments.last().copied() else { return Ok(Batch { end: self.cursor, ..Batch::default() }) };
        let end = Place { segment: newest, offset: fs::metadata(self.folder.join(newest.file()))?.len() };
        let stale = stale(&mut self.ends, end);
        // A segment that was deleted is passed over.
        let Some(here) = segments.iter().copied().find(|one| *one >= self.cursor.segment) else {
            return Ok(Batch { end: self.cursor, ..Batch::default() });
        };
        let offset = if here == self.cursor.segment { self.cursor.offset } else { 0 };
        let mut batch = Batch { end: Place { segment: here, offset }, ..Batch::default() };
        let closed = self.clock.now().as_second() - 1 - GRACE_SECS;
        let (mut bytes, mut last) = (0, None);
        each_line(&self.folder.join(here.file()), offset, |piece| {
            let place = |offset| Place { segment: here, offset };
            match line::read(piece.line) {
                Some(entry) => {
                    let now = second(&entry);
                    let is_closed = now <= closed || place(piece.next) <= stale;
                    let full = bytes >= BATCH_BYTES_MAX && last.is_some_and(|last| last != now) || bytes >= SECOND_BYTES_MAX;
                    if !is_closed || full {
                        return ControlFlow::Break(());
                    }
                    last = Some(now);
                    bytes += piece.line.len();
                    batch.records.push((place(piece.offset), entry));
                }
                None => batch.damaged += usize::from(!piece.line.is_empty()),
            }
            batch.end = place(piece.next);
            ControlFlow::Continue(())
        })?;
        // Nobody appends to a segment that has had a successor for a while.
        let next = segments.iter().copied().find(|one| *one > here).filter(|next| *next <= stale.segment);
        if let Some(next) = next.filter(|_| batch.records.is_empty() && batch.damaged == 0) {
            batch.end = Place { segment: next, offset: 0 };
        }
        Ok(batch)
    }

    fn refused(&self, refused: Refused) {
        let Refused { document, why, is_own } = refused;
        error!("audit: {} refuses document {document} ({why}); its records stay in the spool, and the others go on", self.url);
        // News of a refusal that is refused itself makes no news.
        if !is_own {
            self.journal.record(&[Event::DocumentRefused { sink: self.url.clone(), document, why }]);
        }
    }

    fn move_on(&mut self, to: Place) -> io::Result<()> {
        let cursor = Cursor { url: self.url.clone(), segment: to.segment.to_string(), offset: to.offset };
        let path = cursor_file(&self.folder, &self.url);
        if let Err(error) = fs::DirBuilder::new().mode(FOLDER_MODE).create(self.folder.join(CURSORS))
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(crate::out::table::json(&cursor).as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &path)?;
        self.cursor = to;
        Ok(())
    }

    fn tell(&mut self, what: String) {
        let since = self.trouble.as_ref().map_or_else(Instant::now, |told| told.since);
        let known = self.trouble.as_ref().is_some_and(|told| told.what == what && told.said.elapsed() < TELL_EVERY);
        if known {
            return;
        }
        warn!("audit: {what}; nothing is lost, the spool keeps it for the sink");
        self.trouble = Some(Told { what, since, said: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_spool_is_known() {
        let folder = std::env::temp_dir().join(format!("pxelator-cursor-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [first, second, third] = [1, 2, 3].map(|hour| Segment { hour, number: 0 });
        let all = [first, third];
        all.iter().for_each(|segment| fs::write(folder.join(segment.file()), "one\ntwo\n").unwrap());
        let is_of = |segment, offset| is_of(&folder, &all, Place { segment, offset });
        assert!(is_of(first, 4) && is_of(third, 8) && is_of(third, 0), "it ends where a line does");
        assert!(is_of(second, 700), "its segment was let go of");
        assert!(is_of(Segment::default(), 0), "nothing was sent yet");
        assert!(!is_of(third, 12), "beyond the end");
        assert!(!is_of(first, 5), "in a line");
        assert!(!is_of(Segment { hour: 3, number: 1 }, 0), "later than the newest");
        assert!(!super::is_of(&folder, &[], Place { segment: first, offset: 0 }), "there is nothing");
        fs::remove_dir_all(&folder).unwrap();
    }
}

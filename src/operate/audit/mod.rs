//! What happened, kept: every event and every line of syslog goes to a spool on disk, and from there to sinks.
//!
//! ```text
//!  journal ─► spool (STATE/audit/2026-11-25T07-0000.jsonl) ─► documents, one a source and second ─► CouchDB
//!                └─► query, boots: also while nobody serves          cursor: what the sink has
//! ```
//! [`line`] is a record in the spool, [`segment`] a file of it, [`spool`] appends. [`document`] groups what a
//! [`sink`] sends by [`couch`]; [`keep`] lets old segments go. [`query`] and [`boots`] read.
//!
//! **Invariant:** what was recorded survives a kill of this program, for it is in the kernel's hands before
//! the reply goes out; a power cut loses at most the last second, for the disk has it then. Nothing is
//! lost without a word: what could not be written, what the kernel dropped, and what a sink refused is
//! recorded itself.

pub mod boots;
mod couch;
pub mod document;
mod house;
mod keep;
pub mod line;
mod owner;
pub mod query;
pub mod segment;
mod sink;
mod spool;
mod trust;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info};

pub use spool::FOLDER;

use self::owner::Owners;
use self::spool::{Failed, Spool};
use super::{Error, Result, Working};
use crate::event::{Event, Record};
use crate::serve::Handle;
use crate::serve::clock::Clock;
use crate::serve::journal::Listener;

/// How often it is said that the spool cannot be written.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A moment as everybody here writes it: `2026-11-25T07:30:00.123456Z`.
fn moment(at: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
    format!("{time:.6}")
}

/// Writes records that happened outside of `serve`; when this returns, they are on the disk.
pub fn append(state: &Path, records: &[Record]) -> Result<()> {
    let mut spool = Spool::new(state);
    let mut lines = Vec::new();
    records.iter().for_each(|record| line::write(&mut lines, record, None));
    let folder = spool.folder().to_owned();
    let failed = |source| Error::Io { step: "write the audit spool", path: folder.clone(), source };
    let at = records.iter().map(|record| record.at).max().unwrap_or_default();
    spool.append(at, &lines).map_err(|Failed { error, .. }| failed(error))?;
    spool.file().map_or(Ok(()), |file| file.sync_data()).map_err(failed)
}

// ── the part ──────────────────────────────────────────────────────────────────────────────

pub(super) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let keeper = Arc::new(Keeper {
        state: Mutex::new(State { spool: Spool::new(&handle.state), owners: Owners::new(handle.tables.clone()), trouble: None }),
        clock: handle.clock,
    });
    handle.journal.listen(keeper.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let (handle, keeping, stopped) = (handle.clone(), keeper.clone(), stop.clone());
    let thread = std::thread::Builder::new()
        .name("audit".into())
        .spawn(move || house::keep(&handle, &keeping, &stopped))
        .map_err(|source| Error::Io { step: "begin a thread for", path: FOLDER.into(), source })?;
    Ok(Box::new(Audit { stop, thread }))
}

struct Audit {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Working for Audit {
    fn end(self: Box<Self>) {
        self.stop.store(true, Ordering::Relaxed);
        let _told_already = self.thread.join();
    }
}

/// Hears everything, and writes it down before it returns.
struct Keeper {
    state: Mutex<State>,
    clock: Clock,
}

struct State {
    spool: Spool,
    owners: Owners,
    trouble: Option<Trouble>,
}

/// The spool cannot be written.
struct Trouble {
    /// Records that are nowhere.
    count: u64,
    /// Microseconds since 1970.
    since: i64,
    why: String,
    told: Instant,
}

impl Listener for Keeper {
    fn happened(&self, records: &[Record]) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).write(records, self.clock);
    }
}

impl State {
    fn write(&mut self, records: &[Record], clock: Clock) {
        let at = clock.now().as_microsecond();
        let mut lines = Vec::with_capacity(records.len() * 256);
        // What was lost is told first: then the spool says where the gap is.
        let lost = self.trouble.as_ref().map(|trouble| {
            let event = Event::RecordsLost { count: trouble.count, since: trouble.since, why: trouble.why.clone() };
            line::write(&mut lines, &Record { at, event }, None);
        });
        for record in records {
            line::write(&mut lines, record, self.owners.of(&record.event).as_deref());
        }
        let told = usize::from(lost.is_some());
        match self.spool.append(at, &lines) {
            Ok(()) => {
                if let Some(trouble) = self.trouble.take() {
                    info!("the audit spool can be written again; {} records are lost since {}", trouble.count, moment(trouble.since));
                }
            }
            Err(Failed { kept, error }) => {
                if kept >= told {
                    self.trouble = self.trouble.take().map(|trouble| Trouble { count: 0, ..trouble });
                }
                self.lost(records.len() - kept.saturating_sub(told).min(records.len()), at, &error);
            }
        }
    }

    fn lost(&mut self, count: usize, at: i64, error: &std::io::Error) {
        let folder = self.spool.folder().display();
        let is_first = self.trouble.is_none();
        let first = || Trouble { count: 0, since: at, why: String::new(), told: Instant::now() };
        let trouble = self.trouble.get_or_insert_with(first);
        if trouble.count == 0 {
            trouble.since = at;
        }
        trouble.count += count as u64;
        trouble.why = error.to_string();
        if is_first || trouble.told.elapsed() >= TELL_EVERY {
            trouble.told = Instant::now();
            let count = trouble.count;
            error!(
                "cannot write the audit spool {folder}: {error}; serving goes on, and {count} records are lost so far: make room, or give the folder to the user of `pxelator serve`"
            );
        }
    }
}

//! What happened, kept: every event and every line of syslog goes to a spool on disk, and from there to sinks.
//!
//! ```text
//!  journal ─► spool (STATE/audit/2026-11-25T07-0000.jsonl) ─► documents, one a source and second ─► CouchDB
//!                └─► query, boots: also while nobody serves          cursor: what the sink has
//! ```
//! [`line`] is a record in the spool, [`segment`] a file of it, [`spool`] appends. [`document`] groups what a
//! [`sink`] sends by [`couch`]; [`keep`] lets old segments go. [`query`], [`newest`] and [`boots`] read.
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
pub mod newest;
mod owner;
pub mod query;
mod room;
pub mod segment;
mod sink;
mod spool;
pub(super) mod starting;
pub(super) mod trust;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info};

pub(super) use keep::Evenness;
pub use spool::FOLDER;

use self::owner::Owners;
use self::room::{Room, Takes};
use self::spool::{Failed, Spool, sync};
use super::{Error, Result, Working};
use crate::event::{Event, Record};
use crate::serve::Handle;
use crate::serve::clock::Clock;
use crate::serve::journal::Listener;

/// How often it is said that the spool cannot be written, or does not reach the disk.
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
    let files = spool.take_unsynced();
    sync(spool.folder(), files).map_err(|(_, error)| failed(error))
}

// ── the part ──────────────────────────────────────────────────────────────────────────────

pub(super) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let keeper = Arc::new(Keeper {
        state: Mutex::new(State {
            spool: Spool::new(&handle.state),
            owners: Owners::new(handle.tables.clone()),
            room: Room::default(),
            trouble: None,
        }),
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
    room: Room,
    trouble: Option<Trouble>,
}

/// The spool cannot be written, or there is too little room beside it.
struct Trouble {
    /// Records that are nowhere.
    count: u64,
    /// Microseconds since 1970.
    since: i64,
    why: String,
    told: Option<Instant>,
}

impl Listener for Keeper {
    fn happened(&self, records: &[Record]) {
        self.with(|state| state.write(records, self.clock));
    }
}

impl Keeper {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn write(&mut self, records: &[Record], clock: Clock) {
        let at = clock.now().as_microsecond();
        let space = self.room.look(self.spool.folder());
        let takes = space.map_or(Takes::Everything, room::Space::takes);
        let owned = records.iter().map(|record| (record, self.owners.of(&record.event)));
        let (kept, refused): (Vec<_>, Vec<_>) = owned.partition(|(record, _)| takes.has_room_for(&record.event));
        self.append(&kept, at, takes == Takes::Everything);
        if let Some(space) = space.filter(|_| !refused.is_empty()) {
            self.lost(refused.len(), at, &space.why());
        }
    }

    /// What was lost is told first, once everything is taken again: then the spool says where the gap is.
    fn append(&mut self, records: &[(&Record, Option<String>)], at: i64, tells: bool) {
        let mut lines = Vec::with_capacity(records.len() * 256);
        let told = usize::from(tells && self.tell_lost(&mut lines, at));
        for (record, owner) in records {
            line::write(&mut lines, record, owner.as_deref());
        }
        if lines.is_empty() {
            return;
        }
        match self.spool.append(at, &lines) {
            Ok(()) if told > 0 => {
                if let Some(trouble) = self.trouble.take() {
                    info!(
                        "the audit spool can be written again; {} records are lost since {}",
                        trouble.count,
                        moment(trouble.since)
                    );
                }
            }
            Ok(()) => {}
            Err(Failed { kept, error }) => {
                if told > 0 && kept > 0 {
                    self.trouble = self.trouble.take().map(|trouble| Trouble { count: 0, ..trouble });
                }
                self.lost(records.len() - kept.saturating_sub(told).min(records.len()), at, &error.to_string());
            }
        }
    }

    /// Whether something was lost, and is now a line.
    fn tell_lost(&self, lines: &mut Vec<u8>, at: i64) -> bool {
        let Some(trouble) = &self.trouble else { return false };
        let event = Event::RecordsLost { count: trouble.count, since: trouble.since, why: trouble.why.clone() };
        line::write(lines, &Record { at, event }, None);
        true
    }

    fn lost(&mut self, count: usize, at: i64, why: &str) {
        let first = || Trouble { count: 0, since: at, why: String::new(), told: None };
        let trouble = self.trouble.get_or_insert_with(first);
        if trouble.count == 0 {
            trouble.since = at;
        }
        trouble.count += count as u64;
        trouble.why = why.to_owned();
        self.say();
    }

    /// Once a second: a gap that can be told is told, also when nothing else happens.
    fn tick(&mut self, clock: Clock) {
        if self.trouble.is_some() {
            self.write(&[], clock);
            self.say();
        }
    }

    /// At the end a gap is told whatever room there is; where that fails, the log has the last word.
    fn finish(&mut self, clock: Clock) {
        self.append(&[], clock.now().as_microsecond(), true);
        if let Some(Trouble { count, since, why, .. }) = &self.trouble {
            let folder = self.spool.folder().display();
            error!(
                "cannot write the audit spool {folder}: {why}; {count} records are lost since {}, and no record tells it",
                moment(*since)
            );
        }
    }

    /// Says that records are lost, if it was not said lately.
    fn say(&mut self) {
        let folder = self.spool.folder().display();
        let is_due = |trouble: &&mut Trouble| trouble.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        let Some(trouble) = self.trouble.as_mut().filter(is_due) else { return };
        trouble.told = Some(Instant::now());
        let Trouble { count, why, .. } = trouble;
        error!(
            "cannot write the audit spool {folder}: {why}; serving goes on, and {count} records are lost so far: make room, or give the folder to the user of `pxelator serve`"
        );
    }
}

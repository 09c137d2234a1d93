//! The part of `serve` that measures: once a minute all figures, each into its file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use tracing::{error, info, warn};

use super::gather::{self, Figure};
use super::series::{Kind, Series};
use super::{FOLDER, STEP_SECS, archive};
use crate::event::Record;
use crate::operate::audit::Evenness;
use crate::operate::audit::starting::Starting;
use crate::operate::monitor::seen;
use crate::operate::{Error, Result, Working};
use crate::serve::Handle;
use crate::serve::journal::Listener;
use crate::store::out::make_in_state;
use crate::terminal::chain;

/// How many files there may be, of 60 to 270 KiB each; what comes beyond is not measured, and said.
pub(super) const FILES_MAX: usize = 20_000;
/// A file whose last figure is so far ahead of the clock, in seconds, gets none: the clock is wrong, or was.
const AHEAD_SECS: i64 = 3600;
/// A clock that is so far after all figures, in seconds, is believed when it has run evenly for a while: one figure
/// of a wrong year would empty the archives.
const FAR_SECS: i64 = 86_400;
/// How many files of one series may lie aside.
const ASIDE_MAX: usize = 9;
/// How often files that nobody writes any more are looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(86_400);
/// How often it is looked whether the part shall end.
const LOOK: Duration = Duration::from_millis(200);

pub(in crate::operate) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let boots = Arc::new(Ear { starting: Mutex::new(Starting::new(handle.tables.clone())), took: Mutex::default() });
    handle.journal.listen(boots.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let (mut keeper, stopped) = (Keeper::new(&handle.state), stop.clone());
    let handle = handle.clone();
    let thread = thread::Builder::new().name("trend".into()).spawn(move || {
        let mut next = Instant::now();
        while !stopped.load(Ordering::Relaxed) {
            if Instant::now() >= next {
                next += Duration::from_secs(STEP_SECS);
                // A server that stood still does not make up for the minutes that are gone.
                next = next.max(Instant::now());
                minute(&handle, &boots, &mut keeper);
            }
            thread::sleep(LOOK);
        }
    });
    let thread = thread.map_err(|source| Error::Io { step: "begin a thread for", path: FOLDER.into(), source })?;
    Ok(Box::new(Trend { stop, thread }))
}

struct Trend {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Working for Trend {
    fn end(self: Box<Self>) {
        self.stop.store(true, Ordering::Relaxed);
        let _told_already = self.thread.join();
    }
}

/// Hears of boots.
struct Ear {
    starting: Mutex<Starting>,
    /// By host: how long it took, in seconds; since the last minute.
    took: Mutex<BTreeMap<String, f64>>,
}

impl Listener for Ear {
    fn happened(&self, records: &[Record]) {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let told = records.iter().filter_map(|record| starting.hear(record)).map(|(host, micros)| (host, micros as f64 / 1e6));
        self.took.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
    }
}

/// One round, if the site wants it.
fn minute(handle: &Handle, boots: &Ear, keeper: &mut Keeper) {
    let tables = handle.tables.borrow().clone();
    let took = std::mem::take(&mut *boots.took.lock().unwrap_or_else(PoisonError::into_inner));
    let Some(row) = &tables.trends else { return };
    let now = handle.clock.now().as_second();
    let seen = seen::read(&handle.state).unwrap_or_default();
    let mut figures = gather::all(handle, &tables, seen.as_ref(), now);
    let boots = took
        .into_iter()
        .filter_map(|(host, secs)| Some(Figure { series: Series::of(Kind::Boots, &host)?, values: vec![Some(secs)] }));
    figures.extend(boots);
    keeper.keep(Instant::now(), now, row.keep_secs, &figures);
}

/// Writes figures into files.
pub(super) struct Keeper {
    state: PathBuf,
    /// The moment of the last round.
    last: Option<i64>,
    clock: Option<Evenness>,
    /// The files that are known to be sound, with the moment of the last figure.
    known: BTreeMap<Series, i64>,
    cleared: Option<Instant>,
    /// Is it told already that there are too many, or that they cannot be written?
    told_many: bool,
    trouble: Option<Instant>,
    /// When it was told that the clock is not believed.
    doubted: Option<Instant>,
}

/// How often it is told that files cannot be written, and that the clock is not believed.
const TELL_EVERY: Duration = Duration::from_secs(60);
const DOUBT_EVERY: Duration = Duration::from_secs(3600);

impl Keeper {
    pub(super) fn new(state: &Path) -> Keeper {
        Keeper {
            state: state.to_owned(),
            last: None,
            clock: None,
            known: BTreeMap::new(),
            cleared: None,
            told_many: false,
            trouble: None,
            doubted: None,
        }
    }

    /// The figures of a moment, in seconds since 1970; `at` is the same by a clock that nobody sets.
    pub(super) fn keep(&mut self, at: Instant, now: i64, keep_secs: u64, figures: &[Figure]) {
        if let Some(last) = self.last.filter(|last| now <= *last) {
            warn!("trends: the clock went back by {} s; nothing is measured until it is where it was", last - now);
        }
        self.last = Some(now);
        let is_even = self.is_even(at, now);
        self.look(figures);
        let newest = self.known.values().filter(|last| **last <= now + AHEAD_SECS).max().copied();
        if let Some(newest) = newest.filter(|newest| !is_even && now - newest > FAR_SECS) {
            let after = (now - newest) / FAR_SECS;
            let what = format!("the clock is {after} days after the last figures, and nothing is measured");
            return self.doubt(at, &format!("{what} before it has run evenly for an hour"));
        }
        let (mut failures, mut ahead, mut first) = (0_usize, 0_usize, None);
        for figure in figures {
            if !is_even && self.known.get(&figure.series).is_some_and(|last| *last > now + AHEAD_SECS) {
                ahead += 1;
            } else if let Err(error) = self.one(now, keep_secs, figure) {
                failures += 1;
                first.get_or_insert(error);
            }
        }
        if ahead > 0 {
            let what = format!("the clock is behind the last figures of {ahead} series, of which nothing is measured now");
            self.doubt(at, &format!("{what}; when it has run evenly for an hour, they are set aside and begun anew"));
        }
        if let Some(error) = first.filter(|_| self.trouble.is_none_or(|told| told.elapsed() >= TELL_EVERY)) {
            self.trouble = Some(Instant::now());
            error!("trends: {failures} of {} series could not be written: {}; serving goes on", figures.len(), chain(&error));
        } else if failures == 0 && self.trouble.take().is_some() {
            info!("trends can be written again");
        }
        // By a wrong clock all files are old.
        if is_even && self.cleared.is_none_or(|cleared| at.saturating_duration_since(cleared) >= CLEAR_EVERY) {
            self.cleared = Some(at);
            clear(&self.state, keep_secs);
        }
    }

    fn is_even(&mut self, at: Instant, now: i64) -> bool {
        let clock = self.clock.get_or_insert_with(|| Evenness::new(at, now));
        let _the_audit_tells_it = clock.jump(at, now);
        clock.is_even(at)
    }

    fn doubt(&mut self, at: Instant, what: &str) {
        if self.doubted.is_none_or(|told| at.saturating_duration_since(told) >= DOUBT_EVERY) {
            self.doubted = Some(at);
            warn!("trends: {what}");
        }
    }

    /// The last figures of files that are there, and were not written by this run.
    fn look(&mut self, figures: &[Figure]) {
        for Figure { series, .. } in figures {
            let path = series.path(&self.state);
            if !self.known.contains_key(series) && self.known.len() < FILES_MAX && path.exists() {
                // One that cannot be read is set aside where it is written.
                self.known.extend(archive::last(&path).ok().map(|last| (series.clone(), last)));
            }
        }
    }

    fn one(&mut self, now: i64, keep_secs: u64, figure: &Figure) -> Result<()> {
        let (series, path) = (&figure.series, figure.series.path(&self.state));
        if self.known.get(series).is_some_and(|last| *last > now + AHEAD_SECS) {
            aside(&path, "ahead", "its last figure is of a time that is still to come")?;
            self.known.remove(series);
        }
        if !self.known.contains_key(series) {
            if self.known.len() >= FILES_MAX {
                if !std::mem::replace(&mut self.told_many, true) {
                    warn!("trends: there are more than {FILES_MAX} series; {series} and what comes after it is not measured");
                }
                return Ok(());
            }
            self.begin(now, keep_secs, series, &path)?;
            self.known.insert(series.clone(), now - STEP_SECS as i64);
        }
        if series.kind.is_sparse() {
            // Without it the time since the last one would be too long for this one to count.
            archive::update(&path, now - STEP_SECS as i64, &vec![None; figure.values.len()], series.kind)?;
        }
        let written = archive::update(&path, now, &figure.values, series.kind);
        if written.is_err() {
            // It is looked at again: somebody may have removed or damaged it.
            self.known.remove(series);
        }
        self.known.get_mut(series).into_iter().for_each(|last| *last = now.max(*last));
        written
    }

    /// A new file; one that is there is none that can be read.
    fn begin(&self, now: i64, keep_secs: u64, series: &Series, path: &Path) -> Result<()> {
        for folder in [self.state.join(FOLDER), self.state.join(FOLDER).join(series.kind.name())] {
            make_in_state(&folder).map_err(|error| Error::Io {
                step: "make",
                path: folder,
                source: std::io::Error::other(chain(&error)),
            })?;
        }
        if path.exists() {
            let why = archive::last(path).err().map_or_else(|| "it came back by hand".to_owned(), |error| chain(&error));
            aside(path, "damaged", &why)?;
        }
        // A kill in between leaves no half of a file under this name.
        let fresh = path.with_extension("new");
        let _of_a_kill = fs::remove_file(&fresh);
        archive::begin(&fresh, series.kind, now, keep_secs)?;
        fs::rename(&fresh, path).map_err(|source| Error::Io { step: "rename", path: fresh, source })
    }
}

/// Under a name that nothing else has: what was set aside before may be all that there is of a year.
fn aside(path: &Path, mark: &str, why: &str) -> Result<()> {
    let name = |n: usize| path.with_extension(if n == 1 { format!("rrd.{mark}") } else { format!("rrd.{mark}.{n}") });
    let failed = |source| Error::Io { step: "set aside", path: path.to_owned(), source };
    let free = (1..=ASIDE_MAX).map(name).find(|other| !other.exists());
    let other = free.ok_or_else(|| failed(std::io::Error::other(format!("{ASIDE_MAX} of it lie there already: remove some"))))?;
    fs::rename(path, &other).map_err(failed)?;
    warn!("trends: {} is set aside as {} and begun anew: {why}", path.display(), other.display());
    Ok(())
}

/// Files that got no figure for as long as the last archive goes back hold nothing.
fn clear(state: &Path, keep_secs: u64) {
    let now = SystemTime::now();
    for series in super::list(state).unwrap_or_default() {
        let path = series.path(state);
        let written = fs::metadata(&path).and_then(|found| found.modified()).ok();
        let old = written.and_then(|written| now.duration_since(written).ok()).is_some_and(|age| age.as_secs() > keep_secs);
        if old && fs::remove_file(&path).is_ok() {
            info!("trends: {series} had no figure for {keep_secs} s, and is removed");
        }
    }
}

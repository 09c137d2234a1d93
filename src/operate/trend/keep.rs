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
use crate::operate::audit::starting::Starting;
use crate::operate::monitor::seen;
use crate::operate::{Error, Result, Working};
use crate::serve::Handle;
use crate::serve::journal::Listener;
use crate::store::out::make_in_state;
use crate::terminal::chain;

/// How many files there may be, of 60 to 270 KiB each; what comes beyond is not measured, and said.
pub(super) const FILES_MAX: usize = 20_000;
/// A file whose last figure is so far ahead of the clock, in seconds, is of a future that did not come.
const AHEAD_SECS: i64 = 3600;
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
    keeper.keep(now, row.keep_secs, &figures);
}

/// Writes figures into files.
pub(super) struct Keeper {
    state: PathBuf,
    /// The moment of the last round.
    last: Option<i64>,
    /// The files that are known to be sound, and not ahead of the clock.
    known: BTreeMap<Series, ()>,
    cleared: Option<Instant>,
    /// Is it told already that there are too many, or that they cannot be written?
    told_many: bool,
    trouble: Option<Instant>,
}

/// How often it is told that files cannot be written.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Keeper {
    pub(super) fn new(state: &Path) -> Keeper {
        Keeper { state: state.to_owned(), last: None, known: BTreeMap::new(), cleared: None, told_many: false, trouble: None }
    }

    /// The figures of a moment, in seconds since 1970.
    pub(super) fn keep(&mut self, now: i64, keep_secs: u64, figures: &[Figure]) {
        if let Some(last) = self.last.filter(|last| now <= *last) {
            warn!(
                "trends: the clock went back by {} s; nothing is measured until it is where it was, or is set aside",
                last - now
            );
            // What is now ahead by more than a moment is looked at anew.
            self.known.clear();
        }
        self.last = Some(now);
        let (mut failures, mut first) = (0_usize, None);
        for figure in figures {
            if let Err(error) = self.one(now, keep_secs, figure) {
                failures += 1;
                first.get_or_insert(error);
            }
        }
        if let Some(error) = first.filter(|_| self.trouble.is_none_or(|told| told.elapsed() >= TELL_EVERY)) {
            self.trouble = Some(Instant::now());
            error!("trends: {failures} of {} series could not be written: {}; serving goes on", figures.len(), chain(&error));
        } else if failures == 0 && self.trouble.take().is_some() {
            info!("trends can be written again");
        }
        if self.cleared.is_none_or(|cleared| cleared.elapsed() >= CLEAR_EVERY) {
            self.cleared = Some(Instant::now());
            clear(&self.state, keep_secs);
        }
    }

    fn one(&mut self, now: i64, keep_secs: u64, figure: &Figure) -> Result<()> {
        let (series, path) = (&figure.series, figure.series.path(&self.state));
        if !self.known.contains_key(series) {
            if self.known.len() >= FILES_MAX {
                if !std::mem::replace(&mut self.told_many, true) {
                    warn!("trends: there are more than {FILES_MAX} series; {series} and what comes after it is not measured");
                }
                return Ok(());
            }
            self.ready(now, keep_secs, series, &path)?;
            self.known.insert(series.clone(), ());
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
        written
    }

    /// A file that can take a figure of now: the one that is there, or a new one.
    fn ready(&self, now: i64, keep_secs: u64, series: &Series, path: &Path) -> Result<()> {
        for folder in [self.state.join(FOLDER), self.state.join(FOLDER).join(series.kind.name())] {
            make_in_state(&folder).map_err(|error| Error::Io {
                step: "make",
                path: folder,
                source: std::io::Error::other(chain(&error)),
            })?;
        }
        if path.exists() {
            let aside = match archive::last(path) {
                Ok(last) if last > now + AHEAD_SECS => {
                    Some(("ahead", "its last figure is of a time that is still to come".to_owned()))
                }
                Ok(_) => None,
                Err(error) => Some(("damaged", chain(&error))),
            };
            let Some((mark, why)) = aside else { return Ok(()) };
            let other = path.with_extension(format!("rrd.{mark}"));
            fs::rename(path, &other).map_err(|source| Error::Io { step: "rename", path: path.to_owned(), source })?;
            warn!("trends: {} is set aside as {} and begun anew: {why}", path.display(), other.display());
        }
        // A kill in between leaves no half of a file under this name.
        let fresh = path.with_extension("new");
        let _of_a_kill = fs::remove_file(&fresh);
        archive::begin(&fresh, series.kind, now, keep_secs)?;
        fs::rename(&fresh, path).map_err(|source| Error::Io { step: "rename", path: fresh, source })
    }
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

//! librrd: the one place that calls it. It keeps its last error and its fonts for the whole program, and
//! nobody upstream says that it may be called from two threads: one call at a time.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rrd::ConsolidationFn;
use rrd::error::RrdError;
use rrd::ops::create::{Archive, DataSource, DataSourceName, create};
use rrd::ops::update::{BatchTime, Datum, Options, update_all};
use rrd::ops::{fetch, info};

use super::series::Series;
use super::{Kind, STEP_SECS};
use crate::operate::{Error, Result};

/// After how long without a figure nothing is known, in seconds.
const HEARTBEAT_SECS: u32 = 180;
/// Archives: how many steps a row has, and how long they go back in seconds. The last one is the site's.
const FINE: [(u32, u64); 3] = [(1, 2 * DAY), (5, 14 * DAY), (60, 90 * DAY)];
const DAY: u64 = 86_400;
/// A row is known where any of its steps is: a machine that is on in the morning has a mean for the day.
const UNKNOWN_MAX: f64 = 0.9999;

static TURN: Mutex<()> = Mutex::new(());

pub(super) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn time(secs: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(secs).unwrap_or(0))
}

fn secs(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

pub(super) fn failed(step: &'static str, path: &Path, error: RrdError) -> Error {
    Error::Io { step, path: path.to_owned(), source: std::io::Error::other(error) }
}

/// Begins a file whose first figure is of `at`.
pub(super) fn begin(path: &Path, kind: Kind, at: i64, keep_secs: u64) -> Result<()> {
    let _turn = turn();
    let named = |name: &str| DataSourceName::new(name).map_err(|error| failed("name a figure in", path, error.into()));
    let mut sources = Vec::new();
    for source in kind.sources() {
        let name = named(source.name)?;
        // A counter that begins anew at 0, because we do, is no figure: what is below 0 is unknown.
        sources.push(match source.is_counter {
            true => DataSource::derive(&name, HEARTBEAT_SECS, Some(0), None),
            false => DataSource::gauge(&name, HEARTBEAT_SECS, Some(0.0), None),
        });
    }
    let mut archives = Vec::new();
    for (steps, secs) in FINE.into_iter().chain([(1440, keep_secs)]) {
        let rows = u32::try_from(secs.div_ceil(u64::from(steps) * STEP_SECS)).unwrap_or(u32::MAX);
        // Of one step the mean and the most are the same.
        let functions: &[ConsolidationFn] =
            if steps == 1 { &[ConsolidationFn::Avg] } else { &[ConsolidationFn::Avg, ConsolidationFn::Max] };
        for function in functions {
            let archive = Archive::new(*function, UNKNOWN_MAX, steps, rows);
            archives.push(archive.map_err(|error| failed("begin", path, error.into()))?);
        }
    }
    let start = time(at - i64::try_from(STEP_SECS).unwrap_or(0));
    create(path, start, Duration::from_secs(STEP_SECS), true, None, &[], &sources, &archives)
        .map_err(|error| failed("begin", path, error))
}

/// Adds a figure for each source; `None` is unknown. One of a moment that has its figures is left out.
pub(super) fn update(path: &Path, at: i64, values: &[Option<f64>], kind: Kind) -> Result<()> {
    let _turn = turn();
    let datum = |(value, counts): (&Option<f64>, bool)| match value {
        None => Datum::Unspecified,
        Some(value) if counts => Datum::Int(*value as u64),
        Some(value) => Datum::Float(*value),
    };
    let row: Vec<Datum> = values.iter().zip(kind.sources().iter().map(|source| source.is_counter)).map(datum).collect();
    let options = Options { skip_past_updates: true };
    update_all(path, options, &[(BatchTime::Timestamp(time(at)), row)]).map_err(|error| failed("write", path, error))
}

/// The moment of its last figure; an error where it is no such file.
pub(super) fn last(path: &Path) -> Result<i64> {
    let _turn = turn();
    let info = info::info(path).map_err(|error| failed("read", path, error))?;
    let last = info.get("last_update").and_then(|value| value.clone().into_count());
    let none = || Error::Io { step: "read", path: path.to_owned(), source: std::io::Error::other("it has no last update") };
    last.map(|secs| i64::try_from(secs).unwrap_or(i64::MAX)).ok_or_else(none)
}

/// What is known of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Where it begins, in seconds since 1970, and how long it is.
    pub at: i64,
    pub secs: u64,
    /// The mean of each source, or the most.
    pub values: [Option<f64>; 2],
}

pub(super) fn figures(state: &Path, series: &Series, from: i64, to: i64, function: ConsolidationFn) -> Result<Vec<Figures>> {
    let path = series.path(state);
    let _turn = turn();
    let found = fetch::fetch(&path, function, time(from), time(to), Duration::from_secs(1))
        .map_err(|error| failed("read", &path, error))?;
    let step = found.step().as_secs();
    let rows = found.rows().iter().map(|row| {
        let known = |at: usize| {
            row.as_slice().get(at).copied().filter(|value| value.is_finite()).map(|value| value / series.kind.divisor())
        };
        // librrd calls a stretch by its end.
        Figures { at: secs(row.timestamp()) - i64::try_from(step).unwrap_or(0), secs: step, values: [known(0), known(1)] }
    });
    Ok(rows.filter(|row| row.at < to).collect())
}

//! What is measured once a minute, in round-robin databases that every rrdtool reads.
//!
//! ```text
//!  leases, requests ─┐
//!  boots (journal) ──┤
//!  monitor.json ─────┼─► round ─► STATE/trends/KIND/NAME.rrd ─► list, show, graph (also while nobody serves)
//!  cgroups ──────────┘
//! ```
//! [`series`] says what there is, [`archive`] is the one that knows librrd, [`gather`] asks for the figures,
//! [`machines`] those of what runs on this server, [`keep`] writes them, [`graph`] draws.
//!
//! **Invariant:** a figure is of the minute that its time says. A clock that goes back writes nothing twice, and
//! one that is wrong for a moment changes no file: what was written in a future that did not come is set aside
//! when the clock has run evenly for an hour.

mod archive;
mod gather;
mod graph;
mod keep;
mod machines;
pub mod series;
#[cfg(test)]
mod trials;

pub use archive::Figures;
pub use graph::{Format, Graph, SERIES_MAX, graph, zone};
pub(super) use keep::begin;
pub use series::{Kind, Series};

use std::path::Path;

use rrd::ConsolidationFn;

use super::{Error, Result};

/// Below the state folder.
pub const FOLDER: &str = "trends";
/// How often it is measured, in seconds.
pub const STEP_SECS: u64 = 60;

/// All series of a state folder, by kind and name.
pub fn list(state: &Path) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let folder = state.join(FOLDER).join(kind.name());
        let failed = |source: std::io::Error| {
            let path = folder.clone();
            if source.kind() == std::io::ErrorKind::PermissionDenied {
                Error::Denied { path }
            } else {
                Error::Io { step: "read", path, source }
            }
        };
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let series = name.to_str().and_then(|name| name.strip_suffix(".rrd")).and_then(|name| Series::of(kind, name));
            all.extend(series);
        }
    }
    all.sort();
    Ok(all)
}

/// The figures of a series between two moments, in seconds since 1970: means of the finest stretches that are kept.
pub fn figures(state: &Path, series: &Series, from: i64, to: i64) -> Result<Vec<Figures>> {
    archive::figures(state, series, from, to, ConsolidationFn::Avg)
}

/// The most that its first source came to in a minute.
pub fn most(state: &Path, series: &Series, from: i64, to: i64) -> Result<Option<f64>> {
    let rows = archive::figures(state, series, from, to, ConsolidationFn::Max)?;
    Ok(rows.iter().filter_map(|row| row.values.first().copied().flatten()).reduce(f64::max))
}

/// Is there anything of it?
pub fn exists(state: &Path, series: &Series) -> bool {
    series.path(state).exists()
}

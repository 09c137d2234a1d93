//! `power/HOST.by-hand` in the state folder: when a person last switched a machine with `pxelator power`, in
//! microseconds since 1970. That command speaks to the machine by itself; a server that still tries an edge of
//! before finds here that it is outdone.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::warn;

use crate::store::{self, Result};
use crate::terminal::chain;

pub(super) const FOLDER: &str = "power";
const BYTES_MAX: u64 = 64;

/// A person asked for it at this moment, and it was done. Where there is no state folder, no server has one.
pub fn write(state: &Path, host: &str, given: Timestamp) -> Result<()> {
    if !state.is_dir() {
        return Ok(());
    }
    let path = path(state, host);
    store::out::make_in_state(path.parent().unwrap_or(state))?;
    store::out::replace_state(&path, &format!("{}\n", given.as_microsecond()))
}

/// When it was; what lies ahead of the clock is nothing to go by.
pub(super) fn read(state: &Path, host: &str, now: Timestamp) -> Option<Timestamp> {
    let path = path(state, host);
    let bytes = store::serials::read_state(&path, BYTES_MAX).unwrap_or_else(|error| {
        warn!("{}; an edge may undo what was done by hand", chain(&error));
        None
    });
    let given = String::from_utf8_lossy(&bytes?).trim().parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok());
    given.filter(|given| *given <= now)
}

fn path(state: &Path, host: &str) -> PathBuf {
    state.join(FOLDER).join(format!("{host}.by-hand"))
}

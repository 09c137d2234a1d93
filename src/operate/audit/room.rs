//! Whether there is room on the disk: leases lie beside the spool, and nobody who sends lines may keep them out.
//!
//! ```text
//! free ≥ floor: everything is kept │ below: no lines of syslog │ below half of it: nothing
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use crate::event::Event;

/// How long what was seen is believed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What shall stay free, in bytes, and of a small disk a quarter: a flood of a second is far less, and all
/// leases of a large site are too.
const FLOOR_BYTES_MAX: u64 = 256 << 20;

/// The disk of the spool, as it was a moment ago.
#[derive(Debug, Default)]
pub(super) struct Room {
    seen: Option<(Instant, Space)>,
}

/// A disk: its bytes, and those that are free for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) all: u64,
    pub(super) free: u64,
}

/// What may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Everything,
    EventsOnly,
    Nothing,
}

impl Space {
    /// Where it cannot be known there is room enough: writing says what is wrong.
    pub(super) fn of(folder: &Path) -> Option<Space> {
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some(Space { all: disk.f_blocks.saturating_mul(disk.f_frsize), free: disk.f_bavail.saturating_mul(disk.f_frsize) })
    }

    pub(super) fn floor(self) -> u64 {
        FLOOR_BYTES_MAX.min(self.all / 4)
    }

    /// Why not everything is taken.
    pub(super) fn why(self) -> String {
        let floor = self.floor();
        let shown = if floor < 1 << 20 { format!("{} KiB", floor >> 10) } else { format!("{} MiB", floor >> 20) };
        format!("less than {shown} are free on its disk")
    }

    pub(super) fn takes(self) -> Takes {
        match self.free {
            free if free >= self.floor() => Takes::Everything,
            free if free >= self.floor() / 2 => Takes::EventsOnly,
            _ => Takes::Nothing,
        }
    }

    /// Old segments make room before lines are refused.
    pub(super) fn is_short(self) -> bool {
        self.free < self.floor() / 4 * 5
    }

    /// How many bytes a spool of so many may have, so that more than the floor stays free.
    pub(super) fn spool_max(self, spool: u64) -> u64 {
        spool.saturating_add(self.free).saturating_sub(self.floor() / 4 * 5)
    }
}

impl Room {
    pub(super) fn look(&mut self, folder: &Path) -> Option<Space> {
        if let Some((at, space)) = self.seen
            && at.elapsed() < LOOK_EVERY
        {
            return Some(space);
        }
        // The folder may not be there yet.
        let space = Space::of(folder).or_else(|| Space::of(folder.parent()?))?;
        self.seen = Some((Instant::now(), space));
        Some(space)
    }
}

impl Takes {
    pub(super) fn has_room_for(self, event: &Event) -> bool {
        match self {
            Takes::Everything => true,
            Takes::EventsOnly => !matches!(event, Event::LineLogged(_)),
            Takes::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_fits_the_disk() {
        let floor = |all: u64| Space { all, free: 0 }.floor();
        assert_eq!([floor(256 << 10), floor(2 << 30), floor(100 << 30)], [64 << 10, 256 << 20, 256 << 20]);
    }

    #[test]
    fn lines_are_refused_first_and_old_segments_make_room_before_that() {
        let disk = |free: u64| Space { all: 4000, free };
        let takes = [1000, 999, 500, 499].map(|free| disk(free).takes());
        assert_eq!(takes, [Takes::Everything, Takes::EventsOnly, Takes::EventsOnly, Takes::Nothing]);
        assert_eq!((disk(1250).is_short(), disk(1250).spool_max(700)), (false, 700), "nothing need go");
        assert_eq!((disk(1100).is_short(), disk(1100).spool_max(700)), (true, 550));
        assert_eq!(disk(0).spool_max(700), 0);
    }
}

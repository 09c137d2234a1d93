//! Which segments go: those that are old and that every sink has, and the oldest where there are too many bytes.

use super::segment::{HOUR_SECS, Segment};

/// The most that a spool may have on disk, in bytes. Beyond it the oldest segments go, whoever has them.
pub(super) const SPOOL_BYTES_MAX: u64 = 16 << 30;

/// A segment that goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) segment: Segment,
    pub(super) bytes: u64,
    /// Has every sink got all of it?
    pub(super) delivered: bool,
    /// It went for want of room, and not because it was old.
    pub(super) early: bool,
}

/// Of all segments, the oldest first, those to delete now. `behind` is the oldest segment that a sink is
/// still at; without a sink there is none.
pub(super) fn doomed(all: &[(Segment, u64)], now_secs: i64, keep_secs: u64, bytes_max: u64, behind: Option<Segment>) -> Vec<Doomed> {
    let Some((_, older)) = all.split_last() else { return Vec::new() };
    let mut total: u64 = all.iter().map(|(_, bytes)| bytes).sum();
    let oldest_kept = now_secs.saturating_sub_unsigned(keep_secs).div_euclid(HOUR_SECS);
    let mut gone = Vec::new();
    for (segment, bytes) in older {
        let delivered = behind.is_none_or(|behind| *segment < behind);
        let early = total > bytes_max;
        let old = segment.hour < oldest_kept;
        if !(early || old && delivered) {
            // What is younger has no better reason, unless a sink is behind with this one.
            if !old {
                break;
            }
            continue;
        }
        total -= bytes;
        gone.push(Doomed { segment: *segment, bytes: *bytes, delivered, early: early && !(old && delivered) });
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(hours: &[i64]) -> Vec<(Segment, u64)> {
        hours.iter().map(|hour| (Segment { hour: *hour, number: 0 }, 10)).collect()
    }

    fn gone(all: &[(Segment, u64)], keep_hours: u64, bytes_max: u64, behind: Option<i64>) -> Vec<(i64, bool, bool)> {
        let behind = behind.map(|hour| Segment { hour, number: 0 });
        let gone = doomed(all, 100 * HOUR_SECS, keep_hours * 3600, bytes_max, behind);
        gone.into_iter().map(|one| (one.segment.hour, one.delivered, one.early)).collect()
    }

    #[test]
    fn old_ones_go_when_every_sink_has_them() {
        let all = spool(&[10, 20, 95, 99]);
        assert_eq!(gone(&all, 24, 1000, None), [(10, true, false), (20, true, false)]);
        assert_eq!(gone(&all, 24, 1000, Some(20)), [(10, true, false)], "a sink is still at 20");
        assert_eq!(gone(&all, 24, 1000, Some(10)), []);
        assert_eq!(gone(&all, 200, 1000, None), []);
    }

    #[test]
    fn a_spool_that_is_too_large_loses_its_oldest_and_never_its_newest() {
        let all = spool(&[96, 97, 98, 99]);
        assert_eq!(gone(&all, 24, 25, None), [(96, true, true), (97, true, true)]);
        assert_eq!(gone(&all, 24, 25, Some(97)), [(96, true, true), (97, false, true)]);
        assert_eq!(gone(&all, 24, 0, None).len(), 3);
        assert_eq!(gone(&[], 0, 0, None), []);
    }
}

//! Which segments go: those that are old and that every sink has, and the oldest where there are too many bytes.
//!
//! **Invariant:** a clock that is wrong deletes nothing at once: what it says of age counts only after it has
//! run evenly for an hour, and then a few segments go at a time.

use std::time::{Duration, Instant};

use super::segment::{HOUR_SECS, Segment};

/// The most that a spool may have on disk, in bytes. Beyond it the oldest segments go, whoever has them.
pub(super) const SPOOL_BYTES_MAX: u64 = 16 << 30;
/// How many segments go for their age at once: a day's of a spool without floods.
const AGED_MAX: usize = 24;
/// How far the clock may go from even time between two looks, in seconds.
const JUMP_SECS: u64 = 60;
/// How long a clock must have run evenly before it makes anything old.
const EVEN_FOR: Duration = Duration::from_secs(3600);

/// Whether the clock may be believed: it is measured against time that nobody sets.
pub(in crate::operate) struct Evenness {
    since: Instant,
    last: (Instant, i64),
}

impl Evenness {
    pub(in crate::operate) fn new(at: Instant, clock_secs: i64) -> Evenness {
        Evenness { since: at, last: (at, clock_secs) }
    }

    /// By how many seconds the clock was set since the last look, if it was.
    pub(in crate::operate) fn jump(&mut self, at: Instant, clock_secs: i64) -> Option<i64> {
        let (before, said) = self.last;
        let passed = i64::try_from(at.saturating_duration_since(before).as_secs()).unwrap_or(i64::MAX);
        let ahead = clock_secs.saturating_sub(said).saturating_sub(passed);
        self.last = (at, clock_secs);
        let jumped = ahead.unsigned_abs() > JUMP_SECS;
        if jumped {
            self.since = at;
        }
        jumped.then_some(ahead)
    }

    /// Does anything count as old?
    pub(in crate::operate) fn is_even(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.since) >= EVEN_FOR
    }
}

/// A segment that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lying {
    pub(super) segment: Segment,
    pub(super) bytes: u64,
    /// Since when nothing is written to it, in hours since 1970.
    pub(super) hour: i64,
}

impl Lying {
    /// A segment is as old as its name says; one of an hour that is still to come, as its file.
    pub(super) fn new(segment: Segment, bytes: u64, written: Option<i64>, now_secs: i64) -> Lying {
        let is_ahead = segment.hour > now_secs.div_euclid(HOUR_SECS);
        Lying { segment, bytes, hour: written.filter(|_| is_ahead).unwrap_or(segment.hour) }
    }
}

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

/// Of all segments, the oldest first, those to delete now. Before `oldest_kept` they are old; where that
/// is `None`, nothing is. `behind` is the oldest segment that a sink is still at; without a sink there is none.
pub(super) fn doomed(all: &[Lying], oldest_kept: Option<i64>, bytes_max: u64, behind: Option<Segment>) -> Vec<Doomed> {
    let Some((_, older)) = all.split_last() else { return Vec::new() };
    let mut total: u64 = all.iter().map(|one| one.bytes).sum();
    let (mut gone, mut aged) = (Vec::new(), 0);
    for Lying { segment, bytes, hour } in older {
        let delivered = behind.is_none_or(|behind| *segment < behind);
        let early = total > bytes_max;
        let old = delivered && aged < AGED_MAX && oldest_kept.is_some_and(|kept| *hour < kept);
        if !(early || old) {
            continue;
        }
        aged += usize::from(old);
        total -= bytes;
        gone.push(Doomed { segment: *segment, bytes: *bytes, delivered, early: !old });
    }
    gone
}

/// The hour from which on segments are kept.
pub(super) fn oldest_kept(now_secs: i64, keep_secs: u64) -> i64 {
    now_secs.saturating_sub_unsigned(keep_secs).div_euclid(HOUR_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(hours: &[i64]) -> Vec<Lying> {
        hours.iter().map(|hour| Lying { segment: Segment { hour: *hour, number: 0 }, bytes: 10, hour: *hour }).collect()
    }

    fn gone(all: &[Lying], keep_hours: u64, bytes_max: u64, behind: Option<i64>) -> Vec<(i64, bool, bool)> {
        let behind = behind.map(|hour| Segment { hour, number: 0 });
        let gone = doomed(all, Some(oldest_kept(100 * HOUR_SECS, keep_hours * 3600)), bytes_max, behind);
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

    #[test]
    fn few_go_for_their_age_at_once_and_none_while_the_clock_is_not_believed() {
        let all = spool(&(0..90).collect::<Vec<_>>());
        let first: Vec<i64> = gone(&all, 1, 1000, None).iter().map(|one| one.0).collect();
        assert_eq!(first, (0..24).collect::<Vec<_>>());
        assert_eq!(doomed(&all, None, 1000, None), []);
        assert_eq!(doomed(&all, None, 100, None).len(), 80, "room is made all the same");
    }

    #[test]
    fn a_clock_counts_after_it_ran_evenly_for_an_hour() {
        let (start, mut secs) = (Instant::now(), 1_795_588_200);
        let mut at = start;
        let mut even = Evenness::new(at, secs);
        let mut pass = |even: &mut Evenness, passed: u64, clock: i64| {
            at += Duration::from_secs(passed);
            secs += clock;
            (even.jump(at, secs), even.is_even(at))
        };
        assert_eq!(pass(&mut even, 60, 61), (None, false), "it has just begun");
        assert_eq!(pass(&mut even, 3600, 3590), (None, true));
        assert_eq!(pass(&mut even, 60, 60 + 2 * 365 * 86_400), (Some(2 * 365 * 86_400), false), "two years ahead");
        assert_eq!(pass(&mut even, 1800, 1800), (None, false));
        assert_eq!(pass(&mut even, 60, 60 - 2 * 365 * 86_400), (Some(-2 * 365 * 86_400), false), "and back");
        assert_eq!(pass(&mut even, 3599, 3599), (None, false));
        assert_eq!(pass(&mut even, 1, 1), (None, true));
    }

    #[test]
    fn a_segment_of_an_hour_to_come_is_as_old_as_its_file() {
        let (ahead, now) = (Segment { hour: 9000, number: 0 }, 100 * HOUR_SECS);
        let lying = [Some(20), Some(98), None].map(|written| Lying::new(ahead, 10, written, now));
        assert_eq!(lying.map(|one| one.hour), [20, 98, 9000]);
        assert_eq!(Lying::new(Segment { hour: 95, number: 0 }, 10, Some(20), now).hour, 95);
        assert_eq!(gone(&lying, 24, 1000, None), [(9000, true, false)]);
    }
}

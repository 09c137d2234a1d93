//! The clock, held against the time that really passes: schedules do not follow it where it must be wrong.
//!
//! A machine without a battery starts in a year that is past, and is told the time some seconds later; one
//! whose clock is set by hand may be in another year for a minute. Neither is an edge.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::answer::power::is_ahead;

/// How often it is told that schedules wait.
const TELL: Duration = Duration::from_secs(3600);

pub(super) struct Watch {
    seen: (Timestamp, Instant),
    told: Option<Instant>,
}

impl Watch {
    pub(super) fn new(now: Timestamp, at: Instant) -> Watch {
        Watch { seen: (now, at), told: None }
    }

    /// What the clock had to say by the time that passed since it was looked at last, if it jumped from there.
    pub(super) fn jumped(&mut self, now: Timestamp, at: Instant) -> Option<Timestamp> {
        let (before, since) = std::mem::replace(&mut self.seen, (now, at));
        let passed = SignedDuration::try_from(at.saturating_duration_since(since)).unwrap_or(SignedDuration::MAX);
        let wanted = before.saturating_add(passed).unwrap_or(Timestamp::MAX);
        (is_ahead(wanted, now) || is_ahead(now, wanted)).then_some(wanted)
    }

    /// Shall it be told now that schedules wait, where they do? Once, and then each hour.
    pub(super) fn tells(&mut self, they_wait: bool, at: Instant) -> bool {
        let told = self.told.filter(|_| they_wait);
        let tells = they_wait && told.is_none_or(|told| at.saturating_duration_since(told) >= TELL);
        self.told = if tells { Some(at) } else { told };
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_jumps_by_more_than_a_day_is_seen_and_one_that_runs_is_not() {
        let (start, days) = (Instant::now(), |days: u64| Duration::from_secs(86_400 * days));
        let mut watch = Watch::new(at("2020-01-01T00:00:00Z"), start);
        assert_eq!(watch.jumped(at("2026-11-25T12:00:00Z"), start + days(1)), Some(at("2020-01-02T00:00:00Z")));
        // A process that stood still for a week, and an hour that was set.
        assert_eq!(watch.jumped(at("2026-12-02T13:00:00Z"), start + days(8)), None);
        assert_eq!(watch.jumped(at("2026-12-02T12:00:00Z"), start + days(8)), None);
        assert_eq!(watch.jumped(at("2026-11-30T12:00:00Z"), start + days(8)), Some(at("2026-12-02T12:00:00Z")));
        assert_eq!(watch.jumped(at("2026-11-30T12:00:01Z"), start + days(8)), None);
    }

    #[test]
    fn it_is_told_once_and_then_hourly_while_schedules_wait() {
        let (start, minutes) = (Instant::now(), |minutes: u64| Duration::from_secs(60 * minutes));
        let mut watch = Watch::new(at("2020-01-01T00:00:00Z"), start);
        let told = [(true, 0), (true, 1), (true, 59), (true, 60), (true, 61), (false, 62), (true, 63)];
        let told: Vec<u64> = told.into_iter().filter(|(wait, minute)| watch.tells(*wait, start + minutes(*minute))).map(|(_, minute)| minute).collect();
        assert_eq!(told, [0, 60, 63]);
    }
}

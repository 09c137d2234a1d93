//! What time it is: the system's, or one that a rehearsal sets (`serve --now`) and that runs on from there.

use jiff::{SignedDuration, Timestamp, ZonedDateTime};

/// The time of everything that is served, recorded and switched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// How far it is ahead of the system's clock.
    ahead: SignedDuration,
}

impl Clock {
    /// A clock that says this now.
    pub fn starting_at(time: Timestamp) -> Clock {
        Clock { ahead: time.duration_since(Timestamp::now()) }
    }

    /// The time; beyond the year 9999 it stands still.
    pub fn now(self) -> Timestamp {
        Timestamp::now().saturating_add(self.ahead).unwrap_or(Timestamp::MAX)
    }

    /// Seconds since 1970.
    pub fn secs(self) -> u64 {
        u64::try_from(self.now().as_second()).unwrap_or(0)
    }

    /// Is it the system's?
    pub fn is_set(self) -> bool {
        !self.ahead.is_zero()
    }
}

/// `2026-11-25T07:29:50+01:00`, `…Z`, or `2026-11-25T07:29:50[Europe/Zagreb]`.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let zoned = || text.parse::<ZonedDateTime>().map(|zoned| zoned.timestamp());
    let read = text.parse::<Timestamp>().or_else(|_| zoned());
    read.map_err(|_| {
        format!("`{text}` is no moment: write one with its offset or zone, such as 2026-11-25T07:29:50+01:00, 2026-11-25T06:29:50Z or 2026-11-25T07:29:50[Europe/Zagreb]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_three_forms() {
        let same = ["2026-11-25T07:29:50+01:00", "2026-11-25T06:29:50Z", "2026-11-25T07:29:50[Europe/Zagreb]"];
        let read: Vec<i64> = same.iter().map(|text| moment(text).unwrap().as_second()).collect();
        assert_eq!(read, [1_795_588_190; 3]);
        assert!(moment("07:30").unwrap_err().starts_with("`07:30` is no moment"));
    }

    #[test]
    fn a_set_clock_runs_on() {
        let clock = Clock::starting_at(moment("2030-01-01T00:00:00Z").unwrap());
        let first = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(clock.is_set() && clock.now() > first && clock.secs() >= 1_893_456_000);
        assert!(!Clock::default().is_set());
    }
}

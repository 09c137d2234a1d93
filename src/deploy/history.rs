//! `history.jsonl`: what happened in a store, one line an event, never rewritten.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Result;
use crate::out::table::json;
use crate::store::failed;

const FILE: &str = "history.jsonl";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// It became current.
    Deployed,
    /// It became current, with the content of an older one.
    RolledBack,
    /// The server took it over, and answered as it should.
    Confirmed,
    /// Its health check found something wrong.
    Failed,
    /// It became current again, for its follower had failed.
    WayBack,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// Seconds since 1970, and the same for people.
    pub(super) time: u64,
    pub(super) date: String,
    pub(super) what: What,
    pub(super) number: u64,
    pub(super) generation: String,
    /// What was current before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<u64>,
    pub(super) who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

/// All events; a line that cannot be read (of another version, or half written in a power cut) is passed over.
pub(super) fn read(root: &Path) -> Result<Vec<Event>> {
    let path = root.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed("read", &path))?,
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Adds a line, whole and on the disk.
pub(super) fn append(root: &Path, event: &Event) -> Result<()> {
    let path = root.join(FILE);
    let cut = std::fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let line = format!("{}{}\n", if cut { "\n" } else { "" }, json(event));
    let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed("open", &path))?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(failed("write", &path))?;
    Ok(())
}

/// `2026-11-24 23:10:05`, in UTC.
pub(super) fn date(secs: u64) -> String {
    // Days to a date, after Howard Hinnant's `civil_from_days`, for years from 1970 on.
    let (days, rest) = (secs / 86_400 + 719_468, secs % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_827_696), "2000-02-29 12:34:56");
        assert_eq!(date(1_795_564_799), "2026-11-24 23:59:59");
        assert_eq!(date(1_798_761_600), "2027-01-01 00:00:00");
    }
}

//! `STATE/monitor.json`: what each check found last, and the alerts that came of it.
//!
//! The monitor part writes it whole; the page, trends and `pxelator status` read it, also while nothing serves.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::operate::{Error, Result};

/// Below the state folder.
pub const SEEN: &str = "monitor.json";
/// Why nothing is said of a host that may still start: it does not answer, and nothing is wrong.
pub const STARTING: &str = "it was turned on a little while ago";

/// All that is known. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// When it was written.
    pub at: i64,
    /// By id.
    pub checks: Vec<CheckSeen>,
    /// Open ones, and those that were resolved lately; the newest first.
    pub alerts: Vec<Alert>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSeen {
    pub id: String,
    pub host: String,
    /// `ping`, `tcp 22`, `http /status`, `dns www.lab.example`
    pub check: String,
    pub state: State,
    /// Since when it is in this state.
    pub since: i64,
    /// When it was asked last; 0 is never.
    pub at: i64,
    /// How long the answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was not asked yet, or cannot be.
    #[default]
    Unknown,
    Up,
    /// It failed, and not yet often enough to be down.
    Failing,
    Down,
    /// Something before it is down.
    Behind,
    /// Its schedule has it off.
    Off,
}

/// Something is wrong, or was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: String,
    pub host: String,
    pub check: String,
    /// When it failed first, of the failures that made it an alert.
    pub fired: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<i64>,
    pub why: String,
    /// Hosts that cannot be reached because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
    /// The sinks that do not have the news yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

impl CheckSeen {
    /// Why it cannot be asked, where it cannot: nobody knows whether its host does its work.
    pub fn unable(&self) -> Option<&str> {
        self.why.as_deref().filter(|why| self.at > 0 && self.state == State::Unknown && *why != STARTING)
    }
}

impl Seen {
    /// Why checks cannot be asked: how many for each reason, and since when.
    pub fn unable(&self) -> BTreeMap<&str, (usize, i64)> {
        let mut all = BTreeMap::new();
        for (why, since) in self.checks.iter().filter_map(|check| Some((check.unable()?, check.since))) {
            let (count, first) = all.entry(why).or_insert((0, since));
            (*count, *first) = (*count + 1, since.min(*first));
        }
        all
    }
}

impl Alert {
    /// The check that it is about.
    pub fn check_id(&self) -> String {
        format!("{} {}", self.host, self.check)
    }

    /// An id of this check and moment, and of no other: receivers know by it what they have already.
    pub fn name(check: &str, fired: i64) -> String {
        let hash = blake3::hash(format!("{check} {fired}").as_bytes());
        hash.to_hex().as_str().chars().take(16).collect()
    }
}

/// What is known in this state folder; `None` where nothing was ever watched.
pub fn read(state: &Path) -> Result<Option<Seen>> {
    let path = state.join(SEEN);
    let failed = |source| Error::Io { step: "read", path: path.clone(), source };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Err(Error::Denied { path }),
        Err(error) => return Err(failed(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_not_there_is_nothing() {
        let folder = std::env::temp_dir().join(format!("seen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(read(&folder).unwrap(), None);
        let check = CheckSeen {
            id: "nas ping".into(),
            host: "nas".into(),
            check: "ping".into(),
            state: State::Behind,
            since: 1,
            at: 2,
            millis: None,
            why: None,
        };
        let seen = Seen { at: 3, checks: vec![check], alerts: Vec::new() };
        std::fs::write(folder.join(SEEN), crate::out::table::json(&seen)).unwrap();
        assert_eq!(read(&folder).unwrap(), Some(seen));
        std::fs::write(folder.join(SEEN), "{").unwrap();
        assert!(read(&folder).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

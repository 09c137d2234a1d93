//! `monitor.json`, written whole: what [`super::seen`] reads, and how often each check failed in a row.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::seen::{Alert, CheckSeen, SEEN};
use crate::out::table::json;
use crate::store;
use crate::terminal::chain;

/// More than two hundred thousand checks have.
const BYTES_MAX: u64 = 256 << 20;
/// How long after a failure the disk is tried again.
const AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    at: i64,
    checks: Vec<KeptCheck>,
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptCheck {
    #[serde(flatten)]
    seen: CheckSeen,
    #[serde(default, skip_serializing_if = "is_none")]
    failures: u32,
}

fn is_none(failures: &u32) -> bool {
    *failures == 0
}

/// The checks with their failures in a row, and the alerts, the newest first.
pub(super) type Remembered = (Vec<(CheckSeen, u32)>, Vec<Alert>);

/// The file, and what went wrong with it.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    trouble: Option<(Instant, String)>,
}

impl Memory {
    pub(super) fn new(state: &Path) -> Memory {
        Memory { path: state.join(SEEN), trouble: None }
    }

    /// Was anything ever watched here?
    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// What is remembered; a file that nobody can read is told, and begun afresh.
    pub(super) fn read(&self) -> Remembered {
        let read = || match store::serials::read_state(&self.path, BYTES_MAX) {
            Ok(None) => Ok(Kept::default()),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(chain(&error)),
        };
        let kept = read().unwrap_or_else(|what| {
            warn!("{}: {what}; what was up and down is asked anew", self.path.display());
            Kept::default()
        });
        (kept.checks.into_iter().map(|check| (check.seen, check.failures)).collect(), kept.alerts)
    }

    /// On the disk, whole. Whether it is there now.
    pub(super) fn write(&mut self, at: i64, (checks, alerts): Remembered, now: Instant) -> bool {
        if self.trouble.as_ref().is_some_and(|(since, _)| now.saturating_duration_since(*since) < AGAIN) {
            return false;
        }
        let checks = checks.into_iter().map(|(seen, failures)| KeptCheck { seen, failures }).collect();
        let before = self.trouble.take();
        match store::out::replace_state(&self.path, &json(&Kept { at, checks, alerts })).map_err(|error| chain(&error)) {
            Ok(()) => {
                if before.is_some() {
                    warn!("{SEEN} is written again");
                }
                true
            }
            Err(what) => {
                if before.is_none_or(|(_, told)| told != what) {
                    warn!("{what}; checks go on, and a restart would not know what is down");
                }
                self.trouble = Some((now, what));
                false
            }
        }
    }
}

//! What a run has seen so far: milestones with their times, and a line for the terminal.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::terminal::say_raw;
use serde_json::Value;

/// How many milestones are kept; a machine that asks for thousands of files is not listed in full.
const MILESTONES_MAX: usize = 40;

pub(super) struct Progress {
    started: Instant,
    milestones: Vec<(f64, String)>,
    on_terminal: bool,
}

impl Progress {
    pub(super) fn begin() -> Progress {
        Progress { started: Instant::now(), milestones: Vec::new(), on_terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn secs(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Something worth a line in the end; the same thing again is not.
    pub(super) fn milestone(&mut self, what: String) {
        if self.milestones.len() < MILESTONES_MAX && self.milestones.last().is_none_or(|(_, last)| *last != what) {
            self.milestones.push((self.secs(), what));
        }
    }

    /// A line of `serve`'s log: its events are milestones.
    pub(super) fn log(&mut self, line: &str) {
        let Some(event) = line.split_once(" {").and_then(|(_, rest)| serde_json::from_str::<Value>(&format!("{{{rest}")).ok())
        else {
            return;
        };
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let what = match text("event").as_str() {
            "lease-offered" | "reservation-offered" => format!("DHCP offers {}", text("address")),
            "lease-granted" | "reservation-granted" => format!("DHCP grants {}", text("address")),
            "file-asked" if event.get("found").and_then(Value::as_bool) == Some(true) => {
                format!("{} {}", text("service").to_uppercase(), text("path"))
            }
            _ => return,
        };
        self.milestone(what);
    }

    /// What was worth a line last.
    pub(super) fn last(&self) -> Option<&str> {
        self.milestones.last().map(|(_, what)| what.as_str())
    }

    /// The line that stays at the bottom of a terminal.
    pub(super) fn show(&self, waiting_for: &str) {
        if self.on_terminal {
            let last = self.milestones.last().map_or("power on", |(_, what)| what);
            say_raw(&format!("\r\x1b[K[{:4.1} s] {last}; waiting for {waiting_for}", self.secs()));
            let _terminal_gone = std::io::stderr().flush();
        }
    }

    pub(super) fn hide(&self) {
        if self.on_terminal {
            say_raw("\r\x1b[K");
        }
    }

    /// All milestones, one a line.
    pub(super) fn summary(&self) -> String {
        self.milestones.iter().map(|(secs, what)| format!("{secs:6.1} s  {what}\n")).collect()
    }
}

//! Asking the spool: from the oldest record to the newest, one at a time, whether anybody serves or not.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::FOLDER;
use super::line::{self, Entry};
use super::segment::{HOUR_SECS, each_line, list};
use crate::operate::{Error, Result};
use crate::terminal::{escaped, json_escaped};

/// Which records are wanted; what is `None` does not matter.
#[derive(Debug, Default)]
pub struct Filter {
    /// The name of a host, or an address, or a MAC; in letters of either case.
    pub host: Option<String>,
    /// Such as `dhcp`, `tftp`, `syslog`; or the program of a line; in letters of either case.
    pub service: Option<String>,
    /// Microseconds since 1970: from here on, and up to there.
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub grep: Option<Regex>,
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    pub records: usize,
    /// Lines that are no records any more: torn by a crash, or changed.
    pub damaged: usize,
}

/// Calls `each` with every record that is wanted, in the order in which they were kept.
pub fn query(state: &Path, filter: &Filter, mut each: impl FnMut(&Entry) -> ControlFlow<()>) -> Result<Met> {
    let folder = state.join(FOLDER);
    let (mut met, mut stopped) = (Met::default(), false);
    for segment in list(&folder).map_err(|error| failed("read the audit spool", &folder, error))? {
        // A segment has no record of later than its hour.
        let begins = filter.since.map(|since| since.div_euclid(1_000_000 * HOUR_SECS));
        if stopped || begins.is_some_and(|begins| segment.hour < begins) {
            continue;
        }
        let path = folder.join(segment.file());
        let read = each_line(&path, 0, |piece| {
            let Some(entry) = line::read(piece.line) else {
                met.damaged += usize::from(!piece.line.is_empty());
                return ControlFlow::Continue(());
            };
            if !filter.wants(&entry) {
                return ControlFlow::Continue(());
            }
            met.records += 1;
            let next = each(&entry);
            stopped = next.is_break();
            next
        });
        match read {
            // It was let go of meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other.map_err(|error| failed("read", &path, error))?,
        }
    }
    Ok(met)
}

/// Whether there is a spool: one that this user may not see is no missing one.
pub fn is_there(state: &Path) -> Result<bool> {
    let folder = state.join(FOLDER);
    match std::fs::metadata(&folder) {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(failed("read the audit spool", &folder, error)),
    }
}

pub(super) fn failed(step: &'static str, path: &Path, source: std::io::Error) -> Error {
    let path = path.to_owned();
    if source.kind() == ErrorKind::PermissionDenied { Error::Denied { path } } else { Error::Io { step, path, source } }
}

impl Filter {
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        let in_time = self.since.is_none_or(|since| entry.at >= since) && self.until.is_none_or(|until| entry.at < until);
        let is_host = |name: &String| {
            let named = [entry.host(), Some(entry.source()), entry.text("mac"), entry.text("address")];
            named.into_iter().flatten().any(|word| word.eq_ignore_ascii_case(name))
        };
        let is_service = |name: &String| {
            let named = [Some(entry.service()), entry.text("app")];
            named.into_iter().flatten().any(|word| word.eq_ignore_ascii_case(name))
        };
        in_time
            && self.host.as_ref().is_none_or(is_host)
            && self.service.as_ref().is_none_or(is_service)
            && self.grep.as_ref().is_none_or(|pattern| pattern.is_match(&body(entry)))
    }
}

/// A record in one line, for people; nothing from the wire does anything to the terminal.
pub fn text(entry: &Entry) -> String {
    let who = entry.host().unwrap_or_else(|| entry.source());
    format!("{} {} {} {}\n", entry.moment(), escaped(who), escaped(entry.service()), escaped(&body(entry)))
}

/// The same as JSON, for programs; the time is text.
pub fn json(entry: &Entry) -> String {
    let mut object = Map::new();
    object.insert("at".into(), json!(entry.moment()));
    object.insert("host".into(), json!(entry.host()));
    object.insert("source".into(), json!(entry.source()));
    object.insert("service".into(), json!(entry.service()));
    object.insert("event".into(), json!(entry.event));
    let rest = entry.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "owner" | "source" | "service"));
    object.extend(rest.map(|(name, value)| (name.clone(), value.clone())));
    format!("{}\n", json_escaped(&Value::Object(object).to_string()))
}

/// `daemon.info sshd[77]: Accepted …`, or `reservation-granted address=10.77.0.11 mac=…`; as it came, not escaped.
pub fn body(entry: &Entry) -> String {
    let word = |name: &str| entry.text(name).unwrap_or_default();
    if entry.event != "line-logged" {
        let rest = entry.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "owner" | "service"));
        let shown = rest.map(|(name, value)| match value {
            Value::String(text) => format!(" {name}={text}"),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => format!(" {name}={value}"),
        });
        return shown.fold(entry.event.clone(), |all, one| all + &one);
    }
    let app = match (entry.text("app"), entry.text("pid")) {
        (Some(app), Some(pid)) => format!("{app}[{pid}]: "),
        (Some(app), None) => format!("{app}: "),
        (None, _) => String::new(),
    };
    let cut = entry.fields.get("cut").and_then(Value::as_u64).map(|count| format!(" … ({count} bytes more were cut)"));
    format!("{}.{} {app}{}{}", word("facility"), word("severity"), word("text"), cut.unwrap_or_default())
}

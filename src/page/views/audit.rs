//! `/audit`: what happened, searched.

use std::time::{Duration, Instant};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::RegexBuilder;
use serde::Serialize;

use super::super::Failure;
use super::super::route::{PAGES_MAX, Query, encoded};
use super::{Answer, Ask, secs};
use crate::operate::audit::line::Entry;
use crate::operate::audit::newest::{Lines, Newest, newest};
use crate::operate::audit::query::{Filter, body};
use crate::operate::overview::words;
use crate::out::table::Tables;
use crate::terminal::escaped;

/// Records on a page, and how long they are looked for.
const SHOWN: usize = 50;
const LOOK: Duration = Duration::from_secs(5);
/// What a pattern may grow to, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// How far back it is looked where nobody says, and what a form offers: its word, and seconds.
const SPANS: &[(&str, &str, i64)] = &[
    ("1h", "the last hour", 3_600),
    ("1d", "the last day", 86_400),
    ("7d", "the last week", 7 * 86_400),
    ("30d", "the last month", 30 * 86_400),
    ("365d", "the last year", 365 * 86_400),
];

/// A record as a row.
#[derive(Serialize)]
pub(super) struct Line {
    at: i64,
    who: String,
    is_host: bool,
    service: String,
    text: String,
}

impl Line {
    /// The same for whoever reads a host's page: in words, where there are some.
    pub(super) fn told(entry: &Entry, tables: &Tables) -> Line {
        Line { text: escaped(&words::of(entry)), ..Line::of(entry, tables) }
    }

    pub(super) fn of(entry: &Entry, tables: &Tables) -> Line {
        let host = entry.host();
        Line {
            at: secs(entry.at),
            who: escaped(host.unwrap_or_else(|| entry.source())),
            is_host: host.is_some_and(|host| tables.facts.contains_key(host)),
            service: escaped(entry.service()),
            text: escaped(&body(entry)),
        }
    }
}

#[derive(Default, Serialize)]
struct View {
    host: String,
    service: String,
    grep: String,
    since: String,
    until: String,
    spans: Vec<(&'static str, &'static str)>,
    /// What is wrong with what was asked.
    mistake: Option<String>,
    lines: Vec<Line>,
    damaged: usize,
    not_before: Option<i64>,
    /// From the newest on, from 1.
    page: usize,
    newer: Option<String>,
    older: Option<String>,
}

pub(super) fn audit(ask: &Ask<'_>, query: &Query) -> Result<Answer, Failure> {
    let word = |name: &str| query.get(name).cloned().unwrap_or_default();
    let page = word("page").parse().unwrap_or(1).clamp(1, PAGES_MAX);
    let mut view = View {
        host: word("host"),
        service: word("service"),
        grep: word("grep"),
        since: query.get("since").cloned().unwrap_or_else(|| "1d".to_owned()),
        until: word("until"),
        spans: SPANS.iter().map(|(word, about, _)| (*word, *about)).collect(),
        page,
        ..View::default()
    };
    let tables = ask.page.tables();
    match filter(ask, &view) {
        Err(mistake) => view.mistake = Some(mistake),
        Ok(filter) => {
            let found: Newest = newest(ask.state(), &filter, Lines::All, (page - 1) * SHOWN, SHOWN, Instant::now() + LOOK)?;
            view.lines = found.entries.iter().map(|entry| Line::of(entry, &tables)).collect();
            (view.damaged, view.not_before) = (found.damaged, found.not_before.map(secs));
            view.newer = (page > 1).then(|| link(query, page - 1));
            view.older = (found.more && page < PAGES_MAX).then(|| link(query, page + 1));
        }
    }
    ask.html("audit.html", "/audit", &view)
}

/// The same question, another page of its answer.
fn link(query: &Query, page: usize) -> String {
    let known = ["host", "service", "grep", "since", "until"].into_iter();
    let rest: Vec<String> = known.filter_map(|name| Some(format!("{name}={}", encoded(query.get(name)?)))).collect();
    format!("/audit?{}&page={page}", rest.join("&")).replace("?&", "?")
}

fn filter(ask: &Ask<'_>, view: &View) -> Result<Filter, String> {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let zone = TimeZone::get(ask.row.timezone.as_deref().unwrap_or("UTC")).unwrap_or(TimeZone::UTC);
    let ago =
        SPANS.iter().find(|(word, _, _)| *word == view.since).map(|(_, _, secs)| ask.now.as_microsecond() - secs * 1_000_000);
    let pattern = |text: String| {
        let built = RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).case_insensitive(true).build();
        built.map_err(|error| format!("The pattern cannot be read: {error}"))
    };
    Ok(Filter {
        host: some(&view.host).map(|host| mac(&host)),
        service: some(&view.service),
        since: match ago {
            Some(at) => Some(at),
            None => Some(moment(&view.since, &zone, "From")?),
        },
        until: some(&view.until).map(|text| moment(&text, &zone, "Until")).transpose()?,
        grep: some(&view.grep).map(pattern).transpose()?,
    })
}

/// A MAC with colons, as records have it; a name as it is.
fn mac(text: &str) -> String {
    let colons = text.to_ascii_lowercase().replace('-', ":");
    let is_mac = colons.len() == 17 && colons.split(':').count() == 6;
    if is_mac { colons } else { text.to_owned() }
}

/// What an `<input type=datetime-local>` gives, or a day, by the site's clock.
fn moment(text: &str, zone: &TimeZone, field: &str) -> Result<i64, String> {
    let day = || format!("{text}T00:00").parse::<DateTime>();
    let read = text.parse::<DateTime>().or_else(|_| day()).ok();
    let at = read.and_then(|at| zone.to_timestamp(at).ok());
    at.map(|at| at.as_microsecond())
        .ok_or_else(|| format!("{field}: `{text}` is no time: write a day (2026-11-25) or a moment (2026-11-25T07:30)"))
}

//! `/host/NAME`: one host; `/find`: which one was meant.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::super::Failure;
use super::super::markdown::{Block, blocks};
use super::super::route::{Query, encoded};
use super::{Answer, Ask, audit, secs, trends};
use crate::operate::audit::boots::Boots;
use crate::operate::audit::newest::{Lines, Newest, newest};
use crate::operate::audit::query::Filter;
use crate::operate::monitor::seen::{CheckSeen, Seen};
use crate::operate::overview::{HostView, host_view};
use crate::operate::trend::Kind;
use crate::out::table::{FactRow, RUNBOOKS};
use crate::terminal::escaped;

/// How far back boots and lines are looked for, in microseconds, how many records of the host, and how long.
const BACK_MICROS: i64 = 7 * 86_400 * 1_000_000;
const RECORDS_MAX: usize = 2000;
const LOOK: Duration = Duration::from_secs(2);
/// How many of them are shown.
const BOOTS_SHOWN: usize = 5;
const LINES_SHOWN: usize = 12;
/// Hosts that a search shows.
const FOUND_MAX: usize = 100;
/// A runbook is a page or two.
const RUNBOOK_BYTES_MAX: u64 = 256 << 10;

#[derive(Serialize)]
struct View {
    host: HostView,
    facts: FactRow,
    /// AMT, Wake on LAN.
    switched: Vec<&'static str>,
    checks: Vec<CheckSeen>,
    overlay: Option<Overlay>,
    boots: Vec<Value>,
    /// Boots that were found, and are not shown.
    earlier: usize,
    /// Since when they were looked for, where that is not the whole time.
    boots_since: Option<i64>,
    lines_since: Option<i64>,
    lines: Vec<audit::Line>,
    graphs: Vec<trends::Picture>,
    other_zone: Option<String>,
    runbook: Vec<Block>,
}

/// A root of its own, which it may change.
#[derive(Serialize)]
struct Overlay {
    name: String,
    upper: String,
}

pub(super) fn host(ask: &Ask<'_>, name: &str) -> Result<Answer, Failure> {
    let gathered = ask.gathered()?;
    let (Some(host), Some(facts)) = (host_view(&gathered.known(), name), gathered.tables.facts.get(name)) else {
        return ask.missing(
            "There is no such host",
            "The site that is served does not declare it. Search for a part of its name, its address or its MAC.",
        );
    };
    let now = ask.now.as_microsecond();
    let filter = Filter { host: Some(name.to_owned()), since: Some(now - BACK_MICROS), ..Filter::default() };
    let last = newest(ask.state(), &filter, Lines::All, 0, LINES_SHOWN, Instant::now() + LOOK)?;
    let found = newest(ask.state(), &filter, Lines::First, 0, RECORDS_MAX, Instant::now() + LOOK)?;
    let mut boots = Boots::of(name);
    let mut told: Vec<Value> = Vec::new();
    for entry in found.entries.iter().rev() {
        told.extend(boots.add(entry).and_then(|boot| serde_json::from_str(&boot.json(now)).ok()));
    }
    told.extend(boots.last().and_then(|boot| serde_json::from_str(&boot.json(now)).ok()));
    told.reverse();
    told.iter_mut().for_each(tame);
    told.iter_mut().for_each(timed);
    let earlier = told.len().saturating_sub(BOOTS_SHOWN);
    told.truncate(BOOTS_SHOWN);
    let power = gathered.tables.power.get(name);
    let ways = [("Intel AMT", power.is_some_and(|row| row.amt.is_some())), ("Wake on LAN", power.is_some_and(|row| row.wake))];
    let root = gathered.tables.roots.iter().find(|row| row.host == name).and_then(|row| row.overlay.as_ref());
    let view = View {
        facts: facts.clone(),
        switched: ways.into_iter().filter_map(|(way, is_so)| is_so.then_some(way)).collect(),
        checks: checks(gathered.seen.as_ref(), name),
        overlay: root.map(|row| Overlay { name: row.name.clone(), upper: row.upper.clone() }),
        boots: told,
        earlier,
        boots_since: since(&found),
        lines_since: last.not_before.map(secs),
        lines: last.entries.iter().map(|entry| audit::Line::told(entry, &gathered.tables)).collect(),
        graphs: trends::of_host(ask.state(), name, &[Kind::Ping, Kind::Boots, Kind::Cpu, Kind::Memory, Kind::Disk])?,
        other_zone: trends::other_zone(ask),
        runbook: runbook(ask, name),
        host,
    };
    ask.html("host.html", "", &view)
}

/// Where there were more records than are read, or than could be read in time: what is older nobody looked at.
fn since(found: &Newest) -> Option<i64> {
    let oldest = found.entries.last().filter(|_| found.more).map(|entry| entry.at);
    oldest.or(found.not_before).map(secs)
}

/// When it began, in seconds since 1970, for the clock of the site.
fn timed(boot: &mut Value) {
    let begun = boot.get("begun").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    if let Value::Object(fields) = boot {
        fields.insert("at".to_owned(), begun.map_or(0, Timestamp::as_second).into());
    }
}

/// Names from the wire turn no direction of writing.
fn tame(value: &mut Value) {
    match value {
        Value::String(text) => *text = escaped(text),
        Value::Array(all) => all.iter_mut().for_each(tame),
        Value::Object(all) => all.values_mut().for_each(tame),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn checks(seen: Option<&Seen>, host: &str) -> Vec<CheckSeen> {
    seen.into_iter().flat_map(|seen| &seen.checks).filter(|check| check.host == host).cloned().collect()
}

/// Out of the generation that is served; a site may have none.
fn runbook(ask: &Ask<'_>, host: &str) -> Vec<Block> {
    let path = ask.page.handle.out.join(RUNBOOKS).join(format!("{host}.md"));
    let is_small = std::fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= RUNBOOK_BYTES_MAX);
    let text = if is_small { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let mut all = blocks(&text);
    // Its title is that of the page.
    if all.first().is_some_and(|block| block.level == 1) {
        all.remove(0);
    }
    all
}

#[derive(Serialize)]
struct Found<'f> {
    q: &'f str,
    hosts: Vec<&'f FactRow>,
    more: bool,
}

/// A part of a name, an address, a MAC, a group or a tag.
pub(super) fn find(ask: &Ask<'_>, query: &Query) -> Result<Answer, Failure> {
    let q = query.get("q").map(String::as_str).unwrap_or_default();
    let tables = ask.page.tables();
    let wanted = q.to_ascii_lowercase();
    let mac = wanted.replace(['-', '.'], ":");
    if tables.facts.contains_key(&wanted) {
        return Ok(Answer::found(format!("/host/{}", encoded(&wanted))));
    }
    let has = |row: &&FactRow| {
        let address = row.address.is_some_and(|address| address.to_string().contains(&wanted));
        let named = row.groups.iter().chain(&row.tags).chain(&row.profile).any(|name| name.to_ascii_lowercase() == wanted);
        row.host.contains(&wanted) || address || named || row.macs.iter().any(|own| own.contains(&mac))
    };
    let mut hosts: Vec<&FactRow> = tables.facts.values().filter(|_| !wanted.is_empty()).filter(has).take(FOUND_MAX + 1).collect();
    if let [only] = hosts.as_slice() {
        return Ok(Answer::found(format!("/host/{}", encoded(&only.host))));
    }
    let more = hosts.len() > FOUND_MAX;
    hosts.truncate(FOUND_MAX);
    ask.html("find.html", "", &Found { q, hosts, more })
}

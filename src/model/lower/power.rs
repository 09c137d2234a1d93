//! Schedules, holidays, and what hosts and their surroundings say about power.

use std::collections::BTreeMap;

use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{At, Days, Holiday, Holidays, HolidaysOff, Power, Schedule, TimeOfDay, Window};
use crate::syntax::{Entry, Node, Value};

/// How many schedules a site may have, windows a schedule, and holidays a list.
const SCHEDULES_MAX: usize = 256;
const WINDOWS_MAX: usize = 64;
const HOLIDAYS_MAX: usize = 512;

/// What something says about power, by the names of its properties.
pub(super) fn power<'e, 's: 'e>(prop: impl Fn(&str) -> Option<&'e Entry<'s>>) -> Power {
    let is = |name: &str| prop(name).map(|entry| At { value: entry.value == Value::Bool(true), span: entry.value_span });
    Power {
        schedule: prop("schedule").and_then(located),
        amt: prop("amt").and_then(located),
        amt_tls: is("amt-tls"),
        wake: is("wake"),
    }
}

/// By name; the later of two of one name is the mistake.
pub(super) fn schedules(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Schedule> {
    let mut all: BTreeMap<&str, &Node<'_>> = BTreeMap::new();
    for node in nodes {
        let Some(name) = node.title() else { continue };
        if all.len() >= SCHEDULES_MAX {
            limit(node, &format!("more than {SCHEDULES_MAX} schedules"), diags);
            break;
        }
        match all.get(name) {
            Some(first) => diags.push(crate::schema::twice(node, first)),
            None => drop(all.insert(name, node)),
        }
    }
    all.into_iter().map(|(name, node)| schedule(name, node, diags)).collect()
}

fn schedule(name: &str, node: &Node<'_>, diags: &mut Diags) -> Schedule {
    if node.named("power").next().is_none() && !diags.is_lost(name) {
        let diag = Diag::new("schema/missing", node.span, format!("schedule `{name}` never turns anything on"));
        diags.push(diag.help("give it a window: power \"07:30\" \"20:30\" days=\"mon..fri\""));
    }
    if let Some(node) = node.named("power").nth(WINDOWS_MAX) {
        limit(node, &format!("more than {WINDOWS_MAX} windows in one schedule"), diags);
    }
    let off = |node: &Node<'_>, diags: &mut Diags| HolidaysOff { days: days(std::slice::from_ref(node), diags), span: node.span };
    Schedule {
        name: name.to_owned(),
        timezone: node.prop("timezone").and_then(located),
        windows: node.named("power").take(WINDOWS_MAX).filter_map(|node| window(node, diags)).collect(),
        holidays: node.named("holidays").find(|node| is_off(node, diags)).map(|node| off(node, diags)),
        span: node.span,
    }
}

fn is_off(node: &Node<'_>, diags: &mut Diags) -> bool {
    let is_off = node.title() == Some("off");
    if let Some(day) = node.named("day").next().filter(|_| !is_off) {
        let diag = Diag::new("schema/too-many", day.span, "the schedule is on on holidays, so none is needed here");
        diags.push(diag.help("write `holidays off`, or delete the days"));
    }
    is_off
}

fn window(node: &Node<'_>, diags: &mut Diags) -> Option<Window> {
    let (on, off) = (time(node.arg(0)?, diags), time(node.arg(1)?, diags));
    let days = match node.prop("days").map(|entry| (entry, Days::parse(entry.text().unwrap_or_default()))) {
        None => Days::parse("daily").ok(),
        Some((_, Ok(days))) => Some(days),
        Some((entry, Err(part))) => {
            let diag = Diag::new("schedule/bad-day", entry.value_span, format!("`{part}` is no day of the week"));
            diags.push(diag.help("write mon tue wed thu fri sat sun, with `..` for ranges and commas between them: days=\"mon..fri,sun\""));
            None
        }
    };
    let overnight = node.prop("overnight").is_some_and(|entry| entry.value == Value::Bool(true));
    Some(Window { days: days?, on: on?, off: off?, overnight, span: node.span })
}

fn time(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<TimeOfDay>> {
    let text = entry.text()?;
    let found = TimeOfDay::parse(text);
    if found.is_none() {
        let diag = Diag::new("schedule/bad-time", entry.value_span, format!("`{text}` is no time of the day"));
        diags.push(diag.help("write two digits of hours and two of minutes, such as \"07:30\", up to \"24:00\""));
    }
    found.map(|value| At { value, span: entry.value_span })
}

/// All lines of the site add up; of `until` there may be one.
pub(super) fn holidays(nodes: &[Node<'_>], diags: &mut Diags) -> Option<Holidays> {
    let mut until: Option<At<_>> = None;
    for entry in nodes.iter().filter_map(|node| node.prop("until")) {
        let Some(found) = date(entry, diags) else { continue };
        match &until {
            Some(first) if first.value != found.value => {
                let diag = Diag::new("eval/conflict", found.span, format!("the holidays are known until {} here", found.value));
                diags.push(diag.label(first.span, format!("and until {} here", first.value)).help("keep one of them"));
            }
            _ => until = Some(found),
        }
    }
    Some(Holidays { days: days(nodes, diags), until, span: nodes.first()?.span })
}

fn days(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<At<Holiday>> {
    let entries = || nodes.iter().flat_map(|node| node.named("day")).flat_map(|day| day.args().map(move |entry| (day, entry)));
    if let Some((day, _)) = entries().nth(HOLIDAYS_MAX) {
        limit(day, &format!("more than {HOLIDAYS_MAX} holidays"), diags);
    }
    entries().take(HOLIDAYS_MAX).filter_map(|(_, entry)| holiday(entry, diags)).collect()
}

fn limit(node: &Node<'_>, what: &str, diags: &mut Diags) {
    diags.push(Diag::new("eval/limit", node.span, what).help("delete some; FIRST..LAST is one holiday, and days=\"mon..fri\" one window"));
}

fn holiday(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<Holiday>> {
    let text = entry.text()?;
    let found = Holiday::parse(text);
    if found.is_none() {
        let diag = Diag::new("schedule/bad-day", entry.value_span, format!("`{text}` is no day of the calendar"));
        diags.push(diag.help("write \"2027-03-29\", or \"12-25\" for one in each year, or \"12-25..12-26\" for several"));
    }
    found.map(|value| At { value, span: entry.value_span })
}

fn date(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<jiff::civil::Date>> {
    let text = entry.text()?;
    let found = match Holiday::parse(text) {
        Some(Holiday::Once(first, last)) if first == last => Some(first),
        Some(Holiday::Once(..) | Holiday::Yearly(..)) | None => None,
    };
    if found.is_none() {
        let diag = Diag::new("schedule/bad-day", entry.value_span, format!("`{text}` is no day of the calendar"));
        diags.push(diag.help("write year, month and day: \"2027-12-31\""));
    }
    found.map(|value| At { value, span: entry.value_span })
}

//! Power: what switches a host, which schedule it has, and when a schedule turns machines on and off.

use std::collections::BTreeSet;

use super::hosts::set;
use super::side::{Host, Side, Touched};
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{AmtRow, PowerRow, ScheduleRow, WindowRow};

/// What a host that came or went has.
pub(super) fn values(host: &Host) -> Vec<(&'static str, String)> {
    let of_row = |row: &PowerRow| {
        let amt = row.amt.as_ref().map(|amt| ("AMT", described(amt)));
        let wake = row.wake.then(|| ("Wake on LAN", woken(row)));
        let schedule = row.schedule.clone().map(|schedule| ("schedule", schedule));
        [schedule, amt, wake].into_iter().flatten().collect::<Vec<_>>()
    };
    host.power.iter().flat_map(of_row).collect()
}

fn described(amt: &AmtRow) -> String {
    let tls = if amt.tls { " with TLS" } else { "" };
    format!("port {}{tls}, {}'s password in {}", amt.port, amt.user, amt.password_file)
}

fn woken(row: &PowerRow) -> String {
    row.broadcast.map_or_else(|| "at every NIC".to_owned(), |address| format!("at {address}"))
}

/// What two hosts that are one have in common with others.
pub(super) fn facts(old: &Host, new: &Host) -> Vec<Fact> {
    let (was, is) = (values(old), values(new));
    let names: BTreeSet<&'static str> = was.iter().chain(&is).map(|(name, _)| *name).collect();
    let of = |all: &[(&'static str, String)], name: &str| {
        all.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let selectors = |host: &Host| host.power.iter().flat_map(|row| row.selectors.iter().cloned()).collect::<BTreeSet<_>>();
    let [was_in, is_in] = [old, new].map(|host| selectors(host).into_iter().collect::<Vec<_>>());
    let told = names.into_iter().flat_map(|name| set(name, &of(&was, name), &of(&is, name), String::clone));
    // By which commands reach it; who came or went has them all.
    let both = !old.power.is_empty() && !new.power.is_empty();
    told.chain(set("selector", &was_in, &is_in, String::clone).into_iter().filter(|_| both)).collect()
}

/// Schedules that differ, and whose machines turn on and off otherwise.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, touched: &mut Touched) -> Vec<Change> {
    let names: BTreeSet<&String> = old.schedules.keys().chain(new.schedules.keys()).collect();
    let change = |name: &String| {
        let (action, facts) = match (old.schedules.get(name), new.schedules.get(name)) {
            (Some(was), Some(is)) if was == is => return None,
            (Some(was), Some(is)) => (Action::Changed, differences(was, is)),
            (None, Some(row)) => (Action::Added, whole(row)),
            (Some(row), None) => {
                (Action::Removed, whole(row).into_iter().map(|fact| Fact { from: fact.to, to: None, ..fact }).collect())
            }
            (None, None) => return None,
        };
        let has_it = |host: &Host| host.power.iter().any(|row| row.schedule.as_ref() == Some(name));
        let places = || new.hosts.iter().enumerate().filter(|(_, host)| has_it(host)).map(|(at, _)| at).collect();
        let reach = if action == Action::Changed { new.reach(places(), Vec::new(), false, touched) } else { Reach::default() };
        let subjects = vec![Subject { name: name.clone(), facts: Vec::new() }];
        Some(Change { area: Area::Schedules, action, when: [When::Now].into(), facts, subjects, reach })
    };
    names.into_iter().filter_map(change).collect()
}

fn whole(row: &ScheduleRow) -> Vec<Fact> {
    let windows = row.windows.iter().map(|window| Fact::new("window", None, Some(shown(window))));
    let holidays = row.holidays.iter().map(|day| Fact::new("holiday", None, Some(day.clone())));
    let until = row.holidays_until.clone().map(|until| Fact::new("holidays known until", None, Some(until)));
    let zone = Fact::new("timezone", None, Some(row.timezone.clone()));
    windows.chain(holidays).chain(until).chain([zone]).collect()
}

fn differences(old: &ScheduleRow, new: &ScheduleRow) -> Vec<Fact> {
    let mut facts = Vec::new();
    // Windows of the same days are the same one, where there is one on each side.
    let gone: Vec<&WindowRow> = old.windows.iter().filter(|window| !new.windows.contains(window)).collect();
    let mut come: Vec<&WindowRow> = new.windows.iter().filter(|window| !old.windows.contains(window)).collect();
    for was in &gone {
        let same = |window: &&WindowRow| window.days == was.days;
        let alone = gone.iter().filter(|window| same(window)).count() == 1 && come.iter().filter(|window| same(window)).count() == 1;
        match come.iter().position(same).filter(|_| alone).map(|at| come.remove(at)) {
            Some(is) => facts.extend(moved(was, is)),
            None => facts.push(Fact::new("window", Some(shown(was)), None)),
        }
    }
    facts.extend(come.into_iter().map(|window| Fact::new("window", None, Some(shown(window)))));
    let sorted = |days: &[String]| days.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    facts.extend(set("holiday", &sorted(&old.holidays), &sorted(&new.holidays), String::clone));
    if old.holidays_until != new.holidays_until {
        facts.push(Fact::new("holidays known until", old.holidays_until.clone(), new.holidays_until.clone()));
    }
    if old.timezone != new.timezone {
        facts.push(Fact::new("timezone", Some(old.timezone.clone()), Some(new.timezone.clone())));
    }
    if facts.is_empty() {
        facts.push(Fact::new("order", None, None));
    }
    facts
}

/// A window whose times are others.
fn moved(was: &WindowRow, is: &WindowRow) -> Vec<Fact> {
    let off = |window: &WindowRow| format!("{}{}", window.off, if window.overnight { " of the next day" } else { "" });
    let times = [("turns on", was.on.clone(), is.on.clone()), ("turns off", off(was), off(is))];
    let differ = times.into_iter().filter(|(_, from, to)| from != to);
    differ.map(|(name, from, to)| Fact { of: Some(days(&was.days)), ..Fact::new(name, Some(from), Some(to)) }).collect()
}

/// `mon..fri 07:30–20:30`
fn shown(window: &WindowRow) -> String {
    let overnight = if window.overnight { " of the next day" } else { "" };
    format!("{} {}–{}{overnight}", days(&window.days), window.on, window.off)
}

/// Days of the week as an author would write them.
fn days(names: &[String]) -> String {
    const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let has = |day: &&str| names.iter().any(|name| name == day);
    if names.len() > WEEK.len() || names.iter().any(|name| !WEEK.contains(&name.as_str())) {
        return names.join(",");
    }
    if WEEK.iter().all(has) {
        return "daily".to_owned();
    }
    let runs = WEEK.chunk_by(|a, b| has(a) == has(b)).filter(|run| run.iter().all(has));
    let run = |run: &[&str]| match run {
        [first, .., last] if run.len() > 2 => format!("{first}..{last}"),
        _ => run.join(","),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}

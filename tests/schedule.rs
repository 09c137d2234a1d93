//! When machines turn on and off: ten years in six zones against another's arithmetic, and each edge once.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use pxelator::answer::power::{Action, Edge, Schedule, is_ahead};
use pxelator::compile;
use pxelator::out::table::{SCHEDULES, ScheduleRow, rows};

use crate::harness::{ROOT, have, inputs};
use crate::noise::Dice;

/// Half an hour of summer time, a zone at 45 minutes, a summer time that ends for Ramadan, and one that
/// began at midnight: what calendars get wrong.
const ZONES: [&str; 6] =
    ["Europe/Zagreb", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "America/Sao_Paulo"];

/// Windows that end in gaps, begin in hours that come twice, touch each other, and cross midnight.
const WINDOWS: [&str; 3] = [
    "power \"07:30\" \"12:00\" days=\"mon..fri\"; power \"12:00\" \"20:30\" days=\"mon,wed..fri\"; holidays off",
    "power \"22:00\" \"02:15\" days=\"sat\" overnight=#true; power \"02:15\" \"03:30\" days=\"sun\"; power \"00:00\" \"00:30\" days=\"wed\"",
    "power \"18:30\" \"24:00\" days=\"fri..sun\"; power \"00:00\" \"01:45\"; power \"02:30\" \"03:15\"; holidays off",
];

fn schedules() -> BTreeMap<String, ScheduleRow> {
    let mut site = "site s\nsecret a file=\"/a\"\nnetwork n \"10.0.0.0/24\" {\n".to_owned();
    let mut more =
        "holidays until=\"2030-12-31\" { day \"12-24..01-01\" \"02-29\" \"2021-04-05\" \"2024-10-04..2024-10-07\" }\n".to_owned();
    for (zone, windows, n) in
        ZONES.iter().enumerate().flat_map(|(at, zone)| WINDOWS.iter().enumerate().map(move |(n, w)| (zone, w, at * 3 + n)))
    {
        site += &format!("host h{n} {} amt=a schedule=s{n}\n", n + 1);
        more += &format!("schedule s{n} timezone=\"{zone}\" {{ {windows} }}\n");
    }
    tables(&format!("{site}}}\n{more}"))
}

/// The schedules of a site, by name.
fn tables(site: &str) -> BTreeMap<String, ScheduleRow> {
    let compiled = compile(inputs(site), "site.kdl");
    let findings: Vec<_> = compiled.diags.iter().map(|diag| &diag.message).collect();
    let tree = compiled.tree.unwrap_or_else(|| panic!("{findings:?}"));
    let files = [(SCHEDULES.to_owned(), tree.get(SCHEDULES).unwrap().bytes().to_vec())].into();
    rows::<ScheduleRow>(&files, SCHEDULES).unwrap().into_iter().map(|row| (row.schedule.clone(), row)).collect()
}

fn one(lines: &str) -> Schedule {
    let host = "secret a file=\"/a\"\nnetwork n \"10.0.0.0/24\" { host h 5 amt=a schedule=s }";
    let site = format!("site s timezone=\"Europe/Zagreb\"\n{host}\n{lines}");
    Schedule::read(&tables(&site)["s"]).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn first() -> Timestamp {
    at("2015-01-01T00:00:00Z")
}

fn last() -> Timestamp {
    at("2025-01-01T00:00:00Z")
}

/// Local time and action, of the days from one to another.
fn told(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let edges = schedule.edges(at(&format!("{from}T00:00:00Z")), at(&format!("{to}T00:00:00Z")));
    edges
        .iter()
        .map(|edge| format!("{} {} {}", schedule.local(edge.at), edge.at.as_second() % 86_400 / 60, edge.action.name()))
        .collect()
}

/// What Python's zoneinfo and the clock on the wall say.
fn oracle(rows: &BTreeMap<String, ScheduleRow>) -> BTreeMap<String, Vec<Edge>> {
    let mut python = Command::new("python3")
        .arg(format!("{ROOT}/tests/schedule/oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = rows.values().map(|row| pxelator::out::table::json(row) + "\n").collect();
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut all: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let action = if words[2] == "on" { Action::On } else { Action::Off };
        let edge = Edge { at: Timestamp::from_second(words[1].parse().unwrap()).unwrap(), action };
        all.entry(words[0].to_owned()).or_default().push(edge);
    }
    all
}

#[test]
fn the_edges_of_ten_years_are_those_of_the_clock_on_the_wall() {
    if !have(&["python3"]) {
        return;
    }
    let rows = schedules();
    let wanted = oracle(&rows);
    assert_eq!(wanted.len(), ZONES.len() * WINDOWS.len());
    let mut dice = Dice(5);
    for (name, row) in &rows {
        let schedule = Schedule::read(row).unwrap();
        let found = schedule.edges(first(), last());
        let wrong = found.iter().zip(&wanted[name]).find(|(found, wanted)| found != wanted);
        assert_eq!(wrong, None, "{name} in {}", row.timezone);
        assert_eq!(found.len(), wanted[name].len(), "{name} in {}", row.timezone);
        assert!(found.len() > 1000, "{name}: {}", found.len());
        // The same in pieces: none is lost or doubled where one ends and the next begins, even on an edge.
        let (mut pieces, mut from) = (Vec::new(), first());
        while from < last() {
            let on_an_edge = found.iter().map(|edge| edge.at).find(|at| *at > from).filter(|_| dice.below(2) == 0);
            let to = on_an_edge.unwrap_or(from + jiff::SignedDuration::from_secs(dice.below(20 * 86_400) as i64 + 1)).min(last());
            pieces.extend(schedule.edges(from, to));
            from = to;
        }
        assert_eq!(pieces, found, "{name} in {}", row.timezone);
    }
}

/// Asks what is due at irregular moments for ten years, and carries it out; what is kept is the time of the
/// last edge, written down and read again, so each step is a restart too.
fn walk(row: &ScheduleRow, longest_secs: usize, seed: u64) -> Vec<Edge> {
    let mut dice = Dice(seed);
    let schedule = Schedule::read(row).unwrap();
    let (mut kept, mut now, mut carried_out) = (first().to_string(), first(), Vec::new());
    while now < last() {
        now += jiff::SignedDuration::from_secs(dice.below(longest_secs) as i64 + 1);
        if let Some(edge) = schedule.due(Some(at(&kept)), now.min(last())) {
            assert!(edge.at <= now, "{edge:?} is not yet, at {now}");
            assert_eq!(schedule.due(Some(edge.at), now.min(last())), None, "nothing is done twice");
            carried_out.push(edge);
            kept = edge.at.to_string();
        }
    }
    carried_out
}

#[test]
fn each_edge_of_ten_years_is_carried_out_once() {
    for (name, row) in &schedules() {
        let edges = Schedule::read(row).unwrap().edges(first(), last());
        // No two edges of these schedules lie nearer to each other than 15 minutes.
        assert!(edges.windows(2).all(|pair| pair[1].at.duration_since(pair[0].at).as_secs() >= 900), "{name}");
    }
    // One of each kind of windows, each in two zones, for the walk takes half a million steps.
    let rows = schedules();
    for name in ["s0", "s4", "s8", "s11", "s15", "s16"] {
        let edges = Schedule::read(&rows[name]).unwrap().edges(first(), last());
        assert_eq!(walk(&rows[name], 900, 7), edges, "{name}");
    }
}

#[test]
fn of_missed_edges_the_newest_is_carried_out() {
    for (name, row) in &schedules() {
        let schedule = Schedule::read(row).unwrap();
        let edges = schedule.edges(first(), last());
        let done = walk(row, 6 * 86_400, 11);
        assert!(done.len() * 2 < edges.len() && done.len() > 300, "{name}: {} of {}", done.len(), edges.len());
        assert!(done.iter().all(|edge| edges.contains(edge)), "{name}");
        // After each, machines are what the schedule wants.
        assert!(done.iter().all(|edge| schedule.wanted(edge.at) == edge.action), "{name}");
    }
}

#[test]
fn what_is_wanted_between_edges_is_what_the_last_one_did() {
    let mut dice = Dice(3);
    for (name, row) in &schedules() {
        let schedule = Schedule::read(row).unwrap();
        for _ in 0..200 {
            let now = Timestamp::from_second(first().as_second() + dice.below(3600 * 24 * 3650) as i64).unwrap();
            let newest = schedule.newest(now).unwrap();
            assert_eq!(schedule.wanted(now), newest.action, "{name} at {now}");
            let next = schedule.next(now).unwrap();
            assert!(newest.at <= now && now < next.at && newest.action != next.action, "{name} at {now}");
            assert_eq!(schedule.edges(newest.at, next.at), [next], "{name} at {now}");
        }
    }
}

#[test]
fn clocks_that_change_move_no_edge_twice() {
    // In Zagreb 02:00 becomes 03:00 on 28 March 2027, and 03:00 becomes 02:00 on 31 October.
    let night = one("schedule s { power \"02:30\" \"05:00\" }");
    assert_eq!(told(&night, "2027-03-28", "2027-03-29"), ["2027-03-28T03:00:00 60 on", "2027-03-28T05:00:00 180 off"]);
    assert_eq!(told(&night, "2027-10-31", "2027-11-01"), ["2027-10-31T02:30:00 30 on", "2027-10-31T05:00:00 240 off"]);
    // A window that lies in the hour that is left out does not take place.
    let short = one("schedule s { power \"02:15\" \"02:45\" days=\"sun\" }");
    assert_eq!(told(&short, "2027-03-27", "2027-03-29"), [""; 0]);
    assert_eq!(told(&short, "2027-10-30", "2027-11-01"), ["2027-10-31T02:15:00 15 on", "2027-10-31T02:45:00 45 off"]);
}

#[test]
fn a_holiday_begins_no_window_and_ends_those_of_the_day_before() {
    let bar = one(
        "schedule s { power \"18:00\" \"02:00\" overnight=#true; holidays off }\nholidays until=\"2027-12-31\" { day \"2027-04-05\" }",
    );
    let wanted = ["2027-04-04T18:00:00 960 on", "2027-04-05T02:00:00 0 off", "2027-04-06T18:00:00 960 on"];
    assert_eq!(told(&bar, "2027-04-04", "2027-04-06"), wanted[..2]);
    assert_eq!(told(&bar, "2027-04-05", "2027-04-06"), [""; 0]);
    assert_eq!(told(&bar, "2027-04-06", "2027-04-07")[..1], wanted[2..]);
    assert_eq!(bar.wanted(at("2027-04-05T18:00:00Z")), Action::Off);
    assert_eq!(bar.holidays_ended(at("2027-12-31T22:59:00Z")), None, "the last hour of that day in Zagreb");
    assert_eq!(bar.holidays_ended(at("2027-12-31T23:00:00Z")).unwrap().to_string(), "2027-12-31");
}

#[test]
fn windows_that_touch_are_one() {
    let twice = one("schedule s { power \"07:00\" \"12:00\"; power \"12:00\" \"24:00\"; power \"00:00\" \"01:00\" }");
    assert_eq!(told(&twice, "2027-01-05", "2027-01-06"), ["2027-01-05T07:00:00 360 on", "2027-01-06T01:00:00 0 off"]);
    let always = one("schedule s { power \"00:00\" \"24:00\" }");
    let now = at("2027-01-05T12:00:00Z");
    assert_eq!((always.wanted(now), always.due(None, now), always.next(now)), (Action::On, None, None));
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing() {
    let opening = one("schedule s { power \"07:30\" \"20:30\" }");
    let (morning, noon) = (at("2027-01-05T06:30:00Z"), at("2027-01-05T11:00:00Z"));
    let on = Some(Edge { at: morning, action: Action::On });
    assert_eq!(opening.due(None, noon), on, "a new server does what the newest edge says");
    assert_eq!(opening.due(Some(at("2027-01-04T19:30:00Z")), noon), on);
    assert_eq!(opening.due(Some(morning), at("2027-01-05T06:29:00Z")), None);
    assert_eq!(opening.due(Some(at("2027-01-05T19:30:00Z")), noon), None);
    assert_eq!(
        opening.due(Some(at("2099-01-01T06:30:00Z")), noon),
        None,
        "one of the two clocks was wrong, and nobody knows which"
    );
    assert_eq!([at("2027-01-06T11:00:00Z"), at("2027-01-06T11:00:01Z")].map(|done| is_ahead(done, noon)), [false, true]);
}

#[test]
fn a_row_that_nobody_writes_is_told_with_its_schedule() {
    let site = "site s timezone=\"Europe/Zagreb\"\nsecret a file=\"/a\"\nnetwork n \"10.0.0.0/24\" { host h 5 amt=a schedule=s }\nschedule s { power \"07:30\" \"20:30\" }";
    let row = &tables(site)["s"];
    let wrong = |change: fn(&mut ScheduleRow)| {
        let mut row = row.clone();
        change(&mut row);
        Schedule::read(&row).unwrap_err().to_string()
    };
    assert_eq!(wrong(|row| row.timezone = "Mars/Base".into()), "schedule `s`: `Mars/Base` is no time zone");
    assert_eq!(wrong(|row| row.windows[0].on = "7:30".into()), "schedule `s`: `7:30` is no time of the day");
    assert_eq!(wrong(|row| row.windows[0].days[0] = "Montag".into()), "schedule `s`: `Montag` is no day of the week");
    assert_eq!(wrong(|row| row.holidays = vec!["easter".into()]), "schedule `s`: `easter` is no holiday");
    assert_eq!(wrong(|row| row.holidays_until = Some("soon".into())), "schedule `s`: `soon` is no date");
}

//! A week, an hour at a time and a minute at a time, without waiting for it; rrdtool is the judge.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::gather::Figure;
use super::keep::Keeper;
use super::{Format, Graph, STEP_SECS, Series, figures, graph, list};

/// Monday, 2026-11-16, midnight UTC.
const MONDAY: i64 = 1_794_787_200;
const DAY: i64 = 86_400;
const KEEP: u64 = 730 * 86_400;

struct State(PathBuf);

impl State {
    fn new(name: &str) -> State {
        let folder = std::env::temp_dir().join(format!("trends-{name}-{}", std::process::id()));
        let _of_an_earlier_run = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        State(folder)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0);
    }
}

/// Minutes by two clocks: one that may be set, and one that nobody sets.
struct Minutes {
    keeper: Keeper,
    at: Instant,
}

impl Minutes {
    fn new(state: &State) -> Minutes {
        Minutes { keeper: Keeper::new(&state.0), at: Instant::now() }
    }

    /// A minute later, by a clock that says `now`.
    fn keep(&mut self, now: i64, figures: &[Figure]) {
        self.at += Duration::from_secs(STEP_SECS);
        self.keeper.keep(self.at, now, KEEP, figures);
    }
}

fn series(text: &str) -> Series {
    Series::parse(text).unwrap()
}

fn figure(text: &str, values: &[f64]) -> Figure {
    Figure { series: series(text), values: values.iter().map(|value| Some(*value)).collect() }
}

/// Leases at a minute of the week: people come at half past seven, and are fewer on Saturdays.
fn leases(at: i64) -> f64 {
    let (day, minute) = ((at - MONDAY) / DAY, (at - MONDAY) % DAY / 60);
    let most = [60.0, 64.0, 58.0, 66.0, 52.0, 20.0, 3.0].get(usize::try_from(day).unwrap()).copied().unwrap_or(0.0);
    match minute {
        450..1230 => most * (1.0 - ((minute - 840) as f64 / 420.0).powi(4)).max(0.1),
        _ => 2.0,
    }
    .round()
}

/// A week in `state`; gives the mean of the leases and how often DNS was asked in all.
fn week(state: &State) -> (f64, u64) {
    let mut minutes = Minutes::new(state);
    let (mut sum, mut asked, mut count) = (0.0, 0_u64, 0.0);
    for at in (MONDAY..MONDAY + 7 * DAY).step_by(STEP_SECS as usize) {
        let used = leases(at);
        asked += used as u64 * 60;
        let ping = 0.4 + used / 100.0;
        let mut now =
            vec![figure("leases/lan", &[used, 100.0]), figure("requests/dns", &[asked as f64]), figure("ping/nas", &[ping])];
        if at % DAY == 7 * 3600 + 1800 {
            now.push(figure("boots/kiosk-01", &[31.0 + (at / DAY % 3) as f64]));
        }
        minutes.keep(at, &now);
        sum += used;
        count += 1.0;
    }
    (sum / count, asked)
}

fn rrdtool(args: &[&str]) -> String {
    let run = Command::new("rrdtool").args(args).output().expect("rrdtool is there: make deps installs it");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_week_is_what_rrdtool_reads_and_a_picture_says_it() {
    let state = State::new("week");
    let (mean, _) = week(&state);
    assert_eq!(
        list(&state.0).unwrap().iter().map(Series::to_string).collect::<Vec<_>>(),
        ["leases/lan", "requests/dns", "boots/kiosk-01", "ping/nas"]
    );
    // The means of an hour, by another reader.
    let file = state.0.join("trends/leases/lan.rrd");
    let text = rrdtool(&[
        "fetch",
        file.to_str().unwrap(),
        "AVERAGE",
        "-r",
        "3600",
        "-s",
        &MONDAY.to_string(),
        "-e",
        &(MONDAY + 7 * DAY - 3600).to_string(),
    ]);
    let values: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split_once(": ")?.1.split(' ').next()?.parse().ok())
        .filter(|value: &f64| value.is_finite())
        .collect();
    assert!(values.len() >= 166, "{text}");
    let read = values.iter().sum::<f64>() / values.len() as f64;
    assert!((read - mean).abs() < 0.5, "rrdtool reads a mean of {read}, and it is {mean}");
    // Ours agrees: at noon on Thursday.
    let noon = MONDAY + 3 * DAY + 12 * 3600;
    let ours = figures(&state.0, &series("leases/lan"), noon, noon + 3600).unwrap();
    assert!(
        ours.iter()
            .all(|row| row.values[0].is_some_and(|used| (used - leases(noon)).abs() < 4.0) && row.values[1] == Some(100.0)),
        "{ours:?}"
    );
    let boots = figures(&state.0, &series("boots/kiosk-01"), MONDAY, MONDAY + 7 * DAY).unwrap();
    assert_eq!(boots.iter().filter(|row| row.values[0].is_some()).count(), 7, "a boot each morning");
    let wanted = Graph {
        series: vec![series("leases/lan")],
        from: MONDAY,
        to: MONDAY + 7 * DAY,
        width: 900,
        height: 300,
        format: Format::Svg,
        dark: false,
    };
    let svg = String::from_utf8(graph(&state.0, &wanted).unwrap()).unwrap();
    assert!(svg.starts_with("<?xml") && svg.len() > 20_000, "{} bytes", svg.len());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/photographs");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, names, dark) in [
        ("leases", "leases/lan", false),
        ("leases-dark", "leases/lan", true),
        ("requests", "requests/dns", false),
        ("boots", "boots/kiosk-01", false),
        ("ping-dark", "ping/nas", true),
    ] {
        let wanted = Graph { series: vec![series(names)], format: Format::Png, dark, ..wanted.clone() };
        let png = graph(&state.0, &wanted).unwrap();
        // The size stands in the first chunk of a PNG.
        assert_eq!((&png[..8], &png[16..24]), (b"\x89PNG\r\n\x1a\n".as_slice(), [0, 0, 3, 132, 0, 0, 1, 44].as_slice()));
        std::fs::write(folder.join(format!("trend-{name}.png")), png).unwrap();
    }
}

#[test]
fn a_counter_that_begins_anew_is_no_spike() {
    let state = State::new("restart");
    let mut minutes = Minutes::new(&state);
    let count = |minute: i64| if minute < 10 { 1_000_000 + minute * 60 } else { (minute - 10) * 60 };
    for minute in 0..20 {
        minutes.keep(MONDAY + minute * 60, &[figure("requests/dns", &[count(minute) as f64])]);
    }
    let rows = figures(&state.0, &series("requests/dns"), MONDAY, MONDAY + 20 * 60).unwrap();
    let known: Vec<f64> = rows.iter().filter_map(|row| row.values[0]).collect();
    assert!(known.len() >= 16 && known.iter().all(|rate| (rate - 1.0).abs() < 0.01), "{known:?}");
}

#[test]
fn a_clock_that_is_wrong_for_a_moment_changes_no_file() {
    let state = State::new("clock");
    let file = state.0.join("trends/leases/lan.rrd");
    let last = || super::archive::last(&file).unwrap() - MONDAY;
    let (mut minutes, value) = (Minutes::new(&state), [figure("leases/lan", &[5.0, 9.0])]);
    for at in [0, 60, 120, 60, 120, 180] {
        minutes.keep(MONDAY + at, &value);
    }
    assert_eq!(last(), 180, "nothing is written twice");
    // Decades ahead for a minute, and back: as a clock without a battery, or with a typing error.
    let before = std::fs::read(&file).unwrap();
    minutes.keep(MONDAY + 73 * 365 * DAY, &value);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    minutes.keep(MONDAY + 300, &value);
    assert_eq!(last(), 300);
    // In 1970 after a restart, for some minutes.
    let before = std::fs::read(&file).unwrap();
    let mut minutes = Minutes::new(&state);
    (0..10).for_each(|minute| minutes.keep(minute * 60, &value));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    minutes.keep(MONDAY + 960, &value);
    assert_eq!((last(), std::fs::read_dir(file.parent().unwrap()).unwrap().count()), (960, 1), "nothing lies aside");
    // A server that stood still for a week goes on when its clock has run evenly for an hour.
    let mut minutes = Minutes::new(&state);
    let back = |minute: i64| MONDAY + 7 * DAY + minute * 60;
    (0..60).for_each(|minute| minutes.keep(back(minute), &value));
    assert_eq!(last(), 960);
    (60..63).for_each(|minute| minutes.keep(back(minute), &value));
    assert_eq!(last(), back(62) - MONDAY);
}

#[test]
fn a_future_that_did_not_come_is_set_aside_beside_what_was() {
    let state = State::new("future");
    let folder = state.0.join("trends/leases");
    let value = |used: f64| [figure("leases/lan", &[used, 9.0])];
    for round in 0..2 {
        // It began with a clock that was wrong, which nothing told.
        let _of_the_round_before = std::fs::remove_file(folder.join("lan.rrd"));
        let mut minutes = Minutes::new(&state);
        (0..3).for_each(|minute| minutes.keep(MONDAY + 365 * DAY + minute * 60, &value(f64::from(round))));
        (0..60).for_each(|minute| minutes.keep(MONDAY + minute * 60, &value(7.0)));
        assert_eq!(super::archive::last(&folder.join("lan.rrd")).unwrap(), MONDAY + 365 * DAY + 120);
        (60..63).for_each(|minute| minutes.keep(MONDAY + minute * 60, &value(7.0)));
        assert_eq!(super::archive::last(&folder.join("lan.rrd")).unwrap(), MONDAY + 62 * 60);
    }
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lan.rrd", "lan.rrd.ahead", "lan.rrd.ahead.2"], "none is written over");
    assert_eq!(list(&state.0).unwrap().len(), 1, "what is set aside is no series");
}

#[test]
fn a_damaged_file_is_set_aside_and_begun_anew() {
    let state = State::new("damaged");
    let file = state.0.join("trends/ping/nas.rrd");
    let mut minutes = Minutes::new(&state);
    minutes.keep(MONDAY, &[figure("ping/nas", &[1.0])]);
    std::fs::write(&file, "no database").unwrap();
    // The round that meets it fails, and the next one mends it.
    (1..4).for_each(|minute| minutes.keep(MONDAY + minute * 60, &[figure("ping/nas", &[1.0])]));
    assert_eq!(std::fs::read_to_string(state.0.join("trends/ping/nas.rrd.damaged")).unwrap(), "no database");
    assert_eq!(super::archive::last(&file).unwrap(), MONDAY + 180);
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let state = State::new("asked");
    let mut minutes = Minutes::new(&state);
    (0..3)
        .for_each(|minute| minutes.keep(MONDAY + minute * 60, &[figure("ping/nas", &[1.0]), figure("leases/lan", &[1.0, 2.0])]));
    let wanted = |names: &[&str], width: u32| {
        let graph = Graph {
            series: names.iter().map(|name| series(name)).collect(),
            from: MONDAY,
            to: MONDAY + 180,
            width,
            height: 200,
            format: Format::Png,
            dark: false,
        };
        super::graph(&state.0, &graph).map(|png| png.len()).map_err(|error| error.to_string())
    };
    assert!(wanted(&["ping/nas"], 600).unwrap() > 1000);
    assert_eq!(
        wanted(&["ping/nas", "leases/lan"], 600).unwrap_err(),
        "ping/nas is in ms and leases/lan in addresses: draw them one by one"
    );
    assert_eq!(wanted(&["ping/nas"], 5000).unwrap_err(), "a picture of 5000 × 200 pixels: each side has 100 to 4000");
    assert_eq!(wanted(&[], 600).unwrap_err(), "name a series to draw");
    assert!(wanted(&["ping/other"], 600).unwrap_err().starts_with("cannot read "));
}

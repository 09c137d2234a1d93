//! A schedule and a moment → what machines should do: when they turn on and off, and what is due now.
//!
//! ```text
//!  windows of the calendar ──zone──► intervals of real time ──joined──► edges: on, off, on, off, …
//! ```
//! A schedule is a set of intervals in which machines are on; an edge is an end of one. Windows that touch
//! are one interval, so nothing goes off and on in the same moment.
//!
//! A time that a change of clocks leaves out (02:30, where clocks go from 02:00 to 03:00) is the moment of
//! the change; of a time that comes twice the first one counts. A window that begins on a holiday does not
//! take place; one that began on the day before ends as always.
//!
//! **Invariant:** the time comes in; edges are a function of the row and nothing else, so a restart neither
//! repeats nor forgets one.

mod calendar;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use self::calendar::{Holidays, Window};
use crate::out::table::ScheduleRow;

/// What a schedule wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    On,
    Off,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::On => "on",
            Action::Off => "off",
        }
    }
}

/// A moment at which machines turn on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub at: Timestamp,
    pub action: Action,
}

/// A row that no build of ours writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule `{schedule}`: {what}")]
pub struct Unreadable {
    pub schedule: String,
    pub what: String,
}

/// A schedule, read from its row once.
#[derive(Clone, Debug)]
pub struct Schedule {
    zone: TimeZone,
    windows: Vec<Window>,
    holidays: Holidays,
    holidays_until: Option<Date>,
}

/// A window is at most a day long, and a zone may leave out a whole day.
const REACH_DAYS: i64 = 3;
/// How far back the newest edge is looked for, and how far ahead the next one.
const SEARCH_DAYS: i64 = 800;
/// A clock that is behind what was done by more is a wrong one, and so is one that jumps by more.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// On from the first to the second.
type Interval = (Timestamp, Timestamp);

impl Schedule {
    pub fn read(row: &ScheduleRow) -> Result<Schedule, Unreadable> {
        let bad = |what: String| Unreadable { schedule: row.schedule.clone(), what };
        let zone = TimeZone::get(&row.timezone).map_err(|_| bad(format!("`{}` is no time zone", row.timezone)))?;
        let windows = row.windows.iter().map(Window::read).collect::<Result<_, _>>().map_err(bad)?;
        let holidays = Holidays::read(&row.holidays).map_err(bad)?;
        let until = |text: &String| text.parse().map_err(|_| bad(format!("`{text}` is no date")));
        let holidays_until = row.holidays_until.as_ref().map(until).transpose()?;
        Ok(Schedule { zone, windows, holidays, holidays_until })
    }

    /// The edges after `from`, up to and including `to`, in order.
    pub fn edges(&self, from: Timestamp, to: Timestamp) -> Vec<Edge> {
        let ends = self.intervals(from, to).into_iter().flat_map(|(on, off)| {
            [Edge { at: on, action: Action::On }, Edge { at: off, action: Action::Off }]
        });
        ends.filter(|edge| from < edge.at && edge.at <= to).collect()
    }

    /// What must be done now, where the edge at `done` was carried out last: the newest edge since then, for
    /// missed ones are no use any more. `None` where nothing is due, as long as `done` lies ahead of `now`: a
    /// machine that starts with a clock of 2020 switches nothing until its clock is right.
    ///
    /// Whoever carries it out keeps the edge's own `at` as the next `done`.
    pub fn due(&self, done: Option<Timestamp>, now: Timestamp) -> Option<Edge> {
        self.newest(now).filter(|edge| done.is_none_or(|done| done < edge.at))
    }

    /// The newest edge up to and including `now`.
    pub fn newest(&self, now: Timestamp) -> Option<Edge> {
        spans().find_map(|days| self.edges(later(now, -days), now).pop())
    }

    /// The first edge after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Edge> {
        spans().find_map(|days| self.edges(now, later(now, days)).into_iter().next())
    }

    /// What it wants at a moment.
    pub fn wanted(&self, now: Timestamp) -> Action {
        let is_on = self.intervals(now, now).into_iter().any(|(on, off)| on <= now && now < off);
        if is_on { Action::On } else { Action::Off }
    }

    /// The last day for which its holidays are known, where that day is over.
    pub fn holidays_ended(&self, now: Timestamp) -> Option<Date> {
        self.holidays_until.filter(|until| *until < self.zone.to_datetime(now).date())
    }

    /// The same in words, for whoever runs it.
    pub fn holidays_warning(&self, name: &str, now: Timestamp) -> Option<String> {
        let last = self.holidays_ended(now)?;
        Some(format!("schedule {name}: its holidays are known until {last} alone; of days with a year it knows no more"))
    }

    /// A moment as clocks at the machines show it.
    pub fn local(&self, at: Timestamp) -> jiff::civil::DateTime {
        self.zone.to_datetime(at)
    }

    /// All intervals that touch the time between two moments, joined where they meet. What lies further out
    /// may be cut off: no end there is within.
    fn intervals(&self, from: Timestamp, to: Timestamp) -> Vec<Interval> {
        let day = |at: Timestamp, days: i64| self.zone.to_datetime(at).date().saturating_add(jiff::Span::new().days(days));
        let (first, last) = (day(from, -REACH_DAYS), day(to, REACH_DAYS));
        let days = first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last);
        let open = days.filter(|date| !self.holidays.contains(*date));
        let mut all: Vec<Interval> = open.flat_map(|date| self.windows.iter().filter_map(move |window| window.on(date, &self.zone))).collect();
        all.sort();
        let mut joined: Vec<Interval> = Vec::new();
        for (on, off) in all {
            match joined.last_mut() {
                Some(last) if on <= last.1 => last.1 = last.1.max(off),
                _ => joined.push((on, off)),
            }
        }
        joined
    }
}

/// A week holds an edge nearly always; holidays and windows that come seldom need more.
fn spans() -> impl Iterator<Item = SignedDuration> {
    [8, 64, SEARCH_DAYS].into_iter().map(|days| SignedDuration::from_hours(24 * days))
}

/// Does the clock say less than it did when this was done, by so much that it must be wrong?
pub fn is_ahead(done: Timestamp, now: Timestamp) -> bool {
    done > later(now, AHEAD)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}

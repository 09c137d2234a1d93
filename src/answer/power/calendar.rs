//! Windows and holidays as a calendar has them, and the moments that they are in a zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::out::table::WindowRow;

const MINUTES_A_DAY: u32 = 24 * 60;

/// The days on which it begins, and from when to when, in minutes of the day that it begins on.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// From monday.
    days: [bool; 7],
    on: u32,
    off: u32,
}

impl Window {
    pub(super) fn read(row: &WindowRow) -> Result<Window, String> {
        let mut days = [false; 7];
        for day in &row.days {
            let at = DAYS.iter().position(|name| name == day).and_then(|at| days.get_mut(at));
            *at.ok_or_else(|| format!("`{day}` is no day of the week"))? = true;
        }
        let off = minutes(&row.off)? + if row.overnight { MINUTES_A_DAY } else { 0 };
        Ok(Window { days, on: minutes(&row.on)?, off })
    }

    /// When it begins and ends, where it begins on this day; a change of clocks may leave out all of it.
    pub(super) fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        self.days.get(weekday).filter(|begins| **begins)?;
        let (on, off) = (moment(date, self.on, zone)?, moment(date, self.off, zone)?);
        (on < off).then_some((on, off))
    }
}

/// As rows name them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn minutes(text: &str) -> Result<u32, String> {
    let read = |part: &str| part.parse::<u32>().ok().filter(|_| part.len() == 2);
    let both = text.split_once(':').and_then(|(hours, minutes)| read(hours).zip(read(minutes).filter(|minutes| *minutes < 60)));
    let found = both.map(|(hours, minutes)| hours * 60 + minutes).filter(|minutes| *minutes <= MINUTES_A_DAY);
    found.ok_or_else(|| format!("`{text}` is no time of the day"))
}

/// So many minutes after a day's midnight, as its clocks show it.
fn moment(date: Date, minutes: u32, zone: &TimeZone) -> Option<Timestamp> {
    let date = (0..minutes / MINUTES_A_DAY).try_fold(date, |date, _| date.tomorrow()).ok()?;
    let of_day = minutes % MINUTES_A_DAY;
    let (hour, minute) = (i8::try_from(of_day / 60).ok()?, i8::try_from(of_day % 60).ok()?);
    instant(date.at(hour, minute, 0, 0), zone)
}

fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
        // The first of the two.
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
        // By the clock of afterwards it lies before the change, so the next change is it.
        AmbiguousOffset::Gap { after, .. } => Some(zone.following(after.to_timestamp(time).ok()?).next()?.timestamp()),
    }
}

/// Days on which no window begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Holidays {
    /// First and last.
    once: Vec<(Date, Date)>,
    /// Month and day, in each year; the last one may lie in the year after.
    yearly: Vec<((i8, i8), (i8, i8))>,
}

impl Holidays {
    pub(super) fn read(rows: &[String]) -> Result<Holidays, String> {
        let mut holidays = Holidays::default();
        for row in rows {
            let bad = || format!("`{row}` is no holiday");
            let (first, last) = row.split_once("..").unwrap_or((row, row));
            match (yearly(first), yearly(last)) {
                (Some(first), Some(last)) => holidays.yearly.push((first, last)),
                _ => holidays.once.push((first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?)),
            }
        }
        Ok(holidays)
    }

    pub(super) fn contains(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        let in_each = |(first, last): &((i8, i8), (i8, i8))| match first <= last {
            true => (*first..=*last).contains(&day),
            false => day >= *first || day <= *last,
        };
        self.once.iter().any(|(first, last)| (*first..=*last).contains(&date)) || self.yearly.iter().any(in_each)
    }
}

/// `12-25`, a day that there is in a leap year.
fn yearly(text: &str) -> Option<(i8, i8)> {
    let (month, day) = text.split_once('-').filter(|(month, day)| month.len() == 2 && day.len() == 2)?;
    let date = Date::new(2024, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((date.month(), date.day()))
}

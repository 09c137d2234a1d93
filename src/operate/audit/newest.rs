//! Asking the spool from its end: the newest records first, a page of them at a time, and never for long.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use super::FOLDER;
use super::line::{self, Entry};
use super::query::{Filter, failed, is_there};
use super::segment::{HOUR_SECS, each_line, list};
use crate::operate::Result;

/// After how many lines it is looked whether time is up.
const LINES: usize = 1024;

/// Records, the newest first.
#[derive(Debug, Default)]
pub struct Newest {
    pub entries: Vec<Entry>,
    /// There are older ones.
    pub more: bool,
    /// Time was up: what is older than this, in microseconds since 1970, was not looked at.
    pub not_before: Option<i64>,
    pub damaged: usize,
}

/// Which lines of syslog are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    All,
    /// The first after each record of another kind: a machine sends thousands, and one tells that its system is up.
    First,
}

/// Up to `take` records that are wanted, after the `skip` newest of them. Within a segment they are in the order
/// in which they were kept.
pub fn newest(state: &Path, filter: &Filter, lines: Lines, skip: usize, take: usize, until: Instant) -> Result<Newest> {
    let mut found = Newest::default();
    if !is_there(state)? {
        return Ok(found);
    }
    let folder = state.join(FOLDER);
    let begins = filter.since.map(|since| since.div_euclid(1_000_000 * HOUR_SECS));
    let mut skipped = 0;
    for segment in list(&folder).map_err(|error| failed("read the audit spool", &folder, error))?.into_iter().rev() {
        // A segment has no record of later than its hour.
        if begins.is_some_and(|begins| segment.hour < begins) {
            break;
        }
        let wanted = skip - skipped + take - found.entries.len() + 1;
        let (mut kept, mut count, mut read, mut is_late, mut was_line) = (VecDeque::new(), 0, 0, false, false);
        let path = folder.join(segment.file());
        let done = each_line(&path, 0, |piece| {
            read += 1;
            is_late = read % LINES == 0 && Instant::now() >= until;
            if is_late {
                return ControlFlow::Break(());
            }
            match line::read(piece.line) {
                Some(entry) if filter.wants(&entry) => {
                    let is_line = entry.event == "line-logged";
                    if is_line && std::mem::replace(&mut was_line, is_line) && lines == Lines::First {
                        return ControlFlow::Continue(());
                    }
                    was_line = is_line;
                    count += 1;
                    kept.push_back(entry);
                    if kept.len() > wanted {
                        kept.pop_front();
                    }
                }
                Some(_) => {}
                None => found.damaged += usize::from(!piece.line.is_empty()),
            }
            ControlFlow::Continue(())
        });
        match done {
            // It was let go of meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.map_err(|error| failed("read", &path, error))?,
        }
        if is_late {
            found.not_before = Some((segment.hour + 1).saturating_mul(1_000_000 * HOUR_SECS));
            return Ok(found);
        }
        let pass = count.min(skip - skipped);
        skipped += pass;
        for entry in kept.into_iter().rev().skip(pass) {
            if found.entries.len() == take {
                found.more = true;
                return Ok(found);
            }
            found.entries.push(entry);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Event, Line, Record};

    fn record(hour: i64, n: i64) -> Record {
        let event = Event::ClientDiscovered { mac: format!("02:00:00:00:00:{n:02x}"), host: None, arch: None, is_ipxe: false };
        Record { at: (hour * HOUR_SECS + n) * 1_000_000, event }
    }

    #[test]
    fn pages_follow_each_other_across_hours_and_no_record_is_on_two() {
        let state = std::env::temp_dir().join(format!("pxelator-newest-{}", std::process::id()));
        std::fs::create_dir_all(&state).unwrap();
        let records: Vec<Record> = (0..3).flat_map(|hour| (0..7).map(move |n| record(480_000 + hour, n))).collect();
        records.iter().for_each(|record| super::super::append(&state, std::slice::from_ref(record)).unwrap());
        let later = Instant::now() + Duration::from_secs(60);
        let page = |skip| newest(&state, &Filter::default(), Lines::All, skip, 5, later).unwrap();
        let mut all = Vec::new();
        for skip in [0, 5, 10, 15, 20] {
            let page = page(skip);
            assert_eq!(page.more, skip < 20, "{skip}");
            all.extend(page.entries.into_iter().map(|entry| entry.at));
        }
        assert_eq!(all, records.iter().rev().map(|record| record.at).collect::<Vec<_>>());
        let one = Filter { host: Some("02:00:00:00:00:03".into()), since: Some(records[8].at), ..Filter::default() };
        let found = newest(&state, &one, Lines::All, 1, 5, later).unwrap();
        assert_eq!(found.entries.iter().map(|entry| entry.at).collect::<Vec<_>>(), [records[10].at]);
        std::fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn of_lines_that_follow_each_other_the_first_may_stand_for_all() {
        let state = std::env::temp_dir().join(format!("pxelator-newest-lines-{}", std::process::id()));
        std::fs::create_dir_all(&state).unwrap();
        let line = |n: i64| {
            let line = Line {
                source: [10, 0, 0, 5].into(),
                host: None,
                facility: "daemon".into(),
                severity: "info".into(),
                app: None,
                pid: None,
                named: None,
                stamp: None,
                data: None,
                text: n.to_string(),
                cut: 0,
            };
            Record { at: (480_000 * HOUR_SECS + n) * 1_000_000, event: Event::LineLogged(line) }
        };
        let records =
            [vec![record(480_000, 0)], (1..50).map(line).collect(), vec![record(480_000, 50)], (51..99).map(line).collect()];
        super::super::append(&state, &records.concat()).unwrap();
        let later = Instant::now() + Duration::from_secs(60);
        let seconds = |lines| -> Vec<i64> {
            let found = newest(&state, &Filter::default(), lines, 0, 4, later).unwrap();
            found.entries.iter().map(|entry| entry.at / 1_000_000 - 480_000 * HOUR_SECS).collect()
        };
        assert_eq!((seconds(Lines::First), seconds(Lines::All)), (vec![51, 50, 1, 0], vec![98, 97, 96, 95]));
        std::fs::remove_dir_all(&state).unwrap();
    }
}

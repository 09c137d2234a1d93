//! Boots while they happen: who is at it, and how long it took.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::boots::Boots;
use super::line;
use super::owner::Owners;
use crate::event::{Event, Record};
use crate::out::table::Tables;

/// How many hosts may be at it at once; a boot beyond them is not measured.
const HOSTS_MAX: usize = 4096;

/// The hosts that are booting.
pub(in crate::operate) struct Starting {
    owners: Owners,
    boots: BTreeMap<String, Boots>,
}

impl Starting {
    pub(in crate::operate) fn new(tables: watch::Receiver<Arc<Tables>>) -> Starting {
        Starting { owners: Owners::new(tables), boots: BTreeMap::new() }
    }

    /// Takes note of what happened. A boot that came to the first line of its system's log is given back:
    /// the host, and the microseconds since its firmware's first word.
    pub(in crate::operate) fn hear(&mut self, record: &Record) -> Option<(String, i64)> {
        let owner = self.owners.of(&record.event);
        let begins = if let Event::ClientDiscovered { host, arch: Some(_), .. } = &record.event { host.clone() } else { None };
        if begins.is_none() && self.boots.is_empty() {
            return None;
        }
        let host = begins.clone().or_else(|| named(&record.event)).or_else(|| owner.clone())?;
        if begins.is_some() && self.boots.len() < HOSTS_MAX {
            self.boots.entry(host.clone()).or_insert_with(|| Boots::of(&host));
        }
        let boots = self.boots.get_mut(&host)?;
        let mut text = Vec::new();
        line::write(&mut text, record, owner.as_deref());
        let _an_earlier_one_that_stopped = boots.add(&line::read(text.trim_ascii_end())?);
        let took = boots.took()?;
        self.boots.remove(&host);
        Some((host, took))
    }
}

/// The host that an event names itself.
fn named(event: &Event) -> Option<String> {
    if let Event::LineLogged(line) = event {
        return line.host.clone();
    }
    if let Event::ReservationOffered { host, .. } | Event::ReservationGranted { host, .. } = event {
        return Some(host.clone());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Line;

    #[test]
    fn a_boot_is_measured_from_its_firmware_to_the_first_line_of_its_log() {
        let mut starting = Starting::new(watch::channel(Arc::default()).1);
        let (host, mac, address) = ("kiosk-01".to_owned(), "02:00:00:00:00:01".to_owned(), [10, 0, 0, 5].into());
        let line = |host: &str| {
            Event::LineLogged(Line {
                source: address,
                host: Some(host.to_owned()),
                facility: "daemon".into(),
                severity: "info".into(),
                app: None,
                pid: None,
                named: None,
                stamp: None,
                data: None,
                text: "up".into(),
                cut: 0,
            })
        };
        let events = [
            (0, line("kiosk-01")),
            (1, Event::ClientDiscovered { mac: mac.clone(), host: Some(host.clone()), arch: Some(0), is_ipxe: false }),
            // Of a system that is being stopped, and of another host.
            (2, line("kiosk-01")),
            (3, Event::ReservationOffered { host: host.clone(), mac: mac.clone(), address }),
            (4, Event::ReservationGranted { host: host.clone(), mac, address }),
            (5, line("kiosk-02")),
            (32, line("kiosk-01")),
            (33, line("kiosk-01")),
        ];
        let told: Vec<(String, i64)> =
            events.into_iter().filter_map(|(secs, event)| starting.hear(&Record { at: secs * 1_000_000, event })).collect();
        assert_eq!(told, [("kiosk-01".to_owned(), 31_000_000)]);
        assert!(starting.boots.is_empty());
    }
}

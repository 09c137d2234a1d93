//! What happened lately, as far as the overview tells it: who was heard, who is new, what went wrong.
//!
//! **Invariant:** it is made of records alone, one at a time, so that `serve` has it without a disk and
//! `pxelator status` reads the same out of the spool. Each part of it has a limit.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::words;
use crate::event::{Event, Record};
use crate::operate::Result;
use crate::operate::audit::line::Entry;
use crate::operate::audit::query::{self, Filter};
use crate::out::table::Tables;
use crate::terminal::escaped;

/// How long something tells anything here, in microseconds.
pub const RECENT_MICROS: i64 = 86_400 * 1_000_000;
/// Things that happened last.
const LAST_MAX: usize = 40;
/// Machines that nobody declared, and troubles: the oldest goes.
const STRANGERS_MAX: usize = 256;
const TROUBLES_MAX: usize = 128;
/// The same trouble again within so long is the same one still, in microseconds.
const ROW_MICROS: i64 = 3_600 * 1_000_000;
/// Hosts of this generation and those before it.
const HOSTS_MAX: usize = 1 << 20;

/// All of it. Times are microseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    pub(super) hosts: BTreeMap<String, Heard>,
    /// By MAC.
    pub(super) strangers: BTreeMap<String, Asker>,
    pub(super) troubles: BTreeMap<(&'static str, String), Trouble>,
    last: VecDeque<Happened>,
}

/// A host, as what happened tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Is it on, and when was that known?
    pub(super) is_on: Option<(bool, i64)>,
    /// When its firmware asked for an address last.
    pub(super) booted: Option<i64>,
}

/// A machine that asked for an address and that nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) at: i64,
    /// What it was offered, or got.
    pub(super) address: Option<Ipv4Addr>,
}

/// Something that somebody should look after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// When it happened last, and when the row of them began.
    pub(super) at: i64,
    pub(super) since: i64,
    pub(super) host: Option<String>,
    pub(super) text: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// Microseconds since 1970.
    pub at: i64,
    /// The host, or else the address or MAC that it came from.
    pub who: String,
    pub is_host: bool,
    pub service: String,
    pub text: String,
}

impl Recent {
    /// What the spool tells of the last day; nothing where there is no spool.
    pub fn read(state: &Path, tables: &Tables, now: i64) -> Result<Recent> {
        let mut recent = Recent::default();
        if !query::is_there(state)? {
            return Ok(recent);
        }
        let filter = Filter { since: Some(now - RECENT_MICROS), ..Filter::default() };
        query::query(state, &filter, |entry| {
            recent.add(entry, tables);
            ControlFlow::Continue(())
        })?;
        Ok(recent)
    }

    /// Something happens now. Lines and files are many, and only tell that somebody is there.
    pub fn heard(&mut self, record: &Record, tables: &Tables) {
        if let Event::LineLogged(line) = &record.event {
            line.host.iter().for_each(|host| self.is_on(host, true, record.at));
        } else if !matches!(record.event, Event::FileAsked { found: true, .. }) {
            self.add(&Entry::of(record), tables);
        }
    }

    /// The newest first.
    pub fn last(&self) -> impl Iterator<Item = &Happened> {
        self.last.iter().rev()
    }

    fn add(&mut self, entry: &Entry, tables: &Tables) {
        let mac = entry.text("mac");
        let host = entry.host().or_else(|| mac.and_then(|mac| tables.host_of_mac(mac)));
        if let Some(host) = host {
            self.host(host, entry);
        } else if let Some(mac) = mac.filter(|_| is_request(&entry.event)) {
            let address = entry.text("address").and_then(|text| text.parse().ok());
            let known = self.strangers.get(mac).and_then(|asker| asker.address);
            self.strangers.insert(mac.to_owned(), Asker { at: entry.at, address: address.or(known) });
            forget(&mut self.strangers, STRANGERS_MAX, |asker| asker.at);
        }
        self.trouble(entry, host);
        let is_found = entry.fields.get("found") == Some(&Value::Bool(true));
        let is_one_of_many = entry.event == "line-logged" || entry.event == "file-asked" && is_found;
        // What is offered is taken, a moment later.
        if is_one_of_many || entry.event.ends_with("-offered") {
            return;
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(Happened {
            at: entry.at,
            who: escaped(host.or(mac).unwrap_or_else(|| entry.source())),
            // The router of a network need not be a host.
            is_host: host.is_some_and(|host| tables.facts.contains_key(host)),
            service: escaped(entry.service()),
            text: escaped(&words::of(entry)),
        });
    }

    fn host(&mut self, host: &str, entry: &Entry) {
        let action = || entry.text("action").unwrap_or_default();
        match entry.event.as_str() {
            // Without an architecture it is a system that asks, and no firmware.
            "client-discovered" if entry.fields.get("arch").is_some_and(Value::is_u64) => {
                self.entry(host).booted = Some(entry.at);
                self.is_on(host, true, entry.at);
            }
            "client-discovered" | "reservation-granted" | "lease-granted" | "line-logged" | "file-asked" => {
                self.is_on(host, true, entry.at)
            }
            "power-seen" => self.is_on(host, entry.text("state") == Some("on"), entry.at),
            "power-kept" => self.is_on(host, action() != "off", entry.at),
            "power-changed" if action() == "off" => self.is_on(host, false, entry.at),
            // What was told to start is not up yet, and what was known of it is old.
            "power-changed" | "wake-sent" => self.entry(host).is_on = None,
            _ => {}
        }
    }

    fn is_on(&mut self, host: &str, is_on: bool, at: i64) {
        self.entry(host).is_on = Some((is_on, at));
    }

    fn entry(&mut self, host: &str) -> &mut Heard {
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(host) {
            self.hosts.pop_first();
        }
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.to_owned(), Heard::default());
        }
        self.hosts.entry(host.to_owned()).or_default()
    }

    fn trouble(&mut self, entry: &Entry, host: Option<&str>) {
        let word = |name: &str| entry.text(name).unwrap_or_default();
        let number = |name: &str| entry.fields.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (kind, about, text) = match entry.event.as_str() {
            "power-changed" | "power-kept" | "wake-sent" => {
                self.troubles.remove(&("power", host.unwrap_or_default().to_owned()));
                return;
            }
            "power-failed" => {
                ("power", host.unwrap_or_default().to_owned(), format!("cannot be told `{}`: {}", word("action"), word("why")))
            }
            "machine-pulled" => {
                self.troubles.remove(&("track", host.unwrap_or_default().to_owned()));
                return;
            }
            "machine-not-pulled" => ("track", host.unwrap_or_default().to_owned(), format!("was not pulled: {}", word("why"))),
            "pool-exhausted" => {
                ("pool", word("network").to_owned(), format!("network {} had no address for {}", word("network"), word("mac")))
            }
            "address-declined" | "reservation-declined" => {
                ("address", word("address").to_owned(), format!("somebody else uses {}, says {}", word("address"), word("mac")))
            }
            "help-called" => ("help", entry.source().to_owned(), format!("calls for help: {} was asked for", word("name"))),
            "command-refused" => ("dns", word("from").to_owned(), format!("{} may not ask for {}", word("from"), word("name"))),
            "labels-guessed" => (
                "dns",
                word("from").to_owned(),
                format!("{} guessed {} labels of {}", word("from"), number("count"), word("name")),
            ),
            "records-lost" => {
                ("audit", "records".to_owned(), format!("{} records could not be kept: {}", number("count"), word("why")))
            }
            "document-refused" => {
                ("audit", word("sink").to_owned(), format!("{} refused a document: {}", word("sink"), word("why")))
            }
            "lines-dropped" => {
                ("syslog", "lines".to_owned(), format!("{} lines of syslog came faster than they were read", number("count")))
            }
            _ => return,
        };
        let before = self.troubles.get(&(kind, about.clone())).filter(|before| entry.at - before.at < ROW_MICROS);
        let since = before.map_or(entry.at, |before| before.since.min(entry.at));
        let trouble = Trouble { at: entry.at, since, host: host.map(str::to_owned), text: escaped(&text) };
        self.troubles.insert((kind, about), trouble);
        forget(&mut self.troubles, TROUBLES_MAX, |trouble| trouble.at);
    }
}

/// Does it tell that a machine is there and wants an address?
fn is_request(event: &str) -> bool {
    matches!(event, "client-discovered" | "lease-offered" | "lease-granted" | "pool-exhausted")
}

/// Lets the oldest go where there are more.
fn forget<K: Ord + Clone, V>(all: &mut BTreeMap<K, V>, most: usize, at: impl Fn(&V) -> i64) {
    while all.len() > most {
        let Some(oldest) = all.iter().min_by_key(|(_, value)| at(value)).map(|(key, _)| key.clone()) else { return };
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(recent: &mut Recent, at: i64, event: Event) {
        recent.heard(&Record { at, event }, &Tables::default());
    }

    #[test]
    fn a_flood_of_machines_keeps_the_newest() {
        let mut recent = Recent::default();
        for n in 0..2 * STRANGERS_MAX {
            let mac = format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256);
            hear(&mut recent, n as i64, Event::ClientDiscovered { mac, host: None, arch: None, is_ipxe: false });
        }
        assert_eq!(recent.strangers.len(), STRANGERS_MAX);
        assert!(recent.strangers.values().all(|asker| asker.at >= STRANGERS_MAX as i64));
        assert_eq!(recent.last().count(), LAST_MAX);
    }

    #[test]
    fn what_works_again_is_no_trouble() {
        let (host, by) = ("k".to_owned(), "schedule");
        let mut recent = Recent::default();
        let failed = Event::PowerFailed {
            host: host.clone(),
            action: "on".into(),
            by: by.into(),
            why: "nobody answers".into(),
            again: None,
        };
        hear(&mut recent, 1, failed);
        assert_eq!(recent.troubles.values().next().unwrap().text, "cannot be told `on`: nobody answers");
        hear(&mut recent, 2, Event::PowerChanged { host, action: "on".into(), by: by.into() });
        assert!(recent.troubles.is_empty());
    }

    #[test]
    fn the_firmware_tells_when_it_booted_and_the_system_does_not() {
        let mut recent = Recent::default();
        let asks =
            |arch| Event::ClientDiscovered { mac: "02:00:00:00:00:01".into(), host: Some("k".into()), arch, is_ipxe: false };
        hear(&mut recent, 5, asks(Some(0)));
        hear(&mut recent, 9, asks(None));
        assert_eq!(recent.hosts["k"], Heard { is_on: Some((true, 9)), booted: Some(5) });
    }
}

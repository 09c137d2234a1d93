//! Names that do something when they are asked for: whoever has `ping` can switch a machine on.
//!
//! ```text
//!  wake.kiosk-01.do ─► 127.41.7.93, shown as now-ping-41-7-93.wake.kiosk-01.do     nothing happens
//!  41-7-93.wake.kiosk-01.do ─► CommandGiven, once; the host's own address          a person typed it
//! ```
//! A question over UDP may come in anybody's name, and resolvers ask twice, and ask for what an alias names.
//! So a name alone does nothing: it tells a label, and only the name with the label before it does something.
//! Who asks in another's name never sees the label. The alias leads to a third name, which does nothing either:
//! no answer of ours holds a name that does something, so no resolver comes upon it by itself.
//!
//! **Invariant:** labels are computed from a key, the asker, the name and the minute: a flood of questions takes
//! no memory and no label from anybody. Only what was really given is kept, until its label is worthless; after a
//! restart the key is another, so nothing is given twice.

mod question;
mod reply;
mod status;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::{DNSClass, LowerName, RecordType};

use self::question::{Found, Place, place};
use self::reply::{Said, reply};
use self::status::Known;
use super::dns::{Request, Zones};
use crate::event::Event;
use crate::out::table::{Run, Tables};

/// How long a label is told. It is good until the next one is told no more.
const LABEL_SECS: u64 = 60;
/// How many commands are remembered as given, of all and of one asker.
const GIVEN_MAX: usize = 1024;
const GIVEN_PER_ASKER_MAX: usize = 64;
/// After so many wrong labels over UDP within so long, labels count over TCP alone until the time is over.
const GUESSES_MAX: u64 = 5;
const GUESSES_SECS: u64 = 3600;
/// A call for help of one asker is recorded once in this time.
const CALL_SECS: u64 = 60;
/// So many calls at once are taken over UDP, so many in all.
const CALLS_BY_UDP_MAX: usize = 64;
const CALLS_MAX: usize = 1024;
/// Refusals are told once in this time.
const REFUSALS_SECS: u64 = 60;

/// The label before a name by which programs show what to type: `now-ping-41-7-93`.
const HINT: &str = "now-ping-";
/// Addresses that stand for words where there is no other address to tell, with the alias that says the same.
/// Labels never make these: the first of their numbers is never 0.
const WORDS: &[(&str, Ipv4Addr)] = &[
    (ON, Ipv4Addr::new(127, 0, 0, 1)),
    (GIVEN, Ipv4Addr::new(127, 0, 0, 2)),
    (CALLED, Ipv4Addr::new(127, 0, 0, 3)),
    (OFF, Ipv4Addr::new(127, 0, 0, 4)),
    (UNKNOWN, Ipv4Addr::new(127, 0, 0, 5)),
    (TOO_MANY, Ipv4Addr::new(127, 0, 0, 6)),
];
const GIVEN: &str = "given";
const CALLED: &str = "help-is-called";
const ON: &str = "on";
const OFF: &str = "off";
const UNKNOWN: &str = "not-known-ask-again";
const TOO_MANY: &str = "too-many-ask-later";

/// What is remembered between questions. Its times are seconds since the server began.
#[derive(Debug)]
pub struct Commands {
    key: [u8; 32],
    /// Asker and name with the label → until when.
    given: BTreeMap<(Ipv4Addr, String), u64>,
    /// Asker and name → until when.
    called: BTreeMap<(Ipv4Addr, String), u64>,
    known: Known,
    guesses: Count,
    refusals: Count,
}

/// How often something happened since a moment.
#[derive(Debug, Default)]
struct Count {
    since: Option<u64>,
    count: u64,
}

/// What to send, and what happened; the events come first.
#[derive(Debug)]
pub struct Told {
    pub reply: Option<Vec<u8>>,
    pub events: Vec<Event>,
}

/// Answers a question about a command; `None` where it is about something else.
pub fn answer(request: &Request<'_>, tables: &Tables, zones: &Zones, commands: &mut Commands, secs: u64) -> Option<Told> {
    if tables.commands.is_empty() {
        return None;
    }
    let place = place(request.packet, tables)?;
    let query = Message::from_vec(request.packet).ok()?;
    let asks = query.metadata.message_type == MessageType::Query && query.metadata.op_code == OpCode::Query;
    let plain = asks && query.edns.as_ref().is_none_or(|edns| edns.version() == 0);
    let question = query.queries.first().filter(|_| plain && query.queries.len() == 1)?;
    let kind = question.query_type();
    if question.query_class() != DNSClass::IN || matches!(kind, RecordType::AXFR | RecordType::IXFR) {
        return None;
    }
    let mut events = Vec::new();
    let said = match place {
        Place::Above if !zones.lacks(&LowerName::new(question.name())) => return None,
        Place::Above => Said::Bare,
        Place::Command(found) => Asked { request, kind, tables, secs, found }.said(commands, &mut events),
    };
    Some(Told { reply: reply(&said, &query, request, tables, zones), events })
}

/// A question about a command, and all that decides what is said.
struct Asked<'a> {
    request: &'a Request<'a>,
    kind: RecordType,
    tables: &'a Tables,
    secs: u64,
    found: Found<'a>,
}

impl Commands {
    /// `key` is random, and another one after each start.
    pub fn new(key: [u8; 32]) -> Commands {
        Commands {
            key,
            given: BTreeMap::new(),
            called: BTreeMap::new(),
            known: Known::default(),
            guesses: Count::default(),
            refusals: Count::default(),
        }
    }

    /// Something happened: perhaps it tells whether a host is on.
    pub fn heard(&mut self, event: &Event, secs: u64) {
        self.known.heard(event, secs);
    }

    /// The label of an asker and a name in the minute `window`, as `41-7-93`.
    fn label(&self, asker: Ipv4Addr, name: &str, window: u64) -> String {
        let hash = blake3::keyed_hash(&self.key, format!("{asker} {window} {name}").as_bytes());
        let [a, b, c, ..] = hash.as_bytes();
        // Never 127.0.…, which are words, and never 127.255.255.255, which `ping` takes for a broadcast.
        format!("{}-{b}-{}", 1 + a % 255, c.min(&254))
    }

    /// The window of a label that is good now.
    fn window(&self, asker: Ipv4Addr, name: &str, label: &str, secs: u64) -> Option<u64> {
        let now = secs / LABEL_SECS;
        [now, now.saturating_sub(1)].into_iter().find(|window| self.label(asker, name, *window) == label)
    }
}

impl Count {
    /// One more; begins anew where the time is over.
    fn more(&mut self, secs: u64, length: u64) -> u64 {
        if !self.is_within(secs, length) {
            *self = Count { since: Some(secs), count: 0 };
        }
        self.count += 1;
        self.count
    }

    fn is_within(&self, secs: u64, length: u64) -> bool {
        self.since.is_some_and(|since| secs < since + length)
    }
}

impl Asked<'_> {
    fn said(&self, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        let row = self.found.row;
        if !row.from.iter().any(|range| range.contains(self.request.peer)) {
            return self.refused(commands, events);
        }
        let Some(address) = self.found.subject(self.tables) else { return Said::Nothing };
        match (row.run, &self.found.label) {
            (Run::Status, None) => self.status(address, commands, events),
            (Run::Call, None) => self.call(commands, events),
            (Run::Status | Run::Call, Some(word)) => self.word(word, address),
            (Run::PowerOn | Run::PowerOff | Run::PowerCycle, None) => {
                let label = commands.label(self.request.peer, &self.found.name, self.secs / LABEL_SECS);
                self.hint(&label, true)
            }
            (Run::PowerOn | Run::PowerOff | Run::PowerCycle, Some(label)) => self.labelled(label, address, commands, events),
        }
    }

    /// Nobody learns which hosts there are; the event comes at once, and then once a minute.
    fn refused(&self, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        let refusals = &mut commands.refusals;
        refusals.count += 1;
        if !refusals.is_within(self.secs, REFUSALS_SECS) {
            let (from, name) = (self.request.peer, self.found.name.clone());
            events.push(Event::CommandRefused { from, name, count: refusals.count });
            *refusals = Count { since: Some(self.secs), count: 0 };
        }
        Said::Refused
    }

    /// What to type, as an address, an alias and a sentence.
    fn hint(&self, label: &str, with_alias: bool) -> Said {
        let Found { row, name, host, .. } = &self.found;
        let numbers: Vec<u8> = label.split('-').filter_map(|number| number.parse().ok()).collect();
        let &[a, b, c] = numbers.as_slice() else { return Said::Nothing };
        let host = host.as_deref().unwrap_or_default();
        let words = format!("{} of {host}: ping {label}.{name} within a minute", row.run.word());
        Said::Words { alias: with_alias.then(|| format!("{HINT}{label}")), address: Ipv4Addr::new(127, a, b, c), words }
    }

    /// A name with a label before it: the hint again, or the command itself.
    fn labelled(&self, label: &str, address: Option<Ipv4Addr>, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        let (asker, name) = (self.request.peer, &self.found.name);
        if let Some(label) = label.strip_prefix(HINT) {
            return commands.window(asker, name, label, self.secs).map_or(Said::Nothing, |_| self.hint(label, false));
        }
        if let Some((_, word)) = WORDS.iter().find(|(word, _)| *word == label) {
            return Said::Words { alias: None, address: *word, words: label.to_owned() };
        }
        let key = (asker, format!("{label}.{name}"));
        if commands.given.get(&key).is_some_and(|until| self.secs < *until) {
            return self.given(address);
        }
        if !is_label(label) {
            return Said::Nothing;
        }
        let suspicious = commands.guesses.is_within(self.secs, GUESSES_SECS) && commands.guesses.count >= GUESSES_MAX;
        if suspicious && !self.request.over_tcp {
            return Said::ByTcp;
        }
        let Some(window) = commands.window(asker, name, label, self.secs) else {
            return self.guessed(commands, events);
        };
        // Other types tell of the label, and do nothing.
        if !matches!(self.kind, RecordType::A | RecordType::AAAA) {
            return self.hint(label, false);
        }
        self.give(key, label, (window + 2) * LABEL_SECS, address, commands, events)
    }

    /// The one place where a command is given.
    fn give(
        &self,
        key: (Ipv4Addr, String),
        label: &str,
        worthless: u64,
        address: Option<Ipv4Addr>,
        commands: &mut Commands,
        events: &mut Vec<Event>,
    ) -> Said {
        commands.given.retain(|_, until| self.secs < *until);
        let of_asker = commands.given.keys().filter(|(asker, _)| *asker == self.request.peer).count();
        if commands.given.len() >= GIVEN_MAX || of_asker >= GIVEN_PER_ASKER_MAX {
            return said_word(TOO_MANY, "too many commands at once: nothing was done");
        }
        commands.given.insert(key, worthless.max(self.secs + LABEL_SECS));
        events.push(Event::CommandGiven {
            run: self.found.row.run.word().to_owned(),
            host: self.found.host.clone().unwrap_or_default(),
            from: self.request.peer,
            label: label.to_owned(),
        });
        self.given(address)
    }

    /// The host's own address, so that a `ping` goes on until the host answers.
    fn given(&self, address: Option<Ipv4Addr>) -> Said {
        let host = self.found.host.as_deref().unwrap_or_default();
        let words = format!("{} of {host} is given", self.found.row.run.word());
        match address {
            Some(address) => Said::Words { alias: None, address, words },
            None => said_word(GIVEN, &words),
        }
    }

    fn guessed(&self, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        // Nobody has a TCP connection in another's name; whoever has one may just as well ask for a label.
        if !self.request.over_tcp && commands.guesses.more(self.secs, GUESSES_SECS) == GUESSES_MAX {
            let (from, name) = (self.request.peer, self.found.name.clone());
            events.push(Event::LabelsGuessed { from, name, count: GUESSES_MAX });
        }
        Said::Nothing
    }

    /// A call may come in anybody's name: it is recorded, and does nothing else.
    fn call(&self, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        let key = (self.request.peer, self.found.name.clone());
        commands.called.retain(|_, until| self.secs < *until);
        if !commands.called.contains_key(&key) {
            match commands.called.len() {
                CALLS_MAX.. => return said_word(TOO_MANY, "too many calls at once: this one is not recorded"),
                CALLS_BY_UDP_MAX.. if !self.request.over_tcp => return Said::ByTcp,
                _ => {}
            }
            events.push(Event::HelpCalled { from: key.0, name: key.1.clone(), host: self.found.host.clone() });
            commands.called.insert(key, self.secs + CALL_SECS);
        }
        said_word(CALLED, "the call for help is recorded")
    }

    /// What an alias of ours leads to: the same again.
    fn word(&self, word: &str, address: Option<Ipv4Addr>) -> Said {
        let code = WORDS.iter().find(|(known, _)| *known == word).map(|(_, code)| *code);
        match address.filter(|_| word == ON).or(code) {
            Some(address) => Said::Words { alias: None, address, words: word.to_owned() },
            None => Said::Nothing,
        }
    }
}

/// One of [`WORDS`].
fn said_word(word: &str, words: &str) -> Said {
    let address = WORDS.iter().find(|(known, _)| *known == word).map_or(Ipv4Addr::LOCALHOST, |(_, address)| *address);
    Said::Words { alias: Some(word.to_owned()), address, words: words.to_owned() }
}

/// Three numbers: what else stands before a name is no guess.
fn is_label(label: &str) -> bool {
    label.split('-').count() == 3 && label.split('-').all(|number| number.parse::<u8>().is_ok())
}

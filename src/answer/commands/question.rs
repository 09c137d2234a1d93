//! A question → the command that it is about, if any.

use std::net::Ipv4Addr;

use crate::out::table::{CommandRow, Run, Tables};

/// Where the first question begins (RFC 1035 §4.1.1).
const HEADER_BYTES: usize = 12;
/// More labels than a name of 255 bytes has.
const LABELS_MAX: usize = 128;
/// What stands for a host in the name of a command.
const HOST: &str = "{host}";

/// What a question is about.
#[derive(Debug, PartialEq)]
pub(super) enum Place<'t> {
    Command(Found<'t>),
    /// A name that only has commands below it.
    Above,
}

/// A command's name, or one label more.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'t> {
    pub(super) row: &'t CommandRow,
    /// The host in the name, in lower case; it need not exist.
    pub(super) host: Option<String>,
    /// Complete, in lower case.
    pub(super) name: String,
    /// The label before it, in lower case.
    pub(super) label: Option<String>,
}

impl Found<'_> {
    /// Is it about a host that exists and can do this, with its address if it has one, or about none?
    pub(super) fn subject(&self, tables: &Tables) -> Option<Option<Ipv4Addr>> {
        let Some(host) = &self.host else { return Some(None) };
        let power = || tables.power.get(host);
        let can = match self.row.run {
            Run::PowerOn => power().is_some_and(|row| row.amt.is_some() || row.wake),
            // Wake on LAN turns on and nothing else.
            Run::PowerOff | Run::PowerCycle => power().is_some_and(|row| row.amt.is_some()),
            Run::Status | Run::Call => true,
        };
        tables.commanded.get(host).copied().filter(|_| can)
    }
}

/// The place of the first question of a packet; `None` where it is nobody's business here.
pub(super) fn place<'t>(packet: &[u8], tables: &'t Tables) -> Option<Place<'t>> {
    let labels = labels(packet)?;
    let mut best: Option<((bool, bool, bool), Found<'t>)> = None;
    let mut above = false;
    for row in &tables.commands {
        match held(row, &labels, tables) {
            Some(Place::Command(found)) => {
                // A host that can do it, then the whole name, then a name without a host.
                let rank = (found.subject(tables).is_some(), found.label.is_none(), found.host.is_none());
                if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                    best = Some((rank, found));
                }
            }
            Some(Place::Above) => above = true,
            None => {}
        }
    }
    best.map(|(_, found)| Place::Command(found)).or(above.then_some(Place::Above))
}

/// The labels of the first question, from the left. Compression has no place in it.
fn labels(packet: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = packet.get(HEADER_BYTES..)?;
    let mut labels = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        match *length {
            0 => return Some(labels),
            1..64 if labels.len() < LABELS_MAX => {
                let (label, after) = after.split_at_checked(usize::from(*length))?;
                labels.push(label);
                rest = after;
            }
            _ => return None,
        }
    }
}

/// Holds a name against a command, from the right.
fn held<'t>(row: &'t CommandRow, labels: &[&[u8]], tables: &Tables) -> Option<Place<'t>> {
    let (mut left, mut host) = (labels.iter().rev(), None);
    for own in row.name.rsplit('.') {
        let Some(label) = left.next() else { return above(row, host.as_deref(), tables) };
        if own == HOST {
            host = Some(text(label)?);
        } else if !own.as_bytes().eq_ignore_ascii_case(label) {
            return None;
        }
    }
    let label = left.next().map(|label| text(label));
    let is_command = left.next().is_none() && label.as_ref().is_none_or(Option::is_some);
    let name = host.as_ref().map_or_else(|| row.name.clone(), |host| row.name.replacen(HOST, host, 1));
    is_command.then(|| Place::Command(Found { row, host, name, label: label.flatten() }))
}

/// Where `{host}` stands right below a zone's own name, every name of the zone would exist: there the host must.
fn above<'t>(row: &CommandRow, host: Option<&str>, tables: &Tables) -> Option<Place<'t>> {
    let at_apex = row.name.split_once(HOST).is_some_and(|(_, zone)| tables.zones.contains_key(zone.trim_start_matches('.')));
    host.is_none_or(|host| !at_apex || tables.commanded.contains_key(host)).then_some(Place::Above)
}

/// Labels of hosts and of ours are letters, digits and hyphens.
fn text(label: &[u8]) -> Option<String> {
    let plain = label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_');
    plain.then(|| String::from_utf8_lossy(label).to_ascii_lowercase())
}

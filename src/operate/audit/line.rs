//! A record as a line of the spool, and back: JSON that begins with a checksum of the rest.
//!
//! ```text
//! {"sum":"5f1d09a2","owner":"pc-07","at":1795588200123456,"event":"file-asked","client":"10.77.0.27",…}
//! ```
//! **Invariant:** a line that was torn, or changed, is known as such. What this version does not know of
//! an event is kept as it stands.

use serde_json::{Map, Value};

use crate::event::Record;

/// The longest line, in bytes: a text of syslog with each character escaped, and more.
pub const LINE_BYTES_MAX: usize = 128 << 10;
/// What is kept of each text of a record whose line would be longer, in bytes; less where there are many.
const TEXT_BYTES_MAX: usize = 8 << 10;
const TEXT_BYTES_MIN: usize = 256;
/// `{"sum":"`, eight digits, `",`.
const HEAD: &str = "{\"sum\":\"";
const DIGITS: usize = 8;
const BODY: usize = HEAD.len() + DIGITS + 2;

/// A record as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Microseconds since 1970.
    pub at: i64,
    /// What happened, as in the log: `line-logged`.
    pub event: String,
    /// Everything else, by name.
    pub fields: Map<String, Value>,
}

/// Adds a record to lines that are to be written.
pub(super) fn write(lines: &mut Vec<u8>, record: &Record, owner: Option<&str>) {
    let start = lines.len();
    // Records have no value that JSON cannot hold, and a vector no end.
    add(lines, owner, |body| serde_json::to_writer(body, record));
    let mut kept = TEXT_BYTES_MAX;
    while lines.len() - start > LINE_BYTES_MAX && kept >= TEXT_BYTES_MIN {
        lines.truncate(start);
        let mut value = serde_json::to_value(record).unwrap_or_default();
        shorten(&mut value, kept);
        add(lines, owner, |body| serde_json::to_writer(body, &value));
        kept /= 2;
    }
}

/// One line: what is before an object's fields, and the fields.
fn add(lines: &mut Vec<u8>, owner: Option<&str>, object: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) {
    let start = lines.len();
    lines.extend_from_slice(HEAD.as_bytes());
    lines.extend_from_slice(&[b'0'; DIGITS]);
    lines.extend_from_slice(b"\",");
    if let Some(owner) = owner {
        lines.extend_from_slice(format!("\"owner\":{},", crate::out::table::json(&owner)).as_bytes());
    }
    let brace = lines.len();
    let _always = object(lines);
    if lines.get(brace) == Some(&b'{') {
        lines.remove(brace);
    }
    let sum = sum(lines.get(start + BODY..).unwrap_or_default());
    if let Some(digits) = lines.get_mut(start + HEAD.len()..start + HEAD.len() + DIGITS) {
        digits.copy_from_slice(&sum);
    }
    lines.push(b'\n');
}

/// A record that would be longer than any line: its texts as far as they fit, and how much of them does not.
fn shorten(record: &mut Value, bytes_max: usize) {
    let Value::Object(fields) = record else { return };
    let mut cut = fields.get("cut").and_then(Value::as_u64).unwrap_or(0);
    for value in fields.values_mut() {
        if let Value::String(text) = value {
            let kept = text.floor_char_boundary(bytes_max);
            cut += (text.len() - kept) as u64;
            text.truncate(kept);
        }
    }
    fields.insert("cut".to_owned(), cut.into());
}

/// A line without its end; `None` where it is damaged.
pub(super) fn read(line: &[u8]) -> Option<Entry> {
    let rest = line.strip_prefix(HEAD.as_bytes())?;
    let (digits, rest) = rest.split_at_checked(DIGITS)?;
    let body = rest.strip_prefix(b"\",")?;
    if sum(body) != digits {
        return None;
    }
    let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    fields.remove("sum");
    let at = fields.remove("at")?.as_i64()?;
    let Value::String(event) = fields.remove("event")? else { return None };
    Some(Entry { at, event, fields })
}

fn sum(body: &[u8]) -> [u8; DIGITS] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hash = blake3::hash(body);
    let mut digits = [b'0'; DIGITS];
    let nibbles = hash.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.iter_mut().zip(nibbles).for_each(|(digit, nibble)| *digit = HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    digits
}

impl Entry {
    /// A record as it would be kept.
    pub fn of(record: &Record) -> Entry {
        let value = serde_json::to_value(record).unwrap_or_default();
        let mut fields = if let Value::Object(fields) = value { fields } else { Map::new() };
        fields.remove("at");
        let event = fields.remove("event").and_then(|name| name.as_str().map(str::to_owned));
        Entry { at: record.at, event: event.unwrap_or_default(), fields }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// Whose it is: the event says so, or it was known when it was kept.
    pub fn host(&self) -> Option<&str> {
        self.text("host").or_else(|| self.text("owner"))
    }

    /// Where it came from: an address where there is one, else a MAC, else a host, else this server.
    pub fn source(&self) -> &str {
        ["source", "client", "address", "from", "mac", "host"].iter().find_map(|name| self.text(name)).unwrap_or("server")
    }

    /// The service that told it.
    pub fn service(&self) -> &str {
        const DHCP: &[&str] = &["client", "lease", "reservation", "address", "request", "pool", "loader"];
        let first = self.event.split('-').next().unwrap_or_default();
        match first {
            "file" => self.text("service").unwrap_or("file"),
            "line" | "lines" => "syslog",
            "records" | "document" => "audit",
            "wake" => "power",
            "machine" | "path" => "track",
            "alert" => "monitor",
            "command" | "labels" | "help" | "status" => "dns",
            _ if DHCP.contains(&first) => "dhcp",
            other => other,
        }
    }

    /// When it happened, as `2026-11-25T07:30:00.123456Z`.
    pub fn moment(&self) -> String {
        super::moment(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn line(owner: Option<&str>) -> Vec<u8> {
        let event = Event::LeaseReleased { mac: "02:00:00:00:00:01".into(), address: [10, 0, 0, 9].into() };
        let mut lines = Vec::new();
        write(&mut lines, &Record { at: 1_795_588_200_123_456, event }, owner);
        lines
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let lines = line(Some("pc \"7\""));
        let entry = read(lines.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((entry.host(), entry.source(), entry.service()), (Some("pc \"7\""), "10.0.0.9", "dhcp"));
        assert_eq!((entry.event.as_str(), entry.moment().as_str()), ("lease-released", "2026-11-25T06:30:00.123456Z"));
        assert!(serde_json::from_slice::<Value>(&lines).is_ok(), "it is JSON, for other programs");
    }

    #[test]
    fn commands_by_dns_are_found_by_who_gave_them() {
        let from = [10, 0, 0, 9].into();
        let (run, host) = ("power-on".to_owned(), "pc".to_owned());
        for event in [
            Event::CommandGiven { run, host: host.clone(), from, label: "1".into() },
            Event::CommandRefused { from, name: "n".into(), count: 1 },
            Event::LabelsGuessed { from, name: "n".into(), count: 1 },
            Event::HelpCalled { from, name: "n".into(), host: None },
            Event::StatusAsked { host, from },
        ] {
            let mut lines = Vec::new();
            write(&mut lines, &Record { at: 0, event }, None);
            let entry = read(lines.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!((entry.source(), entry.service()), ("10.0.0.9", "dns"), "{}", entry.event);
        }
        let mut lines = Vec::new();
        write(&mut lines, &Record { at: 0, event: Event::WakeSent { host: "pc".into(), by: "schedule".into() } }, None);
        let entry = read(lines.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((entry.source(), entry.service()), ("pc", "power"));
    }

    #[test]
    fn a_record_that_is_too_long_is_cut_and_none_is_damaged() {
        let why = "\u{1b}é".repeat(LINE_BYTES_MAX);
        let event = Event::DocumentRefused { sink: "http://a/b".into(), document: "d".into(), why: why.clone() };
        let mut lines = Vec::new();
        write(&mut lines, &Record { at: 7, event }, Some("pc"));
        assert!(lines.len() <= LINE_BYTES_MAX, "{}", lines.len());
        let entry = read(lines.strip_suffix(b"\n").unwrap()).unwrap();
        let kept = entry.text("why").unwrap();
        assert!(kept.len() > TEXT_BYTES_MAX - 4 && why.starts_with(kept));
        assert_eq!(entry.fields.get("cut").and_then(Value::as_u64), Some((why.len() - kept.len()) as u64));
        assert_eq!((entry.at, entry.host(), entry.text("sink")), (7, Some("pc"), Some("http://a/b")));
    }

    #[test]
    fn each_change_of_a_byte_is_seen() {
        let whole = line(None);
        let whole = whole.strip_suffix(b"\n").unwrap();
        assert!(read(whole).is_some());
        for at in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[at] ^= 1;
            assert!(read(&changed).is_none(), "byte {at}");
            assert!(read(&whole[..at]).is_none(), "torn at {at}");
        }
    }
}

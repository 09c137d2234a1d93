//! Records → documents: one for each source and UTC second, with everything that came from it then.
//!
//! ```text
//! {"_id":"2026-11-25T06:30:00Z/10.77.0.11","host":"kiosk-01","source":"10.77.0.11",
//!  "second":"2026-11-25T06:30:00Z","count":133,"lines":[{"id":"2026-11-25T06-0000:0000000812","at":…,"host":"kiosk-01","text":…},…],"events":[…]}
//! ```
//! **Invariant:** the same records give the same documents, so sending them again changes nothing. Each
//! record has an id, its place in the spool: a document that a sink has already is joined with ours by it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::line::Entry;
use super::segment::Place;

/// A document that has so many bytes is followed by another, with `/2` behind its id: CouchDB refuses
/// those of more than 8,000,000, and nginx before it requests of more than 1 MiB.
pub const PART_BYTES_MAX: usize = 512 << 10;

/// What a source had to say within a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: String,
    /// Whose all of it is.
    host: Option<String>,
    source: String,
    second: String,
    lines: Vec<Value>,
    events: Vec<Value>,
    /// About as many as it has when written down.
    pub bytes: usize,
}

/// The second of a record, since 1970.
pub fn second(entry: &Entry) -> i64 {
    entry.at.div_euclid(1_000_000)
}

/// All records, in the order of their places, as documents in the order of time.
pub fn documents(records: Vec<(Place, Entry)>) -> Vec<Document> {
    let mut all: BTreeMap<(i64, String), Vec<Document>> = BTreeMap::new();
    for (place, entry) in records {
        let (second, source) = (second(&entry), entry.source().to_owned());
        let parts = all.entry((second, source.clone())).or_default();
        if parts.last().is_none_or(|part| part.bytes >= PART_BYTES_MAX) {
            parts.push(Document::new(second, source, parts.len()));
        }
        if let Some(part) = parts.last_mut() {
            part.add(place, entry);
        }
    }
    all.into_values().flatten().collect()
}

impl Document {
    fn new(second: i64, source: String, before: usize) -> Document {
        let second = jiff::Timestamp::from_second(second).unwrap_or_default().to_string();
        let part = if before == 0 { String::new() } else { format!("/{}", before + 1) };
        let id = format!("{second}/{source}{part}");
        Document { id, host: None, source, second, lines: Vec::new(), events: Vec::new(), bytes: 200 }
    }

    fn add(&mut self, place: Place, entry: Entry) {
        let host = entry.host().map(str::to_owned);
        // A document of several hosts is nobody's: whoever commands others has what they do beside what it logs.
        if self.count() == 0 {
            self.host = host.clone();
        } else if self.host != host {
            self.host = None;
        }
        let mut row = Map::from_iter([("id".to_owned(), json!(place.to_string())), ("at".to_owned(), json!(entry.moment()))]);
        let is_line = entry.event == "line-logged";
        let mut fields = entry.fields;
        fields.remove("owner");
        match host {
            Some(host) => drop(fields.insert("host".to_owned(), json!(host))),
            None => drop(fields.remove("host")),
        }
        if is_line {
            // The document says it.
            fields.remove("source");
        } else {
            row.insert("event".to_owned(), json!(entry.event));
        }
        row.append(&mut fields);
        let row = Value::Object(row);
        self.bytes += row.to_string().len() + 1;
        if is_line { self.lines.push(row) } else { self.events.push(row) }
    }

    pub fn count(&self) -> usize {
        self.lines.len() + self.events.len()
    }

    /// Nothing but news of the audit itself.
    pub fn is_own(&self) -> bool {
        let is_ours = |row: &Value| {
            let event = row.get("event").and_then(Value::as_str).unwrap_or_default();
            event.starts_with("records-") || event.starts_with("document-")
        };
        self.lines.is_empty() && self.events.iter().all(is_ours)
    }

    /// As it is sent where the sink has none of its id.
    pub fn json(&self) -> Value {
        self.with(Map::new(), self.host.as_deref(), self.lines.clone(), self.events.clone())
    }

    fn with(&self, mut other: Map<String, Value>, host: Option<&str>, lines: Vec<Value>, events: Vec<Value>) -> Value {
        other.insert("_id".to_owned(), json!(self.id));
        if let Some(host) = host {
            other.insert("host".to_owned(), json!(host));
        }
        other.insert("source".to_owned(), json!(self.source));
        other.insert("second".to_owned(), json!(self.second));
        other.insert("count".to_owned(), json!(lines.len() + events.len()));
        other.insert("lines".to_owned(), Value::Array(lines));
        other.insert("events".to_owned(), Value::Array(events));
        Value::Object(other)
    }

    /// The one that the sink has, joined with what it lacks; `None` where it lacks nothing.
    pub fn joined(&self, theirs: &Value) -> Option<Value> {
        let rows = |name: &str| theirs.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let (lines, more_lines) = join(rows("lines"), &self.lines);
        let (events, more_events) = join(rows("events"), &self.events);
        let mut other = theirs.as_object().cloned().unwrap_or_default();
        let host = other.remove("host");
        let same = host.as_ref().and_then(Value::as_str) == self.host.as_deref();
        (more_lines || more_events).then(|| self.with(other, same.then_some(self.host.as_deref()).flatten(), lines, events))
    }
}

/// What names a row: two servers with one database may have the same place, and not at the same moment.
fn name(row: &Value) -> (String, String) {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("at"), text("id"))
}

/// All rows of both, each once, by time; and whether ours were more.
fn join(theirs: Vec<Value>, ours: &[Value]) -> (Vec<Value>, bool) {
    let known: BTreeSet<(String, String)> = theirs.iter().map(name).collect();
    let missing: Vec<Value> = ours.iter().filter(|row| !known.contains(&name(row))).cloned().collect();
    let more = !missing.is_empty();
    let mut all = theirs;
    all.extend(missing);
    if more {
        all.sort_by_cached_key(name);
    }
    (all, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(offset: u64, at: i64, source: &str, text: &str) -> (Place, Entry) {
        let fields = json!({ "source": source, "host": "pc", "text": text, "facility": "user", "severity": "notice" });
        let Value::Object(fields) = fields else { panic!() };
        (Place { offset, ..Place::default() }, Entry { at, event: "line-logged".into(), fields })
    }

    #[test]
    fn a_second_of_a_source_is_one_document() {
        let records = (0..133).map(|n| line(n, 5_000_000 + n as i64, "10.0.0.9", "same")).chain([line(500, 6_000_000, "10.0.0.9", "next")]);
        let all = documents(records.collect());
        assert_eq!(all.iter().map(Document::count).collect::<Vec<_>>(), [133, 1]);
        let first = all[0].json();
        assert_eq!((&first["_id"], &first["count"], &first["host"]), (&json!("1970-01-01T00:00:05Z/10.0.0.9"), &json!(133), &json!("pc")));
        assert_eq!(first["lines"].as_array().unwrap().len(), 133, "equal lines are as many as they were");
    }

    #[test]
    fn a_document_has_a_host_where_all_of_it_has_that_one() {
        let command = |offset: u64, host: &str| {
            let Value::Object(fields) = json!({ "from": "10.0.0.9", "host": host, "run": "power-on" }) else { panic!() };
            (Place { offset, ..Place::default() }, Entry { at: 5_000_000, event: "command-given".into(), fields })
        };
        let host = |records| documents(records).remove(0).json()["host"].clone();
        assert_eq!(host(vec![command(0, "a"), command(1, "a")]), "a");
        assert_eq!(host(vec![command(0, "a"), command(1, "b"), command(2, "a")]), Value::Null);
        let both = documents(vec![line(0, 5_000_000, "10.0.0.9", "x"), command(1, "b")]).remove(0);
        let json = both.json();
        assert_eq!((&json["host"], &json["lines"][0]["host"], &json["events"][0]["host"]), (&Value::Null, &json!("pc"), &json!("b")));
        let theirs = documents(vec![line(0, 5_000_000, "10.0.0.9", "x")]).remove(0).json();
        assert_eq!(theirs["host"], "pc");
        assert_eq!(both.joined(&theirs).unwrap()["host"], Value::Null, "half of it is somebody else's");
    }

    #[test]
    fn news_of_the_audit_are_its_own_and_others_are_not() {
        let news = |events: &[&str]| {
            let entry = |event: &&str| (Place::default(), Entry { at: 0, event: (*event).to_owned(), fields: Map::new() });
            documents(events.iter().map(entry).collect()).remove(0).is_own()
        };
        assert!(news(&["document-refused", "records-deleted"]));
        assert!(!news(&["document-refused", "lines-dropped"]), "its loss is told");
        assert!(!documents(vec![line(0, 0, "10.0.0.9", "x")])[0].is_own());
    }

    #[test]
    fn what_a_sink_has_is_joined_with_what_it_lacks() {
        let all = |range: std::ops::Range<u64>| documents(range.map(|n| line(n, 5_000_000, "10.0.0.9", "x")).collect()).remove(0);
        let mut theirs = all(0..3).json();
        theirs["_rev"] = json!("1-a");
        theirs["note"] = json!("somebody's own");
        assert_eq!(all(0..3).joined(&theirs), None);
        assert_eq!(all(1..2).joined(&theirs), None);
        let joined = all(2..5).joined(&theirs).unwrap();
        assert_eq!((&joined["count"], &joined["_rev"], &joined["note"]), (&json!(5), &json!("1-a"), &json!("somebody's own")));
        let ids: Vec<&str> = joined["lines"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert!(ids.is_sorted() && ids.len() == 5, "{ids:?}");
    }

    #[test]
    fn a_second_that_is_too_much_for_one_document_has_several() {
        let text = "x".repeat(8000);
        let all = documents((0..200).map(|n| line(n, 5_000_000, "10.0.0.9", &text)).collect());
        assert!(all.len() > 2 && all.iter().all(|part| part.bytes < PART_BYTES_MAX + 10_000));
        assert_eq!(all.iter().map(Document::count).sum::<usize>(), 200);
        assert!(all[1].id.ends_with("Z/10.0.0.9/2"), "{}", all[1].id);
    }
}

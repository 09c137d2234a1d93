//! A CouchDB that does what its author wants: strict about revisions, and broken where a test says so.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// What it does with the next request for `_bulk_docs`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mood {
    /// Takes everything, and answers for the first row alone.
    HalfTheRows,
    /// Takes everything, and hangs up within its answer.
    HalfTheAnswer,
    Status(u16),
    /// One row is an error that passes.
    RowFails(&'static str),
}

#[derive(Default)]
pub(super) struct State {
    pub(super) exists: bool,
    pub(super) documents: BTreeMap<String, Value>,
    /// For the next requests, the first one first.
    pub(super) moods: Vec<Mood>,
    /// `user:password`, in base64.
    pub(super) login: Option<&'static str>,
    /// The most documents that a request may have: more is 413.
    pub(super) documents_max: Option<usize>,
    /// The same for those that are joined with what is there.
    pub(super) joined_max: Option<usize>,
    /// Documents whose id ends like this are refused for ever.
    pub(super) forbidden: Option<&'static str>,
    /// The numbers of documents in each request for `_bulk_docs`.
    pub(super) requests: Vec<usize>,
}

pub(super) struct Fake {
    pub(super) port: u16,
    pub(super) state: Arc<Mutex<State>>,
}

impl Fake {
    pub(super) fn start(state: State) -> Fake {
        Fake::begin(state, None)
    }

    /// The same within TLS, with a certificate and its key in PEM.
    pub(super) fn start_tls(state: State, pem: &str) -> Fake {
        Fake::begin(state, Some(crate::amt::tls(pem)))
    }

    fn begin(state: State, tls: Option<Arc<ServerConfig>>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(state)));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, tls) = (shared.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => converse(stream, &shared),
                    Some(config) => converse(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &shared),
                });
            }
        });
        Fake { port, state }
    }

    pub(super) fn documents(&self) -> Vec<Value> {
        self.state.lock().unwrap().documents.values().cloned().collect()
    }
}

fn converse(mut stream: impl Read + Write, shared: &Mutex<State>) {
    while one(&mut stream, shared).is_some() {}
}

/// One request and its answer; `None` where the connection is over.
fn one(stream: &mut (impl Read + Write), shared: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let (mut length, mut login) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => login = value.strip_prefix("Basic ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut state = shared.lock().unwrap();
    let (status, answer, whole) = answer(&mut state, &line, login.as_deref(), &serde_json::from_slice(&body).unwrap_or_default());
    let text = answer.to_string();
    let sent = if whole { text.as_str() } else { &text[..text.len() / 2] };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
    stream.write_all(format!("{head}{sent}").as_bytes()).ok()?;
    stream.flush().ok()?;
    // Half an answer is followed by a hang-up.
    whole.then_some(())
}

fn answer(state: &mut State, line: &str, login: Option<&str>, body: &Value) -> (u16, Value, bool) {
    let error = |status: u16, error: &str, reason: &str| (status, json!({ "error": error, "reason": reason }), true);
    if state.login.is_some() && state.login != login {
        return error(401, "unauthorized", "Name or password is incorrect.");
    }
    match line.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["PUT", "/audit"] => {
            state.exists = true;
            (201, json!({ "ok": true }), true)
        }
        _ if !state.exists => error(404, "not_found", "Database does not exist."),
        ["POST", "/audit/_bulk_docs"] => bulk(state, body),
        ["POST", "/audit/_all_docs?include_docs=true"] => {
            let row = |key: &Value| match state.documents.get(key.as_str().unwrap()) {
                Some(doc) => json!({ "id": key, "key": key, "value": { "rev": doc["_rev"] }, "doc": doc }),
                None => json!({ "key": key, "error": "not_found" }),
            };
            (200, json!({ "rows": body["keys"].as_array().unwrap().iter().map(row).collect::<Vec<_>>() }), true)
        }
        _ => error(405, "method_not_allowed", line),
    }
}

fn bulk(state: &mut State, body: &Value) -> (u16, Value, bool) {
    let documents = body["docs"].as_array().unwrap();
    state.requests.push(documents.len());
    let joined = documents.iter().filter(|document| document["_rev"].is_string()).count();
    if state.documents_max.is_some_and(|most| documents.len() > most) || state.joined_max.is_some_and(|most| joined > most) {
        return (413, json!({ "error": "too_large", "reason": "the request entity is too large" }), true);
    }
    let mood = (!state.moods.is_empty()).then(|| state.moods.remove(0));
    if let Some(Mood::Status(status)) = mood {
        return (status, json!({ "error": "broken", "reason": "it is" }), true);
    }
    let mut rows: Vec<Value> = documents.iter().map(|document| put(state, document)).collect();
    match mood {
        Some(Mood::HalfTheRows) => rows.truncate(1),
        Some(Mood::RowFails(error)) => rows[0] = json!({ "id": documents[0]["_id"], "error": error, "reason": "for now" }),
        Some(Mood::HalfTheAnswer | Mood::Status(_)) | None => {}
    }
    (201, Value::Array(rows), mood != Some(Mood::HalfTheAnswer))
}

/// One row, by the rules of CouchDB: who does not name the revision that is there conflicts with it.
fn put(state: &mut State, document: &Value) -> Value {
    let id = document["_id"].as_str().unwrap();
    if state.forbidden.is_some_and(|end| id.ends_with(end)) {
        return json!({ "id": id, "error": "forbidden", "reason": "no such sources here" });
    }
    let there = state.documents.get(id).map(|document| document["_rev"].clone());
    if there.clone().unwrap_or_default() != document["_rev"] {
        return json!({ "id": id, "error": "conflict", "reason": "Document update conflict." });
    }
    let number: u64 = there.and_then(|rev| rev.as_str()?.split('-').next()?.parse().ok()).unwrap_or(0) + 1;
    let mut document = document.clone();
    document["_rev"] = json!(format!("{number}-x"));
    let rev = document["_rev"].clone();
    state.documents.insert(id.to_owned(), document);
    json!({ "ok": true, "id": id, "rev": rev })
}

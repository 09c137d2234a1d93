//! CouchDB over HTTP: documents in bulk, each row of each answer checked.
//!
//! ```text
//! _bulk_docs ─► ok ───────► done
//!            ─► conflict ─► _all_docs ─► nothing is missing: done │ joined, with its _rev ─► _bulk_docs
//!            ─► forbidden … ► refused for ever, told, and the others go on
//!            ─► anything else, or no row ─► Trouble: all of it again later
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::document::Document;
use super::trust;
use crate::operate::secret;
use crate::out::table::SinkRow;
use crate::terminal::{chain, escaped};

/// The most that one request has, in documents and in bytes (nginx before a CouchDB takes 1 MiB).
pub(super) const BULK_DOCUMENTS_MAX: usize = 500;
pub(super) const BULK_BYTES_MAX: usize = 900 << 10;
/// How long a request may take in all, and until there is a connection.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// The most of its reasons that is told, in bytes.
const SAID_BYTES_MAX: usize = 300;
/// How often a document is joined anew with one that others change at the same time.
const ROUNDS_MAX: usize = 8;
/// Errors of a row that no repetition mends. `unauthorized` is none: the next password, or a right that
/// somebody gives, mends it.
const FOR_EVER: &[&str] = &["forbidden", "document_too_large", "doc_validation", "illegal_docid", "bad_request"];

/// Why nothing can be sent now; with what mends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble(pub(super) String);

/// A document that the sink never takes, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) document: String,
    pub(super) why: String,
    pub(super) is_own: bool,
}

pub(super) struct Couch {
    /// Made anew after a certificate was refused: somebody may have mended it on this machine.
    agent: RefCell<Agent>,
    row: SinkRow,
}

/// A status and what came with it.
struct Answer {
    status: u16,
    body: Value,
}

impl Couch {
    pub(super) fn new(row: SinkRow) -> Couch {
        Couch { agent: RefCell::new(agent(&row)), row }
    }

    /// Brings all documents there. When this returns, each of them is there or refused for ever.
    pub(super) fn deliver(&self, documents: &[Document]) -> Result<Vec<Refused>, Trouble> {
        let (mut refused, mut rest) = (Vec::new(), documents);
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(BULK_DOCUMENTS_MAX).take_while(|document| {
                bytes += document.bytes;
                bytes <= BULK_BYTES_MAX
            });
            let (now, later) = rest.split_at_checked(fits.count().max(1)).unwrap_or((rest, &[]));
            self.bulk(now.iter().map(|document| (document, document.json())).collect(), &mut refused)?;
            rest = later;
        }
        Ok(refused)
    }

    /// One request's documents; where they are too many for the sink, in halves.
    fn bulk(&self, mut waiting: Vec<(&Document, Value)>, refused: &mut Vec<Refused>) -> Result<(), Trouble> {
        for _ in 0..ROUNDS_MAX {
            if waiting.is_empty() {
                return Ok(());
            }
            let bodies: Vec<&Value> = waiting.iter().map(|(_, body)| body).collect();
            let answer = self.ask("POST", "/_bulk_docs", Some(&json!({ "docs": bodies })))?;
            match (answer.status, waiting.len()) {
                (201 | 202, _) => {}
                (413, 1) => {
                    let why = "the request is larger than the sink takes (413)";
                    refused.extend(waiting.iter().map(|(document, _)| refusal(document, why.to_owned())));
                    return Ok(());
                }
                (413, count) => {
                    // As they are now: joined ones are larger than they were, and others are done already.
                    let second = waiting.split_off(count / 2);
                    self.bulk(waiting, refused)?;
                    return self.bulk(second, refused);
                }
                (404, _) => {
                    self.make_database()?;
                    continue;
                }
                (_, _) => return Err(self.trouble(&answer)),
            }
            let conflicts = self.read_rows(&answer, waiting, refused)?;
            waiting = self.join(conflicts)?;
        }
        Err(Trouble(format!("{} changes documents as quickly as they are joined; trying again", self.row.url)))
    }

    /// Which documents are in conflict with what is there; those with other mistakes go to `refused`.
    fn read_rows<'d>(
        &self,
        answer: &Answer,
        sent: Vec<(&'d Document, Value)>,
        refused: &mut Vec<Refused>,
    ) -> Result<Vec<&'d Document>, Trouble> {
        let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
        let by_id: BTreeMap<&str, &Value> = rows.iter().filter_map(|row| Some((row.get("id")?.as_str()?, row))).collect();
        let mut conflicts = Vec::new();
        for (document, _) in sent {
            let Some(row) = by_id.get(document.id.as_str()) else {
                let url = &self.row.url;
                return Err(Trouble(format!("{url} answers, and says nothing of document {}; trying again", document.id)));
            };
            let (error, reason) = (said(row, "error"), said(row, "reason"));
            match error.as_str() {
                "" if row.get("rev").is_some() || row.get("ok").is_some() => {}
                "conflict" => conflicts.push(document),
                error if FOR_EVER.contains(&error) => refused.push(refusal(document, format!("{error}: {reason}"))),
                error => {
                    let url = &self.row.url;
                    return Err(Trouble(format!("{url} says of document {}: `{error}`, {reason}; trying again", document.id)));
                }
            }
        }
        Ok(conflicts)
    }

    /// What must be written anew, because the sink has less than we do.
    fn join<'d>(&self, conflicts: Vec<&'d Document>) -> Result<Vec<(&'d Document, Value)>, Trouble> {
        if conflicts.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<&str> = conflicts.iter().map(|document| document.id.as_str()).collect();
        let answer = self.ask("POST", "/_all_docs?include_docs=true", Some(&json!({ "keys": keys })))?;
        if answer.status != 200 {
            return Err(self.trouble(&answer));
        }
        let rows = answer.body.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let by_id: BTreeMap<&str, &Value> = rows.iter().filter_map(|row| Some((row.get("id")?.as_str()?, row.get("doc")?))).collect();
        // One that vanished meanwhile is sent as new.
        let again = |document: &'d Document| match by_id.get(document.id.as_str()) {
            Some(theirs) if theirs.is_object() => document.joined(theirs).map(|body| (document, body)),
            Some(_) | None => Some((document, document.json())),
        };
        Ok(conflicts.into_iter().filter_map(again).collect())
    }

    fn make_database(&self) -> Result<(), Trouble> {
        let answer = self.ask("PUT", "", None)?;
        match answer.status {
            // 412: somebody made it meanwhile.
            201 | 202 | 412 => Ok(()),
            401 | 403 => {
                let user = self.user();
                Err(Trouble(format!(
                    "{} does not exist, and {user} may not make it ({}): make the database, and make {user} a member of it",
                    self.row.url, answer.status
                )))
            }
            _ => Err(self.trouble(&answer)),
        }
    }

    fn user(&self) -> String {
        self.row.user.as_ref().map_or_else(|| "nobody (the site names no user)".to_owned(), |user| format!("user `{user}`"))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", self.row.url);
        let mut request = ureq::http::Request::builder().method(method).uri(&url).header("accept", "application/json");
        if let Some(user) = &self.row.user {
            let file = self.row.password_file.as_deref().unwrap_or_default();
            let password = secret::read(Path::new(file)).map_err(|error| Trouble(chain(&error)))?;
            request = request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
        }
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request.body(String::new()),
        };
        let sent = request.map_err(ureq::Error::from).and_then(|request| self.agent.borrow().run(request));
        let mut answer = sent.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(|error| self.unreachable(&error))?;
        // A proxy's page of HTML is no JSON, and its status says enough.
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    fn unreachable(&self, error: &ureq::Error) -> Trouble {
        let url = &self.row.url;
        let kind = if let ureq::Error::Io(error) = error { error.kind() } else { ErrorKind::Other };
        if let Some(why) = trust::refused(error) {
            self.agent.replace(agent(&self.row));
            return Trouble(format!("{url}: {why}"));
        }
        let is_timeout = kind == ErrorKind::TimedOut || matches!(error, ureq::Error::Timeout(_));
        Trouble(if kind == ErrorKind::ConnectionRefused || matches!(error, ureq::Error::ConnectionFailed) {
            format!("{url}: nobody listens there: start CouchDB, or correct the address and port in the site")
        } else if is_timeout {
            format!("{url} does not answer in time: look whether CouchDB runs there, and whether a firewall is between")
        } else if matches!(error, ureq::Error::HostNotFound) {
            format!("{url}: no such name: correct it in the site, or write an address")
        } else {
            format!("{url}: {}; trying again", escaped(&chain(error)))
        })
    }

    fn trouble(&self, answer: &Answer) -> Trouble {
        let (url, user, status) = (&self.row.url, self.user(), answer.status);
        let reason = match said(&answer.body, "reason") {
            none if none.is_empty() => "without a reason".to_owned(),
            reason => reason,
        };
        let file = self.row.password_file.as_deref().unwrap_or_default();
        Trouble(match (status, &self.row.user) {
            (401, Some(_)) => format!("{url} does not know {user} with this password (401): write the right one into {file}; it is read again by itself"),
            (401, None) => format!("{url} wants a user and a password (401): name them in the site, user=… password=(secret)…"),
            (403, _) => format!("{url} forbids it to {user} (403, {reason}): make it a member of the database"),
            (300..=399, _) => format!("{url} leads elsewhere ({status}): write the address that it leads to"),
            _ => format!("{url} answers {status}, {reason}; trying again"),
        })
    }
}

fn agent(row: &SinkRow) -> Agent {
    let roots = if row.url.starts_with("https:") { trust::roots() } else { RootCerts::WebPki };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // A password goes where the site says, and nowhere else.
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent("pxelator")
        .build();
    config.into()
}

/// A word of the sink's answer: one line of ours, and not longer than one.
fn said(answer: &Value, name: &str) -> String {
    let text = answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let kept = text.floor_char_boundary(SAID_BYTES_MAX);
    let cut = if kept < text.len() { " …" } else { "" };
    escaped(text.get(..kept).unwrap_or_default()) + cut
}

fn refusal(document: &Document, why: String) -> Refused {
    Refused { document: document.id.clone(), why, is_own: document.is_own() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_forges_no_line_of_the_log() {
        let answer = json!({ "reason": "no\n2026-11-25T06:30:00Z ERROR \u{1b}[2Jforged", "error": "x".repeat(5000) });
        assert_eq!(said(&answer, "reason"), "no\\x0a2026-11-25T06:30:00Z ERROR \\x1b[2Jforged");
        assert_eq!(said(&answer, "error"), "x".repeat(SAID_BYTES_MAX) + " …");
        assert_eq!(said(&json!([1]), "reason"), "");
    }
}

//! `audit` and its sinks.

use super::located;
use crate::diag::{Diag, Diags};
use crate::eval::{Merged, Reference};
use crate::model::{Audit, At, Couch, CouchUrl, UrlError};
use crate::schema::duration_secs;
use crate::source::{FileId, Span};
use crate::syntax::{Entry, Node, shorten};

pub(super) fn audit(merged: &Merged<'_>, diags: &mut Diags) -> Audit {
    Audit {
        keep_secs: merged.value("keep").and_then(|choice| choice.entry.text()).and_then(duration_secs),
        sinks: merged.list("couchdb").filter_map(|node| couch(node, diags)).collect(),
        span: merged.span().unwrap_or(Span::new(FileId::new(0), 0, 0)),
    }
}

fn couch(node: &Node<'_>, diags: &mut Diags) -> Option<Couch> {
    let entry = node.arg(0)?;
    Some(Couch {
        url: url(entry, diags)?,
        user: node.prop("user").map(|entry| user(entry, diags)).and_then(located),
        password: node.prop("password").and_then(located),
        span: node.span,
    })
}

/// RFC 7617 §2: user and password go over the wire with a colon between them.
fn user<'a, 's>(entry: &'a Entry<'s>, diags: &mut Diags) -> &'a Entry<'s> {
    let text = entry.text().unwrap_or_default();
    let why = match text {
        "" => "it is empty",
        _ if text.contains(':') => "what follows the colon would count as the password",
        _ if text.contains(char::is_control) => "it has a control character",
        _ => return entry,
    };
    let diag = Diag::new("audit/bad-user", entry.value_span, format!("`{}` cannot log in: {why}", shorten(text)));
    diags.push(diag.help("write the name of the user alone, and the password as password=(secret)NAME"));
    entry
}

fn url(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<CouchUrl>> {
    let text = entry.text().unwrap_or_default();
    let why = match CouchUrl::parse(text) {
        Ok(value) => return Some(At { value, span: entry.value_span }),
        Err(UrlError::Password) => {
            diags.redact(entry.value_span);
            let diag = Diag::new("secret/literal", entry.value_span, "a password in a URL would stand in out/");
            diags.push(diag.help("write the user as user=, and the password as password=(secret)NAME with `secret NAME file=…`"));
            return None;
        }
        Err(UrlError::Scheme) => "it begins neither with http:// nor with https://",
        Err(UrlError::Host) => "it has no sound name or address of a machine",
        Err(UrlError::Port) => "its port is no number from 1 to 65,535",
        Err(UrlError::Database | UrlError::Path) => "it names no database of lower-case letters, digits and _ $ ( ) + -, which begins with a letter",
    };
    let diag = Diag::new("audit/bad-url", entry.value_span, format!("`{}` is no database of CouchDB: {why}", shorten(text)));
    diags.push(diag.help("write it like this: \"http://10.77.0.51:5984/audit\""));
    None
}

/// The secrets that sinks need; they must exist, and are used. Also by a sink whose URL is wrong.
pub(super) fn secrets(merged: &Merged<'_>) -> impl Iterator<Item = Reference> {
    let passwords = merged.list("couchdb").filter_map(|node| node.prop("password").and_then(located));
    passwords.map(|at| Reference { kind: "secret".to_owned(), name: at.value, span: at.span })
}

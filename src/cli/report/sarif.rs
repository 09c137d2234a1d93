//! Findings as a SARIF 2.1.0 log, for code scanning and editors.
//!
//! Each code is a rule with its page as help; further labels are related locations; a certain mend is a
//! fix. Columns count code points, as everywhere in this program, and the log says so, since SARIF would
//! count UTF-16 units. Files are relative URIs below `%SRCROOT%`, the folder where the program runs.
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Findings, LABELS_MAX, LISTED_BYTES_MAX, Places, path_from_here};
use crate::diag::codes::{CODES, Code};
use crate::diag::{Diag, Label};
use crate::source::Span;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const ROOT: &str = "%SRCROOT%";

/// The log, and how many findings are not in it.
pub(super) fn log(findings: &Findings<'_>) -> (String, usize) {
    let diags = findings.diags;
    let raised: BTreeSet<&str> = diags.iter().map(|diag| diag.code).collect();
    let rules: Vec<&Code> = CODES.iter().filter(|code| raised.contains(code.name)).collect();
    let index: BTreeMap<&str, usize> = rules.iter().enumerate().map(|(at, code)| (code.name, at)).collect();
    let mut places = Places::new(findings.sources);
    let mut results: Vec<String> = Vec::new();
    let mut bytes = 0;
    for diag in diags.iter() {
        if bytes > LISTED_BYTES_MAX {
            break;
        }
        let result = result(findings, &mut places, diag, index.get(diag.code).copied());
        let line = serde_json::to_string(&result).unwrap_or_default();
        bytes += line.len();
        results.push(line);
    }
    let left = diags.total() - results.len();
    let head = json!({
        "tool": { "driver": {
            "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.iter().map(|code| rule(code)).collect::<Vec<_>>(),
        }},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation(left)],
    });
    let head = serde_json::to_string(&head).unwrap_or_default();
    let head = head.strip_suffix('}').unwrap_or_default();
    // One finding a line: the log can be read and compared.
    let results = results.join(",\n");
    (format!("{{\"$schema\":\"{SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{head},\"results\":[\n{results}\n]}}]}}\n"), left)
}

/// The compiler did its work, whatever it found; what is not listed is told.
fn invocation(left: usize) -> Value {
    let told = |left: usize| json!({ "level": "note", "message": { "text": format!("and {left} more findings, not listed") } });
    let notes: Vec<Value> = Some(left).filter(|left| *left > 0).map(told).into_iter().collect();
    json!({ "executionSuccessful": true, "toolExecutionNotifications": notes })
}

fn rule(code: &Code) -> Value {
    // A page is a heading, what is wrong in a sentence, an example, why, and the mend.
    let short = code.page.split("\n\n").nth(1).unwrap_or(code.name);
    json!({
        "id": code.name,
        "shortDescription": { "text": short },
        "fullDescription": { "text": short },
        "help": { "text": code.page, "markdown": code.page },
        "defaultConfiguration": { "level": code.severity.name() },
    })
}

fn result(findings: &Findings<'_>, places: &mut Places<'_>, diag: &Diag, rule: Option<usize>) -> Value {
    let mut text = diag.message.clone();
    if let Some(help) = &diag.help {
        text.push_str(&format!("; help: {help}"));
    }
    let mut locations = Vec::new();
    let mut related = Vec::new();
    for label in diag.labels.iter().take(LABELS_MAX) {
        if locations.is_empty() {
            locations.push(location(findings, places, label));
            continue;
        }
        let mut other = location(findings, places, label);
        add(&mut other, "id", Some(json!(related.len() + 1)));
        related.push(other);
    }
    let mut result = json!({
        "ruleId": diag.code, "level": diag.severity.name(), "message": { "text": escaped(&text) }, "locations": locations,
    });
    add(&mut result, "ruleIndex", rule.map(|rule| json!(rule)));
    add(&mut result, "relatedLocations", Some(json!(related)).filter(|_| !related.is_empty()));
    add(&mut result, "fixes", fix(findings, places, diag).map(|fix| json!([fix])));
    result
}

/// A field that is there or not: SARIF knows no null.
fn add(object: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(field.to_owned(), value);
    }
}

fn location(findings: &Findings<'_>, places: &mut Places<'_>, label: &Label) -> Value {
    let mut location = json!({ "physicalLocation": {
        "artifactLocation": artifact(findings, label.span), "region": region(places, label.span),
    }});
    let message = Some(&label.text).filter(|text| !text.is_empty());
    add(&mut location, "message", message.map(|text| json!({ "text": escaped(text) })));
    location
}

fn region(places: &mut Places<'_>, span: Span) -> Value {
    let (start, end) = places.of(span);
    json!({ "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column })
}

fn artifact(findings: &Findings<'_>, span: Span) -> Value {
    let path = path_from_here(findings.folder, findings.sources.name(span.file));
    match path.starts_with('/') {
        true => json!({ "uri": format!("file://{}", encoded(&path)) }),
        false => json!({ "uri": encoded(&path), "uriBaseId": ROOT }),
    }
}

/// Percent-encoding of all but the unreserved characters of RFC 3986 and the slash.
fn encoded(path: &str) -> String {
    let byte = |byte: u8| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(byte).collect()
}

/// SARIF's messages have placeholders in braces; a brace itself is written twice (§3.11.5).
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn fix(findings: &Findings<'_>, places: &mut Places<'_>, diag: &Diag) -> Option<Value> {
    let edit = diag.fix.as_ref()?.edit(findings.sources)?;
    Some(json!({
        "description": { "text": escaped(&format!("write `{}` for `{}`", edit.new, edit.old)) },
        "artifactChanges": [{
            "artifactLocation": artifact(findings, edit.span),
            "replacements": [{ "deletedRegion": region(places, edit.span), "insertedContent": { "text": edit.new } }],
        }],
    }))
}

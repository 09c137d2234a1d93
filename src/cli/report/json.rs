//! Findings as one JSON array: lines and columns from 1, columns in characters, ends exclusive.

use serde_json::{Value, json};

use super::{Findings, LABELS_MAX, LISTED_BYTES_MAX, Places};
use crate::diag::Diag;

/// The array, and how many findings are not in it.
pub(super) fn list(findings: &Findings<'_>) -> (String, usize) {
    let mut places = Places::new(findings.sources);
    let mut out = String::new();
    let mut listed = 0;
    for diag in findings.diags.iter() {
        if out.len() > LISTED_BYTES_MAX {
            break;
        }
        let text = serde_json::to_string_pretty(&to_json(&mut places, diag)).unwrap_or_default();
        out.push_str(if listed == 0 { "[\n" } else { ",\n" });
        text.lines().for_each(|line| out.push_str(&format!("  {line}\n")));
        out.pop();
        listed += 1;
    }
    out.push_str(if listed == 0 { "[]\n" } else { "\n]\n" });
    (out, findings.diags.total() - listed)
}

fn to_json(places: &mut Places<'_>, diag: &Diag) -> Value {
    let mut labels = Vec::new();
    for label in diag.labels.iter().take(LABELS_MAX) {
        let (start, end) = places.of(label.span);
        labels.push(json!({
            "file": places.sources.name(label.span.file),
            "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column,
            "text": label.text, "primary": labels.is_empty(),
        }));
    }
    json!({
        "code": diag.code, "severity": diag.severity.name(), "message": diag.message, "help": diag.help, "labels": labels,
    })
}

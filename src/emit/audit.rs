//! # Name
//! `audit`: how long what happened is kept, and who gets it.
//!
//! # Description
//! `audit/spool.jsonl` has one row, `audit/sinks.jsonl` one for each CouchDB, in the order of the source. A
//! password is never in it: the row tells the file on the boot server that holds it. A site without
//! `audit` has neither file.
//!
//! # Syntax
//! Reads `audit` (`keep`), `couchdb`, and the file of `secret`.
//!
//! # Example
//! ```kdl
//! site lab
//! audit keep="90d" { couchdb "http://127.0.0.1:5984/audit" }
//! ```

use crate::check::Checked;
use crate::diag::Diags;
use crate::out::table::{KEEP_SECS, SINKS, SPOOL, SinkRow, SpoolRow, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let Some(audit) = &site.audit else { return };
    let (mut spool, mut sinks) = (Lines::default(), Lines::default());
    spool.line(&[audit.span], json(&SpoolRow { keep_secs: audit.keep_secs.unwrap_or(KEEP_SECS) }));
    for sink in &audit.sinks {
        let secret = sink.password.as_ref().and_then(|at| site.secrets.iter().find(|secret| secret.name == at.value));
        let row = SinkRow {
            kind: "couchdb".to_owned(),
            url: sink.url.value.as_str().to_owned(),
            user: sink.user.as_ref().map(|at| at.value.clone()),
            password_file: secret.map(|secret| secret.file.value.clone()),
        };
        let origins: Vec<Span> = std::iter::once(sink.span).chain(secret.map(|secret| secret.span)).collect();
        sinks.line(&origins, json(&row));
    }
    wing.write(SPOOL.into(), spool);
    wing.write(SINKS.into(), sinks);
}

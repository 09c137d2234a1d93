//! Findings in the log of GitHub Actions: the list that people read, then commands that mark lines.
//!
//! GitHub shows ten errors and ten warnings of a step, so no more are sent, and a notice sums up the
//! rest. The list for people stands in the same stream, for the runner reads both streams and mixes
//! them; between `stop-commands` and its token, nothing in it is taken for a command, whatever a site
//! or a pull request writes into a name.
//! Source: <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>.

use super::{Findings, LABELS_MAX, Places, counted, path_from_here, text};
use crate::diag::{Diag, Severity};

/// How many errors, and how many warnings, GitHub shows of one step.
const ANNOTATIONS_MAX: usize = 10;

pub(super) fn log(findings: &Findings<'_>) -> String {
    let (sources, diags) = (findings.sources, findings.diags);
    if diags.is_empty() {
        return String::new();
    }
    let token = token();
    let mut out = format!("::stop-commands::{token}\n{}::{token}::\n", text::text(sources, diags));
    let mut places = Places::new(sources);
    let mut left = [diags.errors(), diags.total() - diags.errors()];
    for (severity, left) in [Severity::Error, Severity::Warning].into_iter().zip(&mut left) {
        for diag in diags.iter().filter(|diag| diag.severity == severity).take(ANNOTATIONS_MAX) {
            out.push_str(&command(findings, &mut places, diag));
            *left -= 1;
        }
    }
    let [errors, warnings] = left;
    if errors + warnings > 0 {
        out.push_str(&format!("::notice title=pxelator::and {} more: see the log, or run `pxelator check`\n", counted(errors, warnings)));
    }
    out
}

/// `::error file=site.kdl,line=4,col=20,endLine=4,endColumn=39,title=host/duplicate-mac::…`
fn command(findings: &Findings<'_>, places: &mut Places<'_>, diag: &Diag) -> String {
    let mut message = diag.message.clone();
    let mut properties = String::new();
    for (at, label) in diag.labels.iter().take(LABELS_MAX).enumerate() {
        let (start, end) = places.of(label.span);
        let file = path_from_here(findings.folder, findings.sources.name(label.span.file));
        if at > 0 {
            message.push_str(&format!("\n{file}:{}: {}", start.line, label.text));
            continue;
        }
        let file = property(&file);
        properties.push_str(&format!("file={file},line={},col={},endLine={},", start.line, start.column, end.line));
        // GitHub marks columns within one line only.
        if start.line == end.line && end.column > start.column {
            properties.push_str(&format!("endColumn={},", end.column));
        }
    }
    if let Some(help) = &diag.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    format!("::{} {properties}title={}::{}\n", diag.severity.name(), property(diag.code), data(&message))
}

/// What may not stand in a message as it is.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What may not stand in a property as it is.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A word that nobody who writes a site can know.
fn token() -> String {
    let mut bytes = [0_u8; 16];
    let _short_reads_are_as_good = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_a_property_cannot_end_early() {
        assert_eq!(data("50 %\r\n::x, y"), "50 %25%0D%0A::x, y");
        assert_eq!(property("a,b:c%"), "a%2Cb%3Ac%25");
    }
}

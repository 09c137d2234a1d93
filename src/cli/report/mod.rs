//! How findings are written: for people, for programs, for code scanning, for a CI log.
//!
//! One [`Diag`](crate::diag::Diag) → four forms, each in a file of its own. Text goes to standard error; what a program or a
//! CI service reads goes to standard output. **Invariant:** no form changes the exit code, and none
//! grows without end: text ends after `PRINTED_MAX` findings or `TEXT_BYTES_MAX`, JSON and SARIF after
//! `KEPT_MAX` findings or [`LISTED_BYTES_MAX`], GitHub after `ANNOTATIONS_MAX` of each severity.

mod github;
mod json;
mod sarif;
mod text;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use clap::ValueEnum;

use crate::diag::Diags;
use crate::source::{FileId, Place, Sources, Span};
use crate::terminal::{print, say, say_raw};

/// How findings are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One array of findings
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands for the log of GitHub Actions
    Github,
}

/// How much JSON or SARIF is written about findings, in bytes (and one finding more).
const LISTED_BYTES_MAX: usize = 8 << 20;
/// How many places a program is told of one finding; two sites of a quarrel are the rule.
const LABELS_MAX: usize = 20;

/// What was found, and where the texts lie.
pub(super) struct Findings<'a> {
    pub(super) sources: &'a Sources,
    pub(super) diags: &'a Diags,
    /// The site folder, as the command line gives it.
    pub(super) folder: &'a Path,
}

pub(super) fn show(findings: &Findings<'_>, format: Format) {
    let (out, left) = match format {
        Format::Text => return say_raw(&text::text(findings.sources, findings.diags)),
        Format::Github => return print(&github::log(findings)),
        Format::Json => json::list(findings),
        Format::Sarif => sarif::log(findings),
    };
    print(&out);
    if left > 0 {
        say(&format!("… and {left} more findings, not listed"));
    }
}

/// `2 errors, 1 warning`
fn counted(errors: usize, warnings: usize) -> String {
    let count = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "" } else { "s" }));
    let parts: Vec<String> = [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    parts.join(", ")
}

/// The path of a source as seen from where the program runs, which in CI is the root of the repository.
fn path_from_here(folder: &Path, name: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = folder.join(name);
    let path = path.strip_prefix(&here).unwrap_or(&path);
    let parts: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    parts.to_string_lossy().into_owned()
}

/// Line and column of offsets, for many findings: a line of a megabyte is counted once, not once a finding.
struct Places<'a> {
    sources: &'a Sources,
    /// File → characters before each [`STRIDE`] bytes.
    counts: BTreeMap<FileId, Vec<usize>>,
}

/// How far two counts lie apart, in bytes.
const STRIDE: usize = 4096;

impl<'a> Places<'a> {
    fn new(sources: &'a Sources) -> Self {
        Places { sources, counts: BTreeMap::new() }
    }

    /// Where a span begins and ends.
    fn of(&mut self, span: Span) -> (Place, Place) {
        (self.place(span.file, span.start as usize), self.place(span.file, span.end as usize))
    }

    fn place(&mut self, file: FileId, offset: usize) -> Place {
        let Some(source) = self.sources.get(file) else { return Place { line: 1, column: 1 } };
        let offset = offset.min(source.text.len());
        let (line, start) = source.line_at(offset);
        if offset - start < STRIDE {
            return source.place(offset);
        }
        let bytes = source.text.as_bytes();
        let counts = self.counts.entry(file.real()).or_insert_with(|| {
            let sum = |before: &mut usize, chunk: &[u8]| {
                let after = *before + characters(chunk);
                Some(std::mem::replace(before, after))
            };
            bytes.chunks(STRIDE).scan(0, sum).collect()
        });
        let before = |at: usize| {
            let whole = (at / STRIDE).min(counts.len().saturating_sub(1));
            counts.get(whole).copied().unwrap_or(0) + characters(bytes.get(whole * STRIDE..at).unwrap_or_default())
        };
        Place { line, column: before(offset) - before(start) + 1 }
    }
}

/// How many characters begin in these bytes of a text.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Inputs;

    #[test]
    fn columns_of_long_lines_are_those_of_short_ones() {
        let text = format!("é\n{}\nž", "ž1".repeat(9_000));
        let (sources, _) = Sources::from_inputs(Inputs::from([("a".to_owned(), text.clone().into_bytes())]));
        let (source, mut places) = (sources.get(FileId::new(0)).unwrap(), Places::new(&sources));
        for at in text.char_indices().map(|(at, _)| at).step_by(97).chain([text.len()]) {
            assert_eq!(places.place(FileId::new(0), at), source.place(at), "{at}");
        }
    }
}

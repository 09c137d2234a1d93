//! Checks sites beside the conversation, and puts the findings into the editor's terms.
//!
//! One thread compiles; while it does, changes gather, and only the last of them is compiled next.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use lsp_types::{Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Uri};

use super::paths::{ENTRY, uri_of};
use super::position::{Encoding, Lines};
use crate::diag::{Diag, Diags, Label, Severity};
use crate::edit::Editing;
use crate::source::{Inputs, Sources, Span};
use crate::syntax;

/// How many findings of one file are shown; the last one tells how many there are.
const SHOWN_MAX: usize = 250;

/// A site to check, as it was when this was asked for.
pub(super) struct Job {
    pub(super) root: PathBuf,
    /// Empty where the site could not be read.
    pub(super) inputs: Inputs,
    pub(super) is_site: bool,
    /// The open documents: name → URI, version and text.
    pub(super) open: BTreeMap<String, Open>,
    pub(super) encoding: Encoding,
    /// The client can show the other places of a finding.
    pub(super) related: bool,
}

pub(super) struct Open {
    pub(super) uri: Uri,
    pub(super) version: i32,
    /// Given where the site does not read the document: then it is only parsed.
    pub(super) alone: Option<String>,
}

/// The findings of a site.
pub(super) struct Found {
    pub(super) root: PathBuf,
    pub(super) files: Vec<InFile>,
    /// The compiler broke down: our bug.
    pub(super) broke: bool,
}

pub(super) struct InFile {
    pub(super) uri: Uri,
    /// The version that was checked, of a document that is open.
    pub(super) version: Option<i32>,
    pub(super) list: Vec<Diagnostic>,
}

/// Checks one job after the other. The site that it saw last is kept: of most edits only the changed
/// lines are read.
#[derive(Default)]
pub(super) struct Checker {
    last: Option<(PathBuf, Editing)>,
}

impl Checker {
    /// A bug of ours ends this one check and nothing else.
    pub(super) fn check(&mut self, job: Job) -> Found {
        let root = job.root.clone();
        // What a bug left half done is not built upon.
        let mut last = self.last.take().filter(|(known, _)| *known == root);
        let found = catch_unwind(AssertUnwindSafe(|| {
            let found = look(job, &mut last);
            (found, last)
        }));
        match found {
            Ok((found, last)) => {
                self.last = last;
                found
            }
            Err(_) => Found { root, files: Vec::new(), broke: true },
        }
    }
}

fn look(mut job: Job, last: &mut Option<(PathBuf, Editing)>) -> Found {
    let mut by_name: BTreeMap<String, Vec<Diagnostic>> = job.open.keys().map(|name| (name.clone(), Vec::new())).collect();
    let inputs = std::mem::take(&mut job.inputs);
    if job.is_site && !inputs.is_empty() {
        match last {
            Some((_, editing)) => {
                editing.change(inputs);
            }
            None => *last = Some((job.root.clone(), Editing::open(inputs, ENTRY))),
        }
        if let Some((_, editing)) = last {
            job.translate(editing.sources(), editing.diags(), &mut by_name);
        }
    }
    for (name, open) in &mut job.open {
        if let Some(text) = open.alone.take().filter(|_| name.ends_with(".kdl")) {
            let (sources, _) = Sources::from_inputs(Inputs::from([(name.clone(), text.into_bytes())]));
            let mut diags = Diags::default();
            sources.iter().for_each(|(file, source)| drop(syntax::parse(&source.text, file, &mut diags)));
            let shown = Shown { job_root: &job.root, open: None, sources: &sources, encoding: job.encoding, related: job.related, lines: BTreeMap::new() };
            shown.all(&diags, &mut by_name);
        }
    }
    let open = &job.open;
    let file = |(name, list): (String, Vec<Diagnostic>)| {
        let document = open.get(&name);
        let uri = document.map(|open| open.uri.clone()).or_else(|| uri_of(&job.root.join(&name)))?;
        Some(InFile { uri, version: document.map(|open| open.version), list })
    };
    Found { files: by_name.into_iter().filter_map(file).collect(), root: job.root, broke: false }
}

impl Job {
    fn translate(&self, sources: &Sources, diags: &Diags, by_name: &mut BTreeMap<String, Vec<Diagnostic>>) {
        let shown = Shown { job_root: &self.root, open: Some(&self.open), sources, encoding: self.encoding, related: self.related, lines: BTreeMap::new() };
        shown.all(diags, by_name);
    }
}

/// Findings on their way to the editor.
struct Shown<'a> {
    job_root: &'a std::path::Path,
    open: Option<&'a BTreeMap<String, Open>>,
    sources: &'a Sources,
    encoding: Encoding,
    related: bool,
    /// Made for files that have findings.
    lines: BTreeMap<String, Lines>,
}

impl Shown<'_> {
    fn all(mut self, diags: &Diags, by_name: &mut BTreeMap<String, Vec<Diagnostic>>) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for diag in diags.iter() {
            let Some(span) = diag.primary() else { continue };
            let name = self.sources.name(span.file).to_owned();
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            if *count <= SHOWN_MAX {
                let one = self.one(diag, span);
                by_name.entry(name).or_default().push(one);
            }
        }
        for (name, count) in counts.into_iter().filter(|(_, count)| *count > SHOWN_MAX) {
            if let Some(last) = by_name.get_mut(&name).and_then(|list| list.last_mut()) {
                last.message.push_str(&format!("\n… and {} more findings in this file, not shown", count - SHOWN_MAX));
            }
        }
    }

    fn one(&mut self, diag: &Diag, span: Span) -> Diagnostic {
        let mut message = diag.message.clone();
        let (own, others) = diag.labels.split_first().map_or(("", [].as_slice()), |(first, others)| (first.text.as_str(), others));
        if !own.is_empty() {
            message.push_str(&format!("\nhere: {own}"));
        }
        if !self.related {
            others.iter().for_each(|label| message.push_str(&format!("\n{}: {}", self.sources.describe(label.span), label.text)));
        }
        if let Some(help) = &diag.help {
            message.push_str(&format!("\nhelp: {help}"));
        }
        let others: Vec<_> = others.iter().filter_map(|label| self.other(label)).collect();
        Diagnostic {
            range: self.range(span),
            severity: Some(match diag.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
            }),
            code: Some(NumberOrString::String(diag.code.to_owned())),
            source: Some("pxelator".to_owned()),
            message,
            related_information: Some(others).filter(|others| self.related && !others.is_empty()),
            ..Diagnostic::default()
        }
    }

    fn other(&mut self, label: &Label) -> Option<DiagnosticRelatedInformation> {
        let name = self.sources.name(label.span.file);
        let open = self.open.and_then(|open| open.get(name)).map(|open| open.uri.clone());
        let uri = open.or_else(|| uri_of(&self.job_root.join(name)))?;
        Some(DiagnosticRelatedInformation { location: Location { uri, range: self.range(label.span) }, message: label.text.clone() })
    }

    fn range(&mut self, span: Span) -> lsp_types::Range {
        let text = self.sources.text(span.file);
        let lines = self.lines.entry(self.sources.name(span.file).to_owned()).or_insert_with(|| Lines::of(text));
        lines.range(text, span.range(), self.encoding)
    }
}

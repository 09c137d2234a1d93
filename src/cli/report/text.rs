//! Findings for people: text with carets (miette), a page of it at the most.

use std::io::IsTerminal;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};

use super::counted;
use crate::diag::{Diag, Diags, Label, PRINTED_MAX, Severity};
use crate::source::{FileId, Source, Sources};

/// How much of a long line is shown on each side of a label, in bytes.
const AROUND_BYTES: usize = 100;
/// How much text is written at the most, in bytes.
const TEXT_BYTES_MAX: usize = 200 << 10;

pub(super) fn text(sources: &Sources, diags: &Diags) -> String {
    let theme = if std::io::stderr().is_terminal() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
    let mut out = String::new();
    let mut shown = 0;
    for diag in diags.iter().take(PRINTED_MAX) {
        let mut one = String::new();
        let _infallible = handler.render_report(&mut one, &Shown::new(sources, diag));
        if shown > 0 && out.len() + one.len() > TEXT_BYTES_MAX {
            break;
        }
        out.push_str(&one);
        out.push('\n');
        shown += 1;
    }
    if diags.total() > shown {
        out.push_str(&format!("… and {} more findings, not shown\n", diags.total() - shown));
    }
    if !diags.is_empty() {
        out.push_str(&summary(diags));
    }
    out
}

/// `2 errors, 1 warning; pxelator explain CODE tells more`
fn summary(diags: &Diags) -> String {
    let code = diags.iter().next().map_or("CODE", |diag| diag.code);
    format!("{}; `pxelator explain {code}` tells more\n", counted(diags.errors(), diags.total() - diags.errors()))
}

/// A finding in miette's terms: labels of one file with their source; those of other files follow as
/// findings of their own.
#[derive(Debug)]
struct Shown<'a> {
    code: Option<String>,
    severity: miette::Severity,
    message: &'a str,
    help: Option<&'a str>,
    text: Excerpt<'a>,
    labels: Vec<&'a Label>,
    others: Vec<Shown<'a>>,
}

impl<'a> Shown<'a> {
    fn new(sources: &'a Sources, diag: &'a Diag) -> Self {
        let home = diag.primary().map_or(FileId::new(0), |span| span.file);
        let excerpt = |file| Excerpt(sources.get(file));
        let (mut labels, away): (Vec<&Label>, Vec<&Label>) = diag.labels.iter().partition(|label| label.span.file == home);
        // On very long lines one label is all that can be shown.
        if labels.iter().any(|label| excerpt(home).is_long_line(label)) {
            labels.truncate(1);
        }
        let severity = match diag.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let other = |label: &'a Label| Shown {
            code: None,
            severity: miette::Severity::Advice,
            message: &label.text,
            help: None,
            text: excerpt(label.span.file),
            labels: vec![label],
            others: Vec::new(),
        };
        Shown {
            code: Some(format!("{}: {}", diag.severity.name(), diag.code)),
            severity,
            message: &diag.message,
            help: diag.help.as_deref(),
            text: excerpt(home),
            labels,
            others: away.into_iter().map(other).collect(),
        }
    }
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn std::fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let length = self.text.0.map_or(0, |source| source.text.len());
        Some(Box::new(self.labels.iter().enumerate().map(move |(at, label)| {
            let range = label.span.range();
            let start = range.start.min(length);
            let text = Some(label.text.clone()).filter(|text| !text.is_empty() && self.code.is_some());
            let place = (start, range.end.min(length).saturating_sub(start).min(AROUND_BYTES));
            match at {
                0 => LabeledSpan::new_primary_with_span(text, place),
                _ => LabeledSpan::new_with_span(text, place),
            }
        })))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.others.is_empty())
            .then(|| Box::new(self.others.iter().map(|other| other as &dyn Diagnostic)) as Box<dyn Iterator<Item = _>>)
    }
}

/// A text of which only what lies near a label is ever read: lines may be a megabyte long.
#[derive(Debug, Clone, Copy)]
struct Excerpt<'a>(Option<&'a Source>);

impl Excerpt<'_> {
    fn is_long_line(&self, label: &Label) -> bool {
        let Some(source) = self.0 else { return false };
        let start = label.span.range().start.min(source.text.len());
        let (before, after) = source.text.as_bytes().split_at(start);
        let left = before.iter().rev().take(AROUND_BYTES + 1).take_while(|byte| **byte != b'\n').count();
        let right = after.iter().take(AROUND_BYTES + 1).take_while(|byte| **byte != b'\n').count();
        left > AROUND_BYTES || right > AROUND_BYTES
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let Some(source) = self.0 else { return Err(MietteError::OutOfBounds) };
        let text = source.text.as_str();
        let first = text.floor_char_boundary(span.offset().min(text.len()));
        let last = text.floor_char_boundary((span.offset() + span.len()).min(text.len()));
        let line_start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line_end = text.get(last..).and_then(|after| after.find('\n')).map_or(text.len(), |at| last + at);
        // Without context only the place of the label itself is wanted: for the headline.
        let start =
            if before == 0 { first } else { text.floor_char_boundary(line_start.max(first.saturating_sub(AROUND_BYTES))) };
        // A final CR would be counted as a line of its own.
        let line_end = line_end - usize::from(text.get(..line_end).is_some_and(|line| line.ends_with('\r') && line_end > last));
        let end = text.floor_char_boundary(line_end.min(last + AROUND_BYTES));
        let place = source.place(start);
        Ok(Box::new(MietteSpanContents::new_named(
            source.name.clone(),
            text.as_bytes().get(start..end).unwrap_or_default(),
            (start, end - start).into(),
            place.line - 1,
            place.column - 1,
            1,
        )))
    }
}

//! What we tell the author of a site: findings with a code, a place, and what to type instead.
//!
//! Every stage of the pure half drops what is broken, puts a [`Diag`] into the basket [`Diags`] and goes
//! on, so that all mistakes are told at once. The pure half does not know terminals: text and JSON are
//! made at the edge, in `cli::report`. **Invariant:** a code never changes its meaning, and each stands
//! in [`codes::CODES`] with a page for `pxelator explain`.
//!
//! To add a finding: a page in `diag/pages/FAMILY/NAME.md`, a line in `codes.rs`, and
//! `Diag::new("family/name", …)` in the rule that finds it, where the wording stays beside the rule.

pub mod codes;
mod fix;

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Sources, Span};

pub use codes::{Severity, explain};
pub use fix::{Edit, Fix};

/// How many findings are printed; the rest are counted.
pub const PRINTED_MAX: usize = 50;
/// How long a message is at the most, in bytes: names in a site may be a megabyte.
const MESSAGE_BYTES_MAX: usize = 400;
/// Up to how many findings names are suggested.
const SUGGESTED_MAX: usize = 20;
/// How many findings are kept; a file of noise must not fill the memory.
pub const KEPT_MAX: usize = 10_000;

/// A place and what is said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// The first is the primary one.
    pub labels: Vec<Label>,
    pub help: Option<String>,
    /// The mend, where there is no doubt about it.
    pub fix: Option<Fix>,
}

impl Diag {
    /// A finding at `span`; its severity is the one that `codes.rs` gives the code.
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        let label = Label { span, text: String::new() };
        let mut message: String = tame(message.into());
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        Diag { code, severity: codes::severity(code), message, labels: vec![label], help: None, fix: None }
    }

    /// Words beside the primary place.
    pub fn here(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// The other side of the quarrel.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The mend is certain: the word `found` at the primary place becomes `text`. Say what stands there
    /// as it was read; where the file spells it otherwise (an escape, a `{name}`), nothing is mended.
    pub fn fix(mut self, found: impl Into<String>, text: impl Into<String>) -> Self {
        let (found, text) = (found.into(), text.into());
        self.fix = self.primary().map(|span| Fix { span, found, text });
        self
    }

    /// The same, where exactly one known name lies so near that `found` can only be a slip.
    pub fn fix_near<'a>(self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match fix::slip_of(found, known) {
            Some(name) => self.fix(found, name),
            None => self,
        }
    }

    /// “did you mean”, where a near name exists, and the mend, where only one does.
    pub fn suggest<'a>(self, diags: &Diags, found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        match diags.nearest(found, known.clone()) {
            Some(name) => self.help(format!("did you mean `{name}`?")).fix_near(found, known),
            None => self,
        }
    }

    pub fn primary(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// The basket: collects, never stops.
#[derive(Debug, Default)]
pub struct Diags {
    list: Vec<Diag>,
    errors: usize,
    /// Place, code and words of those that are kept.
    seen: BTreeSet<(Option<Span>, &'static str, String)>,
    /// Findings beyond [`KEPT_MAX`], counted only.
    dropped: usize,
    /// Names of things that were declared but are too broken to use.
    lost: BTreeSet<String>,
    /// Something unknown is lost: a file, a module, a line without a readable name.
    lost_unknown: bool,
    codes: BTreeSet<&'static str>,
    /// Places whose value hangs on something lost.
    tainted: BTreeSet<Span>,
    /// Places whose text nobody may show again.
    redacted: BTreeSet<Span>,
}

impl Diags {
    pub fn push(&mut self, diag: Diag) {
        self.errors += usize::from(diag.severity == Severity::Error);
        self.codes.insert(diag.code);
        // One line of a `repeat` may be wrong a thousand times in the same words.
        let key = (diag.primary(), diag.code, diag.message.clone());
        if self.seen.contains(&key) {
            return;
        }
        if self.list.len() < KEPT_MAX {
            self.list.push(diag);
            self.seen.insert(key);
        } else {
            self.dropped += 1;
        }
    }

    /// Something called `name` was reported and left out: what hangs on it is not reported again.
    pub fn lose(&mut self, name: &str) {
        self.lost.insert(name.to_owned());
    }

    /// Something was left out, and nobody knows what it would have declared.
    pub fn lose_unknown(&mut self) {
        self.lost_unknown = true;
    }

    /// The value at this place hangs on something lost: no error is reported there.
    pub fn taint(&mut self, span: Span) {
        self.tainted.insert(span);
    }

    pub fn is_tainted(&self, span: Span) -> bool {
        self.tainted.contains(&span)
    }

    /// A secret may be written here: the text of this place is masked wherever it would be shown.
    pub fn redact(&mut self, span: Span) {
        self.redacted.insert(span);
    }

    pub fn masks(&self) -> impl Iterator<Item = Span> {
        self.redacted.iter().copied()
    }

    /// May `name` be missing only because its declaration is broken?
    pub fn is_lost(&self, name: &str) -> bool {
        self.lost_unknown || self.lost.contains(name)
    }

    /// The same, where its name was read.
    pub fn is_lost_name(&self, name: &str) -> bool {
        self.lost.contains(name)
    }

    /// The same of a text that begins so many bytes further on.
    pub fn shifted(mut self, by: i64) -> Diags {
        self.list.iter_mut().flat_map(|diag| &mut diag.labels).for_each(|label| label.span = label.span.shifted(by));
        self
    }

    /// The names of what was left out.
    pub fn lost_names(&self) -> impl Iterator<Item = &str> {
        self.lost.iter().map(String::as_str)
    }

    /// Was anything said of this family, such as `syntax`?
    pub fn has_family(&self, family: &str) -> bool {
        self.codes.iter().any(|code| code.split('/').next() == Some(family))
    }

    /// Is something lost of which nobody knows the name?
    pub fn has_lost_unknown(&self) -> bool {
        self.lost_unknown
    }

    pub fn has(&self, code: &str) -> bool {
        self.codes.contains(code)
    }

    /// The nearest known name. Among thousands of mistakes nobody reads suggestions, and each costs a
    /// look at every name: then there are none.
    pub fn nearest<'a>(&self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.total() > SUGGESTED_MAX { None } else { nearest(found, known) }
    }

    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn total(&self) -> usize {
        self.list.len() + self.dropped
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diag> {
        self.list.iter()
    }

    /// `--deny warnings`.
    pub fn deny_warnings(&mut self) {
        for diag in &mut self.list {
            diag.severity = Severity::Error;
        }
        self.errors = self.total();
    }

    /// In the order of the files, so that the output does not depend on which stage found what. Of two
    /// errors at the very same place the later stage's is left out: it hangs on the other.
    pub fn sort(&mut self) {
        let mut first: BTreeMap<Span, &'static str> = BTreeMap::new();
        for diag in self.list.iter().filter(|diag| diag.severity == Severity::Error) {
            if let Some(span) = diag.primary() {
                first.entry(span).or_insert(diag.code);
            }
        }
        let family = |code: &str| code.split('/').next().unwrap_or_default().to_owned();
        let hangs = |diag: &Diag| {
            let Some(span) = diag.primary() else { return false };
            let later = |code: &&str| matches!(family(code).as_str(), "syntax" | "schema" | "eval") && family(code) != family(diag.code);
            self.tainted.contains(&span) || first.get(&span).is_some_and(later)
        };
        let follows: Vec<bool> = self.list.iter().map(hangs).collect();
        let mut follows = follows.into_iter();
        self.list.retain(|_| !follows.next().unwrap_or(false));
        self.order();
        let errors = self.list.iter().filter(|diag| diag.severity == Severity::Error).count();
        self.errors = errors + self.dropped.min(self.errors);
    }

    fn order(&mut self) {
        self.list.sort_by(|a, b| (a.primary(), a.code, &a.message).cmp(&(b.primary(), b.code, &b.message)));
        self.list.dedup();
    }

    /// A finding within a module is shown at the line of the site that uses it first, and at the module's
    /// own line second: that is where its reader can do something. Broken syntax is the module's alone.
    pub fn blame(&mut self, sources: &Sources) {
        for diag in &mut self.list {
            let Some(via) = diag.primary().and_then(|span| sources.chain(span).into_iter().skip(1).last()) else { continue };
            if diag.code.starts_with("syntax/") {
                diag.labels.push(Label { span: via, text: "used here".into() });
                continue;
            }
            if let Some(own) = diag.labels.first_mut().filter(|own| own.text.is_empty()) {
                own.text = "in the module".into();
            }
            diag.labels.retain(|label| label.span != via);
            diag.labels.insert(0, Label { span: via, text: "used here".into() });
        }
        self.order();
    }
}

/// Control characters, and those that turn the direction of writing, would act on the reader's terminal.
pub fn tame(text: String) -> String {
    if !text.chars().any(acts) {
        return text;
    }
    text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect()
}

fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The known name that a typing mistake away is nearest: at most a third of the letters may differ.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NAME_CHARS_MAX: usize = 64;
    let limit = found.chars().count().div_ceil(3);
    if found.chars().count() > NAME_CHARS_MAX {
        return None;
    }
    let near = known.into_iter().filter(|name| name.len() <= 4 * NAME_CHARS_MAX);
    let scored = near.map(|name| (distance(found, name), name)).filter(|(far, _)| *far <= limit && *far > 0);
    scored.min().map(|(_, name)| name)
}

/// Letters to insert, drop, change or swap with the next (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = at(&last, j) + usize::from(x != y);
            let mut best = change.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("hosst", ["host", "group"]), Some("host"));
        assert_eq!(nearest("kioks", ["kiosk", "office"]), Some("kiosk"));
        assert_eq!(nearest("printer", ["kiosk", "office"]), None);
        assert_eq!(nearest("kiosk", ["kiosk"]), None);
    }
}

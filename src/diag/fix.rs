//! Mends that are certain: data made where the finding is made, applied by whoever has the files.

use std::collections::BTreeSet;

use super::distance;
use crate::source::{Sources, Span};

/// A word that a mend replaces is a name or an address, and no longer than this, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// How many letters a slip of the finger changes at the most; shorter words allow one in three.
const SLIP_MAX: usize = 2;

/// The word `found`, as it was read at `span`, becomes `text`: a name, or a value that begins with `#`
/// or a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub span: Span,
    pub found: String,
    pub text: String,
}

/// The same in terms of the file: these bytes become those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub old: String,
    pub new: String,
}

impl Fix {
    /// What to change in the file, the quotes kept. `None` where the file does not spell the word as it
    /// was read: it is an escape, a `{name}`, or made by a module from several words.
    pub fn edit(&self, sources: &Sources) -> Option<Edit> {
        let old = sources.text(self.span.file).get(self.span.range()).filter(|old| old.len() <= WORD_BYTES_MAX)?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_value = self.text.starts_with(['#', '"']);
        let is_name = self.text.starts_with(|c: char| c.is_ascii_alphabetic()) && self.text.chars().all(is_word);
        let bare = old == self.found && (is_value || is_name);
        let quoted = is_name && old.strip_prefix('"').and_then(|old| old.strip_suffix('"')) == Some(&self.found);
        let new = if quoted { format!("\"{}\"", self.text) } else { self.text.clone() };
        (bare || quoted).then(|| Edit { span: self.span, old: old.to_owned(), new })
    }
}

/// The one known name of which `found` is a slip. Names that differ in a digit are two names: `kiosk-2`
/// is no slip of `kiosk-1`.
pub(super) fn slip_of<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let length = found.chars().count();
    let comparable = |name: &&str| found.len() <= WORD_BYTES_MAX && name.len() <= WORD_BYTES_MAX;
    let near: BTreeSet<&str> =
        known.into_iter().filter(comparable).filter(|name| distance(found, name) <= SLIP_MAX).collect();
    let only = near.first().filter(|_| near.len() == 1)?;
    let far = distance(found, only);
    (far > 0 && far <= length / 3 && digits(found) == digits(only)).then_some(*only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Inputs};

    #[test]
    fn a_slip_has_one_name_near_it() {
        assert_eq!(slip_of("hosst", ["host", "group"]), Some("host"));
        assert_eq!(slip_of("kioks", ["kiosk", "office"]), Some("kiosk"));
        assert_eq!(slip_of("kioks", ["kiosk", "kiosks"]), None, "two are near");
        assert_eq!(slip_of("kiosk-2", ["kiosk-1"]), None, "another number is another name");
        assert_eq!(slip_of("mx", ["ns"]), None, "short words are near to everything");
    }

    #[test]
    fn quotes_are_kept_and_other_spellings_left_alone() {
        let edit = |text: &str, fix: (&str, &str)| {
            let (sources, _) = Sources::from_inputs(Inputs::from([("a".to_owned(), text.as_bytes().to_vec())]));
            let span = Span::new(FileId::new(0), 0, text.len());
            Fix { span, found: fix.0.into(), text: fix.1.into() }.edit(&sources).map(|edit| edit.new)
        };
        assert_eq!(edit("kioks", ("kioks", "kiosk")).as_deref(), Some("kiosk"));
        assert_eq!(edit("\"kioks\"", ("kioks", "kiosk")).as_deref(), Some("\"kiosk\""));
        assert_eq!(edit("10.0.0.9", ("10.0.0.9", "\"10.0.0.9\"")).as_deref(), Some("\"10.0.0.9\""));
        assert_eq!(edit("\"{k}ks\"", ("kioks", "kiosk")), None);
        assert_eq!(edit("kioks", ("kioks", "a b")), None);
    }
}

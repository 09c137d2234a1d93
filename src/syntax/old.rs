//! KDL 1, recognised: one finding that tells how the file becomes KDL 2, instead of one for each of its lines.
//!
//! The two languages share most of their looks. Only KDL 1 has `r"raw"` and `\/`, and only there `true`, `false` and `null` are
//! values without a `#`; the last is also an easy slip in KDL 2, so that a few of them alone prove nothing.

use super::cursor::{is_newline, is_space};
use crate::diag::Diag;
use crate::source::{FileId, Span};

/// How many bare keywords are taken for slips.
const SLIPS_MAX: usize = 3;

/// What a text showed of its version.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// `/- kdl-version N` on the first line, and where the number stands.
    marker: Option<(char, usize)>,
    /// Something that only KDL 2 has.
    is_modern: bool,
    /// Something that only KDL 1 has.
    is_old: bool,
    keywords: usize,
    first: Option<Span>,
}

impl Signs {
    pub(super) fn new(text: &str) -> Self {
        Signs { marker: marker(text), ..Signs::default() }
    }

    pub(super) fn modern(&mut self) {
        self.is_modern = true;
    }

    pub(super) fn old(&mut self, span: Span) {
        self.is_old = true;
        self.first.get_or_insert(span);
    }

    pub(super) fn keyword(&mut self, span: Span) {
        self.keywords += 1;
        self.first.get_or_insert(span);
    }

    /// The finding about a file which is KDL 1.
    pub(super) fn verdict(&self, file: FileId) -> Option<Diag> {
        let (at, message) = match self.marker {
            Some(('1', at)) => (Span::new(file, at, at + 1), "this file says that it is KDL 1, and pxelator reads KDL 2"),
            Some(_) => return None,
            None if self.is_modern || !(self.is_old || self.keywords > SLIPS_MAX) => return None,
            None => (self.first?, "this file is KDL 1, and pxelator reads KDL 2"),
        };
        let help = "write #true, #false and #null, #\"…\"# for r\"…\", / for \\/, and \"\"\" round text of several lines; \
                    then put `/- kdl-version 2` on the first line";
        Some(Diag::new("syntax/kdl-1", at, message).here("the first sign of it").help(help))
    }
}

/// `/- kdl-version 1`, alone on the first line, perhaps behind a byte order mark.
fn marker(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text).strip_prefix("/-")?;
    let rest = rest.trim_start_matches(is_space).strip_prefix("kdl-version")?;
    let version = rest.trim_start_matches(is_space);
    let (number, after) = (version.chars().next()?, version.get(1..)?.trim_start_matches(is_space));
    let alone = version.len() < rest.len() && (after.is_empty() || after.starts_with(is_newline));
    (alone && matches!(number, '1' | '2')).then(|| (number, text.len() - version.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_stands_alone_on_the_first_line() {
        assert_eq!(marker("/- kdl-version 2\nx"), Some(('2', 15)));
        assert_eq!(marker("\u{feff}/-kdl-version\t1"), Some(('1', 17)));
        assert_eq!(marker("/- kdl-version 1 x"), None);
        assert_eq!(marker("/- kdl-version é"), None);
        assert_eq!(marker("\n/- kdl-version 1"), None);
    }
}

//! Places as editors count them: lines from 0, and units within a line that were agreed on.
//!
//! A line ends at `\n`, `\r\n` or `\r` (LSP 3.17, text documents), which are fewer than KDL has.

use std::ops::Range;

use lsp_types::{self as lsp, Position, PositionEncodingKind};

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// What every client knows, and the default.
    Utf16,
}

impl Encoding {
    /// UTF-8 where the client offers it: then nothing has to be counted.
    pub(super) fn choose(offered: Option<&[PositionEncodingKind]>) -> Encoding {
        if offered.is_some_and(|kinds| kinds.contains(&PositionEncodingKind::UTF8)) { Encoding::Utf8 } else { Encoding::Utf16 }
    }

    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
        }
    }
}

/// Where the lines of a text start, in bytes; the first is 0.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        Lines(std::iter::once(0).chain(breaks(text, 0)).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn start(&self, line: usize) -> Option<usize> {
        self.0.get(line).copied()
    }

    /// A line without what ends it.
    fn content(&self, text: &str, line: usize) -> Range<usize> {
        let Some(start) = self.start(line) else { return text.len()..text.len() };
        let end = self.start(line + 1).unwrap_or(text.len());
        let shown = text.get(start..end).unwrap_or_default().trim_end_matches(['\r', '\n']);
        start..start + shown.len()
    }

    pub(super) fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let offset = text.floor_char_boundary(offset.min(text.len()));
        let line = self.line_of(offset);
        let before = text.get(self.start(line).unwrap_or(0)..offset).unwrap_or_default();
        let column: usize = before.chars().map(|c| encoding.width(c)).sum();
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), character: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    pub(super) fn range(&self, text: &str, range: Range<usize>, encoding: Encoding) -> lsp::Range {
        lsp::Range { start: self.position(text, range.start, encoding), end: self.position(text, range.end, encoding) }
    }

    /// A place beyond the line is its end, one beyond the text is the text's, and one within a character
    /// is where that begins.
    pub(super) fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let line = self.content(text, usize::try_from(position.line).unwrap_or(usize::MAX));
        let wanted = usize::try_from(position.character).unwrap_or(usize::MAX);
        let mut seen = 0;
        for (at, c) in text.get(line.clone()).unwrap_or_default().char_indices() {
            seen += encoding.width(c);
            if seen > wanted {
                return line.start + at;
            }
        }
        line.end
    }

    /// The start of the line in which an offset lies.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.start(self.line_of(offset)).unwrap_or(0)
    }

    /// The end of that line, without what ends it.
    pub(super) fn line_end(&self, text: &str, offset: usize) -> usize {
        self.content(text, self.line_of(offset)).end
    }

    /// Replaces a part of the text. Only the lines that it touches are read again; the rest is moved.
    pub(super) fn replace(&mut self, text: &mut String, range: Range<usize>, with: &str) {
        // A `\r` before the place may join a `\n` that comes, or lose one.
        let (first, last) = (self.line_of(range.start.saturating_sub(1)), self.line_of(range.end));
        let from = self.start(first).unwrap_or(0);
        let until = self.start(last + 1);
        let moved = |at: usize| (at + with.len()).saturating_sub(range.len());
        text.replace_range(range.clone(), with);
        let touched: Vec<usize> = breaks(text.get(from..until.map_or(text.len(), moved)).unwrap_or_default(), from).collect();
        let tail = until.map_or(self.0.len(), |_| last + 2);
        self.0.iter_mut().skip(tail).for_each(|start| *start = moved(*start));
        let replaced = (first + 1).min(self.0.len())..tail.min(self.0.len());
        self.0.splice(replaced, touched);
    }
}

/// The starts of the lines behind each break of a piece of text that begins at `from`.
fn breaks(text: &str, from: usize) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let is_break = move |at: usize| match bytes.get(at) {
        Some(b'\n') => true,
        Some(b'\r') => bytes.get(at + 1) != Some(&b'\n'),
        Some(_) | None => false,
    };
    (0..bytes.len()).filter(move |at| is_break(*at)).map(move |at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_what_was_agreed_on() {
        let text = "a\u{17e}\u{1f600}b\r\nc";
        let lines = Lines::of(text);
        let at = |offset, encoding| lines.position(text, offset, encoding).character;
        assert_eq!((at(7, Encoding::Utf8), at(7, Encoding::Utf16)), (7, 4));
        assert_eq!(lines.position(text, 10, Encoding::Utf16), Position::new(1, 0));
        let back = |line, column, encoding| lines.offset(text, Position::new(line, column), encoding);
        assert_eq!(back(0, 4, Encoding::Utf16), 7);
        assert_eq!(back(0, 3, Encoding::Utf16), 3, "within a pair: where the character begins");
        assert_eq!(back(0, 5, Encoding::Utf8), 3, "within a character too");
        assert_eq!(back(0, 99, Encoding::Utf16), 8, "beyond the line: its end, before what ends it");
        assert_eq!(back(99, 0, Encoding::Utf16), text.len());
        assert_eq!(back(u32::MAX, u32::MAX, Encoding::Utf8), text.len());
    }

    #[test]
    fn edits_leave_the_lines_as_a_new_reading_would_find_them() {
        let pieces = ["", "\r", "\n", "\r\n", "x", "\u{e9}\n", "a\rb\nc", "\n\n"];
        let mut seed = 7_usize;
        let mut dice = move |sides: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides.max(1)
        };
        for _ in 0..200 {
            let mut text = String::from("one\ntwo\r\nthree\rfour");
            let mut lines = Lines::of(&text);
            for _ in 0..20 {
                let start = text.floor_char_boundary(dice(text.len() + 1));
                let end = text.floor_char_boundary(start + dice(text.len() - start + 1)).max(start);
                let piece = pieces.get(dice(pieces.len())).copied().unwrap_or_default();
                let before = text.clone();
                lines.replace(&mut text, start..end, piece);
                assert_eq!(lines.0, Lines::of(&text).0, "{before:?} [{start}..{end}] = {piece:?}");
            }
        }
    }
}

//! The tokens, the kinds of characters, and where we are in a text.

use std::borrow::Cow;

use super::old::Signs;
use crate::diag::{Diag, Diags};
use crate::source::{FileId, Span};

/// What a text is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'s> {
    /// Any string: plain, quoted, raw.
    Text(Cow<'s, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Null,
    Open,
    Close,
    BraceOpen,
    BraceClose,
    Equals,
    Slashdash,
    /// White space, comments and escaped line breaks within a line.
    Space,
    /// A line break.
    Newline,
    Semicolon,
    /// Something that was reported already.
    Broken,
    Eof,
}

/// Where we are in a text, and the basket for what is wrong with it.
pub(super) struct Cursor<'s, 'd> {
    pub(super) text: &'s str,
    pub(super) at: usize,
    /// What was seen of KDL 1 and of KDL 2.
    pub(super) signs: Signs,
    file: FileId,
    diags: &'d mut Diags,
}

pub(super) fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{0b}' | '\u{0c}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Code points that may stand nowhere in a document (KDL 2 §3.19).
pub(super) fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// May it stand in a word without quotes?
pub(super) fn is_word(c: char) -> bool {
    !matches!(c, '\\' | '/' | '(' | ')' | '{' | '}' | ';' | '[' | ']' | '"' | '#' | '=')
        && !is_newline(c)
        && !is_space(c)
        && !is_forbidden(c)
}

impl<'s, 'd> Cursor<'s, 'd> {
    pub(super) fn new(text: &'s str, file: FileId, diags: &'d mut Diags) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Cursor { text, at, signs: Signs::new(text), file, diags }
    }

    pub(super) fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    pub(super) fn report(&mut self, diag: Diag) {
        self.diags.push(diag);
    }

    /// A node called `name` is left out.
    pub(super) fn lose(&mut self, name: Option<&str>) {
        match name {
            Some(name) => self.diags.lose(name),
            None => self.diags.lose_unknown(),
        }
    }

    /// The longest run of word characters from here.
    pub(super) fn take_word(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }
}

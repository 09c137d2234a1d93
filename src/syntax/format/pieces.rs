//! Text → pieces: words, braces, comments, line breaks, each with the white space before it.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever is no white space and no brace is a word here")]

use std::borrow::Cow;

use super::super::cursor::{Cursor, Token, is_newline, is_space};
use crate::diag::Diags;
use crate::source::FileId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a value.
    Word,
    /// `=` or `)`: no space on either side.
    Glue,
    /// `(`: no space behind.
    Paren,
    Open,
    Close,
    Slashdash,
    /// `/* … */`
    Block,
    /// `// …`
    Line,
    /// `\` and the comments up to the end of its line.
    Wrap,
    Newline,
    Semicolon,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    /// How many spaces stand before it; a tab, or another kind of space, counts as one.
    pub(super) gap: usize,
}

/// The pieces of a text that parses.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut unheard = Diags::default();
    let mut lexer = Cursor::new(text, FileId::new(0), &mut unheard);
    let mut all = Vec::new();
    let mut gap = 0;
    loop {
        let (token, span) = lexer.next();
        let text = text.get(span.range()).unwrap_or_default();
        let kind = match token {
            Token::Eof => return all,
            Token::Space => {
                gap = split(text, &mut all);
                continue;
            }
            Token::Semicolon => Kind::Semicolon,
            Token::Newline => Kind::Newline,
            Token::BraceOpen => Kind::Open,
            Token::BraceClose => Kind::Close,
            Token::Slashdash => Kind::Slashdash,
            Token::Equals | Token::Close => Kind::Glue,
            Token::Open => Kind::Paren,
            _ => Kind::Word,
        };
        all.push(Piece { kind, text, gap: std::mem::take(&mut gap) });
    }
}

/// The comments and escaped line breaks in a run of white space; gives the spaces behind the last.
fn split<'s>(text: &'s str, all: &mut Vec<Piece<'s>>) -> usize {
    let mut rest = text;
    let mut gap = 0;
    while let Some(c) = rest.chars().next() {
        let (kind, length) = match c {
            '\\' => (Kind::Wrap, wrap_length(rest)),
            '/' if rest.starts_with("/*") => (Kind::Block, block_length(rest)),
            '/' => (Kind::Line, rest.find(is_newline).unwrap_or(rest.len())),
            _ => {
                let spaces = rest.find(|c| !is_space(c) && !is_newline(c)).unwrap_or(rest.len());
                let run = rest.get(..spaces).unwrap_or_default();
                gap = if run.bytes().all(|byte| byte == b' ') { spaces } else { 1 };
                rest = rest.get(spaces..).unwrap_or_default();
                continue;
            }
        };
        let (piece, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        all.push(Piece { kind, text: piece, gap: std::mem::take(&mut gap) });
        rest = behind;
    }
    gap
}

/// From the `\` to the line break, without it.
fn wrap_length(text: &str) -> usize {
    let mut at = 1;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| !is_newline(*c)) {
        let rest = text.get(at..).unwrap_or_default();
        at += match c {
            '/' if rest.starts_with("/*") => block_length(rest),
            '/' => rest.find(is_newline).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
    }
    at
}

/// A comment in stars, those in it included.
fn block_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let step = match rest {
            rest if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            rest if rest.starts_with("*/") => {
                depth = depth.saturating_sub(1);
                2
            }
            rest => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The comments in a run of white space.
pub(super) fn comments(text: &str) -> Vec<Cow<'_, str>> {
    let mut all = Vec::new();
    split(text, &mut all);
    all.iter().map(|piece| super::bare_comment(piece.text)).collect()
}

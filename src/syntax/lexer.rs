//! Bytes → tokens, one at a time, each with its span.

use std::borrow::Cow;

use super::{numbers, strings};
use crate::diag::{Diag, Diags};
use crate::source::{FileId, Span};

/// How deep `/* /* */ */` may nest is no concern: it is a counter, not a recursion.
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
    /// A line break or `;`.
    End,
    /// Something that was reported already.
    Broken,
    Eof,
}

pub(super) struct Lexer<'s, 'd> {
    pub(super) text: &'s str,
    pub(super) at: usize,
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
fn is_word(c: char) -> bool {
    !matches!(c, '\\' | '/' | '(' | ')' | '{' | '}' | ';' | '[' | ']' | '"' | '#' | '=')
        && !is_newline(c)
        && !is_space(c)
        && !is_forbidden(c)
}

impl<'s, 'd> Lexer<'s, 'd> {
    pub(super) fn new(text: &'s str, file: FileId, diags: &'d mut Diags) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Lexer { text, at, file, diags }
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

    /// The next token and where it stands.
    pub(super) fn next(&mut self) -> (Token<'s>, Span) {
        let start = self.at;
        let token = self.token();
        debug_assert!(self.at > start || token == Token::Eof, "the lexer always moves on");
        (token, self.span(start, self.at))
    }

    fn token(&mut self) -> Token<'s> {
        let Some(c) = self.peek() else { return Token::Eof };
        let rest = self.rest();
        if is_newline(c) || c == ';' {
            self.at += if rest.starts_with("\r\n") { 2 } else { c.len_utf8() };
            return Token::End;
        }
        if is_space(c) || c == '\\' || rest.starts_with("/*") || rest.starts_with("//") {
            return self.space();
        }
        if rest.starts_with("/-") {
            self.at += 2;
            return Token::Slashdash;
        }
        let single = match c {
            '(' => Token::Open,
            ')' => Token::Close,
            '{' => Token::BraceOpen,
            '}' => Token::BraceClose,
            '=' => Token::Equals,
            _ => return self.value(c),
        };
        self.at += 1;
        single
    }

    fn value(&mut self, c: char) -> Token<'s> {
        let rest = self.rest();
        match c {
            '"' => strings::quoted(self),
            '#' if rest.trim_start_matches('#').starts_with('"') => strings::raw(self),
            '#' => self.keyword(),
            _ if numbers::looks_like(rest) => numbers::number(self),
            _ if is_word(c) => self.word(),
            _ => {
                let start = self.at;
                self.at += c.len_utf8();
                let span = self.span(start, self.at);
                let what = if is_forbidden(c) { format!("character U+{:04X}", c as u32) } else { format!("`{c}`") };
                let diag = Diag::new("syntax/unexpected", span, format!("{what} cannot stand here"));
                self.report(diag.help("put text with such characters in quotes, and write control characters as \\u{…}"));
                Token::Broken
            }
        }
    }

    /// The longest run of word characters from here.
    pub(super) fn take_word(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn word(&mut self) -> Token<'s> {
        let start = self.at;
        let word = self.take_word();
        if matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan") {
            let span = self.span(start, self.at);
            let diag = Diag::new("syntax/bare-keyword", span, format!("write `#{word}`: bare `{word}` was KDL 1"));
            self.report(diag.help(format!("`#{word}` for the value, `\"{word}\"` for the text")));
            return Token::Broken;
        }
        Token::Text(Cow::Borrowed(word))
    }

    fn keyword(&mut self) -> Token<'s> {
        let start = self.at;
        self.at += 1;
        match self.take_word() {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "null" => Token::Null,
            "inf" => Token::Float(f64::INFINITY),
            "-inf" => Token::Float(f64::NEG_INFINITY),
            "nan" => Token::Float(f64::NAN),
            other => {
                let message = format!("unknown keyword `#{}`", strings::shorten(other));
                let diag = Diag::new("syntax/unexpected", self.span(start, self.at), message);
                self.report(diag.help(match other {
                    "" => "a comment begins with `//`",
                    _ => "KDL 2 knows #true, #false, #null, #inf, #-inf and #nan",
                }));
                Token::Broken
            }
        }
    }

    /// White space, comments, and `\` before a line break: all of it one token.
    fn space(&mut self) -> Token<'s> {
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if is_space(c) {
                self.at += c.len_utf8();
            } else if rest.starts_with("/*") {
                self.block_comment();
            } else if rest.starts_with("//") {
                self.at += rest.find(is_newline).unwrap_or(rest.len());
            } else if c == '\\' {
                if !self.escaped_line() {
                    return Token::Broken;
                }
            } else {
                break;
            }
        }
        Token::Space
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if rest.starts_with("/*") {
                (depth, self.at) = (depth + 1, self.at + 2);
            } else if rest.starts_with("*/") {
                (depth, self.at) = (depth - 1, self.at + 2);
                if depth == 0 {
                    return;
                }
            } else {
                self.at += c.len_utf8();
            }
        }
        let span = self.span(start, start + 2);
        self.report(Diag::new("syntax/unterminated", span, "comment opened here is never closed").help("close it with `*/`"));
    }

    /// `\`, spaces, perhaps a comment, and a line break. Says so when something else follows.
    fn escaped_line(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.rest();
            match self.peek() {
                Some(c) if is_space(c) => self.at += c.len_utf8(),
                Some('/') if rest.starts_with("/*") => self.block_comment(),
                Some('/') if rest.starts_with("//") => self.at += rest.find(is_newline).unwrap_or(rest.len()),
                Some(c) if is_newline(c) => {
                    self.at += if rest.starts_with("\r\n") { 2 } else { c.len_utf8() };
                    return true;
                }
                None => return true,
                Some(_) => {
                    let diag = Diag::new("syntax/unexpected", self.span(start, start + 1), "`\\` must end its line");
                    self.report(diag.help("put paths with a backslash in quotes, and write it twice"));
                    return false;
                }
            }
        }
    }
}

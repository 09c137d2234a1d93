//! Bytes → tokens, one at a time, each with its span.

use std::borrow::Cow;

use super::cursor::{Cursor, Token, is_forbidden, is_newline, is_space, is_word};
use super::{numbers, strings};
use crate::diag::Diag;
use crate::source::Span;

impl<'s> Cursor<'s, '_> {
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
        if is_newline(c) {
            self.at += if rest.starts_with("\r\n") { 2 } else { c.len_utf8() };
            return Token::Newline;
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
            ';' => Token::Semicolon,
            _ => return self.value(c),
        };
        self.at += 1;
        single
    }

    fn value(&mut self, c: char) -> Token<'s> {
        let rest = self.rest();
        match c {
            '"' => strings::quoted(self),
            '#' => {
                let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
                if rest.get(hashes..).is_some_and(|rest| rest.starts_with('"')) { strings::raw(self) } else { self.keyword(hashes) }
            }
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

    fn word(&mut self) -> Token<'s> {
        let start = self.at;
        let word = self.take_word();
        if word == "r" && self.rest().trim_start_matches('#').starts_with('"') {
            return strings::old_raw(self, start);
        }
        if matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan") {
            let span = self.span(start, self.at);
            self.signs.keyword(span);
            let diag = Diag::new("syntax/bare-keyword", span, format!("write `#{word}`: bare `{word}` was KDL 1"));
            let diag = diag.fix(word, format!("#{word}"));
            self.report(diag.help(format!("`#{word}` for the value, `\"{word}\"` for the text")));
            return Token::Broken;
        }
        Token::Text(Cow::Borrowed(word))
    }

    fn keyword(&mut self, hashes: usize) -> Token<'s> {
        let start = self.at;
        self.at += hashes;
        let token = match self.take_word() {
            word if hashes > 1 => return self.bad_keyword(start, hashes, word),
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "null" => Token::Null,
            "inf" => Token::Float(f64::INFINITY),
            "-inf" => Token::Float(f64::NEG_INFINITY),
            "nan" => Token::Float(f64::NAN),
            other => return self.bad_keyword(start, hashes, other),
        };
        self.signs.modern();
        token
    }

    fn bad_keyword(&mut self, start: usize, hashes: usize, word: &str) -> Token<'s> {
        let message = format!("unknown keyword `{}{}`", if hashes > 1 { "##…" } else { "#" }, strings::shorten(word));
        let diag = Diag::new("syntax/unexpected", self.span(start, self.at), message);
        self.report(diag.help("a comment begins with `//`; KDL 2 knows #true, #false, #null, #inf, #-inf and #nan"));
        Token::Broken
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

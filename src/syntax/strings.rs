//! The insides of strings: escapes, raw strings, and strings of several lines.

use std::borrow::Cow;

use super::cursor::{Cursor, Token, is_forbidden, is_newline, is_space};
use super::lines;
use crate::diag::Diag;

/// How much of a word a message repeats, in characters.
const SHOWN_MAX: usize = 60;
/// How long closing quotes are shown in full, in bytes.
const CLOSE_SHOWN_MAX: usize = 20;

/// A word as a message shows it: not a page of it.
pub fn shorten(word: &str) -> String {
    if word.chars().count() <= SHOWN_MAX {
        return word.to_owned();
    }
    word.chars().take(SHOWN_MAX).chain("…".chars()).collect()
}

/// `"…"` or `"""…"""`.
pub(super) fn quoted<'s>(lexer: &mut Cursor<'s, '_>) -> Token<'s> {
    if lexer.rest().starts_with("\"\"\"") {
        return lines::multi_line(lexer, 0);
    }
    let start = lexer.at;
    lexer.at += 1;
    let inside = lexer.at;
    let mut plain = true;
    while let Some(c) = lexer.peek() {
        match c {
            '"' => {
                let body = lexer.text.get(inside..lexer.at).unwrap_or_default();
                lexer.at += 1;
                if plain {
                    return Token::Text(Cow::Borrowed(body));
                }
                let mut text = String::with_capacity(body.len());
                return match unescape_into(&mut text, body) {
                    Ok(()) => Token::Text(Cow::Owned(text)),
                    Err(bad) => bad.report(lexer, inside + bad.at),
                };
            }
            '\\' => {
                plain = false;
                lexer.at += 1;
                skip_escape(lexer);
            }
            c if is_newline(c) => break,
            c if is_forbidden(c) => {
                let at = lexer.at;
                let rest = lexer.rest();
                let end = rest.find(|c| c == '"' || is_newline(c)).unwrap_or(rest.len());
                lexer.at += end + usize::from(rest.get(end..).is_some_and(|rest| rest.starts_with('"')));
                return forbidden(lexer, at, c, false);
            }
            c => lexer.at += c.len_utf8(),
        }
    }
    unterminated(lexer, start, 1, "\"")
}

/// Moves past what a backslash protects: one character, or a run of white space with its line breaks.
fn skip_escape(lexer: &mut Cursor<'_, '_>) {
    let rest = lexer.rest();
    let spaces = rest.find(|c| !is_space(c) && !is_newline(c)).unwrap_or(rest.len());
    lexer.at += if spaces > 0 { spaces } else { lexer.peek().map_or(0, char::len_utf8) };
}

/// `r"…"` and `r#"…"#`, as KDL 1 wrote raw strings; we stand behind the `r`, which began at `start`.
pub(super) fn old_raw<'s>(lexer: &mut Cursor<'s, '_>, start: usize) -> Token<'s> {
    let hashes = lexer.rest().bytes().take_while(|byte| *byte == b'#').count();
    let close = format!("\"{}", "#".repeat(hashes));
    let body = lexer.rest().get(hashes + 1..).unwrap_or_default();
    let span = lexer.span(start, lexer.at + hashes + 1);
    lexer.at += hashes + 1 + body.find(&close).map_or(body.len(), |at| at + close.len());
    lexer.signs.old(span);
    let diag = Diag::new("syntax/kdl-1", span, "`r\"` began a raw string in KDL 1");
    lexer.report(diag.help("write #\"…\"#, with one or more # on both sides"));
    Token::Broken
}

/// `#"…"#` with as many `#` as one likes, or `#"""…"""#`.
pub(super) fn raw<'s>(lexer: &mut Cursor<'s, '_>) -> Token<'s> {
    let start = lexer.at;
    let hashes = lexer.rest().chars().take_while(|c| *c == '#').count();
    if lexer.rest().get(hashes..).is_some_and(|rest| rest.starts_with("\"\"\"")) {
        return lines::multi_line(lexer, hashes);
    }
    lexer.signs.modern();
    let close = format!("\"{}", "#".repeat(hashes));
    let inside = start + hashes + 1;
    let rest = lexer.text.get(inside..).unwrap_or_default();
    // Only as far as the line goes: what is read once is not read again.
    let stop = rest.char_indices().find(|(at, c)| {
        is_newline(*c) || (*c == '"' && rest.get(*at..).is_some_and(|rest| rest.starts_with(&close)))
    });
    let Some((end, '"')) = stop else {
        lexer.at = inside + stop.map_or(rest.len(), |(at, _)| at);
        return unterminated(lexer, start, hashes + 1, &close);
    };
    lexer.at = inside + end + close.len();
    let body = rest.get(..end).unwrap_or_default();
    match body.char_indices().find(|(_, c)| is_forbidden(*c)) {
        Some((at, c)) => forbidden(lexer, inside + at, c, true),
        None => Token::Text(Cow::Borrowed(body)),
    }
}

pub(super) fn unterminated<'s>(lexer: &mut Cursor<'s, '_>, start: usize, width: usize, close: &str) -> Token<'s> {
    let diag = Diag::new("syntax/unterminated", lexer.span(start, start + width), "string opened here is never closed");
    let close = if close.len() > CLOSE_SHOWN_MAX { "as many # as it began with" } else { close };
    lexer.report(diag.here("opened here").help(format!("end it with `{close}` on the same line, or use \"\"\" for several lines")));
    Token::Broken
}

/// A control character in a string, said once for the whole string.
pub(super) fn forbidden<'s>(lexer: &mut Cursor<'s, '_>, at: usize, c: char, is_raw: bool) -> Token<'s> {
    let span = lexer.span(at, at + c.len_utf8());
    let diag = Diag::new("syntax/unexpected", span, format!("character U+{:04X} cannot stand in a document", c as u32));
    let but = if is_raw { " in a string without #" } else { "" };
    lexer.report(diag.help(format!("write \\u{{{:x}}}{but}", c as u32)));
    Token::Broken
}

/// Escapes → characters, behind what `out` holds already.
pub(super) fn unescape_into(out: &mut String, body: &str) -> Result<(), BadEscape> {
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let here = body.len() - after.len() - 1;
        let Some(c) = after.chars().next() else { return Err(BadEscape { at: here, kind: Bad::Unknown }) };
        rest = after.get(c.len_utf8()..).unwrap_or_default();
        out.push(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            's' => ' ',
            '\\' | '"' => c,
            'u' => {
                let Some((c, used)) = unicode(rest) else { return Err(BadEscape { at: here, kind: Bad::CodePoint }) };
                rest = rest.get(used..).unwrap_or_default();
                c
            }
            c if is_space(c) || is_newline(c) => {
                rest = rest.trim_start_matches(|c| is_space(c) || is_newline(c));
                continue;
            }
            '/' => return Err(BadEscape { at: here, kind: Bad::Slash }),
            _ => return Err(BadEscape { at: here, kind: Bad::Unknown }),
        });
    }
    out.push_str(rest);
    Ok(())
}

/// An escape that KDL 2 does not have, and where in the body it stands.
pub(super) struct BadEscape {
    pub(super) at: usize,
    pub(super) kind: Bad,
}

pub(super) enum Bad {
    Unknown,
    /// `\/` was an escape in KDL 1.
    Slash,
    CodePoint,
}

impl BadEscape {
    /// Says so at the offset `at` of the file.
    pub(super) fn report<'s>(&self, lexer: &mut Cursor<'s, '_>, at: usize) -> Token<'s> {
        let c = lexer.text.get(at + 1..).and_then(|rest| rest.chars().next());
        let span = lexer.span(at, at + 1 + c.map_or(0, char::len_utf8));
        let shown = c.map_or(String::new(), |c| if is_forbidden(c) { format!("u{{{:x}}}", c as u32) } else { c.to_string() });
        let diag = match self.kind {
            Bad::Slash => {
                lexer.signs.old(span);
                Diag::new("syntax/kdl-1", span, "`\\/` was an escape in KDL 1").help("write / without a backslash")
            }
            Bad::Unknown => Diag::new("syntax/unexpected", span, format!("`\\{shown}` is no escape; write `\\\\` for a backslash")).help(
                "KDL 2 knows \\n \\r \\t \\b \\f \\s \\\" \\\\ and \\u{…}; a raw string #\"…\"# has no escapes",
            ),
            Bad::CodePoint => Diag::new("syntax/unexpected", span, "`\\u` without a code point in braces behind it")
                .help("write one to six hex digits such as \\u{e9}; d800 to dfff are no code points"),
        };
        lexer.report(diag);
        Token::Broken
    }
}

/// `{1F600}` → the character and how many bytes the braces take.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let digits = rest.strip_prefix('{')?;
    let length = digits.bytes().take(7).take_while(u8::is_ascii_hexdigit).count();
    if !(1..=6).contains(&length) || !digits.get(length..)?.starts_with('}') {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits.get(..length)?, 16).ok()?).map(|c| (c, length + 2))
}

//! The insides of strings: escapes, raw strings, and strings of several lines.

use std::borrow::Cow;

use super::cursor::{Cursor, Token, is_forbidden, is_newline, is_space};
use crate::diag::Diag;

/// How much of a word a message repeats, in characters.
const SHOWN_MAX: usize = 60;

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
        return multi_line(lexer, 0);
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
                return unescape(lexer, body, inside).map_or(Token::Broken, |text| Token::Text(Cow::Owned(text)));
            }
            '\\' => {
                plain = false;
                lexer.at += 1;
                skip_escape(lexer);
            }
            c if is_newline(c) => break,
            c if is_forbidden(c) => return forbidden(lexer, c, '"'),
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

/// `#"…"#` with as many `#` as one likes, or `#"""…"""#`.
pub(super) fn raw<'s>(lexer: &mut Cursor<'s, '_>) -> Token<'s> {
    let start = lexer.at;
    let hashes = lexer.rest().chars().take_while(|c| *c == '#').count();
    if lexer.rest().get(hashes..).is_some_and(|rest| rest.starts_with("\"\"\"")) {
        return multi_line(lexer, hashes);
    }
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
    Token::Text(Cow::Borrowed(rest.get(..end).unwrap_or_default()))
}

fn unterminated<'s>(lexer: &mut Cursor<'s, '_>, start: usize, width: usize, close: &str) -> Token<'s> {
    let diag = Diag::new("syntax/unterminated", lexer.span(start, start + width), "string opened here is never closed");
    lexer.report(diag.here("opened here").help(format!("end it with `{close}` on the same line, or use \"\"\" for several lines")));
    Token::Broken
}

/// A control character in a string: said once, and the string ends where its line or quote does.
fn forbidden<'s>(lexer: &mut Cursor<'s, '_>, c: char, close: char) -> Token<'s> {
    let span = lexer.span(lexer.at, lexer.at + c.len_utf8());
    let diag = Diag::new("syntax/unexpected", span, format!("character U+{:04X} cannot stand in a document", c as u32));
    lexer.report(diag.help(format!("write \\u{{{:x}}}", c as u32)));
    let rest = lexer.rest();
    let end = rest.find(|x| x == close || is_newline(x)).unwrap_or(rest.len());
    lexer.at += end + usize::from(rest.get(end..).is_some_and(|rest| rest.starts_with(close)));
    Token::Broken
}

/// `"""` or `#"""`: the last line's indent is taken off every line.
fn multi_line<'s>(lexer: &mut Cursor<'s, '_>, hashes: usize) -> Token<'s> {
    let start = lexer.at;
    let close = format!("\"\"\"{}", "#".repeat(hashes));
    let inside = start + hashes + 3;
    let rest = lexer.text.get(inside..).unwrap_or_default();
    let Some(end) = find_close(rest, &close, hashes == 0) else {
        lexer.at = lexer.text.len();
        return unterminated(lexer, start, hashes + 3, &close);
    };
    lexer.at = inside + end + close.len();
    let body = rest.get(..end).unwrap_or_default();
    let Some(text) = dedent(body, hashes == 0) else {
        let message = "the text of a `\"\"\"` string starts on its own line, and every line has the indent of the last";
        let diag = Diag::new("syntax/unexpected", lexer.span(start, lexer.at), message);
        lexer.report(diag.help("break the line after the opening quotes, and indent each line like the closing ones"));
        return Token::Broken;
    };
    if hashes > 0 {
        return Token::Text(Cow::Owned(text));
    }
    unescape(lexer, &text, inside).map_or(Token::Broken, |text| Token::Text(Cow::Owned(text)))
}

fn find_close(rest: &str, close: &str, escapes: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with(close) {
            return Some(at);
        }
        let mut chars = tail.chars();
        let first = chars.next()?;
        at += first.len_utf8();
        if escapes && first == '\\' {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    None
}

/// Takes the indent of the last line off all lines; `None` where the form is broken.
fn dedent(body: &str, escapes: bool) -> Option<String> {
    let body = body.replace("\r\n", "\n");
    let body = if escapes { join_escaped_lines(&body) } else { body };
    let mut lines: Vec<&str> = body.split(is_newline).collect();
    let indent = lines.pop()?;
    if lines.is_empty() || !lines.remove(0).is_empty() || !indent.chars().all(is_space) {
        return None;
    }
    let strip = |line: &&str| match line.chars().all(is_space) {
        true => Some(String::new()),
        false => line.strip_prefix(indent).map(str::to_owned),
    };
    lines.iter().map(strip).collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
}

/// A `\` before white space swallows it, also line breaks; this comes before the indent is taken.
fn join_escaped_lines(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let trimmed = after.trim_start_matches(|c| is_space(c) || is_newline(c));
        if trimmed.len() < after.len() {
            rest = trimmed;
            continue;
        }
        out.push('\\');
        let kept = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(after.get(..kept).unwrap_or_default());
        rest = after.get(kept..).unwrap_or_default();
    }
    out + rest
}

/// Escapes → characters; `None` (and a finding) where one is unknown.
fn unescape(lexer: &mut Cursor<'_, '_>, body: &str, offset: usize) -> Option<String> {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let plain = match chars.next()?.1 {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            's' => ' ',
            c @ ('\\' | '"') => c,
            'u' => match unicode(body.get(at + 2..).unwrap_or_default()) {
                Some((c, used)) => {
                    chars.nth(used - 1);
                    c
                }
                None => return bad_escape(lexer, offset + at, "\\u wants a code point such as \\u{e9}, and no surrogate"),
            },
            c if is_space(c) || is_newline(c) => {
                while chars.next_if(|(_, c)| is_space(*c) || is_newline(*c)).is_some() {}
                continue;
            }
            c => return bad_escape(lexer, offset + at, &format!("`\\{c}` is no escape; write `\\\\` for a backslash")),
        };
        out.push(plain);
    }
    Some(out)
}

fn bad_escape(lexer: &mut Cursor<'_, '_>, at: usize, message: &str) -> Option<String> {
    let end = lexer.text.get(at + 1..).and_then(|rest| rest.chars().next()).map_or(at + 1, |c| at + 1 + c.len_utf8());
    let diag = Diag::new("syntax/unexpected", lexer.span(at, end), message);
    lexer.report(diag.help("KDL 2 knows \\n \\r \\t \\b \\f \\s \\\" \\\\ and \\u{…}; a raw string #\"…\"# has no escapes"));
    None
}

/// `{1F600}` → the character and how many characters the braces take.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let digits = rest.strip_prefix('{')?.split_once('}')?.0;
    if digits.is_empty() || digits.len() > 6 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?).map(|c| (c, digits.len() + 2))
}

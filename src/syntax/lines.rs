//! Strings of several lines: escaped white space goes first, then the indent of the last line, then the other escapes are read.

use std::borrow::Cow;

use super::cursor::{Cursor, Token, is_forbidden, is_newline, is_space};
use super::strings::{BadEscape, forbidden, unescape_into, unterminated};
use crate::diag::Diag;

/// `"""…"""`, or `#"""…"""#` with `hashes`.
pub(super) fn multi_line<'s>(lexer: &mut Cursor<'s, '_>, hashes: usize) -> Token<'s> {
    let start = lexer.at;
    let close = format!("\"\"\"{}", "#".repeat(hashes));
    let inside = start + hashes + 3;
    let rest = lexer.text.get(inside..).unwrap_or_default();
    lexer.signs.modern();
    let Some(end) = find_close(rest, &close, hashes == 0) else {
        lexer.at = lexer.text.len();
        return unterminated(lexer, start, hashes + 3, &close);
    };
    let body = rest.get(..end).unwrap_or_default();
    lexer.at = inside + end + close.len();
    if let Some((at, c)) = body.char_indices().find(|(_, c)| is_forbidden(*c)) {
        return forbidden(lexer, inside + at, c, hashes > 0);
    }
    let joined = if hashes == 0 { join_escaped_lines(body) } else { Cow::Borrowed(body) };
    match dedent(&joined, hashes == 0) {
        Ok(text) => Token::Text(Cow::Owned(text)),
        Err(Broken::Escape(bad)) => {
            let at = inside + source_offset(body, bad.at, true);
            bad.report(lexer, at)
        }
        Err(Broken::Form { at, message, help }) => {
            let at = inside + source_offset(body, at, hashes == 0);
            let width = lexer.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let diag = Diag::new("syntax/unexpected", lexer.span(at, at + width), message);
            lexer.report(diag.label(lexer.span(start, start + hashes + 3), "the string begins here").help(help));
            Token::Broken
        }
    }
}

fn find_close(rest: &str, close: &str, escapes: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        let quote = tail.find(['"', '\\'])?;
        at += quote;
        let tail = tail.get(quote..)?;
        if tail.starts_with(close) {
            return Some(at);
        }
        at += 1;
        if escapes && tail.starts_with('\\') {
            at += tail.chars().nth(1).map_or(0, char::len_utf8);
        }
    }
    None
}

/// What KDL refuses, and where in the joined text.
enum Broken {
    Form { at: usize, message: &'static str, help: &'static str },
    Escape(BadEscape),
}

/// The lines between the first and the last, without the indent of the last; one of white space alone is empty.
fn dedent(body: &str, escapes: bool) -> Result<String, Broken> {
    let first = body.find(is_newline).filter(|at| *at == 0);
    let (Some(_), Some(last)) = (first, body.rfind(is_newline)) else {
        let help = "break the line after the opening quotes, and put the closing ones on a line of their own";
        return Err(Broken::Form { at: 0, message: "the text of a `\"\"\"` string starts on its own line", help });
    };
    let last = last + newline_width(body.get(last..).unwrap_or_default());
    let indent = body.get(last..).unwrap_or_default();
    if let Some(at) = indent.find(|c| !is_space(c)) {
        let help = "break the line before the closing quotes; a `\\` before that line break takes it away again";
        return Err(Broken::Form { at: last + at, message: "only white space may stand before the closing quotes", help });
    }
    let mut out = String::with_capacity(body.len());
    let mut start = newline_width(body);
    let mut is_first = true;
    while start < last {
        let rest = body.get(start..).unwrap_or_default();
        let end = rest.find(is_newline).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        if !std::mem::take(&mut is_first) {
            out.push('\n');
        }
        if !line.chars().all(is_space) {
            let Some(text) = line.strip_prefix(indent) else {
                let help = "begin each line with the very spaces and tabs that stand before the closing quotes";
                return Err(Broken::Form { at: start, message: "this line lacks the indent of the closing quotes", help });
            };
            let at = start + indent.len();
            if escapes {
                unescape_into(&mut out, text).map_err(|bad| Broken::Escape(BadEscape { at: at + bad.at, ..bad }))?;
            } else {
                out.push_str(text);
            }
        }
        start += end + newline_width(rest.get(end..).unwrap_or_default());
    }
    Ok(out)
}

/// The bytes of the line break that `text` begins with; CR LF is one.
fn newline_width(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { text.chars().next().map_or(1, char::len_utf8) }
}

/// The pieces that remain when each `\` before white space is taken away with it, and their offsets.
fn pieces(body: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = body.get(from..)?.find('\\') {
            let escape = from + found;
            let after = body.get(escape + 1..)?;
            let kept = after.trim_start_matches(|c| is_space(c) || is_newline(c));
            if kept.len() < after.len() {
                let piece = (at, body.get(at..escape)?);
                at = body.len() - kept.len();
                from = at;
                return Some(piece);
            }
            from = escape + 1 + after.chars().next().map_or(0, char::len_utf8);
        }
        let piece = (at, body.get(at..)?);
        // Behind the end: the next call finds nothing.
        (at, from) = (body.len() + 1, body.len() + 1);
        Some(piece)
    })
}

fn join_escaped_lines(body: &str) -> Cow<'_, str> {
    let mut all = pieces(body);
    match all.next() {
        Some((_, first)) if first.len() < body.len() => Cow::Owned(all.fold(first.to_owned(), |text, (_, piece)| text + piece)),
        _ => Cow::Borrowed(body),
    }
}

/// Where in the text the byte `at` of the joined text stands; only ever asked for to show a mistake.
fn source_offset(body: &str, at: usize, escapes: bool) -> usize {
    if !escapes {
        return at;
    }
    let mut before = 0;
    for (start, piece) in pieces(body) {
        if at < before + piece.len() {
            return start + at - before;
        }
        before += piece.len();
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_the_joining() {
        let body = "\n  a\\  \n  b\\qc\n";
        assert_eq!(join_escaped_lines(body), "\n  ab\\qc\n");
        assert_eq!(source_offset(body, 5, true), body.find("\\q").unwrap());
        assert_eq!(source_offset(body, 99, true), body.len());
    }

    #[test]
    fn lines_end_as_unicode_says() {
        let read = |body: &str| dedent(body, true).ok();
        assert_eq!(read("\r\n a\r\n b\u{85} \u{2028} c\r "), Some("a\nb\n\nc".to_owned()));
        assert_eq!(read("\r\n"), Some(String::new()));
        assert_eq!(read("\n\n"), Some(String::new()));
        assert_eq!(read("\n\n\n"), Some("\n".to_owned()));
        assert_eq!(read(""), None);
    }
}

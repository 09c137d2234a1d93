//! Numbers: decimal, hex, octal, binary; and what people write when they forget the quotes.

use super::cursor::{Cursor, Token};
use super::strings::shorten;
use crate::diag::Diag;

/// Does a number begin here (KDL 2 keeps words from looking like one)?
pub(super) fn looks_like(rest: &str) -> bool {
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let mut chars = unsigned.strip_prefix('.').unwrap_or(unsigned).chars();
    chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// A whole run up to the next separator, so that `10.0.0.0/24` is one mistake and not three.
pub(super) fn number<'s>(lexer: &mut Cursor<'s, '_>) -> Token<'s> {
    let start = lexer.at;
    let mut word = lexer.take_word();
    if lexer.rest().starts_with('/') && !lexer.rest().starts_with("/*") && !lexer.rest().starts_with("//") && !lexer.rest().starts_with("/-") {
        lexer.at += 1;
        lexer.take_word();
        word = lexer.text.get(start..lexer.at).unwrap_or_default();
    }
    if let Some(token) = read(word) {
        return token;
    }
    let (span, shown) = (lexer.span(start, lexer.at), shorten(word));
    let diag = if looks_like_address(word) {
        Diag::new("syntax/unquoted-address", span, format!("`{shown}` must be quoted: KDL reads a number here"))
            .help(format!("write \"{shown}\""))
            .fix(word, format!("\"{word}\""))
    } else {
        Diag::new("syntax/unexpected", span, format!("`{shown}` is no number, and a word cannot start like one"))
            .help(format!("write \"{shown}\" if it is text"))
    };
    lexer.report(diag);
    Token::Broken
}

/// IPv4 and IPv6 addresses, ranges, MACs, times, durations.
fn looks_like_address(word: &str) -> bool {
    let separators = word.chars().filter(|c| matches!(c, '.' | ':' | '/' | '-')).count();
    separators > 0 && word.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/' | '-'))
}

fn read(word: &str) -> Option<Token<'static>> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let radix = match digits.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => return decimal(negative, digits),
    };
    let digits = digits.get(2..)?;
    if !digits.chars().next()?.is_digit(radix) || !digits.chars().all(|c| c.is_digit(radix) || c == '_') {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(integer(if negative { -value } else { value }))
}

fn decimal(negative: bool, digits: &str) -> Option<Token<'static>> {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let run = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit()) && part.chars().all(|c| c.is_ascii_digit() || c == '_')
    };
    let exponent_digits = exponent.map(|part| part.strip_prefix(['+', '-']).unwrap_or(part));
    if !run(whole) || !fraction.is_none_or(run) || !exponent_digits.is_none_or(run) {
        return None;
    }
    let plain = digits.replace('_', "");
    if fraction.is_none() && exponent.is_none() {
        // A number of many digits is still a number: it becomes a float, and no field accepts one.
        return Some(match plain.parse::<i128>() {
            Ok(value) => integer(if negative { -value } else { value }),
            Err(_) => Token::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        });
    }
    let value: f64 = plain.parse().ok()?;
    Some(Token::Float(if negative { -value } else { value }))
}

fn integer(value: i128) -> Token<'static> {
    i64::try_from(value).map_or(Token::Float(value as f64), Token::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        assert_eq!(read("1_000"), Some(Token::Int(1000)));
        assert_eq!(read("-0x1F"), Some(Token::Int(-31)));
        assert_eq!(read("0b10_1"), Some(Token::Int(5)));
        assert_eq!(read("+0o17"), Some(Token::Int(15)));
        assert_eq!(read("1.5e-3"), Some(Token::Float(0.0015)));
        assert_eq!(read("1._5"), None);
        assert_eq!(read("0x"), None);
        assert_eq!(read("10.0.0.9"), None);
        assert_eq!(read("5m"), None);
    }
}

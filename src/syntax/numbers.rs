//! Numbers: decimal, hex, octal, binary; and what people write when they forget the quotes.

use super::cursor::{Cursor, Token};
use super::NUMBER_CHARS_MAX;
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
    if word.len() > NUMBER_CHARS_MAX {
        let message = format!("a number has {} characters, at most {NUMBER_CHARS_MAX} are read", word.len());
        let diag = Diag::new("syntax/unexpected", lexer.span(start, lexer.at), message);
        lexer.report(diag.help("put it in quotes if it is text"));
        return Token::Broken;
    }
    if let Some(token) = read(word) {
        return token;
    }
    let (span, shown) = (lexer.span(start, lexer.at), shorten(word));
    let diag = if looks_like_address(word) {
        Diag::new("syntax/unquoted-address", span, format!("`{shown}` must be quoted: KDL reads a number here"))
            .help(format!("write \"{shown}\""))
            .fix(word, format!("\"{word}\""))
    } else if let Some(number) = word.strip_suffix([',', ';']).filter(|number| read(number).is_some()) {
        Diag::new("syntax/unexpected", span, format!("`{shown}` is no number: nothing but spaces stands between properties"))
            .help(format!("write {number}"))
            .fix(word, number.to_owned())
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
    let (plain, sign) = (digits.replace('_', ""), if negative { -1.0 } else { 1.0 });
    Some(match i128::from_str_radix(&plain, radix) {
        Ok(value) => integer(if negative { -value } else { value }),
        Err(_) => {
            let digit = |c: char| f64::from(c.to_digit(radix).unwrap_or_default());
            Token::Float(sign * plain.chars().fold(0.0, |value, c| value * f64::from(radix) + digit(c)))
        }
    })
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
        if let Ok(value) = plain.parse::<i128>() {
            return Some(integer(if negative { -value } else { value }));
        }
    }
    let value: f64 = plain.parse().ok()?;
    Some(Token::Float(if negative { -value } else { value }))
}

fn integer(value: i128) -> Token<'static> {
    i64::try_from(value).map_or(Token::Float(value as f64), Token::Int)
}

/// The number `word` in decimal digits, exactly: whole numbers plain, those with an exponent as `1.5E+9` with one digit before the
/// point, those with a fraction as they stand.
pub(super) fn exact(word: &str) -> String {
    let (negative, unsigned) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let plain = unsigned.replace('_', "");
    let radix = match plain.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    let (shown, is_whole) = match plain.split_once(['e', 'E']).filter(|_| radix == 10) {
        Some((mantissa, exponent)) => (scientific(mantissa, exponent), false),
        None => match plain.split_once('.') {
            Some((whole, fraction)) => (format!("{}.{fraction}", trim_zeros(whole)), false),
            None if radix == 10 => (trim_zeros(&plain).to_owned(), true),
            None => (convert(plain.get(2..).unwrap_or_default(), radix), true),
        },
    };
    if negative && !(is_whole && shown == "0") { format!("-{shown}") } else { shown }
}

fn trim_zeros(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    }
}

/// `12.5`, `3` → `1.25E+4`. An exponent beyond all counting stays where it is.
fn scientific(mantissa: &str, exponent: &str) -> String {
    const COUNTED_CHARS: usize = 15;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ("-", trim_zeros(digits)),
        None => ("+", trim_zeros(exponent.strip_prefix('+').unwrap_or(exponent))),
    };
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() || digits.len() > COUNTED_CHARS {
        let point = if fraction.is_empty() { "" } else { "." };
        return format!("{}{point}{fraction}E{sign}{digits}", trim_zeros(whole));
    }
    let given: i64 = format!("{sign}{digits}").parse().unwrap_or_default();
    let moved = given + whole.len() as i64 - (all.len() - significant.len()) as i64 - 1;
    let (first, rest) = significant.split_at(1);
    format!("{first}{}{rest}E{moved:+}", if rest.is_empty() { "" } else { "." })
}

/// Digits of a radix of at most 16 → decimal digits, by long multiplication in steps of nine digits.
fn convert(digits: &str, radix: u32) -> String {
    const STEP: u64 = 1_000_000_000;
    let mut parts: Vec<u64> = vec![0];
    for digit in digits.chars().filter_map(|c| c.to_digit(radix)) {
        let mut carry = u64::from(digit);
        for part in &mut parts {
            let value = *part * u64::from(radix) + carry;
            (*part, carry) = (value % STEP, value / STEP);
        }
        if carry > 0 {
            parts.push(carry);
        }
    }
    let all: String = parts.iter().rev().map(|part| format!("{part:09}")).collect();
    trim_zeros(&all).to_owned()
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

    #[test]
    fn large_numbers_are_still_numbers() {
        assert_eq!(read("9223372036854775808"), Some(Token::Float(2_f64.powi(63))));
        assert_eq!(read(&format!("1{}", "0".repeat(50))), Some(Token::Float(1e50)));
        assert_eq!(read(&format!("-0x1{}", "0".repeat(40))), Some(Token::Float(-(16_f64.powi(40)))));
    }

    #[test]
    fn numbers_are_written_exactly() {
        let pairs = [
            ("0xabcdef1234567890", "12379813812177893520"),
            ("-0b1_0", "-2"),
            ("0o0", "0"),
            ("-0", "0"),
            ("+007", "7"),
            ("-00.50", "-0.50"),
            ("1e10", "1E+10"),
            ("1.0e-10_0", "1.0E-100"),
            ("12.5E3", "1.25E+4"),
            ("-0.05e+1", "-5E-1"),
            ("0.0e5", "0.0E+5"),
            ("1e99999999999999999999", "1E+99999999999999999999"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ];
        for (word, wanted) in pairs {
            assert_eq!(exact(word), wanted, "{word}");
        }
        assert_eq!(exact(&format!("0x1{}", "0".repeat(40))), "1461501637330902918203684832716283019655932542976");
    }
}

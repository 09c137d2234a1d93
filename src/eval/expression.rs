//! `{name}`, `{n+10}`, `{n:02}`: what stands between braces, computed.
//!
//! `NAME or NUMBER`, more of them behind `+` or `-`, and perhaps a format behind `:`. A format is a
//! width, `0` before it for zeros, `x` after it for hexadecimal. There is no more than that: no
//! functions, no conditions, so every expression ends.

use std::collections::BTreeMap;

use super::datum::Datum;
use crate::syntax::Value;

/// How long an expression may be, in bytes.
const BYTES_MAX: usize = 256;
/// How wide a number may be written.
const WIDTH_MAX: usize = 64;

/// Why an expression has no value.
#[derive(Debug, PartialEq)]
pub(super) enum Trouble {
    Undefined(String),
    NotNumber(String),
    /// A submodule has no field of this name.
    NoField(String),
    TooLarge,
    Form,
    Format(String),
}

/// Names by which values are found: those of counters first, then all others.
pub(super) struct Names<'a, 's> {
    pub(super) locals: &'a [(String, Datum<'s>)],
    pub(super) values: &'a BTreeMap<String, Datum<'s>>,
}

impl<'s> Names<'_, 's> {
    /// A value, or a field of a submodule behind a dot.
    fn find(&self, name: &str) -> Option<&Datum<'s>> {
        let field = || self.record(name).and_then(|(fields, field)| fields.get(field));
        self.whole(name).or_else(field)
    }

    /// The submodule before a dot, and the name of the field behind it.
    fn record<'n>(&self, name: &'n str) -> Option<(&BTreeMap<String, Datum<'s>>, &'n str)> {
        let (record, field) = name.split_once('.')?;
        if let Datum::Record(_, fields) = self.whole(record)? { Some((fields, field)) } else { None }
    }

    fn whole(&self, name: &str) -> Option<&Datum<'s>> {
        let local = self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, value)| value);
        local.or_else(|| self.values.get(name))
    }
}

/// The value of what stands between braces.
pub(super) fn compute<'s>(inside: &str, names: &Names<'_, 's>) -> Result<Datum<'s>, Trouble> {
    if let Some(found) = names.find(inside) {
        return Ok(found.clone()); // by far the most frequent
    }
    if inside.len() > BYTES_MAX {
        return Err(Trouble::Form);
    }
    let (sum, format) = match inside.split_once(':') {
        Some((sum, format)) => (sum, Some(format.trim())),
        None => (inside, None),
    };
    let value = add_up(sum.trim(), names)?;
    let Some(format) = format else { return Ok(value) };
    written(number(&value, sum.trim())?, format).map(Datum::text)
}

fn add_up<'s>(text: &str, names: &Names<'_, 's>) -> Result<Datum<'s>, Trouble> {
    let (first, mut rest) = operand(text, names)?;
    if rest.is_empty() {
        return Ok(first);
    }
    let mut total = number(&first, text)?;
    while !rest.is_empty() {
        let minus = rest.starts_with('-');
        let Some(after) = rest.strip_prefix(['+', '-']) else { return Err(Trouble::Form) };
        let (next, left) = operand(after.trim_start(), names)?;
        let next = number(&next, after.trim())?;
        let sum = if minus { total.checked_sub(next) } else { total.checked_add(next) };
        total = sum.ok_or(Trouble::TooLarge)?;
        rest = left;
    }
    Ok(Datum::One(Value::Int(total)))
}

/// A name or a number, and what follows. Names may have hyphens: the longest known one is meant.
fn operand<'s, 't>(text: &'t str, names: &Names<'_, 's>) -> Result<(Datum<'s>, &'t str), Trouble> {
    let ends: Vec<usize> = text.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-')).map(|(at, _)| at).chain([text.len()]).collect();
    for end in ends.iter().rev() {
        let (name, rest) = text.split_at(*end);
        if let Some(found) = names.find(name.trim_end()) {
            return Ok((found.clone(), rest));
        }
    }
    let (name, rest) = text.split_at(ends.first().copied().unwrap_or(0));
    let name = name.trim_end();
    match name.parse::<i64>() {
        Ok(number) => Ok((Datum::One(Value::Int(number)), rest)),
        Err(_) if name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_digit()) => Err(Trouble::TooLarge),
        Err(_) if !crate::schema::is_name(name) => Err(Trouble::Form),
        Err(_) if names.record(name).is_some() => Err(Trouble::NoField(name.to_owned())),
        Err(_) => {
            // `{idle-rest}` is one misspelt name, `{m-1}` is a sum.
            let is_sum = rest.is_empty() || rest.strip_prefix(['+', '-']).is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
            Err(Trouble::Undefined(if is_sum { name } else { text.trim_end() }.to_owned()))
        }
    }
}

fn number(value: &Datum<'_>, name: &str) -> Result<i64, Trouble> {
    match value {
        Datum::One(Value::Int(number)) => Ok(*number),
        Datum::One(_) | Datum::Secret(_) | Datum::List(_) | Datum::Record(..) => Err(Trouble::NotNumber(name.to_owned())),
    }
}

/// `02`, `4`, `x`, `02x`.
fn written(number: i64, format: &str) -> Result<String, Trouble> {
    let wrong = || Trouble::Format(format.to_owned());
    let (digits, hex) = match format.strip_suffix('x') {
        Some(digits) => (digits, true),
        None => (format, false),
    };
    let width: usize = if digits.is_empty() && hex { 0 } else { digits.parse().map_err(|_| wrong())? };
    if width > WIDTH_MAX || digits.starts_with('+') {
        return Err(wrong());
    }
    let plain = if hex { format!("{:x}", number.unsigned_abs()) } else { number.unsigned_abs().to_string() };
    let sign = if number < 0 { "-" } else { "" };
    let missing = width.saturating_sub(plain.len() + sign.len());
    Ok(match digits.starts_with('0') {
        true => format!("{sign}{}{plain}", "0".repeat(missing)),
        false => format!("{}{sign}{plain}", " ".repeat(missing)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute_text(inside: &str) -> Result<String, Trouble> {
        let int = |number| Datum::One(Value::Int(number));
        let record = Datum::Record("left".into(), BTreeMap::from([("width".into(), int(800))]));
        let values = BTreeMap::from([("n".into(), int(7)), ("idle-reset".into(), int(30)), ("img".into(), Datum::text("debian")), ("s".into(), record)]);
        let locals = [("m".to_owned(), int(-1))];
        compute(inside, &Names { locals: &locals, values: &values }).map(|value| value.show().unwrap())
    }

    #[test]
    fn expressions_are_sums_with_a_format() {
        let shown = |inside: &str| compute_text(inside).unwrap();
        assert_eq!(shown("n"), "7");
        assert_eq!(shown("n+10"), "17");
        assert_eq!(shown("n - 10"), "-3");
        assert_eq!(shown("n:02"), "07");
        assert_eq!(shown("n+20:02x"), "1b");
        assert_eq!(shown("n:x"), "7");
        assert_eq!(shown("m:03"), "-01");
        assert_eq!(shown("idle-reset"), "30");
        assert_eq!(shown("idle-reset-n+m"), "22");
        assert_eq!(shown("s.width+1"), "801");
        assert_eq!(shown("s"), "left");
        assert_eq!(shown("10-n"), "3");
    }

    #[test]
    fn what_is_no_expression_is_named() {
        let trouble = |inside: &str| compute_text(inside).unwrap_err();
        assert_eq!(trouble("imgg"), Trouble::Undefined("imgg".into()));
        assert_eq!(trouble("idle-rest"), Trouble::Undefined("idle-rest".into()));
        assert_eq!(trouble("k+1"), Trouble::Undefined("k".into()));
        assert_eq!(trouble("img+1"), Trouble::NotNumber("img+1".into()));
        assert_eq!(trouble("n*2"), Trouble::Form);
        assert_eq!(trouble(""), Trouble::Form);
        assert_eq!(trouble("n:zz"), Trouble::Format("zz".into()));
        assert_eq!(trouble("n:99"), Trouble::Format("99".into()));
        assert_eq!(trouble("n+9223372036854775807"), Trouble::TooLarge);
        assert_eq!(trouble("s.height"), Trouble::NoField("s.height".into()));
    }
}

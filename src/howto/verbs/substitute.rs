//! `sed -i 's/a/b/' FILE`, where the result can be told from the text of the command.

use super::{Made, absolute, joined, pair, sh};

/// What is no letter of a pattern; `+?(){}|` are so in one of the two kinds of patterns.
const META: &str = ".*[]^$\\+?(){}|";

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    if program != "sed" {
        return Made::Unknown;
    }
    let told = Made::Told(String::new());
    let mut flags: Vec<&str> = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for arg in args {
        match *arg {
            "-i" | "--in-place" => {}
            "-E" | "-r" => flags.push("-E"),
            "-Ei" | "-ri" => flags.push("-E"),
            flag if flag.starts_with('-') => return told,
            word => words.push(word),
        }
    }
    if !args.iter().any(|arg| matches!(*arg, "-i" | "--in-place" | "-Ei" | "-ri")) {
        return Made::Unknown;
    }
    let [script, file] = words.as_slice() else { return told };
    let Some(file) = absolute(file) else { return Made::Unknown };
    let Some(result) = result(script) else { return told };
    let sed = joined(&[&["sed"], flags.as_slice(), &[*script]].concat());
    let path = file.clone();
    let file = sh(&file);
    // Kept is: the result stands there, and the command would change nothing more. A file in which there
    // is neither is another file than the how-to's.
    // What stands behind a `#` is said to nobody, unless the result is such a line itself.
    let (grep, result) = match &result {
        Found::Line(line) => (format!("grep -qxF -- {} {file}", sh(line)), line),
        Found::Within(text) => (format!("grep -v '^[[:space:]]*#' {file} | grep -qF -- {}", sh(text)), text),
    };
    let grep = if result.starts_with('#') { format!("grep -qF -- {} {file}", sh(result)) } else { grep };
    let check = format!(
        "new=$({sed} {file}) || exit 2\nold=$(cat {file}) || exit 2\ntest \"$new\" = \"$old\" || exit 1\n{grep} || exit 2"
    );
    let apply = joined(&[&["sed", "-i"], flags.as_slice(), &[*script]].concat());
    let apply = format!("{apply} {file}");
    Made::Edited { path, source: apply.clone(), steps: pair(check, apply) }
}

/// What stands in the file afterwards.
enum Found {
    Line(String),
    Within(String),
}

/// The result of one substitution that changes nothing when it runs again.
fn result(script: &str) -> Option<Found> {
    let rest = script.strip_prefix('s')?;
    let mark = rest.chars().next().filter(|c| c.is_ascii_punctuation() && *c != '\\')?;
    let parts = split(rest.get(1..)?, mark)?;
    let [pattern, replacement, flags] = parts.as_slice() else { return None };
    if !matches!(flags.as_str(), "" | "g") || replacement.is_empty() || replacement.contains(['&', '\n']) {
        return None;
    }
    let replacement = literal(replacement, false)?;
    let to_the_end =
        |rest: &str| rest.strip_suffix('$').unwrap_or(rest).strip_suffix(".*").is_some_and(|head| !head.ends_with('\\'));
    let whole = !pattern.contains('|') && pattern.strip_prefix('^').is_some_and(to_the_end);
    if whole
        || pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).is_some_and(|rest| literal(rest, true).is_some())
    {
        return Some(Found::Line(replacement));
    }
    let searched = literal(pattern.strip_prefix('^').unwrap_or(pattern), true)?;
    (!searched.is_empty() && !replacement.contains(&searched)).then_some(Found::Within(replacement))
}

/// Three parts between marks; `\` before a mark takes its meaning away.
fn split(text: &str, mark: char) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next()?;
                let part = parts.last_mut()?;
                part.extend((next != mark).then_some('\\'));
                part.push(next);
            }
            c if c == mark => parts.push(String::new()),
            c => parts.last_mut()?.push(c),
        }
    }
    Some(parts)
}

/// The text that a pattern or a replacement stands for, if it is one text.
fn literal(text: &str, is_pattern: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            // `\.` is a dot; `\+` and its like depend on the kind of pattern.
            '\\' => out.push(
                chars.next().filter(|next| if is_pattern { ".*[]^$/-\"'=".contains(*next) } else { !next.is_alphanumeric() })?,
            ),
            c if is_pattern && META.contains(c) => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

//! Texts that a command writes into a file: whole, or behind what is there.

use super::{Made, absolute, pair, sh};
use crate::howto::shell::{Command, Output};
use crate::howto::{Access, Step};

/// A longer text goes into no command of a rule.
const BLOCK_BYTES_MAX: usize = 8 << 10;

/// `echo X > F`, `cat > F <<EOF`, `tee F <<EOF`.
pub(super) fn written(command: &Command) -> Made {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let made = match (words.split_first(), &command.output, &command.input) {
        (Some((&"tee", args)), None, Some(text)) => tee(args, text),
        (Some((&("cat" | "echo" | "printf"), _)), Some(output), _) => said(command).and_then(|text| match output {
            Output::Over(path) => over(path, text),
            Output::Behind(path) => behind(path, text),
        }),
        _ => None,
    };
    made.unwrap_or(Made::Unknown)
}

/// `echo X | tee F`, and the same with `cat <<EOF`.
pub(super) fn piped(from: &Command, to: &Command) -> Made {
    let words: Vec<&str> = to.words.iter().map(String::as_str).collect();
    let made = match words.split_first() {
        Some((&"tee", args)) if to.output.is_none() && to.input.is_none() && from.output.is_none() => {
            said(from).and_then(|text| tee(args, &text))
        }
        _ => None,
    };
    made.unwrap_or(Made::Unknown)
}

fn tee(args: &[&str], text: &str) -> Option<Made> {
    match args {
        ["-a" | "--append", path] | [path, "-a"] => behind(path, text.to_owned()),
        [path] => over(path, text.to_owned()),
        _ => None,
    }
}

/// What a command prints, where its words alone say it.
fn said(command: &Command) -> Option<String> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    match (words.as_slice(), &command.input) {
        (["cat"], Some(text)) => Some(text.clone()),
        // Shells do not agree on what `echo` makes of a backslash.
        (["echo", "-n", words @ ..], None) => plain(&words.join(" ")),
        (["echo", words @ ..], None) if !words.first().is_some_and(|word| word.starts_with('-')) => {
            Some(plain(&words.join(" "))? + "\n")
        }
        (["printf", format], None) => printed(format),
        (["printf", "%s\\n", words @ ..], None) if !words.is_empty() => {
            Some(words.iter().map(|word| format!("{word}\n")).collect())
        }
        _ => None,
    }
}

fn plain(text: &str) -> Option<String> {
    (!text.contains('\\')).then(|| text.to_owned())
}

/// A format without places to fill.
fn printed(format: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => return None,
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                '\\' => '\\',
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    Some(out)
}

fn over(path: &str, text: String) -> Option<Made> {
    let path =
        absolute(path).filter(|path| !path.starts_with("/dev/") && !path.starts_with("/proc/") && !path.starts_with("/sys/"))?;
    Some(Made::Steps(vec![Step::File { path, content: text.into_bytes(), access: Access::default() }]))
}

/// Only what is added is known of such a file: it stands there, as whole lines behind each other.
fn behind(path: &str, text: String) -> Option<Made> {
    let path =
        absolute(path).filter(|path| !path.starts_with("/dev/") && !path.starts_with("/proc/") && !path.starts_with("/sys/"))?;
    let block = text.trim_matches('\n');
    if block.is_empty() || block.len() > BLOCK_BYTES_MAX || text.contains('\0') {
        return None;
    }
    let (file, line) = (sh(&path), sh(block));
    // A last line without its end would become one with ours.
    let append =
        |text: &str| format!("test -z \"$(tail -c 1 {file} 2>/dev/null)\" || echo >> {file}\nprintf '%s\\n' {text} >> {file}");
    let steps = if block.contains('\n') {
        let stands = "case \"\n$held\n\" in *\"\n$block\n\"*) exit 0 ;; esac";
        let check = format!("block={line}\ntest -e {file} || exit 1\nheld=$(cat {file}) || exit 2\n{stands}\nexit 1");
        pair(check, format!("block={line}\nheld=$(cat {file} 2>/dev/null)\n{stands}\n{}", append("\"$block\"")))
    } else {
        let check = format!("test -e {file} || exit 1\ngrep -qxF -- {line} {file}");
        pair(check, format!("grep -qxF -- {line} {file} 2>/dev/null && exit 0\n{}", append(&line)))
    };
    Some(Made::Behind { path, text, steps })
}

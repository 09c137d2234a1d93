//! A host's rules → one script for sh; pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::out::table::{RuleHostRow, RuleLine, RuleRow, Tables, rule_text};
use crate::remote::quote;

const LIBRARY: &str = include_str!("library.sh");
/// How long one check may take, and one apply, in seconds.
pub const CHECK_SECS: u64 = 60;
pub const APPLY_SECS: u64 = 900;
/// How much of what a line prints comes back, in bytes.
const SHOWN_BYTES: usize = 1_000;
/// How long the lines of a text are: base64(1)'s own.
const TEXT_COLUMNS: usize = 76;
/// What ends a text; base64 has no such letter.
const END: &str = "_";

/// Looked up alone, or brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Plan,
    Apply,
}

/// A script, and the word that its results begin with.
#[derive(Debug)]
pub struct Script {
    pub text: String,
    pub nonce: String,
    /// How long it may take, in seconds.
    pub secs: u64,
}

/// The rules of a host in their order.
pub fn rules<'t>(row: &RuleHostRow, tables: &'t Tables) -> Vec<&'t RuleRow> {
    row.rules.iter().filter_map(|name| tables.rules.get(name)).collect()
}

/// `is_offline`: inside an overlay, where nothing runs.
pub fn script(rules: &[&RuleRow], texts: &BTreeMap<String, Vec<u8>>, mode: Mode, is_offline: bool, nonce: String) -> Script {
    let mode_word = if mode == Mode::Plan { "plan" } else { "apply" };
    let offline = u8::from(is_offline);
    let mut text = format!(
        "NONCE={nonce} MODE={mode_word} OFFLINE={offline} CHECK_SECS={CHECK_SECS} APPLY_SECS={APPLY_SECS} SHOWN_BYTES={SHOWN_BYTES}\n{LIBRARY}"
    );
    let mut count = 0;
    for (at, rule) in rules.iter().enumerate() {
        let mut body = String::new();
        for (number, line) in rule.lines.iter().enumerate() {
            let words = words(line, rule, texts, &mut count, mode, &mut text);
            body.push_str(&format!("line {number} {}\n", words.join(" ")));
        }
        text.push_str(&format!("rule_{at}() {{\n{body}:\n}}\n"));
    }
    for (at, rule) in rules.iter().enumerate() {
        let before = rule.after.iter().filter_map(|name| rules.iter().position(|other| other.rule == *name));
        let before: String = before.map(|at| format!(" {at}")).collect();
        text.push_str(&format!("rule {at}{before}\n"));
    }
    text.push_str("exit 0\n");
    Script { text, nonce, secs: secs(rules, mode) }
}

/// The kind of a line and its arguments; the text of a file becomes a function before it.
fn words(
    line: &RuleLine,
    rule: &RuleRow,
    texts: &BTreeMap<String, Vec<u8>>,
    count: &mut usize,
    mode: Mode,
    text: &mut String,
) -> Vec<String> {
    let command = |kind: &str, args: &[&str]| -> Vec<String> {
        std::iter::once(kind.to_owned()).chain(args.iter().map(|word| quote(word))).collect()
    };
    match line {
        RuleLine::Package(name) => command("package", &[name]),
        RuleLine::File(file) => {
            let none = Vec::new();
            let content = texts.get(&rule_text(&rule.rule, &file.path)).unwrap_or(&none);
            let number = count.to_string();
            if mode == Mode::Apply {
                text.push_str(&function(&number, content));
            }
            *count += 1;
            let sum = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            command("file", &[&file.path, &bare(&file.mode), &file.owner, &file.group, &sum, &number])
        }
        RuleLine::Folder(folder) => command("folder", &[&folder.path, &bare(&folder.mode), &folder.owner, &folder.group]),
        RuleLine::Link(link) => command("link", &[&link.path, &link.to]),
        RuleLine::Absent(path) => command("absent", &[path]),
        RuleLine::Check(text) => command("check", &[text]),
        RuleLine::Apply(text) => command("apply", &[text]),
        RuleLine::Manual(text) => command("manual", &[text]),
    }
}

/// As stat(1) shows permissions: without zeros before.
fn bare(mode: &str) -> String {
    let bare = mode.trim_start_matches('0');
    if bare.is_empty() { "0".to_owned() } else { bare.to_owned() }
}

fn function(number: &str, content: &[u8]) -> String {
    let encoded = STANDARD.encode(content);
    let lines: String =
        encoded.as_bytes().chunks(TEXT_COLUMNS).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect();
    format!("text_{number}() {{\nbase64 -d <<'{END}'\n{lines}{END}\n}}\n")
}

/// All lines may take as long as they may, once or twice, and then there is an end.
fn secs(rules: &[&RuleRow], mode: Mode) -> u64 {
    let lines = rules.iter().flat_map(|rule| &rule.lines);
    let each = |line: &RuleLine| match (line, mode) {
        (RuleLine::Manual(_), _) | (RuleLine::Apply(_), Mode::Plan) => 0,
        (RuleLine::Check(_), Mode::Plan) => CHECK_SECS,
        (RuleLine::Check(_), Mode::Apply) => 2 * CHECK_SECS,
        (RuleLine::Apply(_), Mode::Apply) => APPLY_SECS,
        (RuleLine::Package(_), Mode::Apply) => 3 * APPLY_SECS,
        (RuleLine::Package(_) | RuleLine::File(_) | RuleLine::Folder(_) | RuleLine::Link(_) | RuleLine::Absent(_), _) => 5,
    };
    (CHECK_SECS + lines.map(each).sum::<u64>()).min(HOST_SECS_MAX)
}

/// How long one host may take at most, in seconds.
const HOST_SECS_MAX: u64 = 4 * 3_600;

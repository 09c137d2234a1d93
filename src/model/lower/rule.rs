//! `rule` and the lines in it.

use super::commands::callers;
use super::located;
use super::nfs::octal;
use super::texts::{Texts, text_file};
use crate::diag::{Diag, Diags};
use crate::model::{At, Does, FOLDER_MODE, MODE, RULE_NAME_BYTES_MAX, Rule, Statement};
use crate::source::Span;
use crate::syntax::{Entry, Node, shorten};

/// How many `rule` lines a site has.
const RULES_MAX: usize = 2000;
/// How many lines a rule has.
const STATEMENTS_MAX: usize = 500;
/// How long a command or a text for people may be, in bytes: it goes to the host as an argument.
const COMMAND_BYTES_MAX: usize = 32 << 10;
/// Linux's own limit for users and groups, in bytes.
const OWNER_BYTES_MAX: usize = 32;
/// How long the name of a package may be, in bytes.
const PACKAGE_BYTES_MAX: usize = 128;

/// By name; those that say the same of other hosts are one.
pub(super) fn rules(nodes: &[Node<'_>], texts: &mut Texts<'_>, diags: &mut Diags) -> Vec<Rule> {
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.span);
    if let Some(node) = sorted.get(RULES_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {RULES_MAX} rules"));
        diags.push(diag.help("let one rule stand for many hosts: on=\"group:NAME, tag:NAME\""));
    }
    let mut all: Vec<Rule> = Vec::new();
    for node in sorted.into_iter().take(RULES_MAX) {
        let Some(rule) = rule(node, texts, diags) else { continue };
        match all.iter_mut().find(|other| other.is_same(&rule)) {
            Some(first) => {
                first.on.extend(rule.on);
                first.origins.extend(rule.origins);
            }
            None => all.push(rule),
        }
    }
    // Stable: of one name the first line comes first.
    all.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    all
}

fn rule(node: &Node<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Option<Rule> {
    let name = node.arg(0).and_then(located)?;
    let sound = is_name(&name.value);
    if !sound {
        let diag = Diag::new("rule/name", name.span, format!("`{}` is no name for a rule", shorten(&name.value)));
        diags.push(diag.help(format!(
            "write small letters, digits and `-`, with slashes between words, at most {RULE_NAME_BYTES_MAX} bytes: \"web/site\""
        )));
        diags.lose(&name.value);
    }
    let on = node.prop("on").map(|entry| callers(entry, "on", "rule/on", diags)).unwrap_or_default();
    let after = node.prop("after");
    if let Some(line) = node.children.get(STATEMENTS_MAX) {
        let diag = Diag::new("eval/limit", line.span, format!("more than {STATEMENTS_MAX} lines in one rule"));
        diags.push(diag.help("make two rules of it, the second one with after="));
    }
    let lines = node.children.iter().take(STATEMENTS_MAX);
    let errors = diags.errors();
    let statements: Vec<Statement> = lines.flat_map(|line| statements(line, texts, diags)).collect();
    // A line that was refused has its own finding, and is no longer here.
    let is_refused = diags.iter().any(|diag| diag.primary().is_some_and(|span| node.span.contains(span)));
    if diags.errors() == errors && statements.is_empty() && node.children.is_empty() && !is_refused {
        let diag = Diag::new("rule/empty", node.span, format!("rule `{}` says nothing", shorten(&name.value)));
        diags.push(diag.help("add a package, file, folder, link, absent, check or manual line"));
    }
    sound.then(|| Rule {
        on,
        doc: node.prop("doc").and_then(Entry::text).map(str::to_owned),
        after: after.map_or_else(Vec::new, |entry| {
            super::names(Some(entry)).map(|text| At { value: text.to_owned(), span: entry.value_span }).collect()
        }),
        statements,
        origins: vec![node.span],
        name,
    })
}

fn is_name(text: &str) -> bool {
    let letters = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let word = |word: &str| !word.is_empty() && !word.starts_with('-') && letters(word);
    text.len() <= RULE_NAME_BYTES_MAX && text.split('/').all(word)
}

/// A line of a rule; one `package` line may be several.
fn statements(node: &Node<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Vec<Statement> {
    let of = |does: Option<Does>| does.map(|does| Statement { does, span: node.span }).into_iter().collect();
    let command = |diags: &mut Diags| command(node.arg(0), diags);
    match &*node.name.text {
        "package" => {
            let names = node.entries.iter().filter(|entry| entry.name.is_none());
            names.filter_map(|entry| Some(Statement { does: Does::Package(package(entry, diags)?), span: node.span })).collect()
        }
        "file" => of(file(node, texts, diags)),
        "folder" => of(folder(node, diags)),
        "link" => of(node
            .arg(0)
            .and_then(Entry::text)
            .zip(command_of(node.prop("to"), diags))
            .map(|(path, to)| Does::Link { path: path.to_owned(), to })),
        "absent" => of(node.arg(0).and_then(Entry::text).map(|path| Does::Absent(path.to_owned()))),
        "check" => of(command(diags).map(Does::Check)),
        "apply" => of(command(diags).map(Does::Apply)),
        "manual" => of(command(diags).map(Does::Manual)),
        _ => Vec::new(), // the schema says so
    }
}

fn file(node: &Node<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Option<Does> {
    let (mode, owner, group) = (mode(node, MODE, diags), owner(node, "owner", diags), owner(node, "group", diags));
    Some(Does::File { text: text_file(node, texts)?, mode: mode?, owner: owner?, group: group? })
}

fn folder(node: &Node<'_>, diags: &mut Diags) -> Option<Does> {
    let (mode, owner, group) = (mode(node, FOLDER_MODE, diags), owner(node, "owner", diags), owner(node, "group", diags));
    Some(Does::Folder { path: node.arg(0)?.text()?.to_owned(), mode: mode?, owner: owner?, group: group? })
}

fn mode(node: &Node<'_>, default: u32, diags: &mut Diags) -> Option<u32> {
    let Some(entry) = node.prop("mode") else { return Some(default) };
    let mode = entry.text().and_then(octal);
    if mode.is_none() {
        let shown = shorten(entry.text().unwrap_or_default());
        let diag = Diag::new("schema/type", entry.value_span, format!("`{shown}` are no permissions"));
        diags.push(diag.help("write three or four octal digits, such as mode=\"0755\""));
    }
    mode
}

/// A user or a group, by name or number.
fn owner(node: &Node<'_>, prop: &str, diags: &mut Diags) -> Option<String> {
    let Some(entry) = node.prop(prop) else { return Some("root".to_owned()) };
    let text = entry.text().unwrap_or_default();
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let sound = text.starts_with(first) && text.len() <= OWNER_BYTES_MAX;
    if sound && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Some(text.to_owned());
    }
    let diag = Diag::new("rule/name", entry.value_span, format!("`{}` is no name of a user or a group", shorten(text)));
    diags.push(diag.help(format!("write it as the host has it, such as {prop}=www-data")));
    None
}

fn package(entry: &Entry<'_>, diags: &mut Diags) -> Option<String> {
    let text = entry.text()?;
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '.' | '-' | ':');
    let sound = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && text.chars().all(known);
    if sound && text.len() <= PACKAGE_BYTES_MAX {
        return Some(text.to_owned());
    }
    let diag = Diag::new("rule/name", entry.value_span, format!("`{}` is no name of a package", shorten(text)));
    diags.push(diag.help("write one name in each place, as apt-get knows it: package nginx curl"));
    None
}

fn command(entry: Option<&Entry<'_>>, diags: &mut Diags) -> Option<String> {
    command_of(entry, diags)
}

/// A text that goes to the host as one argument.
fn command_of(entry: Option<&Entry<'_>>, diags: &mut Diags) -> Option<String> {
    let entry = entry?;
    let text = entry.text()?;
    let trouble = match text {
        _ if text.trim().is_empty() => "nothing stands here".to_owned(),
        _ if text.contains('\0') => "no command holds the character 0".to_owned(),
        _ if text.len() > COMMAND_BYTES_MAX => format!("more than {} KiB in one line of a rule", COMMAND_BYTES_MAX >> 10),
        _ => return Some(text.to_owned()),
    };
    refuse(entry.value_span, trouble, diags);
    None
}

fn refuse(span: Span, trouble: String, diags: &mut Diags) {
    let diag = Diag::new("rule/command", span, trouble);
    diags.push(diag.help("write a command for sh; a long one belongs into a file of the rule, which the command then runs"));
}

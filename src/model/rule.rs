//! Rules: what holds on hosts, and how it is brought about.

use std::collections::{BTreeMap, BTreeSet};

use super::{At, Caller, Host, Origins, Selected, TextFile};
use crate::source::Span;

/// How long the name of a rule may be, in bytes: it is a folder in `out/`.
pub const RULE_NAME_BYTES_MAX: usize = 64;
/// The permissions of a folder where nothing says so.
pub const FOLDER_MODE: u32 = 0o755;

/// One `rule`; lines that say the same of other hosts are one.
#[derive(Debug)]
pub struct Rule {
    pub name: At<String>,
    pub on: Vec<At<Caller>>,
    pub doc: Option<String>,
    pub after: Vec<At<String>>,
    /// In the order of the source.
    pub statements: Vec<Statement>,
    /// Its lines; several where they say the same.
    pub origins: Origins,
}

/// One line of a rule.
#[derive(Debug)]
pub struct Statement {
    pub does: Does,
    pub span: Span,
}

/// What a line of a rule says.
#[derive(Debug)]
pub enum Does {
    Package(String),
    File { text: TextFile, mode: u32, owner: String, group: String },
    Folder { path: String, mode: u32, owner: String, group: String },
    Link { path: String, to: String },
    Absent(String),
    Check(String),
    Apply(String),
    Manual(String),
}

impl Does {
    /// The path that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            Does::File { text, .. } => Some(&text.name.value),
            Does::Folder { path, .. } | Does::Link { path, .. } | Does::Absent(path) => Some(path),
            Does::Package(_) | Does::Check(_) | Does::Apply(_) | Does::Manual(_) => None,
        }
    }

    /// Does it tell by itself whether it holds?
    pub fn can_be_checked(&self) -> bool {
        matches!(self, Does::Package(_) | Does::Check(_)) || self.path().is_some()
    }

    /// Do both say the same? A template is filled in by each use of its module.
    pub fn is_same(&self, other: &Does) -> bool {
        match (self, other) {
            (Does::Package(a), Does::Package(b)) | (Does::Absent(a), Does::Absent(b)) => a == b,
            (Does::Check(a), Does::Check(b)) | (Does::Apply(a), Does::Apply(b)) | (Does::Manual(a), Does::Manual(b)) => a == b,
            (Does::Link { path: a, to: x }, Does::Link { path: b, to: y }) => a == b && x == y,
            (
                Does::Folder { path, mode, owner, group },
                Does::Folder { path: path2, mode: mode2, owner: owner2, group: group2 },
            ) => path == path2 && (mode, owner, group) == (mode2, owner2, group2),
            (Does::File { text, mode, owner, group }, Does::File { text: text2, mode: mode2, owner: owner2, group: group2 }) => {
                let same = text.name.value == text2.name.value && text.from.value == text2.from.value;
                let scope = |text: &TextFile| text.is_template().then_some(text.span.file.instance());
                same && scope(text) == scope(text2) && (mode, owner, group) == (mode2, owner2, group2)
            }
            (
                Does::Package(_)
                | Does::File { .. }
                | Does::Folder { .. }
                | Does::Link { .. }
                | Does::Absent(_)
                | Does::Check(_)
                | Does::Apply(_)
                | Does::Manual(_),
                _,
            ) => false,
        }
    }
}

impl Rule {
    pub fn span(&self) -> Span {
        self.origins.first().copied().unwrap_or(self.name.span)
    }

    /// The same but for the hosts?
    pub fn is_same(&self, other: &Rule) -> bool {
        let names = |rule: &Rule| -> Vec<String> { rule.after.iter().map(|at| at.value.clone()).collect() };
        let head = self.name.value == other.name.value && self.doc == other.doc && names(self) == names(other);
        let statements = self.statements.len() == other.statements.len();
        head && statements && self.statements.iter().zip(&other.statements).all(|(a, b)| a.does.is_same(&b.does))
    }

    /// The hosts on which it holds, each once, in the order of their names.
    pub fn hosts<'s>(&self, selected: &Selected<'s>) -> Vec<&'s Host> {
        selected.hosts(&self.on)
    }
}

/// The rules so that each comes behind those of its `after`, and by name where nothing else is said; those
/// that wait for each other are the error.
pub fn ordered(rules: &[Rule]) -> Result<Vec<&Rule>, Vec<&Rule>> {
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name.value.as_str()).collect();
    let mut waits: BTreeMap<(&str, usize), BTreeSet<&str>> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        let known = rule.after.iter().map(|after| after.value.as_str()).filter(|name| names.contains(name));
        waits.insert((&rule.name.value, at), known.collect());
    }
    let mut found = Vec::with_capacity(rules.len());
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    rules.iter().for_each(|rule| *left.entry(&rule.name.value).or_default() += 1);
    while let Some(key) =
        waits.iter().find(|(_, before)| before.iter().all(|name| left.get(name) == Some(&0))).map(|(key, _)| *key)
    {
        waits.remove(&key);
        left.entry(key.0).and_modify(|count| *count -= 1);
        found.extend(rules.get(key.1));
    }
    if waits.is_empty() { Ok(found) } else { Err(waits.keys().filter_map(|(_, at)| rules.get(*at)).collect()) }
}

//! The rows of `rules/`: what must hold on which host, and how the boot server gets there.

use serde::{Deserialize, Serialize};

use super::LoginRow;

pub const RULES: &str = "rules/rules.jsonl";
pub const RULE_HOSTS: &str = "rules/hosts.jsonl";
/// The texts of rules lie below it, as `web.site/etc/motd` for the file /etc/motd of rule web/site.
pub const RULE_TEXTS: &str = "rules/files/";

/// `rules/rules.jsonl`: one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRow {
    pub rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Those that must hold before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// In the order of the site.
    pub lines: Vec<RuleLine>,
}

/// A line of a rule, within its row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleLine {
    Package(String),
    File(RuleFile),
    Folder(RuleFolder),
    Link(RuleLink),
    Absent(String),
    Check(String),
    Apply(String),
    Manual(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    pub path: String,
    /// Octal.
    pub mode: String,
    pub owner: String,
    pub group: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFolder {
    pub path: String,
    pub mode: String,
    pub owner: String,
    pub group: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleLink {
    pub path: String,
    pub to: String,
}

/// `rules/hosts.jsonl`: a host, how it is reached, and its rules in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleHostRow {
    pub host: String,
    /// The root of a machine with an overlay, on the boot server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// How the boot server logs in where there is no such root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginRow>,
    pub rules: Vec<String>,
}

impl RuleLine {
    /// The file whose text lies in `out/`.
    pub fn file(&self) -> Option<&str> {
        match self {
            RuleLine::File(file) => Some(&file.path),
            RuleLine::Package(_) | RuleLine::Folder(_) | RuleLine::Link(_) | RuleLine::Absent(_) => None,
            RuleLine::Check(_) | RuleLine::Apply(_) | RuleLine::Manual(_) => None,
        }
    }

    /// As a person calls it: `file /etc/motd`, `check test -e /srv`.
    pub fn shown(&self) -> String {
        match self {
            RuleLine::Package(name) => format!("package {name}"),
            RuleLine::File(file) => format!("file {}", file.path),
            RuleLine::Folder(folder) => format!("folder {}", folder.path),
            RuleLine::Link(link) => format!("link {} to {}", link.path, link.to),
            RuleLine::Absent(path) => format!("absent {path}"),
            RuleLine::Check(command) => format!("check {}", telling_line(command)),
            RuleLine::Apply(command) => format!("apply {}", telling_line(command)),
            RuleLine::Manual(text) => format!("manual {}", first_line(text)),
        }
    }
}

/// Of a text of several lines the first one, marked as such.
fn first_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

/// How lines of a script begin that say nothing of what it looks at.
const FRAME: &[&str] =
    &["command -v ", "test -e ", "test -f ", "test -d ", "test ! ", "test -n ", "code=", "set -", "exit ", "esac", "case $code "];

/// Of a command of several lines the longest one that is no mere frame, marked as such.
fn telling_line(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().map(str::trim).collect();
    if lines.len() < 2 {
        return first_line(text);
    }
    let told = lines.iter().filter(|line| !FRAME.iter().any(|frame| line.starts_with(frame)));
    let longest = told.rev().max_by_key(|line| line.len());
    longest.map_or_else(|| first_line(text), |line| format!("{line} …"))
}

/// Where the text of a rule's file lies in `out/`.
pub fn rule_text(rule: &str, path: &str) -> String {
    format!("{RULE_TEXTS}{}{path}", rule.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_tells_most_stands_for_a_command() {
        let shown = |text: &str| RuleLine::Check(text.into()).shown();
        assert_eq!(shown("test -e /x"), "check test -e /x");
        assert_eq!(shown("one\ntwo"), "check one …");
        let firewall = "held=$(LC_ALL=C ufw show added) || exit 2\nprintf '%s\\n' \"$held\" | grep -qxF -e 'ufw allow OpenSSH'";
        assert_eq!(shown(firewall), "check printf '%s\\n' \"$held\" | grep -qxF -e 'ufw allow OpenSSH' …");
        let copied = "command -v cmp >/dev/null || exit 2\ntest -f /etc/a || exit 2\ntest -e /b || exit 1\ncmp -s -- /etc/a /b";
        assert_eq!(shown(copied), "check cmp -s -- /etc/a /b …");
        assert_eq!(shown("test -e /a\ntest -e /b"), "check test -e /a …");
    }
}

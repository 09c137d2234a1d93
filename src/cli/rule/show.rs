//! `rule list` and `rule show`: what is declared, without asking anybody.

use crate::cli::{Failure, Outcome};
use crate::out::table::{RuleLine, Tables};
use crate::terminal::{escaped, print, say};

/// How many hosts a line of the list names.
const HOSTS_SHOWN_MAX: usize = 4;

pub(super) fn list(tables: &Tables) -> Result<Outcome, Failure> {
    let width = tables.rules.keys().map(String::len).max().unwrap_or(0);
    for (name, row) in &tables.rules {
        let doc = row.doc.as_ref().map(|doc| format!("  {}", escaped(doc))).unwrap_or_default();
        print(&format!("{}\n", format!("{name:<width$}  {}{doc}", hosts(tables, name)).trim_end()));
    }
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    say(&format!("{} on {}", count(tables.rules.len(), "rule"), count(tables.rule_hosts.len(), "host")));
    Ok(Outcome::Good)
}

fn hosts(tables: &Tables, rule: &str) -> String {
    let all: Vec<&str> =
        tables.rule_hosts.iter().filter(|row| row.rules.iter().any(|name| name == rule)).map(|row| row.host.as_str()).collect();
    let shown = all.iter().take(HOSTS_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => "nobody".to_owned(),
        count if count > HOSTS_SHOWN_MAX => format!("{shown} and {} more", count - HOSTS_SHOWN_MAX),
        _ => shown,
    }
}

pub(super) fn show(tables: &Tables, name: &str) -> Result<Outcome, Failure> {
    let Some(row) = tables.rules.get(name) else {
        let hint = crate::diag::nearest(name, tables.rules.keys().map(String::as_str))
            .map_or_else(|| "`pxelator rule list` names all".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(format!("no rule `{name}`; {hint}").into());
    };
    let mut text = format!("rule {name}\n");
    let mut put = |what: &str, value: &str| text.push_str(&format!("  {what:<8}{}\n", indented(value)));
    row.doc.iter().for_each(|doc| put("doc", doc));
    put("on", &hosts(tables, name));
    if !row.after.is_empty() {
        put("after", &row.after.join(", "));
    }
    for line in &row.lines {
        match line {
            RuleLine::Package(name) => put("package", name),
            RuleLine::File(file) => put("file", &format!("{}  {} {}:{}", file.path, file.mode, file.owner, file.group)),
            RuleLine::Folder(folder) => {
                put("folder", &format!("{}  {} {}:{}", folder.path, folder.mode, folder.owner, folder.group));
            }
            RuleLine::Link(link) => put("link", &format!("{} → {}", link.path, link.to)),
            RuleLine::Absent(path) => put("absent", path),
            RuleLine::Check(command) => put("check", command),
            RuleLine::Apply(command) => put("apply", command),
            RuleLine::Manual(told) => put("manual", told),
        }
    }
    print(&text);
    Ok(Outcome::Good)
}

/// A text of several lines stands in one column.
fn indented(text: &str) -> String {
    text.trim_end().lines().map(escaped).collect::<Vec<_>>().join("\n          ")
}

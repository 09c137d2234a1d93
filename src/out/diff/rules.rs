//! Rules: which came and went, on whom they hold, and what they say otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{differing, lines};
use super::side::Side;
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{LoginRow, RuleHostRow, RuleLine, RuleRow, json, rule_text};

/// Rules that differ, those with the same change as one; hosts that are reached otherwise; and the texts that
/// are told here go to `told`.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Vec<Change> {
    let (was_on, is_on) = (holders(old), holders(new));
    let names: BTreeSet<&String> =
        old.rules.keys().chain(new.rules.keys()).chain(was_on.keys().copied()).chain(is_on.keys().copied()).collect();
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<Subject>> = BTreeMap::new();
    for name in names {
        let (was, is) = (old.rules.get(name), new.rules.get(name));
        let action = match (was, is) {
            (None, Some(_)) => Action::Added,
            (Some(_), None) => Action::Removed,
            (Some(_), Some(_)) | (None, None) => Action::Changed,
        };
        let none = BTreeSet::new();
        let on = [was_on.get(name).unwrap_or(&none), is_on.get(name).unwrap_or(&none)];
        let mut facts = holding(on, action);
        facts.extend(says(was, is, action));
        facts.extend(texts(name, [was, is], [old, new], told));
        if !facts.is_empty() {
            groups.entry((action, facts)).or_default().push(Subject { name: name.clone(), facts: Vec::new() });
        }
    }
    let when = BTreeSet::from([When::Now]);
    let change = |((action, facts), subjects)| Change {
        area: Area::Rules,
        action,
        when: when.clone(),
        facts,
        subjects,
        reach: Reach::default(),
    };
    groups.into_iter().map(change).chain(ways(old, new)).collect()
}

/// By rule the hosts on which it holds.
fn holders<'s>(side: &'s Side<'_>) -> BTreeMap<&'s String, BTreeSet<&'s str>> {
    let mut found: BTreeMap<&String, BTreeSet<&str>> = BTreeMap::new();
    for row in side.rule_hosts.values() {
        row.rules.iter().for_each(|rule| found.entry(rule).or_default().extend([row.host.as_str()]));
    }
    found
}

fn holding(on: [&BTreeSet<&str>; 2], action: Action) -> Vec<Fact> {
    let [was, is] = on;
    let shown = |hosts: Vec<&str>| (!hosts.is_empty()).then(|| hosts.join(", "));
    let come = shown(is.difference(was).copied().collect());
    let gone = shown(was.difference(is).copied().collect());
    let fact =
        |name, from: Option<String>, to: Option<String>| (from.is_some() || to.is_some()).then(|| Fact::new(name, from, to));
    let both = match action {
        Action::Added | Action::Removed => [fact("holds on", gone, come), None],
        Action::Changed => {
            // Of a change `+` would stand before it.
            let come = come.map(|hosts| Fact { of: None, ..Fact::new("now holds on", None, Some(hosts)) });
            [come, fact("no longer holds on", gone, None)]
        }
    };
    both.into_iter().flatten().collect()
}

/// The lines that came and went, in words.
fn says(was: Option<&RuleRow>, is: Option<&RuleRow>, action: Action) -> Vec<Fact> {
    let doc = |row: Option<&RuleRow>| row.and_then(|row| row.doc.clone());
    let after = |row: Option<&RuleRow>| row.filter(|row| !row.after.is_empty()).map(|row| row.after.join(", "));
    let all = [("doc", doc(was), doc(is)), ("after", after(was), after(is))];
    let mut facts: Vec<Fact> =
        all.into_iter().filter(|(_, from, to)| from != to).map(|(name, from, to)| Fact::new(name, from, to)).collect();
    let rows = |row: Option<&RuleRow>| -> Vec<String> { row.iter().flat_map(|row| &row.lines).map(json).collect() };
    let (was, is) = (rows(was), rows(is));
    let (gone, come) = differing(was.iter().map(String::as_str), is.iter().map(String::as_str));
    let shown = |text: &str| serde_json::from_str::<RuleLine>(text).map_or_else(|_| text.to_owned(), |line| told_line(&line));
    facts.extend(gone.iter().map(|text| Fact::new("says", Some(shown(text)), None)));
    facts.extend(come.iter().map(|text| Fact::new("says", None, Some(shown(text)))));
    if gone.is_empty() && come.is_empty() && was != is && action == Action::Changed {
        facts.push(Fact::new("order", None, None));
    }
    facts
}

/// With all that may differ.
fn told_line(line: &RuleLine) -> String {
    let owned = |mode: &str, owner: &str, group: &str| format!("{mode} {owner}:{group}");
    match line {
        RuleLine::File(file) => format!("{} {}", line.shown(), owned(&file.mode, &file.owner, &file.group)),
        RuleLine::Folder(folder) => format!("{} {}", line.shown(), owned(&folder.mode, &folder.owner, &folder.group)),
        RuleLine::Check(text) => format!("check {text}"),
        RuleLine::Apply(text) => format!("apply {text}"),
        RuleLine::Manual(text) => format!("manual {text}"),
        RuleLine::Package(_) | RuleLine::Link(_) | RuleLine::Absent(_) => line.shown(),
    }
}

/// Files that the rule has before and after, and whose text is another; those that come or go with it are said already.
fn texts(name: &str, rows: [Option<&RuleRow>; 2], sides: [&Side<'_>; 2], told: &mut BTreeSet<String>) -> Vec<Fact> {
    let paths = |row: Option<&RuleRow>| -> BTreeSet<String> {
        row.iter().flat_map(|row| &row.lines).filter_map(|line| Some(rule_text(name, line.file()?))).collect()
    };
    let [was, is] = rows.map(paths);
    let [old, new] = sides;
    let mut facts = Vec::new();
    for path in was.union(&is) {
        let of = path.strip_prefix(&rule_text(name, "")).unwrap_or(path);
        match (old.files.get(path), new.files.get(path)) {
            (Some(before), Some(after)) if before != after => {
                facts.push(Fact { of: Some(of.to_owned()), ..lines(before, after) });
            }
            (Some(_), None) | (None, Some(_)) if was.contains(path) != is.contains(path) => {}
            _ => continue,
        }
        told.insert(path.clone());
    }
    facts
}

/// Hosts that have rules before and after, and are reached otherwise, or take their rules in another order.
fn ways(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (host, is) in &new.rule_hosts {
        let Some(was) = old.rule_hosts.get(host) else { continue };
        let mut facts = Vec::new();
        if way(was) != way(is) {
            facts.push(Fact::new("rules reach it by", way(was), way(is)));
        }
        let common = |row: &RuleHostRow, other: &RuleHostRow| -> Vec<String> {
            row.rules.iter().filter(|rule| other.rules.contains(rule)).cloned().collect()
        };
        let (before, after) = (common(was, is), common(is, was));
        if before != after {
            facts.push(Fact::new("order of its rules", Some(before.join(", ")), Some(after.join(", "))));
        }
        if !facts.is_empty() {
            let subjects = vec![Subject { name: host.clone(), facts: Vec::new() }];
            let when = BTreeSet::from([When::Now]);
            changes.push(Change { area: Area::Hosts, action: Action::Changed, when, facts, subjects, reach: Reach::default() });
        }
    }
    changes
}

fn way(row: &RuleHostRow) -> Option<String> {
    let login = |login: &LoginRow| format!("{}@{} port {}", login.user, login.address, login.port);
    row.root.clone().or_else(|| row.login.as_ref().map(login))
}

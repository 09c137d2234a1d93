//! # Name
//! `rules`: what must hold on hosts that run, and how the boot server reaches them.
//!
//! # Description
//! `rules/rules.jsonl` has a row for each rule with all that it says, `rules/hosts.jsonl` one for each host with
//! the names of its rules in the order in which they are applied, and how it is reached: by ssh, or for a host
//! whose root is an overlay in that folder on the boot server. `rules/files/` holds the texts of files, by rule
//! and path. `pxelator rule` reads them. A site without `rule` has none of these files.
//!
//! # Syntax
//! Reads `rule` with all that stands in it, `ssh`, the address of every host that a rule names, and `root`
//! within `profile`.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" { host pc-01 21 "a0:36:9f:00:00:15" }
//! rule "time/zone" on=lan { link "/etc/localtime" to="/usr/share/zoneinfo/Europe/Zagreb" }
//! ```

use std::collections::BTreeMap;

use super::texts::{Maker, Owner};
use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Does, Host, Origins, RootOf, Rule, Selected, Site, ordered};
use crate::out::table::{RULE_HOSTS, RULES, RuleFile, RuleFolder, RuleHostRow, RuleLine, RuleLink, RuleRow, json, rule_text};
use crate::out::{Lines, Wing};

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, diags: &mut Diags) {
    let site = checked.site();
    if site.rules.is_empty() {
        return;
    }
    let (mut rows, mut maker) = (Lines::default(), Maker::new(site));
    for rule in &site.rules {
        rows.line(&rule.origins, json(&row(rule)));
        // A file that two lines name alike is one text.
        let files: BTreeMap<&str, _> = rule
            .statements
            .iter()
            .filter_map(|line| match &line.does {
                Does::File { text, .. } => Some((text.name.value.as_str(), text)),
                Does::Package(_) | Does::Folder { .. } | Does::Link { .. } | Does::Absent(_) => None,
                Does::Check(_) | Does::Apply(_) | Does::Manual(_) => None,
            })
            .collect();
        for (path, text) in files {
            let made = maker.make(Owner("rule", &rule.name.value), text, diags);
            made.into_iter().for_each(|lines| wing.write(rule_text(&rule.name.value, path), lines));
        }
    }
    wing.write(RULES.into(), rows);
    wing.write(RULE_HOSTS.into(), hosts(site));
}

fn row(rule: &Rule) -> RuleRow {
    RuleRow {
        rule: rule.name.value.clone(),
        doc: rule.doc.clone(),
        after: rule.after.iter().map(|at| at.value.clone()).collect(),
        lines: rule.statements.iter().map(|line| self::line(&line.does)).collect(),
    }
}

fn line(does: &Does) -> RuleLine {
    let octal = |mode: u32| format!("{mode:04o}");
    match does {
        Does::Package(name) => RuleLine::Package(name.clone()),
        Does::File { text, mode, owner, group } => RuleLine::File(RuleFile {
            path: text.name.value.clone(),
            mode: octal(*mode),
            owner: owner.clone(),
            group: group.clone(),
        }),
        Does::Folder { path, mode, owner, group } => {
            RuleLine::Folder(RuleFolder { path: path.clone(), mode: octal(*mode), owner: owner.clone(), group: group.clone() })
        }
        Does::Link { path, to } => RuleLine::Link(RuleLink { path: path.clone(), to: to.clone() }),
        Does::Absent(path) => RuleLine::Absent(path.clone()),
        Does::Check(command) => RuleLine::Check(command.clone()),
        Does::Apply(command) => RuleLine::Apply(command.clone()),
        Does::Manual(text) => RuleLine::Manual(text.clone()),
    }
}

/// The hosts that can be reached, by name.
fn hosts(site: &Site) -> Lines {
    let selected = Selected::of(site);
    let mut all: BTreeMap<&str, (&Host, Origins, Vec<String>)> = BTreeMap::new();
    for rule in ordered(&site.rules).unwrap_or_default() {
        for host in rule.hosts(&selected) {
            let (_, origins, names) = all.entry(host.name.as_str()).or_insert_with(|| (host, vec![host.span], Vec::new()));
            origins.push(rule.span());
            names.push(rule.name.value.clone());
        }
    }
    let folders: BTreeMap<&str, String> = site
        .roots()
        .filter(|root| matches!(root.root.of, RootOf::Overlay(_)))
        .filter_map(|root| Some((root.host.name.as_str(), site.nfs.as_ref()?.export_folder(root.root, root.host.name.as_str())?)))
        .collect();
    let mut lines = Lines::default();
    for (name, (host, origins, rules)) in all {
        let root = folders.get(name).cloned();
        let login = if root.is_none() { super::login(site, &selected, host) } else { None };
        if root.is_some() || login.is_some() {
            let (login, own) = login.unzip();
            let origins: Origins = origins.into_iter().chain(own.into_iter().flatten()).collect();
            lines.line(&origins, json(&RuleHostRow { host: name.to_owned(), root, login, rules }));
        }
    }
    lines
}

//! The chapter of a runbook that tells what must hold on the machine.

use std::collections::BTreeMap;

use crate::model::{Origins, Rule, Selected, Site, ordered};
use crate::out::Lines;

/// The rules of each host that has any, in their order.
pub(super) fn by_host(site: &Site) -> BTreeMap<&str, Vec<&Rule>> {
    let mut all: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    if site.rules.is_empty() {
        return all;
    }
    let selected = Selected::of(site);
    for rule in ordered(&site.rules).unwrap_or_default() {
        rule.hosts(&selected).into_iter().for_each(|host| all.entry(host.name.as_str()).or_default().push(rule));
    }
    all
}

pub(super) fn chapter(host: &str, rules: &[&Rule], lines: &mut Lines) {
    let origins: Origins = rules.iter().map(|rule| rule.span()).collect();
    ["", "## What must hold on it", ""].iter().for_each(|line| lines.line(&origins, line));
    for rule in rules {
        // A doc may have several lines.
        let doc = rule.doc.iter().map(|doc| format!(": {}", doc.split_whitespace().collect::<Vec<_>>().join(" ")));
        lines.line(&[rule.span()], format!("- `{}`{}", rule.name.value, doc.collect::<String>()));
    }
    lines.line(&origins, "");
    lines.line(
        &origins,
        format!("`pxelator rule plan {host}` looks it up and changes nothing, `pxelator rule apply {host}` brings it about."),
    );
}

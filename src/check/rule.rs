//! Rules: on hosts that exist and can be reached, in an order, and none against another.

use std::collections::{BTreeMap, BTreeSet};

use super::commands::nobody;
use super::nfs::{PLAIN, is_plain};
use crate::diag::{Diag, Diags};
use crate::model::{Caller, Does, Host, Rule, Selected, Site, Statement, ordered};
use crate::source::Span;

/// How many rules all hosts have together: each is a name in a row, and a check on a machine.
const RULED_MAX: usize = 200_000;
/// How many hosts a finding about many of them shows.
const SHOWN_MAX: usize = 3;

/// Each selector names somebody, and whoever it names can be reached.
pub(super) fn targets(site: &Site, diags: &mut Diags) {
    if site.rules.is_empty() {
        return;
    }
    let (selected, mut ruled) = (Selected::of(site), 0);
    // An overlay is changed on the boot server itself.
    let overlays: BTreeSet<&str> = site.roots().map(|root| root.host.name.as_str()).collect();
    for rule in &site.rules {
        for at in &rule.on {
            if selected.by(&at.value).is_empty() {
                selector(at, site, diags);
            }
        }
        let hosts = rule.hosts(&selected);
        unreached(rule, &hosts, &overlays, diags);
        ruled += hosts.len();
        if ruled > RULED_MAX {
            let diag = Diag::new("eval/limit", rule.span(), format!("all hosts together have more than {RULED_MAX} rules"));
            return diags.push(diag.help("name fewer hosts, or join rules"));
        }
    }
}

fn selector(at: &crate::model::At<Caller>, site: &Site, diags: &mut Diags) {
    match &at.value {
        Caller::Tag(name) if !diags.is_lost(name) => {
            let known: Vec<&str> = site.hosts.iter().flat_map(|host| host.tags.iter().map(String::as_str)).collect();
            let diag =
                Diag::new("rule/unknown-tag", at.span, format!("no host has tag `{name}`; the rule applies to nothing there"));
            diags.push(diag.help("give hosts the tag, or name another").suggest(diags, name, known));
        }
        Caller::Tag(_) => {}
        Caller::Range(range) => {
            let diag = Diag::new("rule/on", at.span, format!("no host has an address in {range}"));
            diags.push(diag.help("correct it, or name hosts by group:NAME, tag:NAME, host:NAME or a network"));
        }
        Caller::Network(name) if site.networks.iter().any(|network| network.name == *name) => {
            let diag = Diag::new("rule/on", at.span, format!("network `{name}` has no host"));
            diags.push(diag.help("declare hosts in it, or name another"));
        }
        Caller::Network(_) | Caller::Group(_) | Caller::Host(_) => {
            nobody("rule/on", at, "name another", site, diags).into_iter().for_each(|diag| diags.push(diag));
        }
    }
}

/// A host that is reached neither by ssh nor through its overlay gets nothing, which its owner should know.
fn unreached(rule: &Rule, hosts: &[&Host], overlays: &BTreeSet<&str>, diags: &mut Diags) {
    let away = |host: &&Host| host.address.is_none() && !overlays.contains(host.name.as_str());
    let without: Vec<&Host> = hosts.iter().copied().filter(away).collect();
    let Some(first) = without.first() else { return };
    let so = if without.len() > 1 { format!("; so have {} more", without.len() - 1) } else { String::new() };
    let message = format!("{} has no address of its own, and rule `{}` does not reach it{so}", first.name, rule.name.value);
    let diag = Diag::new("rule/no-address", rule.span(), message);
    let diag = without.iter().take(SHOWN_MAX).fold(diag, |diag, host| diag.label(host.span, "it takes one from a pool"));
    diags.push(diag.help("give it an address, or name only hosts that have one"));
}

/// A name is one rule, and what it waits for exists.
pub(super) fn names(site: &Site, diags: &mut Diags) {
    for pair in site.rules.windows(2) {
        let [first, again] = pair else { continue };
        if first.name.value == again.name.value {
            let message = format!("two rules are called `{}` and say different things", again.name.value);
            let diag = Diag::new("rule/name", again.name.span, message).label(first.name.span, "the other one");
            diags.push(
                diag.help("give one of them another name; the same rule on more hosts is one line with all of them in on="),
            );
        }
    }
    let known: BTreeSet<&str> = site.rules.iter().map(|rule| rule.name.value.as_str()).collect();
    for after in site.rules.iter().flat_map(|rule| &rule.after) {
        if !known.contains(after.value.as_str()) && !diags.is_lost(&after.value) {
            let diag = Diag::new("rule/after", after.span, format!("there is no rule `{}`", after.value));
            let diag = diag.help("declare it, or take it out of after=");
            diags.push(diag.suggest(diags, &after.value, known.iter().copied()));
        }
    }
    if let Err(circle) = ordered(&site.rules) {
        // What only waits for the circle is no part of it: walk until a rule comes again.
        let by_name: BTreeMap<&str, &Rule> = circle.iter().map(|rule| (rule.name.value.as_str(), *rule)).collect();
        let next = |rule: &Rule| rule.after.iter().find_map(|after| by_name.get(after.value.as_str()).copied());
        let (mut way, mut at): (Vec<&Rule>, Option<&Rule>) = (Vec::new(), circle.first().copied());
        while let Some(rule) = at.filter(|rule| !way.iter().any(|seen| std::ptr::eq(*seen, *rule))) {
            way.push(rule);
            at = next(rule);
        }
        let begin = at.and_then(|last| way.iter().position(|rule| std::ptr::eq(*rule, last))).unwrap_or(0);
        let names: Vec<&str> = way.iter().skip(begin).chain(at.iter()).map(|rule| rule.name.value.as_str()).collect();
        let Some(rule) = way.get(begin) else { return };
        let span = rule.after.first().map_or(rule.span(), |after| after.span);
        let diag = Diag::new("rule/after", span, format!("rules wait for each other: {}", names.join(" after ")));
        diags.push(diag.help("take one of them out of after="));
    }
}

/// Whoever changes something can tell whether it must be changed.
pub(super) fn bodies(site: &Site, diags: &mut Diags) {
    for rule in &site.rules {
        let apply = rule.statements.iter().find(|line| matches!(line.does, Does::Apply(_)));
        let checked = rule.statements.iter().any(|line| line.does.can_be_checked());
        if let Some(apply) = apply.filter(|_| !checked) {
            let message = format!("rule `{}` has an apply, and nothing tells whether it is needed", rule.name.value);
            let diag = Diag::new("rule/no-check", apply.span, message);
            diags.push(diag.help("add a check that ends with 0 where nothing is to be done, and with 1 where it is; or write manual in place of apply"));
        }
        for line in &rule.statements {
            if let Some(path) = line.does.path().filter(|path| !is_plain(path)) {
                let shown = crate::syntax::shorten(path);
                diags.push(Diag::new("rule/path", line.span, format!("`{shown}` is no plain absolute path")).help(PLAIN));
            }
            if let Does::File { text, .. } = &line.does {
                super::site::source_of(text, diags);
            }
        }
    }
}

/// Of two rules that hold on one host, none undoes the other.
pub(super) fn clashes(site: &Site, diags: &mut Diags) {
    let mut by_path: BTreeMap<&str, Vec<(&Rule, &Statement)>> = BTreeMap::new();
    for rule in &site.rules {
        for line in &rule.statements {
            if let Some(path) = line.does.path() {
                by_path.entry(path).or_default().push((rule, line));
            }
        }
    }
    by_path.retain(|_, lines| lines.len() > 1);
    by_path.values_mut().for_each(|lines| lines.sort_by_key(|(_, line)| line.span));
    if by_path.is_empty() {
        return;
    }
    let selected = Selected::of(site);
    let places = |rule: &Rule| -> BTreeSet<Span> { rule.hosts(&selected).iter().map(|host| host.span).collect() };
    for (path, lines) in &by_path {
        for (at, (rule, line)) in lines.iter().enumerate() {
            let mut others = lines.iter().take(at).filter(|(_, other)| !other.does.is_same(&line.does)).peekable();
            let own = if others.peek().is_some() { places(rule) } else { continue };
            let Some((other, first)) = others.find(|(other, _)| !own.is_disjoint(&places(other))) else { continue };
            let message = match rule.name.value == other.name.value {
                true => format!("rule `{}` says two things of {path}", rule.name.value),
                false => format!("rules `{}` and `{}` say different things of {path}", other.name.value, rule.name.value),
            };
            let diag = Diag::new("rule/file-clash", line.span, message).label(first.span, "the other one");
            diags.push(diag.help("keep one of them, or let them hold on different hosts"));
        }
    }
}

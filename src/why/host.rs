//! The cascade of one host, told: host > group > network > profile > site.

use super::{literal, unknown};
use crate::eval::{Beaten, Config, Fact, Merged};
use crate::model::{Host, LEASE_SECS, LOCAL, Site, VmOf};
use crate::schema::show_duration;
use crate::source::Span;
use crate::syntax::Node;

/// A value and its line.
type Said = Option<(String, Span)>;

/// What every level may say about power; the nearest wins.
const POWER: [&str; 4] = ["schedule", "amt", "amt-tls", "wake"];

/// A place that may say something about a host.
struct Level<'a> {
    /// Such as “group `kiosks`”.
    name: String,
    /// What it says, and the line.
    said: Box<dyn Fn(&str) -> Said + 'a>,
}

/// All values of a host; `rest` begins with its name.
pub(super) fn facts(config: &Config<'_>, site: &Site, rest: &str) -> Result<Vec<Fact>, String> {
    let name = rest.split('.').next().unwrap_or_default();
    let same = |host: &&Host| host.name.as_str().eq_ignore_ascii_case(name);
    let host = site.hosts.iter().find(same).ok_or_else(|| unknown("host", name, site.hosts.iter().map(|host| host.name.as_str())))?;
    let mut around = Vec::new();
    let all = config.networks.iter().chain(&config.strays);
    if !all.into_iter().any(|node| find(node, host, &mut around)) {
        return Err(format!("host `{name}` has no line of its own"));
    }
    let levels = levels(config, site, host, &around);
    let path = format!("host.{name}");
    let mut facts = own(site, host, &path);
    let of_profile = |level: &&Level<'_>| !level.name.starts_with("profile");
    facts.extend(if host.vm.is_some() { Some(own_disk(host, &path)) } else { nearest_of("profile", &path, levels.iter().filter(of_profile)) });
    let lease = nearest_of("lease", &path, levels.iter());
    facts.push(lease.unwrap_or_else(|| Fact {
        path: format!("{path}.lease"),
        value: show_duration(host.lease_secs),
        span: host.span,
        why: "nobody says so: the default".into(),
        beaten: Vec::new(),
    }));
    facts.extend(POWER.iter().filter_map(|prop| nearest_of(prop, &path, levels.iter())));
    let tags = levels.iter().rev().filter_map(|level| {
        let (value, span) = (level.said)("tags")?;
        Some(Fact { path: format!("{path}.tags"), value, span, why: format!("{} adds them; tags append", level.name), beaten: Vec::new() })
    });
    facts.extend(tags);
    Ok(facts)
}

/// The nodes around a host, the outermost first, with its own at the end.
fn find<'a, 's>(node: &'a Node<'s>, host: &Host, around: &mut Vec<&'a Node<'s>>) -> bool {
    around.push(node);
    let is_it = crate::schema::is_host(&node.name.text) && node.span == host.span && node.title().is_some_and(|title| title.eq_ignore_ascii_case(host.name.as_str()));
    if is_it || node.children.iter().any(|child| find(child, host, around)) {
        return true;
    }
    around.pop();
    false
}

/// Everything that may say something, the nearest first.
fn levels<'a>(config: &'a Config<'_>, site: &'a Site, host: &'a Host, around: &[&'a Node<'a>]) -> Vec<Level<'a>> {
    let of_node = |node: &'a Node<'a>| Level {
        name: format!("{} `{}`", node.name.text, node.title().unwrap_or_default()),
        said: Box::new(move |prop: &str| node.prop(prop).map(|entry| (literal(entry), entry.span))),
    };
    let mut levels: Vec<Level<'a>> = around.iter().rev().filter(|node| node.name.text != "network").map(|node| of_node(node)).collect();
    // A host outside of a network belongs to the one that holds its address.
    let network = host.network.and_then(|index| site.networks.get(index));
    let network = network.and_then(|network| config.networks.iter().find(|node| node.span == network.span));
    levels.extend(network.map(of_node));
    let started = host.profile.as_ref().filter(|profile| profile.value != LOCAL);
    let profile = started.and_then(|profile| config.profiles.iter().find(|merged| merged.title() == profile.value));
    levels.extend(profile.map(of_profile));
    levels.extend(config.site.as_ref().map(of_node));
    levels
}

fn of_profile<'a>(merged: &'a Merged<'_>) -> Level<'a> {
    Level {
        name: format!("profile `{}`", merged.title()),
        said: Box::new(move |prop: &str| merged.value(prop).map(|choice| (literal(&choice.entry), choice.span))),
    }
}

/// The first level that says something wins.
fn nearest_of<'a, 'l: 'a>(prop: &str, path: &str, levels: impl Iterator<Item = &'a Level<'l>>) -> Option<Fact> {
    let mut said = levels.filter_map(|level| (level.said)(prop).map(|said| (&level.name, said)));
    let (winner, (value, span)) = said.next()?;
    let beaten = said.map(|(name, (value, span))| Beaten { value, span, why: format!("{name} is further away than {winner}") });
    Some(Fact { path: format!("{path}.{prop}"), value, span, why: format!("{winner} says so, and nothing nearer does"), beaten: beaten.collect() })
}

/// A VM starts from its own disk, whatever stands around it.
fn own_disk(host: &Host, path: &str) -> Fact {
    let (path, why) = (format!("{path}.profile"), "it is a VM: it starts from its own disk, whatever stands around it");
    Fact { path, value: LOCAL.to_owned(), span: host.span, why: why.into(), beaten: Vec::new() }
}

/// What its own line says, and what follows from that.
fn own(site: &Site, host: &Host, path: &str) -> Vec<Fact> {
    let fact = |name: &str, value: String, span: Span, why: &str| Fact { path: format!("{path}.{name}"), value, span, why: why.into(), beaten: Vec::new() };
    let mut facts: Vec<Fact> = Vec::new();
    facts.extend(host.address.as_ref().map(|at| fact("address", at.value.to_string(), at.span, "its own line says so")));
    facts.extend(host.macs.iter().map(|mac| fact("mac", mac.value.to_string(), mac.span, "its own line says so")));
    facts.extend(host.note.as_ref().map(|note| fact("note", note.value.clone(), note.span, "its own line says so")));
    let network = host.network.and_then(|index| site.networks.get(index));
    facts.extend(network.map(|network| fact("network", network.name.clone(), network.span, "it stands there, or its address lies there")));
    facts.extend(host.vm.as_ref().map(|vm| {
        let (of, name) = match &vm.of {
            VmOf::Snapshot { name, .. } => ("from", name),
            VmOf::Base(name) => ("base", name),
        };
        fact(of, name.value.clone(), name.span, "its own line says so")
    }));
    let groups = host.groups.join(" ");
    facts.extend((!groups.is_empty()).then(|| fact("groups", groups, host.span, "it stands in them, the outermost first")));
    facts
}

/// A network's own lease beats the site's; where it has none, the site's holds.
pub(super) fn site_lease(config: &Config<'_>, path: &str, facts: &mut Vec<Fact>) {
    let path = format!("{path}.lease");
    let Some(site) = config.site.as_ref() else { return };
    let said = site.prop("lease").map(|entry| (literal(entry), entry.span));
    if let Some(own) = facts.iter_mut().find(|fact| fact.path == path) {
        own.beaten.extend(said.map(|(value, span)| Beaten { value, span, why: "the site is further away than the network".into() }));
        return;
    }
    let why = if said.is_some() { "the site says so, and the network does not" } else { "nobody says so: the default" };
    let (value, span) = said.unwrap_or_else(|| (show_duration(LEASE_SECS), site.span));
    facts.push(Fact { path, value, span, why: why.into(), beaten: Vec::new() });
}

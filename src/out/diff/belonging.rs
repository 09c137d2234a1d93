//! Where a host belongs: its groups and tags, and the router on the way to it.

use super::Fact;
use super::hosts::set;
use super::side::Host;
use crate::out::table::FactRow;

/// What a host that came or went has.
pub(super) fn values(host: &Host) -> Vec<(&'static str, String)> {
    let rows = || host.facts.iter();
    let groups = rows().flat_map(|row| &row.groups).map(|group| ("group", group.clone()));
    let tags = rows().flat_map(|row| &row.tags).map(|tag| ("tag", tag.clone()));
    groups.chain(tags).collect()
}

/// What two hosts that are one have otherwise. Addresses, MACs, networks and menus are told by other tables.
pub(super) fn facts(old: &Host, new: &Host) -> Vec<Fact> {
    let names = |host: &Host, of: fn(&FactRow) -> &[String]| sorted(host.facts.iter().flat_map(|row| of(row).to_vec()));
    let text = |text: &String| text.clone();
    let mut facts = set("group", &names(old, |row| &row.groups), &names(new, |row| &row.groups), text);
    facts.extend(set("tag", &names(old, |row| &row.tags), &names(new, |row| &row.tags), text));
    let routers = |host: &Host| sorted(host.facts.iter().filter_map(|row| row.behind).map(|router| router.to_string()));
    facts.extend(set("reached through", &routers(old), &routers(new), text));
    let notes = |host: &Host| sorted(host.facts.iter().filter_map(|row| row.note.clone()));
    facts.extend(set("note", &notes(old), &notes(new), text));
    if old.boot.is_empty() && new.boot.is_empty() {
        // Without a MAC it gets no menu, and its profile is known here alone.
        let profiles = |host: &Host| sorted(host.facts.iter().filter_map(|row| row.profile.clone()));
        facts.extend(set("profile", &profiles(old), &profiles(new), text));
    }
    facts
}

/// Each once, in order.
fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

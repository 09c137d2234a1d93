//! Hosts among each other, and the profiles that they name.

use std::collections::BTreeMap;

use crate::diag::{Diag, Diags};
use crate::model::{At, Host, LOCAL, Site};
use crate::source::Span;

/// Says `found` for each later thing with a key that an earlier one had. Sorting is several times as quick
/// as a map of all keys.
fn duplicates<K: Ord, T>(things: impl Iterator<Item = (K, Span, T)>, mut found: impl FnMut(&K, &(Span, T), &(Span, T))) {
    let mut all: Vec<(K, (Span, T))> = things.map(|(key, span, thing)| (key, (span, thing))).collect();
    all.sort_by(|a, b| (&a.0, a.1.0).cmp(&(&b.0, b.1.0)));
    for run in all.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let Some(((key, first), others)) = run.split_first() else { continue };
        others.iter().for_each(|(_, again)| found(key, first, again));
    }
}

pub(super) fn names(site: &Site, diags: &mut Diags) {
    duplicates(site.hosts.iter().map(|host| (&host.name, host.span, ())), |name, first, again| {
        let diag = Diag::new("host/duplicate-name", again.0, format!("host `{name}` is declared twice"));
        diags.push(diag.here("again here").label(first.0, "first declared here").help("rename one of them"));
    });
}

pub(super) fn macs(site: &Site, diags: &mut Diags) {
    let macs = site.hosts.iter().flat_map(|host| host.macs.iter().map(move |mac| (mac.value, mac.span, host)));
    duplicates(macs, |mac, (first, owner), (again, other)| {
        let message = match owner.name == other.name {
            true => format!("host `{}` has MAC {mac} twice", owner.name),
            false => format!("MAC {mac} is also {}", owner.name),
        };
        let diag = Diag::new("host/duplicate-mac", *again, message);
        diags.push(diag.here("again here").label(*first, format!("{} has it here", owner.name)).help("read the MACs of both machines again"));
    });
}

pub(super) fn addresses(site: &Site, diags: &mut Diags) {
    let with_address = |host: &'_ Host| host.address.as_ref().map(|at| (at.value, at.span));
    let addresses = site.hosts.iter().filter_map(|host| with_address(host).map(|(address, span)| (address, span, host)));
    duplicates(addresses, |address, (first, owner), (again, other)| {
        if owner.name != other.name {
            let diag = Diag::new("host/duplicate-address", *again, format!("{address} already belongs to {}", owner.name));
            diags.push(diag.here("again here").label(*first, format!("{} has it here", owner.name)).help("give one of them another address"));
        }
    });
}

pub(super) fn profiles(site: &Site, diags: &mut Diags) {
    let unique: BTreeMap<(Span, &str), &At<String>> = site.started().map(|name| ((name.span, name.value.as_str()), name)).collect();
    let mut idle: BTreeMap<&str, Span> = BTreeMap::new();
    for name in unique.into_values().filter(|name| name.value != LOCAL) {
        match site.profile(&name.value) {
            None if diags.is_lost(&name.value) => {}
            None => {
                let diag = Diag::new("host/unknown-profile", name.span, format!("profile `{}` is not declared", name.value));
                let known = site.profiles.iter().map(|profile| profile.name.as_str()).chain([LOCAL]);
                let diag = match diags.nearest(&name.value, known.clone()) {
                    Some(near) => diag.help(format!("did you mean `{near}`?")).fix_near(&name.value, known),
                    None => diag.help(format!("declare it: profile {} {{ kernel \"…\"; initrd \"…\" }}", name.value)),
                };
                diags.push(diag);
            }
            Some(profile) if profile.start.is_none() => drop(idle.entry(&profile.name).or_insert(name.span)),
            Some(_) => {}
        }
    }
    let from_menu = site.menu.iter().flat_map(|menu| &menu.entries);
    for entry in from_menu {
        if let Some(profile) = site.profile(&entry.value).filter(|profile| profile.start.is_none()) {
            idle.entry(&profile.name).or_insert(entry.span);
        }
    }
    for (name, used) in idle {
        let Some(profile) = site.profile(name).filter(|_| !diags.is_lost(name)) else { continue };
        let diag = Diag::new("boot/no-start", profile.span, format!("profile `{name}` is used, but starts nothing"));
        diags.push(diag.label(used, "used here").help("give it a `kernel`, a `chain`, or `local`"));
    }
}

//! Folders of machines that already run: hosts that exist and can be reached, each folder once.

use std::collections::BTreeMap;

use super::commands::nobody;
use crate::diag::{Diag, Diags};
use crate::model::{Caller, Host, Selected, Site, Track, is_below};

/// How many hosts a finding about many of them shows.
const SHOWN_MAX: usize = 3;
/// How many folders all hosts of a site have together: each is a row.
const FOLDERS_MAX: usize = 100_000;

pub(super) fn targets(site: &Site, diags: &mut Diags) {
    if site.tracks.is_empty() {
        return;
    }
    let selected = Selected::of(site);
    for track in &site.tracks {
        for at in &track.on {
            let hosts = selected.by(&at.value);
            if hosts.iter().any(|host| host.address.is_some()) {
                continue;
            }
            match &at.value {
                Caller::Range(range) => {
                    let diag = Diag::new("track/on", at.span, format!("no host has an address in {range}"));
                    diags.push(diag.help("correct it, or name hosts by group:NAME, tag:NAME, host:NAME or a network"));
                }
                Caller::Network(name) if hosts.is_empty() && site.networks.iter().any(|network| network.name == *name) => {
                    let diag = Diag::new("track/on", at.span, format!("network `{name}` has no host"));
                    diags.push(diag.help("declare hosts in it, or name another"));
                }
                Caller::Network(_) | Caller::Group(_) | Caller::Tag(_) | Caller::Host(_) => {
                    let help = "give it one: a host with an address from a pool cannot be reached";
                    let found = nobody("track/on", at, help, site, diags);
                    found.into_iter().for_each(|diag| diags.push(diag));
                }
            }
        }
        addresses(track, &selected.hosts(&track.on), diags);
    }
}

/// Some of many have an address: the others are not kept, which their owner should know.
fn addresses(track: &Track, hosts: &[&Host], diags: &mut Diags) {
    let without: Vec<&Host> = hosts.iter().copied().filter(|host| host.address.is_none()).collect();
    let Some(first) = without.first().filter(|_| without.len() < hosts.len()) else { return };
    let so = if without.len() > 1 { format!("; so have {} more", without.len() - 1) } else { String::new() };
    let message = format!("{} has no address of its own, and {} of it is not kept{so}", first.name, track.folder.value);
    let diag = Diag::new("track/no-address", track.span, message);
    let diag = without.iter().take(SHOWN_MAX).fold(diag, |diag, host| diag.label(host.span, "it takes one from a pool"));
    diags.push(diag.help("give it an address, or name only hosts that have one"));
}

/// A folder, and one within it, of one host: every file would be kept twice.
pub(super) fn nested(site: &Site, diags: &mut Diags) {
    let selected = Selected::of(site);
    let mut of: BTreeMap<&str, Vec<&Track>> = BTreeMap::new();
    let mut count = 0_usize;
    let mut told: Vec<(&Track, &Track, &Host, usize)> = Vec::new();
    for track in &site.tracks {
        for host in selected.hosts(&track.on) {
            count += 1;
            let own = of.entry(host.name.as_str()).or_default();
            let (folder, mut clash) = (track.folder.value.as_str(), None);
            for other in own.iter() {
                let theirs = other.folder.value.as_str();
                if theirs == folder || is_below(folder, theirs) || is_below(theirs, folder) {
                    clash = Some(*other);
                }
            }
            own.push(track);
            let Some(other) = clash else { continue };
            match told.iter_mut().find(|(a, b, _, _)| std::ptr::eq(*a, track) && std::ptr::eq(*b, other)) {
                Some((_, _, _, more)) => *more += 1,
                None => told.push((track, other, host, 0)),
            }
        }
        if count > FOLDERS_MAX {
            let diag =
                Diag::new("eval/limit", track.span, format!("all hosts together have more than {FOLDERS_MAX} tracked folders"));
            return diags.push(diag.help("track fewer folders, or on fewer hosts"));
        }
    }
    for (track, other, host, more) in told {
        let (folder, theirs) = (&track.folder.value, &other.folder.value);
        let others = if more > 0 { format!("; so have {more} more") } else { String::new() };
        let message = match folder == theirs {
            true => format!("{} has {folder} tracked twice{others}", host.name),
            false => format!("{} has {folder} and {theirs} tracked, and one lies within the other{others}", host.name),
        };
        let diag = Diag::new("track/nested", track.folder.span, message).here("again here");
        diags.push(
            diag.label(other.folder.span, "it is tracked here")
                .help("take the host out of one of them; except= leaves out what lies within a folder"),
        );
    }
}

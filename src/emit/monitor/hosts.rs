//! `monitor/hosts.jsonl`.

use std::net::Ipv4Addr;

use crate::model::{Host, Network, Origins, Site};
use crate::out::table::{FACTS, FactRow, json};
use crate::out::{Lines, Wing};

pub(super) fn emit(site: &Site, wing: &mut Wing<'_>) {
    let mut lines = Lines::default();
    for host in &site.hosts {
        let network = host.network.and_then(|index| site.networks.get(index));
        let said = host.profile.as_ref().map(|profile| profile.span);
        let origins: Origins = std::iter::once(host.span).chain(said).chain(network.map(|network| network.span)).collect();
        lines.line(&origins, json(&row(host, network)));
    }
    if !lines.is_empty() {
        wing.write(FACTS.into(), lines);
    }
}

fn row(host: &Host, network: Option<&Network>) -> FactRow {
    FactRow {
        host: host.name.to_string(),
        address: host.address.as_ref().map(|at| at.value),
        macs: host.macs.iter().map(|at| at.value.to_string()).collect(),
        network: network.map(|network| network.name.clone()),
        groups: host.groups.to_vec(),
        tags: host.tags.clone(),
        profile: host.profile.as_ref().map(|profile| profile.value.clone()),
        behind: network.and_then(router).filter(|router| host.address.as_ref().is_none_or(|own| own.value != *router)),
        note: host.note.as_ref().map(|note| note.value.clone()),
    }
}

/// The router between the boot server and a network, where the boot server does not stand in it. The router
/// itself is behind nothing that we know.
fn router(network: &Network) -> Option<Ipv4Addr> {
    let stands_here = network.server.as_ref().is_some_and(|server| network.subnet.contains(server.value));
    network.gateway.as_ref().map(|gateway| gateway.value).filter(|_| !stands_here)
}

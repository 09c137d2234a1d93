//! Networks, gateways and pools.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::diag::{Diag, Diags};
use crate::model::{At, Host, Network, Pool, Site};

pub(super) fn overlap(site: &Site, diags: &mut Diags) {
    let mut sorted: Vec<&Network> = site.networks.iter().collect();
    sorted.sort_by_key(|network| network.subnet);
    // Ranges of powers of two nest or are apart, so the widest so far is the only one to look at.
    let mut widest: Option<&Network> = None;
    for network in sorted {
        match widest.filter(|wide| wide.subnet.overlaps(network.subnet)) {
            Some(wide) => {
                let (first, again) = if wide.subnet_span < network.subnet_span { (wide, network) } else { (network, wide) };
                let message = format!("networks `{}` and `{}` overlap", first.name, again.name);
                let diag = Diag::new("network/overlap", again.subnet_span, message);
                let diag = diag.here(format!("{} … {}", again.subnet.base(), again.subnet.last()));
                let other = format!("{} … {}", first.subnet.base(), first.subnet.last());
                diags.push(diag.label(first.subnet_span, other).help("narrow one of them"));
            }
            None => widest = Some(network),
        }
    }
}

/// The network's own and broadcast addresses: not for hosts, gateways, servers, pools' ends.
pub(super) fn reserved(site: &Site, diags: &mut Diags) {
    let of_hosts = site.hosts.iter().filter_map(|host| Some((site.networks.get(host.network?)?, host.address.as_ref()?)));
    let of_networks = site.networks.iter().flat_map(|network| network.server.iter().chain(&network.gateway).map(move |at| (network, at)));
    for (network, at) in of_hosts.chain(of_networks) {
        if let Some(kind) = network.subnet.reserved(at.value) {
            let message = format!("{} is the {kind} address of `{}`", at.value, network.name);
            let diag = Diag::new("network/reserved-address", at.span, message);
            diags.push(diag.label(network.subnet_span, format!("`{}` is declared here", network.name)).help(usable(network)));
        }
    }
    for (network, pool) in site.networks.iter().flat_map(|network| network.pools.iter().map(move |pool| (network, pool))) {
        if let Some(kind) = network.subnet.reserved(pool.first).or(network.subnet.reserved(pool.last)) {
            let message = format!("the pool holds the {kind} address of `{}`", network.name);
            diags.push(Diag::new("network/reserved-address", pool.span, message).help(usable(network)));
        }
    }
}

fn usable(network: &Network) -> String {
    let (first, last) = (u32::from(network.subnet.base()) + 1, u32::from(network.subnet.last()) - 1);
    format!("choose one from {} to {}", Ipv4Addr::from(first), Ipv4Addr::from(last))
}

pub(super) fn gateway(site: &Site, diags: &mut Diags) {
    let gateways: BTreeSet<Ipv4Addr> = site.networks.iter().filter_map(|network| network.gateway.as_ref()).map(|at| at.value).collect();
    let with_address = site.hosts.iter().filter_map(|host| host.address.as_ref().map(|at| (at.value, (host, at))));
    let hosts: BTreeMap<Ipv4Addr, (&Host, &At<Ipv4Addr>)> = with_address.filter(|(address, _)| gateways.contains(address)).collect();
    for network in &site.networks {
        let Some(gateway) = &network.gateway else { continue };
        if !network.subnet.contains(gateway.value) {
            let message = format!("gateway {} is not in `{}` {}", gateway.value, network.name, network.subnet);
            let diag = Diag::new("network/gateway", gateway.span, message);
            diags.push(diag.label(network.subnet_span, "the network").help("clients reach only a gateway of their own network"));
        }
        // The boot server may well be the gateway; any other host got the address by accident.
        let is_server = network.server.as_ref().is_some_and(|server| server.value == gateway.value);
        if let Some((host, at)) = hosts.get(&gateway.value).filter(|(host, _)| !is_server && !host.macs.is_empty()) {
            let message = format!("host `{}` has the gateway's address", host.name);
            let diag = Diag::new("network/gateway-clash", at.span, message);
            diags.push(diag.label(gateway.span, "the gateway").help("give the host another address, or declare it without MAC if it is the gateway"));
        }
    }
}

pub(super) fn pools(site: &Site, diags: &mut Diags) {
    for network in &site.networks {
        let mut sorted: Vec<_> = network.pools.iter().collect();
        sorted.sort_by_key(|pool| (pool.first, pool.last));
        let mut widest: Option<&Pool> = None;
        for pool in sorted {
            if let Some(first) = widest.filter(|first| pool.first <= first.last) {
                let message = format!("pools {}–{} and {}–{} overlap", first.first, first.last, pool.first, pool.last);
                let diag = Diag::new("network/pool-overlap", pool.span, message);
                diags.push(diag.label(first.span, "the other pool").help("let one end before the other starts"));
            }
            widest = widest.filter(|first| first.last >= pool.last).or(Some(pool));
        }
    }
}

pub(super) fn host_in_pool(site: &Site, diags: &mut Diags) {
    for host in &site.hosts {
        let Some((network, at)) = host.network.and_then(|index| site.networks.get(index)).zip(host.address.as_ref()) else { continue };
        if let Some(pool) = network.pools.iter().find(|pool| pool.contains(at.value)) {
            let message = format!("{} lies inside pool {}–{}; the pool is carved around it", host.name, pool.first, pool.last);
            let diag = Diag::new("network/host-in-pool", at.span, message);
            diags.push(diag.label(pool.span, "the pool").help("move the host out of the pool, or let the pool start later"));
        }
    }
}

pub(super) fn pool_size(site: &Site, diags: &mut Diags) {
    let mut needed: BTreeMap<usize, u64> = BTreeMap::new();
    let mut taken: BTreeMap<usize, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    for (host, index) in site.hosts.iter().filter_map(|host| Some((host, host.network?))) {
        match &host.address {
            Some(_) if site.networks.get(index).is_none_or(|network| network.pools.is_empty()) => {}
            Some(at) => drop(taken.entry(index).or_default().insert(at.value)),
            None if !host.macs.is_empty() => *needed.entry(index).or_default() += 1,
            None => {}
        }
    }
    for (index, network) in site.networks.iter().enumerate() {
        if network.pools.is_empty() && !needed.contains_key(&index) {
            continue;
        }
        let mut taken = taken.remove(&index).unwrap_or_default();
        taken.extend(network.gateway.iter().chain(&network.server).chain(&network.dns).map(|at| at.value));
        let carved = |pool: &Pool| taken.range(pool.first..=pool.last).count() as u64;
        let size: u64 = network.pools.iter().map(|pool| pool.size().saturating_sub(carved(pool))).sum();
        let hosts = needed.get(&index).copied().unwrap_or(0);
        if size < hosts.max(u64::from(!network.pools.is_empty())) && !diags.is_lost(&network.name) {
            let span = network.pools.first().map_or(network.subnet_span, |pool| pool.span);
            let (plural, name) = (if hosts == 1 { "" } else { "s" }, &network.name);
            let message = match hosts {
                0 => format!("all addresses of the pool in `{name}` are taken"),
                _ => format!("pool of {size} for {hosts} host{plural} without an address in `{name}`"),
            };
            diags.push(Diag::new("network/pool-too-small", span, message).help("widen the pool, or give the hosts addresses"));
        }
    }
}

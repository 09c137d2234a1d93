//! # Name
//! `dhcp`: what the DHCP service knows.
//!
//! # Description
//! `dhcp/networks.jsonl` has a row for each network, with its pools; `dhcp/leases.jsonl` a row for each
//! MAC of a host with an address, and for a host without MAC one whose `mac` is null: pools keep clear of it. Rows are sorted by network and by host name.
//!
//! # Syntax
//! Reads `network` (`gateway`, `server`, `dns`, `lease`), `pool`, `host`, the `root` of profiles, and the domain of `site`.
//!
//! # Example
//! ```kdl
//! site lab domain="lab.example"
//! network lan "10.77.0.0/24" gateway=1 server=2 { host pc-07 27 "a0:36:9f:00:00:1b" }
//! ```

use std::collections::BTreeMap;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{DEFAULT_MENU, HostName, HostRoot, Network, Site};
use crate::out::table::{LEASES, ReservationRow, NETWORKS, NetworkRow, PoolRow, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let (mut networks, mut leases) = (Lines::default(), Lines::default());
    for network in &site.networks {
        let pools = network.pools.iter().map(|pool| pool.span);
        let origins: Vec<_> = std::iter::once(network.span).chain(pools).chain([site.span]).collect();
        networks.line(&origins, json(&network_row(site, network)));
    }
    let roots: BTreeMap<&HostName, HostRoot<'_>> = site.roots().map(|root| (&root.host.name, root)).collect();
    for host in &site.hosts {
        let Some((at, network)) = host.address.as_ref().zip(host.network.and_then(|index| site.networks.get(index))) else { continue };
        let root = roots.get(&host.name);
        let origins: Vec<Span> = std::iter::once(host.span).chain(root.map(|root| root.root.span)).collect();
        let macs = host.macs.iter().map(|mac| Some(mac.value.to_string()));
        for mac in macs.chain(host.macs.is_empty().then_some(None)) {
            let row = ReservationRow {
                host: host.name.to_string(),
                mac,
                address: at.value,
                network: network.name.clone(),
                lease_secs: (host.lease_secs != network.lease_secs).then_some(secs(host.lease_secs)),
                root: root.and_then(|root| site.root_path(root)),
            };
            leases.line(&origins, json(&row));
        }
    }
    wing.write(NETWORKS.into(), networks);
    wing.write(LEASES.into(), leases);
}

fn secs(secs: u64) -> u32 {
    u32::try_from(secs).unwrap_or(u32::MAX)
}

fn network_row(site: &Site, network: &Network) -> NetworkRow {
    let pools = network.pools.iter().map(|pool| PoolRow {
        first: pool.first,
        last: pool.last,
        lease_secs: secs(pool.lease_secs),
        menu: pool.profile.as_ref().or(network.profile.as_ref()).or(site.profile.as_ref()).map_or(DEFAULT_MENU, |profile| &profile.value).to_owned(),
    });
    NetworkRow {
        network: network.name.clone(),
        first: network.subnet.base(),
        mask: network.subnet.mask(),
        server: network.server.as_ref().map(|at| at.value),
        gateway: network.gateway.as_ref().map(|at| at.value),
        dns: network.dns.iter().map(|at| at.value).collect(),
        domain: site.domain.to_string(),
        timezone: site.timezone.as_ref().map(|zone| zone.value.clone()),
        lease_secs: secs(network.lease_secs),
        pools: pools.collect(),
    }
}

//! A site as DHCP engines see it: pools without what nobody may get, loaders, and who gets which script.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::super::boot::offered;
use crate::model::{DEFAULT_MENU, Host, HostName, HostRoot, LOADERS, Network, Origins, Pool, Site};
use crate::source::Span;

/// The DHCP half of a site.
pub(super) struct View<'s> {
    pub(super) networks: Vec<NetworkView<'s>>,
    pub(super) loaders: Vec<LoaderView>,
    /// A BIOS machine gets pxelinux, also where its ROM is iPXE already.
    pub(super) has_pxelinux: bool,
    /// Hosts that have a MAC but no address of their own.
    pub(super) roaming: Vec<&'s Host>,
    /// Option 17 of hosts that mount a root, with the lines behind it.
    pub(super) roots: BTreeMap<&'s HostName, (String, Span)>,
}

/// The first program of a kind of firmware.
pub(super) struct LoaderView {
    pub(super) firmware: &'static str,
    pub(super) arch: &'static [u16],
    pub(super) file: &'static str,
    pub(super) origins: Origins,
}

impl LoaderView {
    /// iPXE that is there already must not get iPXE again.
    pub(super) fn is_for_ipxe_too(&self) -> bool {
        self.file == PXELINUX
    }
}

pub(super) struct NetworkView<'s> {
    pub(super) network: &'s Network,
    pub(super) pools: Vec<PoolView<'s>>,
    /// Those with a MAC and an address.
    pub(super) hosts: Vec<&'s Host>,
}

/// A pool, and the ranges that are left of it.
pub(super) struct PoolView<'s> {
    pub(super) pool: &'s Pool,
    pub(super) menu: &'s str,
    pub(super) ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
}

const PXELINUX: &str = "pxelinux.0";

impl<'s> View<'s> {
    pub(super) fn of(site: &'s Site) -> View<'s> {
        let taken = taken(site);
        let mut networks: Vec<NetworkView<'s>> = site.networks.iter().map(|network| NetworkView {
            pools: network.pools.iter().map(|pool| PoolView { pool, menu: menu(site, network, pool), ranges: ranges(pool, &taken) }).collect(),
            hosts: Vec::new(),
            network,
        }).collect();
        let mut roaming = Vec::new();
        for host in site.hosts.iter().filter(|host| !host.macs.is_empty()) {
            let home = host.network.filter(|_| host.address.is_some()).and_then(|index| networks.get_mut(index));
            match home {
                Some(home) => home.hosts.push(host),
                None => roaming.push(host),
            }
        }
        let loaders: Vec<LoaderView> = LOADERS.iter().filter_map(|loader| {
            let file = offered(loader, &site.lock)?;
            Some(LoaderView { firmware: loader.firmware, arch: loader.arch, file, origins: vec![site.lock.line(file).unwrap_or(site.span)] })
        }).collect();
        let has_pxelinux = loaders.iter().any(LoaderView::is_for_ipxe_too);
        let root = |root: HostRoot<'s>| Some((&root.host.name, (site.root_path(&root)?, root.root.span)));
        View { networks, loaders, has_pxelinux, roaming, roots: site.roots().filter_map(root).collect() }
    }
}

/// What pool clients start, as `dhcp/networks.jsonl` says it.
fn menu<'s>(site: &'s Site, network: &'s Network, pool: &'s Pool) -> &'s str {
    pool.profile.as_ref().or(network.profile.as_ref()).or(site.profile.as_ref()).map_or(DEFAULT_MENU, |profile| &profile.value)
}

/// What `answer::dhcp` gives to nobody: the addresses of hosts, and those that networks tell.
fn taken(site: &Site) -> BTreeSet<Ipv4Addr> {
    let told = site.networks.iter().flat_map(|network| network.server.iter().chain(&network.gateway).chain(&network.dns));
    told.chain(site.hosts.iter().filter_map(|host| host.address.as_ref())).map(|at| at.value).collect()
}

/// A pool without what is taken.
fn ranges(pool: &Pool, taken: &BTreeSet<Ipv4Addr>) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let mut ranges = Vec::new();
    let (mut first, last) = (u64::from(u32::from(pool.first)), u64::from(u32::from(pool.last)));
    let mut keep = |first: u64, end: u64| {
        if first < end {
            let address = |n: u64| Ipv4Addr::from(u32::try_from(n).unwrap_or(u32::MAX));
            ranges.push((address(first), address(end - 1)));
        }
    };
    for hole in taken.range(pool.first..=pool.last).map(|address| u64::from(u32::from(*address))) {
        keep(first, hole);
        first = hole + 1;
    }
    keep(first, last + 1);
    ranges
}

/// Where iPXE fetches its script: a host's by its MAC, which iPXE itself puts in.
pub(super) fn script_by_mac(server: Ipv4Addr) -> String {
    format!("http://{server}/ipxe/${{netX/mac:hexhyp}}")
}

/// The script of a client that nobody declared: its pool's.
pub(super) fn script_of_menu(server: Ipv4Addr, menu: &str) -> String {
    format!("http://{server}/menus/{menu}.ipxe")
}

/// A time as DHCP counts it.
pub(super) fn secs(secs: u64) -> u32 {
    u32::try_from(secs).unwrap_or(u32::MAX)
}

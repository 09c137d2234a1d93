//! Networks, pools, reservations, and the first program.
//!
//! Tags: `host` is whoever the site declares, `net-NAME` and `pool-NAME-N` where an address comes from,
//! `pxe` a client that tells its firmware, `boot-FIRMWARE` one with a loader of ours, `boots` any that is
//! given a file, `name-NAME` a host whose name is told to it as an option, `root-NAME` one that mounts a root.

use super::super::view::{LoaderView, NetworkView, PoolView, View, script_by_mac, script_of_menu, secs};
use super::Conf;
use crate::model::{Host, Network, Site};

pub(super) fn write(site: &Site, view: &View<'_>, out: &mut Conf) {
    let pools = view.networks.iter().flat_map(|network| &network.pools).map(|pool| pool.pool.size());
    let leases = site.hosts.len() as u64 + pools.sum::<u64>();
    out.add(&[], "# DHCP: a client is its MAC, and only the site gives names");
    for line in ["dhcp-authoritative", "dhcp-ignore-clid", "dhcp-ignore-names"] {
        out.add(&[], line);
    }
    out.add(&[], format_args!("dhcp-lease-max={leases}"));
    if let Some(zone) = &site.timezone {
        out.add(&[zone.span], format_args!("dhcp-option=101,{}", zone.value));
    }
    firmware(view, out);
    for network in &view.networks {
        write_network(network, view, out);
    }
    for host in &view.roaming {
        roamer(host, out);
    }
    for network in &view.networks {
        for host in &network.hosts {
            reservation(host, view, out);
        }
    }
    for host in site.hosts.iter().filter(|host| needs_option(host)) {
        out.add(&[host.span], format_args!("dhcp-option=tag:{},12,{}", name_tag(host), host.name));
    }
}

/// How clients show what they are.
fn firmware(view: &View<'_>, out: &mut Conf) {
    out.add(&[], "dhcp-match=set:pxe,93");
    out.add(&[], "dhcp-userclass=set:ipxe,iPXE");
    for loader in &view.loaders {
        for arch in loader.arch {
            out.add(&loader.origins, format_args!("dhcp-match=set:boot-{},option:client-arch,{arch}", loader.firmware));
        }
        out.add(&loader.origins, format_args!("tag-if=set:boots,tag:boot-{}", loader.firmware));
    }
    out.add(&[], "tag-if=set:boots,tag:pxe,tag:ipxe");
    // Take the boot file and ask no other server (RFC 4578, PXE 2.1): ROMs wait for seconds otherwise.
    out.add(&[], "dhcp-option-force=tag:boots,vendor:PXEClient,6,8");
    out.add(&[], "dhcp-option-force=tag:boots,tag:ipxe,175,b0:01:01");
}

fn write_network(view: &NetworkView<'_>, site: &View<'_>, out: &mut Conf) {
    let network = view.network;
    let tag = format!("net-{}", network.name);
    let mask = network.subnet.mask();
    let mut ranges = 0;
    for (number, pool) in view.pools.iter().enumerate() {
        let pool_tag = format!("pool-{}-{}", network.name, number + 1);
        let from = [pool.pool.span, network.span];
        if !pool.ranges.is_empty() {
            out.add(&from, format_args!("tag-if=set:{tag},tag:{pool_tag}"));
        }
        for (first, last) in &pool.ranges {
            ranges += 1;
            let lease = secs(pool.pool.lease_secs);
            out.add(&from, format_args!("dhcp-range=set:{pool_tag},{first},{last},{mask},{lease}"));
        }
    }
    if ranges == 0 {
        let (base, lease) = (network.subnet.base(), secs(network.lease_secs));
        out.add(&[network.span], format_args!("dhcp-range=set:{tag},{base},static,{mask},{lease}"));
    }
    options(network, &tag, out);
    boot(view, &tag, site, out);
}

/// Without a value dnsmasq sends nothing; without the line it would name itself.
fn options(network: &Network, tag: &str, out: &mut Conf) {
    let gateway = network.gateway.iter().map(|at| format!(",{}", at.value)).collect::<String>();
    let dns = network.dns.iter().map(|at| format!(",{}", at.value)).collect::<String>();
    out.add(&[network.span], format_args!("dhcp-option=tag:{tag},option:router{gateway}"));
    out.add(&[network.span], format_args!("dhcp-option=tag:{tag},option:dns-server{dns}"));
}

/// The first program: a loader by TFTP, or a script by HTTP for who is iPXE already.
fn boot(view: &NetworkView<'_>, tag: &str, site: &View<'_>, out: &mut Conf) {
    let network = view.network;
    let next = network.server.as_ref().map_or(String::new(), |at| format!(",,{}", at.value));
    for loader in &site.loaders {
        let LoaderView { firmware, file, .. } = loader;
        let ipxe = if loader.is_for_ipxe_too() { "" } else { "tag:!ipxe," };
        let from = [&loader.origins[..], &[network.span]].concat();
        out.add(&from, format_args!("dhcp-boot=tag:{tag},tag:boot-{firmware},{ipxe}{file}{next}"));
    }
    let Some(server) = &network.server else { return };
    let bios = if site.has_pxelinux { "tag:!boot-bios," } else { "" };
    let script = |who: &str, url: &str| format!("dhcp-boot={who},tag:pxe,tag:ipxe,{bios}{url}{next}");
    out.add(&[server.span], script(&format!("tag:{tag},tag:host"), &script_by_mac(server.value)));
    for (number, PoolView { pool, menu, ranges }) in view.pools.iter().enumerate() {
        if !ranges.is_empty() {
            let who = format!("tag:pool-{}-{},tag:!host", network.name, number + 1);
            out.add(&[pool.span, server.span], script(&who, &script_of_menu(server.value, menu)));
        }
    }
}

/// dnsmasq takes the last line that fits: where a host is at home, this one; elsewhere the one without
/// an address, which lets it keep its name.
fn reservation(host: &Host, view: &View<'_>, out: &mut Conf) {
    let Some(at) = &host.address else { return };
    let (macs, lease) = (macs(host), secs(host.lease_secs));
    let name = if is_misread(host.name.as_str()) { format!("set:{}", name_tag(host)) } else { host.name.to_string() };
    if view.networks.len() > 1 {
        out.add(&[host.span], format_args!("dhcp-host={macs},set:host,{name}"));
    }
    let root = view.roots.get(&host.name);
    let tag = root.map_or(String::new(), |_| format!("set:root-{},", host.name));
    out.add(&[host.span], format_args!("dhcp-host={macs},set:host,{tag}{},{name},{lease}", at.value));
    // For clients that ask for it: what they mount.
    if let Some((path, span)) = root {
        out.add(&[host.span, *span], format_args!("dhcp-option=tag:root-{},option:root-path,{path}", host.name));
    }
}

/// A host that takes an address from the pool. Its name is told to it as an option, so that DNS does not
/// learn it.
fn roamer(host: &Host, out: &mut Conf) {
    out.add(&[host.span], format_args!("dhcp-host={},set:host,set:{}", macs(host), name_tag(host)));
}

fn macs(host: &Host) -> String {
    host.macs.iter().map(|mac| mac.value.to_string()).collect::<Vec<_>>().join(",")
}

fn name_tag(host: &Host) -> String {
    format!("name-{}", host.name)
}

fn needs_option(host: &Host) -> bool {
    !host.macs.is_empty() && (host.address.is_none() || is_misread(host.name.as_str()))
}

/// Where a name stands, dnsmasq reads these as a lease time, or as a wish to ignore the client.
fn is_misread(name: &str) -> bool {
    let digits = name.strip_suffix(['s', 'm', 'h', 'd', 'w']).filter(|digits| !digits.is_empty()).unwrap_or(name);
    matches!(name, "ignore" | "infinite") || digits.chars().all(|c| c.is_ascii_digit())
}

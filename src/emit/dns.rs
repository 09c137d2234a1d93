//! # Name
//! `dns`: zones, forward and reverse, and the forwarders.
//!
//! # Description
//! `dns/ZONE.zone` is an RFC 1035 master file. Reverse zones are cut at octets: a /23 has two, a /26
//! shares its /24's. Serials are always 0 here: they live in the state folder, and whoever serves a zone
//! stamps it. `dns/forward.jsonl` has a row for each forwarder, `dns/commands.jsonl` one for each command:
//! their names are in no zone.
//!
//! # Syntax
//! Reads the domain of `site`, `network` (`server`), `host`, and `dns`.
//!
//! # Example
//! ```kdl
//! site lab domain="lab.example"
//! network lan "10.77.0.0/24" server=2 { host boot 2 "52:54:00:77:00:02" }
//! dns { forward "9.9.9.9"; cname git to=boot; command "wake.{host}.do" run=power-on from=lan }
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Domain, Host, Record, RecordData, Run, Site, Subnet, TTL_SECS};
use crate::out::table::{self, COMMANDS, CommandRow, FORWARDS, ForwardRow, Range, ZONE_SUFFIX, ZONES, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

/// SOA: refresh, retry, expire, and how long a “no such name” may be kept (RFC 2308), in seconds.
const SOA_TIMES: &str = "3600 900 604800 300";

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let mut forwards = Lines::default();
    for at in &site.forwards {
        forwards.line(&[at.span], json(&ForwardRow { address: at.value }));
    }
    wing.write(FORWARDS.into(), forwards);
    if !site.commands.is_empty() {
        wing.write(COMMANDS.into(), commands(site));
    }
    let servers = name_servers(site);
    wing.write(zone_path(site.domain.as_str()), forward_zone(site, &servers));
    for (zone, (origin, pointers)) in reverse_zones(site) {
        let mut lines = head(&zone, &site.domain, &[origin, site.span], &servers);
        for (address, host) in pointers {
            let owner = owner_in(&zone, address);
            lines.line(&[host.span], format_args!("{owner} IN PTR {}.", site.domain.host(&host.name)));
        }
        wing.write(zone_path(&zone), lines);
    }
}

fn commands(site: &Site) -> Lines {
    let mut commands: Vec<_> = site.commands.iter().collect();
    commands.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    let mut lines = Lines::default();
    for command in commands {
        let from = command.ranges(site).into_iter().map(|range| Range::new(range.base(), range.bits())).collect();
        let run = match command.run {
            Run::PowerOn => table::Run::PowerOn,
            Run::PowerOff => table::Run::PowerOff,
            Run::PowerCycle => table::Run::PowerCycle,
            Run::Status => table::Run::Status,
            Run::Call => table::Run::Call,
        };
        let name = format!("{}.{}", command.name.value, site.domain);
        lines.line(&[command.span], json(&CommandRow { name, run, from }));
    }
    lines
}

pub(super) fn zone_path(zone: &str) -> String {
    format!("{ZONES}{zone}{ZONE_SUFFIX}")
}

/// Who answers for the zones: the hosts that have a server's address, or `ns`, or nobody known.
pub(super) struct NameServers {
    pub(super) names: Vec<String>,
    /// `ns` needs addresses of its own.
    pub(super) addresses: Vec<(Ipv4Addr, Span)>,
}

pub(super) fn name_servers(site: &Site) -> NameServers {
    let servers: BTreeMap<Ipv4Addr, Span> =
        site.networks.iter().filter_map(|network| network.server.as_ref()).map(|at| (at.value, at.span)).collect();
    let hosts = site.hosts.iter().filter(|host| host.address.as_ref().is_some_and(|at| servers.contains_key(&at.value)));
    let names: Vec<String> = hosts.map(|host| format!("{}.", site.domain.host(&host.name))).collect();
    match (names.is_empty(), servers.is_empty()) {
        (false, _) => NameServers { names, addresses: Vec::new() },
        // A server that is no host of the site gets a name, one that nobody else has.
        (true, false) => {
            let taken = |label: &str| {
                let name = site.domain.resolve(label);
                let by_host = site.hosts.iter().any(|host| host.name.as_str() == label);
                by_host || site.records.iter().any(|record| Some(&record.name) == name.as_ref())
            };
            let label = ["ns", "ns-pxelator"].into_iter().find(|label| !taken(label)).unwrap_or("ns-pxelator-0");
            NameServers { names: vec![format!("{label}.{}.", site.domain)], addresses: servers.into_iter().collect() }
        }
        // No network tells its server. The zone is still whole, and says that it is served locally.
        (true, true) => NameServers { names: vec!["localhost.".into()], addresses: Vec::new() },
    }
}

fn head(zone: &str, domain: &Domain, origins: &[Span], servers: &NameServers) -> Lines {
    let mut lines = Lines::default();
    let first = servers.names.first().map_or("localhost.", String::as_str);
    lines.line(origins, format_args!("$ORIGIN {zone}."));
    lines.line(origins, format_args!("$TTL {TTL_SECS}"));
    lines.line(origins, format_args!("@ IN SOA {first} hostmaster.{domain}. 0 {SOA_TIMES}"));
    for name in &servers.names {
        lines.line(origins, format_args!("@ IN NS {name}"));
    }
    lines
}

fn forward_zone(site: &Site, servers: &NameServers) -> Lines {
    let mut lines = head(site.domain.as_str(), &site.domain, &[site.span], servers);
    for (address, span) in &servers.addresses {
        let name = servers.names.first().map_or("@", String::as_str);
        lines.line(&[*span], format_args!("{name} IN A {address}"));
    }
    for host in &site.hosts {
        if let Some(at) = &host.address {
            lines.line(&[host.span], format_args!("{} IN A {}", host.name, at.value));
        }
    }
    let mut records: Vec<&Record> = site.records.iter().collect();
    records.sort_by(|a, b| (&a.name, a.data.kind()).cmp(&(&b.name, b.data.kind())));
    for record in records {
        lines.line(&[record.span], record_line(record, &site.domain));
    }
    lines
}

fn record_line(record: &Record, domain: &Domain) -> String {
    let relative = record.name.as_str().strip_suffix(domain.as_str()).map(|name| name.trim_end_matches('.'));
    let owner = match relative {
        Some("") => "@",
        Some(name) => name,
        None => record.name.as_str(),
    };
    let data = match &record.data {
        RecordData::A(address) => address.to_string(),
        RecordData::Cname(to) => format!("{}.", to.value),
        RecordData::Txt(texts) => texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(" "),
    };
    let ttl = if record.ttl_secs == TTL_SECS { String::new() } else { format!("{} ", record.ttl_secs) };
    format!("{owner} {ttl}IN {} {data}", record.data.kind())
}

/// A character string: quotes and backslashes escaped, and bytes outside of ASCII as \DDD (RFC 1035 §5.1).
fn quote(text: &str) -> String {
    let inner: String = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", byte as char),
        b' '..=b'~' => (byte as char).to_string(),
        _ => format!("\\{byte:03}"),
    }).collect();
    format!("\"{inner}\"")
}

/// The complete owner of an address's PTR.
pub(super) fn pointer(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

/// All zones, and what makes each of them; the site's domain first.
pub(super) fn zones(site: &Site) -> Vec<(String, Span)> {
    let reverse = reverse_zones(site).into_iter().map(|(zone, (origin, _))| (zone, origin));
    std::iter::once((site.domain.to_string(), site.span)).chain(reverse).collect()
}

type Pointers<'s> = BTreeMap<Ipv4Addr, &'s Host>;

/// Zone name → where it comes from, and the hosts in it. A network without hosts has its zones too.
fn reverse_zones(site: &Site) -> BTreeMap<String, (Span, Pointers<'_>)> {
    let mut zones: BTreeMap<String, (Span, Pointers<'_>)> = BTreeMap::new();
    for network in &site.networks {
        for zone in zones_of(network.subnet) {
            zones.entry(zone).or_insert((network.subnet_span, BTreeMap::new()));
        }
    }
    for host in &site.hosts {
        let Some((at, network)) = host.address.as_ref().zip(host.network.and_then(|index| site.networks.get(index))) else { continue };
        let zone = zone_of(at.value, network.subnet.bits());
        if let Some((_, pointers)) = zones.get_mut(&zone) {
            pointers.entry(at.value).or_insert(host);
        }
    }
    zones
}

/// How many octets a zone keeps: the prefix, rounded up to whole octets, one to three of them.
fn octets(bits: u8) -> usize {
    usize::from(bits.div_ceil(8)).clamp(1, 3)
}

fn zone_of(address: Ipv4Addr, bits: u8) -> String {
    let parts: Vec<String> = address.octets().iter().take(octets(bits)).rev().map(u8::to_string).collect();
    format!("{}.in-addr.arpa", parts.join("."))
}

fn zones_of(subnet: Subnet) -> Vec<String> {
    let step = 1_u64 << (8 * (4 - octets(subnet.bits())));
    let (first, last) = (u64::from(u32::from(subnet.base())), u64::from(u32::from(subnet.last())));
    let starts = (0..).map(|n| first + n * step).take_while(|start| *start <= last);
    starts.map(|start| zone_of(Ipv4Addr::from(u32::try_from(start).unwrap_or(u32::MAX)), subnet.bits())).collect()
}

/// The owner of an address's PTR, relative to its zone.
fn owner_in(zone: &str, address: Ipv4Addr) -> String {
    pointer(address).trim_end_matches(zone).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_zones_are_cut_at_octets() {
        let zones = |text: &str| zones_of(Subnet::parse(text).unwrap());
        assert_eq!(zones("10.77.0.0/24"), ["0.77.10.in-addr.arpa"]);
        assert_eq!(zones("10.77.2.0/23"), ["2.77.10.in-addr.arpa", "3.77.10.in-addr.arpa"]);
        assert_eq!(zones("10.77.0.64/26"), ["0.77.10.in-addr.arpa"]);
        assert_eq!(zones("172.16.0.0/12").len(), 16);
        assert_eq!(zones("10.0.0.0/8"), ["10.in-addr.arpa"]);
        assert_eq!(owner_in("77.10.in-addr.arpa", Ipv4Addr::new(10, 77, 3, 9)), "9.3");
    }

    #[test]
    fn texts_are_quoted_for_master_files() {
        assert_eq!(quote("a\"b\\ž"), "\"a\\\"b\\\\\\197\\190\"");
    }
}

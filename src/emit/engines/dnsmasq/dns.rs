//! Names: hosts with their pointers, records, forwarders.
//!
//! To dnsmasq a name exists where it has a line of the right kind, or a name below it has one; of any
//! other it says NXDOMAIN to other types of records, and resolvers then believe that nothing lies below.
//! So each address has its pointer written out, and what only `dns-rr` knows is made known by a pointer
//! record that nobody asks for. `dns-rr` writes any record down in hexadecimal: addresses without a
//! pointer, and texts that quotes cannot hold.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::super::super::dns::{name_servers, pointer, zones};
use super::Conf;
use crate::model::{Domain, Record, RecordData, Site, TTL_SECS, dnsmasq_quoted};
use crate::source::Span;

/// Numbers of record types (RFC 1035 §3.2.2).
const A: u16 = 1;
const NS: u16 = 2;
const TXT: u16 = 16;
/// A name that nobody asks for, so that those above it exist.
const BELOW: &str = "_exists";

pub(super) fn write(site: &Site, out: &mut Conf) {
    out.add(&[], "# names; those who are not on a network of this machine are not answered");
    for line in ["no-resolv", "no-hosts", "local-service", "strict-order"] {
        out.add(&[], line);
    }
    out.add(&[], format_args!("local-ttl={TTL_SECS}"));
    out.add(&[site.span], format_args!("domain={}", site.domain));
    for (zone, origin) in zones(site) {
        out.add(&[origin], format_args!("local=/{zone}/"));
    }
    for at in &site.forwards {
        out.add(&[at.span], format_args!("server={}", at.value));
    }
    let mut known = BTreeSet::new();
    servers(site, &mut known, out);
    for host in &site.hosts {
        if let Some(at) = &host.address {
            let name = site.domain.host(&host.name);
            out.add(&[host.span], format_args!("host-record={name},{}", at.value));
            out.add(&[host.span], format_args!("ptr-record={},{name}", pointer(at.value)));
        }
    }
    let mut records: Vec<&Record> = site.records.iter().collect();
    records.sort_by(|a, b| (&a.name, a.data.kind()).cmp(&(&b.name, b.data.kind())));
    for record in records {
        write_record(record, &mut known, out);
    }
}

/// Who answers for the zones; a server that is no host has an address record of its own.
fn servers(site: &Site, known: &mut BTreeSet<String>, out: &mut Conf) {
    let servers = name_servers(site);
    for (zone, origin) in zones(site) {
        // The name itself may have a pointer, so one below makes it known.
        known.insert(zone.clone());
        out.add(&[origin], format_args!("ptr-record={BELOW}.{zone},{zone}"));
        for name in &servers.names {
            raw(&zone, NS, &wire_name(name), &format!("NS {name}"), &[origin], known, out);
        }
    }
    for (address, span) in &servers.addresses {
        let name = servers.names.first().map_or("", |name| name.trim_end_matches('.'));
        address_record(name, *address, &[*span], known, out);
    }
}

fn write_record(record: &Record, known: &mut BTreeSet<String>, out: &mut Conf) {
    let name = &record.name;
    match &record.data {
        RecordData::A(address) => address_record(name.as_str(), *address, &[record.span], known, out),
        RecordData::Cname(to) => cname(name, &to.value, record, out),
        RecordData::Txt(texts) => match texts.iter().map(|text| dnsmasq_quoted(text)).collect::<Option<Vec<String>>>() {
            Some(texts) => out.add(&[record.span], format_args!("txt-record={name},{}", texts.join(","))),
            None => {
                let data: Vec<u8> = texts.iter().flat_map(|text| character_string(text)).collect();
                raw(name.as_str(), TXT, &data, "TXT", &[record.span], known, out);
            }
        },
    }
}

fn cname(name: &Domain, to: &Domain, record: &Record, out: &mut Conf) {
    let ttl = if record.ttl_secs == TTL_SECS { String::new() } else { format!(",{}", record.ttl_secs) };
    out.add(&[record.span], format_args!("cname={name},{to}{ttl}"));
}

fn address_record(name: &str, address: Ipv4Addr, origins: &[Span], known: &mut BTreeSet<String>, out: &mut Conf) {
    raw(name, A, &address.octets(), &format!("A {address}"), origins, known, out);
}

/// Any record: its number and its bytes, behind a comment for readers.
fn raw(name: &str, kind: u16, data: &[u8], shown: &str, origins: &[Span], known: &mut BTreeSet<String>, out: &mut Conf) {
    let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    out.add(origins, format_args!("# {name} {shown}"));
    out.add(origins, format_args!("dns-rr={name},{kind},{hex}"));
    if known.insert(name.to_owned()) {
        out.add(origins, format_args!("ptr-record={name},{name}"));
    }
}

/// A name as it stands in packets: its labels, each with its length before it.
fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.trim_end_matches('.').split('.').flat_map(character_string);
    labels.chain([0]).collect()
}

fn character_string(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    std::iter::once(len).chain(text.bytes()).collect()
}

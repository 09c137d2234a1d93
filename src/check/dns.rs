//! Records among each other, and with the hosts' own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::diag::{Diag, Diags};
use crate::model::{At, Domain, LABEL_BYTES_MAX, NAME_BYTES_MAX, Record, RecordData, Site, TTL_SECS};
use crate::source::Span;

/// What fits one record beside its name in a message of 64 KiB, in bytes.
const TXT_BYTES_MAX: usize = 60_000;

pub(super) fn names(site: &Site, diags: &mut Diags) {
    length(&site.domain, site.span, diags);
    let domain_bytes = site.domain.as_str().len() + 1;
    for host in &site.hosts {
        let bytes = host.name.as_str().len();
        if bytes > LABEL_BYTES_MAX || bytes + domain_bytes > NAME_BYTES_MAX {
            length(&site.domain.host(&host.name), host.span, diags);
        }
    }
    for record in &site.records {
        length(&record.name, record.span, diags);
        if !site.domain.contains(&record.name) && !diags.is_lost("site.domain") {
            let message = format!("`{}` is not in zone {}", record.name, site.domain);
            let diag = Diag::new("dns/outside-zone", record.span, message);
            let first = record.name.as_str().split('.').next().unwrap_or_default();
            diags.push(diag.help(format!("write `{first}` for {first}.{}: a name with dots is complete", site.domain)));
        }
        if let RecordData::Txt(texts) = &record.data
            && texts.iter().map(|text| text.len() + 1).sum::<usize>() > TXT_BYTES_MAX
        {
            let message = format!("text of more than {TXT_BYTES_MAX} bytes in one record");
            diags.push(Diag::new("dns/name-length", record.span, message).help("write shorter texts, or several records"));
        } else if let RecordData::Txt(texts) = &record.data
            && let Some(long) = texts.iter().find(|text| text.len() > 255)
        {
            let message = format!("text of {} bytes; at most 255 in one string", long.len());
            diags.push(Diag::new("dns/name-length", record.span, message).help("split it into several strings of the same record"));
        }
    }
}

fn length(name: &Domain, span: Span, diags: &mut Diags) {
    let longest = name.as_str().split('.').map(str::len).max().unwrap_or(0);
    let message = match longest {
        _ if longest > LABEL_BYTES_MAX => format!("label of {longest} bytes; at most {LABEL_BYTES_MAX}"),
        _ if name.as_str().len() > NAME_BYTES_MAX => format!("name of {} bytes; at most {NAME_BYTES_MAX}", name.as_str().len()),
        _ => return,
    };
    diags.push(Diag::new("dns/name-length", span, message).help("choose a shorter name (RFC 1035)"));
}

/// The address that a name has from a host, and where the host is declared: hosts bring an A record by themselves.
fn brought(site: &Site, name: &Domain) -> Option<(Ipv4Addr, Span)> {
    let host = site.host_of(name)?;
    host.address.as_ref().map(|at| (at.value, host.span))
}

pub(super) fn sets(site: &Site, diags: &mut Diags) {
    let mut sets: BTreeMap<&Domain, Vec<&Record>> = BTreeMap::new();
    site.records.iter().for_each(|record| sets.entry(&record.name).or_default().push(record));
    for (name, records) in sets {
        let host = brought(site, name);
        cname_alone(site, name, &records, host.map(|(_, span)| span), diags);
        let mut seen: BTreeMap<String, &Record> = BTreeMap::new();
        let mut first_of_kind: BTreeMap<&str, (u32, Span)> = BTreeMap::new();
        first_of_kind.extend(host.map(|(_, span)| ("A", (TTL_SECS, span))));
        for record in records {
            let (kind, key) = (record.data.kind(), data_key(&record.data));
            if let Some(first) = seen.get(&key) {
                let diag = Diag::new("dns/duplicate-record", record.span, "the same record is declared twice");
                diags.push(diag.here("again here").label(first.span, "first declared here").help("delete one of them"));
                continue;
            }
            let (ttl, span) = *first_of_kind.entry(kind).or_insert((record.ttl_secs, record.span));
            if ttl != record.ttl_secs {
                let message = format!("{kind} records of `{name}` have different TTLs ({ttl} s and {} s)", record.ttl_secs);
                let diag = Diag::new("dns/ttl-mixed", record.span, message);
                diags.push(diag.label(span, "the other record").help("give them the same ttl= (RFC 2181 §5.2)"));
            }
            seen.insert(key, record);
        }
        let by_host = host.and_then(|(address, span)| {
            let same = seen.get(&data_key(&RecordData::A(address)))?;
            Some((same.span, span))
        });
        if let Some((record, host)) = by_host {
            let diag = Diag::new("dns/duplicate-record", record, "the host brings this record by itself");
            diags.push(diag.label(host, "the host").help("delete the record"));
        }
    }
}

/// The data alone, wherever it was written.
fn data_key(data: &RecordData) -> String {
    match data {
        RecordData::A(address) => format!("A {address}"),
        RecordData::Cname(to) => format!("CNAME {}", to.value),
        RecordData::Txt(texts) => format!("TXT {texts:?}"),
    }
}

fn cname_alone(site: &Site, name: &Domain, records: &[&Record], host: Option<Span>, diags: &mut Diags) {
    let Some(cname) = records.iter().find(|record| matches!(record.data, RecordData::Cname(_))) else { return };
    let other = records.iter().find(|record| data_key(&record.data) != data_key(&cname.data));
    if let Some(second) = other.filter(|other| matches!(other.data, RecordData::Cname(_))) {
        let diag = Diag::new("dns/cname-and-other", second.span, format!("`{name}` has two CNAME records"));
        diags.push(diag.label(cname.span, "the other record").help("keep one of them: an alias stands for one name"));
        return;
    }
    let other = other.map(|record| (record.data.kind(), record.span)).or(host.map(|span| ("A", span)));
    let other = other.or((*name == site.domain).then_some(("SOA", site.span)));
    if let Some((kind, span)) = other {
        let message = format!("`{name}` has a CNAME and {} {kind} record", if kind == "A" || kind == "SOA" { "an" } else { "a" });
        let diag = Diag::new("dns/cname-and-other", cname.span, message);
        diags.push(diag.label(span, "the other record").help("delete one of them: a name with a CNAME has nothing else (RFC 1034 §3.6.2)"));
    }
}

/// A forwarder that is ourselves would be asked by itself for ever.
pub(super) fn forwards(site: &Site, diags: &mut Diags) {
    for at in &site.forwards {
        let own = site.networks.iter().filter_map(|network| network.server.as_ref()).find(|server| server.value == at.value);
        if let Some(server) = own {
            let diag = Diag::new("dns/forward-self", at.span, format!("{} is this boot server itself", at.value));
            diags.push(diag.label(server.span, "the server").help("name a resolver outside, such as \"9.9.9.9\""));
        }
    }
}

/// Every alias leads to an address of ours, or out of the domain.
pub(super) fn aliases(site: &Site, diags: &mut Diags) {
    let leads = |record: &&Record| !matches!(record.data, RecordData::Txt(_));
    let records: BTreeSet<&Domain> = site.records.iter().filter(leads).map(|record| &record.name).collect();
    let cnames: BTreeMap<&Domain, (&At<Domain>, Span)> = site.records.iter().filter_map(|record| match &record.data {
        RecordData::Cname(to) => Some((&record.name, (to, record.span))),
        RecordData::A(_) | RecordData::Txt(_) => None,
    }).collect();
    let mut looped: BTreeSet<&Domain> = BTreeSet::new();
    for (name, (to, _)) in &cnames {
        if to.value.as_str().parse::<std::net::Ipv4Addr>().is_ok() {
            let diag = Diag::new("dns/target-missing", to.span, format!("`{}` is an address, and a CNAME leads to a name", to.value));
            diags.push(diag.help(format!("write a {} \"{}\", or to= and the name of a host", relative(name, &site.domain), to.value)));
            continue;
        }
        let known = brought(site, &to.value).is_some() || records.contains(&to.value);
        let found = relative(&to.value, &site.domain);
        if site.domain.contains(&to.value) && !known && !diags.is_lost(found) {
            let diag = Diag::new("dns/target-missing", to.span, format!("CNAME target `{}` has no address", to.value));
            let hosts = site.hosts.iter().filter(|host| host.address.is_some()).map(|host| host.name.as_str());
            let names = hosts.chain(records.iter().map(|name| relative(name, &site.domain)));
            let declared = site.host(found).is_some();
            diags.push(match diags.nearest(found, names) {
                _ if declared => diag.help(format!("give host `{found}` an address")),
                Some(near) => diag.help(format!("did you mean `{near}`?")),
                None => diag.help("declare a host of this name, or write a complete name with dots"),
            });
        }
        cname_loop(name, &cnames, &mut looped, diags);
    }
}

/// A name as people write it in the site: without the domain.
fn relative<'a>(name: &'a Domain, domain: &Domain) -> &'a str {
    name.as_str().strip_suffix(domain.as_str()).map_or(name.as_str(), |name| name.trim_end_matches('.'))
}

/// Follows an alias; each circle is told once.
fn cname_loop<'a>(start: &'a Domain, cnames: &BTreeMap<&'a Domain, (&'a At<Domain>, Span)>, looped: &mut BTreeSet<&'a Domain>, diags: &mut Diags) {
    let mut path: Vec<&Domain> = vec![start];
    let mut seen: BTreeSet<&Domain> = BTreeSet::from([start]);
    while let Some((to, _)) = path.last().and_then(|name| cnames.get(*name)) {
        if looped.contains(&to.value) {
            break;
        }
        path.push(&to.value);
        if !seen.insert(&to.value) {
            let from = path.iter().position(|name| **name == to.value).unwrap_or(0);
            let circle: Vec<&str> = path.iter().skip(from).map(|name| name.as_str().split('.').next().unwrap_or_default()).collect();
            let span = cnames.get(&to.value).map_or(to.span, |(_, span)| *span);
            diags.push(Diag::new("dns/cname-loop", span, circle.join(" → ")).help("one of them must name a host"));
            break;
        }
    }
    looped.extend(path);
}

/// Addresses of hosts to which an A record of another name points.
pub(super) fn reverse(site: &Site, diags: &mut Diags) {
    let pointed: BTreeSet<Ipv4Addr> = site.records.iter().filter_map(|record| match record.data {
        RecordData::A(address) => Some(address),
        RecordData::Cname(_) | RecordData::Txt(_) => None,
    }).collect();
    if pointed.is_empty() {
        return;
    }
    let with_address = site.hosts.iter().filter_map(|host| host.address.as_ref().map(|at| (at.value, host)));
    let hosts: BTreeMap<Ipv4Addr, _> = with_address.filter(|(address, _)| pointed.contains(address)).collect();
    for record in &site.records {
        let RecordData::A(address) = &record.data else { continue };
        let Some(host) = hosts.get(address).filter(|host| site.domain.host(&host.name) != record.name) else { continue };
        let other = Some(relative(&record.name, &site.domain)).filter(|name| !name.is_empty()).unwrap_or("@");
        let message = format!("{address} is `{0}`, but `{other}` points to it too; the PTR says `{0}`", host.name);
        let diag = Diag::new("dns/reverse-mismatch", record.span, message);
        let help = match other {
            "@" => "keep it if the domain itself shall lead to the host: a CNAME cannot stand there".to_owned(),
            other => format!("write: cname \"{other}\" to={}", host.name),
        };
        diags.push(diag.label(host.span, "the host").help(help));
    }
}

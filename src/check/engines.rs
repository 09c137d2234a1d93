//! What other servers cannot say, or say otherwise than `serve`. Each was seen with dnsmasq 2.90 and
//! Kea 2.2.0.

use crate::diag::{Diag, Diags};
use crate::model::{DNSMASQ_LINE_BYTES_MAX, LOADERS, Program, Record, RecordData, Site, TTL_SECS, dnsmasq_quoted};
use crate::schema::show_duration;
use crate::source::Span;

/// dnsmasq gives no shorter lease, in seconds.
const DNSMASQ_LEASE_SECS_MIN: u64 = 120;
/// How long one MAC of a host may wait until Kea lets go of another, in seconds.
const WAIT_SECS_MAX: u64 = 15 * 60;
/// What a line about a host or a network holds besides MACs, names and addresses, in bytes.
const LINE_BYTES_FIXED: usize = 64;

/// The line that asks for a server.
fn asked(site: &Site, program: Program) -> Option<Span> {
    site.engines.iter().find(|engine| engine.program == program).map(|engine| engine.span)
}

const ASKED: &str = "written for this server";

pub(super) fn pool_leases(site: &Site, diags: &mut Diags) {
    let Some(kea) = asked(site, Program::Kea) else { return };
    for network in &site.networks {
        let Some((first, others)) = network.pools.split_first() else { continue };
        for pool in others.iter().filter(|pool| pool.lease_secs != first.lease_secs) {
            let (own, given) = (show_duration(pool.lease_secs), show_duration(first.lease_secs));
            let message = format!("this pool's lease is {own}, but kea gives {given} in all pools of `{}`", network.name);
            let diag = Diag::new("engine/pool-lease", pool.span, message).label(first.span, "its first pool").label(kea, ASKED);
            diags.push(diag.help("give the pools of a network one lease"));
        }
    }
}

pub(super) fn several_macs(site: &Site, diags: &mut Diags) {
    let Some(kea) = asked(site, Program::Kea) else { return };
    for host in site.hosts.iter().filter(|host| host.macs.len() > 1 && host.lease_secs > WAIT_SECS_MAX) {
        let Some(address) = &host.address else { continue };
        let wait = show_duration(host.lease_secs);
        let message = format!("kea gives {} to one MAC of {} at a time; another waits for up to {wait}", address.value, host.name);
        let diag = Diag::new("engine/several-macs", host.span, message).label(kea, ASKED);
        diags.push(diag.help("let go of it sooner: lease=\"10m\""));
    }
}

pub(super) fn short_leases(site: &Site, diags: &mut Diags) {
    let Some(dnsmasq) = asked(site, Program::Dnsmasq) else { return };
    let pools = site.networks.iter().flat_map(|network| &network.pools).map(|pool| (pool.lease_secs, pool.span));
    let hosts = site.hosts.iter().filter(|host| host.address.is_some() && !host.macs.is_empty()).map(|host| (host.lease_secs, host.span));
    for (secs, span) in pools.chain(hosts).filter(|(secs, _)| *secs < DNSMASQ_LEASE_SECS_MIN) {
        let message = format!("the lease is {}, but dnsmasq gives none below {}", show_duration(secs), show_duration(DNSMASQ_LEASE_SECS_MIN));
        diags.push(Diag::new("engine/lease-short", span, message).label(dnsmasq, ASKED).help("write at least lease=\"2m\""));
    }
}

pub(super) fn records(site: &Site, diags: &mut Diags) {
    let Some(dnsmasq) = asked(site, Program::Dnsmasq) else { return };
    for record in &site.records {
        let diag = match &record.data {
            RecordData::Cname(to) if !site.domain.contains(&to.value) => {
                let message = format!("`{}` leads to {}; dnsmasq tells the alias, but not the address behind it", record.name, to.value);
                Diag::new("engine/alias", record.span, message).help("write an address record, or let clients ask `pxelator serve` or bind")
            }
            RecordData::A(_) | RecordData::Txt(_) if record.ttl_secs != TTL_SECS => {
                let (own, given) = (show_duration(record.ttl_secs.into()), show_duration(TTL_SECS.into()));
                let message = format!("{} record `{}` may be kept for {own}, but dnsmasq says {given}", record.data.kind(), record.name);
                Diag::new("engine/ttl", record.span, message).help("delete ttl=, or let clients ask `pxelator serve`, bind or nsd")
            }
            RecordData::A(_) | RecordData::Cname(_) | RecordData::Txt(_) => continue,
        };
        diags.push(diag.label(dnsmasq, ASKED));
    }
}

pub(super) fn lines(site: &Site, diags: &mut Diags) {
    let Some(dnsmasq) = asked(site, Program::Dnsmasq) else { return };
    let mut hold = |what: String, bytes: usize, span: Span, help: &str| {
        if bytes > DNSMASQ_LINE_BYTES_MAX {
            let message = format!("{what} makes a line of {bytes} bytes; dnsmasq reads {DNSMASQ_LINE_BYTES_MAX}");
            diags.push(Diag::new("engine/line-long", span, message).label(dnsmasq, ASKED).help(help));
        }
    };
    for host in &site.hosts {
        let bytes = LINE_BYTES_FIXED + 18 * host.macs.len() + 2 * host.name.as_str().len();
        hold(format!("host `{}` with {} MACs", host.name, host.macs.len()), bytes, host.span, "declare another host for some of its MACs");
    }
    for network in &site.networks {
        let bytes = LINE_BYTES_FIXED + network.name.len() + network.dns.iter().map(|at| at.value.to_string().len() + 1).sum::<usize>();
        let span = network.dns.first().map_or(network.span, |at| at.span);
        hold(format!("network `{}` with {} DNS servers", network.name, network.dns.len()), bytes, span, "clients ask the first two or three: delete the others");
    }
    for record in &site.records {
        if let RecordData::Txt(texts) = &record.data {
            hold(format!("text `{}`", record.name), text_bytes(record, texts), record.span, "shorten the text, or write it as several records");
        }
    }
}

/// A text in quotes, or in hexadecimal where quotes cannot hold it.
fn text_bytes(record: &Record, texts: &[String]) -> usize {
    let quoted: Option<usize> = texts.iter().map(|text| Some(dnsmasq_quoted(text)?.len() + 1)).sum();
    let raw = || texts.iter().map(|text| 2 * text.len() + 2).sum::<usize>();
    "txt-record=".len() + record.name.as_str().len() + quoted.unwrap_or_else(|| raw() + 4)
}

pub(super) fn servers(site: &Site, diags: &mut Diags) {
    let Some((name, engine)) = [Program::Kea, Program::Dnsmasq].into_iter().find_map(|program| Some((program.name(), asked(site, program)?))) else { return };
    // Without a loader there is nothing to boot from here.
    let offers = site.assets.is_some() && LOADERS.iter().flat_map(|loader| loader.files).any(|file| site.lock.get(file).is_some());
    for network in site.networks.iter().filter(|network| offers && network.server.is_none()) {
        let message = format!("{name} cannot tell machines of `{}` where to boot from: the network names no server", network.name);
        let diag = Diag::new("engine/no-server", network.span, message).label(engine, ASKED);
        diags.push(diag.help("say which address of the network the boot server has, such as server=2"));
    }
}

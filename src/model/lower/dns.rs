//! Forwarders and records.

use std::net::Ipv4Addr;

use super::dotted;
use crate::diag::{Diag, Diags};
use crate::eval::Merged;
use crate::model::{At, Domain, Record, RecordData, TTL_SECS};
use crate::schema::duration_secs;
use crate::syntax::{Entry, Node};

pub(super) fn forwards(dns: &Merged<'_>, diags: &mut Diags) -> Vec<At<Ipv4Addr>> {
    let entries = dns.list("forward").filter_map(|node| node.arg(0));
    entries.filter_map(|entry| dotted(entry.text()?, entry.value_span, diags)).collect()
}

pub(super) fn records(dns: &Merged<'_>, domain: &Domain, diags: &mut Diags) -> Vec<Record> {
    let others = ["forward", crate::schema::COMMAND];
    dns.lists.iter().filter(|node| !others.contains(&&*node.name.text)).filter_map(|node| record(node, domain, diags)).collect()
}

fn record(node: &Node<'_>, domain: &Domain, diags: &mut Diags) -> Option<Record> {
    let name = name(node.arg(0)?, domain, diags);
    let data = match &*node.name.text {
        "a" => dotted(node.arg(1)?.text()?, node.arg(1)?.value_span, diags).map(|at| RecordData::A(at.value)),
        "cname" => {
            let to = node.prop("to")?;
            self::name(to, domain, diags).map(|value| RecordData::Cname(At { value, span: to.value_span }))
        }
        _ => Some(RecordData::Txt(node.args().skip(1).filter_map(Entry::text).map(str::to_owned).collect())),
    };
    let ttl = node.prop("ttl").and_then(Entry::text).and_then(duration_secs);
    Some(Record {
        name: name?,
        ttl_secs: ttl.and_then(|secs| u32::try_from(secs).ok()).unwrap_or(TTL_SECS),
        data: data?,
        span: node.span,
    })
}

fn name(entry: &Entry<'_>, domain: &Domain, diags: &mut Diags) -> Option<Domain> {
    let name = domain.resolve(entry.text()?);
    if name.is_none() {
        let message = format!("`{}` is no DNS name", entry.text().unwrap_or_default());
        let diag = Diag::new("dns/bad-name", entry.value_span, message);
        diags.push(diag.help("write labels of letters, digits, hyphens and underscores with dots between them"));
    }
    name
}

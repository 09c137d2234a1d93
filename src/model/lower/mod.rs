//! [`Config`] → [`Site`]: what was written becomes what is meant; the cascade is settled here.
//!
//! The only room that knows both. Values that cannot be built are reported and left out.

mod audit;
mod boot;
mod claims;
mod commands;
mod dns;
mod engines;
mod monitor;
mod network;
mod nfs;
mod page;
mod power;
mod rule;
mod running;
mod texts;
mod track;
mod vm;

use std::net::Ipv4Addr;

pub use network::{Context, more_hosts};

use super::{At, Domain, Ids, Lock, Site, Subnet, TRENDS_KEEP_SECS, Trends};
use crate::diag::{Diag, Diags};
use crate::eval::Config;
use crate::schema::duration_secs;
use crate::source::{FileId, Sources, Span};
use crate::syntax::{Entry, Node, Value};

/// The domain of a site that names none: reserved for homes by RFC 8375.
const DOMAIN: &str = "home.arpa";
/// Its zone becomes a file, and hosts need room in it, in bytes.
const DOMAIN_BYTES_MAX: usize = 200;

/// Lowers everything; a site without a sound `site` line gets a name for now, so that all else is checked.
pub fn lower(config: &Config<'_>, sources: &Sources, diags: &mut Diags) -> Option<Site> {
    let lock = Lock::read(sources, diags);
    let node = config.site.as_ref();
    let mut texts = texts::Texts { sources, kept: std::collections::BTreeMap::new() };
    let mut site = Site {
        name: node.and_then(Node::title).unwrap_or("site").to_owned(),
        domain: domain(node, diags)?,
        span: node.map_or(Span::new(FileId::new(0), 0, 0), |node| node.span),
        assets: config.assets.as_ref().and_then(|node| node.arg(0)).and_then(located),
        has_runbooks: config.runbooks.as_ref().and_then(Node::title) != Some("off"),
        lock,
        networks: Vec::new(),
        hosts: Vec::new(),
        profiles: config.profiles.iter().map(|profile| boot::profile(profile, &mut texts, diags)).collect(),
        menu: config.menu.as_ref().map(boot::menu),
        forwards: Vec::new(),
        records: Vec::new(),
        commands: Vec::new(),
        nfs: config.nfs.as_ref().map(|merged| nfs::nfs(merged, &config.overlays, &mut texts, diags)),
        rules: rule::rules(&config.rules, &mut texts, diags),
        ids: Ids::read(sources, diags),
        timezone: node.and_then(|node| node.prop("timezone")).and_then(located),
        profile: node.and_then(|node| node.prop("profile")).and_then(located),
        lease_secs: node.and_then(|node| node.prop("lease")).and_then(Entry::text).and_then(duration_secs),
        tags: names(node.and_then(|node| node.prop("tags"))).map(str::to_owned).collect(),
        power: node.map(|node| power::power(|name| node.prop(name))).unwrap_or_default(),
        contexts: Vec::new(),
        secrets: claims::secrets(&config.secrets, diags),
        audit: config.audit.as_ref().map(|merged| audit::audit(merged, diags)),
        checks: monitor::checks(&config.checks, diags),
        alerts: None,
        tracks: track::tracks(&config.tracks, diags),
        page: config.page.as_ref().and_then(|node| page::page(node, diags)),
        trends: config.trends.as_ref().map(|node| Trends {
            keep_secs: node.prop("keep").and_then(Entry::text).and_then(duration_secs).unwrap_or(TRENDS_KEEP_SECS),
            span: node.span,
        }),
        snapshots: vm::snapshots(&config.snapshots, diags),
        schedules: power::schedules(&config.schedules, diags),
        holidays: power::holidays(&config.holidays, diags),
        logins: running::logins(&config.logins, diags),
        engines: engines::engines(&config.engines, diags),
        claims: config.claims.iter().filter_map(|node| claims::claim(node, diags)).collect(),
        references: config.references.clone(),
        templates: config.templates.clone(),
    };
    site.references.extend(config.audit.iter().flat_map(audit::secrets));
    site.references.extend(config.alerts.iter().flat_map(monitor::secrets));
    site.alerts = config.alerts.as_ref().map(|merged| monitor::alerts(merged, &site.domain, diags));
    network::hosts(config, &mut site, diags);
    if let Some(dns) = &config.dns {
        site.forwards = dns::forwards(dns, diags);
        site.records = dns::records(dns, &site.domain, diags);
        site.commands = commands::commands(dns, &site.domain, diags);
    }
    Some(site)
}

fn domain(node: Option<&Node<'_>>, diags: &mut Diags) -> Option<Domain> {
    let Some(entry) = node.and_then(|node| node.prop("domain")) else { return Domain::parse(DOMAIN) };
    let domain = entry.text().and_then(Domain::parse);
    if domain.is_none() {
        diags.lose("site.domain");
        let message = format!("`{}` is no DNS domain", entry.text().unwrap_or_default());
        let diag = Diag::new("schema/type", entry.value_span, message);
        diags.push(diag.help("write labels of letters, digits and hyphens with dots between them: domain=\"lab.example\""));
    }
    let usable = domain.filter(|domain| {
        let reverse = domain.as_str().ends_with("in-addr.arpa");
        let long = domain.as_str().len() > DOMAIN_BYTES_MAX;
        if reverse || long {
            let why = if reverse { "is a zone for addresses" } else { "is too long for a file name" };
            let diag = Diag::new("dns/bad-name", entry.value_span, format!("domain `{domain}` {why}"));
            diags.push(diag.help("write a domain of your own, such as \"lab.example\""));
            diags.lose("site.domain");
        }
        !(reverse || long)
    });
    usable.or_else(|| Domain::parse(DOMAIN))
}

/// A text with its place.
fn located(entry: &Entry<'_>) -> Option<At<String>> {
    entry.text().map(|text| At { value: text.to_owned(), span: entry.value_span })
}

/// Names in one text with commas between them.
fn names<'a>(entry: Option<&'a Entry<'_>>) -> impl Iterator<Item = &'a str> {
    let text = entry.and_then(Entry::text).unwrap_or_default();
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// An address, or the nth of `subnet`; what is neither, or lies outside, is reported.
fn address(entry: &Entry<'_>, subnet: Option<Subnet>, network: &str, diags: &mut Diags) -> Option<At<Ipv4Addr>> {
    match &entry.value {
        Value::Int(n) => nth(*n, entry.value_span, subnet, network, diags),
        Value::Text(_) | Value::Float(_) | Value::Bool(_) | Value::Null => match dotted(entry.text().unwrap_or_default(), entry.value_span, diags) {
            Some(found) if subnet.is_some_and(|subnet| !subnet.contains(found.value)) => {
                diags.push(outside(&found.value.to_string(), found.span, subnet, network));
                None
            }
            found => found,
        },
    }
}

fn nth(n: i64, span: Span, subnet: Option<Subnet>, network: &str, diags: &mut Diags) -> Option<At<Ipv4Addr>> {
    let Some(subnet) = subnet else {
        let diag = Diag::new("network/outside", span, format!("{n} counts within a network, and there is none here"));
        diags.push(diag.help("write the whole address in quotes, or move the line into its network"));
        return None;
    };
    let found = subnet.nth(n);
    if found.is_none() {
        diags.push(outside(&n.to_string(), span, Some(subnet), network));
    }
    found.map(|value| At { value, span })
}

fn outside(what: &str, span: Span, subnet: Option<Subnet>, network: &str) -> Diag {
    let range = subnet.map_or(String::new(), |subnet| format!(" {subnet}"));
    let diag = Diag::new("network/outside", span, format!("{what} is outside `{network}`{range}"));
    match subnet {
        Some(subnet) => diag.help(format!("choose an address between {} and {}", subnet.base(), subnet.last())),
        None => diag,
    }
}

/// A dotted address and nothing else.
fn dotted(text: &str, span: Span, diags: &mut Diags) -> Option<At<Ipv4Addr>> {
    let found: Option<Ipv4Addr> = text.trim().parse().ok();
    if found.is_none() {
        let diag = Diag::new("schema/type", span, format!("`{text}` is no IPv4 address"));
        diags.push(diag.help("write four numbers from 0 to 255 with dots between them, such as \"10.0.0.9\""));
    }
    found.map(|value| At { value, span })
}

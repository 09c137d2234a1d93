//! Networks, pools, groups and hosts.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::power::power;
use super::vm;
use super::{address, dotted, located, names};
use crate::diag::{Diag, Diags};
use crate::eval::Config;
use crate::model::{At, Host, HostName, LEASE_SECS, LOCAL, Mac, Network, Pool, Power, Site, Subnet, SubnetError};
use crate::schema::duration_secs;
use crate::source::Span;
use crate::syntax::{Entry, Node};

/// How many tags the groups around a host may give it.
const TAGS_MAX: usize = 64;

/// A block in which hosts stand: what its network and groups hand down.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The kind of node around the hosts; `""` is the file itself.
    pub parent: &'static str,
    /// The enclosing network: its place in the site, its range and its name.
    network: Option<(usize, Subnet, Rc<str>)>,
    /// Of the innermost group that says so.
    profile: Option<At<String>>,
    lease_secs: Option<u64>,
    /// The nearest of the groups that says each.
    power: Power,
    /// Those of the groups, the outermost first.
    tags: Vec<String>,
    groups: Rc<[String]>,
}

impl Context {
    /// The places that it remembers.
    pub(in crate::model) fn spans(&mut self) -> impl Iterator<Item = &mut Span> {
        self.profile.iter_mut().map(|profile| &mut profile.span).chain(self.power.spans())
    }
}

/// A host, and what it and its groups say; what lies further out is added when its network is known.
struct Draft {
    host: Host,
    lease_secs: Option<u64>,
    power: Power,
}

/// All networks by name, and all hosts by name and place.
pub(super) fn hosts(config: &Config<'_>, site: &mut Site, diags: &mut Diags) {
    let mut drafts = networks(&config.networks, site, diags);
    let from = drafts.len();
    members(&config.strays, Context::default(), site, &mut drafts, diags);
    find_homes(drafts.split_at_mut(from).1, site, diags);
    site.hosts = drafts.into_iter().map(|draft| settle(draft, site)).collect();
    site.hosts.sort_by(|a, b| (&a.name, a.span).cmp(&(&b.name, b.span)));
}

/// Hosts that an edit adds to a block of the site.
pub fn more_hosts(nodes: &[Node<'_>], context: usize, site: &Site, diags: &mut Diags) -> Vec<Host> {
    let Some(block) = site.contexts.get(context) else { return Vec::new() };
    let mut drafts: Vec<Draft> = nodes.iter().filter_map(|node| host(node, block, context, diags)).collect();
    if block.network.is_none() {
        find_homes(&mut drafts, site, diags);
    }
    drafts.into_iter().map(|draft| settle(draft, site)).collect()
}

/// The cascade: host > group > network > profile > site. Tags append, those of the site first.
fn settle(draft: Draft, site: &Site) -> Host {
    let mut host = draft.host;
    if host.vm.is_some() {
        // It starts from its own disk, or from none.
        host.profile = Some(At { value: LOCAL.to_owned(), span: host.span });
    }
    let network = host.network.and_then(|index| site.networks.get(index));
    host.profile = host.profile.or_else(|| network?.profile.clone()).or_else(|| site.profile.clone());
    let profile = host.profile.as_ref().and_then(|profile| site.profile(&profile.value));
    let lease_secs = draft.lease_secs.or(network.and_then(|network| network.own_lease_secs));
    host.lease_secs = lease_secs.or(profile.and_then(|profile| profile.lease_secs)).or(site.lease_secs).unwrap_or(LEASE_SECS);
    let power = [network.map(|network| &network.power), profile.map(|profile| &profile.power), Some(&site.power)];
    let power = power.into_iter().flatten().fold(draft.power, Power::or);
    host.power = (!power.is_empty()).then(|| Box::new(power));
    let outer = [Some(&site.tags), profile.map(|profile| &profile.tags), network.map(|network| &network.tags)];
    if outer.iter().flatten().any(|tags| !tags.is_empty()) {
        let own = std::mem::take(&mut host.tags);
        host.tags = outer.into_iter().flatten().flatten().cloned().chain(own).collect();
    }
    if host.tags.len() > 1 {
        let mut seen = BTreeSet::new();
        host.tags.retain(|tag| seen.insert(tag.clone()));
    }
    host
}

fn networks(nodes: &[Node<'_>], site: &mut Site, diags: &mut Diags) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.title().unwrap_or_default().to_owned());
    let mut last: Option<&Node<'_>> = None;
    for node in sorted {
        if let Some(first) = last.filter(|last| last.title() == node.title()) {
            diags.push(crate::schema::twice(node, first));
            lose_members(&node.children, diags);
            continue;
        }
        last = Some(node);
        let Some(network) = network(node, site.lease_secs, diags) else {
            diags.lose("network");
            lose_members(&node.children, diags);
            continue;
        };
        let place = (site.networks.len(), network.subnet, Rc::from(network.name.as_str()));
        site.networks.push(network);
members(&node.children, Context { parent: "network", network: Some(place), ..Context::default() }, site, &mut drafts, diags);
    }
    drafts
}

/// Hosts and groups outside of a network; their addresses tell where they belong.
fn find_homes(drafts: &mut [Draft], site: &Site, diags: &mut Diags) {
    let mut by_base: Vec<(usize, &Network)> = site.networks.iter().enumerate().collect();
    by_base.sort_by_key(|(_, network)| network.subnet);
    for Draft { host, .. } in drafts {
        let Some(address) = &host.address else { continue };
        let at = by_base.partition_point(|(_, network)| network.subnet.base() <= address.value);
        let home = at.checked_sub(1).and_then(|at| by_base.get(at)).filter(|(_, network)| network.subnet.contains(address.value));
        match home {
            Some((index, _)) => host.network = Some(*index),
            None if diags.is_lost("network") => {}
            None => {
                let diag = Diag::new("network/outside", address.span, format!("{} is in no network of this site", address.value));
                diags.push(diag.help("declare its network, or correct the address"));
            }
        }
    }
}

fn network(node: &Node<'_>, site_lease: Option<u64>, diags: &mut Diags) -> Option<Network> {
    let name = node.title()?.to_owned();
    let range = node.arg(1)?;
    let subnet = subnet(range, diags)?;
    let at = |prop: &str, diags: &mut Diags| {
        node.prop(prop).and_then(|entry| match prop {
            // A gateway elsewhere has a finding of its own, in `check`.
            "gateway" if entry.text().is_some() => dotted(entry.text()?, entry.value_span, diags),
            _ => address(entry, Some(subnet), &name, diags),
        })
    };
    let (gateway, server) = (at("gateway", diags), at("server", diags));
    let own_lease_secs = duration(node.prop("lease"));
    let lease_secs = own_lease_secs.or(site_lease).unwrap_or(LEASE_SECS);
    Some(Network {
        dns: dns(node.prop("dns"), subnet, &name, diags),
        pools: node.named("pool").filter_map(|pool| self::pool(pool, subnet, &name, lease_secs, diags)).collect(),
        profile: node.prop("profile").and_then(located),
        subnet_span: range.value_span,
        tags: names(node.prop("tags")).map(str::to_owned).collect(),
        power: power(|name| node.prop(name)),
        span: node.span,
        own_lease_secs,
        name,
        subnet,
        gateway,
        server,
        lease_secs,
    })
}

fn subnet(entry: &Entry<'_>, diags: &mut Diags) -> Option<Subnet> {
    let text = entry.text()?;
    match Subnet::parse(text) {
        Ok(subnet) => return Some(subnet),
        Err(SubnetError::HostBits(subnet)) => {
            let message = format!("{text} has host bits; the network is {subnet}");
            diags.push(Diag::new("network/host-bits", entry.value_span, message).help(format!("write \"{subnet}\"")));
        }
        Err(SubnetError::Form) => {
            let diag = Diag::new("schema/type", entry.value_span, format!("`{text}` is no IPv4 address range"));
            diags.push(diag.help("an address, a slash and the number of network bits, such as \"10.0.0.0/24\""));
        }
    }
    None
}

fn dns(entry: Option<&Entry<'_>>, subnet: Subnet, network: &str, diags: &mut Diags) -> Vec<At<std::net::Ipv4Addr>> {
    let Some(entry) = entry else { return Vec::new() };
    if entry.int().is_some() {
        return address(entry, Some(subnet), network, diags).into_iter().collect();
    }
    // A resolver may stand anywhere, so an address outside of the network is fine here.
    names(Some(entry)).filter_map(|text| dotted(text, entry.value_span, diags)).collect()
}

fn pool(node: &Node<'_>, subnet: Subnet, network: &str, lease_secs: u64, diags: &mut Diags) -> Option<Pool> {
    let first = address(node.arg(0)?, Some(subnet), network, diags);
    let last = address(node.arg(1)?, Some(subnet), network, diags);
    let (first, last) = (first?.value, last?.value);
    if last < first {
        let diag = Diag::new("network/pool-reversed", node.span, format!("pool ends at {last}, before it starts at {first}"));
        diags.push(diag.help(format!("write: pool \"{last}\" \"{first}\"")));
        diags.lose(network);
        return None;
    }
    Some(Pool {
        first,
        last,
        lease_secs: duration(node.prop("lease")).unwrap_or(lease_secs),
        profile: node.prop("profile").and_then(located),
        span: node.span,
    })
}

fn members(nodes: &[Node<'_>], context: Context, site: &mut Site, drafts: &mut Vec<Draft>, diags: &mut Diags) {
    let number = site.contexts.len();
    site.contexts.push(context.clone());
    for node in nodes {
        match &*node.name.text {
            "host" | "vm" => drafts.extend(host(node, &context, number, diags)),
            "group" => {
                let mut inner = Context { parent: "group", ..context.clone() };
                inner.tags.extend(names(node.prop("tags")).map(str::to_owned));
                if inner.tags.len() > TAGS_MAX {
                    let message = format!("hosts of this group have more than {TAGS_MAX} tags");
                    diags.push(Diag::new("eval/limit", node.span, message).help("delete some"));
                    inner.tags.truncate(TAGS_MAX);
                }
                inner.profile = node.prop("profile").and_then(located).or(inner.profile);
                inner.power = power(|name| node.prop(name)).or(&context.power);
                inner.lease_secs = duration(node.prop("lease")).or(inner.lease_secs);
                inner.groups = context.groups.iter().cloned().chain(node.title().map(str::to_owned)).collect();
                members(&node.children, inner, site, drafts, diags);
            }
            _ => {}
        }
    }
}

/// The hosts of a network that cannot be read: nobody is blamed for naming them.
fn lose_members(nodes: &[Node<'_>], diags: &mut Diags) {
    for node in nodes {
        node.title().into_iter().for_each(|title| diags.lose(title));
        lose_members(&node.children, diags);
    }
}

/// A host, or nothing where any part of it is wrong; its name is then lost, and not missed.
fn host(node: &Node<'_>, block: &Context, context: usize, diags: &mut Diags) -> Option<Draft> {
    let before = diags.errors();
    let host = whole_host(node, block, context, diags).filter(|_| diags.errors() == before);
    if host.is_none() {
        node.title().into_iter().for_each(|title| diags.lose(title));
    }
    host
}

fn whole_host(node: &Node<'_>, block: &Context, context: usize, diags: &mut Diags) -> Option<Draft> {
    let title = node.arg(0)?;
    let name = HostName::parse(title.text()?);
    if name.is_none() {
        let message = format!("`{}`: letters, digits and hyphens only (RFC 1123)", title.text().unwrap_or_default());
        diags.push(Diag::new("host/bad-name", title.value_span, message).help("write one label, without dots and underscores"));
    }
    let (mut macs, mut home) = (Vec::new(), None);
    let subnet = block.network.as_ref().map(|(_, subnet, _)| *subnet);
    let network = block.network.as_ref().map_or("", |(_, _, name)| &**name);
    if node.args().count() == 1 {
        let diag = Diag::new("schema/missing", node.span, format!("`{}` needs an address, a MAC, or both", node.name.text));
        diags.push(diag.help(format!("write it like this: {} pc-07 27 \"a0:36:9f:00:00:1b\"", node.name.text)));
    }
    for entry in node.args().skip(1) {
        let is_address = entry.int().is_some() || entry.text().is_some_and(|text| text.split('.').count() == 4);
        if !is_address {
            macs.extend(mac(entry, diags));
        } else if home.is_none() {
            home = address(entry, subnet, network, diags);
        } else {
            let diag = Diag::new("schema/too-many", entry.value_span, "a host has one address; this is the second");
            diags.push(diag.help("declare a host for each address, or a DNS record"));
        }
    }
    let is_vm = node.name.text == "vm";
    let vm = if is_vm { Some(Box::new(vm::vm(node, diags)?)) } else { None };
    let host = Host {
        name: name?,
        macs,
        address: home,
        network: block.network.as_ref().map(|(index, _, _)| *index),
        profile: node.prop("profile").and_then(located).or_else(|| block.profile.clone()),
        lease_secs: LEASE_SECS,
        tags: block.tags.iter().cloned().chain(names(node.prop("tags")).map(str::to_owned)).collect(),
        power: None,
        note: node.prop("note").and_then(located).map(Box::new),
        vm,
        groups: block.groups.clone(),
        context,
        span: node.span,
    };
    let power = power(|name| node.prop(name)).or(&block.power);
    Some(Draft { host, lease_secs: duration(node.prop("lease")).or(block.lease_secs), power })
}

fn mac(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<Mac>> {
    let (text, span) = (entry.text()?, entry.value_span);
    let diag = match Mac::parse(text) {
        Ok(mac) if !mac.is_multicast() => return Some(At { value: mac, span }),
        Ok(_) => Diag::new("host/multicast-mac", span, format!("{text} is a multicast address; no NIC owns it"))
            .help("the second digit of a NIC's MAC is even: read it from the machine's label or its firmware"),
        Err(0) => Diag::new("host/bad-mac", span, format!("`{text}` is neither an address nor a MAC"))
            .help("write six bytes in hexadecimal, such as \"52:54:00:12:34:56\""),
        Err(count) => Diag::new("host/bad-mac", span, format!("`{text}` has {count} bytes, a MAC has 6"))
            .help("write six bytes in hexadecimal, such as \"52:54:00:12:34:56\""),
    };
    diags.push(diag);
    None
}

fn duration(entry: Option<&Entry<'_>>) -> Option<u64> {
    entry.and_then(Entry::text).and_then(duration_secs)
}

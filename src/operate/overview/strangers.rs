//! Machines that nobody declared, each with the line that would declare it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Known, RECENT_MICROS, secs};
use crate::answer::dhcp::LeaseState;
use crate::out::table::{NetworkRow, Tables};

/// A machine that asked for an address, or has one, and that the site does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stranger {
    pub mac: String,
    /// Of a pool.
    pub address: Option<Ipv4Addr>,
    pub network: Option<String>,
    /// When it was heard last, in seconds since 1970; `None` where its lease alone tells of it.
    pub heard: Option<i64>,
    /// Goes into the network: `host new-1 61 "52:54:00:77:00:63"`
    pub line: String,
}

/// Those that are there now or were within the last day; the newest first.
pub(super) fn strangers(known: &Known<'_>) -> Vec<Stranger> {
    let tables = known.tables;
    let now = known.now.as_microsecond();
    let mut all: BTreeMap<&str, (Option<Ipv4Addr>, Option<i64>)> = BTreeMap::new();
    for (mac, asker) in known.recent.strangers.iter().filter(|(_, asker)| now - asker.at < RECENT_MICROS) {
        all.insert(mac, (asker.address, Some(secs(asker.at))));
    }
    for lease in known
        .leases
        .unwrap_or_default()
        .iter()
        .filter(|lease| lease.state == LeaseState::Granted && lease.until > now as u64 / 1_000_000)
    {
        all.entry(&lease.mac).or_default().0 = Some(lease.address);
    }
    let unknown = all.into_iter().filter(|(mac, _)| !tables.hosts.contains_key(*mac));
    let mut found: Vec<_> = unknown.map(|(mac, (address, heard))| (mac.to_owned(), address, heard)).collect();
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    let (mut names, mut taken) = (Names::default(), BTreeSet::new());
    let with_line = |(mac, address, heard): (String, Option<Ipv4Addr>, Option<i64>)| {
        // A site of one network has all its machines there.
        let only = || tables.networks.first().filter(|_| tables.networks.len() == 1);
        let network = address.and_then(|address| tables.network_of(address)).or_else(only);
        let free = network.and_then(|network| free(network, tables, &mut taken));
        let number = free.map(|number| format!("{number} ")).unwrap_or_default();
        let line = format!("host {} {number}\"{mac}\"", names.next(tables));
        Stranger { mac, address, network: network.map(|network| network.network.clone()), heard, line }
    };
    found.into_iter().map(with_line).collect()
}

/// `new-1`, `new-2`, and so on, without those that the site has.
#[derive(Default)]
struct Names(u32);

impl Names {
    fn next(&mut self, tables: &Tables) -> String {
        loop {
            self.0 += 1;
            let name = format!("new-{}", self.0);
            if !tables.facts.contains_key(&name) {
                return name;
            }
        }
    }
}

/// The first address of a network that nobody has and no pool gives away, as its number there.
fn free(network: &NetworkRow, tables: &Tables, taken: &mut BTreeSet<Ipv4Addr>) -> Option<u32> {
    let (first, last) = (u32::from(network.first), u32::from(network.broadcast()));
    let mut at = first.checked_add(1)?;
    while at < last {
        let address = Ipv4Addr::from(at);
        if let Some(pool) = network.pools.iter().find(|pool| pool.contains(address)) {
            at = u32::from(pool.last).checked_add(1)?;
            continue;
        }
        if !tables.reserved.contains_key(&address) && taken.insert(address) {
            return Some(at - first);
        }
        at += 1;
    }
    None
}

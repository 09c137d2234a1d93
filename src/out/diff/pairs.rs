//! Which old host is which new one.
//!
//! A host keeps its name, and then another MAC is another card; or it keeps its MACs, and then another
//! name is a renaming. Where names and MACs cross, both readings are tried on the hosts that hang
//! together, and the one with fewer changes is told: who swaps two cards sees two other MACs, and who
//! swaps two names sees two renamings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::side::Host;

/// An old host and the new one that it became; one alone was removed, or added.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) old: Option<&'a Host>,
    pub(super) new: Option<(usize, &'a Host)>,
}

/// What a removal or an addition costs, in changed facts.
const ALONE: usize = 3;

/// All hosts that differ.
pub(super) fn pairs<'a>(old: &'a [Host], new: &'a [Host]) -> Vec<Pair<'a>> {
    let Differing { old: was, new: is, certain: mut pairs } = differing(old, new);
    let mut groups = Groups::new(&was, &is);
    let mut parts: BTreeMap<usize, Part<'a>> = BTreeMap::new();
    for (at, host) in was.iter().enumerate() {
        parts.entry(groups.root(at)).or_default().old.push(host);
    }
    for (at, host) in is.iter().enumerate() {
        parts.entry(groups.root(was.len() + at)).or_default().new.push(*host);
    }
    pairs.extend(parts.into_values().flat_map(|part| part.pairs()));
    pairs
}

/// Hosts that are not the same on both sides.
#[derive(Default)]
struct Differing<'a> {
    old: Vec<&'a Host>,
    new: Vec<(usize, &'a Host)>,
    /// The same name and the same MACs: nobody else can be meant.
    certain: Vec<Pair<'a>>,
}

/// Both lists are sorted by name.
fn differing<'a>(old: &'a [Host], new: &'a [Host]) -> Differing<'a> {
    let mut found = Differing::default();
    let (mut left, mut right) = (old.iter().peekable(), new.iter().enumerate().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return found,
            (Some(host), Some((_, other))) if host.name == other.name => {
                let same = host.has_same_rows(other);
                let (macs, other_macs) = (host.macs(), other.macs());
                let (host, other) = (left.next().filter(|_| !same), right.next().filter(|_| !same));
                if macs == other_macs && !macs.is_empty() {
                    found.certain.extend(host.zip(other).map(|(old, new)| Pair { old: Some(old), new: Some(new) }));
                } else {
                    found.old.extend(host);
                    found.new.extend(other);
                }
            }
            (Some(host), Some((_, other))) if host.name < other.name => found.old.extend(left.next()),
            (Some(_), None) => found.old.extend(left.next()),
            (Some(_) | None, Some(_)) => found.new.extend(right.next()),
        }
    }
}

/// Hosts that hang together, by a name, a MAC, or an address without a MAC: a forest of parents.
struct Groups {
    parents: Vec<usize>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Name(&'a str),
    Mac(&'a str),
    Address(Ipv4Addr),
}

fn keys(host: &Host) -> impl Iterator<Item = Key<'_>> {
    let macs = host.macs();
    let addresses = if macs.is_empty() { host.addresses() } else { Vec::new() };
    let names = std::iter::once(Key::Name(&host.name));
    names.chain(addresses.into_iter().map(Key::Address)).chain(macs.into_iter().map(Key::Mac))
}

impl Groups {
    fn new(old: &[&Host], new: &[(usize, &Host)]) -> Groups {
        let mut groups = Groups { parents: (0..old.len() + new.len()).collect() };
        let all = old.iter().copied().chain(new.iter().map(|(_, host)| *host)).enumerate();
        let mut known: Vec<(Key<'_>, usize)> = all.flat_map(|(at, host)| keys(host).map(move |key| (key, at))).collect();
        known.sort_unstable();
        for ((key, at), (next, other)) in known.iter().zip(known.iter().skip(1)) {
            let (a, b) = (groups.root(*at), groups.root(*other));
            if let Some(parent) = groups.parents.get_mut(a.max(b)).filter(|_| key == next) {
                *parent = a.min(b);
            }
        }
        groups
    }

    fn root(&mut self, mut at: usize) -> usize {
        while let Some(parent) = self.parents.get(at).copied().filter(|parent| *parent != at) {
            // Halve the way for whoever comes next, or a long chain would take quadratic time.
            let above = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(at) {
                *slot = above;
            }
            at = above;
        }
        at
    }
}

/// Hosts that hang together.
#[derive(Default)]
struct Part<'a> {
    old: Vec<&'a Host>,
    new: Vec<(usize, &'a Host)>,
}

impl<'a> Part<'a> {
    fn pairs(&self) -> Vec<Pair<'a>> {
        if let ([old], [new]) = (self.old.as_slice(), self.new.as_slice()) {
            // They hang together, so they share something.
            return vec![Pair { old: Some(old), new: Some(*new) }];
        }
        let by_name = self.matched([Part::by_name, Part::by_mac, Part::by_address]);
        if by_name.len() == 1 {
            return by_name;
        }
        let by_mac = self.matched([Part::by_mac, Part::by_name, Part::by_address]);
        let cost = |pairs: &[Pair<'_>]| pairs.iter().map(cost).sum::<usize>();
        if cost(&by_mac) < cost(&by_name) { by_mac } else { by_name }
    }

    fn matched(&self, steps: [fn(&Part<'a>, &mut Matching); 3]) -> Vec<Pair<'a>> {
        let mut matching = Matching { of_old: vec![None; self.old.len()], taken: BTreeSet::new() };
        steps.iter().for_each(|step| step(self, &mut matching));
        let old = self.old.iter().zip(&matching.of_old);
        let old = old.map(|(host, new)| Pair { old: Some(*host), new: new.and_then(|at| self.new.get(at).copied()) });
        let alone = self.new.iter().enumerate().filter(|(at, _)| !matching.taken.contains(at));
        old.chain(alone.map(|(_, host)| Pair { old: None, new: Some(*host) })).collect()
    }

    fn by_name(&self, matching: &mut Matching) {
        let names: BTreeMap<&str, usize> = self.new.iter().enumerate().map(|(at, (_, host))| (host.name.as_str(), at)).collect();
        matching.take(&self.old, |host| names.get(host.name.as_str()).copied().into_iter().collect());
    }

    /// Whoever has most of the MACs; among equals the one of the same name, then the first.
    fn by_mac(&self, matching: &mut Matching) {
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, (_, host)) in self.new.iter().enumerate() {
            owners.extend(host.macs().into_iter().map(|mac| (mac, at)));
        }
        matching.take(&self.old, |host| {
            let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
            host.macs().iter().filter_map(|mac| owners.get(mac)).for_each(|at| *shared.entry(*at).or_default() += 1);
            let other_name = |at: usize| self.new.get(at).is_none_or(|(_, other)| other.name != host.name);
            let mut best: Vec<(usize, usize)> = shared.into_iter().collect();
            best.sort_by_key(|(at, count)| (usize::MAX - count, other_name(*at), *at));
            best.into_iter().map(|(at, _)| at).collect()
        });
    }

    /// Hosts without a MAC are known by their address.
    fn by_address(&self, matching: &mut Matching) {
        let mut owners: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for (at, (_, host)) in self.new.iter().enumerate().filter(|(_, (_, host))| host.macs().is_empty()) {
            owners.extend(host.addresses().into_iter().map(|address| (address, at)));
        }
        matching.take(&self.old, |host| {
            let addresses = host.addresses().into_iter().filter(|_| host.macs().is_empty());
            addresses.filter_map(|address| owners.get(&address).copied()).collect()
        });
    }
}

/// Who is matched so far.
struct Matching {
    of_old: Vec<Option<usize>>,
    taken: BTreeSet<usize>,
}

impl Matching {
    /// Gives each old host that has nobody the first free one of those that `wanted` names.
    fn take(&mut self, old: &[&Host], wanted: impl Fn(&Host) -> Vec<usize>) {
        for (host, slot) in old.iter().zip(&mut self.of_old).filter(|(_, slot)| slot.is_none()) {
            *slot = wanted(host).into_iter().find(|at| !self.taken.contains(at));
            self.taken.extend(*slot);
        }
    }
}

/// How many facts change.
fn cost(pair: &Pair<'_>) -> usize {
    let (Some(old), Some((_, new))) = (pair.old, pair.new) else { return ALONE };
    let differ = [
        old.name != new.name,
        old.macs() != new.macs(),
        old.addresses() != new.addresses(),
        old.menus() != new.menus(),
        old.networks() != new.networks(),
        old.leases() != new.leases(),
    ];
    differ.iter().filter(|differ| **differ).count()
}

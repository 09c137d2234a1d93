//! Networks: what their clients are told, and their pools.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::side::{Side, Touched};
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{NetworkRow, PoolRow};
use crate::schema::show_duration;

/// Old name → new name of the networks that kept their addresses and nothing else of their name.
pub(super) fn renamed(old: &Side<'_>, new: &Side<'_>) -> BTreeMap<String, String> {
    let alone = |row: &&NetworkRow, other: &Side<'_>| !other.networks.contains_key(&row.network);
    let by_address: BTreeMap<(Ipv4Addr, Ipv4Addr), &NetworkRow> =
        new.networks.values().filter(|row| alone(row, old)).map(|row| ((row.first, row.mask), row)).collect();
    let gone = old.networks.values().filter(|row| alone(row, new));
    gone.filter_map(|row| Some((row.network.clone(), by_address.get(&(row.first, row.mask))?.network.clone()))).collect()
}

pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, names: &BTreeMap<String, String>, touched: &mut Touched) -> Vec<Change> {
    let mut all = Vec::new();
    let kept: BTreeSet<&String> = names.values().collect();
    let nets = Span::of_pools(new);
    for row in old.networks.values() {
        let name = names.get(&row.network).unwrap_or(&row.network);
        match new.networks.get(name) {
            Some(other) if row == other => {}
            Some(other) => {
                let facts = changed(row, other, &nets);
                all.push(change(row, Action::Changed, facts.clone(), reach(new, other, &facts, touched)));
            }
            None => {
                let facts = whole(row).into_iter().map(|fact| Fact { from: fact.to, to: None, ..fact }).collect();
                all.push(change(row, Action::Removed, facts, Reach::default()));
            }
        }
    }
    let added = new.networks.values().filter(|row| !old.networks.contains_key(&row.network) && !kept.contains(&row.network));
    all.extend(added.map(|row| change(row, Action::Added, whole(row), Reach::default())));
    alike(all)
}

/// What only its pools say does not reach hosts; its name reaches nobody.
const OF_POOLS: [&str; 6] = ["pool", "pools", "pool lease", "pool menu", "stranded", "name"];

fn reach(new: &Side<'_>, row: &NetworkRow, facts: &[Fact], touched: &mut Touched) -> Reach {
    if facts.iter().any(|fact| !OF_POOLS.contains(&fact.fact)) {
        return new.reach_of_network(row, touched);
    }
    let pools = (facts.iter().any(|fact| fact.fact != "name") && !row.pools.is_empty()).then(|| row.network.clone());
    Reach { pools: pools.into_iter().collect(), ..Reach::default() }
}

/// Networks with the same change are one change.
fn alike(all: Vec<Change>) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    let mut known: BTreeMap<(Action, Vec<Fact>), usize> = BTreeMap::new();
    for change in all {
        let key = (change.action, change.facts.clone());
        match known.get(&key).and_then(|at| out.get_mut(*at)) {
            Some(first) => {
                first.subjects.extend(change.subjects);
                first.reach.join(change.reach);
            }
            None => {
                known.insert(key, out.len());
                out.push(change);
            }
        }
    }
    out
}

fn change(row: &NetworkRow, action: Action, facts: Vec<Fact>, reach: Reach) -> Change {
    let boot = facts.iter().any(|fact| fact.fact == "pool menu");
    let lease = facts.iter().any(|fact| fact.fact != "pool menu");
    let when: BTreeSet<When> = match action {
        Action::Added => [When::Now].into(),
        Action::Removed => [When::NextLease].into(),
        Action::Changed => lease.then_some(When::NextLease).into_iter().chain(boot.then_some(When::NextBoot)).collect(),
    };
    let subjects = vec![Subject { name: row.network.clone(), facts: Vec::new() }];
    Change { area: Area::Networks, action, when, facts, subjects, reach }
}

/// All that a network says, as single values.
fn values(row: &NetworkRow) -> Vec<(&'static str, Option<String>)> {
    let list = |addresses: &[Ipv4Addr]| {
        (!addresses.is_empty()).then(|| addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", "))
    };
    let bits = u32::from(row.mask).leading_ones();
    // A mask with holes is nobody's, but it is told.
    let mask =
        if u32::from(row.mask) == u32::MAX.checked_shl(32 - bits).unwrap_or(0) { bits.to_string() } else { row.mask.to_string() };
    vec![
        ("addresses", Some(format!("{}/{mask}", row.first))),
        ("server", row.server.map(|address| address.to_string())),
        ("gateway", row.gateway.map(|address| address.to_string())),
        ("dns", list(&row.dns)),
        ("domain", Some(row.domain.clone())),
        ("timezone", row.timezone.clone()),
        ("lease", Some(show_duration(row.lease_secs.into()))),
    ]
}

fn whole(row: &NetworkRow) -> Vec<Fact> {
    let values = values(row).into_iter().filter_map(|(name, value)| Some(Fact::new(name, None, Some(value?))));
    values.chain(row.pools.iter().map(|pool| Fact::new("pool", None, Some(described(pool))))).collect()
}

fn changed(old: &NetworkRow, new: &NetworkRow, pools: &[Span]) -> Vec<Fact> {
    let name = (old.network != new.network).then(|| Fact::new("name", Some(old.network.clone()), Some(new.network.clone())));
    let values = values(old).into_iter().zip(values(new)).filter(|(was, is)| was != is);
    let values = values.map(|((name, from), (_, to))| Fact::new(name, from, to));
    let mut facts: Vec<Fact> = name.into_iter().chain(values).collect();
    facts.extend(pool_facts(&old.pools, &new.pools));
    facts.extend(stranded(old, pools));
    facts
}

/// What a pool says, in one text.
fn described(pool: &PoolRow) -> String {
    format!("{} lease {} menu {}", range(pool), show_duration(pool.lease_secs.into()), pool.menu)
}

fn range(pool: &PoolRow) -> String {
    format!("{}–{}", pool.first, pool.last)
}

/// A pool is the same where it begins alike, or else ends alike; the others came or went.
fn pool_facts(old: &[PoolRow], new: &[PoolRow]) -> Vec<Fact> {
    let places =
        |of: fn(&PoolRow) -> Ipv4Addr| new.iter().enumerate().map(|(at, pool)| (of(pool), at)).collect::<BTreeMap<_, _>>();
    let (firsts, lasts) = (places(|pool| pool.first), places(|pool| pool.last));
    let mut matched: BTreeMap<usize, &PoolRow> = BTreeMap::new();
    let mut gone: Vec<&PoolRow> = Vec::new();
    for pool in old {
        let same = [firsts.get(&pool.first), lasts.get(&pool.last)].into_iter().flatten().find(|at| !matched.contains_key(at));
        match same {
            Some(at) => drop(matched.insert(*at, pool)),
            None => gone.push(pool),
        }
    }
    let mut facts: Vec<Fact> = gone.into_iter().map(|pool| Fact::new("pool", Some(described(pool)), None)).collect();
    for (at, is) in new.iter().enumerate() {
        match matched.get(&at) {
            Some(was) => facts.extend(pool_changed(was, is)),
            None => facts.push(Fact::new("pool", None, Some(described(is)))),
        }
    }
    if facts.is_empty() && old != new {
        let list = |pools: &[PoolRow]| Some(pools.iter().map(described).collect::<Vec<_>>().join("; "));
        facts.push(Fact::new("pools", list(old), list(new)));
    }
    facts
}

fn pool_changed(old: &PoolRow, new: &PoolRow) -> Vec<Fact> {
    let lease = |pool: &PoolRow| show_duration(pool.lease_secs.into());
    let values = [
        ("pool", range(old), range(new)),
        ("pool lease", lease(old), lease(new)),
        ("pool menu", old.menu.clone(), new.menu.clone()),
    ];
    let differ = values.into_iter().filter(|(_, was, is)| was != is);
    differ
        .map(|(name, was, is)| Fact { of: (name != "pool").then(|| range(new)), ..Fact::new(name, Some(was), Some(is)) })
        .collect()
}

/// Addresses from one to another.
#[derive(Clone, Copy)]
struct Span {
    first: u32,
    last: u32,
}

impl Span {
    /// All pools of a side, sorted.
    fn of_pools(side: &Side<'_>) -> Vec<Span> {
        let pools = side.networks.values().flat_map(|row| &row.pools);
        let mut spans: Vec<Span> = pools.map(|pool| Span { first: pool.first.into(), last: pool.last.into() }).collect();
        spans.sort_by_key(|span| span.first);
        spans
    }
}

/// Addresses that a pool gave away and none does any more: whoever has one cannot renew it.
fn stranded(old: &NetworkRow, pools: &[Span]) -> Option<Fact> {
    let mut left: Vec<Span> = Vec::new();
    for pool in &old.pools {
        let (mut next, last) = (u64::from(u32::from(pool.first)), u64::from(u32::from(pool.last)));
        let from = pools.partition_point(|span| u64::from(span.last) < next);
        for span in pools.iter().skip(from).take_while(|span| u64::from(span.first) <= last) {
            if u64::from(span.first) > next {
                left.push(Span { first: next as u32, last: span.first - 1 });
            }
            next = next.max(u64::from(span.last) + 1);
        }
        if next <= last {
            left.push(Span { first: next as u32, last: last as u32 });
        }
    }
    let count: u64 = left.iter().map(|span| u64::from(span.last - span.first) + 1).sum();
    let ranges: Vec<String> = left
        .iter()
        .map(|span| match (Ipv4Addr::from(span.first), Ipv4Addr::from(span.last)) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}–{last}"),
        })
        .collect();
    (count > 0).then(|| Fact { of: Some(ranges.join(", ")), ..Fact::new("stranded", Some(count.to_string()), None) })
}

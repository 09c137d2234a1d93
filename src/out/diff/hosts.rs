//! What becomes of each host: added, removed, renamed, moved, another card, menu, lease or network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::pairs::Pair;
use super::side::{Host, Side, Touched};
use super::{Action, Area, Change, Fact, Reach, Subject, When, belonging, power, roots, vms};
use crate::schema::show_duration;

/// What hosts have in common is told once: action, moments, common facts, kinds of the own ones.
type Likeness = (Action, BTreeSet<When>, Vec<Fact>, Vec<&'static str>);

/// The hosts that differ, those with the same change as one change.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, pairs: &[Pair<'_>], touched: &mut Touched) -> Vec<Change> {
    let cards = Cards::of(pairs);
    let mut groups: BTreeMap<Likeness, Vec<Subject>> = BTreeMap::new();
    for pair in pairs {
        touched.hosts.extend(pair.new.map(|(at, _)| at));
        touched.gone += usize::from(pair.new.is_none());
        let Some(told) = tell(pair, &cards, [old, new]) else { continue };
        let kinds = told.own.iter().map(|fact| fact.fact).collect();
        let subject = Subject { name: told.name, facts: told.own };
        groups.entry((told.action, told.when, told.common, kinds)).or_default().push(subject);
    }
    let change = |((action, when, facts, _), mut subjects): (Likeness, Vec<Subject>)| {
        subjects.sort();
        Change { area: Area::Hosts, action, when, facts, subjects, reach: Reach::default() }
    };
    groups.into_iter().map(change).collect()
}

/// What happened to one host.
struct Told {
    name: String,
    action: Action,
    when: BTreeSet<When>,
    common: Vec<Fact>,
    own: Vec<Fact>,
}

fn tell(pair: &Pair<'_>, cards: &Cards<'_>, sides: [&Side<'_>; 2]) -> Option<Told> {
    match (pair.old, pair.new) {
        (Some(old), Some((_, new))) => Some(changed(old, new, cards, sides)),
        (Some(old), None) => {
            let has_lease = !old.macs().is_empty() && !old.addresses().is_empty();
            let when = BTreeSet::from([When::Now]).into_iter().chain(has_lease.then_some(When::NextLease)).collect();
            Some(alone(old, Action::Removed, when, cards))
        }
        (None, Some((_, new))) => Some(alone(new, Action::Added, BTreeSet::from([When::Now]), cards)),
        (None, None) => None,
    }
}

/// A host that came or went, with all that it has.
fn alone(host: &Host, action: Action, when: BTreeSet<When>, cards: &Cards<'_>) -> Told {
    let fact = |name: &'static str, value: String| match action {
        Action::Removed => Fact::new(name, Some(value), None),
        Action::Added | Action::Changed => Fact::new(name, None, Some(value)),
    };
    let macs = host.macs();
    let mut own: Vec<Fact> = host.addresses().iter().map(|address| fact("address", address.to_string())).collect();
    own.extend(macs.iter().map(|mac| fact("MAC", (*mac).to_owned())));
    own.extend(match action {
        Action::Removed => cards.passed_on(&macs.iter().collect::<Vec<_>>(), None),
        Action::Added | Action::Changed => cards.taken_over(&macs.iter().collect::<Vec<_>>(), None),
    });
    let mut common: Vec<Fact> = host.menus().iter().map(|menu| fact("menu", (*menu).to_owned())).collect();
    common.extend(host.networks().iter().map(|network| fact("network", (*network).to_owned())));
    common.extend(host.roots.iter().map(|row| fact("root", roots::described(row))));
    common.extend(vms::values(host).into_iter().map(|(name, value)| fact(name, value)));
    common.extend(belonging::values(host).into_iter().map(|(name, value)| fact(name, value)));
    common.extend(power::values(host).into_iter().map(|(name, value)| fact(name, value)));
    common.extend(host.leases().into_iter().flatten().map(|secs| fact("lease", show_duration(secs.into()))));
    Told { name: host.name.clone(), action, when, common, own }
}

fn changed(old: &Host, new: &Host, cards: &Cards<'_>, [was, is]: [&Side<'_>; 2]) -> Told {
    let (mut when, mut own, mut common) = (BTreeSet::new(), Vec::new(), Vec::new());
    let (old_macs, new_macs) = (old.macs(), new.macs());
    if old.name != new.name {
        own.push(Fact::new("name", Some(old.name.clone()), Some(new.name.clone())));
        when.insert(When::Now);
    }
    let moved = set("address", &old.addresses(), &new.addresses(), Ipv4Addr::to_string);
    if !moved.is_empty() {
        // A host without a MAC has its address by itself; ours is the name alone.
        when.insert(if new_macs.is_empty() { When::Now } else { When::NextLease });
        own.extend(moved);
    }
    let other_cards = set("MAC", &old_macs, &new_macs, |mac| (*mac).to_owned());
    if !other_cards.is_empty() {
        when.insert(When::Now);
        own.extend(other_cards);
        let taken = cards.taken_over(&without(&new_macs, &old_macs), Some(&old.name));
        // Who took a card and gave one away stands in a row of exchanges: each line tells its own half.
        let passed = taken.is_empty().then(|| cards.passed_on(&without(&old_macs, &new_macs), Some(&new.name)));
        own.extend(taken.into_iter().chain(passed.into_iter().flatten()));
    }
    let menus = set("menu", &old.menus(), &new.menus(), |menu| (*menu).to_owned());
    when.extend((!menus.is_empty()).then_some(When::NextBoot));
    common.extend(menus);
    let mut told = set("network", &old.networks(), &new.networks(), |network| (*network).to_owned());
    let plain = |host: &Host| host.leases().iter().all(Option::is_none);
    if old.leases() != new.leases() && !(plain(old) && plain(new)) {
        told.push(Fact::new("lease", lease(old, was), lease(new, is)));
    }
    when.extend((!told.is_empty()).then_some(When::NextLease));
    common.extend(told);
    let (of_all, of_host) = roots::facts(old, new);
    when.extend((!of_all.is_empty() || !of_host.is_empty()).then_some(When::NextBoot));
    common.extend(of_all);
    own.extend(of_host);
    let of_vm = vms::facts(old, new);
    when.extend((!of_vm.is_empty()).then_some(When::NextBoot));
    common.extend(of_vm);
    let others = [power::facts(old, new), belonging::facts(old, new)].concat();
    when.extend((!others.is_empty()).then_some(When::Now));
    common.extend(others);
    if own.is_empty() && common.is_empty() {
        // Its MACs have other menus or addresses among themselves: no build writes that, but nothing is hidden.
        common.push(Fact::new("rows", None, None));
        when.insert(When::Now);
    }
    Told { name: old.name.clone(), action: Action::Changed, when, common, own }
}

/// The lease time of a host's own, or that of its network.
fn lease(host: &Host, side: &Side<'_>) -> Option<String> {
    let times: BTreeSet<String> = host
        .leases
        .iter()
        .map(|row| match (row.lease_secs, side.networks.get(&row.network)) {
            (Some(secs), _) => show_duration(secs.into()),
            (None, Some(network)) => format!("{} (its network's)", show_duration(network.lease_secs.into())),
            (None, None) => "that of its network".to_owned(),
        })
        .collect();
    (!times.is_empty()).then(|| times.into_iter().collect::<Vec<_>>().join(", "))
}

/// What a set lost and gained; one for one is a change.
pub(super) fn set<T: Ord>(fact: &'static str, old: &[T], new: &[T], show: impl Fn(&T) -> String) -> Vec<Fact> {
    let (gone, come) = (without(old, new), without(new, old));
    if let ([from], [to]) = (gone.as_slice(), come.as_slice()) {
        return vec![Fact::new(fact, Some(show(from)), Some(show(to)))];
    }
    let gone = gone.into_iter().map(|from| Fact::new(fact, Some(show(from)), None));
    gone.chain(come.into_iter().map(|to| Fact::new(fact, None, Some(show(to))))).collect()
}

/// What one sorted list has and another has not.
fn without<'t, T: Ord>(list: &'t [T], other: &[T]) -> Vec<&'t T> {
    list.iter().filter(|one| other.binary_search(one).is_err()).collect()
}

/// Who has a MAC among the hosts that differ.
struct Cards<'a> {
    old: BTreeMap<&'a str, &'a str>,
    new: BTreeMap<&'a str, &'a str>,
}

impl<'a> Cards<'a> {
    fn of(pairs: &[Pair<'a>]) -> Cards<'a> {
        let owned = |host: &'a Host| host.macs().into_iter().map(|mac| (mac, host.name.as_str())).collect::<Vec<_>>();
        let same = |pair: &&Pair<'a>| pair.old.zip(pair.new).is_some_and(|(old, (_, new))| old.macs() == new.macs());
        let moving: Vec<&Pair<'a>> = pairs.iter().filter(|pair| !same(pair)).collect();
        let old = moving.iter().filter_map(|pair| pair.old).flat_map(owned).collect();
        Cards { old, new: moving.iter().filter_map(|pair| pair.new).flat_map(|(_, host)| owned(host)).collect() }
    }

    /// MACs that another host had before.
    fn taken_over(&self, macs: &[&&str], own: Option<&str>) -> Vec<Fact> {
        let owners = macs.iter().filter_map(|mac| Some((mac, self.old.get(**mac).filter(|owner| Some(**owner) != own)?)));
        owners
            .map(|(mac, owner)| Fact {
                of: Some((**mac).to_string()),
                ..Fact::new("formerly of", Some((*owner).to_owned()), None)
            })
            .collect()
    }

    /// MACs that another host has now.
    fn passed_on(&self, macs: &[&&str], own: Option<&str>) -> Vec<Fact> {
        let owners = macs.iter().filter_map(|mac| Some((mac, self.new.get(**mac).filter(|owner| Some(**owner) != own)?)));
        owners
            .map(|(mac, owner)| Fact { of: Some((**mac).to_string()), ..Fact::new("now of", None, Some((*owner).to_owned())) })
            .collect()
    }
}

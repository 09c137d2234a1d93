//! Zones and forwarders: records that do not follow from what is told of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::files::{differing, reordered};
use super::pairs::Pair;
use super::side::{Host, Side};
use super::{Action, Area, Change, Fact, Files, Reach, Subject, When};
use crate::out::table::{FORWARDS, ZONE_SUFFIX, ZONES};

/// The name of a zone out of the path of its file.
fn zone_of(path: &str) -> Option<&str> {
    path.strip_prefix(ZONES)?.strip_suffix(ZONE_SUFFIX)
}

/// Zones that differ; those with the same change are one change. The paths of all that are told here go to `told`.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, pairs: &[Pair<'_>], told: &mut BTreeSet<String>) -> Vec<Change> {
    let paths: BTreeSet<&String> = zone_paths(old.files).chain(zone_paths(new.files)).collect();
    let paths: Vec<&String> = paths.into_iter().filter(|path| old.files.get(*path) != new.files.get(*path)).collect();
    let hosts = Hosts::of(old, new, if paths.is_empty() { &[] } else { pairs });
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<Subject>> = BTreeMap::new();
    for (path, zone) in paths.into_iter().filter_map(|path| Some((path, zone_of(path)?))) {
        let (was, is) = (old.files.get(path), new.files.get(path));
        let text = |bytes: Option<&'_ Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let (action, facts, mine) = match (text(was), text(is)) {
            (Some(was), Some(is)) => records(zone, &was, &is, &hosts)
                .map_or((Action::Changed, Vec::new(), false), |facts| (Action::Changed, facts, true)),
            (None, Some(text)) => (Action::Added, vec![Fact::new("records", None, Some(count(&text)))], true),
            (Some(text), None) => (Action::Removed, vec![Fact::new("records", Some(count(&text)), None)], true),
            (None, None) => continue,
        };
        told.extend((mine && !reordered(old.files, new.files, path)).then(|| path.clone()));
        if mine && !facts.is_empty() {
            groups.entry((action, facts)).or_default().push(Subject { name: zone.to_owned(), facts: Vec::new() });
        }
    }
    let change = |((action, facts), subjects): ((Action, Vec<Fact>), Vec<Subject>)| now(Area::Zones, action, facts, subjects);
    groups.into_iter().map(change).chain(forwards(old, new, told)).collect()
}

fn now(area: Area, action: Action, facts: Vec<Fact>, subjects: Vec<Subject>) -> Change {
    Change { area, action, when: BTreeSet::from([When::Now]), facts, subjects, reach: Reach::default() }
}

/// Their order is the order in which they are asked.
fn forwards(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Option<Change> {
    if old.forwards == new.forwards {
        return None;
    }
    told.insert(FORWARDS.to_owned());
    let list = |side: &Side<'_>| {
        (!side.forwards.is_empty()).then(|| side.forwards.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", "))
    };
    let facts = vec![Fact::new("forwarders", list(old), list(new))];
    Some(now(Area::Forwarders, Action::Changed, facts, vec![Subject { name: "forwarders".into(), facts: Vec::new() }]))
}

fn zone_paths(files: &Files) -> impl Iterator<Item = &String> {
    files.range(ZONES.to_owned()..).map(|(path, _)| path).take_while(|path| path.starts_with(ZONES))
}

fn count(zone: &str) -> String {
    zone.lines().filter(|line| !line.starts_with('$') && !line.is_empty()).count().to_string()
}

/// A name and an address that hosts among those that differ have.
type Named<'a> = BTreeSet<(&'a str, Ipv4Addr)>;

/// What the hosts' own changes say about names.
struct Hosts<'a> {
    old: Named<'a>,
    new: Named<'a>,
    domains: BTreeSet<&'a str>,
}

impl<'a> Hosts<'a> {
    fn of(old: &'a Side<'_>, new: &'a Side<'_>, pairs: &[Pair<'a>]) -> Hosts<'a> {
        let named =
            |host: &'a Host| host.addresses().into_iter().map(|address| (host.name.as_str(), address)).collect::<Vec<_>>();
        let was: Named<'a> = pairs.iter().filter_map(|pair| pair.old).flat_map(named).collect();
        let is: Named<'a> = pairs.iter().filter_map(|pair| pair.new).flat_map(|(_, host)| named(host)).collect();
        let rows = old.networks.values().chain(new.networks.values());
        Hosts { old: was, new: is, domains: rows.map(|row| row.domain.as_str()).collect() }
    }

    /// Does a record follow from what is told of a host?
    fn explain(&self, zone: &str, line: &Record<'_>, gone: bool) -> bool {
        let Some(known) = self.meaning(zone, line) else { return false };
        let (here, there) = if gone { (&self.old, &self.new) } else { (&self.new, &self.old) };
        here.contains(&known) && !there.contains(&known)
    }

    fn meaning<'l>(&self, zone: &str, line: &Record<'l>) -> Option<(&'l str, Ipv4Addr)> {
        if line.ttl.is_some() {
            return None;
        }
        if line.kind == "A" && self.domains.contains(zone) {
            return Some((line.owner, line.data.parse().ok()?));
        }
        let octets: Vec<&str> = line.owner.split('.').chain(zone.strip_suffix(".in-addr.arpa")?.split('.')).collect();
        let address = octets.into_iter().rev().collect::<Vec<_>>().join(".").parse().ok()?;
        let target = line.data.strip_suffix('.').filter(|_| line.kind == "PTR")?;
        let name = self.domains.iter().find_map(|domain| target.strip_suffix(domain)?.strip_suffix('.'))?;
        Some((name, address))
    }
}

/// A line of a zone.
struct Record<'l> {
    owner: &'l str,
    ttl: Option<&'l str>,
    kind: &'l str,
    data: &'l str,
}

impl<'l> Record<'l> {
    fn read(line: &'l str) -> Option<Record<'l>> {
        let (owner, rest) = line.split_once(' ')?;
        let (ttl, rest) = match rest.strip_prefix("IN ") {
            Some(rest) => (None, rest),
            None => {
                let (ttl, rest) = rest.split_once(" IN ")?;
                (Some(ttl).filter(|ttl| ttl.parse::<u32>().is_ok()), rest)
            }
        };
        let (kind, data) = rest.split_once(' ')?;
        Some(Record { owner, ttl, kind, data })
    }
}

/// The records that came, went and changed. `None` where the same lines stand in another order.
fn records(zone: &str, old: &str, new: &str, hosts: &Hosts<'_>) -> Option<Vec<Fact>> {
    let (gone, come) = differing(old.split('\n'), new.split('\n'));
    if gone.is_empty() && come.is_empty() {
        return None;
    }
    // Owner, kind and TTL → the data before and after.
    let mut sets: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
    let gone = gone.into_iter().map(|line| (line, true));
    for (line, went) in gone.chain(come.into_iter().map(|line| (line, false))) {
        let record = Record::read(line);
        let explained = record.as_ref().is_some_and(|record| hosts.explain(zone, record, went));
        if explained {
            continue;
        }
        let (key, data) = match record {
            Some(Record { owner, ttl, kind, data }) => {
                (format!("{owner} {kind}"), format!("{data}{}", ttl.map(|ttl| format!(" ttl {ttl}s")).unwrap_or_default()))
            }
            None => ("line".to_owned(), line.to_owned()),
        };
        let [gone, come] = sets.entry(key).or_default();
        (if went { gone } else { come }).push(data);
    }
    let fact =
        |of: &str, from: Option<String>, to: Option<String>| Fact { of: Some(of.to_owned()), ..Fact::new("record", from, to) };
    let facts = sets.into_iter().flat_map(|(of, [gone, come])| match (gone.as_slice(), come.as_slice()) {
        ([from], [to]) => vec![fact(&of, Some(from.clone()), Some(to.clone()))],
        _ => {
            let gone = gone.into_iter().map(|data| fact(&of, Some(data), None));
            gone.chain(come.into_iter().map(|data| fact(&of, None, Some(data)))).collect()
        }
    });
    Some(facts.collect())
}

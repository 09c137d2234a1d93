//! Menus: what changes in each, and which machines get it. The three files of a menu are one change.

use std::collections::{BTreeMap, BTreeSet};

use super::files::lines;
use super::side::{Side, Touched};
use super::view::{Entry, LOADERS, Menu, PXELINUX, View};
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::MENUS;

/// What every loader's language can say of an entry.
const COMMON: [&str; 6] = ["entry", "kernel", "initrd", "command line", "chain", "starts"];

/// Menus with the same change are one change. Their paths go to `told`.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, touched: &mut Touched, told: &mut BTreeSet<String>) -> Vec<Change> {
    let names: BTreeSet<&String> = old.menus.keys().chain(new.menus.keys()).collect();
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<&str>> = BTreeMap::new();
    for name in names {
        let change = match (old.menus.get(name), new.menus.get(name)) {
            (Some(was), Some(is)) => (Action::Changed, changed(name, was, is)),
            (None, Some(menu)) => (Action::Added, whole(name, menu, Action::Added)),
            (Some(menu), None) => (Action::Removed, whole(name, menu, Action::Removed)),
            (None, None) => continue,
        };
        let files =
            [&old.menus, &new.menus].map(|menus| menus.get(name)).into_iter().flatten().flat_map(|menu| menu.files.keys());
        told.extend(files.map(|loader| format!("{MENUS}{name}.{loader}")));
        if change != (Action::Changed, Vec::new()) {
            groups.entry(change).or_default().push(name);
        }
    }
    let change = |((action, facts), menus): ((Action, Vec<Fact>), Vec<&str>)| {
        let reach = match action {
            Action::Changed => new.reach_of_menus(&menus.iter().copied().collect(), touched),
            // Who gets it, or had it, is told with the hosts.
            Action::Added | Action::Removed => Reach::default(),
        };
        let subjects = menus.into_iter().map(|name| Subject { name: name.to_owned(), facts: Vec::new() }).collect();
        Change { area: Area::Menus, action, when: BTreeSet::from([When::NextBoot]), facts, subjects, reach }
    };
    groups.into_iter().map(change).collect()
}

/// What a menu says that came or went.
fn whole(name: &str, menu: &Menu, action: Action) -> Vec<Fact> {
    let view = menu.view(PXELINUX).unwrap_or_default();
    let nothing = View::default();
    let facts = match action {
        Action::Removed => compare(&view, &nothing),
        Action::Added | Action::Changed => compare(&nothing, &view),
    };
    let several = view.entries.len() > 1;
    let told = facts.into_iter().filter(|fact| several || !matches!(fact.fact, "entry" | "default" | "timeout"));
    let own = view.entries.first().filter(|_| !several).into_iter().flat_map(|entry| &entry.values).flat_map(|(key, values)| {
        let value = values.join(" ");
        std::iter::once(match action {
            Action::Removed => Fact::new(key, Some(value), None),
            Action::Added | Action::Changed => Fact::new(key, None, Some(value)),
        })
    });
    told.chain(own).map(|fact| own_entry(name, fact)).collect()
}

fn changed(name: &str, old: &Menu, new: &Menu) -> Vec<Fact> {
    let mut told: Vec<Fact> = Vec::new();
    let mut by_loader: Vec<(&str, Vec<Fact>)> = Vec::new();
    for loader in old.files.keys().chain(new.files.keys()).map(String::as_str).collect::<BTreeSet<_>>() {
        let (was, is) = match (old.files.get(loader), new.files.get(loader)) {
            (Some(was), Some(is)) if was == is => continue,
            (Some(was), Some(is)) => (was, is),
            (was, is) => {
                let file = || format!("{name}.{loader}");
                told.push(Fact::new("file", was.map(|_| file()), is.map(|_| file())));
                continue;
            }
        };
        let facts = old.view(loader).zip(new.view(loader)).map(|(was, is)| compare(&was, &is)).unwrap_or_default();
        if facts.is_empty() {
            told.push(Fact { of: Some(format!("{name}.{loader}")), ..lines(was, is) });
        }
        by_loader.push((loader, facts));
    }
    let shared = agreed(&by_loader);
    shared.into_iter().map(|fact| own_entry(name, fact)).chain(told).collect()
}

/// What the loaders say alike, once; where one says what the others could say and do not, it is named.
fn agreed(by_loader: &[(&str, Vec<Fact>)]) -> Vec<Fact> {
    let mut all: Vec<Fact> = Vec::new();
    for loader in LOADERS {
        let Some((_, facts)) = by_loader.iter().find(|(name, _)| *name == loader) else { continue };
        for fact in facts {
            let everywhere =
                LOADERS.iter().all(|loader| by_loader.iter().any(|(name, facts)| name == loader && facts.contains(fact)));
            let one = if everywhere || !COMMON.contains(&fact.fact) {
                fact.clone()
            } else {
                let of = fact.of.as_ref().map_or(loader.to_owned(), |of| format!("{of} ({loader})"));
                Fact { of: Some(of), ..fact.clone() }
            };
            // Title, default, label and timeout are told by the first loader whose language has them.
            let told = all.iter().any(|other| (other.fact, &other.of) == (one.fact, &one.of) && !COMMON.contains(&one.fact));
            if !told && !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// A profile's menu has one entry, which bears its name: to say so each time helps nobody.
fn own_entry(menu: &str, fact: Fact) -> Fact {
    Fact { of: fact.of.filter(|of| of != menu), ..fact }
}

fn compare(old: &View, new: &View) -> Vec<Fact> {
    let keys: BTreeSet<&'static str> = old.head.keys().chain(new.head.keys()).copied().collect();
    let heads = keys.into_iter().filter_map(|key| differs(key, old.head.get(key).cloned(), new.head.get(key).cloned()));
    let mut facts: Vec<Fact> = heads.collect();
    let ids = |view: &View| view.entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
    let (was, is) = (ids(old), ids(new));
    let find = |view: &'_ View, id: &str| view.entries.iter().position(|entry| entry.id == *id);
    facts.extend(was.iter().filter(|id| !is.contains(id)).map(|id| Fact::new("entry", Some(id.clone()), None)));
    facts.extend(is.iter().filter(|id| !was.contains(id)).map(|id| Fact::new("entry", None, Some(id.clone()))));
    let kept = |list: &[String], other: &[String]| list.iter().filter(|id| other.contains(id)).cloned().collect::<Vec<_>>();
    let (before, after) = (kept(&was, &is), kept(&is, &was));
    facts.extend(differs("entries", Some(before.join(", ")), Some(after.join(", "))));
    for id in before {
        let pair = find(old, &id).and_then(|at| old.entries.get(at)).zip(find(new, &id).and_then(|at| new.entries.get(at)));
        facts.extend(pair.into_iter().flat_map(|(was, is)| entry(was, is)));
    }
    facts
}

fn differs(key: &'static str, from: Option<String>, to: Option<String>) -> Option<Fact> {
    (from != to).then(|| Fact::new(key, from, to))
}

fn entry(old: &Entry, new: &Entry) -> Vec<Fact> {
    let keys: BTreeSet<&'static str> = old.values.keys().chain(new.values.keys()).copied().collect();
    let none = Vec::new();
    let of = |fact: Fact| Fact { of: Some(new.id.clone()), ..fact };
    let told = keys.into_iter().flat_map(|key| {
        let (was, is) = (old.values.get(key).unwrap_or(&none), new.values.get(key).unwrap_or(&none));
        if key == "command line" { words(was, is) } else { differs(key, joined(was), joined(is)).into_iter().collect() }
    });
    told.map(of).collect()
}

fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(" "))
}

/// Words that went and came; where these are none, their order.
fn words(old: &[String], new: &[String]) -> Vec<Fact> {
    let mut counts: BTreeMap<&String, isize> = BTreeMap::new();
    old.iter().for_each(|word| *counts.entry(word).or_default() -= 1);
    new.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut take = |word: &String, sign: isize| match counts.get_mut(word) {
        Some(count) if *count * sign > 0 => {
            *count -= sign;
            true
        }
        Some(_) | None => false,
    };
    let gone = old
        .iter()
        .filter(|word| take(word, -1))
        .map(|word| Fact::new("command line", Some(word.clone()), None))
        .collect::<Vec<_>>();
    let come = new
        .iter()
        .filter(|word| take(word, 1))
        .map(|word| Fact::new("command line", None, Some(word.clone())))
        .collect::<Vec<_>>();
    if gone.is_empty() && come.is_empty() {
        return differs("command line", joined(old), joined(new)).into_iter().collect();
    }
    gone.into_iter().chain(come).collect()
}

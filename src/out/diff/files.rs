//! Assets, loaders and texts; and the files whose meaning we do not know, by how many lines came and went.

use std::collections::{BTreeMap, BTreeSet};

use super::pairs::Pair;
use super::side::{Side, Touched};
use super::{Action, Area, Change, Fact, Files, Reach, Subject, When};
use crate::out::table::{AssetRow, LoaderRow, RUNBOOKS, TEXTS};

/// Pinned files: whose machines load another kernel, though their menu stays as it is.
pub(super) fn assets(old: &Side<'_>, new: &Side<'_>, touched: &mut Touched) -> Vec<Change> {
    let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (name, menu) in &new.menus {
        menu.assets().into_iter().for_each(|path| users.entry(path).or_default().extend([name.as_str()]));
    }
    let paths: BTreeSet<&String> = old.assets.keys().chain(new.assets.keys()).collect();
    let differ = paths.into_iter().filter_map(|path| {
        let (action, facts) = match (old.assets.get(path), new.assets.get(path)) {
            (Some(was), Some(is)) => (Action::Changed, asset(was, is)),
            (None, Some(row)) => (Action::Added, vec![Fact::new("bytes", None, Some(row.size.to_string()))]),
            (Some(row), None) => (Action::Removed, vec![Fact::new("bytes", Some(row.size.to_string()), None)]),
            (None, None) => return None,
        };
        (!facts.is_empty()).then_some((path, action, facts))
    });
    let none = BTreeSet::new();
    let change = |(path, action, facts): (&String, Action, Vec<Fact>)| {
        let menus = users.get(path).unwrap_or(&none);
        let loading = menus.iter().map(|menu| (*menu).to_owned()).collect();
        let (when, reach) = match action {
            // A file that no menu names belongs to a loader.
            Action::Changed if menus.is_empty() => (When::NextBoot, new.reach_of_all(touched)),
            Action::Changed => (When::NextBoot, Reach { menus: loading, ..new.reach_of_menus(menus, touched) }),
            // Whose menu begins or ceases to name it is told with the menus.
            Action::Added | Action::Removed => (When::Now, Reach::default()),
        };
        single(Area::Assets, action, when, path, facts, reach)
    };
    differ.map(change).collect()
}

fn asset(old: &AssetRow, new: &AssetRow) -> Vec<Fact> {
    let mut facts = Vec::new();
    if old.size != new.size {
        facts.push(Fact::new("bytes", Some(old.size.to_string()), Some(new.size.to_string())));
    } else if old.blake3 != new.blake3 {
        facts.push(Fact::new("content", Some(old.blake3.clone()), Some(new.blake3.clone())));
    }
    if old.root != new.root {
        facts.push(Fact::new("folder", Some(old.root.clone()), Some(new.root.clone())));
    }
    facts
}

/// The first program of a kind of firmware.
pub(super) fn loaders(old: &Side<'_>, new: &Side<'_>, touched: &mut Touched) -> Vec<Change> {
    let kinds: BTreeSet<&String> = old.loaders.keys().chain(new.loaders.keys()).collect();
    let differ = kinds.into_iter().filter_map(|kind| {
        let (was, is) = (old.loaders.get(kind), new.loaders.get(kind));
        let action = match (was, is) {
            (was, is) if was == is => return None,
            (None, _) => Action::Added,
            (_, None) => Action::Removed,
            (Some(_), Some(_)) => Action::Changed,
        };
        let file = |row: Option<&LoaderRow>| row.map(|row| row.file.clone());
        let arch = |row: Option<&LoaderRow>| row.map(|row| row.arch.iter().map(u16::to_string).collect::<Vec<_>>().join(", "));
        let facts = [("file", file(was), file(is)), ("DHCP architecture", arch(was), arch(is))];
        let facts = facts.into_iter().filter(|(_, was, is)| was != is).map(|(name, was, is)| Fact::new(name, was, is)).collect();
        Some(single(Area::Loaders, action, When::NextBoot, kind, facts, new.reach_of_all(touched)))
    });
    differ.collect()
}

/// The runbooks of hosts that are told change with them; the others are told at once, for a new version of
/// the compiler may write all of them anew.
pub(super) fn runbooks(old: &Side<'_>, new: &Side<'_>, pairs: &[Pair<'_>], told: &mut BTreeSet<String>) -> Vec<Change> {
    let hosts = pairs.iter().flat_map(|pair| pair.old.into_iter().chain(pair.new.map(|(_, host)| host)));
    told.extend(hosts.map(|host| format!("{RUNBOOKS}{}.md", host.name)));
    let of = |files: &'static str, side: &Side<'_>| -> BTreeSet<String> {
        let from = side.files.range(files.to_owned()..).map(|(path, _)| path).take_while(|path| path.starts_with(files));
        from.cloned().collect()
    };
    let all: Vec<String> = of(RUNBOOKS, old).union(&of(RUNBOOKS, new)).filter(|path| !told.contains(*path)).cloned().collect();
    let mut changes: BTreeMap<Action, Vec<Subject>> = BTreeMap::new();
    for path in all {
        let action = match (old.files.get(&path), new.files.get(&path)) {
            (was, is) if was == is => continue,
            (None, _) => Action::Added,
            (_, None) => Action::Removed,
            (Some(_), Some(_)) => Action::Changed,
        };
        changes.entry(action).or_default().push(Subject { name: path.clone(), facts: Vec::new() });
        told.insert(path);
    }
    let change = |(action, subjects)| Change {
        area: Area::Files,
        action,
        when: BTreeSet::from([When::Now]),
        facts: if action == Action::Changed { vec![Fact::new("anew", None, None)] } else { Vec::new() },
        subjects,
        reach: Reach::default(),
    };
    changes.into_iter().map(change).collect()
}

/// Every difference between the trees that is not among the paths which are told elsewhere.
pub(super) fn rest(old: &Side<'_>, new: &Side<'_>, told: &BTreeSet<String>, touched: &mut Touched) -> Vec<Change> {
    let paths: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    let paths = paths.into_iter().filter(|path| !told.contains(*path));
    paths.filter_map(|path| rest_of(path, [old.files.get(path), new.files.get(path)], new, touched)).collect()
}

fn rest_of(path: &str, files: [Option<&Vec<u8>>; 2], new: &Side<'_>, touched: &mut Touched) -> Option<Change> {
    let (action, facts) = match files {
        [Some(old), Some(new)] if old == new => return None,
        [Some(old), Some(new)] => (Action::Changed, vec![lines(old, new)]),
        [None, Some(new)] => (Action::Added, vec![lines(&[], new)]),
        [Some(old), None] => (Action::Removed, vec![lines(old, &[])]),
        [None, None] => return None,
    };
    let Some(text) = path.strip_prefix(TEXTS) else {
        let reach = super::roots::reach(path, new, touched).unwrap_or_default();
        return Some(single(Area::Files, action, When::Now, path, facts, reach));
    };
    let reach = match (text.split_once('/'), action) {
        (Some((profile, _)), Action::Changed) => new.reach_of_menus(&BTreeSet::from([profile]), touched),
        (_, Action::Added | Action::Removed) | (None, Action::Changed) => Reach::default(),
    };
    Some(single(Area::Texts, action, When::NextBoot, text, facts, reach))
}

fn single(area: Area, action: Action, when: When, name: &str, facts: Vec<Fact>, reach: Reach) -> Change {
    let subjects = vec![Subject { name: name.to_owned(), facts: Vec::new() }];
    Change { area, action, when: BTreeSet::from([when]), facts, subjects, reach }
}

/// How two texts differ, in lines; bytes where one is no text.
pub(super) fn lines(old: &[u8], new: &[u8]) -> Fact {
    let (Ok(was), Ok(is)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return Fact::new("bytes", Some(old.len().to_string()), Some(new.len().to_string()));
    };
    let (gone, come) = differing(was.split_inclusive('\n'), is.split_inclusive('\n'));
    match (gone.len(), come.len()) {
        (0, 0) if !old.is_empty() => Fact::new("order", None, None),
        (gone, come) => Fact::new("lines", Some(gone.to_string()), Some(come.to_string())),
    }
}

/// The lines that went and those that came, sorted, each as often as it did.
pub(super) fn differing<'t>(
    old: impl Iterator<Item = &'t str>,
    new: impl Iterator<Item = &'t str>,
) -> (Vec<&'t str>, Vec<&'t str>) {
    let (mut was, mut is): (Vec<&str>, Vec<&str>) = (old.collect(), new.collect());
    was.sort_unstable();
    is.sort_unstable();
    let (mut was, mut is) = (was.into_iter().peekable(), is.into_iter().peekable());
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    loop {
        match (was.peek(), is.peek()) {
            (None, None) => return (gone, come),
            (Some(a), Some(b)) if a == b => drop((was.next(), is.next())),
            (Some(a), Some(b)) if a < b => gone.extend(was.next()),
            (Some(_), None) => gone.extend(was.next()),
            (Some(_) | None, Some(_)) => come.extend(is.next()),
        }
    }
}

/// Do the lines that both have stand in another order?
pub(super) fn reordered(old: &Files, new: &Files, path: &str) -> bool {
    let (Some(old), Some(new)) = (old.get(path), new.get(path)) else { return false };
    let split = |bytes| <[u8]>::split_inclusive(bytes, |byte| *byte == b'\n');
    // Most tables are sorted, and then common lines cannot be in another order.
    if old == new || split(old.as_slice()).is_sorted() && split(new.as_slice()).is_sorted() {
        return false;
    }
    let mut counts: BTreeMap<&[u8], [usize; 2]> = BTreeMap::new();
    split(old.as_slice()).for_each(|line| counts.entry(line).or_default()[0] += 1);
    split(new.as_slice()).for_each(|line| counts.entry(line).or_default()[1] += 1);
    let common = |line: &&[u8]| counts.get(line).is_some_and(|[was, is]| was == is);
    !split(old.as_slice()).filter(common).eq(split(new.as_slice()).filter(common))
}

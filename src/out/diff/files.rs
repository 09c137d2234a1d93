//! Files without a meaning that we know: their names, and how many lines came and went.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Area, Change, Fact, Files, Reach, Subject, When};

/// Every difference between the trees that is not among the paths which are told elsewhere.
pub(super) fn rest(old: &Files, new: &Files, told: &BTreeSet<String>) -> Vec<Change> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let paths = paths.into_iter().filter(|path| !told.contains(*path));
    paths.filter_map(|path| change(path, old.get(path), new.get(path))).collect()
}

fn change(path: &str, old: Option<&Vec<u8>>, new: Option<&Vec<u8>>) -> Option<Change> {
    let (action, facts) = match (old, new) {
        (Some(old), Some(new)) if old == new => return None,
        (Some(old), Some(new)) => (Action::Changed, vec![lines(old, new)]),
        (None, Some(new)) => (Action::Added, vec![lines(&[], new)]),
        (Some(old), None) => (Action::Removed, vec![lines(old, &[])]),
        (None, None) => return None,
    };
    let subjects = vec![Subject { name: path.to_owned(), facts: Vec::new() }];
    Some(Change { area: Area::Files, action, when: BTreeSet::from([When::Now]), facts, subjects, reach: Reach::default() })
}

/// How two texts differ, in lines; bytes where one is no text.
pub(super) fn lines(old: &[u8], new: &[u8]) -> Fact {
    let (Ok(was), Ok(is)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return Fact::new("bytes", Some(old.len().to_string()), Some(new.len().to_string()));
    };
    let mut counts: BTreeMap<&str, isize> = BTreeMap::new();
    was.split('\n').for_each(|line| *counts.entry(line).or_default() -= 1);
    is.split('\n').for_each(|line| *counts.entry(line).or_default() += 1);
    let sum = |sign: isize| counts.values().map(|count| (count * sign).max(0)).sum::<isize>();
    match (sum(-1), sum(1)) {
        (0, 0) => Fact::new("order", None, None),
        (gone, come) => Fact::new("lines", Some(gone.to_string()), Some(come.to_string())),
    }
}

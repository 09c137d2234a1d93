//! Rows of a table by name: which came and went, and which say something else; those with the same change are one change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Area, Change, Fact, Reach, Subject, When};

/// All of it takes effect now. `facts` tells a row that came, went, or changed.
pub(super) fn changes<T: PartialEq>(
    area: Area,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    facts: impl Fn(Option<&T>, Option<&T>) -> Vec<Fact>,
) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<Subject>> = BTreeMap::new();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        let action = match (was, is) {
            (None, _) => Action::Added,
            (_, None) => Action::Removed,
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), Some(_)) => Action::Changed,
        };
        groups.entry((action, facts(was, is))).or_default().push(Subject { name: name.clone(), facts: Vec::new() });
    }
    let change = |((action, facts), subjects)| Change {
        area,
        action,
        when: BTreeSet::from([When::Now]),
        facts,
        subjects,
        reach: Reach::default(),
    };
    groups.into_iter().map(change).collect()
}

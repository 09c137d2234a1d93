//! Names that do something: which came and went, and for whom.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{CommandRow, Range};

/// Commands that differ; those with the same change are one change.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let names: BTreeSet<&String> = old.commands.keys().chain(new.commands.keys()).collect();
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<Subject>> = BTreeMap::new();
    for name in names {
        let (was, is) = (old.commands.get(name), new.commands.get(name));
        let action = match (was, is) {
            (None, _) => Action::Added,
            (_, None) => Action::Removed,
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), Some(_)) => Action::Changed,
        };
        groups.entry((action, facts(was, is))).or_default().push(Subject { name: name.clone(), facts: Vec::new() });
    }
    let change = |((action, facts), subjects)| Change {
        area: Area::Commands,
        action,
        when: BTreeSet::from([When::Now]),
        facts,
        subjects,
        reach: Reach::default(),
    };
    groups.into_iter().map(change).collect()
}

fn facts(was: Option<&CommandRow>, is: Option<&CommandRow>) -> Vec<Fact> {
    let told = |fact, value: fn(&CommandRow) -> String| {
        let (from, to) = (was.map(value), is.map(value));
        (from != to).then(|| Fact::new(fact, from, to))
    };
    [told("run", run), told("from", from)].into_iter().flatten().collect()
}

fn run(row: &CommandRow) -> String {
    row.run.word().to_owned()
}

fn from(row: &CommandRow) -> String {
    row.from.iter().map(|range: &Range| String::from(*range)).collect::<Vec<_>>().join(", ")
}

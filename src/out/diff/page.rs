//! The page: whether there is one, where, and who may look.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{PAGE, PageRow};

/// One change at most; the path of the table goes to `told` where its row is all that differs.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Option<Change> {
    let (was, is) = (old.page.first(), new.page.first());
    let facts: Vec<Fact> = facts(was, is);
    if facts.is_empty() {
        return None;
    }
    if !old.odd.contains(PAGE) && !new.odd.contains(PAGE) {
        told.insert(PAGE.to_owned());
    }
    let action = match (was, is) {
        (None, _) => Action::Added,
        (Some(_), None) => Action::Removed,
        (Some(_), Some(_)) => Action::Changed,
    };
    let subjects = vec![Subject { name: "page".into(), facts: Vec::new() }];
    Some(Change { area: Area::Page, action, when: BTreeSet::from([When::Now]), facts, subjects, reach: Reach::default() })
}

fn facts(was: Option<&PageRow>, is: Option<&PageRow>) -> Vec<Fact> {
    type Value = fn(&PageRow) -> Option<String>;
    let all: BTreeMap<&'static str, Value> = BTreeMap::from([
        ("page at port", (|row| Some(row.port.to_string())) as Value),
        ("page for", |row| Some(row.from.iter().map(|range| String::from(*range)).collect::<Vec<String>>().join(", "))),
        ("title of the page", |row| Some(row.title.clone())),
        ("domain of the page", |row| Some(row.domain.clone())),
        ("clock of the page", |row| row.timezone.clone()),
    ]);
    let differs = |(fact, value): (&'static str, Value)| {
        let (from, to) = (was.and_then(value), is.and_then(value));
        (from != to).then(|| Fact::new(fact, from, to))
    };
    all.into_iter().filter_map(differs).collect()
}

//! Names that do something: which came and went, and for whom.

use super::side::Side;
use super::{Area, Change, Fact, rows};
use crate::out::table::{CommandRow, Range};

/// Commands that differ.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    rows::changes(Area::Commands, &old.commands, &new.commands, facts)
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

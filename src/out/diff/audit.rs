//! How long what happened and what was measured is kept, and who gets it.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{KEEP_SECS, SINKS, SPOOL, SinkRow, TRENDS};
use crate::schema::show_duration;

/// One change at most; the paths of both tables go to `told` where their rows are all that differs.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Option<Change> {
    let keep = |side: &Side<'_>| Some(show_duration(side.spool.first().map_or(KEEP_SECS, |row| row.keep_secs)));
    let mut facts = Vec::new();
    if keep(old) != keep(new) {
        facts.push(Fact::new("kept for", keep(old), keep(new)));
    }
    let measured = |side: &Side<'_>| side.trends.first().map(|row| show_duration(row.keep_secs));
    if measured(old) != measured(new) {
        facts.push(Fact::new("trends kept for", measured(old), measured(new)));
    }
    let by_url = |side: &Side<'_>| -> BTreeMap<String, SinkRow> {
        side.sinks.iter().map(|row| (row.url.clone(), row.clone())).collect()
    };
    let (was, is) = (by_url(old), by_url(new));
    for url in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        match (was.get(url), is.get(url)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                facts.push(Fact { of: Some(url.clone()), ..Fact::new("login", Some(login(was)), Some(login(is))) });
            }
            (was, is) => facts.push(Fact::new("sink", was.map(|row| row.url.clone()), is.map(|row| row.url.clone()))),
        }
    }
    if facts.is_empty() {
        return None;
    }
    let paths = [SPOOL, SINKS, TRENDS].into_iter().filter(|path| !old.odd.contains(path) && !new.odd.contains(path));
    told.extend(paths.map(str::to_owned));
    let subjects = vec![Subject { name: "audit".into(), facts: Vec::new() }];
    let when = BTreeSet::from([When::Now]);
    Some(Change { area: Area::Audit, action: Action::Changed, when, facts, subjects, reach: Reach::default() })
}

fn login(row: &SinkRow) -> String {
    match (&row.user, &row.password_file) {
        (Some(user), Some(file)) => format!("{user} with the password in {file}"),
        (Some(user), None) => user.clone(),
        (None, _) => "nobody".to_owned(),
    }
}

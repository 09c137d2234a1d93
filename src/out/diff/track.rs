//! Folders of machines that already run: which are kept from now on, and which no more.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::{Area, Change, Fact, rows};
use crate::out::table::TrackRow;

/// Hosts whose folders or login differ.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    rows::changes(Area::Tracked, &old.tracked, &new.tracked, facts)
}

fn facts(was: Option<&TrackRow>, is: Option<&TrackRow>) -> Vec<Fact> {
    let folders = |row: Option<&TrackRow>| -> BTreeMap<String, BTreeSet<String>> {
        let all = row.into_iter().flat_map(|row| &row.folders);
        all.map(|folder| (folder.folder.clone(), folder.except.iter().cloned().collect())).collect()
    };
    let (before, after) = (folders(was), folders(is));
    let mut all = Vec::new();
    for folder in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let (Some(from), Some(to)) = (before.get(folder), after.get(folder)) else {
            let shown = |side: &BTreeMap<String, BTreeSet<String>>| side.contains_key(folder).then(|| folder.clone());
            all.push(Fact::new("folder", shown(&before), shown(&after)));
            continue;
        };
        let without = |from, to| Fact { of: Some(folder.clone()), ..Fact::new("without", from, to) };
        all.extend(from.difference(to).map(|pattern| without(Some(pattern.clone()), None)));
        all.extend(to.difference(from).map(|pattern| without(None, Some(pattern.clone()))));
        // The same in another order is the same.
    }
    let login = |row: Option<&TrackRow>| row.map(|row| format!("{}@{}:{}", row.login.user, row.login.address, row.login.port));
    // Whose address moved is told as such; here it matters where the machine is asked.
    if was.is_some() && is.is_some() && login(was) != login(is) {
        all.push(Fact::new("login", login(was), login(is)));
    }
    all
}

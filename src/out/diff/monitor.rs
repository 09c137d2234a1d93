//! What is watched, and who is told: which checks came and went, for whom.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::{Action, Area, Change, Fact, Reach, Subject, When};
use crate::out::table::{ALERTS, AlertRow, AlertSink, Ask, CheckRow, MailRow};
use crate::schema::show_duration;

/// Checks that differ, those with the same change as one; and one change for all sinks, whose table's path goes
/// to `told` where its rows are all that differs.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Vec<Change> {
    let ids: BTreeSet<&String> = old.checks.keys().chain(new.checks.keys()).collect();
    let mut groups: BTreeMap<(Action, Vec<Fact>), Vec<Subject>> = BTreeMap::new();
    for id in ids {
        let (was, is) = (old.checks.get(id), new.checks.get(id));
        let action = match (was, is) {
            (None, _) => Action::Added,
            (_, None) => Action::Removed,
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), Some(_)) => Action::Changed,
        };
        // A host that moved is asked at its new address.
        let name = was.or(is).map(|row| row.host.clone()).unwrap_or_default();
        groups.entry((action, facts(was, is))).or_default().push(Subject { name, facts: Vec::new() });
    }
    let change = |((action, facts), subjects)| Change {
        area: Area::Checks,
        action,
        when: BTreeSet::from([When::Now]),
        facts,
        subjects,
        reach: Reach::default(),
    };
    groups.into_iter().map(change).chain(sinks(old, new, told)).collect()
}

fn facts(was: Option<&CheckRow>, is: Option<&CheckRow>) -> Vec<Fact> {
    let told = |fact, value: fn(&CheckRow) -> String| {
        let (from, to) = (was.map(value), is.map(value));
        (from != to).then(|| Fact::new(fact, from, to))
    };
    let own: Vec<Fact> =
        [told("asked by", asked), told("every", every), told("told after failures", |row| row.fails.to_string())]
            .into_iter()
            .flatten()
            .collect();
    // What is the same in name may be asked elsewhere.
    let same = was.zip(is).map(|(_, row)| Fact { of: Some(row.check.clone()), ..Fact::new("at", was.map(at), is.map(at)) });
    let moved = same.filter(|fact| fact.from != fact.to);
    own.into_iter()
        .map(|fact| if was.is_some() && is.is_some() { Fact { of: is.map(|row| row.check.clone()), ..fact } } else { fact })
        .chain(moved)
        .collect()
}

fn asked(row: &CheckRow) -> String {
    row.check.clone()
}

fn every(row: &CheckRow) -> String {
    show_duration(row.every_secs)
}

fn at(row: &CheckRow) -> String {
    match &row.ask {
        Ask::Http(url) => url.clone(),
        Ask::Ping | Ask::Tcp(_) | Ask::Dns(_) => row.address.to_string(),
    }
}

fn sinks(old: &Side<'_>, new: &Side<'_>, told: &mut BTreeSet<String>) -> Option<Change> {
    let by_name =
        |side: &Side<'_>| -> BTreeMap<String, AlertRow> { side.alerts.iter().map(|row| (row.name(), row.clone())).collect() };
    let (was, is) = (by_name(old), by_name(new));
    let mut facts = Vec::new();
    for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        match (was.get(name), is.get(name)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                facts.push(Fact { of: Some(name.clone()), ..Fact::new("way", Some(way(was)), Some(way(is))) })
            }
            (was, is) => facts.push(Fact::new("told", was.map(AlertRow::name), is.map(AlertRow::name))),
        }
    }
    if facts.is_empty() {
        return None;
    }
    told.extend((!old.odd.contains(ALERTS) && !new.odd.contains(ALERTS)).then(|| ALERTS.to_owned()));
    let subjects = vec![Subject { name: "alerts".into(), facts: Vec::new() }];
    let when = BTreeSet::from([When::Now]);
    Some(Change { area: Area::Alerts, action: Action::Changed, when, facts, subjects, reach: Reach::default() })
}

/// By which server, as whom, in whose name.
fn way(row: &AlertRow) -> String {
    let zone = row.timezone.as_ref().map(|zone| format!(", in the time of {zone}")).unwrap_or_default();
    let way = match &row.to {
        AlertSink::Mail(MailRow { from, host, port, tls, user, password_file, .. }) => {
            let login = user
                .as_ref()
                .map(|user| format!(", {user} with the password in {}", password_file.as_deref().unwrap_or("no file")))
                .unwrap_or_default();
            format!("from {from} by {host}:{port}, tls {tls}{login}")
        }
        AlertSink::Webhook(webhook) => {
            webhook.token_file.as_ref().map_or_else(|| "without a token".to_owned(), |file| format!("with the token in {file}"))
        }
    };
    format!("{way}, of site {}{zone}", row.site)
}

//! A diff for people at a terminal.

use std::collections::BTreeMap;

use super::sentence::{noun, sentence};
use super::{Action, Area, Change, Diff, When};
use crate::diag::tame;

/// Changes that are told under one heading; the rest are counted.
pub(super) const CHANGES_MAX: usize = 20;

pub(super) fn text(diff: &Diff) -> String {
    let mut out = String::new();
    for (heading, changes) in by_heading(diff) {
        out.push_str(&format!("{heading}\n"));
        for change in changes.iter().take(CHANGES_MAX) {
            let sign = match change.action {
                Action::Added => '+',
                Action::Removed => '−',
                Action::Changed => '~',
            };
            out.push_str(&format!("  {sign} {} [{}]\n", sentence(change, quiet), moments(change)));
        }
        if changes.len() > CHANGES_MAX {
            out.push_str(&format!("  … and {} more changes\n", changes.len() - CHANGES_MAX));
        }
    }
    out + &summary(diff) + "\n"
}

/// As it stands, without what would act on a terminal.
fn quiet(text: &str) -> String {
    tame(text.replace(['\n', '\t'], " "))
}

/// Changes under the headings of their areas, in the order of the areas.
pub(super) fn by_heading(diff: &Diff) -> Vec<(&'static str, Vec<&Change>)> {
    let mut headings: BTreeMap<Area, Vec<&Change>> = BTreeMap::new();
    for change in &diff.changes {
        let area = if change.area == Area::Forwarders { Area::Zones } else { change.area };
        headings.entry(area).or_default().push(change);
    }
    let name = |area: Area| if area == Area::Zones { "dns" } else { noun(area, 2) };
    headings.into_iter().map(|(area, changes)| (name(area), changes)).collect()
}

pub(super) fn moments(change: &Change) -> String {
    change.when.iter().map(|when| when.name()).collect::<Vec<_>>().join(", ")
}

/// `3 changes: 2 now, 1 at the next boot; 14 hosts touched`
pub(super) fn summary(diff: &Diff) -> String {
    if diff.is_empty() {
        return "nothing changes".to_owned();
    }
    let at = |when: When| diff.changes.iter().filter(|change| change.when.contains(&when)).count();
    let moments = [(When::Now, "now"), (When::NextLease, "at the next lease"), (When::NextBoot, "at the next boot")];
    let moments: Vec<String> =
        moments.iter().filter(|(when, _)| at(*when) > 0).map(|(when, name)| format!("{} {name}", at(*when))).collect();
    let count = diff.changes.len();
    let hosts = diff.hosts_touched;
    format!("{count} change{}: {}; {hosts} host{} touched", s(count), moments.join(", "), s(hosts))
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

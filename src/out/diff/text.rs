//! A diff for people at a terminal.

use super::Diff;

pub(super) fn text(diff: &Diff) -> String {
    let lines = diff.changes.iter().flat_map(|change| change.subjects.iter().map(|subject| format!("{}\n", subject.name)));
    lines.collect()
}

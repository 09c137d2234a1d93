//! A diff for a comment on a change.

use super::Diff;

pub(super) fn markdown(diff: &Diff) -> String {
    let lines = diff.changes.iter().flat_map(|change| change.subjects.iter().map(|subject| format!("- `{}`\n", subject.name)));
    lines.collect()
}

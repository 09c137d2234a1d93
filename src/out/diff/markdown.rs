//! A diff for a comment on a change: a list to read in passing, with long lists folded.

use super::sentence::{NAMES_MAX, item, noun, sentence};
use super::text::{CHANGES_MAX, by_heading, moments, summary};
use super::{Area, Change, Diff};
use crate::diag::tame;

/// Names, and their bytes, that a folded list holds; the rest are counted.
const FOLDED_MAX: usize = 200;
const FOLDED_BYTES_MAX: usize = 8 << 10;
/// GitHub takes comments of 65,536 characters; behind this many bytes no list is unfolded, and then no change is told.
const BYTES_MAX: usize = 48 << 10;

pub(super) fn markdown(diff: &Diff) -> String {
    let mut out = format!("**pxelator: {}**\n", summary(diff));
    let mut left = 0;
    for (heading, changes) in by_heading(diff) {
        out.push_str(&format!("\n**{heading}**\n\n"));
        for (at, change) in changes.iter().enumerate() {
            if at >= CHANGES_MAX || out.len() > BYTES_MAX {
                left += 1;
                continue;
            }
            out.push_str(&format!("- {}. *{}*\n", sentence(change, code), moments(change)));
            if out.len() < BYTES_MAX {
                out.push_str(&folded(change));
            }
        }
    }
    // A folded list ends with the empty line that a heading begins with.
    let mut out = out.replace("\n\n\n", "\n\n");
    if left > 0 {
        out.push_str(&format!("\nAnd {left} more changes; `pxelator diff --format json` lists them all.\n"));
    }
    out
}

/// All names of a change that its sentence only counts.
fn folded(change: &Change) -> String {
    let reached = change.reach.hosts > NAMES_MAX;
    let (count, noun, mut names): (usize, &str, Vec<String>) = if reached {
        (change.reach.hosts, noun(Area::Hosts, 2), change.reach.names.iter().take(FOLDED_MAX).map(|name| code(name)).collect())
    } else if change.subjects.len() > NAMES_MAX {
        let names = change.subjects.iter().take(FOLDED_MAX).map(|subject| item(subject, change.action, &code));
        (change.subjects.len(), noun(change.area, 2), names.collect())
    } else {
        return String::new();
    };
    let mut bytes = 0;
    let mut fits = |name: &String| {
        bytes += name.len();
        bytes <= FOLDED_BYTES_MAX
    };
    let fitting = names.iter().take_while(|name| fits(name)).count();
    names.truncate(fitting);
    let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
    // Indented, so that it stays within its point of the list.
    format!("\n  <details><summary>all {count} {noun}</summary>\n\n  {}{more}\n\n  </details>\n\n", names.join(", "))
}

/// A code span: nothing in it is Markdown, HTML, a mention or a link.
fn code(text: &str) -> String {
    let text = tame(text.replace(['\n', '\t'], " "));
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 || text.is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

//! How loud a value is: `(default)` < plain < `(force)`. The louder wins, equals must agree.

use crate::diag::Diag;
use crate::source::Span;
use crate::syntax::{Entry, Node, Word};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    Default,
    Plain,
    Force,
}

impl Priority {
    /// The mark before a value, or before the node that holds it.
    pub(super) fn of(note: Option<&Word<'_>>) -> Priority {
        match note.map(|word| &*word.text) {
            Some("default") => Priority::Default,
            Some("force") => Priority::Force,
            _ => Priority::Plain,
        }
    }

    /// That of a node with one value: either may bear the mark.
    pub(super) fn of_child(child: &Node<'_>, entry: &Entry<'_>) -> Priority {
        Priority::of(child.note.as_ref().or(entry.note.as_ref()))
    }

    /// For “it lost, since it is …”.
    pub(super) fn name(self) -> &'static str {
        match self {
            Priority::Default => "(default)",
            Priority::Plain => "plain",
            Priority::Force => "(force)",
        }
    }
}

/// A value that lost, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Beaten {
    pub value: String,
    pub span: Span,
    pub why: String,
}

/// A value that could be: where it stands, how loud it is.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'s> {
    pub(super) entry: Entry<'s>,
    pub(super) span: Span,
    pub(super) priority: Priority,
}

/// What was decided among candidates.
pub(super) struct Decision<'s> {
    pub(super) winner: Candidate<'s>,
    pub(super) beaten: Vec<Beaten>,
    /// Two of equal loudness that differ.
    pub(super) quarrel: Option<Diag>,
}

/// The loudest; `None` of none. Only when all are known is anything decided, so the order of files
/// changes nothing.
pub(super) fn decide<'s>(path: &str, mut all: Vec<Candidate<'s>>) -> Option<Decision<'s>> {
    all.sort_by_key(|candidate| (std::cmp::Reverse(candidate.priority), candidate.span));
    let mut rest = all.into_iter();
    let winner = rest.next()?;
    let rest: Vec<Candidate<'s>> = rest.collect();
    let rival = rest.iter().find(|other| other.priority == winner.priority && other.entry.value != winner.entry.value);
    let quarrel = rival.map(|rival| {
        let (here, there) = (rival.entry.value.literal(), winner.entry.value.literal());
        Diag::new("eval/conflict", rival.span, format!("`{path}` is `{here}` here and `{there}` there"))
            .label(winner.span, format!("`{there}` here"))
            .help("mark the one that shall win: (force) before its value")
    });
    let beaten = rest.iter().map(|other| Beaten { value: other.entry.value.literal(), span: other.span, why: why(other, &winner) }).collect();
    Some(Decision { winner, beaten, quarrel })
}

fn why(loser: &Candidate<'_>, winner: &Candidate<'_>) -> String {
    match loser.priority == winner.priority {
        true => "says the same".into(),
        false => format!("{} gives way to {}", loser.priority.name(), winner.priority.name()),
    }
}

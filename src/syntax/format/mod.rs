//! Text → the same text in the house's layout: what `pxelator fmt` writes.
//!
//! - Four spaces a level, one space between entries, `{` on its node's line; LF, no trailing white
//!   space, a final newline, at most one blank line in a row and none at either end of a block.
//! - Strings, numbers and comments stay as they are written. So does the choice between a block on one
//!   line (`{ a; b }`) and one on several, and a line that goes on behind `\`.
//! - Runs of spaces between entries stay where they align: where the entry begins or ends in the
//!   column of an entry on the line above or below. All others become one space. The spaces before a
//!   comment at the end of a line stay.
//!
//! Only white space is ever moved: [`pieces`] cuts the text with the compiler's own lexer, [`lines`]
//! lays the pieces out, [`align`] decides which spaces stay. **Invariant:** the tree, the comments and
//! their order are those of before; [`format`] checks it, and gives nothing where it is not so.

mod align;
mod lines;
mod pieces;

use std::borrow::Cow;

use pieces::{Kind, pieces};

use super::{Entry, Node, Word, parse};
use crate::diag::Diags;
use crate::source::FileId;

/// The text in the house's layout; for a text that parses without findings. `None` where the result
/// would mean something else, which is our bug.
pub fn format(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let formatted = lines::text(align::aligned(lines::lines(&pieces(&text))));
    same(&text, &formatted).then_some(formatted)
}

/// Same words, same comments, same tree.
fn same(before: &str, after: &str) -> bool {
    let (mut diags, mut again) = (Diags::default(), Diags::default());
    let (old, new) = (parse(before, FileId::new(0), &mut diags), parse(after, FileId::new(0), &mut again));
    words(before) == words(after) && same_nodes(&old, &new) && again.total() == diags.total()
}

/// All that is no white space, in its order: also what a slashdash hides.
fn words(text: &str) -> Vec<Cow<'_, str>> {
    let mut words = Vec::new();
    for piece in pieces(text) {
        match piece.kind {
            Kind::Newline | Kind::Semicolon => {}
            // The comments behind the `\`.
            Kind::Wrap => words.extend(pieces::comments(piece.text.trim_start_matches('\\'))),
            Kind::Block | Kind::Line => words.push(bare_comment(piece.text)),
            Kind::Word | Kind::Glue | Kind::Paren | Kind::Open | Kind::Close | Kind::Slashdash => words.push(piece.text.into()),
        }
    }
    words
}

/// A comment without the white space that ends its lines.
fn bare_comment(text: &str) -> Cow<'_, str> {
    let bare = |line: &'_ str| line.trim_end_matches(|c| super::cursor::is_space(c) || c == '\r').len();
    if !text.contains('\n') {
        return text.get(..bare(text)).unwrap_or_default().into();
    }
    text.split('\n').map(|line| line.get(..bare(line)).unwrap_or_default()).collect::<Vec<_>>().join("\n").into()
}

fn same_nodes(old: &[Node<'_>], new: &[Node<'_>]) -> bool {
    let same = |(old, new): (&Node<'_>, &Node<'_>)| {
        old.name.text == new.name.text
            && same_word(old.note.as_ref(), new.note.as_ref())
            && old.entries.len() == new.entries.len()
            && old.entries.iter().zip(&new.entries).all(|(old, new)| same_entry(old, new))
            && same_nodes(&old.children, &new.children)
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}

fn same_word(old: Option<&Word<'_>>, new: Option<&Word<'_>>) -> bool {
    old.map(|word| &word.text) == new.map(|word| &word.text)
}

fn same_entry(old: &Entry<'_>, new: &Entry<'_>) -> bool {
    // Not a number is not equal to itself, but looks alike.
    let value = old.value == new.value || format!("{:?}", old.value) == format!("{:?}", new.value);
    value && same_word(old.name.as_deref(), new.name.as_deref()) && same_word(old.note.as_ref(), new.note.as_ref())
}

//! Pieces → lines: where a line breaks, how far it is indented, what stands close together.

use std::borrow::Cow;

use super::bare_comment;
use super::pieces::{Kind, Piece};

const INDENT: usize = 4;

/// A part of a line and the spaces before it.
#[derive(Debug)]
pub(super) struct Cell<'s> {
    pub(super) text: Cow<'s, str>,
    pub(super) gap: usize,
    /// A comment that ends its line.
    pub(super) is_last: bool,
}

#[derive(Debug, Default)]
pub(super) struct Line<'s> {
    /// In levels.
    pub(super) indent: usize,
    pub(super) blank_before: bool,
    pub(super) cells: Vec<Cell<'s>>,
}

impl Line<'_> {
    /// Nothing but comments.
    pub(super) fn is_comment(&self) -> bool {
        self.cells.iter().all(|cell| cell.text.starts_with("//") || cell.text.starts_with("/*"))
    }
}

/// What stands between the last piece and the next.
#[derive(Default)]
struct Between<'s> {
    newlines: usize,
    /// A comment to the end of the line was written: whatever follows begins a new one.
    must_break: bool,
    semicolon: bool,
    /// The comments of each `\`, held back until it is known that the node goes on.
    wraps: Vec<&'s str>,
}

struct Layout<'s> {
    lines: Vec<Line<'s>>,
    /// For each block around us: does it have lines of its own?
    blocks: Vec<bool>,
    between: Between<'s>,
    /// A node has begun and may go on.
    in_node: bool,
    /// Right behind a `/-`.
    slashed: bool,
    last: Option<Kind>,
}

pub(super) fn lines<'s>(pieces: &[Piece<'s>]) -> Vec<Line<'s>> {
    let tall = tall_blocks(pieces);
    let mut layout = Layout {
        lines: Vec::new(),
        blocks: Vec::new(),
        between: Between { newlines: 1, ..Between::default() },
        in_node: false,
        slashed: false,
        last: None,
    };
    for (at, piece) in pieces.iter().enumerate() {
        match piece.kind {
            Kind::Newline => layout.newline(),
            Kind::Semicolon => layout.semicolon(),
            Kind::Wrap => layout.wrap(piece.text.trim_start_matches('\\')),
            Kind::Line => layout.line_comment(piece),
            Kind::Block => layout.block_comment(piece),
            Kind::Open => layout.open(piece, tall.get(at).copied().unwrap_or(false)),
            Kind::Close => layout.close(piece),
            Kind::Word | Kind::Glue | Kind::Paren | Kind::Slashdash => layout.word(piece),
        }
    }
    layout.end_wrap();
    layout.lines
}

/// For each piece: is it a brace whose block holds a line break?
fn tall_blocks(pieces: &[Piece<'_>]) -> Vec<bool> {
    let mut tall = vec![false; pieces.len()];
    let mut open: Vec<(usize, bool)> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if piece.kind == Kind::Open {
            open.push((at, false));
        } else if piece.kind == Kind::Newline || (piece.kind == Kind::Wrap && piece.text.contains('/')) {
            // The comment of a `\` that says nothing will end its line.
            open.last_mut().into_iter().for_each(|(_, is_tall)| *is_tall = true);
        } else if piece.kind == Kind::Close
            && let Some((start, is_tall)) = open.pop()
        {
            tall.get_mut(start).into_iter().for_each(|slot| *slot = is_tall);
            open.last_mut().into_iter().for_each(|(_, outer)| *outer |= is_tall);
        }
    }
    tall
}

impl<'s> Layout<'s> {
    /// Writes a cell on this line.
    fn put(&mut self, text: impl Into<Cow<'s, str>>, gap: usize, is_last: bool) {
        let Some(line) = self.lines.last_mut() else { return };
        let gap = if line.cells.is_empty() { 0 } else { gap };
        line.cells.push(Cell { text: text.into(), gap, is_last });
    }

    fn new_line(&mut self, indent: usize, blank_before: bool) {
        self.lines.push(Line { indent, blank_before, cells: Vec::new() });
    }

    /// Breaks the line if one is due. In a node that goes on, the next line is one level deeper.
    fn arrive(&mut self) {
        let Between { newlines, must_break, .. } = self.between;
        if newlines > 0 || must_break {
            let first = self.lines.is_empty() || self.last == Some(Kind::Open);
            let deeper = usize::from(self.in_node && !self.slashed);
            self.new_line(self.blocks.len() + deeper, newlines > 1 && !first);
        } else if self.between.semicolon {
            self.put(";", 0, false);
        } else if self.last == Some(Kind::Open) && self.blocks.last() == Some(&true) {
            self.new_line(self.blocks.len(), false);
        }
        self.between = Between::default();
    }

    /// The node goes on behind its `\`. One is enough, but each keeps its comments.
    fn go_on(&mut self) {
        let mut wraps = std::mem::take(&mut self.between.wraps);
        if wraps.iter().any(|comments| !comments.is_empty()) {
            wraps.retain(|comments| !comments.is_empty());
        } else {
            wraps.truncate(1);
        }
        for comments in wraps {
            self.arrive();
            self.put("\\", 1, false);
            if !comments.is_empty() {
                self.put(super::pieces::comments(comments).join(" "), 1, true);
            }
            self.between.must_break = true;
        }
    }

    /// The node does not go on: its last `\` says nothing, but may bear a comment.
    fn end_wrap(&mut self) {
        for comments in std::mem::take(&mut self.between.wraps).into_iter().filter(|comments| !comments.is_empty()) {
            self.between.semicolon = false;
            self.arrive();
            self.put(super::pieces::comments(comments).join(" "), 1, true);
            self.between.must_break = true;
            self.in_node &= self.slashed;
        }
    }

    fn newline(&mut self) {
        self.end_wrap();
        if !self.slashed {
            self.in_node = false;
            self.between.newlines += 1;
        }
    }

    fn semicolon(&mut self) {
        self.end_wrap();
        if !self.slashed {
            self.between.semicolon |= std::mem::take(&mut self.in_node);
        }
    }

    fn wrap(&mut self, comments: &'s str) {
        self.between.wraps.push(comments.trim_matches(super::super::cursor::is_space));
        if !self.in_node || self.slashed {
            self.end_wrap();
        }
    }

    fn line_comment(&mut self, piece: &Piece<'s>) {
        self.between.wraps.retain(|comments| !comments.is_empty());
        self.go_on();
        self.between.semicolon = false;
        let beside_brace = self.last == Some(Kind::Open) && self.between.newlines == 0 && !self.between.must_break;
        if !beside_brace {
            self.arrive();
        }
        self.put(bare_comment(piece.text), piece.gap.max(1), true);
        self.between.must_break = true;
        if !beside_brace {
            self.last = Some(Kind::Line);
        }
    }

    fn block_comment(&mut self, piece: &Piece<'s>) {
        if self.in_node {
            self.go_on();
        }
        let beside_brace = self.last == Some(Kind::Open) && self.between.newlines == 0 && !self.between.must_break;
        if !beside_brace {
            self.arrive();
        }
        self.put(bare_comment(piece.text), piece.gap.max(1), false);
        if !beside_brace {
            self.last = Some(Kind::Block);
        }
    }

    fn word(&mut self, piece: &Piece<'s>) {
        self.go_on();
        self.arrive();
        let close = |kind: Option<Kind>| matches!(kind, Some(Kind::Glue | Kind::Paren));
        let gap = if self.slashed && self.last == Some(Kind::Slashdash) {
            piece.gap.min(1)
        } else if close(self.last) || (piece.kind == Kind::Glue && self.last == Some(Kind::Word)) {
            0
        } else {
            piece.gap.max(1)
        };
        self.put(piece.text, gap, false);
        self.in_node = true;
        self.slashed = piece.kind == Kind::Slashdash;
        self.last = Some(piece.kind);
    }

    fn open(&mut self, piece: &Piece<'s>, is_tall: bool) {
        // A bare `\` before the brace says nothing.
        self.between.wraps.retain(|comments| !comments.is_empty());
        self.go_on();
        self.arrive();
        let gap = if self.slashed && self.last == Some(Kind::Slashdash) { piece.gap.min(1) } else { 1 };
        self.put(piece.text, gap, false);
        self.blocks.push(is_tall);
        (self.in_node, self.slashed, self.last) = (false, false, Some(Kind::Open));
    }

    fn close(&mut self, piece: &Piece<'s>) {
        self.end_wrap();
        let is_tall = self.blocks.pop().unwrap_or(false);
        let empty = self.lines.last().and_then(|line| line.cells.last()).is_some_and(|cell| cell.text == "{");
        if empty && self.last == Some(Kind::Open) {
            self.put(piece.text, 0, false);
        } else if is_tall || self.between.must_break {
            self.new_line(self.blocks.len(), false);
            self.put(piece.text, 0, false);
        } else {
            self.put(piece.text, 1, false);
        }
        self.between = Between::default();
        (self.in_node, self.slashed, self.last) = (true, false, Some(Kind::Close));
    }
}

/// The lines as text.
pub(super) fn text(lines: Vec<Line<'_>>) -> String {
    let mut out = String::new();
    for line in lines {
        if line.blank_before {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', line.indent * INDENT));
        for cell in &line.cells {
            out.extend(std::iter::repeat_n(' ', cell.gap));
            out.push_str(&cell.text);
        }
        out.push('\n');
    }
    out
}

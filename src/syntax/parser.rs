//! Tokens → nodes, depth-capped, and on again at the next line after a mistake.

#![expect(clippy::wildcard_enum_match_arm, reason = "a parser wants one token and refuses all others, new ones too")]

use std::borrow::Cow;

use super::cursor::{Cursor, Token};
use super::{DEPTH_MAX, ENTRIES_MAX, Entry, Node, Note, TREE_BYTES_FREE, TREE_BYTES_PER_BYTE, Value, Word};
use crate::diag::{Diag, Diags};
use crate::source::{FileId, Span};

/// One file → its nodes; what is broken is reported and left out. A property given twice is a mistake.
pub fn parse<'s>(text: &'s str, file: FileId, diags: &mut Diags) -> Vec<Node<'s>> {
    read(text, file, Purpose::Site, diags)
}

/// The same for KDL that need be no site: of a property given twice the last one counts, as KDL has it, and there may be as many
/// nodes as there is memory for.
pub fn parse_any<'s>(text: &'s str, file: FileId, diags: &mut Diags) -> Vec<Node<'s>> {
    read(text, file, Purpose::Any, diags)
}

/// A file without mistakes is read once. Otherwise we know only at its end whether they are its own or those of another language.
fn read<'s>(text: &'s str, file: FileId, purpose: Purpose, diags: &mut Diags) -> Vec<Node<'s>> {
    let mut own = Diags::default();
    let (nodes, verdict) = Parser::new(text, file, purpose, &mut own).document();
    match verdict {
        Some(diag) => {
            diags.lose_unknown();
            diags.push(diag);
            Vec::new()
        }
        None if own.is_empty() => nodes,
        None => {
            drop((nodes, own));
            Parser::new(text, file, purpose, diags).document().0
        }
    }
}

/// What the allocator adds to the entries of a node.
const HEAP_BLOCK: usize = 16;

/// What the nodes are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Site,
    Any,
}

struct Parser<'s, 'd> {
    lexer: Cursor<'s, 'd>,
    file: FileId,
    purpose: Purpose,
    /// The token that we look at, and its place.
    token: Token<'s>,
    span: Span,
    /// A brace without its partner was told already; those around it have none for the same reason.
    brace_told: bool,
    /// What the nodes take so far, in bytes.
    spent: usize,
    is_full: bool,
}

/// What may follow in a node.
enum Part<'s> {
    Entry(Entry<'s>),
    Children(Vec<Node<'s>>),
}

impl<'s, 'd> Parser<'s, 'd> {
    fn new(text: &'s str, file: FileId, purpose: Purpose, diags: &'d mut Diags) -> Self {
        let lexer = Cursor::new(text, file, diags);
        let span = Span::new(file, 0, 0);
        Parser { lexer, file, purpose, token: Token::Eof, span, brace_told: false, spent: 0, is_full: false }
    }

    /// All nodes, and the finding about a file that is KDL 1.
    fn document(mut self) -> (Vec<Node<'s>>, Option<Diag>) {
        self.advance();
        let nodes = self.nodes(0);
        let verdict = self.lexer.signs.verdict(self.file);
        if self.is_full {
            self.lexer.lose(None);
            return (Vec::new(), verdict);
        }
        (nodes, verdict)
    }

    /// Counts what a node or an entry takes; where a text of this size cannot be a site, nothing more is read.
    fn spend(&mut self, bytes: usize, at: Span) {
        self.spent += bytes;
        if self.is_full || self.purpose == Purpose::Any || self.spent <= TREE_BYTES_FREE + TREE_BYTES_PER_BYTE * self.lexer.at {
            return;
        }
        let message = "so many and so small nodes are no site, and the file is read only up to here";
        let diag = Diag::new("eval/limit", at, message);
        self.lexer.report(diag.help("is this the right file? if it is, split it and `import` its parts"));
        self.lexer.at = self.lexer.text.len();
        (self.is_full, self.brace_told) = (true, true);
    }

    fn advance(&mut self) -> (Token<'s>, Span) {
        let (token, span) = self.lexer.next();
        (std::mem::replace(&mut self.token, token), std::mem::replace(&mut self.span, span))
    }

    fn skip_space(&mut self) -> bool {
        let mut any = false;
        while self.token == Token::Space {
            self.advance();
            any = true;
        }
        any
    }

    fn skip_lines(&mut self) {
        while matches!(self.token, Token::Space | Token::Newline) {
            self.advance();
        }
    }

    /// The rest of a broken line, braces in balance, so that the next line starts afresh.
    fn recover(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.token {
                Token::Eof => return,
                Token::Newline | Token::Semicolon if depth == 0 => return,
                Token::BraceClose if depth == 0 => return,
                Token::BraceOpen => depth += 1,
                Token::BraceClose => depth -= 1,
                _ => {}
            }
            self.advance();
        }
    }

    /// Behind the brace that closes the block in which we stand.
    fn skip_block(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 && self.token != Token::Eof {
            depth = match self.token {
                Token::BraceOpen => depth + 1,
                Token::BraceClose => depth - 1,
                _ => depth,
            };
            self.advance();
        }
    }

    fn unexpected(&mut self, wanted: &str) {
        if self.token == Token::Broken {
            return; // reported by the lexer
        }
        let found = match &self.token {
            Token::Eof => "the end of the file".to_owned(),
            Token::Newline => "the end of the line".to_owned(),
            Token::Space => "a space".to_owned(),
            _ => format!("`{}`", super::strings::shorten(self.lexer.text.get(self.span.range()).unwrap_or_default())),
        };
        let diag = Diag::new("syntax/unexpected", self.span, format!("found {found}, expected {wanted}"));
        let diag = if self.token == Token::Equals {
            diag.help("the first word of a line has its value behind a space, as in: on \"group:office\"")
        } else {
            diag
        };
        self.lexer.report(diag);
    }

    /// Nodes until the closing brace (or the end of the file at depth 0).
    fn nodes(&mut self, depth: usize) -> Vec<Node<'s>> {
        let mut nodes = Vec::new();
        loop {
            self.skip_lines();
            match self.token {
                Token::Eof => return nodes,
                Token::BraceClose if depth > 0 => return nodes,
                Token::BraceClose => {
                    self.unexpected("a node; no brace is open here");
                    self.advance();
                }
                Token::Semicolon => self.unexpected("a node; `;` ends one, and here is none"),
                Token::Slashdash => {
                    self.advance();
                    self.skip_lines();
                    let spent = self.spent;
                    self.node(depth);
                    self.spent = spent;
                }
                _ => nodes.extend(self.node(depth)),
            }
            if matches!(self.token, Token::Newline | Token::Semicolon) {
                self.advance();
            }
        }
    }

    fn node(&mut self, depth: usize) -> Option<Node<'s>> {
        let start = self.span;
        let head = self.note().and_then(|note| self.name().map(|name| (note, name)));
        let Some((note, name)) = head else {
            self.recover();
            self.lexer.lose(None);
            return None;
        };
        let mut node = Node { note, span: start.to(name.span), name, entries: Vec::new(), children: Vec::new() };
        self.spend(size_of::<Node<'_>>() + HEAP_BLOCK, node.span);
        // Behind a block stand only blocks, and of those one alone without a slashdash.
        let (mut blocks, mut kept) = (false, false);
        loop {
            let spaced = self.skip_space();
            if matches!(self.token, Token::Newline | Token::Semicolon | Token::Eof | Token::BraceClose) {
                node.entries.shrink_to_fit();
                return Some(node);
            }
            if !spaced && self.token != Token::BraceOpen {
                self.unexpected(if kept { "the end of the line after `}`" } else { "a space" });
                return self.give_up(&node);
            }
            let dashed = self.token == Token::Slashdash;
            if dashed {
                self.advance();
                self.skip_lines();
            }
            let block = self.token == Token::BraceOpen;
            if (blocks && !block) || (kept && !dashed) {
                self.unexpected("the end of the line after `}`");
                return self.give_up(&node);
            }
            let spent = self.spent;
            let part = if block { self.children(depth).map(Part::Children) } else { self.entry().map(Part::Entry) };
            match part {
                None => return self.give_up(&node),
                Some(_) if dashed => self.spent = spent,
                Some(Part::Entry(entry)) => self.add(&mut node, entry),
                Some(Part::Children(children)) => (node.children, kept) = (children, true),
            }
            blocks |= block;
        }
    }

    /// A node that cannot be read to its end is left out, and what names it is not blamed.
    fn give_up(&mut self, node: &Node<'s>) -> Option<Node<'s>> {
        self.recover();
        self.lexer.lose(node.title());
        None
    }

    fn add(&mut self, node: &mut Node<'s>, entry: Entry<'s>) {
        if node.entries.len() == ENTRIES_MAX {
            let diag = Diag::new("eval/limit", entry.span, format!("a node has more than {ENTRIES_MAX} arguments and properties"));
            self.lexer.report(diag.help("write several nodes"));
        }
        if node.entries.len() > ENTRIES_MAX {
            return;
        }
        if let Some(name) = &entry.name {
            let same = |other: &Entry| other.name.as_ref().is_some_and(|word| word.text == name.text);
            match node.entries.iter().position(same) {
                Some(at) if self.purpose == Purpose::Any => drop(node.entries.remove(at)),
                Some(at) => {
                    let message = format!("`{}` is given twice; KDL would silently keep the last", name.text);
                    let mut diag = Diag::new("syntax/duplicate-property", entry.span, message).here("again here");
                    if let Some(first) = node.entries.get(at) {
                        diag = diag.label(first.span, "first given here");
                    }
                    self.lexer.report(diag.help("delete one of them"));
                    return;
                }
                None => {}
            }
        }
        self.spend(weight(&entry), entry.span);
        node.span = node.span.to(entry.span);
        node.entries.push(entry);
    }

    fn children(&mut self, depth: usize) -> Option<Vec<Node<'s>>> {
        let (_, open) = self.advance();
        if depth + 1 > DEPTH_MAX {
            let diag = Diag::new("syntax/depth", open, format!("nesting is deeper than {DEPTH_MAX} levels"));
            self.lexer.report(diag.help("close the braces of outer nodes first; no site needs this depth"));
            self.skip_block();
            self.brace_told |= self.token == Token::Eof;
            return None;
        }
        let mut nodes = self.nodes(depth + 1);
        nodes.shrink_to_fit();
        if self.token != Token::BraceClose {
            if !std::mem::replace(&mut self.brace_told, true) {
                let diag = Diag::new("syntax/unterminated", open, "`{` opened here is never closed");
                self.lexer.report(diag.here("opened here").help("close it with `}`"));
            }
            return Some(nodes);
        }
        self.advance();
        Some(nodes)
    }

    /// A word, argument, or `name=value`.
    fn entry(&mut self) -> Option<Entry<'s>> {
        let start = self.span;
        let note = self.note()?;
        let (value, value_span) = self.value()?;
        let Value::Text(text) = value else {
            return Some(Entry { name: None, note, value, value_span, span: start.to(value_span) });
        };
        if !self.equals_follows() {
            return Some(Entry { name: None, note, value: Value::Text(text), value_span, span: start.to(value_span) });
        }
        if let Some(note) = note.as_ref() {
            let message = format!("`({})` stands before the value, not before the name", note.text);
            let diag = Diag::new("syntax/unexpected", note.span, message);
            self.lexer.report(diag.help(format!("write {text}=({}){}", note.text, "…")));
            return None;
        }
        let name = Some(Box::new(Word { text, span: value_span }));
        let note = self.note()?;
        let (value, value_span) = self.value()?;
        Some(Entry { span: start.to(value_span), name, note, value, value_span })
    }

    /// Moves behind an `=`, if spaces and one come next (KDL 2 allows spaces around it).
    fn equals_follows(&mut self) -> bool {
        if self.token == Token::Space && !self.lexer.rest().starts_with('=') {
            return false;
        }
        self.skip_space();
        if self.token != Token::Equals {
            return false;
        }
        self.advance();
        self.skip_space();
        true
    }

    /// `(word)`, if one stands here; `None` says that it is broken.
    fn note(&mut self) -> Option<Note<'s>> {
        if self.token != Token::Open {
            return Some(Note::default());
        }
        self.advance();
        self.skip_space();
        let word = self.name()?;
        self.skip_space();
        if self.token != Token::Close {
            self.unexpected("`)`");
            return None;
        }
        self.advance();
        self.skip_space();
        self.spend(size_of::<Word<'_>>(), word.span);
        Some(Note(Some(Box::new(word))))
    }

    fn name(&mut self) -> Option<Word<'s>> {
        if !matches!(self.token, Token::Text(_)) {
            self.unexpected("a name");
            return None;
        }
        match self.advance() {
            (Token::Text(text), span) => Some(Word { text, span }),
            _ => None,
        }
    }

    fn value(&mut self) -> Option<(Value<'s>, Span)> {
        if !matches!(self.token, Token::Text(_) | Token::Int(_) | Token::Float(_) | Token::Bool(_) | Token::Null) {
            self.unexpected("a value");
            return None;
        }
        let (token, span) = self.advance();
        let value = match token {
            Token::Text(text) => Value::Text(text),
            Token::Int(number) => Value::Int(number),
            Token::Float(number) => Value::Float(number),
            Token::Bool(flag) => Value::Bool(flag),
            _ => Value::Null,
        };
        Some((value, span))
    }
}

/// What an entry takes, in bytes.
fn weight(entry: &Entry<'_>) -> usize {
    let own = match &entry.value {
        Value::Text(Cow::Owned(text)) => text.capacity() + size_of::<usize>(),
        _ => 0,
    };
    size_of::<Entry<'_>>() + own + entry.name.as_ref().map_or(0, |_| size_of::<Word<'_>>())
}

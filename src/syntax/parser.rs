//! Tokens → nodes, depth-capped, and on again at the next line after a mistake.

#![expect(clippy::wildcard_enum_match_arm, reason = "a parser wants one token and refuses all others, new ones too")]

use super::cursor::{Cursor, Token};
use super::{DEPTH_MAX, ENTRIES_MAX, Entry, Node, Value, Word};
use crate::diag::{Diag, Diags};
use crate::source::{FileId, Span};

/// One file → its nodes; what is broken is reported and left out.
pub fn parse<'s>(text: &'s str, file: FileId, diags: &mut Diags) -> Vec<Node<'s>> {
    let mut parser = Parser { lexer: Cursor::new(text, file, diags), token: Token::Eof, span: Span::new(file, 0, 0), brace_told: false };
    parser.advance();
    parser.nodes(0)
}

struct Parser<'s, 'd> {
    lexer: Cursor<'s, 'd>,
    /// The token that we look at, and its place.
    token: Token<'s>,
    span: Span,
    /// A brace without its partner was told already; those around it have none for the same reason.
    brace_told: bool,
}

/// What may follow in a node.
enum Part<'s> {
    Entry(Entry<'s>),
    Children(Vec<Node<'s>>),
    /// Behind a slashdash.
    Nothing,
    Broken,
}

impl<'s> Parser<'s, '_> {
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
        while matches!(self.token, Token::Space | Token::End) {
            self.advance();
        }
    }

    /// The rest of a broken line, braces in balance, so that the next line starts afresh.
    fn recover(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.token {
                Token::Eof => return,
                Token::End if depth == 0 => return,
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
            Token::End => "the end of the line".to_owned(),
            Token::Space => "a space".to_owned(),
            _ => format!("`{}`", super::strings::shorten(self.lexer.text.get(self.span.range()).unwrap_or_default())),
        };
        let diag = Diag::new("syntax/unexpected", self.span, format!("found {found}, expected {wanted}"));
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
                Token::Slashdash => {
                    self.advance();
                    self.skip_lines();
                    self.node(depth);
                }
                _ => nodes.extend(self.node(depth)),
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
        let mut braces = false;
        loop {
            let spaced = self.skip_space();
            if matches!(self.token, Token::End | Token::Eof | Token::BraceClose) {
                return Some(node);
            }
            let glued = !spaced && !matches!(self.token, Token::BraceOpen | Token::Slashdash);
            if glued || (braces && !matches!(self.token, Token::Slashdash)) {
                self.unexpected(if braces { "the end of the line after `}`" } else { "a space" });
                return self.give_up(&node);
            }
            match self.part(depth) {
                Part::Entry(entry) => self.add(&mut node, entry),
                Part::Children(children) => (node.children, braces) = (children, true),
                Part::Nothing => {}
                Part::Broken => return self.give_up(&node),
            }
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
            let same = |other: &&Entry| other.name.as_ref().is_some_and(|word| word.text == name.text);
            if let Some(first) = node.entries.iter().find(same) {
                let message = format!("`{}` is given twice; KDL would silently keep the last", name.text);
                let diag = Diag::new("syntax/duplicate-property", entry.span, message);
                self.lexer.report(diag.here("again here").label(first.span, "first given here").help("delete one of them"));
                return;
            }
        }
        node.span = node.span.to(entry.span);
        node.entries.push(entry);
    }

    /// An entry or a block of children, perhaps behind a slashdash.
    fn part(&mut self, depth: usize) -> Part<'s> {
        if self.token == Token::Slashdash {
            self.advance();
            self.skip_lines();
            return match self.part_itself(depth) {
                Part::Broken => Part::Broken,
                Part::Entry(_) | Part::Children(_) | Part::Nothing => Part::Nothing,
            };
        }
        self.part_itself(depth)
    }

    fn part_itself(&mut self, depth: usize) -> Part<'s> {
        if self.token == Token::BraceOpen {
            return self.children(depth).map_or(Part::Broken, Part::Children);
        }
        self.entry().map_or(Part::Broken, Part::Entry)
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
        let nodes = self.nodes(depth + 1);
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
        let after = self.lexer.at;
        let Value::Text(text) = value else {
            return Some(Entry { name: None, note, value, value_span, span: start.to(value_span) });
        };
        if !self.equals_follows() {
            return Some(Entry { name: None, note, value: Value::Text(text), value_span, span: start.to(value_span) });
        }
        if let Some(note) = note {
            let message = format!("`({})` stands before the value, not before the name", note.text);
            let diag = Diag::new("syntax/unexpected", note.span, message);
            self.lexer.report(diag.help(format!("write {text}=({}){}", note.text, "…")));
            return None;
        }
        debug_assert!(self.lexer.at >= after, "only ever forward");
        let name = Word { text, span: value_span };
        let note = self.note()?;
        let (value, value_span) = self.value()?;
        Some(Entry { span: start.to(value_span), name: Some(name), note, value, value_span })
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

    /// `(word)`, if one stands here; the outer `None` says that it is broken.
    #[expect(clippy::option_option, reason = "absent and broken are two things")]
    fn note(&mut self) -> Option<Option<Word<'s>>> {
        if self.token != Token::Open {
            return Some(None);
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
        Some(Some(word))
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

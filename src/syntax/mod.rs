//! Text → spanned nodes: KDL 2, in one pass over the bytes.
//!
//! [`cursor`] knows where we are, [`lexer`] cuts bytes into tokens, [`strings`], [`lines`] and [`numbers`] read their insides, [`parser`]
//! builds the tree and goes on after a mistake at the next line, so that all mistakes are told at once. [`old`] knows KDL 1 when it
//! sees it. [`decode`] is how later rooms take what a node holds, [`normal`] writes a tree down again.
//!
//! **Invariant:** time and memory are linear in the text, and nesting deeper than [`DEPTH_MAX`] is a
//! finding and never a recursion. Nothing outside this room knows how KDL is written.
//! Source: the KDL 2.0.0 specification, <https://kdl.dev/spec/>, where its grammar and its words disagree, the grammar. One
//! deviation: `node{}` needs no space before the brace, as the specification's next edition has it.

mod cursor;
pub mod decode;
mod format;
mod lexer;
mod lines;
pub mod normal;
mod numbers;
mod old;
mod parser;
mod strings;

use std::borrow::Cow;

use crate::diag::Diag;
use crate::source::Span;

pub use parser::{parse, parse_any};
pub use format::format;
pub use strings::shorten;

/// How deep children may nest.
pub const DEPTH_MAX: usize = 64;
/// How many arguments and properties a node may have.
const ENTRIES_MAX: usize = 4096;
/// How many characters a number may have: exact conversion to decimal costs their square.
const NUMBER_CHARS_MAX: usize = 1000;
/// What the nodes of a file may take: so many bytes at once, and so many more for each byte of text read. Lines of real sites take
/// 5 to 11 bytes a byte, `a;a;a;` takes 72; with these limits a text of 1 MB that is no site stays below ten times its size.
const TREE_BYTES_FREE: usize = 2 << 20;
const TREE_BYTES_PER_BYTE: usize = 12;

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'s> {
    Text(Cow<'s, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Null,
}

impl Value<'_> {
    /// As an author would write it, for messages: not a page of it, and text without its quotes.
    pub fn literal(&self) -> String {
        match self {
            Value::Text(text) => shorten(text),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(flag) => format!("#{flag}"),
            Value::Null => "#null".into(),
        }
    }

    /// How a message names what was found.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Int(_) => "a number",
            Value::Float(number) if number.abs() >= 9.2e18 => "a number beyond 9223372036854775807",
            Value::Float(_) => "a number with a fraction",
            Value::Bool(_) => "a boolean",
            Value::Null => "`#null`",
        }
    }
}

/// A word with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Word<'s> {
    pub text: Cow<'s, str>,
    pub span: Span,
}

/// A type annotation such as `(force)`, without its parentheses. Few things bear one, so that its absence costs only a pointer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note<'s>(Option<Box<Word<'s>>>);

impl<'s> Note<'s> {
    pub fn new(word: Word<'s>) -> Self {
        Note(Some(Box::new(word)))
    }

    pub fn as_ref(&self) -> Option<&Word<'s>> {
        self.0.as_deref()
    }

    pub fn as_mut(&mut self) -> Option<&mut Word<'s>> {
        self.0.as_deref_mut()
    }
}

/// An argument or a property.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'s> {
    /// The property's name; an argument has none.
    pub name: Option<Box<Word<'s>>>,
    pub note: Note<'s>,
    pub value: Value<'s>,
    /// The value alone.
    pub value_span: Span,
    /// Name and value.
    pub span: Span,
}

/// A node, its entries, and what stands in its braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'s> {
    pub note: Note<'s>,
    pub name: Word<'s>,
    pub entries: Vec<Entry<'s>>,
    pub children: Vec<Node<'s>>,
    /// The head: from the name to the last entry.
    pub span: Span,
}

/// The finding about a text that is cut at a byte which is not UTF-8.
pub fn not_utf8(at: Span) -> Diag {
    let diag = Diag::new("syntax/encoding", at, format!("byte {} is not UTF-8", at.start));
    diag.help("save the file as UTF-8 text; is it a text file at all?")
}

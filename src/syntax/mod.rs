//! Text → spanned nodes: KDL 2, in one pass over the bytes.
//!
//! [`cursor`] knows where we are, [`lexer`] cuts bytes into tokens, [`strings`] and [`numbers`] read their insides, [`parser`] builds
//! the tree and goes on after a mistake at the next line, so that all mistakes are told at once.
//! [`decode`] is how later rooms take what a node holds.
//!
//! **Invariant:** time and memory are linear in the text, and nesting deeper than [`DEPTH_MAX`] is a
//! finding and never a recursion. Nothing outside this room knows how KDL is written.
//! Source: the KDL 2.0.0 specification, <https://kdl.dev/spec/>.

mod cursor;
pub mod decode;
mod format;
mod lexer;
mod numbers;
mod parser;
mod strings;

use std::borrow::Cow;

use crate::diag::Diag;
use crate::source::Span;

pub use format::format;
pub use parser::parse;
pub use strings::shorten;

/// How deep children may nest.
pub const DEPTH_MAX: usize = 64;
/// How many arguments and properties a node may have.
const ENTRIES_MAX: usize = 4096;

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
    /// How a message names what was found.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Int(_) => "a number",
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

/// An argument or a property.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'s> {
    /// The property's name; an argument has none.
    pub name: Option<Word<'s>>,
    /// `(force)` and the like.
    pub note: Option<Word<'s>>,
    pub value: Value<'s>,
    /// The value alone.
    pub value_span: Span,
    /// Name and value.
    pub span: Span,
}

/// A node, its entries, and what stands in its braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'s> {
    pub note: Option<Word<'s>>,
    pub name: Word<'s>,
    pub entries: Vec<Entry<'s>>,
    pub children: Vec<Node<'s>>,
    /// The head: from the name to the last entry.
    pub span: Span,
    /// The `use` line that brought it here, where a module wrote it.
    pub via: Option<Span>,
}

/// The finding about a text that is cut at a byte which is not UTF-8.
pub fn not_utf8(at: Span) -> Diag {
    let diag = Diag::new("syntax/encoding", at, format!("byte {} is not UTF-8", at.start));
    diag.help("save the file as UTF-8 text; is it a text file at all?")
}

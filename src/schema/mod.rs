//! The language: one table declares every node, argument and property, with type and doc.
//!
//! [`NODES`] is read by [`conform`], which refuses what the table does not know, by did-you-mean, and by
//! whatever describes the language to people. **Invariant:** nothing outside the table decides which
//! words exist; `eval` and `model` decide what they mean.
//!
//! To add a node: an entry in `nodes.rs`, and the line in `model::lower` that reads it.

mod conform;
mod nodes;
mod types;

pub use conform::{conform, twice};
pub use nodes::{NODES, find};
pub use types::{Type, duration_secs, mac_bytes};

/// A value that a node takes: an argument or a property.
#[derive(Debug)]
pub struct Slot {
    pub name: &'static str,
    pub kind: Type,
    pub required: bool,
    pub doc: &'static str,
}

/// A node of the language.
#[derive(Debug)]
pub struct NodeSpec {
    pub name: &'static str,
    /// The nodes in which it may stand; `""` is the file itself.
    pub within: &'static [&'static str],
    pub args: &'static [Slot],
    /// Arguments beyond `args`, any number of them.
    pub more: Option<Slot>,
    pub props: &'static [Slot],
    /// May stand only once in one parent.
    pub once: bool,
    pub doc: &'static str,
    pub example: &'static str,
}

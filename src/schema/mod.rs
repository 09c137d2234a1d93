//! The language: one table declares every node, argument and property, with type and doc.
//!
//! [`FAMILIES`] is read by [`conform`], which refuses what the table does not know, by did-you-mean, and by
//! [`describe`], which tells the language to people and programs. **Invariant:** nothing outside the table decides which
//! words exist; `eval` and `model` decide what they mean.
//!
//! To add a node: an entry in its family's file in `nodes/`, and the line in `model::lower` that reads it.

mod conform;
pub mod describe;
mod nodes;
mod option_types;
mod types;

pub use conform::{conform, entries, mark, refuse_literal, twice};
pub use nodes::{COMMAND, ENGINES, FAMILIES, Family, HOST_FACTS, REFERENCES, find, nodes};
pub use option_types::{OPTION_TYPES, OptionType};
pub use types::{Kind, PLACEHOLDER, Type, duration_secs, is_name, mac_bytes, show_duration};

/// The version of pxelator that knew a word first, where nothing else is said.
const FIRST: &str = "0.1";

/// A value that a node takes: an argument or a property.
#[derive(Debug)]
pub struct Slot {
    pub name: &'static str,
    pub kind: Type,
    pub required: bool,
    /// What holds where it is absent, as an author would write it.
    pub default: Option<&'static str>,
    pub doc: &'static str,
    /// A value as an author would write it.
    pub example: &'static str,
    pub since: &'static str,
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
    pub since: &'static str,
}

/// Does a node of this name declare a host?
pub fn is_host(name: &str) -> bool {
    matches!(name, "host" | "vm")
}

impl NodeSpec {
    /// Every value that it takes: arguments, those beyond, properties.
    pub fn slots(&'static self) -> impl Iterator<Item = &'static Slot> {
        self.args.iter().chain(&self.more).chain(self.props)
    }

    /// The nodes that may stand in it.
    pub fn children(&'static self) -> impl Iterator<Item = &'static NodeSpec> {
        nodes().filter(|spec| spec.within.contains(&self.name))
    }
}

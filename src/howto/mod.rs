//! How-tos: what an administrator wrote down (or did) as rules, and rules as the text of a module.
//!
//! [`HowTo`] is the data in the middle. [`write::module`] makes a module out of any of them, whether it
//! was read from Markdown or collected from a machine.
//!
//! ```text
//! Markdown ─ markdown ─ headings, prose, blocks ─ blocks ─ is it shell? without prompts
//!          ─ shell ─ plain commands ─ verbs ─ steps ─ settle ─ rules that do not quarrel ─ write ─ module
//! ```
//!
//! **Invariant:** nothing is invented. A command that is not understood leaves its whole block to a
//! person, word for word.

mod blocks;
mod doubt;
mod markdown;
mod read;
mod restarts;
mod settle;
mod shell;
mod split;
mod verbs;
pub mod write;

pub use read::{Refused, read};

/// The largest how-to that we read, in bytes.
pub const HOWTO_BYTES_MAX: usize = 1 << 20;
/// How many rules one how-to may become.
pub const RULES_MAX: usize = 512;
/// How many commands one how-to may have, and how many lines of rules they may become.
pub const COMMANDS_MAX: usize = 2000;
/// How many lines one block may have.
pub const BLOCK_LINES_MAX: usize = 5000;

/// A list of rules, in the order in which they were written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HowTo {
    /// One sentence: what the module is from.
    pub doc: String,
    pub rules: Vec<Rule>,
}

/// What belongs together: it is checked and applied as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Without the name of the module; any text, the writer makes a name of it.
    pub name: String,
    pub doc: Option<String>,
    /// The rule before this one must hold first.
    pub after: Option<usize>,
    pub steps: Vec<Step>,
}

/// One line of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Package(Vec<String>),
    File { path: String, content: Vec<u8>, access: Access },
    Folder { path: String, access: Access },
    Link { path: String, to: String },
    Absent(String),
    Check(String),
    Apply(String),
    Manual(String),
}

/// Mode and owners, where they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub mode: Option<String>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

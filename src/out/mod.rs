//! What is written down: the tree with its spans, its hashes, and the tables that services read.
//!
//! [`tree`] is bytes and the source lines behind each; [`manifest`] names a tree by its content;
//! [`table`] is the only contract between the compiler and the runtime; [`diff`] tells what one tree
//! changes for whom after another. [`plan`] is what a deploy will do, and [`serial`] which serials zones get.
//!
//! **Invariant:** nothing here knows a site, and nothing here touches a disk.

pub mod diff;
pub mod manifest;
pub mod plan;
pub mod serial;
pub mod table;
pub mod tree;

pub use manifest::{MANIFEST, Manifest};
pub use tree::{Artifact, Lines, Tree, Wing};

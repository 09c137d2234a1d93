//! The Language Server Protocol 3.17 over two pipes: what an editor types becomes findings, and its
//! questions become answers.
//!
//! ```text
//! editor ─ wire ─ reader ─┐                 ┌─ answers ─ cursor, complete, words, rename
//!                         ├─ queue ─ server ┤
//!          findings ──────┘   ▲             └─ workspace ─ index
//!            └── one check ───┘ jobs                 └─ store: files of the disk, open documents over them
//! ```
//!
//! [`wire`] reads and writes messages, [`server`] keeps the conversation, [`workspace`] the documents,
//! [`index`] the names. [`findings`] checks in a thread of its own, so that questions are answered while
//! a large site is compiled; what changes meanwhile gathers, and only the last state is checked next.
//!
//! **Invariant:** nothing that an editor sends ends the server but `exit`, and bytes that are no message. No
//! file is written here: a rename is told, and the editor does it.
//!
//! To add an answer: a function in [`answers`], a line in `server::Server::answer`, and its capability in
//! `server::capabilities`.

mod answers;
mod braces;
mod complete;
mod cursor;
mod findings;
mod index;
mod modules;
mod paths;
mod position;
mod rename;
mod server;
mod session;
mod walk;
mod wire;
mod words;
mod workspace;

pub use session::run;
pub use wire::Error;

//! What is watched, and who is told when it fails: hosts are asked by ping, TCP, HTTP and DNS.
//!
//! ```text
//!  tables ──plan──► checks and what lies before them
//!                      │ due, or urgent
//!                      ▼
//!                    probe ──Found──► judge ──► monitor.json (seen)
//!                                       └─────► alerts fired and resolved ──► post ──► mail, webhook
//! ```
//! [`plan`] and [`judge`] are pure: what fails, what lies before it, and what must be told is decided there.
//! [`run`] has the clock, `probe` and `ping` the sockets, [`post`] the queue and the sinks.
//!
//! **Invariant:** each alert that was fired is resolved, also after a restart, a new generation and a kill;
//! and what lies behind something that is down fires nothing.

mod found;
pub mod judge;
mod memory;
mod ping;
pub mod plan;
pub mod post;
mod probe;
mod run;
pub mod seen;

pub(super) use self::run::begin;

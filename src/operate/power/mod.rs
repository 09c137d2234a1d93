//! Machines that are turned on and off: a schedule's edge, a command → a conversation with the machine's
//! controller, or a wake-up packet.
//!
//! ```text
//!  tables ──answer::power──► edges ─┐
//!  commands by DNS (events) ────────┼─► jobs ──act──► amt, wake ──► PowerChanged, WakeSent, PowerFailed
//!  `pxelator power`, by itself ─────┘
//! ```
//! `pxelator power` also leaves when it did so, and edges of before are not tried any more.
//!
//! **Invariant:** an edge that was carried out is never carried out again, and one that was not is never
//! forgotten, however often the server is killed; a command is carried out once or not at all.

pub mod act;
pub mod amt;
pub mod by_hand;
mod execute;
mod hear;
mod jobs;
mod memory;
#[cfg(test)]
mod trials;
pub mod wake;
mod watch;

pub(super) use self::execute::begin;

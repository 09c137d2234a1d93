//! Rules on machines that run: looked up, brought about, and looked up again.
//!
//! ```text
//!  rules/*.jsonl ─► script(host, plan or apply) ─┬─ ssh, as root ─────────┬─► results between marks ─► Seen
//!                                                └─ bwrap over an overlay ─┘
//! ```
//! [`script`] makes one text for sh out of a host's rules, `library.sh` is what it stands on, [`run`] has it
//! run, [`seen`] reads what came back. [`differences`] goes the other way: what somebody changed on a machine
//! becomes rules.
//!
//! **Invariant:** a plan changes nothing. What is unknown is never applied, and nothing counts as applied
//! that was not looked up again afterwards.

pub mod differences;
pub mod run;
pub mod script;
pub mod seen;

//! Generations on the boot server: a plan executed step by step, and a way back.
//!
//! ```text
//!  out/ ──► `Link::plan` ──► Plan (read, kept) ──► `Link::execute` ──► switched, healthy, or gone back
//!            └───────────────── here, or over ssh to the boot server ─────────────────┘
//!
//!  STORE/current -> generations/7           the only switch: one rename
//!  STORE/generations/7/{about.json,out/,stamped/}
//!  STORE/history.jsonl                      one line an event
//!  STORE/state                              the state folder of the server that reads it
//! ```
//! [`link`] is the way to the boot server: a folder here, or [`ssh`]. [`far`] answers what comes over it,
//! beside the [`folder`] of generations: it [`survey`]s, plans, and [`execute`]s; [`health`] asks the server.
//!
//! **Invariant:** everything that decides runs on the boot server, so a connection that breaks leaves
//! nothing half done. A generation is written, synced and verified before `current` leads to it, and is never
//! changed afterwards. Generations share no bytes: an edit in one cannot break the way back. Nothing here
//! names `serve`: what the server says of itself lies in the state folder.

mod execute;
mod far;
mod folder;
mod health;
mod history;
mod link;
mod ssh;
mod survey;

use std::path::PathBuf;

pub use far::{Back, Desire, Executed, Order, Planned, Row, Tree, Who, answer_lines};
pub use link::{Link, Target, list};
pub use ssh::Ssh;

use crate::answer::dns::ZoneError;
use crate::out::table::TableError;
use crate::store;

/// What kept a deploy from its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Zone(#[from] ZoneError),
    #[error("{path} is no store of generations: it holds `{found}`; give a folder that is empty or new")]
    NotStore { path: PathBuf, found: String },
    #[error("there is no store at {path}: the first `pxelator deploy` makes it")]
    NoStore { path: PathBuf },
    #[error("{path} cannot be made, for there is no folder {parent}: read the path again, or make the folder")]
    NoParent { path: PathBuf, parent: PathBuf },
    #[error(
        "{store} belongs to a server whose state folder is {known}, and --state says {given}: leave --state away; if the folder has moved, write its new path into {store}/state"
    )]
    OtherState { store: PathBuf, known: PathBuf, given: PathBuf },
    #[error("another deploy or rollback is at work in {path}: wait until it ends")]
    Busy { path: PathBuf },
    #[error("generation {number} is damaged: {what}; deploy it again")]
    Damaged { number: u64, what: String },
    #[error("generation {number} is not in {path}; it holds {kept}; of an id write at least 4 characters")]
    NoNumber { number: String, path: PathBuf, kept: String },
    #[error("there is nothing to go back to in {path}: {why}; `pxelator generations` shows what is there")]
    NoWayBack { path: PathBuf, why: String },
    #[error("stale plan: {0}; make a new plan")]
    Stale(String),
    #[error("the plan is for generation {plan}, and this is {found}: build that one again, or make a new plan")]
    OtherGeneration { plan: String, found: String },
    #[error(
        "{count} of the files that machines load are not on the boot server as assets.lock says, so nothing was switched:\n  {list}\ncopy them there, or run `pxelator lock` and build again; --without-assets deploys all the same"
    )]
    Assets { count: usize, list: String },
    #[error("{0} is not text: a generation holds nothing else; run `pxelator build` again")]
    Encoding(String),
    #[error("the other end answered something else than it was asked: install the same pxelator on both")]
    Odd,
    #[error("generation {number} is not healthy: {why}; {then}")]
    Unhealthy { number: u64, why: String, then: String },
    #[error(transparent)]
    Ssh(#[from] ssh::Problem),
    /// The boot server's own words.
    #[error("{host}: {message}")]
    Far { host: String, message: String, is_refusal: bool },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The deploy was understood, and refused or taken back; anything else is the environment.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Stale(_) | Error::OtherGeneration { .. } | Error::Assets { .. } | Error::Unhealthy { .. } => true,
            Error::NoNumber { .. } | Error::NoWayBack { .. } | Error::OtherState { .. } => true,
            Error::Far { is_refusal, .. } => *is_refusal,
            Error::Damaged { .. } => false,
            Error::Store(_) | Error::Table(_) | Error::Zone(_) | Error::NotStore { .. } | Error::NoStore { .. } => false,
            Error::NoParent { .. } | Error::Busy { .. } | Error::Encoding(_) | Error::Odd | Error::Ssh(_) => false,
        }
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

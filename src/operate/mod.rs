//! What a boot server does besides answering: it keeps what happened, turns machines on and off, and watches them.
//!
//! ```text
//!  serve ── Record ──► every listener, in order, before the reply goes out
//!    └───── Tables ──► every part, anew when a generation is swapped
//! ```
//! Each part has a thread of its own: a sink or a machine that is slow holds up no service. What happens is
//! written before it is answered, though: where writing to the disk takes long, DHCP, TFTP, HTTP, syslog and
//! commands wait for it, and names are answered meanwhile.
//!
//! **Invariant:** a part sees a generation's tables and events, and never the compiler's rooms; what it
//! must remember lies in the state folder, and is whole after a kill.
//!
//! To add a part: a file or folder here with `begin`, and a line in [`PARTS`].

pub mod audit;
pub mod capture;
pub mod monitor;
pub mod overview;
pub mod power;
pub mod rule;
pub mod secret;
pub mod track;
pub mod trend;
pub mod vm;

use std::path::PathBuf;

use tracing::info;

use crate::serve::{Beside, Handle};

/// One room of the operating half.
pub struct Part {
    pub name: &'static str,
    pub about: &'static str,
    begin: fn(&Handle) -> Result<Box<dyn Working>, Error>,
}

/// A part that works, until it is told to end.
pub trait Working {
    fn end(self: Box<Self>);
}

/// All parts; whoever keeps what happened comes first, so that what the others do is kept.
pub const PARTS: &[Part] = &[
    Part { name: "audit", about: "what happened is kept, and sent to sinks", begin: audit::begin },
    Part { name: "secrets", about: "a secret that cannot be read is told at once", begin: secret::begin },
    Part { name: "power", about: "machines on and off, by schedule and by command", begin: power::begin },
    Part { name: "monitor", about: "hosts are watched, and somebody is told", begin: monitor::begin },
    Part { name: "trend", about: "what is measured once a minute, where the site wants it", begin: trend::begin },
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{path}: {what}")]
    Secret { path: PathBuf, what: String },
    #[error("this user may not read {path}: run it as root or as the user of `pxelator serve`")]
    Denied { path: PathBuf },
    #[error("{what}")]
    Asked { what: String },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

struct Running(Vec<Box<dyn Working>>);

/// Begins all parts: the operating half of `serve`.
pub fn begin(handle: &Handle) -> std::result::Result<Box<dyn Beside>, Box<dyn std::error::Error + Send + Sync>> {
    let mut running = Vec::new();
    for part in PARTS {
        running.push((part.begin)(handle)?);
        info!("{}: {}", part.name, part.about);
    }
    Ok(Box::new(Running(running)))
}

impl Beside for Running {
    /// In the other order: what the last ones still do is kept by the first.
    fn end(self: Box<Self>) {
        self.0.into_iter().rev().for_each(Working::end);
    }
}

//! Whoever is told: by mail and by webhook, from a queue on the disk.
//!
//! ```text
//!  news ─► STATE/alerts/000000000012-5f3a….json, one for each sink ─► a thread a sink ─► mail, webhook
//!                                                     └─ Trouble: told, and again later
//! ```
//! **Invariant:** a sink gets its messages in order, each once; after a crash between the sink's word and ours it
//! gets one again, with the same name (`Message-ID`, `Idempotency-Key`). A sink that is away holds up no other, and
//! a message that its sink refuses holds up only what is said of the same alert.

mod adopt;
mod deliver;
mod mail;
pub mod outbox;
mod webhook;
mod words;

use serde::{Deserialize, Serialize};

pub(super) use self::adopt::adopt;
pub(super) use self::deliver::{Deliverers, undelivered};
pub use self::words::duration;
use super::seen::Alert;
use crate::out::table::{AlertRow, AlertSink};

/// What a sink is told of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// As [`AlertRow::name`] has it.
    pub sink: String,
    pub state: Told,
    /// Seconds since 1970.
    pub at: i64,
    pub alert: Alert,
    /// Why it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Can its controller be asked whether it is on?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_amt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    Fired,
    Resolved,
    /// Nothing is wrong: somebody tries whether it arrives.
    Test,
}

impl Told {
    pub fn name(self) -> &'static str {
        match self {
            Told::Fired => "fired",
            Told::Resolved => "resolved",
            Told::Test => "test",
        }
    }
}

impl Message {
    /// The same each time that it is sent, and of no other.
    pub fn name(&self) -> String {
        format!("{}.{}", self.alert.id, self.state.name())
    }

    /// For `pxelator alerts test`.
    pub fn test(row: &AlertRow, at: i64) -> Message {
        let alert = Alert {
            id: format!("test-{at}"),
            host: "nobody".to_owned(),
            check: "test".to_owned(),
            fired: at,
            resolved: None,
            why: "somebody typed `pxelator alerts test`".to_owned(),
            behind: Vec::new(),
            waiting: Vec::new(),
        };
        Message { sink: row.name(), state: Told::Test, at, alert, how: None, has_amt: false }
    }
}

/// Why a sink does not have it, with what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It takes nothing now.
    Sink(String),
    /// It does not take this one, and may take another.
    Message(String),
}

impl Trouble {
    pub fn what(&self) -> &str {
        match self {
            Trouble::Sink(what) | Trouble::Message(what) => what,
        }
    }
}

/// Brings one message there. When this returns, the sink has it.
pub fn send(row: &AlertRow, message: &Message) -> Result<(), Trouble> {
    match &row.to {
        AlertSink::Mail(mail) => mail::send(row, mail, message),
        AlertSink::Webhook(webhook) => webhook::send(row, webhook, message),
    }
}

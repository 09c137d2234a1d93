//! What happened, as values in the past tense; all that the log and the operating half ever see.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// An event and its time: a line of what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since 1970.
    pub at: i64,
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A pool address is held for a client until it asks or the hold ends.
    LeaseOffered { mac: String, address: Ipv4Addr, until: u64 },
    LeaseGranted { mac: String, address: Ipv4Addr, until: u64 },
    LeaseReleased { mac: String, address: Ipv4Addr },
    /// A client found that somebody else uses the address; nobody gets it until then.
    AddressDeclined { mac: String, address: Ipv4Addr, until: u64 },
    ReservationOffered { host: String, mac: String, address: Ipv4Addr },
    ReservationGranted { host: String, mac: String, address: Ipv4Addr },
    /// A client found that somebody else uses the address that the site reserves for it.
    ReservationDeclined { host: String, mac: String, address: Ipv4Addr },
    RequestRefused { mac: String, address: Ipv4Addr },
    /// A network's client finds no address; `first` is where its last pool begins.
    PoolExhausted { mac: String, network: String, first: Ipv4Addr },
    LoaderOffered { mac: String, file: String },
    /// A machine shall do something with its power. `by` is `schedule`, `command` (by DNS) or `operator` (who types `pxelator power`).
    PowerAsked { host: String, action: Cow<'static, str>, by: Cow<'static, str> },
    /// It agreed to.
    PowerChanged { host: String, action: Cow<'static, str>, by: Cow<'static, str> },
    /// It was so already, and was left alone.
    PowerKept { host: String, action: Cow<'static, str>, by: Cow<'static, str> },
    /// A wake-up went out; nothing answers one.
    WakeSent { host: String, by: Cow<'static, str> },
    /// It did not; `again` is after how many seconds it is tried again, where it is.
    PowerFailed { host: String, action: Cow<'static, str>, by: Cow<'static, str>, why: String, again: Option<u64> },
    /// A machine's controller was asked: `on`, `off`, `asleep` or `hibernated`.
    PowerSeen { host: String, state: String },
    /// Somebody who may has given a command by DNS; whoever switches machines carries it out. Once for each label.
    CommandGiven { run: String, host: String, from: Ipv4Addr, label: String },
    /// Questions for commands of somebody who may not: told once a minute, `count` since the last time.
    CommandRefused { from: Ipv4Addr, name: String, count: u64 },
    /// So many labels were wrong that from now on labels count over TCP alone, for a while.
    LabelsGuessed { from: Ipv4Addr, name: String, count: u64 },
    /// A machine asked for a name that calls for help.
    HelpCalled { from: Ipv4Addr, name: String, host: Option<String> },
    /// Somebody wants to know whether a host is on, and nothing that happened lately tells it.
    StatusAsked { host: String, from: Ipv4Addr },
    FileAsked { client: Ipv4Addr, service: Cow<'static, str>, path: String, found: bool },
}

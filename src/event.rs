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
    /// A client asked for an address; firmware says which it is (option 93), and iPXE that it is iPXE.
    ClientDiscovered {
        mac: String,
        host: Option<String>,
        arch: Option<u16>,
        is_ipxe: bool,
    },
    /// A pool address is held for a client until it asks or the hold ends.
    LeaseOffered {
        mac: String,
        address: Ipv4Addr,
        until: u64,
    },
    LeaseGranted {
        mac: String,
        address: Ipv4Addr,
        until: u64,
    },
    LeaseReleased {
        mac: String,
        address: Ipv4Addr,
    },
    /// A client found that somebody else uses the address; nobody gets it until then.
    AddressDeclined {
        mac: String,
        address: Ipv4Addr,
        until: u64,
    },
    ReservationOffered {
        host: String,
        mac: String,
        address: Ipv4Addr,
    },
    ReservationGranted {
        host: String,
        mac: String,
        address: Ipv4Addr,
    },
    /// A client found that somebody else uses the address that the site reserves for it.
    ReservationDeclined {
        host: String,
        mac: String,
        address: Ipv4Addr,
    },
    RequestRefused {
        mac: String,
        address: Ipv4Addr,
    },
    /// A network's client finds no address; `first` is where its last pool begins.
    PoolExhausted {
        mac: String,
        network: String,
        first: Ipv4Addr,
    },
    LoaderOffered {
        mac: String,
        file: String,
    },
    /// A machine shall do something with its power. `by` is `schedule`, `command` (by DNS) or `operator` (who types `pxelator power`).
    PowerAsked {
        host: String,
        action: Cow<'static, str>,
        by: Cow<'static, str>,
    },
    /// It agreed to.
    PowerChanged {
        host: String,
        action: Cow<'static, str>,
        by: Cow<'static, str>,
    },
    /// It was so already, and was left alone.
    PowerKept {
        host: String,
        action: Cow<'static, str>,
        by: Cow<'static, str>,
    },
    /// A wake-up went out; nothing answers one.
    WakeSent {
        host: String,
        by: Cow<'static, str>,
    },
    /// It did not; `again` is after how many seconds it is tried again, where it is.
    PowerFailed {
        host: String,
        action: Cow<'static, str>,
        by: Cow<'static, str>,
        why: String,
        again: Option<u64>,
    },
    /// A machine's controller was asked: `on`, `off`, `asleep` or `hibernated`.
    PowerSeen {
        host: String,
        state: String,
    },
    /// A rule was looked up, and is not kept: `state` is `drift` or `unknown`.
    RuleSeen {
        host: String,
        rule: String,
        state: Cow<'static, str>,
        why: String,
    },
    /// A rule was brought about on a host; `lines` says which of its lines did something.
    RuleApplied {
        host: String,
        rule: String,
        lines: Vec<String>,
    },
    /// It was not, or not wholly.
    RuleFailed {
        host: String,
        rule: String,
        why: String,
    },
    /// Somebody who may has given a command by DNS; whoever switches machines carries it out. Once for each label.
    CommandGiven {
        run: String,
        host: String,
        from: Ipv4Addr,
        label: String,
    },
    /// Questions for commands of somebody who may not: told once a minute, `count` since the last time.
    CommandRefused {
        from: Ipv4Addr,
        name: String,
        count: u64,
    },
    /// So many labels were wrong that from now on labels count over TCP alone, for a while.
    LabelsGuessed {
        from: Ipv4Addr,
        name: String,
        count: u64,
    },
    /// A machine asked for a name that calls for help.
    HelpCalled {
        from: Ipv4Addr,
        name: String,
        host: Option<String>,
    },
    /// Somebody wants to know whether a host is on, and nothing that happened lately tells it.
    StatusAsked {
        host: String,
        from: Ipv4Addr,
    },
    FileAsked {
        client: Ipv4Addr,
        service: Cow<'static, str>,
        path: String,
        found: bool,
    },
    /// A line of syslog came in.
    LineLogged(Line),
    /// Datagrams of syslog came faster than they were read, and the kernel dropped them; or there was no time for
    /// them before a stop.
    LinesDropped {
        count: u64,
    },
    /// The spool could not be written: so many records are nowhere.
    RecordsLost {
        count: u64,
        since: i64,
        why: String,
    },
    /// The oldest records were deleted, `segments` files from `first` to `last`: for their `age`, or for the `size`
    /// of the spool. `delivered` says whether every sink has them.
    RecordsDeleted {
        segments: u64,
        first: String,
        last: String,
        bytes: u64,
        delivered: bool,
        why: Cow<'static, str>,
    },
    /// A check failed often enough, and nothing before it is the reason; so many hosts lie behind it.
    AlertFired {
        alert: String,
        host: String,
        check: String,
        why: String,
        behind: u64,
    },
    /// It is over; `why` says in which way.
    AlertResolved {
        alert: String,
        host: String,
        check: String,
        why: String,
    },
    /// A sink has the news; `state` is `fired` or `resolved`.
    AlertSent {
        alert: String,
        host: String,
        state: String,
        sink: String,
    },
    /// A sink never gets the news.
    AlertUndelivered {
        alert: String,
        host: String,
        state: String,
        sink: String,
        why: String,
    },
    /// The tracked folders of a machine were fetched; where they were otherwise than before there is a commit, and
    /// `what` counts it.
    MachinePulled {
        host: String,
        commit: Option<String>,
        by: Cow<'static, str>,
        what: String,
    },
    /// Nothing was kept of a pull.
    MachineNotPulled {
        host: String,
        by: Cow<'static, str>,
        why: String,
    },
    /// A file or folder was put back as a commit has it.
    PathRestored {
        host: String,
        path: String,
        commit: String,
        by: Cow<'static, str>,
    },
    /// It was begun and did not come to its end; what of it is done is as in the commit.
    PathHalfRestored {
        host: String,
        path: String,
        commit: String,
        by: Cow<'static, str>,
        why: String,
    },
    /// A sink refuses a document for ever; its records stay in the spool.
    DocumentRefused {
        sink: String,
        document: String,
        why: String,
    },
}

/// A line of syslog, as it was understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub source: Ipv4Addr,
    /// Whose address that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub facility: Cow<'static, str>,
    pub severity: Cow<'static, str>,
    /// The program, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// How the sender calls itself, and its own time: both as they stand in the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// Message id and structured data of RFC 5424, as they stand in the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    pub text: String,
    /// How many bytes were cut off its end.
    #[serde(default, skip_serializing_if = "is_none_cut")]
    pub cut: usize,
}

fn is_none_cut(cut: &usize) -> bool {
    *cut == 0
}

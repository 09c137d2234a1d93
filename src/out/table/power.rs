//! The rows of `power/`: how machines are switched, and when.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// `power/hosts.jsonl`: a host that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerRow {
    pub host: String,
    pub address: Option<Ipv4Addr>,
    pub macs: Vec<String>,
    /// Of the network of a host that can be woken: where a wake-up goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amt: Option<AmtRow>,
    /// Does its firmware listen for Wake on LAN?
    pub wake: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The groups around it and its tags, by which a person names several hosts at once: `group:kiosks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<String>,
}

/// A host's controller, within its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmtRow {
    pub user: String,
    /// On the boot server.
    pub password_file: String,
    pub port: u16,
    pub tls: bool,
}

/// `power/schedules.jsonl`: when machines are on. `answer::power` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRow {
    pub schedule: String,
    /// IANA's name.
    pub timezone: String,
    pub windows: Vec<WindowRow>,
    /// Days on which no window begins: `12-25` in each year, `2027-03-29` in one, `FIRST..LAST` for several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// The last day for which the site knows its holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays_until: Option<String>,
}

/// From when to when, within its schedule's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRow {
    /// `mon` to `sun`, in this order: the days on which it begins.
    pub days: Vec<String>,
    /// `07:30`
    pub on: String,
    /// At most `24:00`.
    pub off: String,
    /// It ends on the next day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overnight: bool,
}

//! The rows of commands: names that do something when they are asked for. A part of [`super::table`].

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// `dns/commands.jsonl`: a name that does something when it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRow {
    /// Complete; `{host}` stands for the name of each host.
    pub name: String,
    pub run: Run,
    /// Whose questions count, in order.
    pub from: Vec<Range>,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    PowerOn,
    PowerOff,
    PowerCycle,
    Status,
    Call,
}

impl Run {
    /// As the site and the rows have it.
    pub fn word(self) -> &'static str {
        match self {
            Run::PowerOn => "power-on",
            Run::PowerOff => "power-off",
            Run::PowerCycle => "power-cycle",
            Run::Status => "status",
            Run::Call => "call",
        }
    }
}

/// A range of addresses, written as `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    first: Ipv4Addr,
    bits: u8,
}

impl Range {
    pub fn new(first: Ipv4Addr, bits: u8) -> Range {
        Range { first, bits }
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
        u32::from(address) & mask == u32::from(self.first) & mask
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Range, String> {
        let parts = text.split_once('/').and_then(|(first, bits)| Some(Range { first: first.parse().ok()?, bits: bits.parse().ok()? }));
        parts.filter(|range| range.bits <= 32).ok_or_else(|| format!("`{text}` is no range"))
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        format!("{}/{}", range.first, range.bits)
    }
}

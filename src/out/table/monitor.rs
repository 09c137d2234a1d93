//! The rows of `monitor/`: what the operating half knows of the site's hosts.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

pub const FACTS: &str = "monitor/hosts.jsonl";
pub const TRENDS: &str = "monitor/trends.jsonl";

/// `monitor/trends.jsonl`, one row: what is measured is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrendsRow {
    pub keep_secs: u64,
}

/// `monitor/hosts.jsonl`: a host, and where it belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRow {
    pub host: String,
    /// A host without one takes an address from a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The groups around it, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it starts; the site's menu where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The router through which the boot server reaches it; absent where both stand in one network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Ipv4Addr>,
    /// What the site says of it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

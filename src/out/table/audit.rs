//! The rows of `audit/`: how long what happened is kept, and who gets it.

use serde::{Deserialize, Serialize};

pub const SPOOL: &str = "audit/spool.jsonl";
pub const SINKS: &str = "audit/sinks.jsonl";

/// How long what happened is kept where the site has no `audit`: as long as one that says no more.
pub const KEEP_SECS: u64 = 365 * 86_400;

/// `audit/spool.jsonl`, one row: how long what happened is kept on the boot server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolRow {
    pub keep_secs: u64,
}

/// `audit/sinks.jsonl`: where else what happened is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkRow {
    /// `couchdb`
    pub kind: String,
    /// With the name of the database, without a password.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where its password lies on the boot server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

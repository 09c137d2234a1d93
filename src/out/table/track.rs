//! The rows of `track/`: which folders of machines that already run are kept.

use serde::{Deserialize, Serialize};

use super::LoginRow;
use crate::source::names_path;

pub const TRACK: &str = "track/hosts.jsonl";

/// `track/hosts.jsonl`: a host, how one logs in, and its folders by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackRow {
    pub host: String,
    pub login: LoginRow,
    pub folders: Vec<TrackedFolder>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedFolder {
    /// A whole path on the machine.
    pub folder: String,
    /// What is left out: a whole path, or a name; `*` and `?` stand for others.
    pub except: Vec<String>,
}

impl TrackedFolder {
    /// The same for rsync. As a whole rule a pattern is nothing but a pattern, however it begins.
    pub fn filters(&self) -> impl Iterator<Item = String> {
        self.except.iter().map(|pattern| format!("--filter=- {pattern}"))
    }

    /// Is a path of the machine, or a folder above it, left out?
    pub fn leaves_out(&self, path: &[u8]) -> bool {
        let below = path.strip_prefix(self.folder.as_bytes()).unwrap_or_default();
        self.except.iter().any(|pattern| names_path(pattern, if pattern.starts_with('/') { path } else { below }))
    }
}

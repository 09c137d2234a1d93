//! `serving.json` in the state folder: what the server there serves, for a deploy that waits for it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Result, failed, out, serials::read_state};
use crate::out::table::json;

const FILE: &str = "serving.json";
const BYTES_MAX: u64 = 1 << 20;

/// What a running server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    pub pid: u32,
    /// When the process started, in the kernel's ticks: a later process with this number is another one.
    pub started: u64,
    /// The folder that it was told to serve, and the one behind its links from which it read.
    pub out: PathBuf,
    pub folder: PathBuf,
    pub generation: String,
    /// Seconds since 1970.
    pub since: u64,
    /// Where it can be asked.
    pub address: Ipv4Addr,
    pub dns: u16,
    pub tftp: u16,
    pub http: u16,
    /// Where its assets lie, if not where the site says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<PathBuf>,
    /// The folder that it could not take over, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub folder: PathBuf,
    pub why: String,
}

impl Serving {
    /// What a server of this state folder said last; none where it ended cleanly, or there was none.
    pub fn read(state: &Path) -> Result<Option<Serving>> {
        let bytes = read_state(&state.join(FILE), BYTES_MAX)?;
        // What another version wrote tells us nothing: then nobody can be asked.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn write(&self, state: &Path) -> Result<()> {
        out::replace_state(&state.join(FILE), &json(self))
    }

    /// The server ends.
    pub fn remove(state: &Path) -> Result<()> {
        let path = state.join(FILE);
        std::fs::remove_file(&path).map_err(failed("remove", &path))
    }

    pub fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// When a process started, in ticks since the machine did; none where there is no such process.
pub fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces: the state follows it, and 19 fields on is the start.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next(), Some("Z" | "X")) {
        return None; // it ended, and nobody has asked how
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let (own, first) = (started(std::process::id()), started(1));
        assert!(own > first && first.is_some(), "{own:?} {first:?}");
        assert_eq!(started(u32::MAX), None);
    }
}

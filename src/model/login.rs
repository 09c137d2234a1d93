//! How the boot server logs in on a host.

use std::net::Ipv4Addr;

use super::{At, Caller, Host, Selected, Site};
use crate::source::Span;

/// Who logs in where nothing says so, and at which port.
const LOGIN_USER: &str = "root";
const SSH_PORT: u16 = 22;
/// How long a user's name may be (useradd(8)), in bytes.
const USER_BYTES_MAX: usize = 32;

/// One `ssh` line.
#[derive(Debug)]
pub struct SshLine {
    /// Nobody is named where it is for all hosts.
    pub on: Vec<At<Caller>>,
    pub user: Option<At<String>>,
    pub port: Option<At<u16>>,
    pub span: Span,
}

/// Where and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub address: Ipv4Addr,
    pub user: String,
    pub port: u16,
    /// The lines that say so.
    pub origins: Vec<Span>,
}

/// May this be a user of a Unix machine?
pub fn is_user_name(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.'));
    first && rest && text.len() <= USER_BYTES_MAX
}

impl SshLine {
    /// How near it is to a host: 0 for all, 1 for many, 2 for itself; `None` where it does not name it.
    pub fn nearness(&self, selected: &Selected<'_>, host: &Host) -> Option<u8> {
        if self.on.is_empty() {
            return Some(0);
        }
        let near = |caller: &Caller| match caller {
            Caller::Host(name) => (host.name.as_str() == name).then_some(2),
            Caller::Range(_) | Caller::Network(_) | Caller::Group(_) | Caller::Tag(_) => {
                selected.is_of(host, caller).then_some(1)
            }
        };
        self.on.iter().filter_map(|at| near(&at.value)).max()
    }
}

impl Site {
    /// The nearest line that says each; `None` for a host without an address of its own.
    pub fn login(&self, selected: &Selected<'_>, host: &Host) -> Option<Login> {
        let address = host.address.as_ref()?.value;
        let mut lines: Vec<(u8, &SshLine)> =
            self.logins.iter().filter_map(|line| Some((line.nearness(selected, host)?, line))).collect();
        lines.sort_by_key(|(nearness, line)| (std::cmp::Reverse(*nearness), line.span));
        let user = lines.iter().find_map(|(_, line)| line.user.as_ref());
        let port = lines.iter().find_map(|(_, line)| line.port.as_ref());
        Some(Login {
            address,
            user: user.map_or(LOGIN_USER.to_owned(), |at| at.value.clone()),
            port: port.map_or(SSH_PORT, |at| at.value),
            origins: user.map(|at| at.span).into_iter().chain(port.map(|at| at.span)).collect(),
        })
    }
}

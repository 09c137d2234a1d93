//! Request + tables + leases → answer + events, one pure function a protocol.
//!
//! `serve`, `simulate`, the lab and the tests call the same functions, so what was rehearsed is what
//! happens. **Invariant:** no socket, no clock (the time is in the request), no compiler: the tables of a
//! generation are all that is known. Any bytes may come in; what is not understood is [`None`] or an
//! error of the protocol, never a panic.

pub mod commands;
pub mod dhcp;
pub mod dns;
pub mod http;
pub mod power;
pub mod syslog;
pub mod tftp;
pub mod tree;

use std::net::Ipv4Addr;

use crate::event::Event;
use crate::out::table::{AssetRow, Tables};

/// What a file service sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A pinned file below the assets folder.
    Asset(AssetRow),
}

impl Content {
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Asset(row) => row.size,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A path as clients write it → as the tables have it: no leading slashes, none doubled, no `.`.
fn plain_path(path: &str) -> String {
    path.replace('\\', "/").split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// A path as the log keeps it, in characters.
const LOGGED_MAX: usize = 200;

/// What happened, with a path that does not fill the log.
fn asked(client: Ipv4Addr, service: &'static str, path: &str, found: bool) -> Event {
    Event::FileAsked { client, service: service.into(), path: path.chars().take(LOGGED_MAX).collect(), found }
}

/// `01-52-54-…` or `52-54-…` or with colons → `52:54:…`, as the tables write it.
pub fn mac_of(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase().replace('-', ":");
    let mac = if text.len() == 20 { text.strip_prefix("01:")? } else { &text };
    let sound = mac.len() == 17 && mac.split(':').all(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit()));
    sound.then(|| mac.to_owned())
}

/// A menu in a loader's language.
fn menu(tables: &Tables, name: &str, loader: &str) -> Option<Content> {
    tables.menus.get(&format!("{name}.{loader}")).map(|bytes| Content::Bytes(bytes.clone()))
}

/// A menu or a text by its file name, or a pinned asset.
fn file(tables: &Tables, path: &str) -> Option<Content> {
    let menu = path.strip_prefix("menus/").and_then(|name| tables.menus.get(name));
    let text = || path.strip_prefix("files/").and_then(|name| tables.texts.get(name));
    menu.or_else(text).map(|bytes| Content::Bytes(bytes.clone())).or_else(|| tables.assets.get(path).cloned().map(Content::Asset))
}

/// The menu of a client, the site's default one where nothing else is said.
fn menu_name<'t>(tables: &'t Tables, mac: Option<&str>, address: Option<Ipv4Addr>) -> &'t str {
    tables.menu_of(mac, address).unwrap_or(DEFAULT_MENU)
}

/// The host that has an address: by its reservation, or by the lease of a pool.
pub fn host_at<'t>(address: Ipv4Addr, tables: &'t Tables, leases: &dhcp::Leases, now: u64) -> Option<&'t str> {
    let granted = |lease: &&dhcp::Lease| lease.state == dhcp::LeaseState::Granted && lease.until > now;
    let leased = || tables.host_of_mac(&leases.at(address).filter(granted)?.mac);
    tables.host_of_address(address).or_else(leased)
}

/// The menu of unknown clients; every generation has it.
const DEFAULT_MENU: &str = "default";

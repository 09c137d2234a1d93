//! TFTP (RFC 1350) with options (RFC 2347), block size (2348), timeout and size (2349), window (7440).
//!
//! [`answer`] decides what a request gets; [`transfer::Transfer`] is the conversation afterwards.

pub mod transfer;

use std::net::Ipv4Addr;

use super::tree::pool_of;
use super::{Content, asked, file, mac_of, menu, menu_name, plain_path};
use crate::event::Event;
use crate::out::table::Tables;

/// The least and greatest block, in bytes (RFC 2348).
const BLOCK_BYTES: (u64, u64) = (8, 65_464);
/// What a block holds where nobody asks, in bytes.
const BLOCK_BYTES_DEFAULT: u64 = 512;
/// The largest block that we grant, in bytes: what fits an Ethernet frame beside IP, UDP and TFTP headers.
const BLOCK_BYTES_GRANTED: u64 = 1468;
/// How many blocks in a row we grant (RFC 7440 allows 65,535; more only fills switches' buffers).
const WINDOW_GRANTED: u64 = 64;
/// How long we wait for an answer where nobody asks, in seconds.
const TIMEOUT_SECS: u64 = 1;
/// The longest wait that we grant, in seconds (RFC 2349 allows 255: a silent client would keep its
/// transfer for half an hour).
const TIMEOUT_SECS_GRANTED: u64 = 10;
/// The longest request that we read, in bytes (RFC 2347 says 512).
const REQUEST_BYTES_MAX: usize = 512;

/// Error codes of RFC 1350 and RFC 2347.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    NotFound = 1,
    AccessViolation = 2,
    IllegalOperation = 4,
    OptionRefused = 8,
}

/// What a request gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Transfer { content: Content, options: Options, event: Event },
    Error { code: Code, text: String, event: Option<Event> },
}

/// What the two sides agreed upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub block_bytes: u64,
    pub window: u64,
    pub timeout_secs: u64,
    /// The OACK's options, in the client's order; empty where it asked for none.
    pub accepted: Vec<(String, u64)>,
}

/// Answers a first packet; `None` for what is no request (a stray ACK, noise).
pub fn answer(packet: &[u8], peer: Ipv4Addr, tables: &Tables) -> Option<Answer> {
    let (opcode, rest) = packet.split_first_chunk::<2>()?;
    let error = |code, text: &str| Some(Answer::Error { code, text: text.to_owned(), event: None });
    match u16::from_be_bytes(*opcode) {
        1 if packet.len() <= REQUEST_BYTES_MAX => {}
        1 => return error(Code::IllegalOperation, "request is longer than 512 bytes"),
        2 => return error(Code::AccessViolation, "this server only sends"),
        _ => return None,
    }
    let fields: Vec<&str> = rest.strip_suffix(&[0])?.split(|byte| *byte == 0).map(std::str::from_utf8).collect::<Result<_, _>>().ok()?;
    let [name, mode, pairs @ ..] = fields.as_slice() else { return error(Code::IllegalOperation, "no file name or mode") };
    let path = plain_path(name);
    let content = resolve(&path, peer, tables);
    let event = asked(peer, "tftp", &path, content.is_some());
    let Some(content) = content else {
        return Some(Answer::Error { code: Code::NotFound, text: format!("no file {}", path.escape_debug()), event: Some(event) });
    };
    let content = match (mode.to_ascii_lowercase().as_str(), content) {
        ("octet", content) => content,
        ("netascii", Content::Bytes(bytes)) => Content::Bytes(netascii(&bytes)),
        ("netascii", Content::Asset(_)) => return error(Code::IllegalOperation, "netascii is for menus; ask for this file with mode octet"),
        _ => return error(Code::IllegalOperation, "unknown mode; this server knows octet and netascii"),
    };
    let options = negotiate(pairs, content.len());
    Some(Answer::Transfer { content, options, event })
}

/// What a path means: pxelinux's own names, menus, assets.
fn resolve(path: &str, peer: Ipv4Addr, tables: &Tables) -> Option<Content> {
    let Some(name) = path.strip_prefix("pxelinux.cfg/") else { return file(tables, path) };
    if let Some(mac) = mac_of(name) {
        // An unknown MAC goes on to its address, so that a pool's profile is found.
        return tables.hosts.get(&mac).and_then(|row| menu(tables, &row.menu, "pxelinux"));
    }
    if name == "default" {
        return menu(tables, menu_name(tables, None, Some(peer)), "pxelinux");
    }
    // Shorter and shorter beginnings come after the whole address.
    if let Some(pool) = pool_of(name, tables) {
        return menu(tables, &pool.menu, "pxelinux");
    }
    let whole = name.len() == 8 && name.chars().all(|c| matches!(c, '0'..='9' | 'A'..='F'));
    let address = u32::from_str_radix(name, 16).ok().filter(|_| whole).map(Ipv4Addr::from)?;
    menu(tables, tables.menu_of(None, Some(address))?, "pxelinux")
}

/// LF → CR LF, CR → CR NUL (RFC 764).
fn netascii(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for byte in bytes {
        match byte {
            b'\n' => out.extend(b"\r\n"),
            b'\r' => out.extend(b"\r\0"),
            byte => out.push(*byte),
        }
    }
    out
}

/// Takes what we understand; an option that we do not know or cannot grant is left out, as RFC 2347 wants.
fn negotiate(pairs: &[&str], size: u64) -> Options {
    let mut options = Options { block_bytes: BLOCK_BYTES_DEFAULT, window: 1, timeout_secs: TIMEOUT_SECS, accepted: Vec::new() };
    for pair in pairs.chunks_exact(2) {
        let [name, value] = pair else { continue };
        let name = name.to_ascii_lowercase();
        let Ok(value) = value.parse::<u64>() else { continue };
        let known = options.accepted.iter().any(|(other, _)| *other == name);
        let granted = match name.as_str() {
            "blksize" if (BLOCK_BYTES.0..=BLOCK_BYTES.1).contains(&value) => {
                options.block_bytes = value.min(BLOCK_BYTES_GRANTED);
                options.block_bytes
            }
            "windowsize" if (1..=65_535).contains(&value) => {
                options.window = value.min(WINDOW_GRANTED);
                options.window
            }
            "timeout" if (1..=TIMEOUT_SECS_GRANTED).contains(&value) => {
                options.timeout_secs = value;
                value
            }
            "tsize" => size,
            _ => continue,
        };
        if !known {
            options.accepted.push((name, granted));
        }
    }
    options
}

/// An ERROR packet.
pub fn error(code: Code, text: &str) -> Vec<u8> {
    let mut packet = vec![0, 5, 0, code as u8];
    packet.extend(text.as_bytes());
    packet.push(0);
    packet
}

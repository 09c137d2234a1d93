//! A capture as Wireshark reads it: pcapng (draft-ietf-opsawg-pcapng), little-endian, written whole block by whole block.

use std::net::Ipv4Addr;
use std::time::Duration;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// How many names go into a file: a reader keeps all of them in memory.
const NAMES_MAX: usize = 16_384;

/// The head of a file: who wrote it.
pub(super) fn section() -> Vec<u8> {
    let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]); // version 1.0
    body.extend(u64::MAX.to_le_bytes()); // however long the section becomes
    option(&mut body, 4, concat!("pxelator ", env!("CARGO_PKG_VERSION")).as_bytes());
    end(&mut body);
    block(SECTION, &body)
}

/// An interface; packets name it by its place among these blocks.
pub(super) fn interface(name: &str, kept_bytes_max: u32) -> Vec<u8> {
    let mut body = ETHERNET.to_le_bytes().to_vec();
    body.extend([0, 0]);
    body.extend(kept_bytes_max.to_le_bytes());
    option(&mut body, 2, name.as_bytes());
    option(&mut body, 9, &[9]); // if_tsresol: nanoseconds
    end(&mut body);
    block(INTERFACE, &body)
}

/// The names of addresses, so that Wireshark shows hosts as the site calls them.
pub(super) fn names<'a>(all: impl Iterator<Item = (Ipv4Addr, &'a str)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (address, name) in all.take(NAMES_MAX) {
        let mut value = address.octets().to_vec();
        value.extend(name.as_bytes());
        value.push(0);
        option(&mut body, 1, &value);
    }
    body.extend([0; 4]);
    block(NAMES, &body)
}

/// A packet: what is kept of it, and how long it was on the wire.
pub(super) fn packet(interface: u32, at: Duration, kept: &[u8], length: usize) -> Vec<u8> {
    let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).to_le_bytes();
    let mut body = interface.to_le_bytes().to_vec();
    // The upper half comes first, each half in the file's byte order.
    body.extend(nanos.iter().skip(4));
    body.extend(nanos.iter().take(4));
    body.extend(word(kept.len()));
    body.extend(word(length));
    padded(&mut body, kept);
    block(PACKET, &body)
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = word(body.len() + 12);
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    padded(body, value);
}

/// The end of options.
fn end(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

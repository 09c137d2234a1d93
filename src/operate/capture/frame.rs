//! A frame taken apart as far as a filter and a summary need it: Ethernet, VLAN tags, ARP, IPv4, UDP, TCP, ICMP.

use std::net::Ipv4Addr;

/// How many VLAN tags are looked behind: a customer's within a provider's.
const TAGS_MAX: usize = 2;

pub(super) type Mac = [u8; 6];

/// One frame, borrowed.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) from: Mac,
    pub(super) to: Mac,
    pub(super) inner: Inner<'a>,
}

#[derive(Debug)]
pub(super) enum Inner<'a> {
    Arp {
        asks: bool,
        sender_mac: Mac,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    Ip {
        from: Ipv4Addr,
        to: Ipv4Addr,
        carried: Carried<'a>,
    },
    /// Neither: its EtherType.
    Other(u16),
}

#[derive(Debug)]
pub(super) enum Carried<'a> {
    Udp {
        from: u16,
        to: u16,
        data: &'a [u8],
    },
    Tcp {
        from: u16,
        to: u16,
        flags: u8,
        data: &'a [u8],
    },
    Icmp {
        kind: u8,
    },
    /// A later fragment, or another protocol: its number.
    Other(u8),
}

impl Frame<'_> {
    pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
        let (to, rest) = bytes.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let (mut kind, mut rest) = short(rest)?;
        for _ in 0..TAGS_MAX {
            if matches!(kind, 0x8100 | 0x88a8) {
                (kind, rest) = short(rest.get(2..)?)?;
            }
        }
        let inner = match kind {
            0x0800 => ip(rest)?,
            0x0806 => arp(rest)?,
            _ => Inner::Other(kind),
        };
        Some(Frame { from: *from, to: *to, inner })
    }
}

/// A number of two bytes, and what follows it.
fn short(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(two, rest)| (u16::from_be_bytes(*two), rest))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    bytes.get(at..)?.first_chunk::<4>().map(|four| Ipv4Addr::from(*four))
}

fn arp(bytes: &[u8]) -> Option<Inner<'static>> {
    let asks = bytes.get(6..8)? == [0, 1];
    let sender_mac = *bytes.get(8..)?.first_chunk()?;
    Some(Inner::Arp { asks, sender_mac, sender: address(bytes, 14)?, target: address(bytes, 24)? })
}

fn ip(bytes: &[u8]) -> Option<Inner<'_>> {
    let head = usize::from(bytes.first()? & 15) * 4;
    let whole = usize::from(short(bytes.get(2..)?)?.0);
    let fragment = short(bytes.get(6..)?)?.0 & 0x1fff;
    let protocol = *bytes.get(9)?;
    let (from, to) = (address(bytes, 12)?, address(bytes, 16)?);
    // Ethernet pads short frames: the head says where the packet ends. A card that cuts segments itself says 0.
    let end = if whole < head { bytes.len() } else { whole.min(bytes.len()) };
    let data = bytes.get(head..end).unwrap_or_default();
    let carried = if fragment > 0 { None } else { carried(protocol, data) };
    Some(Inner::Ip { from, to, carried: carried.unwrap_or(Carried::Other(protocol)) })
}

fn carried(protocol: u8, bytes: &[u8]) -> Option<Carried<'_>> {
    if protocol == 1 {
        return Some(Carried::Icmp { kind: *bytes.first()? });
    }
    if !matches!(protocol, 6 | 17) {
        return None;
    }
    let (from, rest) = short(bytes)?;
    let (to, _) = short(rest)?;
    if protocol == 17 {
        return Some(Carried::Udp { from, to, data: bytes.get(8..)? });
    }
    let head = usize::from(bytes.get(12)? >> 4) * 4;
    Some(Carried::Tcp { from, to, flags: *bytes.get(13)?, data: bytes.get(head..).unwrap_or_default() })
}

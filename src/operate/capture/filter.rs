//! Which frames are meant: of these machines, and of these protocols.
//!
//! A machine is known by its MAC and its address; behind a router, where its MAC cannot be seen, also by the
//! MAC within its DHCP, whose answer then tells its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::Protocol;
use super::frame::{Carried, Frame, Inner, Mac};

/// How many transfers and learned addresses are remembered; the ones with the least numbers go first.
const REMEMBERED_MAX: usize = 4_096;

/// Which machines.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    pub macs: BTreeSet<Mac>,
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Networks: first address and mask.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
}

pub(super) struct Filter {
    /// All, where it is absent.
    machines: Option<Machines>,
    /// All, where it is empty.
    protocols: BTreeSet<Protocol>,
    /// Addresses out of DHCP's answers, by MAC.
    leased: BTreeMap<Ipv4Addr, Mac>,
    /// Where TFTP clients wait for their transfers.
    transfers: BTreeSet<(Ipv4Addr, u16)>,
}

impl Filter {
    pub(super) fn new(machines: Option<Machines>, protocols: BTreeSet<Protocol>) -> Filter {
        Filter { machines, protocols, leased: BTreeMap::new(), transfers: BTreeSet::new() }
    }

    /// The protocol of a frame that is meant; the outer `None` for others.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> Option<Option<Protocol>> {
        let protocol = self.protocol(frame);
        let dhcp = if protocol == Some(Protocol::Dhcp)
            && let Inner::Ip { carried: Carried::Udp { data, .. }, .. } = &frame.inner
        {
            of_dhcp(data)
        } else {
            None
        };
        if let Some((mac, given)) = dhcp
            && !given.is_unspecified()
        {
            bounded(&mut self.leased, BTreeMap::len, BTreeMap::pop_first).insert(given, mac);
        }
        let wanted = self.protocols.is_empty() || protocol.is_some_and(|protocol| self.protocols.contains(&protocol));
        let ours = self.machines.as_ref().is_none_or(|machines| self.of(machines, frame, dhcp.map(|(mac, _)| mac)));
        (wanted && ours).then_some(protocol)
    }

    fn of(&self, machines: &Machines, frame: &Frame<'_>, dhcp: Option<Mac>) -> bool {
        let mac = |mac: &Mac| machines.macs.contains(mac);
        let address = |address: &Ipv4Addr| {
            let within = |(first, mask): &(Ipv4Addr, Ipv4Addr)| u32::from(*address) & u32::from(*mask) == u32::from(*first);
            machines.addresses.contains(address)
                || machines.ranges.iter().any(within)
                || self.leased.get(address).is_some_and(mac)
        };
        let inside = match &frame.inner {
            Inner::Arp { sender_mac, sender, target, .. } => mac(sender_mac) || address(sender) || address(target),
            Inner::Ip { from, to, .. } => address(from) || address(to),
            Inner::Other(_) => false,
        };
        inside || mac(&frame.from) || mac(&frame.to) || dhcp.is_some_and(|one| mac(&one))
    }

    fn protocol(&mut self, frame: &Frame<'_>) -> Option<Protocol> {
        let (from, to, carried) = match &frame.inner {
            Inner::Arp { .. } => return Some(Protocol::Arp),
            Inner::Ip { from, to, carried } => (*from, *to, carried),
            Inner::Other(_) => return None,
        };
        match *carried {
            Carried::Icmp { .. } => Some(Protocol::Icmp),
            Carried::Udp { from: port, to: 69, .. } => {
                bounded(&mut self.transfers, BTreeSet::len, BTreeSet::pop_first).insert((from, port));
                Some(Protocol::Tftp)
            }
            Carried::Udp { from: source, to: target, .. } => match (source, target) {
                (67 | 68, _) | (_, 67 | 68) => Some(Protocol::Dhcp),
                (53, _) | (_, 53) => Some(Protocol::Dns),
                (_, 514) => Some(Protocol::Syslog),
                _ => {
                    (self.transfers.contains(&(from, source)) || self.transfers.contains(&(to, target))).then_some(Protocol::Tftp)
                }
            },
            Carried::Tcp { from: source, to: target, .. } => match (source, target) {
                (53, _) | (_, 53) => Some(Protocol::Dns),
                (80, _) | (_, 80) => Some(Protocol::Http),
                _ => None,
            },
            Carried::Other(_) => None,
        }
    }
}

/// Makes room for one more.
fn bounded<T, U>(all: &mut T, length: fn(&T) -> usize, drop_first: fn(&mut T) -> Option<U>) -> &mut T {
    if length(all) >= REMEMBERED_MAX {
        drop_first(all);
    }
    all
}

/// Whose DHCP it is, and the address that an acknowledgement gives.
fn of_dhcp(data: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    let mac = *data.get(28..)?.first_chunk()?;
    let given = match data.first()? {
        2 => *data.get(16..)?.first_chunk::<4>()?,
        _ => [0; 4],
    };
    Some((mac, Ipv4Addr::from(given)))
}

//! DHCPv4 (RFC 2131, RFC 2132) with PXE (RFC 4578): reservations, pools, and the first program to load.
//!
//! ```text
//! DISCOVER ─► reservation? ─► its address ─┐
//!             else pool    ─► held address ┴► OFFER ─► REQUEST ─► ACK (lease) or NAK
//! ```
//! A client is its MAC: a PXE ROM and the system that it starts get the same address, whatever client
//! identifiers they invent.

mod leases;
mod packet;

use std::net::Ipv4Addr;

pub use leases::{DECLINED_SECS, Lease, LeaseState, Leases, OFFER_SECS};
use packet::{Kind, Packet, Reply};

use crate::event::Event;
use crate::out::table::{NetworkRow, Tables};

/// A packet and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub packet: &'a [u8],
    /// Our address on the interface where it came in; `None` where that says nothing (loopback).
    pub local: Option<Ipv4Addr>,
    /// Seconds since 1970.
    pub now: u64,
    /// The port of our HTTP service, for iPXE.
    pub http_port: u16,
}

/// Where a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the relay that sent it, on the server port.
    Relay(Ipv4Addr),
    /// To a client that has its address already.
    Client(Ipv4Addr),
    /// To the whole segment: the client has no address yet.
    Broadcast,
}

/// What to send, and what happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub reply: Option<(Vec<u8>, Destination)>,
    pub events: Vec<Event>,
}

/// Answers one packet; silence where the protocol wants it, or where nothing was understood.
pub fn answer(request: &Request<'_>, tables: &Tables, leases: &Leases) -> Answer {
    let Some(packet) = Packet::read(request.packet) else { return Answer::default() };
    let Some(network) = network(&packet, request, tables) else { return Answer::default() };
    let Some(server) = network.server.or(request.local) else { return Answer::default() };
    let dialogue = Dialogue { packet: &packet, request, tables, leases, network, server };
    match packet.kind {
        Kind::Discover => dialogue.discover(),
        Kind::Request => dialogue.request(),
        Kind::Decline => dialogue.decline(),
        Kind::Release => dialogue.release(),
        Kind::Inform => dialogue.inform(),
    }
}

/// By relay, by our own interface, by the client's reservation, or the first with a pool.
fn network<'t>(packet: &Packet, request: &Request<'_>, tables: &'t Tables) -> Option<&'t NetworkRow> {
    if !packet.giaddr.is_unspecified() {
        return tables.network_of(packet.giaddr);
    }
    if let Some(local) = request.local {
        return tables.network_of(local);
    }
    let reserved = tables.leases.get(&packet.mac).and_then(|lease| tables.network_of(lease.address));
    reserved.or_else(|| tables.networks.iter().find(|network| !network.pools.is_empty())).or(tables.networks.first())
}

/// One request in its network.
struct Dialogue<'a> {
    packet: &'a Packet,
    request: &'a Request<'a>,
    tables: &'a Tables,
    leases: &'a Leases,
    network: &'a NetworkRow,
    server: Ipv4Addr,
}

/// An address that the client may have.
struct Grant<'a> {
    address: Ipv4Addr,
    lease_secs: u32,
    /// The host's name, for a reservation.
    reserved: Option<&'a str>,
}

impl<'a> Dialogue<'a> {
    fn discover(&self) -> Answer {
        let Some(grant) = self.reservation().or_else(|| self.pool_grant(self.packet.requested)) else {
            let nobody = self.network.pools.is_empty();
            let full = Event::PoolExhausted { mac: self.mac(), network: self.network.network.clone() };
            return Answer { reply: None, events: if nobody { Vec::new() } else { vec![full] } };
        };
        let (mac, address) = (self.mac(), grant.address);
        let event = match grant.reserved {
            Some(host) => Event::ReservationOffered { host: host.into(), mac, address },
            None => Event::LeaseOffered { mac, address, until: self.request.now + OFFER_SECS },
        };
        self.grant(Reply::Offer, &grant, event)
    }

    fn request(&self) -> Answer {
        // The client took another server's offer.
        if self.packet.server.is_some_and(|server| server != self.server) {
            return Answer::default();
        }
        let renewing = !self.packet.ciaddr.is_unspecified();
        let Some(wanted) = self.packet.requested.or(renewing.then_some(self.packet.ciaddr)) else { return Answer::default() };
        let grant = self.reservation().or_else(|| self.pool_grant(Some(wanted)));
        let Some(grant) = grant.filter(|grant| grant.address == wanted) else {
            return self.refuse(wanted);
        };
        let (mac, address) = (self.mac(), wanted);
        let event = match grant.reserved {
            Some(host) => Event::ReservationGranted { host: host.into(), mac, address },
            None => Event::LeaseGranted { mac, address, until: self.request.now + u64::from(grant.lease_secs) },
        };
        self.grant(Reply::Ack, &grant, event)
    }

    fn decline(&self) -> Answer {
        let Some(address) = self.packet.requested.filter(|address| self.leases.owner(*address) == Some(self.packet.mac.as_str())) else {
            return Answer::default();
        };
        let until = self.request.now + DECLINED_SECS;
        Answer { reply: None, events: vec![Event::AddressDeclined { mac: self.mac(), address, until }] }
    }

    fn release(&self) -> Answer {
        let address = self.packet.ciaddr;
        let own = self.leases.owner(address) == Some(self.packet.mac.as_str());
        let released = own.then(|| Event::LeaseReleased { mac: self.mac(), address });
        Answer { reply: None, events: released.into_iter().collect() }
    }

    /// Options only: the client has its address from elsewhere.
    fn inform(&self) -> Answer {
        let mut reply = self.reply(Reply::Ack);
        self.describe(&mut reply);
        Answer { reply: Some((reply.bytes(), Destination::Client(self.packet.ciaddr))), events: Vec::new() }
    }

    fn mac(&self) -> String {
        self.packet.mac.clone()
    }

    fn reservation(&self) -> Option<Grant<'a>> {
        let lease = self.tables.leases.get(&self.packet.mac).filter(|lease| self.network.contains(lease.address))?;
        Some(Grant { address: lease.address, lease_secs: self.network.lease_secs, reserved: Some(&lease.host) })
    }

    /// The client's own address, the one that it wishes, or the first free one.
    fn pool_grant(&self, wish: Option<Ipv4Addr>) -> Option<Grant<'a>> {
        let now = self.request.now;
        let own = self.leases.of(&self.packet.mac).filter(|lease| lease.state != LeaseState::Declined).map(|lease| lease.address);
        let free = |address: &Ipv4Addr| !self.tables.reserved.contains_key(address) && self.leases.is_free(*address, &self.packet.mac, now);
        let pool_of = |address: Ipv4Addr| self.network.pools.iter().find(|pool| pool.contains(address));
        let chosen = [own, wish].into_iter().flatten().find(|address| free(address) && pool_of(*address).is_some());
        let chosen = chosen.or_else(|| {
            let pools = self.network.pools.iter();
            pools.flat_map(|pool| leases::candidates(pool, &self.packet.mac)).find(free)
        })?;
        Some(Grant { address: chosen, lease_secs: pool_of(chosen)?.lease_secs, reserved: None })
    }

    fn refuse(&self, address: Ipv4Addr) -> Answer {
        let reply = self.reply(Reply::Nak);
        let relayed = !self.packet.giaddr.is_unspecified();
        // RFC 2131 §4.1: a NAK is broadcast, for the client may not have the address that it thinks.
        let to = if relayed { Destination::Relay(self.packet.giaddr) } else { Destination::Broadcast };
        Answer { reply: Some((reply.bytes(), to)), events: vec![Event::RequestRefused { mac: self.mac(), address }] }
    }

    fn grant(&self, kind: Reply, grant: &Grant<'_>, event: Event) -> Answer {
        let mut reply = self.reply(kind);
        reply.lease(grant.address, grant.lease_secs);
        self.describe(&mut reply);
        let mut events = vec![event];
        if let Some(file) = self.boot_file() {
            reply.boot(self.packet, &file);
            events.push(Event::LoaderOffered { mac: self.mac(), file });
        }
        Answer { reply: Some((reply.bytes(), self.destination())), events }
    }

    fn destination(&self) -> Destination {
        match (self.packet.giaddr, self.packet.ciaddr) {
            (relay, _) if !relay.is_unspecified() => Destination::Relay(relay),
            (_, client) if !client.is_unspecified() => Destination::Client(client),
            _ => Destination::Broadcast,
        }
    }

    fn reply(&self, kind: Reply) -> packet::ReplyPacket {
        packet::ReplyPacket::new(self.packet, kind, self.server)
    }

    /// What every client of the network is told.
    fn describe(&self, reply: &mut packet::ReplyPacket) {
        let host = self.tables.hosts.get(&self.packet.mac).map(|row| row.host.as_str());
        reply.network(self.network, host);
    }

    /// The first program: iPXE gets a script, other firmware a loader over TFTP.
    fn boot_file(&self) -> Option<String> {
        let arch = self.packet.arch?;
        let loader = self.tables.loaders.iter().find(|loader| loader.arch.contains(&arch)).map(|loader| loader.file.as_str());
        // A BIOS ROM that is iPXE itself (QEMU's is) still wants pxelinux; a site that offers BIOS
        // machines iPXE would send it round in circles.
        let wants_pxelinux = arch == 0 && loader.is_some_and(|file| file == "pxelinux.0");
        if self.packet.is_ipxe && !wants_pxelinux {
            let port = if self.request.http_port == 80 { String::new() } else { format!(":{}", self.request.http_port) };
            return Some(format!("http://{}{port}/ipxe/{}", self.server, self.packet.mac.replace(':', "-")));
        }
        loader.map(str::to_owned)
    }
}

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
    /// Our addresses on the interface where it came in.
    pub local: &'a [Ipv4Addr],
    /// A rehearsal on loopback: the interface says nothing about the network.
    pub is_rehearsal: bool,
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
    let own = || request.local.iter().copied().find(|address| request.is_rehearsal || network.contains(*address));
    let Some(server) = network.server.or_else(own) else { return Answer::default() };
    let dialogue = Dialogue { packet: &packet, request, tables, leases, network, server };
    match packet.kind {
        Kind::Discover => dialogue.discover(),
        Kind::Request => dialogue.request(),
        Kind::Decline => dialogue.decline(),
        Kind::Release => dialogue.release(),
        Kind::Inform => dialogue.inform(),
    }
}

/// By relay, by the address that the client has, by our own interface (of several networks on it by the
/// client's reservation), and in a rehearsal by reservation or the first with a pool.
fn network<'t>(packet: &Packet, request: &Request<'_>, tables: &'t Tables) -> Option<&'t NetworkRow> {
    if !packet.giaddr.is_unspecified() {
        return tables.network_of(packet.giaddr);
    }
    // A renewal comes straight to us, also from behind a relay.
    if !packet.ciaddr.is_unspecified() {
        return tables.network_of(packet.ciaddr);
    }
    let reserved = tables.home_of(&packet.mac);
    if !request.is_rehearsal {
        let here = |network: &&NetworkRow| request.local.iter().any(|address| network.contains(*address));
        return reserved.filter(here).or_else(|| tables.networks.iter().find(here));
    }
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
        let host = self.tables.host_of_mac(&self.packet.mac).map(str::to_owned);
        let heard = Event::ClientDiscovered { mac: self.mac(), host, arch: self.packet.arch, is_ipxe: self.packet.is_ipxe };
        let from_pool = || self.known(self.packet.requested).or_else(|| self.searched());
        let Some(grant) = self.reservation().or_else(from_pool) else {
            let full = |first| Event::PoolExhausted { mac: self.mac(), network: self.network.network.clone(), first };
            let full = self.network.pools.iter().map(|pool| full(pool.first));
            return Answer { reply: None, events: std::iter::once(heard).chain(full).collect() };
        };
        let (mac, address) = (self.mac(), grant.address);
        let event = match grant.reserved {
            Some(host) => Event::ReservationOffered { host: host.into(), mac, address },
            None => Event::LeaseOffered { mac, address, until: self.request.now + OFFER_SECS },
        };
        let mut answer = self.grant(Reply::Offer, &grant, event);
        answer.events.insert(0, heard);
        answer
    }

    fn request(&self) -> Answer {
        // The client took another server's offer.
        if self.packet.server.is_some_and(|server| server != self.server) {
            return Answer::default();
        }
        let renewing = !self.packet.ciaddr.is_unspecified();
        let Some(wanted) = self.packet.requested.or(renewing.then_some(self.packet.ciaddr)) else { return Answer::default() };
        let grant = self.reservation().or_else(|| self.known(Some(wanted)));
        // RFC 2131 §4.3.2: of a client that we know nothing about, another server may know.
        if grant.is_none() && self.network.pools.is_empty() {
            return Answer::default();
        }
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
        if let Some(grant) = self.reservation().filter(|grant| self.packet.requested == Some(grant.address)) {
            let host = grant.reserved.unwrap_or_default().to_owned();
            let event = Event::ReservationDeclined { host, mac: self.mac(), address: grant.address };
            return Answer { reply: None, events: vec![event] };
        }
        let Some(address) = self.packet.requested.filter(|address| self.leases.of(&self.packet.mac).any(|lease| lease.address == *address)) else {
            return Answer::default();
        };
        let until = self.request.now + DECLINED_SECS;
        Answer { reply: None, events: vec![Event::AddressDeclined { mac: self.mac(), address, until }] }
    }

    fn release(&self) -> Answer {
        let address = self.packet.ciaddr;
        let own = self.leases.of(&self.packet.mac).any(|lease| lease.address == address);
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
        let lease = self.tables.reservations.get(&self.packet.mac).filter(|lease| self.network.contains(lease.address))?;
        Some(Grant { address: lease.address, lease_secs: lease.lease_secs.unwrap_or(self.network.lease_secs), reserved: Some(&lease.host) })
    }

    /// The address that the client wishes or has, if a pool holds it and nobody else has it.
    fn known(&self, wish: Option<Ipv4Addr>) -> Option<Grant<'a>> {
        let own = self.leases.of(&self.packet.mac).map(|lease| lease.address);
        let free = |address: &Ipv4Addr| self.is_usable(*address) && self.leases.is_free(*address, &self.packet.mac, self.request.now);
        own.chain(wish).filter(free).find_map(|address| self.pool_grant(address))
    }

    /// Any free address of the network's pools.
    fn searched(&self) -> Option<Grant<'a>> {
        let mut pools = self.network.pools.iter();
        let address = pools.find_map(|pool| {
            self.leases.search(pool, &self.packet.mac, self.request.now, |address| self.is_usable(address))
        });
        self.pool_grant(address?)
    }

    fn is_usable(&self, address: Ipv4Addr) -> bool {
        address != self.server && !self.tables.reserved.contains_key(&address)
    }

    fn pool_grant(&self, address: Ipv4Addr) -> Option<Grant<'a>> {
        let pool = self.network.pools.iter().find(|pool| pool.contains(address))?;
        Some(Grant { address, lease_secs: pool.lease_secs, reserved: None })
    }

    fn refuse(&self, address: Ipv4Addr) -> Answer {
        let mut reply = self.reply(Reply::Nak);
        reply.set_broadcast();
        let relayed = !self.packet.giaddr.is_unspecified();
        // RFC 2131 §4.3.2: a NAK is broadcast, for the client may not have the address that it thinks.
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
        reply.network(self.network, host, self.packet);
        let own = self.tables.reservations.get(&self.packet.mac).filter(|lease| self.network.contains(lease.address));
        own.and_then(|lease| lease.root.as_ref()).into_iter().for_each(|root| reply.root(root, self.packet));
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

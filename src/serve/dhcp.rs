//! The DHCP service: datagrams in batches, one durable commit a batch, then the replies.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use tracing::{debug, error};

use super::udp::{Arrival, Interfaces, Socket};
use super::{Error, Running, Shared};
use crate::answer::dhcp::{Destination, Request, answer};
use crate::event::Event;
use crate::terminal::chain;

/// The largest request that we read, in bytes: an Ethernet frame.
const REQUEST_BYTES_MAX: usize = 1500;
/// How many waiting requests share one commit; more would delay the first.
const BATCH_MAX: usize = 64;
const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    // Requests are broadcast, and a socket bound to one address does not hear them.
    let rehearsal = shared.options.port_offset > 0;
    let socket = match shared.options.bind.filter(|_| !rehearsal) {
        Some(own) => Socket::bind_interface(own, address.port()),
        None => Socket::bind(address),
    };
    let socket = socket.map_err(|error| Error::bind("DHCP", "UDP", address, error))?;
    let service = Dhcp { socket, shared: shared.clone(), rehearsal, address: *address.ip() };
    Ok(Box::pin(async move { service.run().await }))
}

struct Dhcp {
    socket: Socket,
    shared: Arc<Shared>,
    /// With a port offset replies go to the datagram's source port, and the interface says nothing.
    rehearsal: bool,
    address: Ipv4Addr,
}

impl Dhcp {
    async fn run(self) {
        let mut buffer = [0; REQUEST_BYTES_MAX];
        let mut interfaces = Interfaces::default();
        loop {
            let mut replies = Vec::new();
            let mut events = Vec::new();
            let mut next = self.socket.receive(&mut buffer).await;
            for count in 1..=BATCH_MAX {
                match next {
                    Ok(arrival) => {
                        self.shared.counts.add("DHCP", 1);
                        self.one(&buffer, arrival, &mut interfaces, &mut replies, &mut events);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => debug!("DHCP: {error}"),
                }
                // What is read now and not answered in this batch would be lost.
                if count < BATCH_MAX {
                    next = self.socket.try_receive(&mut buffer);
                } else {
                    break;
                }
            }
            // A lease that was acknowledged is on the disk first.
            if let Err(error) = self.commit().await {
                error!("{}; no reply was sent: clients will ask again", chain(&*error));
                continue;
            }
            self.shared.record(events).await;
            for (bytes, to, arrival) in replies {
                if let Err(error) = self.socket.send(&bytes, to, &arrival).await {
                    debug!("DHCP to {to}: {error}");
                }
            }
        }
    }

    /// A disk may take long, also because others write: DNS and the files go on meanwhile.
    async fn commit(&self) -> Result<(), Box<dyn std::error::Error>> {
        if !self.shared.leases.with(|leases| leases.has_changed()) {
            return Ok(());
        }
        let shared = self.shared.clone();
        Ok(tokio::task::spawn_blocking(move || shared.leases.commit()).await??)
    }

    fn one(
        &self,
        buffer: &[u8],
        arrival: Arrival,
        interfaces: &mut Interfaces,
        replies: &mut Vec<(Vec<u8>, SocketAddrV4, Arrival)>,
        events: &mut Vec<Event>,
    ) {
        let rehearsed = [self.address];
        let local = if self.rehearsal { &rehearsed } else { interfaces.addresses(arrival.interface) };
        let bound = self.shared.options.bind.filter(|_| !self.rehearsal);
        if bound.is_some_and(|bound| !local.contains(&bound)) {
            return;
        }
        let world = self.shared.world();
        let packet = buffer.get(..arrival.len).unwrap_or_default();
        let request = Request { packet, local, is_rehearsal: self.rehearsal, now: self.shared.options.clock.secs(), http_port: self.shared.http_port() };
        let answer = self.shared.leases.with(|leases| {
            let answer = answer(&request, &world.tables, leases);
            answer.events.iter().for_each(|event| leases.apply(event));
            answer
        });
        events.extend(answer.events);
        if let Some((bytes, to)) = answer.reply {
            replies.push((bytes, self.target(to, &arrival), arrival));
        }
    }

    fn target(&self, to: Destination, arrival: &Arrival) -> SocketAddrV4 {
        match to {
            _ if self.rehearsal => arrival.peer,
            Destination::Relay(relay) => SocketAddrV4::new(relay, SERVER_PORT),
            Destination::Client(client) => SocketAddrV4::new(client, CLIENT_PORT),
            Destination::Broadcast => SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT),
        }
    }
}

//! The DNS service: UDP and TCP (RFC 7766), our zones by authority, the rest by forwarding.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::forward::Forwarder;
use super::journal::Listener;
use super::peers::Peers;
use super::udp::{Arrival, Socket};
use super::world::World;
use super::{Error, Running, Shared};
use crate::answer::commands::{self, Commands};
use crate::answer::dns::{Answer, Request, answer, join};
use crate::event::Record;

/// The largest question over UDP that we read, in bytes.
const QUESTION_BYTES_MAX: usize = 4096;
/// How many TCP connections are open at once, and how long one may be idle.
const CONNECTIONS_MAX: usize = 256;
const IDLE: Duration = Duration::from_secs(10);

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    let udp = Socket::bind(address).map_err(|error| Error::bind("DNS", "UDP", address, error))?;
    let failed = |error| Error::bind("DNS", "TCP", address, error);
    let tcp = std::net::TcpListener::bind(address).map_err(failed)?;
    tcp.set_nonblocking(true).map_err(failed)?;
    let tcp = TcpListener::from_std(tcp).map_err(failed)?;
    let mut key = [0; 32];
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty()).map_err(|error| Error::System("have random numbers", error.into()))?;
    let heard = Arc::new(Heard { commands: Mutex::new(Commands::new(key)), began: Instant::now() });
    shared.journal.listen(heard.clone());
    let service = Arc::new(Dns { shared: shared.clone(), forwarder: Forwarder::default(), heard });
    let udp = Arc::new(udp);
    Ok(Box::pin(async move {
        tokio::join!(service.clone().datagrams(udp), service.connections(tcp));
    }))
}

struct Dns {
    shared: Arc<Shared>,
    forwarder: Forwarder,
    heard: Arc<Heard>,
}

/// Commands, and a clock for them that nobody sets: a label must not become good again.
struct Heard {
    commands: Mutex<Commands>,
    began: Instant,
}

impl Heard {
    fn with<T>(&self, act: impl FnOnce(&mut Commands, u64) -> T) -> T {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut commands, self.began.elapsed().as_secs())
    }
}

impl Listener for Heard {
    fn happened(&self, records: &[Record]) {
        self.with(|commands, secs| records.iter().for_each(|record| commands.heard(&record.event, secs)));
    }
}

impl Dns {
    /// Commands come before zones. What happened is kept before anybody is told.
    fn answer(&self, request: &Request<'_>, world: &World) -> Answer {
        self.shared.counts.add("DNS", 1);
        let none = || world.tables.commands.is_empty();
        let told = (!none()).then(|| self.heard.with(|commands, secs| commands::answer(request, &world.tables, &world.zones, commands, secs))).flatten();
        let Some(told) = told else { return answer(request, &world.tables, &world.zones) };
        // At once, and not beside the loop: a label that was used is known as such before the next question.
        self.shared.journal.record(&told.events);
        told.reply.map_or(Answer::Silence, Answer::Reply)
    }

    async fn datagrams(self: Arc<Self>, socket: Arc<Socket>) {
        let mut buffer = [0; QUESTION_BYTES_MAX];
        loop {
            let arrival = match socket.receive(&mut buffer).await {
                Ok(arrival) => arrival,
                Err(error) => {
                    debug!("DNS: {error}");
                    continue;
                }
            };
            let packet = buffer.get(..arrival.len).unwrap_or_default();
            let world = self.shared.world();
            let request = Request { packet, peer: *arrival.peer.ip(), over_tcp: false };
            match self.answer(&request, &world) {
                Answer::Reply(reply) => reply_to(&socket, &reply, &arrival).await,
                Answer::Silence => {}
                forwarded @ (Answer::Forward | Answer::Chase { .. }) => {
                    let (service, socket, packet) = (self.clone(), socket.clone(), packet.to_vec());
                    tokio::task::spawn_local(async move {
                        let reply = service.forward(forwarded, &packet, &world.tables.forwards, false).await;
                        reply_to(&socket, &reply, &arrival).await;
                    });
                }
            }
        }
    }

    /// What a forwarder says, alone or behind our own alias.
    async fn forward(&self, answer: Answer, packet: &[u8], forwards: &[Ipv4Addr], over_tcp: bool) -> Vec<u8> {
        match answer {
            Answer::Chase { question, reply } => join(&reply, &self.forwarder.ask(&question, forwards, over_tcp).await),
            Answer::Reply(_) | Answer::Forward | Answer::Silence => self.forwarder.ask(packet, forwards, over_tcp).await,
        }
    }

    async fn connections(self: Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let peers = Peers::default();
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let IpAddr::V4(peer) = peer.ip() else { continue };
                    let Some(held) = peers.hold(peer) else { continue };
                    let service = self.clone();
                    tokio::task::spawn_local(async move {
                        if let Err(error) = service.conversation(stream, peer).await {
                            debug!("DNS to {peer}: {error}");
                        }
                        drop((permit, held));
                    });
                }
                Err(error) => {
                    warn!("DNS: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Questions one after the other, each behind its length.
    async fn conversation(&self, mut stream: TcpStream, peer: Ipv4Addr) -> std::io::Result<()> {
        loop {
            let length = timeout(IDLE, stream.read_u16()).await??;
            let mut packet = vec![0; usize::from(length)];
            timeout(IDLE, stream.read_exact(&mut packet)).await??;
            let world = self.shared.world();
            let request = Request { packet: &packet, peer, over_tcp: true };
            let reply = match self.answer(&request, &world) {
                Answer::Reply(reply) => reply,
                Answer::Silence => return Ok(()),
                forwarded @ (Answer::Forward | Answer::Chase { .. }) => {
                    self.forward(forwarded, &packet, &world.tables.forwards, true).await
                }
            };
            let length = u16::try_from(reply.len()).map_err(std::io::Error::other)?;
            let whole = [&length.to_be_bytes()[..], &reply].concat();
            timeout(IDLE, stream.write_all(&whole)).await??;
        }
    }
}

async fn reply_to(socket: &Socket, reply: &[u8], arrival: &Arrival) {
    if let Err(error) = socket.send(reply, arrival.peer, arrival).await {
        debug!("DNS to {}: {error}", arrival.peer);
    }
}

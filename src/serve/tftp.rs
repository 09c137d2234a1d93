//! The TFTP service: requests on one socket, each transfer on a port of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::files::Reader;
use super::peers::Peers;
use super::udp::{Arrival, Socket};
use super::{Error, Running, Shared};
use crate::answer::Content;
use crate::answer::tftp::transfer::{BY_CLIENT, Step, Transfer, data_head};
use crate::answer::tftp::{Answer, Code, Options, answer, error};

/// How many transfers run at once; a classroom that starts together is 50.
const TRANSFERS_MAX: usize = 1024;
/// The largest packet that a client sends, in bytes.
const PACKET_BYTES_MAX: usize = 1500;

/// How long the same request again is a copy of the first, and not a new wish.
const COPY: Duration = Duration::from_secs(2);

/// What runs, by the client's address and port.
#[derive(Default)]
struct Transfers {
    running: BTreeMap<SocketAddrV4, Transferring>,
    peers: Peers,
}

struct Transferring {
    task: JoinHandle<()>,
    request: Vec<u8>,
    since: Instant,
    /// The same request came again.
    repeated: Rc<Cell<bool>>,
}

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    let socket = Socket::bind(address).map_err(|error| Error::bind("TFTP", "UDP", address, error))?;
    let shared = shared.clone();
    Ok(Box::pin(async move { run(socket, shared).await }))
}

async fn run(socket: Socket, shared: Arc<Shared>) {
    let mut transfers = Transfers::default();
    let mut buffer = [0; PACKET_BYTES_MAX];
    loop {
        let arrival = match socket.receive(&mut buffer).await {
            Ok(arrival) => arrival,
            Err(error) => {
                debug!("TFTP: {error}");
                continue;
            }
        };
        shared.counts.add("TFTP", 1);
        let packet = buffer.get(..arrival.len).unwrap_or_default();
        let reply = match answer(packet, *arrival.peer.ip(), &shared.world().tables) {
            None => continue,
            Some(Answer::Error { code, text, event }) => {
                shared.record(event.into_iter().collect()).await;
                error(code, &text)
            }
            Some(Answer::Transfer { content, options, event }) => {
                shared.record(vec![event]).await;
                if transfers.begin(packet, arrival, content, options) {
                    continue;
                }
                error(Code::AccessViolation, "the server has too many transfers; try again")
            }
        };
        if let Err(error) = socket.send(&reply, arrival.peer, &arrival).await {
            debug!("TFTP to {}: {error}", arrival.peer);
        }
    }
}

impl Transfers {
    /// Starts a transfer; false where there are too many. A copy of the request that started one changes
    /// nothing. A client that asks anew from the same port has given up its old transfer: PXE ROMs do so
    /// after asking for the size.
    fn begin(&mut self, request: &[u8], arrival: Arrival, content: Content, options: Options) -> bool {
        self.running.retain(|_, transferring| !transferring.task.is_finished());
        if let Some(old) = self.running.get(&arrival.peer) {
            if old.request == request && old.since.elapsed() < COPY {
                old.repeated.set(true);
                return true;
            }
            old.task.abort();
            self.running.remove(&arrival.peer);
        }
        let held = self.peers.hold(*arrival.peer.ip());
        let Some(held) = held.filter(|_| self.running.len() < TRANSFERS_MAX) else { return false };
        let repeated = Rc::new(Cell::new(false));
        let again = repeated.clone();
        let task = tokio::task::spawn_local(async move {
            // A copy that overtook the client's abort was a new wish after all.
            while send(arrival, content.clone(), options.clone()).await && again.take() {}
            drop(held);
        });
        self.running.insert(arrival.peer, Transferring { task, request: request.to_vec(), since: Instant::now(), repeated });
        true
    }
}

/// Sends the whole file; true where the client aborted it.
async fn send(arrival: Arrival, content: Content, options: Options) -> bool {
    match transfer(arrival, content, options).await {
        Ok(end) => {
            debug!("TFTP to {}: {end:?}", arrival.peer);
            end == Step::Aborted(BY_CLIENT)
        }
        Err(error) => {
            warn!("TFTP to {}: {error}", arrival.peer);
            false
        }
    }
}

/// Gives the last step.
async fn transfer(arrival: Arrival, content: Content, options: Options) -> std::io::Result<Step> {
    let local = if arrival.local.is_unspecified() { Ipv4Addr::UNSPECIFIED } else { arrival.local };
    let socket = UdpSocket::bind(SocketAddrV4::new(local, 0)).await?;
    socket.connect(arrival.peer).await?;
    let mut transfer = Transfer::new(options, content.len());
    let mut reader = match Reader::open(content).await {
        Ok(reader) => reader,
        Err(problem) => {
            socket.send(&error(Code::NotFound, "the server cannot read this file")).await?;
            return Err(problem);
        }
    };
    let mut step = transfer.start();
    let mut buffer = [0; PACKET_BYTES_MAX];
    loop {
        match step {
            Step::Oack => drop(socket.send(&transfer.oack()).await?),
            Step::Blocks(blocks) => {
                for block in blocks {
                    let mut packet = data_head(block).to_vec();
                    packet.extend_from_slice(reader.read(transfer.range(block)).await?);
                    socket.send(&packet).await?;
                }
            }
            Step::Wait => {}
            Step::Done | Step::Aborted(_) => return Ok(step),
        }
        step = next(&socket, &mut transfer, &mut buffer).await;
    }
}

/// What the client's next packet, or its silence, asks for.
async fn next(socket: &UdpSocket, transfer: &mut Transfer, buffer: &mut [u8]) -> Step {
    let deadline = Instant::now() + Duration::from_secs(transfer.timeout_secs());
    loop {
        match timeout_at(deadline, socket.recv(buffer)).await {
            Err(_) => return transfer.timeout(),
            // The client's port is closed: it has what it wanted, or is gone.
            Ok(Err(_)) => return Step::Aborted("the client closed its port"),
            Ok(Ok(len)) => {
                let step = transfer.packet(buffer.get(..len).unwrap_or_default());
                if step != Step::Wait {
                    return step;
                }
            }
        }
    }
}

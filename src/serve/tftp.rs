//! The TFTP service: requests on one socket, each transfer on a port of its own.

use std::cell::RefCell;
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
use super::udp::{Arrival, Socket};
use super::{Error, Running, Shared, note};
use crate::answer::Content;
use crate::answer::tftp::transfer::{Step, Transfer, data_head};
use crate::answer::tftp::{Answer, Code, Options, answer, error};

/// How many transfers run at once; a classroom that starts together is 50.
const TRANSFERS_MAX: usize = 1024;
/// The largest packet that a client sends, in bytes.
const PACKET_BYTES_MAX: usize = 1500;

type Transfers = Rc<RefCell<BTreeMap<SocketAddrV4, JoinHandle<()>>>>;

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    let socket = Socket::bind(address).map_err(|error| Error::bind("TFTP", "UDP", address, error))?;
    let shared = shared.clone();
    Ok(Box::pin(async move { run(socket, shared).await }))
}

async fn run(socket: Socket, shared: Arc<Shared>) {
    let transfers = Transfers::default();
    let mut buffer = [0; PACKET_BYTES_MAX];
    loop {
        let arrival = match socket.receive(&mut buffer).await {
            Ok(arrival) => arrival,
            Err(error) => {
                debug!("TFTP: {error}");
                continue;
            }
        };
        let packet = buffer.get(..arrival.len).unwrap_or_default();
        let reply = match answer(packet, *arrival.peer.ip(), &shared.world().tables) {
            None => continue,
            Some(Answer::Error { code, text, event }) => {
                event.iter().for_each(note);
                error(code, &text)
            }
            Some(Answer::Transfer { content, options, event }) => {
                note(&event);
                if begin(&transfers, arrival, content, options) {
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

/// Starts a transfer; false where there are too many. A client that asks again from the same port has
/// given up its old one: PXE ROMs do so after asking for the size.
fn begin(transfers: &Transfers, arrival: Arrival, content: Content, options: Options) -> bool {
    let mut running = transfers.borrow_mut();
    if let Some(old) = running.remove(&arrival.peer) {
        old.abort();
    }
    running.retain(|_, task| !task.is_finished());
    if running.len() >= TRANSFERS_MAX {
        return false;
    }
    let task = tokio::task::spawn_local(async move {
        if let Err(error) = send(arrival, content, options).await {
            warn!("TFTP to {}: {error}", arrival.peer);
        }
    });
    running.insert(arrival.peer, task);
    true
}

async fn send(arrival: Arrival, content: Content, options: Options) -> std::io::Result<()> {
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
            Step::Done => return Ok(()),
            Step::Aborted(why) => {
                debug!("TFTP to {}: {why}", arrival.peer);
                return Ok(());
            }
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

//! The syslog service: datagrams in batches, each batch recorded at once.
//!
//! UDP has no reply: what was read is in the spool before the next batch is, and what the kernel dropped
//! before we read it is counted and recorded too. A stop reads what had arrived by then.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket as StdSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use super::{Error, Running, Shared};
use crate::answer::host_at;
use crate::answer::syslog::{TEXT_BYTES_MAX, answer};
use crate::event::Event;

/// How many datagrams are read at once.
const BATCH_MAX: usize = 64;
/// How much of a datagram is read, in bytes: the text and what stands before it. What is beyond is counted as cut.
const DATAGRAM_BYTES_MAX: usize = TEXT_BYTES_MAX + 2048;
/// How much may wait in the socket, in bytes: the lines of about a second at 50,000 a second.
const WAITING_BYTES: usize = 64 << 20;
/// How long a stop waits for what had arrived, and then for counting what is left.
const DRAIN_MAX: Duration = Duration::from_secs(2);
const COUNT_MAX: Duration = Duration::from_secs(1);

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    let socket = bind(address).map_err(|error| Error::bind("syslog", "UDP", address, error))?;
    let service = Syslog { socket, shared: shared.clone() };
    Ok(Box::pin(async move { service.run().await }))
}

fn bind(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = StdSocket::bind(address)?;
    // Root may have more than the system's limit; what is granted is enough to go on.
    let _as_much_as_granted = setsockopt(&socket, sockopt::RcvBufForce, &WAITING_BYTES)
        .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &WAITING_BYTES));
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

struct Syslog {
    socket: UdpSocket,
    shared: Arc<Shared>,
}

/// What came with a datagram.
struct Arrival {
    peer: Ipv4Addr,
    /// Its whole length, also where the buffer has less.
    len: usize,
    /// How many were dropped since the socket was opened; the counter wraps.
    dropped: Option<u32>,
}

impl Syslog {
    async fn run(self) {
        let mut buffers = vec![[0; DATAGRAM_BYTES_MAX]; BATCH_MAX];
        let (mut dropped, mut stopping) = (0, self.shared.stopping.subscribe());
        loop {
            let read = tokio::select! {
                read = self.socket.async_io(Interest::READABLE, || read(&self.socket, &mut buffers)) => read,
                _ = stopping.wait_for(|stops| *stops) => break,
            };
            match read {
                Ok(arrivals) => self.shared.record(self.events(&arrivals, &buffers, &mut dropped)).await,
                Err(error) => debug!("syslog: {error}"),
            }
        }
        self.drain(&mut buffers, &mut dropped);
    }

    /// What waits in the socket is kept like all before it; what there is no time for is counted.
    fn drain(&self, buffers: &mut [[u8; DATAGRAM_BYTES_MAX]], dropped: &mut u32) {
        let begun = Instant::now();
        let mut count = 0;
        while let Ok(arrivals) = read(&self.socket, buffers) {
            if begun.elapsed() < DRAIN_MAX {
                self.shared.journal.record(&self.events(&arrivals, buffers, dropped));
            } else if begun.elapsed() < DRAIN_MAX + COUNT_MAX {
                count += arrivals.len() as u64;
            } else {
                break;
            }
        }
        if count > 0 {
            warn!("syslog: {count} lines or more had arrived, and there was no time to keep them before the stop");
            self.shared.journal.record(&[Event::LinesDropped { count }]);
        }
    }

    fn events(&self, arrivals: &[Arrival], buffers: &[[u8; DATAGRAM_BYTES_MAX]], dropped: &mut u32) -> Vec<Event> {
        self.shared.counts.add("syslog", arrivals.len() as u64);
        let (world, now) = (self.shared.world(), self.shared.options.clock.secs());
        let mut events = Vec::with_capacity(arrivals.len());
        for (arrival, buffer) in arrivals.iter().zip(buffers) {
            let count = arrival.dropped.map_or(0, |total| total.wrapping_sub(*dropped));
            if count > 0 {
                *dropped = dropped.wrapping_add(count);
                warn!("syslog: {count} lines came faster than they were read, and the kernel dropped them");
                events.push(Event::LinesDropped { count: count.into() });
            }
            let datagram = buffer.get(..arrival.len.min(DATAGRAM_BYTES_MAX)).unwrap_or_default();
            let line = |host: Option<&str>| answer(datagram, arrival.len, arrival.peer, host);
            events.push(self.shared.leases.with(|leases| line(host_at(arrival.peer, &world.tables, leases, now))));
        }
        events
    }
}

/// All that is waiting, as far as there is room.
fn read(socket: &UdpSocket, buffers: &mut [[u8; DATAGRAM_BYTES_MAX]]) -> io::Result<Vec<Arrival>> {
    // New ones each time: the kernel shortens the room for control messages, and nix 0.31 does not restore it.
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH_MAX, Some(nix::cmsg_space!(u32)));
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    // With MSG_TRUNC the length is the datagram's, not the buffer's.
    let messages = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_TRUNC, None)?;
    let arrival = |message: nix::sys::socket::RecvMsg<'_, '_, SockaddrIn>| {
        let dropped = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|control| if let ControlMessageOwned::RxqOvfl(count) = control { Some(count) } else { None })
        });
        Arrival { peer: message.address.map_or(Ipv4Addr::UNSPECIFIED, |from| from.ip()), len: message.bytes, dropped }
    };
    Ok(messages.map(arrival).collect())
}

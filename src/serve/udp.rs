//! UDP with the interface: where a datagram came in, and where it goes out.
//!
//! A broadcast reply must leave by the interface of its request, and a TFTP answer must come from the
//! address that was asked: both need IP_PKTINFO.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket as StdSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A UDP socket that knows interfaces.
pub(super) struct Socket(UdpSocket);

/// How a datagram came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) len: usize,
    pub(super) peer: SocketAddrV4,
    /// Our own address, to answer from.
    pub(super) local: Ipv4Addr,
    /// The interface's number.
    pub(super) interface: i32,
}

/// The addresses of this machine's interfaces, read again when they are older than a few seconds.
#[derive(Default)]
pub(super) struct Interfaces {
    read: Option<Instant>,
    addresses: BTreeMap<i32, Vec<Ipv4Addr>>,
}

/// How much may wait in a socket, in bytes: at a few thousand requests a second, more than a second's.
const WAITING_BYTES: usize = 4 << 20;

/// How long a list of addresses is believed.
const INTERFACES_AGE: Duration = Duration::from_secs(2);

impl Interfaces {
    pub(super) fn addresses(&mut self, interface: i32) -> &[Ipv4Addr] {
        if self.read.is_none_or(|read| read.elapsed() > INTERFACES_AGE) {
            self.addresses.clear();
            for entry in nix::ifaddrs::getifaddrs().into_iter().flatten() {
                let address = entry.address.and_then(|address| address.as_sockaddr_in().map(SockaddrIn::ip));
                let index =
                    nix::net::if_::if_nametoindex(entry.interface_name.as_str()).ok().and_then(|index| i32::try_from(index).ok());
                if let Some((address, index)) = address.zip(index) {
                    self.addresses.entry(index).or_default().push(address);
                }
            }
            self.read = Some(Instant::now());
        }
        self.addresses.get(&interface).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Socket {
    pub(super) fn bind(address: SocketAddrV4) -> io::Result<Socket> {
        Socket::configure(StdSocket::bind(address)?)
    }

    /// All broadcasts that reach the interface which has `own`, and nothing of other interfaces: beside
    /// us another server may serve those.
    pub(super) fn bind_interface(own: Ipv4Addr, port: u16) -> io::Result<Socket> {
        let entries = nix::ifaddrs::getifaddrs()?;
        let has_it = |entry: &nix::ifaddrs::InterfaceAddress| {
            entry.address.as_ref().and_then(|address| address.as_sockaddr_in().map(SockaddrIn::ip)) == Some(own)
        };
        let name = entries.into_iter().find(has_it).ok_or(io::ErrorKind::AddrNotAvailable)?.interface_name;
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind_device(Some(name.as_bytes()))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Socket::configure(socket.into())
    }

    fn configure(socket: StdSocket) -> io::Result<Socket> {
        // Requests wait here while a disk or a busy machine holds us up. Root may have more than the
        // system's limit; what is granted is enough to go on.
        let _as_much_as_granted = setsockopt(&socket, sockopt::RcvBufForce, &WAITING_BYTES)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &WAITING_BYTES));
        socket.set_nonblocking(true)?;
        socket.set_broadcast(true)?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        UdpSocket::from_std(socket).map(Socket)
    }

    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.0.async_io(Interest::READABLE, || read(self.0.as_raw_fd(), buffer)).await
    }

    /// A datagram that is waiting already.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.0.try_io(Interest::READABLE, || read(self.0.as_raw_fd(), buffer))
    }

    /// Back through the interface where `arrival` came in, from the address that it was sent to.
    pub(super) async fn send(&self, bytes: &[u8], to: SocketAddrV4, arrival: &Arrival) -> io::Result<()> {
        let source = in_addr { s_addr: u32::from(arrival.local).to_be() };
        let info = in_pktinfo { ipi_ifindex: arrival.interface, ipi_spec_dst: source, ipi_addr: in_addr { s_addr: 0 } };
        let to = SockaddrIn::from(to);
        let write = || {
            sendmsg(
                self.0.as_raw_fd(),
                &[IoSlice::new(bytes)],
                &[ControlMessage::Ipv4PacketInfo(&info)],
                MsgFlags::empty(),
                Some(&to),
            )
            .map_err(io::Error::from)
        };
        self.0.async_io(Interest::WRITABLE, write).await.map(drop)
    }
}

fn read(fd: i32, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut control = nix::cmsg_space!(in_pktinfo);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrIn>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
    let info = message.cmsgs()?.find_map(|control| {
        let ControlMessageOwned::Ipv4PacketInfo(info) = control else { return None };
        Some(info)
    });
    let (Some(peer), Some(info)) = (message.address, info) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a datagram without address"));
    };
    Ok(Arrival {
        len: message.bytes,
        peer: SocketAddrV4::new(peer.ip(), peer.port()),
        local: Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)),
        interface: info.ipi_ifindex,
    })
}

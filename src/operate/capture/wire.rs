//! A packet socket: frames as they come by, with interface, time and the VLAN tag that the kernel took off.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

use nix::libc;
use nix::net::if_::if_nameindex;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, getsockopt, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

/// What waits in the kernel while a disk holds us up.
const WAITING_BYTES: usize = 16 << 20;
/// How much of a frame is kept: more than any card hands on.
pub(super) const KEPT_BYTES_MAX: usize = 65_536 + TAG_BYTES;
const TAG_BYTES: usize = 4;
/// Two times of a message, a tag, and what else a kernel may add.
const BESIDE_BYTES: usize = 256;
/// From include/uapi/linux/if_arp.h: framed as Ethernet.
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;
/// From include/uapi/linux/if_packet.h.
const OUTGOING: u8 = 4;
const VLAN_VALID: u32 = 1 << 4;

sockopt_impl!(Auxdata, SetOnly, libc::SOL_PACKET, libc::PACKET_AUXDATA, bool);
sockopt_impl!(Statistics, GetOnly, libc::SOL_PACKET, libc::PACKET_STATISTICS, libc::tpacket_stats);

/// A frame that came by.
pub(super) struct Arrival {
    pub(super) interface: u32,
    /// Since 1970.
    pub(super) at: Duration,
    pub(super) bytes: Vec<u8>,
    /// On the wire; more than `bytes` where it was cut.
    pub(super) length: usize,
}

pub(super) struct Wire {
    pub(super) socket: OwnedFd,
    /// This one alone.
    only: Option<u32>,
    buffer: Vec<u8>,
}

/// The interfaces of this machine by their numbers.
pub(super) fn interfaces() -> io::Result<Vec<(u32, String)>> {
    Ok(if_nameindex()?.iter().map(|one| (one.index(), one.name().to_string_lossy().into_owned())).collect())
}

impl Wire {
    pub(super) fn open(only: Option<u32>) -> io::Result<Wire> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
        let _as_much_as_granted = setsockopt(&socket, sockopt::RcvBufForce, &WAITING_BYTES)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &WAITING_BYTES));
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, Auxdata, &true)?;
        if let Some(index) = only {
            let links = nix::ifaddrs::getifaddrs()?.filter_map(|entry| entry.address?.as_link_addr().copied());
            let link = links.into_iter().find(|link| u32::try_from(link.ifindex()) == Ok(index));
            bind(socket.as_raw_fd(), &link.ok_or(io::ErrorKind::AddrNotAvailable)?)?;
        }
        Ok(Wire { socket, only, buffer: vec![0; KEPT_BYTES_MAX] })
    }

    /// The next frame that waits; `None` for one that is none of ours.
    pub(super) fn take(&mut self) -> io::Result<Option<Arrival>> {
        let mut beside = vec![0; BESIDE_BYTES];
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, Some(&mut beside), flags)?;
        let mut at = None;
        let mut tag = None;
        for one in message.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampns(time) = &one {
                at = Some(Duration::from(*time));
            } else if let ControlMessageOwned::Unknown(other) = &one
                && (other.cmsg_header.cmsg_level, other.cmsg_header.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA)
            {
                tag = tag_of(&other.data_bytes);
            }
        }
        let (length, link) = (message.bytes, message.address);
        let Some(link) = link else { return Ok(None) };
        let interface = u32::try_from(link.ifindex()).unwrap_or_default();
        let framed = matches!(link.hatype(), ETHERNET | LOOPBACK);
        // What goes out on loopback comes in again at once.
        let twice = link.hatype() == LOOPBACK && (link.pkttype() == OUTGOING || self.only.is_none());
        if !framed || twice || self.only.is_some_and(|only| only != interface) {
            return Ok(None);
        }
        let mut bytes = self.buffer.get(..length.min(KEPT_BYTES_MAX - TAG_BYTES)).unwrap_or_default().to_vec();
        let mut whole = length;
        if let Some(tag) = tag.filter(|_| bytes.len() >= 12) {
            bytes.splice(12..12, tag);
            whole += TAG_BYTES;
        }
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Arrival { interface, at: at.unwrap_or_else(now), bytes, length: whole }))
    }

    /// Frames that the kernel had no room for.
    pub(super) fn lost(&self) -> u32 {
        getsockopt(&self.socket, Statistics).map_or(0, |counts| counts.tp_drops)
    }
}

/// `tpacket_auxdata`: four words, two numbers for where heads begin, then the tag and its EtherType.
fn tag_of(data: &[u8]) -> Option<[u8; TAG_BYTES]> {
    let status = u32::from_ne_bytes(*data.first_chunk()?);
    let [a, b, c, d] = *data.get(16..)?.first_chunk()?;
    let (tag, kind) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
    let kind = if kind == 0 { 0x8100 } else { kind };
    let ([a, b], [c, d]) = (kind.to_be_bytes(), tag.to_be_bytes());
    (status & VLAN_VALID != 0).then_some([a, b, c, d])
}

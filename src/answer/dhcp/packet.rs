//! What we read from a packet, and how a reply is put together.
//!
//! dhcproto's borrowed walk survives a bad option; joining split options (RFC 3396) and options in the
//! `sname` and `file` fields (option 52) is done here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::borrowed::{DhcpOptionIterator, Message as Borrowed};
use dhcproto::v4::{DhcpOption, Flags, HType, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Encodable, Encoder};

use crate::out::table::NetworkRow;

/// BOOTP clients and some relays drop shorter packets (RFC 1542 §2.1).
const REPLY_BYTES_MIN: usize = 300;
/// The `file` field with its final zero.
const FILE_BYTES_MAX: usize = 127;

/// The kinds of message that clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Request,
    Decline,
    Release,
    Inform,
}

/// A client's packet, read.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    /// With colons, in lower case.
    pub(super) mac: String,
    pub(super) ciaddr: Ipv4Addr,
    pub(super) giaddr: Ipv4Addr,
    /// Option 50.
    pub(super) requested: Option<Ipv4Addr>,
    /// Option 54.
    pub(super) server: Option<Ipv4Addr>,
    /// Option 93, the first one.
    pub(super) arch: Option<u16>,
    /// Option 77, bare as iPXE sends it or with a length byte as RFC 3004 wants.
    pub(super) is_ipxe: bool,
    chaddr: [u8; 6],
    xid: u32,
    flags: Flags,
    options: BTreeMap<u8, Vec<u8>>,
}

impl Packet {
    /// A request from Ethernet; anything else is `None`.
    pub(super) fn read(bytes: &[u8]) -> Option<Packet> {
        let message = Borrowed::new(bytes).ok()?;
        let from_client = message.opcode() == Opcode::BootRequest && message.htype() == HType::Eth && message.hlen() == 6;
        if !from_client || bytes.get(236..240) != Some(&[99, 130, 83, 99]) {
            return None;
        }
        let options = options(bytes);
        let chaddr: [u8; 6] = bytes.get(28..34)?.try_into().ok()?;
        let kind = match options.get(&53)?.as_slice() {
            [1] => Kind::Discover,
            [3] => Kind::Request,
            [4] => Kind::Decline,
            [7] => Kind::Release,
            [8] => Kind::Inform,
            _ => return None,
        };
        let address = |code: u8| options.get(&code).and_then(|data| <[u8; 4]>::try_from(data.as_slice()).ok()).map(Ipv4Addr::from);
        Some(Packet {
            kind,
            mac: chaddr.map(|byte| format!("{byte:02x}")).join(":"),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            requested: address(50),
            server: address(54),
            arch: options.get(&93).and_then(|data| data.first_chunk()).map(|data| u16::from_be_bytes(*data)),
            is_ipxe: options.get(&77).is_some_and(|data| data.windows(4).any(|part| part == b"iPXE")),
            chaddr,
            xid: message.xid(),
            flags: message.flags(),
            options,
        })
    }

    /// Option 55.
    fn asks_for(&self, code: u8) -> bool {
        self.options.get(&55).is_some_and(|codes| codes.contains(&code))
    }

    fn is_pxe(&self) -> bool {
        self.options.get(&60).is_some_and(|data| data.starts_with(b"PXEClient"))
    }
}

/// All options, those of one code joined in order.
fn options(bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut all: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    let mut read = |field: &[u8]| {
        for option in DhcpOptionIterator::new(field) {
            all.entry(option.code().into()).or_default().extend_from_slice(option.data());
        }
        all.get(&52).and_then(|data| data.first()).copied().unwrap_or(0)
    };
    let overload = read(bytes.get(240..).unwrap_or_default());
    if overload & 1 == 1 {
        read(bytes.get(108..236).unwrap_or_default());
    }
    if overload & 2 == 2 {
        read(bytes.get(44..108).unwrap_or_default());
    }
    all
}

/// The kinds of message that we send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Offer,
    Ack,
    Nak,
}

/// A reply in the making.
pub(super) struct ReplyPacket {
    message: Message,
    server: Ipv4Addr,
}

impl ReplyPacket {
    pub(super) fn new(packet: &Packet, kind: Reply, server: Ipv4Addr) -> Self {
        let ciaddr = if matches!(kind, Reply::Ack) { packet.ciaddr } else { Ipv4Addr::UNSPECIFIED };
        let unset = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(packet.xid, ciaddr, unset, unset, packet.giaddr, &packet.chaddr);
        message.set_opcode(Opcode::BootReply).set_flags(packet.flags);
        let kind = match kind {
            Reply::Offer => MessageType::Offer,
            Reply::Ack => MessageType::Ack,
            Reply::Nak => MessageType::Nak,
        };
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ServerIdentifier(server));
        // RFC 6842: a client that sends an identifier wants to see it again.
        if let Some(id) = packet.options.get(&61) {
            options.insert(DhcpOption::ClientIdentifier(id.clone()));
        }
        // RFC 3046 §2.2: what the relay added goes back to it.
        if let Some(relay) = packet.options.get(&82) {
            options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(82), relay.clone())));
        }
        ReplyPacket { message, server }
    }

    /// The relay shall not send it to an address that the client may not have.
    pub(super) fn set_broadcast(&mut self) {
        let flags = self.message.flags().set_broadcast();
        self.message.set_flags(flags);
    }

    /// The address and how long it may be used; renewal and rebinding as RFC 2131 §4.4.5 proposes.
    pub(super) fn lease(&mut self, address: Ipv4Addr, secs: u32) {
        self.message.set_yiaddr(address);
        let options = self.message.opts_mut();
        options.insert(DhcpOption::AddressLeaseTime(secs));
        options.insert(DhcpOption::Renewal(secs / 2));
        options.insert(DhcpOption::Rebinding((u64::from(secs) * 7 / 8) as u32));
    }

    pub(super) fn network(&mut self, network: &NetworkRow, host: Option<&str>, packet: &Packet) {
        let options = self.message.opts_mut();
        options.insert(DhcpOption::SubnetMask(network.mask));
        options.insert(DhcpOption::BroadcastAddr(network.broadcast()));
        if let Some(gateway) = network.gateway {
            options.insert(DhcpOption::Router(vec![gateway]));
        }
        if !network.dns.is_empty() {
            options.insert(DhcpOption::DomainNameServer(network.dns.clone()));
        }
        if let Some(host) = host {
            options.insert(DhcpOption::Hostname(host.to_owned()));
        }
        options.insert(DhcpOption::DomainName(network.domain.clone()));
        // Most firmware has no use for it, and replies shall stay small.
        if let Some(zone) = network.timezone.as_ref().filter(|_| packet.asks_for(101)) {
            options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(101), zone.as_bytes().to_vec())));
        }
    }

    /// What the client mounts as its root.
    pub(super) fn root(&mut self, root: &str, packet: &Packet) {
        if packet.asks_for(17) {
            self.message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(17), root.as_bytes().to_vec())));
        }
    }

    /// The first program, for firmware that asks for one.
    pub(super) fn boot(&mut self, packet: &Packet, file: &str) {
        self.message.set_siaddr(self.server);
        if file.len() <= FILE_BYTES_MAX {
            self.message.set_fname_str(file);
        }
        let options = self.message.opts_mut();
        let mut raw = |code: u8, data: Vec<u8>| {
            options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(code), data)));
        };
        raw(67, file.as_bytes().to_vec());
        if packet.is_pxe() {
            // Without class and boot file together, ROMs wait seconds for a proxyDHCP server.
            raw(60, b"PXEClient".to_vec());
            // Sub-option 6, PXE discovery control, bit 3: take the boot file, ask nobody else.
            raw(43, vec![6, 1, 8, 255]);
            if let Some(id) = packet.options.get(&97) {
                raw(97, id.clone());
            }
        }
        if packet.is_ipxe {
            // iPXE's own option 176: no proxyDHCP wait (seen to save 3 s with QEMU's ROM, 2026-11).
            raw(175, vec![176, 1, 1]);
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REPLY_BYTES_MIN);
        let encoded = self.message.encode(&mut Encoder::new(&mut bytes));
        debug_assert!(encoded.is_ok(), "our own replies can be encoded");
        bytes.resize(bytes.len().max(REPLY_BYTES_MIN), 0);
        bytes
    }
}

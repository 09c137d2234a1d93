//! The client's side of DHCP and DNS: packets as firmware sends them, replies as it reads them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use dhcproto::v4::borrowed::Message as Borrowed;
use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode, UnknownOption};
use dhcproto::{Encodable, Encoder};
use hickory_proto::op::{Message as DnsMessage, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::answer::dns;

/// What a client takes from an offer or an acknowledgement.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) file: String,
    pub(super) host: String,
    pub(super) domain: String,
    pub(super) lease_secs: u32,
    /// Option 17.
    pub(super) root: String,
}

impl Reply {
    /// An OFFER or an ACK; a NAK is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Reply> {
        let message = Borrowed::new(bytes).ok()?;
        let option = |code: u8| message.opts().find(|option| u8::from(option.code()) == code).map(|option| option.data().to_vec());
        let text = |code: u8| option(code).map(|data| String::from_utf8_lossy(&data).into_owned()).unwrap_or_default();
        let four = |code: u8| option(code).and_then(|data| <[u8; 4]>::try_from(data).ok());
        let granted = matches!(option(53)?.as_slice(), [2] | [5]);
        granted.then_some(Reply {
            address: message.yiaddr(),
            server: four(54).map(Ipv4Addr::from)?,
            file: text(67),
            host: text(12),
            domain: text(15),
            root: text(17),
            lease_secs: four(51).map(u32::from_be_bytes).unwrap_or(0),
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.address, self.server)?;
        if !self.host.is_empty() {
            write!(f, ", name {}.{}", self.host, self.domain)?;
        }
        if !self.file.is_empty() {
            write!(f, ", file {}", self.file)?;
        }
        Ok(())
    }
}

/// A DISCOVER of the started system, as an initramfs sends it: it asks for a root path (option 17) too.
pub(super) fn system_packet(mac: &str) -> Vec<u8> {
    let mut message = message(mac);
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
    message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(55), vec![1, 3, 6, 12, 15, 17])));
    encoded(&message)
}

fn message(mac: &str) -> Message {
    let chaddr: Vec<u8> = mac.split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let unset = Ipv4Addr::UNSPECIFIED;
    Message::new_with_id(1, unset, unset, unset, unset, &chaddr)
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = message.encode(&mut Encoder::new(&mut bytes));
    debug_assert!(encoded.is_ok(), "our own packets can be encoded");
    bytes
}

/// A DISCOVER (1), or a REQUEST (3) for an offer.
pub(super) fn packet(mac: &str, kind: u8, offer: Option<&Reply>, arch: u16, is_ipxe: bool) -> Vec<u8> {
    let mut message = message(mac);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::from(kind)));
    if let Some(offer) = offer {
        options.insert(DhcpOption::RequestedIpAddress(offer.address));
        options.insert(DhcpOption::ServerIdentifier(offer.server));
    }
    let mut raw = |code: u8, data: Vec<u8>| {
        options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(code), data)));
    };
    raw(60, format!("PXEClient:Arch:{arch:05}:UNDI:002001").into_bytes());
    raw(93, arch.to_be_bytes().to_vec());
    if is_ipxe {
        raw(77, b"iPXE".to_vec());
    }
    encoded(&message)
}

/// A question for one name.
pub(super) fn question(name: &str, kind: &str) -> Vec<u8> {
    let mut message = DnsMessage::new(1, hickory_proto::op::MessageType::Query, OpCode::Query);
    let name = Name::from_ascii(format!("{name}.")).unwrap_or_default();
    message.add_query(Query::query(name, RecordType::from_str(kind).unwrap_or(RecordType::A)));
    message.to_vec().unwrap_or_default()
}

/// The data of the first record in a reply.
pub(super) fn first_record(answer: &dns::Answer) -> Option<String> {
    let dns::Answer::Reply(bytes) = answer else { return None };
    let message = DnsMessage::from_vec(bytes).ok()?;
    message.answers.first().map(|record| record.data.to_string())
}

//! A frame in one line, as whoever looks at a boot wants to read it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Message, OptionCode};
use dhcproto::{Decodable, Decoder};
use hickory_proto::op::{Message as Dns, MessageType};

use super::Protocol;
use super::frame::{Carried, Frame, Inner, Mac};
use crate::answer::syslog;
use crate::event::Event;
use crate::terminal::escaped;

/// How much of a text from the wire a line shows.
const SHOWN_CHARS_MAX: usize = 100;

/// What addresses and MACs are called.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub addresses: BTreeMap<Ipv4Addr, String>,
    pub macs: BTreeMap<Mac, String>,
}

impl Names {
    fn mac(&self, mac: &Mac) -> String {
        match self.macs.get(mac) {
            Some(name) => name.clone(),
            None if *mac == [255; 6] => "everybody".into(),
            None => super::written(mac),
        }
    }

    fn address(&self, address: Ipv4Addr, mac: &Mac) -> String {
        match self.addresses.get(&address) {
            Some(name) => name.clone(),
            None if address.is_unspecified() => self.mac(mac),
            None if address.is_broadcast() => "everybody".into(),
            None => self.macs.get(mac).cloned().unwrap_or_else(|| address.to_string()),
        }
    }
}

/// `kiosk-01 → 10.77.0.2  TFTP read pxelinux.0`; nothing in it acts on a terminal.
pub(super) fn line(frame: &Frame<'_>, protocol: Option<Protocol>, names: &Names) -> String {
    let (from, to, what) = match &frame.inner {
        Inner::Arp { asks, sender, target, .. } => {
            let what =
                if *asks { format!("ARP who has {target}") } else { format!("ARP {sender} is {}", super::written(&frame.from)) };
            (names.mac(&frame.from), names.mac(&frame.to), what)
        }
        Inner::Ip { from, to, carried } => {
            (names.address(*from, &frame.from), names.address(*to, &frame.to), said(carried, protocol))
        }
        Inner::Other(kind) => (names.mac(&frame.from), names.mac(&frame.to), format!("type 0x{kind:04x}")),
    };
    let what = escaped(&what);
    let shown: String = what.chars().take(SHOWN_CHARS_MAX).collect();
    let more = if shown.len() < what.len() { "…" } else { "" };
    format!("{} → {}  {shown}{more}", escaped(&from), escaped(&to))
}

fn said(carried: &Carried<'_>, protocol: Option<Protocol>) -> String {
    match carried {
        Carried::Icmp { kind: 8 } => "ICMP ping".into(),
        Carried::Icmp { kind: 0 } => "ICMP answer to a ping".into(),
        Carried::Icmp { kind: 3 } => "ICMP cannot be reached".into(),
        Carried::Icmp { kind } => format!("ICMP type {kind}"),
        Carried::Other(number) => format!("IP protocol {number}, or a later fragment"),
        Carried::Udp { from, to, data } => {
            let text = match protocol {
                Some(Protocol::Dhcp) => dhcp(data),
                Some(Protocol::Tftp) => tftp(data),
                Some(Protocol::Dns) => dns(data),
                Some(Protocol::Syslog) => logged(data),
                Some(Protocol::Http | Protocol::Arp | Protocol::Icmp) | None => None,
            };
            text.unwrap_or_else(|| format!("UDP {from} → {to}, {} bytes", data.len()))
        }
        Carried::Tcp { from, to, flags, data } => {
            let text = match protocol {
                Some(Protocol::Http) => http(data),
                Some(Protocol::Dns) => data.get(2..).and_then(dns),
                Some(Protocol::Dhcp | Protocol::Tftp | Protocol::Syslog | Protocol::Arp | Protocol::Icmp) | None => None,
            };
            text.unwrap_or_else(|| format!("TCP {from} → {to}{}, {} bytes", marks(*flags), data.len()))
        }
    }
}

/// What a segment is for, beside its bytes.
fn marks(flags: u8) -> String {
    let all = [(2, " opens"), (1, " ends"), (4, " breaks off")];
    all.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| word).collect()
}

fn dhcp(data: &[u8]) -> Option<String> {
    let message = Message::decode(&mut Decoder::new(data)).ok()?;
    let kind = match message.opts().get(OptionCode::MessageType) {
        Some(DhcpOption::MessageType(kind)) => format!("{kind:?}").to_uppercase(),
        _ => "BOOTP".to_owned(),
    };
    let mut text = format!("DHCP {kind}");
    match message.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => text.push_str(&format!(" wants {address}")),
        _ if !message.yiaddr().is_unspecified() => text.push_str(&format!(" {}", message.yiaddr())),
        _ => {}
    }
    if let Some(file) = message.fname().filter(|file| !file.is_empty()) {
        text.push_str(&format!(", loads {}", String::from_utf8_lossy(file).trim_end_matches('\0')));
    }
    Some(text)
}

fn tftp(data: &[u8]) -> Option<String> {
    let (code, rest) = data.split_first_chunk::<2>()?;
    let number = || rest.first_chunk().map(|two| u16::from_be_bytes(*two));
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    Some(match u16::from_be_bytes(*code) {
        1 => format!("TFTP read {}", word(rest)),
        2 => format!("TFTP write {}", word(rest)),
        3 => format!("TFTP block {}, {} bytes", number()?, rest.len().saturating_sub(2)),
        4 => format!("TFTP has block {}", number()?),
        5 => format!("TFTP error {}: {}", number()?, word(rest.get(2..)?)),
        6 => "TFTP agrees on options".into(),
        _ => return None,
    })
}

fn dns(data: &[u8]) -> Option<String> {
    let message = Dns::from_vec(data).ok()?;
    let asked = message.queries.first()?;
    let about = format!("{} {}", asked.name().to_string().trim_end_matches('.'), asked.query_type());
    if message.metadata.message_type == MessageType::Query {
        return Some(format!("DNS asks {about}"));
    }
    let found: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    let found = if found.is_empty() { message.metadata.response_code.to_string() } else { found.join(" ") };
    Some(format!("DNS answers {about}: {found}"))
}

fn logged(data: &[u8]) -> Option<String> {
    let Event::LineLogged(line) = syslog::answer(data, data.len(), Ipv4Addr::UNSPECIFIED, None) else { return None };
    let app = line.app.map(|app| format!("{app}: ")).unwrap_or_default();
    Some(format!("syslog {} {app}{}", line.severity, line.text))
}

/// The first line of a request or an answer.
fn http(data: &[u8]) -> Option<String> {
    let first = data.split(|byte| *byte == b'\r').next()?;
    let known = ["GET ", "HEAD ", "POST ", "PUT ", "HTTP/"].iter().any(|word| first.starts_with(word.as_bytes()));
    known
        .then(|| format!("HTTP {}", String::from_utf8_lossy(first).trim_start_matches("HTTP/1.1 ").trim_end_matches(" HTTP/1.1")))
}

//! DHCP: reservations, pools, first programs, refusals, noise.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode, UnknownOption};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use pxelator::answer::dhcp::{Answer, Destination, Leases, Request, answer};
use pxelator::compile;
use pxelator::event::Event;
use pxelator::out::table::Tables;

use super::tables;
use crate::harness::inputs;

/// A network segment: our tables, the leases so far, and a clock.
struct Segment {
    tables: Tables,
    leases: Leases,
    now: u64,
    local: Vec<Ipv4Addr>,
}

impl Segment {
    fn new() -> Segment {
        Segment { tables: tables(), leases: Leases::default(), now: 1000, local: vec![Ipv4Addr::new(10, 0, 0, 2)] }
    }

    fn send(&mut self, bytes: &[u8]) -> Answer {
        let request = Request { packet: bytes, local: &self.local, is_rehearsal: false, now: self.now, http_port: 80 };
        let answer = answer(&request, &self.tables, &self.leases);
        answer.events.iter().for_each(|event| self.leases.apply(event));
        answer
    }

    fn ask(&mut self, message: &Message) -> Option<Message> {
        self.send(&bytes(message)).reply.map(|(reply, _)| Message::decode(&mut Decoder::new(&reply)).unwrap())
    }

    /// DISCOVER and REQUEST; the address of the ACK.
    fn dora(&mut self, mac: u8) -> Option<Ipv4Addr> {
        let offer = self.ask(&discover(mac))?;
        let ack = self.ask(&request(mac, offer.yiaddr(), Some([10, 0, 0, 2])))?;
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        assert_eq!(ack.yiaddr(), offer.yiaddr());
        Some(ack.yiaddr())
    }
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

fn message(mac: u8, kind: MessageType) -> Message {
    let mut message =
        Message::new_with_id(7, [0; 4].into(), [0; 4].into(), [0; 4].into(), [0; 4].into(), &[0x52, 0x54, 0, 0, 0, mac]);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message
}

fn discover(mac: u8) -> Message {
    message(mac, MessageType::Discover)
}

fn request(mac: u8, address: Ipv4Addr, server: Option<[u8; 4]>) -> Message {
    let mut message = message(mac, MessageType::Request);
    message.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
    if let Some(server) = server {
        message.opts_mut().insert(DhcpOption::ServerIdentifier(server.into()));
    }
    message
}

fn pxe(mut message: Message, arch: u16, ipxe: bool) -> Message {
    let mut raw = |code: u8, data: &[u8]| {
        message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(code), data.to_vec())));
    };
    raw(60, b"PXEClient:Arch:00000:UNDI:002001");
    raw(93, &arch.to_be_bytes());
    if ipxe {
        raw(77, b"iPXE");
    }
    message
}

#[test]
fn a_reserved_host_is_told_its_address_its_name_and_its_network() {
    let mut segment = Segment::new();
    let offer = segment.ask(&discover(9)).unwrap();
    let expected = [
        (OptionCode::MessageType, DhcpOption::MessageType(MessageType::Offer)),
        (OptionCode::ServerIdentifier, DhcpOption::ServerIdentifier([10, 0, 0, 2].into())),
        (OptionCode::SubnetMask, DhcpOption::SubnetMask([255, 255, 255, 0].into())),
        (OptionCode::Router, DhcpOption::Router(vec![[10, 0, 0, 1].into()])),
        (OptionCode::DomainNameServer, DhcpOption::DomainNameServer(vec![[10, 0, 0, 2].into()])),
        (OptionCode::Hostname, DhcpOption::Hostname("pc".into())),
        (OptionCode::DomainName, DhcpOption::DomainName("lab.example".into())),
        (OptionCode::AddressLeaseTime, DhcpOption::AddressLeaseTime(43_200)),
        (OptionCode::Renewal, DhcpOption::Renewal(21_600)),
        (OptionCode::Rebinding, DhcpOption::Rebinding(37_800)),
    ];
    for (code, option) in expected {
        assert_eq!(offer.opts().get(code), Some(&option));
    }
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(10, 0, 0, 9));
    assert!(offer.fname().is_none_or(|name| name.iter().all(|byte| *byte == 0)), "no boot file for a client that is no firmware");
    assert_eq!(segment.dora(9), Some(Ipv4Addr::new(10, 0, 0, 9)));
    assert_eq!(segment.leases.iter().count(), 0, "a reservation is no lease");
}

#[test]
fn each_firmware_gets_its_first_program() {
    let mut segment = Segment::new();
    let mut file = |arch, ipxe| {
        let offer = segment.ask(&pxe(discover(9), arch, ipxe)).unwrap();
        String::from_utf8(offer.fname().unwrap_or_default().iter().copied().take_while(|byte| *byte != 0).collect()).unwrap()
    };
    assert_eq!(file(0, false), "pxelinux.0");
    assert_eq!(file(0, true), "pxelinux.0", "QEMU's BIOS ROM is iPXE, and still wants pxelinux");
    assert_eq!(file(7, false), "snponly.efi");
    assert_eq!(file(9, false), "snponly.efi");
    assert_eq!(file(7, true), "http://10.0.0.2/ipxe/52-54-00-00-00-09");
    assert_eq!(file(11, false), "", "no loader for arm64 is pinned");
    let offer = segment.ask(&pxe(discover(9), 7, true)).unwrap();
    assert_eq!(offer.siaddr(), Ipv4Addr::new(10, 0, 0, 2));
    assert!(offer.opts().get(OptionCode::from(175)).is_some());
    assert_eq!(offer.opts().get(OptionCode::ClassIdentifier), Some(&DhcpOption::ClassIdentifier(b"PXEClient".to_vec())));
}

#[test]
fn a_pool_gives_each_client_its_own_address_and_keeps_clear_of_others() {
    let mut segment = Segment::new();
    let (first, second) = (segment.dora(50).unwrap(), segment.dora(51).unwrap());
    let pool: Vec<Ipv4Addr> = vec![[10, 0, 0, 100].into(), [10, 0, 0, 102].into()];
    assert!(pool.contains(&first) && pool.contains(&second) && first != second, "{first} {second}: 101 is the phone's");
    assert_eq!(segment.dora(50), Some(first), "the same client, the same address");
    let third = segment.send(&bytes(&discover(52)));
    let mac = "52:54:00:00:00:34".to_owned();
    let heard = Event::ClientDiscovered { mac: mac.clone(), host: None, arch: None, is_ipxe: false };
    assert_eq!(third.events, [heard, Event::PoolExhausted { mac, network: "lan".into(), first: [10, 0, 0, 100].into() }]);
    segment.now += 3601;
    assert!(segment.dora(52).is_some(), "leases run out");
}

#[test]
fn two_offers_at_once_are_two_addresses() {
    let mut segment = Segment::new();
    let first = segment.ask(&discover(50)).unwrap().yiaddr();
    let second = segment.ask(&discover(51)).unwrap().yiaddr();
    assert_ne!(first, second, "an offer is held");
}

#[test]
fn a_host_without_address_keeps_its_name_in_the_pool() {
    let mut segment = Segment::new();
    let offer = segment.ask(&discover(10)).unwrap();
    assert_eq!(offer.opts().get(OptionCode::Hostname), Some(&DhcpOption::Hostname("roamer".into())));
    assert!(offer.yiaddr() >= Ipv4Addr::new(10, 0, 0, 100));
}

#[test]
fn a_wrong_address_is_refused_and_another_servers_offer_left_alone() {
    let mut segment = Segment::new();
    let nak = segment.send(&bytes(&request(9, [10, 0, 0, 77].into(), None)));
    let (reply, to) = nak.reply.unwrap();
    assert_eq!(Message::decode(&mut Decoder::new(&reply)).unwrap().opts().msg_type(), Some(MessageType::Nak));
    assert_eq!(to, Destination::Broadcast);
    assert_eq!(segment.send(&bytes(&request(9, [10, 0, 0, 9].into(), Some([10, 0, 0, 66])))), Answer::default());
}

#[test]
fn a_renewal_goes_straight_to_the_client_and_a_relay_gets_its_own() {
    let mut segment = Segment::new();
    let address = segment.dora(50).unwrap();
    let mut renewal = message(50, MessageType::Request);
    renewal.set_ciaddr(address);
    assert_eq!(segment.send(&bytes(&renewal)).reply.unwrap().1, Destination::Client(address));
    let mut relayed = discover(60);
    relayed.set_giaddr([10, 9, 0, 1]);
    let (reply, to) = segment.send(&bytes(&relayed)).reply.unwrap();
    assert_eq!(to, Destination::Relay([10, 9, 0, 1].into()));
    let offer = Message::decode(&mut Decoder::new(&reply)).unwrap();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
    relayed.set_giaddr([172, 16, 0, 1]);
    assert_eq!(segment.send(&bytes(&relayed)), Answer::default(), "a relay of no network of ours");
}

#[test]
fn released_addresses_come_back_and_declined_ones_rest() {
    let mut segment = Segment::new();
    let address = segment.dora(50).unwrap();
    let mut release = message(50, MessageType::Release);
    release.set_ciaddr(address);
    assert_eq!(segment.send(&bytes(&release)).events, [Event::LeaseReleased { mac: "52:54:00:00:00:32".into(), address }]);
    let address = segment.dora(50).unwrap();
    let mut decline = message(50, MessageType::Decline);
    decline.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
    segment.send(&bytes(&decline));
    assert_ne!(segment.dora(50), Some(address));
    let mut theft = message(51, MessageType::Release);
    theft.set_ciaddr(segment.leases.of("52:54:00:00:00:32").next().unwrap().address);
    assert_eq!(segment.send(&bytes(&theft)), Answer::default(), "nobody releases another's lease");
}

#[test]
fn a_declined_address_rests_although_its_client_asks_again() {
    let mut segment = Segment::new();
    let address = segment.dora(50).unwrap();
    let mut decline = message(50, MessageType::Decline);
    decline.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
    segment.send(&bytes(&decline));
    assert!(segment.dora(50).is_some_and(|other| other != address));
    assert!(segment.dora(51).is_none_or(|other| other != address), "nobody else gets it either");
}

#[test]
fn a_relayed_client_renews_straight_with_us() {
    let mut segment = Segment::new();
    let mut relayed = discover(60);
    relayed.set_giaddr([10, 9, 0, 1]);
    let address = segment.ask(&relayed).unwrap().yiaddr();
    let mut renewal = message(60, MessageType::Request);
    renewal.set_ciaddr(address);
    assert_eq!(segment.ask(&renewal).unwrap().yiaddr(), address);
}

#[test]
fn an_interface_of_no_network_hears_nothing_and_one_of_two_knows_both() {
    let mut segment = Segment::new();
    segment.local = vec![[172, 16, 0, 1].into()];
    assert_eq!(segment.send(&bytes(&discover(9))), Answer::default());
    segment.local = Vec::new();
    assert_eq!(segment.send(&bytes(&discover(9))), Answer::default());
    segment.local = vec![[172, 16, 0, 1].into(), [10, 9, 0, 2].into(), [10, 0, 0, 2].into()];
    assert_eq!(segment.ask(&discover(9)).unwrap().yiaddr(), Ipv4Addr::new(10, 0, 0, 9), "the reservation's network is there");
}

#[test]
fn a_full_pool_is_said_and_has_room_again_when_offers_end() {
    let compiled = compile(inputs("site lab\nnetwork big \"10.0.0.0/16\" server=2 { pool 1000 60000 }\n"), "site.kdl");
    let files = compiled.tree.unwrap().files().map(|(path, file)| (path.to_owned(), file.bytes().to_vec())).collect();
    let mut segment = Segment::new();
    segment.tables = Tables::read(&files).unwrap();
    let pool = segment.tables.networks[0].pools[0].clone();
    for n in 0..=u32::from(pool.last) - u32::from(pool.first) {
        let mac = format!("02:00:{:02x}:{:02x}:{:02x}:{:02x}", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
        let address = Ipv4Addr::from(u32::from(pool.first) + n);
        segment.leases.apply(&Event::LeaseOffered { mac, address, until: 2000 });
    }
    for _ in 0..2000 {
        assert!(segment.send(&bytes(&discover(77))).reply.is_none());
    }
    segment.now = 2001;
    assert!(segment.send(&bytes(&discover(77))).reply.is_some(), "offers end");
}

#[test]
fn inform_gives_options_and_no_address() {
    let mut segment = Segment::new();
    let mut inform = message(9, MessageType::Inform);
    inform.set_ciaddr([10, 0, 0, 9]);
    let ack = segment.ask(&inform).unwrap();
    assert_eq!(ack.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert!(ack.opts().get(OptionCode::AddressLeaseTime).is_none() && ack.opts().get(OptionCode::Router).is_some());
}

#[test]
fn noise_is_met_with_silence() {
    let mut segment = Segment::new();
    let whole = bytes(&pxe(discover(9), 0, true));
    for end in 0..whole.len() {
        segment.send(&whole[..end]);
    }
    // Every byte changed in turn, and runs of the same byte: never a panic.
    for at in 0..whole.len() {
        for value in [0, 1, 52, 255] {
            let mut noisy = whole.clone();
            noisy[at] = value;
            segment.send(&noisy);
        }
    }
    assert_eq!(segment.send(&[0xff; 1500]), Answer::default());
    assert_eq!(segment.send(b""), Answer::default());
}

#[test]
fn options_may_hide_in_the_file_and_name_fields() {
    let mut packet = bytes(&discover(9));
    packet.truncate(240);
    packet.extend([52, 1, 3, 255]);
    packet[108..112].copy_from_slice(&[53, 1, 1, 255]);
    assert!(Segment::new().send(&packet).reply.is_some());
}

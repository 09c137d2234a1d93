//! Commands by DNS: a name alone does nothing, a label does its work once, and nobody else's label counts.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message as Dns, MessageType as DnsType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use pxelator::answer::commands::{self, Commands, Told};
use pxelator::answer::dns::{Request, Zones};
use pxelator::event::Event;
use pxelator::out::table::Tables;

use super::tables_of;

const SITE: &str = r#"
site lab domain="lab.example"
secret amt file="/run/secrets/amt"
network lan "10.0.0.0/24" server=2 {
    pool 100 199
    host boot 2 "52:54:00:00:00:02" wake=#true
    host kiosk 11 "54:b2:03:00:00:0b" amt=amt
    host roamer "52:54:00:00:00:0a" wake=#true
    host printer 50 "52:54:00:00:00:50"
}
network far "10.1.0.0/16"
dns {
    txt "wake.kiosk.lab.example" "below a host"
    command "wake.{host}.do" run=power-on from="lan, far"
    command "off.{host}" run=power-off from=lan
    command "is.{host}.do" run=status from=lan
    command help run=call from="lan, far"
}
"#;

const ASKER: [u8; 4] = [10, 0, 0, 50];
const WAKE: &str = "wake.kiosk.do.lab.example";

struct Server {
    tables: Tables,
    zones: Zones,
    commands: Commands,
    secs: u64,
    over_tcp: bool,
    events: Vec<Event>,
}

/// What a reply says.
#[derive(Debug, PartialEq)]
struct Said {
    code: ResponseCode,
    truncated: bool,
    alias: Option<String>,
    data: Option<String>,
}

impl Server {
    fn new() -> Server {
        let tables = tables_of(SITE);
        let zones = Zones::load(&tables, &Default::default()).unwrap();
        Server { tables, zones, commands: Commands::new([7; 32]), secs: 600, over_tcp: false, events: Vec::new() }
    }

    fn told(&mut self, name: &str, kind: RecordType, peer: [u8; 4]) -> Option<Told> {
        let mut query = Dns::new(9, DnsType::Query, OpCode::Query);
        query.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), kind));
        let packet = query.to_vec().unwrap();
        let request = Request { packet: &packet, peer: peer.into(), over_tcp: self.over_tcp };
        commands::answer(&request, &self.tables, &self.zones, &mut self.commands, self.secs)
    }

    fn ask_from(&mut self, name: &str, kind: RecordType, peer: [u8; 4]) -> Said {
        let told = self.told(name, kind, peer).unwrap_or_else(|| panic!("{name} is a command's"));
        self.events.extend(told.events);
        let reply = Dns::from_vec(&told.reply.unwrap()).unwrap();
        assert!(reply.answers.iter().all(|record| record.ttl == 0), "nobody keeps an answer");
        let denial = reply.authorities.iter().all(|record| record.ttl == 0 && record.data.to_string().ends_with(" 0"));
        assert!(denial, "nobody keeps a no: {:?}", reply.authorities);
        let mut said = Said { code: reply.metadata.response_code, truncated: reply.metadata.truncation, alias: None, data: None };
        for record in &reply.answers {
            match &record.data {
                RData::CNAME(target) => said.alias = Some(target.to_string()),
                data => said.data = Some(data.to_string()),
            }
        }
        said
    }

    fn ask(&mut self, name: &str, kind: RecordType) -> Said {
        self.ask_from(name, kind, ASKER)
    }

    /// The label that an asker is told.
    fn label(&mut self, name: &str, peer: [u8; 4]) -> String {
        let address: Ipv4Addr = self.ask_from(name, RecordType::A, peer).data.unwrap().parse().unwrap();
        let [127, a, b, c] = address.octets() else { panic!("{address}") };
        format!("{a}-{b}-{c}")
    }

    fn given(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::CommandGiven { .. })).count()
    }
}

fn address(data: &str) -> Option<String> {
    Some(data.to_owned())
}

#[test]
fn a_name_alone_tells_a_label_and_does_nothing() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let hint = format!("now-ping-{label}.{WAKE}");
    let said = server.ask(WAKE, RecordType::A);
    assert_eq!((said.code, said.alias), (ResponseCode::NoError, Some(format!("{hint}."))));
    let aaaa = server.ask(WAKE, RecordType::AAAA);
    assert_eq!((aaaa.code, aaaa.alias, aaaa.data), (ResponseCode::NoError, Some(format!("{hint}.")), None));
    assert_eq!(
        server.ask(WAKE, RecordType::TXT).data,
        address(&format!("power-on of kiosk: ping {label}.{WAKE} within a minute"))
    );
    // Whoever follows the alias is told the same, and does nothing.
    assert_eq!(server.ask(&hint, RecordType::A).data, address(&format!("127.{}", label.replace('-', "."))));
    assert_eq!(server.ask(&hint, RecordType::AAAA).code, ResponseCode::NoError);
    for kind in [RecordType::ANY, RecordType::CNAME, RecordType::MX, RecordType::HTTPS, RecordType::NS, RecordType::SOA] {
        assert_eq!(server.ask(WAKE, kind).code, ResponseCode::NoError);
        assert_eq!(server.ask(&hint, kind).code, ResponseCode::NoError);
    }
    assert_eq!(server.events, []);
}

#[test]
fn a_label_does_its_work_once_however_often_it_is_asked_for() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let name = format!("{label}.{WAKE}");
    // Other types tell what to do, and do nothing.
    assert!(server.ask(&name, RecordType::TXT).data.unwrap().contains("within a minute"));
    assert_eq!(server.given(), 0);
    for second in 0..100 {
        server.secs = 600 + second / 2;
        assert_eq!(server.ask(&name.to_uppercase(), RecordType::A).data, address("10.0.0.11"));
        assert_eq!(server.ask(&name, RecordType::AAAA).data, None);
        assert_eq!(server.ask(&name, RecordType::TXT).data, address("power-on of kiosk is given"));
    }
    let from = ASKER.into();
    assert_eq!(server.events, [Event::CommandGiven { run: "power-on".into(), host: "kiosk".into(), from, label: label.clone() }]);
    // The next minute has another label, and is another command.
    server.secs = 660;
    let next = server.label(WAKE, ASKER);
    assert_ne!(next, label);
    server.ask(&format!("{next}.{WAKE}"), RecordType::AAAA);
    assert_eq!(server.given(), 2);
}

#[test]
fn a_label_lives_until_the_next_is_told_no_more() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    server.secs = 659;
    assert_eq!(server.label(WAKE, ASKER), label, "within a minute it is the same");
    let mut later = Server { secs: 719, ..Server::new() };
    assert_eq!(later.ask(&format!("{label}.{WAKE}"), RecordType::A).data, address("10.0.0.11"));
    let mut late = Server { secs: 720, ..Server::new() };
    assert_eq!(late.ask(&format!("{label}.{WAKE}"), RecordType::A).code, ResponseCode::NXDomain);
    assert_eq!((later.given(), late.given()), (1, 0));
    // Used in its last second, it is remembered for a minute more: retries do nothing.
    later.secs = 778;
    assert_eq!(later.ask(&format!("{label}.{WAKE}"), RecordType::AAAA).code, ResponseCode::NoError);
    later.secs = 779;
    assert_eq!(later.ask(&format!("{label}.{WAKE}"), RecordType::A).code, ResponseCode::NXDomain);
    assert_eq!(later.given(), 1);
}

#[test]
fn a_label_is_nobody_elses_and_of_no_other_name_nor_server() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let other = server.label("wake.boot.do.lab.example", ASKER);
    assert_ne!(label, other);
    for (name, peer) in [
        (format!("{label}.{WAKE}"), [10, 0, 0, 51]),
        (format!("{label}.wake.boot.do.lab.example"), ASKER),
        (format!("{label}.off.kiosk.lab.example"), ASKER),
        (format!("{other}.{WAKE}"), ASKER),
    ] {
        assert_eq!(server.ask_from(&name, RecordType::A, peer).code, ResponseCode::NXDomain, "{name}");
    }
    server.commands = Commands::new([8; 32]);
    assert_eq!(server.ask(&format!("{label}.{WAKE}"), RecordType::A).code, ResponseCode::NXDomain, "after a restart");
    assert_eq!(server.given(), 0);
}

#[test]
fn after_five_wrong_labels_tcp_alone_counts_for_an_hour() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let name = format!("{label}.{WAKE}");
    for guess in 0..5_u8 {
        let wrong = format!("{}-0-{guess}.{WAKE}", if label.starts_with("1-") { 2 } else { 1 });
        assert_eq!(server.ask_from(&wrong, RecordType::A, [10, 1, 0, guess]).code, ResponseCode::NXDomain);
    }
    let last = Event::LabelsGuessed { from: [10, 1, 0, 4].into(), name: WAKE.into(), count: 5 };
    assert_eq!(server.events, [last]);
    for guess in 0..=255 {
        assert!(server.ask(&format!("9-9-{guess}.{WAKE}"), RecordType::A).truncated);
    }
    assert!(server.ask(&name, RecordType::A).truncated, "nobody learns whether a label is right");
    assert_eq!((server.events.len(), server.given()), (1, 0));
    server.over_tcp = true;
    assert_eq!(server.ask(&name, RecordType::A).data, address("10.0.0.11"));
    assert_eq!(server.given(), 1);
    server.over_tcp = false;
    server.secs += 3600;
    let label = server.label(WAKE, ASKER);
    assert_eq!(server.ask(&format!("{label}.{WAKE}"), RecordType::A).data, address("10.0.0.11"));
    assert_eq!(server.given(), 2);
}

#[test]
fn a_flood_of_forged_questions_takes_nothing_from_anybody() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let kept = |server: &Server| format!("{:?}", server.commands).len();
    let before = kept(&server);
    for number in 0..=u16::MAX {
        let [c, d] = number.to_be_bytes();
        assert!(server.told(WAKE, RecordType::A, [10, 1, c, d]).unwrap().events.is_empty());
    }
    assert_eq!(kept(&server), before, "labels are computed, not kept");
    assert_eq!(server.ask(&format!("{label}.{WAKE}"), RecordType::A).data, address("10.0.0.11"));
    assert_eq!(server.given(), 1);
}

#[test]
fn what_is_remembered_has_a_limit_and_beyond_it_nothing_is_done() {
    let mut server = Server::new();
    let give = |server: &mut Server, peer: [u8; 4]| {
        let label = server.label(WAKE, peer);
        server.ask_from(&format!("{label}.{WAKE}"), RecordType::A, peer).data
    };
    for number in 0..1024_u16 {
        let [c, d] = number.to_be_bytes();
        assert_eq!(give(&mut server, [10, 1, c, d]), address("10.0.0.11"));
    }
    assert_eq!(give(&mut server, ASKER), address("127.0.0.6"));
    assert_eq!(server.given(), 1024);
    server.secs += 180;
    assert_eq!(give(&mut server, ASKER), address("10.0.0.11"));
}

#[test]
fn whoever_may_not_is_refused_and_learns_nothing() {
    let mut server = Server::new();
    let stranger = [192, 0, 2, 1];
    let refused = Said { code: ResponseCode::Refused, truncated: false, alias: None, data: None };
    for name in
        [WAKE, "wake.nobody.do.lab.example", "is.kiosk.do.lab.example", "1-2-3.wake.kiosk.do.lab.example", "help.lab.example"]
    {
        assert_eq!(server.ask_from(name, RecordType::A, stranger), refused, "{name}");
    }
    // 10.1/16 may wake, and not switch off.
    assert_eq!(server.ask_from("off.kiosk.lab.example", RecordType::A, [10, 1, 0, 1]), refused);
    assert_eq!(server.events, [Event::CommandRefused { from: stranger.into(), name: WAKE.into(), count: 1 }]);
    server.secs += 60;
    server.ask_from(WAKE, RecordType::A, stranger);
    assert_eq!(server.events[1..], [Event::CommandRefused { from: stranger.into(), name: WAKE.into(), count: 6 }]);
}

#[test]
fn names_above_commands_exist_and_all_others_are_the_zones_own() {
    let mut server = Server::new();
    let bare = Said { code: ResponseCode::NoError, truncated: false, alias: None, data: None };
    assert_eq!(server.ask("do.lab.example", RecordType::A), bare);
    assert_eq!(server.ask("kiosk.do.lab.example", RecordType::A), bare);
    assert_eq!(server.ask("nobody.do.lab.example", RecordType::A), bare, "nobody learns which hosts there are");
    assert_eq!(server.ask("roamer.lab.example", RecordType::A), bare, "a host that has no record, and `off` below it");
    assert_eq!(server.ask("wake.nobody.do.lab.example", RecordType::A).code, ResponseCode::NXDomain);
    assert_eq!(server.ask("wake.printer.do.lab.example", RecordType::A).code, ResponseCode::NXDomain, "nothing switches it");
    assert_eq!(server.ask("off.boot.lab.example", RecordType::A).code, ResponseCode::NXDomain, "it can only be woken");
    assert_eq!(server.ask("is.printer.do.lab.example", RecordType::A).code, ResponseCode::NoError);
    for name in [
        "kiosk.lab.example",
        "lab.example",
        "example",
        "nobody.lab.example",
        "wake.kiosk.lab.example",
        "a.b.wake.kiosk.do.lab.example",
    ] {
        assert!(server.told(name, RecordType::A, ASKER).is_none(), "{name}");
    }
}

#[test]
fn a_call_is_recorded_once_a_minute_and_floods_of_calls_come_by_tcp() {
    let mut server = Server::new();
    for kind in [RecordType::A, RecordType::AAAA, RecordType::A, RecordType::TXT] {
        assert_eq!(server.ask("help.lab.example", kind).alias, address("help-is-called.help.lab.example."));
    }
    assert_eq!(server.ask("help-is-called.help.lab.example", RecordType::A).data, address("127.0.0.3"));
    assert_eq!(server.ask("nonsense.help.lab.example", RecordType::A).code, ResponseCode::NXDomain);
    let called = |peer: [u8; 4]| Event::HelpCalled { from: peer.into(), name: "help.lab.example".into(), host: None };
    assert_eq!(server.events, [called(ASKER)]);
    for number in 0..=255 {
        let truncated = server.ask_from("help.lab.example", RecordType::A, [10, 1, 0, number]).truncated;
        assert_eq!(truncated, number >= 63, "{number}");
    }
    assert_eq!(server.events.len(), 64);
    server.over_tcp = true;
    assert_eq!(server.ask_from("help.lab.example", RecordType::A, [10, 1, 9, 9]).data, address("127.0.0.3"));
    server.secs += 60;
    server.over_tcp = false;
    server.ask("help.lab.example", RecordType::A);
    assert_eq!(server.events[64..], [called([10, 1, 9, 9]), called(ASKER)]);
}

#[test]
fn a_status_tells_what_happened_last() {
    let mut server = Server::new();
    let name = "is.kiosk.do.lab.example";
    assert_eq!(server.ask(name, RecordType::A).data, address("127.0.0.5"));
    server.ask(name, RecordType::AAAA);
    assert_eq!(server.events, [Event::StatusAsked { host: "kiosk".into(), from: ASKER.into() }], "looked for once");
    let granted =
        Event::ReservationGranted { host: "kiosk".into(), mac: "54:b2:03:00:00:0b".into(), address: [10, 0, 0, 11].into() };
    server.commands.heard(&granted, server.secs);
    server.secs += 90;
    let on = server.ask(name, RecordType::A);
    assert_eq!((on.alias, on.data), (address("on.is.kiosk.do.lab.example."), address("10.0.0.11")));
    assert_eq!(server.ask(name, RecordType::TXT).data, address("kiosk was on 90 s ago"));
    assert_eq!(server.ask("on.is.kiosk.do.lab.example", RecordType::A).data, address("10.0.0.11"));
    // What switches machines tells what it found, and what it did.
    server.commands.heard(&Event::PowerSeen { host: "kiosk".into(), state: "off".into() }, server.secs);
    assert_eq!(server.ask(name, RecordType::TXT).data, address("kiosk was off 0 s ago"));
    let kept = Event::PowerKept { host: "kiosk".into(), action: "on".into(), by: "schedule".into() };
    server.commands.heard(&kept, server.secs);
    assert_eq!(server.ask(name, RecordType::TXT).data, address("kiosk was on 0 s ago"));
    server.secs += 3600;
    assert_eq!(server.ask(name, RecordType::A).data, address("127.0.0.5"), "what is old tells nothing");
    let changed =
        |action: &'static str| Event::PowerChanged { host: "kiosk".into(), action: action.into(), by: "schedule".into() };
    server.commands.heard(&changed("on"), server.secs);
    assert_eq!(server.ask(name, RecordType::A).data, address("127.0.0.5"), "it is not up yet");
    server.commands.heard(&changed("off"), server.secs);
    assert_eq!(server.ask(name, RecordType::A).data, address("127.0.0.4"));
    server.commands.heard(&changed("cycle"), server.secs);
    assert_eq!(server.ask(name, RecordType::A).data, address("127.0.0.5"), "off no more");
    server.commands.heard(&Event::PowerSeen { host: "kiosk".into(), state: "on".into() }, server.secs);
    assert_eq!(server.ask(name, RecordType::A).data, address("10.0.0.11"));
    assert!(server.events.iter().all(|event| matches!(event, Event::StatusAsked { .. })));
}

#[test]
fn a_host_without_an_address_is_switched_too() {
    let mut server = Server::new();
    let name = "wake.roamer.do.lab.example";
    let label = server.label(name, ASKER);
    let said = server.ask(&format!("{label}.{name}"), RecordType::A);
    assert_eq!((said.alias, said.data), (Some(format!("given.{label}.{name}.")), address("127.0.0.2")));
    assert_eq!(server.given(), 1);
}

#[test]
fn any_bytes_are_survived_and_give_no_command() {
    let mut server = Server::new();
    let label = server.label(WAKE, ASKER);
    let mut query = Dns::new(9, DnsType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_ascii(format!("{label}.{WAKE}.")).unwrap(), RecordType::A));
    let whole = query.to_vec().unwrap();
    let tried = |server: &mut Server, packet: &[u8]| {
        let request = Request { packet, peer: ASKER.into(), over_tcp: true };
        let told = commands::answer(&request, &server.tables, &server.zones, &mut server.commands, server.secs);
        told.map(|told| told.events.len()).unwrap_or(0)
    };
    for end in 0..whole.len() {
        assert_eq!(tried(&mut server, &whole[..end]), 0);
    }
    for at in 12..whole.len() - 4 {
        for value in [0, 1, 0x3f, 0xc0, 255] {
            let mut noisy = whole.clone();
            noisy[at] = value;
            let same = noisy == whole;
            assert!(same || tried(&mut server, &noisy) == 0, "byte {at} is {value}");
        }
    }
    // A response is none, nor is another kind of message, nor several questions.
    for (at, value) in [(2, 0x80), (2, 0x28), (5, 2), (5, 0)] {
        let mut noisy = whole.clone();
        noisy[at] = value;
        assert_eq!(tried(&mut server, &noisy), 0, "byte {at} is {value}");
    }
    assert_eq!(tried(&mut server, &whole), 1);
}

//! DNS: our names both ways, denials, and for whom we forward.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hickory_proto::op::{Message as Dns, MessageType as DnsType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use pxelator::answer::dns::{self, Zones};

use super::tables;

fn dns_ask(name: &str, kind: RecordType, peer: [u8; 4]) -> dns::Answer {
    let tables = tables();
    let zones = Zones::load(&tables, &BTreeMap::from([("lab.example".to_owned(), 42)])).unwrap();
    let mut query = Dns::new(9, DnsType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    dns::answer(&dns::Request { packet: &query.to_vec().unwrap(), peer: peer.into(), over_tcp: false }, &tables, &zones)
}

fn dns_reply(name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
    match dns_ask(name, kind, [10, 0, 0, 9]) {
        dns::Answer::Reply(bytes) => {
            let reply = Dns::from_vec(&bytes).unwrap();
            assert!(reply.metadata.authoritative && reply.metadata.id == 9);
            let code = reply.metadata.response_code;
            assert!(!reply.answers.is_empty() || reply.authorities.len() == 1, "a no comes with the SOA");
            (code, reply.answers.iter().map(|record| record.data.to_string()).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn our_names_are_answered_both_ways_and_missing_ones_denied() {
    let good = |name: &str, kind| dns_reply(name, kind);
    assert_eq!(good("pc.lab.example.", RecordType::A), (ResponseCode::NoError, vec!["10.0.0.9".into()]));
    assert_eq!(good("PC.Lab.Example.", RecordType::A).1, ["10.0.0.9"]);
    assert_eq!(good("9.0.0.10.in-addr.arpa.", RecordType::PTR).1, ["pc.lab.example."]);
    assert_eq!(good("git.lab.example.", RecordType::A).1, ["pc.lab.example.", "10.0.0.9"]);
    assert_eq!(good("out.lab.example.", RecordType::CNAME).1, ["www.example.org."]);
    assert_eq!(good("pc.lab.example.", RecordType::AAAA), (ResponseCode::NoError, vec![]));
    assert_eq!(good("nobody.lab.example.", RecordType::A), (ResponseCode::NXDomain, vec![]));
    assert!(good("lab.example.", RecordType::SOA).1[0].contains(" 42 "), "the serial is the state's");
}

#[test]
fn texts_are_the_bytes_that_the_site_has() {
    let dns::Answer::Reply(bytes) = dns_ask("odd.lab.example.", RecordType::TXT, [10, 0, 0, 9]) else { panic!() };
    let RData::TXT(data) = &Dns::from_vec(&bytes).unwrap().answers[0].data else { panic!() };
    let texts: Vec<&str> = data.txt_data.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
    assert_eq!(texts, ["č \u{1} \n \" \\ €", "plain"]);
}

#[test]
fn only_our_networks_are_forwarded_for() {
    assert_eq!(dns_ask("www.example.org.", RecordType::A, [10, 9, 0, 5]), dns::Answer::Forward);
    assert_eq!(dns_ask("www.example.org.", RecordType::A, [127, 0, 0, 1]), dns::Answer::Forward);
    let dns::Answer::Reply(bytes) = dns_ask("www.example.org.", RecordType::A, [192, 0, 2, 1]) else { panic!() };
    assert_eq!(Dns::from_vec(&bytes).unwrap().metadata.response_code, ResponseCode::Refused);
}

#[test]
fn an_alias_that_leads_out_is_followed_for_our_own_networks() {
    let dns::Answer::Chase { question, reply } = dns_ask("out.lab.example.", RecordType::A, [10, 0, 0, 9]) else { panic!() };
    let question = Dns::from_vec(&question).unwrap();
    assert_eq!(question.queries[0].name().to_string(), "www.example.org.");
    let mut theirs = Dns::new(0, DnsType::Response, OpCode::Query);
    let name = Name::from_ascii("www.example.org.").unwrap();
    theirs.add_answer(Record::from_rdata(name, 60, RData::A(std::net::Ipv4Addr::new(192, 0, 2, 7).into())));
    let joined = Dns::from_vec(&dns::join(&reply, &theirs.to_vec().unwrap())).unwrap();
    let data: Vec<String> = joined.answers.iter().map(|record| record.data.to_string()).collect();
    assert_eq!(data, ["www.example.org.", "192.0.2.7"]);
    assert!(matches!(dns_ask("out.lab.example.", RecordType::A, [192, 0, 2, 1]), dns::Answer::Reply(_)));
}

#[test]
fn dns_noise_is_survived() {
    let tables = tables();
    let zones = Zones::load(&tables, &BTreeMap::new()).unwrap();
    let mut query = Dns::new(9, DnsType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_ascii("pc.lab.example.").unwrap(), RecordType::A));
    let whole = query.to_vec().unwrap();
    let peer = Ipv4Addr::LOCALHOST;
    for end in 0..whole.len() {
        dns::answer(&dns::Request { packet: &whole[..end], peer, over_tcp: false }, &tables, &zones);
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x3f, 0xc0, 255] {
            let mut noisy = whole.clone();
            noisy[at] = value;
            dns::answer(&dns::Request { packet: &noisy, peer, over_tcp: true }, &tables, &zones);
        }
    }
}

//! DNS (RFC 1034, RFC 1035, RFC 2308): our zones by authority, other names by forwarding.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, LowerName, Name, RData, Record, RecordSet, RecordType, RrKey};
use hickory_proto::serialize::txt::Parser;

use crate::out::table::Tables;

/// The largest UDP answer that we give or take, in bytes: no fragments on any path (DNS flag day 2020).
const UDP_BYTES_MAX: u16 = 1232;
/// What a client without EDNS takes, in bytes (RFC 1035 §4.2.1).
const UDP_BYTES_PLAIN: u16 = 512;
/// How many aliases are followed.
const CNAMES_MAX: usize = 8;

/// A zone that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("out/dns/{zone}.zone: {what}")]
pub struct ZoneError {
    pub zone: String,
    pub what: String,
}

/// The zones of a generation, parsed, with their serials.
#[derive(Debug, Default)]
pub struct Zones {
    by_origin: BTreeMap<LowerName, Zone>,
}

#[derive(Debug)]
struct Zone {
    soa: Record,
    sets: BTreeMap<RrKey, RecordSet>,
    /// Owners and the names above them: a name without records of its own may still exist.
    names: std::collections::BTreeSet<LowerName>,
}

/// A packet and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub packet: &'a [u8],
    pub peer: Ipv4Addr,
    pub over_tcp: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Reply(Vec<u8>),
    /// Ask a forwarder.
    Forward,
    /// An alias leads out of our zones: ask a forwarder this question, and [`join`] what it says.
    Chase { question: Vec<u8>, reply: Vec<u8> },
    /// Noise, or an answer: nothing to say.
    Silence,
}

impl Zones {
    /// Parses the zones of the tables; `serials` has the serial of each, 0 where it is unknown.
    pub fn load(tables: &Tables, serials: &BTreeMap<String, u32>) -> Result<Zones, ZoneError> {
        let mut zones = Zones::default();
        for (name, text) in &tables.zones {
            let serial = serials.get(name).copied().unwrap_or(0);
            let (origin, zone) = Zone::parse(name, text, serial).map_err(|what| ZoneError { zone: name.clone(), what })?;
            zones.by_origin.insert(origin, zone);
        }
        Ok(zones)
    }

    /// Does the name lie in a zone of ours that has neither it nor any below it?
    pub(super) fn lacks(&self, name: &LowerName) -> bool {
        self.find(name).is_some_and(|zone| !zone.names.contains(name))
    }

    /// The SOA for a “no” that nobody keeps.
    pub(super) fn fleeting(&self, name: &LowerName) -> Option<Record> {
        let mut soa = self.find(name)?.soa.clone();
        soa.ttl = 0;
        if let RData::SOA(data) = &mut soa.data {
            data.minimum = 0;
        }
        Some(soa)
    }

    /// The zone nearest above a name.
    fn find(&self, name: &LowerName) -> Option<&Zone> {
        let mut name = name.clone();
        loop {
            if let Some(zone) = self.by_origin.get(&name) {
                return Some(zone);
            }
            if name.is_root() {
                return None;
            }
            name = name.base_name();
        }
    }
}

impl Zone {
    fn parse(name: &str, text: &str, serial: u32) -> Result<(LowerName, Zone), String> {
        let origin = Name::from_ascii(format!("{name}.")).map_err(|error| error.to_string())?;
        let (origin, mut sets) = Parser::new(text, None, Some(origin)).parse().map_err(|error| error.to_string())?;
        let origin = LowerName::new(&origin);
        sets.iter_mut().filter(|(key, _)| key.record_type == RecordType::TXT).for_each(|(_, set)| *set = with_bytes(set, serial));
        let key = RrKey::new(origin.clone(), RecordType::SOA);
        let set = sets.get(&key).ok_or("there is no SOA record")?;
        let mut soa = set.records_without_rrsigs().next().cloned().ok_or("there is no SOA record")?;
        let RData::SOA(data) = &mut soa.data else { return Err("the SOA record is none".into()) };
        data.serial = serial;
        let mut set = RecordSet::new(soa.name.clone(), RecordType::SOA, serial);
        set.insert(soa.clone(), serial);
        sets.insert(key, set);
        let mut names = std::collections::BTreeSet::new();
        for key in sets.keys() {
            let mut name = key.name().clone();
            while name != origin && names.insert(name.clone()) {
                name = name.base_name();
            }
        }
        names.insert(origin.clone());
        Ok((origin, Zone { soa, sets, names }))
    }

    /// RFC 8482: one set is enough of an answer to ANY.
    fn any(&self, name: &LowerName) -> Vec<Record> {
        let kinds = [RecordType::A, RecordType::CNAME, RecordType::PTR, RecordType::TXT, RecordType::SOA, RecordType::NS];
        kinds.into_iter().map(|kind| self.records(name, kind)).find(|records| !records.is_empty()).unwrap_or_default()
    }

    fn records(&self, name: &LowerName, kind: RecordType) -> Vec<Record> {
        let set = self.sets.get(&RrKey::new(name.clone(), kind));
        set.map(|set| set.records_without_rrsigs().cloned().collect()).unwrap_or_default()
    }
}

/// Texts as they were written: hickory-proto 0.26 makes one character of the three digits of `\DDD`, each
/// in a byte of its own. Our master files have no other characters beyond ASCII.
fn with_bytes(set: &RecordSet, serial: u32) -> RecordSet {
    let byte = |c: char| match u32::from(c) {
        code @ ..0x80 => code,
        code => 100 * (code >> 16) + 10 * (code >> 8 & 0xff) + (code & 0xff),
    };
    let text = |text: &[u8]| String::from_utf8_lossy(text).chars().map(|c| u8::try_from(byte(c)).unwrap_or(b'?')).collect::<Vec<u8>>();
    let mut fixed = RecordSet::new(set.name().clone(), set.record_type(), serial);
    for record in set.records_without_rrsigs() {
        let mut record = record.clone();
        if let RData::TXT(data) = &mut record.data {
            let texts: Vec<Vec<u8>> = data.txt_data.iter().map(|one| text(one)).collect();
            *data = TXT::from_bytes(texts.iter().map(Vec::as_slice).collect());
        }
        fixed.insert(record, serial);
    }
    fixed
}

/// Answers one packet.
pub fn answer(request: &Request<'_>, tables: &Tables, zones: &Zones) -> Answer {
    let Ok(query) = Message::from_vec(request.packet) else { return unreadable(request.packet) };
    if query.metadata.message_type != MessageType::Query {
        return Answer::Silence;
    }
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    let recursion = may_recurse(request.peer, tables);
    reply.metadata.recursion_available = recursion;
    reply.add_queries(query.queries.iter().cloned());
    let code = match query.queries.as_slice() {
        _ if query.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
        _ if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) => ResponseCode::BADVERS,
        [question] => {
            let name = LowerName::new(question.name());
            match zones.find(&name) {
                Some(zone) => own(question, name, zone, zones, &mut reply),
                None if recursion && query.metadata.recursion_desired && question.query_class() == DNSClass::IN => return Answer::Forward,
                None => ResponseCode::Refused,
            }
        }
        _ => ResponseCode::FormErr,
    };
    reply.metadata.response_code = code;
    let outside = query.queries.first().filter(|_| recursion && query.metadata.recursion_desired).and_then(|asked| leads_out(asked, &reply, zones));
    let whole = finish(reply, &query, request.over_tcp);
    match (whole, outside) {
        (Answer::Reply(reply), Some(question)) => Answer::Chase { question, reply },
        (answer, _) => answer,
    }
}

/// The question about an alias's target that is not ours; stub resolvers do not ask it themselves.
fn leads_out(asked: &Query, reply: &Message, zones: &Zones) -> Option<Vec<u8>> {
    let RData::CNAME(target) = &reply.answers.last()?.data else { return None };
    let wants_alias = matches!(asked.query_type(), RecordType::CNAME | RecordType::ANY);
    if wants_alias || zones.find(&LowerName::new(&target.0)).is_some() {
        return None;
    }
    let mut question = Message::new(0, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(target.0.clone(), asked.query_type()));
    question.to_vec().ok()
}

/// Our reply with the alias, and behind it what a forwarder says of its target.
pub fn join(reply: &[u8], forwarded: &[u8]) -> Vec<u8> {
    let joined = || {
        let (mut ours, theirs) = (Message::from_vec(reply).ok()?, Message::from_vec(forwarded).ok()?);
        ours.metadata.response_code = theirs.metadata.response_code;
        ours.add_answers(theirs.answers);
        ours.to_vec().ok()
    };
    joined().unwrap_or_else(|| reply.to_vec())
}

/// Only the site's own networks, and this machine: an open resolver is a weapon.
pub(super) fn may_recurse(peer: Ipv4Addr, tables: &Tables) -> bool {
    !tables.forwards.is_empty() && (peer.is_loopback() || tables.network_of(peer).is_some())
}

/// A header that can be read gets a FORMERR, other noise nothing.
fn unreadable(packet: &[u8]) -> Answer {
    match packet {
        [high, low, flags, ..] if packet.len() >= 12 && flags & 0x80 == 0 => {
            let id = u16::from_be_bytes([*high, *low]);
            let reply = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
            reply.to_vec().map_or(Answer::Silence, Answer::Reply)
        }
        _ => Answer::Silence,
    }
}

/// A name in one of our zones, aliases followed as long as they stay with us.
fn own(question: &Query, name: LowerName, zone: &Zone, zones: &Zones, reply: &mut Message) -> ResponseCode {
    let kind = question.query_type();
    if question.query_class() != DNSClass::IN || matches!(kind, RecordType::AXFR | RecordType::IXFR) {
        return ResponseCode::Refused;
    }
    reply.metadata.authoritative = true;
    let (mut name, mut zone) = (name, zone);
    for _ in 0..CNAMES_MAX {
        let found = if kind == RecordType::ANY { zone.any(&name) } else { zone.records(&name, kind) };
        if !found.is_empty() {
            reply.add_answers(found);
            return ResponseCode::NoError;
        }
        let alias = zone.records(&name, RecordType::CNAME);
        let Some(RData::CNAME(target)) = alias.first().map(|record| record.data.clone()) else {
            let exists = zone.names.contains(&name);
            reply.add_authority(negative(zone));
            return if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        };
        reply.add_answers(alias);
        name = LowerName::new(&target.0);
        match zones.find(&name) {
            Some(next) => zone = next,
            None => return ResponseCode::NoError,
        }
    }
    ResponseCode::ServFail
}

/// The SOA with the time that a “no” may be kept (RFC 2308 §3).
fn negative(zone: &Zone) -> Record {
    let mut soa = zone.soa.clone();
    if let RData::SOA(data) = &soa.data {
        soa.ttl = soa.ttl.min(data.minimum);
    }
    soa
}

/// Bytes, cut and marked where they do not fit the client's UDP.
pub(super) fn finish(mut reply: Message, query: &Message, over_tcp: bool) -> Answer {
    if let Some(edns) = &query.edns {
        let mut ours = Edns::new();
        ours.set_max_payload(UDP_BYTES_MAX).set_version(0);
        ours.set_dnssec_ok(edns.flags().dnssec_ok);
        reply.set_edns(ours);
    }
    let limit = query.edns.as_ref().map_or(UDP_BYTES_PLAIN, |edns| edns.max_payload().clamp(UDP_BYTES_PLAIN, UDP_BYTES_MAX));
    let Ok(bytes) = reply.to_vec() else { return Answer::Silence };
    if over_tcp || bytes.len() <= usize::from(limit) {
        return Answer::Reply(bytes);
    }
    reply.truncate().to_vec().map_or(Answer::Silence, Answer::Reply)
}

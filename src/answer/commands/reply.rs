//! What was decided → a DNS message whose records nobody keeps.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};

use super::super::dns::{Answer, Request, Zones, finish, may_recurse};
use crate::out::table::Tables;

/// The most that one string of a TXT record holds, in bytes (RFC 1035 §3.3).
const STRING_BYTES_MAX: usize = 255;

/// What is said of a name.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// An address, and the same in words; `alias` is a label before the name, and the name by which
    /// programs show what they reach.
    Words {
        alias: Option<String>,
        address: Ipv4Addr,
        words: String,
    },
    /// There is such a name, without records.
    Bare,
    /// There is no such name.
    Nothing,
    Refused,
    /// Ask again over TCP, which nobody does in another's name.
    ByTcp,
}

pub(super) fn reply(said: &Said, query: &Message, request: &Request<'_>, tables: &Tables, zones: &Zones) -> Option<Vec<u8>> {
    let question = query.queries.first()?;
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = may_recurse(request.peer, tables);
    reply.metadata.authoritative = *said != Said::Refused;
    reply.metadata.truncation = *said == Said::ByTcp;
    reply.add_query(question.clone());
    reply.metadata.response_code = match said {
        Said::Refused => ResponseCode::Refused,
        Said::Nothing => ResponseCode::NXDomain,
        Said::Words { .. } | Said::Bare | Said::ByTcp => ResponseCode::NoError,
    };
    if let Said::Words { alias, address, words } = said {
        reply.add_answers(records(question.name(), question.query_type(), alias.as_deref(), *address, words)?);
    }
    let kept = reply.answers.iter().any(|record| record.record_type() != RecordType::CNAME);
    let denies = matches!(said, Said::Words { .. } | Said::Bare | Said::Nothing) && question.query_type() != RecordType::CNAME;
    if denies && !kept {
        reply.add_authorities(zones.fleeting(&LowerName::new(question.name())));
    }
    match finish(reply, query, request.over_tcp) {
        Answer::Reply(bytes) => Some(bytes),
        Answer::Forward | Answer::Chase { .. } | Answer::Silence => None,
    }
}

fn records(name: &Name, kind: RecordType, alias: Option<&str>, address: Ipv4Addr, words: &str) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut owner = name.clone();
    if let Some(label) = alias {
        let target = name.prepend_label(label).ok()?;
        records.push(Record::from_rdata(owner, 0, RData::CNAME(CNAME(target.clone()))));
        owner = target;
    }
    if matches!(kind, RecordType::A | RecordType::ANY) {
        records.push(Record::from_rdata(owner, 0, RData::A(address.into())));
    } else if kind == RecordType::TXT {
        let strings: Vec<&[u8]> = words.as_bytes().chunks(STRING_BYTES_MAX).collect();
        records.push(Record::from_rdata(owner, 0, RData::TXT(TXT::from_bytes(strings))));
    }
    Some(records)
}

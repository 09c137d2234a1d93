//! Asks forwarders about names that are not ours, one after the other.
//!
//! Each question leaves from a fresh port with a fresh random id, and only a reply from the asked server
//! with that id and the same question counts (RFC 5452).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

/// How many questions wait at once; beyond them clients hear SERVFAIL.
const WAITING_MAX: usize = 512;
/// How long one forwarder may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest reply over UDP that we take, in bytes.
const REPLY_BYTES_MAX: usize = 4096;
const PORT: u16 = 53;
/// The header, in bytes; the question follows it.
const HEADER_BYTES: usize = 12;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;

pub(super) struct Forwarder {
    permits: Semaphore,
}

impl Default for Forwarder {
    fn default() -> Self {
        Forwarder { permits: Semaphore::new(WAITING_MAX) }
    }
}

impl Forwarder {
    /// The reply for the client: the first forwarder's that answers, or SERVFAIL.
    pub(super) async fn ask(&self, question: &[u8], forwarders: &[Ipv4Addr], over_tcp: bool) -> Vec<u8> {
        let Ok(_permit) = self.permits.try_acquire() else { return failure(question) };
        for forwarder in forwarders {
            let asked = async { if over_tcp { by_tcp(question, *forwarder).await } else { by_udp(question, *forwarder).await } };
            match timeout(PATIENCE, asked).await {
                Ok(Ok(reply)) if !has_failed(&reply) => return reply,
                Ok(Ok(_)) => debug!("forwarder {forwarder}: cannot or will not answer"),
                Ok(Err(error)) => debug!("forwarder {forwarder}: {error}"),
                Err(_) => debug!("forwarder {forwarder}: no answer in {} s", PATIENCE.as_secs()),
            }
        }
        failure(question)
    }
}

async fn by_udp(question: &[u8], forwarder: Ipv4Addr) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(SocketAddrV4::new(forwarder, PORT)).await?;
    let asked = with_id(question, random_id()?);
    socket.send(&asked).await?;
    let mut buffer = vec![0; REPLY_BYTES_MAX];
    loop {
        let len = socket.recv(&mut buffer).await?;
        let reply = buffer.get(..len).unwrap_or_default();
        if answers(reply, &asked) {
            return Ok(with_id(reply, id_of(question)));
        }
    }
}

async fn by_tcp(question: &[u8], forwarder: Ipv4Addr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(SocketAddrV4::new(forwarder, PORT)).await?;
    let asked = with_id(question, random_id()?);
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &asked].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    match answers(&reply, &asked) {
        true => Ok(with_id(&reply, id_of(question))),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is to another question")),
    }
}

/// SERVFAIL or REFUSED: another forwarder may know better.
fn has_failed(reply: &[u8]) -> bool {
    reply.get(3).is_some_and(|byte| matches!(byte & 0x0f, SERVFAIL | REFUSED))
}

fn random_id() -> io::Result<[u8; 2]> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    Ok(id)
}

fn id_of(packet: &[u8]) -> [u8; 2] {
    packet.first_chunk().copied().unwrap_or_default()
}

fn with_id(packet: &[u8], id: [u8; 2]) -> Vec<u8> {
    [&id[..], packet.get(2..).unwrap_or_default()].concat()
}

/// The name, type and class that a packet asks about.
fn question_of(packet: &[u8]) -> Option<&[u8]> {
    let rest = packet.get(HEADER_BYTES..)?;
    let mut end = 0;
    while *rest.get(end)? != 0 {
        end += 1 + usize::from(*rest.get(end)?);
    }
    rest.get(..end + 5)
}

/// Is it a reply with the same id and question (letters of either case)?
fn answers(reply: &[u8], asked: &[u8]) -> bool {
    let same = question_of(reply).zip(question_of(asked)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    reply.get(2).is_some_and(|flags| flags & 0x80 != 0) && id_of(reply) == id_of(asked) && same
}

/// The question back, marked as a reply that failed.
fn failure(question: &[u8]) -> Vec<u8> {
    let end = HEADER_BYTES + question_of(question).map_or(0, <[u8]>::len);
    let mut reply = question.get(..end).unwrap_or_default().to_vec();
    if let [_, _, flags, code, _, one, counts @ ..] = reply.as_mut_slice() {
        *flags = (*flags & 0x01) | 0x80;
        *code = 0x80 | SERVFAIL;
        *one = 1;
        counts.iter_mut().take(6).for_each(|count| *count = 0);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a. IN A`, recursion desired, with an EDNS record behind it.
    const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x01a\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";

    #[test]
    fn only_the_reply_to_our_question_counts() {
        let mut reply = QUESTION.to_vec();
        reply[2] |= 0x80;
        assert!(answers(&reply, QUESTION));
        assert!(!answers(QUESTION, QUESTION), "a question is no reply");
        assert!(!answers(&with_id(&reply, [9, 9]), QUESTION));
        reply[13] = b'b';
        assert!(!answers(&reply, QUESTION));
        assert!(!answers(b"\x12\x34\x80", QUESTION));
    }

    #[test]
    fn a_failure_repeats_the_question_alone() {
        let reply = failure(QUESTION);
        assert_eq!(reply, b"\x12\x34\x81\x82\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01");
        assert!(failure(b"x").len() <= 1);
    }
}

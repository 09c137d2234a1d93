//! Pings: one raw socket for all hosts, each answer known by what we sent with the question.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// RFC 792.
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const HEADER_BYTES: usize = 8;
/// A key of this process, and the number of the question.
const PAYLOAD_BYTES: usize = 16;
/// Larger than any answer to what we send.
const BUFFER_BYTES: usize = 512;

pub(super) struct Pinger {
    socket: UdpSocket,
    /// Raw sockets give the IP header too.
    is_raw: bool,
    key: [u8; 8],
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    questions: BTreeMap<u64, (Ipv4Addr, oneshot::Sender<()>)>,
}

impl Pinger {
    /// With the socket that was opened as root, or with one that the system gives to everybody
    /// (`net.ipv4.ping_group_range`). It must be made within the runtime.
    pub(super) fn new(raw: Option<&OwnedFd>) -> io::Result<Pinger> {
        let socket = match raw {
            Some(raw) => Socket::from(raw.try_clone()?),
            None => Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?,
        };
        socket.set_nonblocking(true)?;
        // To the system it is a socket of datagrams like that of UDP, and tokio needs no more.
        let socket = UdpSocket::from_std(std::net::UdpSocket::from(OwnedFd::from(socket)))?;
        let mut key = [0; 8];
        rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
        Ok(Pinger { socket, is_raw: raw.is_some(), key, waiting: Mutex::default() })
    }

    /// Milliseconds, or why there is no answer.
    pub(super) async fn ping(&self, to: Ipv4Addr) -> Result<f64, String> {
        let (number, answer) = self.with(|waiting| {
            let (sender, answer) = oneshot::channel();
            waiting.next += 1;
            waiting.questions.insert(waiting.next, (to, sender));
            (waiting.next, answer)
        });
        let begun = Instant::now();
        let sent = self.send(to, number).await;
        let answered = match sent {
            Ok(()) => tokio::time::timeout(TIMEOUT, answer).await.is_ok_and(|answer| answer.is_ok()),
            Err(_) => false,
        };
        self.with(|waiting| waiting.questions.remove(&number));
        match sent {
            Err(error) => Err(no_way(&error)),
            Ok(()) if answered => Ok(begun.elapsed().as_secs_f64() * 1000.0),
            Ok(()) => Err(format!("no answer to a ping within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn send(&self, to: Ipv4Addr, number: u64) -> io::Result<()> {
        let packet = question(&self.key, number);
        self.socket.send_to(&packet, SocketAddrV4::new(to, 0)).await.map(drop)
    }

    /// Hears answers until the socket fails.
    pub(super) async fn listen(self: Arc<Self>) -> io::Result<()> {
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer).await {
                Ok((length, SocketAddr::V4(from))) => (length, *from.ip()),
                Ok((_, SocketAddr::V6(_))) => continue,
                // What an ICMP error left on the socket is about one question, which times out.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(number) = answer(buffer.get(..length).unwrap_or_default(), self.is_raw, &self.key) else { continue };
            let found = self.with(|waiting| match waiting.questions.get(&number) {
                Some((asked, _)) if from == *asked => waiting.questions.remove(&number),
                Some(_) | None => None,
            });
            found.into_iter().for_each(|(_, sender)| {
                let _it_gave_up_already = sender.send(());
            });
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Waiting) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why nothing could be sent.
pub(super) fn no_way(error: &io::Error) -> String {
    let kind = error.kind();
    if kind == ErrorKind::NetworkUnreachable {
        "this boot server has no way to it: no interface is up that leads there".to_owned()
    } else if kind == ErrorKind::HostUnreachable {
        "nobody answers for this address".to_owned()
    } else {
        error.to_string()
    }
}

fn question(key: &[u8; 8], number: u64) -> Vec<u8> {
    let [high, low] = u16::try_from(number & 0xffff).unwrap_or_default().to_be_bytes();
    let [first, second, ..] = key;
    let mut packet = vec![ECHO, 0, 0, 0, *first, *second, high, low];
    packet.extend_from_slice(key);
    packet.extend_from_slice(&number.to_be_bytes());
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(2..4, sum);
    packet
}

/// Which question is answered; `None` for whatever else comes to a raw socket.
fn answer(packet: &[u8], is_raw: bool, key: &[u8; 8]) -> Option<u64> {
    let header = if is_raw { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
    let message = packet.get(header..)?;
    let payload = message.get(HEADER_BYTES..HEADER_BYTES + PAYLOAD_BYTES)?;
    let (own, number) = payload.split_at_checked(8)?;
    let is_ours = message.first() == Some(&ECHO_REPLY) && own == key;
    is_ours.then(|| number.try_into().ok().map(u64::from_be_bytes))?
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet
        .chunks(2)
        .map(|pair| u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let key = *b"pxelator";
        let asked = question(&key, 70_000);
        assert_eq!(checksum(&asked), 0, "a sum over its own sum is none");
        assert_eq!(answer(&asked, false, &key), None, "a question is no answer");
        let reply: Vec<u8> = [&[ECHO_REPLY], asked.get(1..).unwrap()].concat();
        assert_eq!(answer(&reply, false, &key), Some(70_000));
        assert_eq!(answer(&reply, false, b"somebody"), None);
        let header = [[0x45, 0, 0, 0], [0; 4], [0; 4], [10, 0, 0, 9], [10, 0, 0, 1]].concat();
        assert_eq!(answer(&[header, reply].concat(), true, &key), Some(70_000));
        for length in 0..20 {
            assert_eq!(answer(&vec![0x4f; length], true, &key), None);
        }
    }
}

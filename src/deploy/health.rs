//! Asking the server: has it taken a generation over, and does it answer from it?

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use super::folder::Store;
use super::survey;
use crate::out::table::Tables;
use crate::store::serials;
use crate::store::serving::Serving;
use crate::terminal::chain;

/// How often the server's own word is read.
const LOOK: Duration = Duration::from_millis(50);
/// How long one question waits before it is asked again.
const ROUND: Duration = Duration::from_millis(500);
/// The most that a menu may have, in bytes.
const MENU_BYTES_MAX: u64 = 16 << 20;

/// Where and how long to ask.
pub(super) struct Health<'a> {
    pub(super) store: &'a Store,
    pub(super) state: &'a Path,
    pub(super) patience: Duration,
}

impl Health<'_> {
    /// The server reads this number now; or why not.
    pub(super) fn taken_over(&self, number: u64) -> Result<Serving, String> {
        let deadline = Instant::now() + self.patience;
        let folder = self.store.out(number).canonicalize().map_err(|error| error.to_string())?;
        loop {
            let serving = survey::server(self.store, self.state).map_err(|error| chain(&error))??;
            match &serving.refused {
                Some(refused) if refused.folder == folder => return Err(format!("the server refuses it: {}", refused.why)),
                None if serving.folder == folder => return Ok(serving),
                Some(_) | None => {}
            }
            if Instant::now() > deadline {
                let (pid, secs) = (serving.pid, self.patience.as_secs());
                return Err(format!("the server (process {pid}) has not taken it over within {secs} s (--patience)"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// It has been taken over, every zone is answered with its serial, and a menu comes as it was built.
    pub(super) fn check(&self, number: u64, tables: &Tables) -> Result<(), String> {
        let serving = self.taken_over(number)?;
        let deadline = Instant::now() + self.patience;
        let serials = serials::read(self.state).map_err(|error| chain(&error))?;
        let at = |port| SocketAddrV4::new(serving.address, port);
        for zone in tables.zones.keys() {
            let expected = serials.get(zone).map_or(0, |serial| serial.serial);
            let found = insist(deadline, || serial(zone, at(serving.dns), deadline))
                .map_err(|error| format!("DNS at {} does not answer for {zone}: {error}", at(serving.dns)))?;
            if found != Some(expected) {
                let found = found.map_or("no SOA record".to_owned(), |found| format!("serial {found}"));
                return Err(format!("DNS at {} answers for {zone} with {found}, and not with {expected}", at(serving.dns)));
            }
        }
        let Some((name, menu)) = tables.menus.iter().next() else { return Ok(()) };
        let path = format!("menus/{name}");
        for (service, port, fetch) in [("TFTP", serving.tftp, tftp as Fetch), ("HTTP", serving.http, http as Fetch)] {
            let found = insist(deadline, || fetch(&path, at(port), deadline));
            let found = found.map_err(|error| format!("{service} at {} does not give {path}: {error}", at(port)))?;
            if found != *menu {
                return Err(format!("{service} at {} gives another {path} than was built", at(port)));
            }
        }
        Ok(())
    }
}

type Fetch = fn(&str, SocketAddrV4, Instant) -> std::io::Result<Vec<u8>>;

/// Again and again until it answers, or the patience is over; gives the last error.
fn insist<T>(deadline: Instant, mut ask: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match ask() {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(LOOK),
            answered => return answered,
        }
    }
}

/// How long the next read may wait: a round, and never beyond the deadline. A server that sends on and on
/// keeps nobody here.
fn rest(deadline: Instant) -> std::io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now()).min(ROUND);
    if left.is_zero() {
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "it took too long (--patience)"))
    } else {
        Ok(left)
    }
}

/// What the system calls "temporarily unavailable" is a server that was asked and said nothing.
fn silent(error: std::io::Error) -> std::io::Error {
    let silent = error.kind() == std::io::ErrorKind::WouldBlock;
    if silent { std::io::Error::new(std::io::ErrorKind::TimedOut, "it was asked and says nothing") } else { error }
}

fn socket(to: SocketAddrV4, deadline: Instant) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(rest(deadline)?))?;
    socket.connect(to)?;
    Ok(socket)
}

/// The serial in the SOA record of a zone.
fn serial(zone: &str, to: SocketAddrV4, deadline: Instant) -> std::io::Result<Option<u32>> {
    let socket = socket(to, deadline)?;
    let mut question = Message::new(std::process::id() as u16, MessageType::Query, OpCode::Query);
    let name = Name::from_ascii(format!("{zone}.")).map_err(std::io::Error::other)?;
    question.add_query(Query::query(name, RecordType::SOA));
    socket.send(&question.to_vec().map_err(std::io::Error::other)?)?;
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).map_err(silent)?;
    let answer = Message::from_vec(buffer.get(..len).unwrap_or_default()).map_err(std::io::Error::other)?;
    let soa = answer.answers.iter().find_map(|record| if let RData::SOA(soa) = &record.data { Some(soa.serial) } else { None });
    Ok(soa)
}

/// A file by TFTP (RFC 1350), in blocks of 512 bytes.
fn tftp(path: &str, to: SocketAddrV4, deadline: Instant) -> std::io::Result<Vec<u8>> {
    const BLOCK_BYTES: usize = 512;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(&[b"\0\x01", path.as_bytes(), b"\0octet\0"].concat(), to)?;
    let (mut file, mut block, mut buffer) = (Vec::new(), 1_u16, [0; 4 + BLOCK_BYTES]);
    loop {
        socket.set_read_timeout(Some(rest(deadline)?))?;
        let (len, from) = socket.recv_from(&mut buffer).map_err(silent)?;
        match buffer.get(..len).unwrap_or_default() {
            [0, 3, high, low, data @ ..] if u16::from_be_bytes([*high, *low]) == block => {
                file.extend_from_slice(data);
                if file.len() as u64 > MENU_BYTES_MAX {
                    return Err(std::io::Error::other(too_large()));
                }
                socket.send_to(&[0, 4, *high, *low], from)?;
                if data.len() < BLOCK_BYTES {
                    return Ok(file);
                }
                block = block.wrapping_add(1);
            }
            [0, 5, _, _, text @ ..] => {
                return Err(std::io::Error::other(
                    String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text)).into_owned(),
                ));
            }
            _ => {} // a block that came twice
        }
    }
}

/// A file by HTTP.
fn http(path: &str, to: SocketAddrV4, deadline: Instant) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::V4(to), rest(deadline)?)?;
    stream.set_write_timeout(Some(ROUND))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 64 << 10]);
    loop {
        stream.set_read_timeout(Some(rest(deadline)?))?;
        let len = stream.read(&mut buffer).map_err(silent)?;
        bytes.extend_from_slice(buffer.get(..len).unwrap_or_default());
        if bytes.len() as u64 > MENU_BYTES_MAX {
            return Err(std::io::Error::other(too_large()));
        }
        if len == 0 {
            break;
        }
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let body = bytes.split_off(end + 4);
    let status = String::from_utf8_lossy(&bytes).split("\r\n").next().unwrap_or_default().to_owned();
    if status.starts_with("HTTP/1.1 200") { Ok(body) } else { Err(std::io::Error::other(status)) }
}

fn too_large() -> String {
    format!("it has more than {} MiB, which no menu has", MENU_BYTES_MAX >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a fetch says of a server that sends this to whoever asked, on and on.
    fn asked(reply: impl Fn(u16) -> Vec<u8> + Send + 'static) -> String {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(at) = server.local_addr().unwrap() else { unreachable!("bound to IPv4") };
        std::thread::spawn(move || {
            let (_, from) = server.recv_from(&mut [0; 600]).unwrap();
            for number in (1..=u16::MAX).chain(std::iter::once(0)).cycle() {
                if server.send_to(&reply(number), from).is_err() || server.recv_from(&mut [0; 600]).is_err() {
                    return;
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(20);
        tftp("menus/a", at, deadline).unwrap_err().to_string()
    }

    #[test]
    fn a_file_without_an_end_is_not_read_to_its_end() {
        let block = |number: u16| [&[0, 3][..], &number.to_be_bytes(), &[b'x'; 512]].concat();
        assert_eq!(asked(block), "it has more than 16 MiB, which no menu has");
    }

    #[test]
    fn datagrams_that_mean_nothing_do_not_keep_a_deploy() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(at) = server.local_addr().unwrap() else { unreachable!("bound to IPv4") };
        std::thread::spawn(move || {
            let (_, from) = server.recv_from(&mut [0; 600]).unwrap();
            loop {
                let _until_the_test_ends = server.send_to(&[0, 3, 9, 9, 1], from);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let error = tftp("menus/a", at, Instant::now() + Duration::from_millis(700)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    }
}

//! Asks hosts: each question has its own limit of time, and many are asked side by side.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use nix::net::if_::InterfaceFlags;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tracing::warn;
use ureq::tls::{RootCerts, TlsConfig};

use super::judge::Found;
use super::ping::{Pinger, no_way};
use super::plan::Probe;
use crate::operate::audit::trust;
use crate::terminal::{chain, escaped};

const TCP_TIMEOUT: Duration = Duration::from_secs(3);
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
const DNS_TIMEOUT: Duration = Duration::from_secs(3);
const DNS_PORT: u16 = 53;
const DNS_BYTES_MAX: usize = 4096;
/// How many are asked at once, each of which has a descriptor of its own.
const SOCKETS_MAX: usize = 256;
/// How many pages are asked for at once: each has a thread.
pub(super) const PAGES_MAX: usize = 32;

pub(super) struct Prober {
    /// Why nobody can be pinged, where that is so.
    pinger: Result<Arc<Pinger>, String>,
    sockets: Semaphore,
    pages: Semaphore,
}

impl Prober {
    /// Within the runtime that asks.
    pub(super) fn new(raw: Option<&OwnedFd>) -> Prober {
        let pinger = Pinger::new(raw).map(Arc::new).map_err(|error| {
            format!("this server may not ping ({error}): begin it as root (--user drops the rights afterwards), or give it CAP_NET_RAW")
        });
        match &pinger {
            Ok(pinger) => {
                let listening = pinger.clone().listen();
                tokio::spawn(async move {
                    if let Err(error) = listening.await {
                        warn!("monitor: the socket of pings fails: {error}");
                    }
                });
            }
            Err(why) => warn!("monitor: {why}"),
        }
        Prober { pinger, sockets: Semaphore::new(SOCKETS_MAX), pages: Semaphore::new(PAGES_MAX) }
    }

    pub(super) async fn ask(&self, probe: &Probe) -> Found {
        let begun = Instant::now();
        let answered = match probe {
            Probe::Ping(address) => match &self.pinger {
                Ok(pinger) => pinger.ping(*address).await,
                Err(why) => return Found::Unable { why: why.clone() },
            },
            Probe::Tcp(address, port) => {
                let _turn = self.sockets.acquire().await;
                timed(tcp(*address, *port)).await
            }
            Probe::Http(url) => {
                let _turn = self.pages.acquire().await;
                let url = url.clone();
                let asked = tokio::task::spawn_blocking(move || page(&url)).await;
                asked.unwrap_or_else(|error| Err(error.to_string()))
            }
            Probe::Dns(address, name) => {
                let _turn = self.sockets.acquire().await;
                timed(dns(*address, name)).await
            }
            Probe::Link(first, mask) => link(*first, *mask).map(|()| begun.elapsed().as_secs_f64() * 1000.0),
        };
        answered.map_or_else(|why| Found::Bad { why }, |millis| Found::Good { millis })
    }
}

/// The time from here on: whoever waited for a turn did not wait for the host.
async fn timed(asked: impl Future<Output = Result<(), String>>) -> Result<f64, String> {
    let begun = Instant::now();
    asked.await.map(|()| begun.elapsed().as_secs_f64() * 1000.0)
}

async fn tcp(address: Ipv4Addr, port: u16) -> Result<(), String> {
    match tokio::time::timeout(TCP_TIMEOUT, TcpStream::connect(SocketAddrV4::new(address, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(format!("nothing listens on port {port}")),
        Ok(Err(error)) => Err(no_way(&error)),
        Err(_) => Err(format!("port {port} does not answer within {} s", TCP_TIMEOUT.as_secs())),
    }
}

/// A status below 400 is good, also one that leads elsewhere: the page is there.
fn page(url: &str) -> Result<f64, String> {
    let begun = Instant::now();
    let roots = if url.starts_with("https:") { trust::roots() } else { RootCerts::WebPki };
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(HTTP_TIMEOUT))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent("pxelator")
        .build();
    match ureq::Agent::from(config).get(url).call() {
        Ok(answer) if answer.status().as_u16() < 400 => Ok(begun.elapsed().as_secs_f64() * 1000.0),
        Ok(answer) => Err(format!("{url} answers {}", answer.status().as_u16())),
        Err(error) => Err(no_page(url, &error)),
    }
}

/// Why HTTP came to nothing, for checks and for webhooks.
pub(super) fn no_page(url: &str, error: &ureq::Error) -> String {
    if let Some(why) = trust::refused(error) {
        return format!("{url}: {why}");
    }
    let kind = if let ureq::Error::Io(error) = error { error.kind() } else { ErrorKind::Other };
    let is_timeout = kind == ErrorKind::TimedOut || matches!(error, ureq::Error::Timeout(_));
    if kind == ErrorKind::ConnectionRefused || matches!(error, ureq::Error::ConnectionFailed) {
        format!("{url}: nobody listens there")
    } else if is_timeout {
        format!("{url} does not answer in time")
    } else if matches!(error, ureq::Error::HostNotFound) {
        format!("{url}: no such name")
    } else {
        format!("{url}: {}", escaped(&chain(error)))
    }
}

async fn dns(address: Ipv4Addr, name: &str) -> Result<(), String> {
    let asked = async {
        let mut id = [0; 2];
        rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).map_err(std::io::Error::from)?;
        let id = u16::from_be_bytes(id);
        let question = question(id, name).map_err(std::io::Error::other)?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(SocketAddrV4::new(address, DNS_PORT)).await?;
        socket.send(&question).await?;
        let mut buffer = vec![0; DNS_BYTES_MAX];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let reply = Message::from_vec(buffer.get(..length).unwrap_or_default());
            if let Ok(reply) = reply
                && reply.metadata.id == id
                && reply.metadata.message_type == MessageType::Response
            {
                return Ok::<_, std::io::Error>((reply.metadata.response_code, reply.answers.len()));
            }
        }
    };
    match tokio::time::timeout(DNS_TIMEOUT, asked).await {
        Ok(Ok((ResponseCode::NoError, 1..))) => Ok(()),
        Ok(Ok((ResponseCode::NoError, _))) => Err(format!("it knows no address of {name}")),
        Ok(Ok((code, _))) => Err(format!("it answers {code} to the question for {name}")),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(format!("nothing listens on port {DNS_PORT}")),
        Ok(Err(error)) => Err(no_way(&error)),
        Err(_) => Err(format!("no answer to the question for {name} within {} s", DNS_TIMEOUT.as_secs())),
    }
}

fn question(id: u16, name: &str) -> Result<Vec<u8>, hickory_proto::ProtoError> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name)?, RecordType::A));
    message.to_vec()
}

/// Is an interface up, with a cable in it, that has an address in this network? A machine that has none there
/// reaches it in another way, of which nothing is known.
fn link(first: Ipv4Addr, mask: Ipv4Addr) -> Result<(), String> {
    let all = nix::ifaddrs::getifaddrs().map_err(|errno| format!("cannot list this machine's interfaces: {errno}"))?;
    let mut found = None;
    for interface in all {
        let Some(address) = interface.address.as_ref().and_then(|address| address.as_sockaddr_in()).map(|address| address.ip())
        else {
            continue;
        };
        if u32::from(address) & u32::from(mask) != u32::from(first) {
            continue;
        }
        if interface.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING) {
            return Ok(());
        }
        let what = if interface.flags.contains(InterfaceFlags::IFF_UP) {
            "has no carrier: look at its cable and its switch"
        } else {
            "is down"
        };
        found = Some(format!("interface {} of this boot server {what}", interface.interface_name));
    }
    found.map_or(Ok(()), Err)
}

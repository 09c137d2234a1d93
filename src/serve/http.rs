//! The HTTP service: hyper speaks the protocol, `answer` decides, files go out in pieces.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::files::Reader;
use super::peers::Peers;
use super::{Error, Running, Shared};
use crate::answer::Content;
use crate::answer::http::{Request, answer};

/// How many connections are open at once.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for its headers, in seconds.
const HEADER_SECS: u64 = 30;
/// How long a client may leave what we sent unread, in seconds.
const STALLED_SECS: u64 = 60;
/// The size of a piece of a file, in bytes, and how many may wait for a slow client.
const PIECE_BYTES: u64 = 256 << 10;
const PIECES_WAITING: usize = 4;

type Body = BoxBody<Bytes, std::io::Error>;

pub(super) fn start(shared: &Arc<Shared>, address: SocketAddrV4) -> Result<Running, Error> {
    let failed = |error| Error::bind("HTTP", "TCP", address, error);
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let shared = shared.clone();
    Ok(Box::pin(async move { run(listener, shared).await }))
}

async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let peers = Peers::default();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = match peer.ip() {
                    IpAddr::V4(address) => address,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                // One that holds too many connections finds this one closed.
                let Some(held) = peers.hold(peer) else { continue };
                let shared = shared.clone();
                tokio::task::spawn_local(async move {
                    connection(stream, peer, shared).await;
                    drop((permit, held));
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: a moment later some are free.
                warn!("HTTP: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Ipv4Addr, shared: Arc<Shared>) {
    let _small_answers_at_once = stream.set_nodelay(true);
    // A client that reads nothing any more is let go by the kernel.
    let _as_long_as_it_likes = SockRef::from(&stream).set_tcp_user_timeout(Some(Duration::from_secs(STALLED_SECS)));
    let service = service_fn(|request| respond(request, peer, &shared));
    let mut protocol = hyper::server::conn::http1::Builder::new();
    let protocol = protocol.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEADER_SECS));
    if let Err(error) = protocol.serve_connection(TokioIo::new(stream), service).await {
        debug!("HTTP to {peer}: {error}");
    }
}

async fn respond(
    request: hyper::Request<Incoming>,
    peer: Ipv4Addr,
    shared: &Shared,
) -> Result<hyper::Response<Body>, Infallible> {
    shared.counts.add("HTTP", 1);
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let answer = answer(
        &Request {
            method: request.method().as_str(),
            target,
            range: header(RANGE),
            if_range: header(IF_RANGE),
            if_none_match: header(IF_NONE_MATCH),
            peer,
        },
        &shared.world().tables,
    );
    shared.record(vec![answer.event]).await;
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match answer.body {
        None => Ok(empty()),
        Some((Content::Bytes(bytes), range)) => {
            Ok(whole(bytes.get(range.start as usize..range.end as usize).unwrap_or_default()))
        }
        Some((content, range)) => Reader::open(content).await.map(|reader| pieces(reader, range)),
    };
    let made = body.map_err(|error| {
        warn!("HTTP to {peer}: {error}");
    });
    let response = made.ok().and_then(|body| response.body(body).ok());
    Ok(response.unwrap_or_else(unreadable))
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn whole(bytes: &[u8]) -> Body {
    Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}).boxed()
}

/// A pinned file that is missing, or not the pinned one.
fn unreadable() -> hyper::Response<Body> {
    let mut response = hyper::Response::new(whole(b"the server cannot read this file; its log says why\n"));
    *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// A body that is read while it is sent.
fn pieces(mut reader: Reader, range: std::ops::Range<u64>) -> Body {
    let (mut sender, body) = Channel::new(PIECES_WAITING);
    tokio::task::spawn_local(async move {
        let mut at = range.start;
        while at < range.end {
            let end = (at + PIECE_BYTES).min(range.end);
            match reader.read(at..end).await {
                Ok(bytes) => {
                    if sender.send_data(Bytes::copy_from_slice(bytes)).await.is_err() {
                        return; // the client went away
                    }
                }
                Err(error) => {
                    warn!("HTTP: {error}");
                    sender.abort(error);
                    return;
                }
            }
            at = end;
        }
    });
    body.boxed()
}

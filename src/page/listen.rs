//! The sockets of the page, their limits, and the stream of news.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Full};
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use super::Page;
use super::guard::{self, HEADERS, Refusal};
use super::route::Route;
use super::views::{self, Answer};
use crate::serve::peers::Peers;
use crate::terminal::chain;

/// How many connections are open at once, and how many of them are streams of news.
const CONNECTIONS_MAX: usize = 256;
const STREAMS_MAX: usize = 64;
/// How many pages are made at once: each may read the disk.
pub(super) const WORK_MAX: usize = 4;
/// How long a browser may take for its headers, and how many bytes they may have.
const HEADER_SECS: u64 = 10;
const HEADER_BYTES_MAX: usize = 16 << 10;
/// How long a browser may leave what we sent unread, in seconds.
const STALLED_SECS: u64 = 30;
/// News are told once in this time at most, and that there are none after that one.
const NEWS_EVERY: Duration = Duration::from_millis(500);
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// Pieces of a stream that may wait for a browser; one that leaves them is let go, and comes again by itself.
const PIECES_WAITING: usize = 4;

const STYLE: &[u8] = include_bytes!("style.css");
const SCRIPT: &[u8] = include_bytes!("live.js");
const ICON: &[u8] = include_bytes!("icon.svg");

type Body = BoxBody<Bytes, Infallible>;

/// What connections share.
#[derive(Clone)]
struct Shared {
    page: Arc<Page>,
    work: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

pub(super) async fn run(listener: TcpListener, page: Arc<Page>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let peers = Peers::default();
    let shared = Shared { page, work: Arc::new(Semaphore::new(WORK_MAX)), streams: Arc::new(Semaphore::new(STREAMS_MAX)) };
    // Connections end with their listener.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = match peer.ip() {
                    IpAddr::V4(address) => address,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                // One that holds too many connections finds this one closed.
                let Some(held) = peers.hold(peer) else { continue };
                let shared = shared.clone();
                connections.spawn_local(async move {
                    connection(stream, peer, shared).await;
                    drop((permit, held));
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: a moment later some are free.
                warn!("page: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Ipv4Addr, shared: Shared) {
    let _small_answers_at_once = stream.set_nodelay(true);
    // A browser that reads nothing any more is let go by the kernel.
    let _as_long_as_it_likes = SockRef::from(&stream).set_tcp_user_timeout(Some(Duration::from_secs(STALLED_SECS)));
    let service = service_fn(|request| respond(request, peer, &shared));
    let mut protocol = hyper::server::conn::http1::Builder::new();
    let protocol =
        protocol.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEADER_SECS)).max_buf_size(HEADER_BYTES_MAX);
    if let Err(error) = protocol.serve_connection(TokioIo::new(stream), service).await {
        debug!("page to {peer}: {error}");
    }
}

async fn respond(request: hyper::Request<Incoming>, peer: Ipv4Addr, shared: &Shared) -> Result<Response<Body>, Infallible> {
    let page = &shared.page;
    let Some(row) = page.row() else {
        let text = "The generation that is served has no `page`.".to_owned();
        return Ok(plain(&Refusal { status: 503, title: "There is no page", text }));
    };
    let (headers, method) = (request.headers(), request.method().as_str());
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    if let Err(refusal) = guard::check(method, host, peer, &row, &page.tables()) {
        return Ok(plain(&refusal));
    }
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let route = Route::parse(request.uri().path(), request.uri().query());
    Ok(match &route {
        Route::Style => asset("text/css; charset=utf-8", STYLE, known),
        Route::Script => asset("text/javascript; charset=utf-8", SCRIPT, known),
        Route::Icon => asset("image/svg+xml", ICON, known),
        Route::Health => answer(Answer::text(200, "ok\n")),
        Route::Events => match shared.streams.clone().try_acquire_owned() {
            Ok(permit) => stream(page, permit),
            Err(_) => plain(&Refusal {
                status: 503,
                title: "Too many browsers",
                text: format!("{STREAMS_MAX} browsers listen already."),
            }),
        },
        Route::Overview
        | Route::Host(_)
        | Route::Find(_)
        | Route::Audit(_)
        | Route::Alerts
        | Route::Generations
        | Route::Generation(_)
        | Route::Trends(_)
        | Route::Graph(..)
        | Route::Missing => {
            let Ok(permit) = shared.work.clone().acquire_owned().await else { return Ok(broken("the page ends")) };
            let page = page.clone();
            let made = tokio::task::spawn_blocking(move || {
                let made = views::view(&page, &row, &route);
                drop(permit);
                made
            });
            match made.await {
                Ok(Ok(made)) => answer(made),
                Ok(Err(error)) => broken(&chain(&*error)),
                Err(error) => broken(&error.to_string()),
            }
        }
    })
}

/// What must not be: it is in our log, and the browser learns no more than that.
fn broken(why: &str) -> Response<Body> {
    warn!("page: {why}");
    let text = "The log of `pxelator serve` says why.".to_owned();
    plain(&Refusal { status: 500, title: "This page could not be made", text })
}

/// For whoever may not look, or may not look so: no site, no names.
fn plain(refusal: &Refusal) -> Response<Body> {
    let mut made = Answer::text(refusal.status, &format!("{}\n\n{}\n", refusal.title, refusal.text));
    if refusal.status == 405 {
        made.headers.push(("allow", "GET, HEAD".to_owned()));
    }
    answer(made)
}

fn asset(kind: &'static str, bytes: &'static [u8], known: Option<&str>) -> Response<Body> {
    let hash = blake3::hash(bytes).to_hex();
    let tag = format!("\"{}\"", hash.get(..16).unwrap_or_default());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let headers = vec![("etag", tag), ("cache-control", "no-cache".to_owned())];
    let body = if is_known { Bytes::new() } else { Bytes::from_static(bytes) };
    answer(Answer { status: if is_known { 304 } else { 200 }, kind, body, headers })
}

fn answer(made: Answer) -> Response<Body> {
    let is_kept = made.headers.iter().any(|(name, _)| *name == "cache-control");
    let builder = Response::builder().status(made.status).header("content-type", made.kind);
    let builder = HEADERS.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    let builder = made.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value));
    let builder = if is_kept { builder } else { builder.header("cache-control", "no-store") };
    builder.body(Full::new(made.body).boxed()).unwrap_or_else(|_| Response::new(Full::new(Bytes::new()).boxed()))
}

/// Server-sent events: a number with each news, and a beat where there are none.
fn stream(page: &Arc<Page>, permit: OwnedSemaphorePermit) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(PIECES_WAITING);
    let (mut news, mut tables) = (page.live.news(), page.handle.tables.clone());
    // The generation of this moment is no news.
    tables.mark_unchanged();
    tokio::task::spawn_local(async move {
        let mut number = *news.borrow_and_update();
        let mut text = format!("retry: 2000\nid: {number}\nevent: beat\ndata: {number}\n\n");
        loop {
            let sent = tokio::time::timeout(Duration::from_secs(STALLED_SECS), sender.send_data(Bytes::from(text))).await;
            if !matches!(sent, Ok(Ok(()))) {
                break; // it went away, or reads nothing
            }
            tokio::time::sleep(NEWS_EVERY).await;
            let is_news = tokio::select! {
                changed = news.changed() => if changed.is_ok() { true } else { break },
                changed = tables.changed() => if changed.is_ok() { true } else { break },
                () = tokio::time::sleep(BEAT_EVERY) => false,
            };
            number = *news.borrow_and_update();
            text = format!("id: {number}\nevent: {}\ndata: {number}\n\n", if is_news { "news" } else { "beat" });
        }
        drop(permit);
    });
    let builder = Response::builder().header("content-type", "text/event-stream").header("cache-control", "no-store");
    let builder = HEADERS.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(body.boxed()).unwrap_or_else(|_| Response::new(Full::new(Bytes::new()).boxed()))
}

//! What a browser sees of the segment: one page for each question, made here, and useful without JavaScript.
//!
//! ```text
//!  GET ─► guard (who, which name, which method) ─► route ─► view (tables, leases, Seen, Recent, spool) ─► tera ─► HTML
//!  journal ─► live ─► /events, one stream for each browser ─► live.js fetches the same page again
//! ```
//! [`guard`] refuses, [`route`] reads what is asked, [`views`] gather, [`render`] writes, [`live`] hears, and
//! `listen` has the sockets. The thread is the page's own: a browser that is slow holds up no service.
//!
//! **Invariant:** the page changes nothing, and asks for no login; who may look is told by the generation. Whatever
//! came from the wire is escaped by the templates. No page names another origin, and no script or style stands in one.
//!
//! To add a page: a line in [`route::Route`], a file in `views/`, and a template.

mod guard;
mod listen;
mod live;
mod markdown;
mod render;
mod route;
mod views;

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

use self::live::Live;
use self::render::Templates;
use crate::operate::overview::ServiceUse;
use crate::out::table::{PageRow, Tables};
use crate::serve::{Beside, Handle};
use crate::terminal::chain;

/// How often a port that is taken is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often requests are counted, and how many counts make up the minute of which their rate is told.
const COUNT_EVERY: Duration = Duration::from_secs(5);
const COUNTS_MAX: usize = 12;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// When it was counted, and how often each service was asked until then.
type Counted = (Instant, Vec<(&'static str, u64)>);

/// What all views share.
struct Page {
    handle: Handle,
    live: Arc<Live>,
    templates: Templates,
    /// The overview as it was made last.
    made: Mutex<Option<(Instant, String)>>,
    counts: Mutex<VecDeque<Counted>>,
}

struct Thread {
    stop: watch::Sender<bool>,
    thread: std::thread::JoinHandle<()>,
}

/// Begins the page, beside the operating half; a site without one has none until a generation brings it.
pub fn begin(handle: &Handle) -> Result<Box<dyn Beside>, Failure> {
    let live = Arc::new(Live::new(handle));
    handle.journal.listen(live.clone());
    let page = Arc::new(Page {
        handle: handle.clone(),
        live,
        templates: Templates::new(handle.port_offset != 0)?,
        made: Mutex::default(),
        counts: Mutex::default(),
    });
    let (stop, stopped) = watch::channel(false);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(listen::WORK_MAX + 1).build()?;
    let thread = std::thread::Builder::new().name("page".into()).spawn(move || {
        tokio::task::LocalSet::new().block_on(&runtime, run(page, stopped));
        // A search that still reads the spool is waited for by nobody.
        runtime.shutdown_background();
    })?;
    Ok(Box::new(Thread { stop, thread }))
}

impl Beside for Thread {
    fn end(self: Box<Self>) {
        self.stop.send_replace(true);
        let _told_already = self.thread.join();
    }
}

async fn run(page: Arc<Page>, mut stopped: watch::Receiver<bool>) {
    tokio::task::spawn_local(count(page.clone()));
    let known = page.clone();
    let _read = tokio::task::spawn_blocking(move || known.live.remember(&known.handle)).await;
    tokio::select! {
        () = serve(&page) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Listens where the generation says, and elsewhere when another one says so.
async fn serve(page: &Arc<Page>) {
    let mut tables = page.handle.tables.clone();
    let mut told = None;
    loop {
        let wanted = tables.borrow_and_update().page.as_ref().map(|row| row.port);
        let Some(port) = wanted else {
            if tables.changed().await.is_err() {
                return;
            }
            continue;
        };
        let Some(port) = port.checked_add(page.handle.port_offset) else {
            warn!(
                "the page has no port: {port} and --port-offset {} are beyond 65,535; choose a smaller offset",
                page.handle.port_offset
            );
            let _another_generation = tables.wait_for(|tables| tables.page.as_ref().map(|row| row.port) != wanted).await;
            continue;
        };
        let address = SocketAddrV4::new(page.handle.address, port);
        let moved = async { tables.wait_for(|tables| tables.page.as_ref().map(|row| row.port) != wanted).await.is_ok() };
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => {
                info!("page on http://{address}/: what a browser sees of the segment");
                told = None;
                tokio::select! {
                    () = listen::run(listener, page.clone()) => {}
                    is_there = moved => if !is_there { return },
                }
                info!("page on {address} ended: the generation says so");
            }
            Err(error) => {
                let why = trouble(address, &error);
                if told.as_ref() != Some(&why) {
                    warn!("{why}; everything else is served, and it is tried again");
                    told = Some(why);
                }
                let _either = tokio::time::timeout(AGAIN, moved).await;
            }
        }
    }
}

fn trouble(address: SocketAddrV4, error: &std::io::Error) -> String {
    let mends = [
        (
            std::io::ErrorKind::AddrInUse,
            "another program has it (`ss -lntp` shows which): stop that, or give the page another port with `page port=`",
        ),
        (std::io::ErrorKind::AddrNotAvailable, "this machine does not have the address (`ip address` shows its own)"),
    ];
    let mend = mends.iter().find(|(kind, _)| *kind == error.kind()).map_or("the system refuses it", |(_, mend)| mend);
    format!("the page cannot have TCP {address}: {mend}: {}", chain(error))
}

async fn count(page: Arc<Page>) {
    loop {
        let now = (Instant::now(), page.handle.counts.all());
        page.counted(now);
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

impl Page {
    fn counted(&self, now: Counted) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() == COUNTS_MAX {
            counts.pop_front();
        }
        counts.push_back(now);
    }

    fn tables(&self) -> Arc<Tables> {
        self.handle.tables.borrow().clone()
    }

    /// The row of this moment; one of a site that gave up its page while a browser asked.
    fn row(&self) -> Option<PageRow> {
        self.handle.tables.borrow().page.clone()
    }

    /// Requests since the start, and a second of the last minute.
    fn services(&self) -> Vec<ServiceUse> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = counts.front();
        let rate = |(at, (name, count)): (usize, &(&'static str, u64))| {
            let since = first.map(|(since, all)| (since.elapsed().as_secs_f64(), all.get(at).map_or(0, |(_, count)| *count)));
            let per_second =
                since.filter(|(secs, _)| *secs > 1.0).map(|(secs, before)| count.saturating_sub(before) as f64 / secs);
            ServiceUse { name: (*name).to_owned(), requests: *count, per_second }
        };
        self.handle.counts.all().iter().enumerate().map(rate).collect()
    }
}

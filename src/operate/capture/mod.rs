//! `capture`: what machines of the site say on the wire of this boot server, as lines and as a file for Wireshark.
//!
//! ```text
//!  packet socket ── wire ─► frame ─► filter ─┬─► line ──► terminal
//!                                            └─► pcapng ─► file
//! ```
//! **Invariant:** the file is readable whenever we end, and however: blocks are written whole, once a second.

mod filter;
mod frame;
mod line;
mod pcapng;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use filter::Machines;
pub use line::Names;

use super::{Error, Result};
use crate::terminal::{print_on, say};
use frame::{Frame, Mac};
use wire::{Arrival, Wire};

/// How large a file becomes.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// What waits for the disk.
const WAITING_BYTES_MAX: usize = 64 << 10;
/// How long it may wait.
const WRITTEN_EACH: Duration = Duration::from_secs(1);
/// How long a capture without a limit of its own goes on.
const LASTS_MAX: Duration = Duration::from_secs(30 * 86_400);

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Dhcp,
    Tftp,
    Dns,
    Http,
    Syslog,
    Arp,
    Icmp,
}

/// What is captured, and where it goes.
pub struct Options {
    /// All, where it is absent.
    pub machines: Option<Machines>,
    pub protocols: BTreeSet<Protocol>,
    pub names: Names,
    pub interface: Option<String>,
    pub file: Option<PathBuf>,
    pub lasts: Option<Duration>,
    pub packets: Option<u64>,
    pub bytes: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub packets: u64,
    /// Frames that the kernel had no room for, and nobody saw.
    pub lost: u64,
    /// It ended because the file is as large as it may become.
    pub full: bool,
}

/// A MAC as the site writes it; also with dashes.
pub fn mac(text: &str) -> Option<Mac> {
    let parts: Vec<u8> = text
        .split([':', '-'])
        .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2))
        .collect::<Option<_>>()?;
    parts.try_into().ok()
}

fn written(mac: &Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Captures until a limit, Ctrl-C, or a reader that went away.
pub fn run(options: Options) -> Result<Told> {
    let only = options.interface.as_deref().map(number).transpose()?;
    let wire = Wire::open(only).map_err(opening)?;
    let output = options.file.as_ref().map(|path| Output::create(path, &options)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| io_error("start", "a capture", error))?;
    let capture = Capture {
        filter: filter::Filter::new(options.machines.clone(), options.protocols.clone()),
        begun: None,
        told: Told::default(),
        output,
        options,
    };
    runtime.block_on(capture.run(wire))
}

fn number(name: &str) -> Result<u32> {
    let all = wire::interfaces().map_err(|error| io_error("list", "the interfaces", error))?;
    all.iter().find(|(_, known)| known == name).map(|(index, _)| *index).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
        Error::Asked { what: format!("no interface `{name}` on this machine; it has {}", names.join(", ")) }
    })
}

fn opening(error: io::Error) -> Error {
    if error.kind() != ErrorKind::PermissionDenied {
        return io_error("listen on", "the interfaces", error);
    }
    let program = std::env::current_exe().map_or_else(|_| "pxelator".to_owned(), |path| path.display().to_string());
    Error::Asked {
        what: format!("this user may not listen on interfaces: run it as root, or once: setcap cap_net_raw+ep {program}"),
    }
}

fn io_error(step: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Error {
    Error::Io { step, path: path.into(), source }
}

/// The file, block by block.
struct Output {
    path: PathBuf,
    file: File,
    waiting: Vec<u8>,
    bytes: u64,
    /// Interface → its place in the file.
    places: BTreeMap<u32, u32>,
}

impl Output {
    /// Never over a file that is there, nor through a link: a capture is made by root, often in /tmp.
    fn create(path: &Path, options: &Options) -> Result<Output> {
        let refused = |error: io::Error| {
            if error.kind() != ErrorKind::AlreadyExists {
                return io_error("create", path, error);
            }
            Error::Asked { what: format!("{} is there already: give -o another name, or remove it", path.display()) }
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(refused)?;
        let mut output = Output { path: path.to_owned(), file, waiting: Vec::new(), bytes: 0, places: BTreeMap::new() };
        output.add(&pcapng::section());
        output.add(&pcapng::names(options.names.addresses.iter().map(|(address, name)| (*address, name.as_str()))));
        for (index, name) in wire::interfaces().unwrap_or_default() {
            if options.interface.as_ref().is_none_or(|only| *only == name) {
                output.interface(index, &name);
            }
        }
        output.flush()?;
        Ok(output)
    }

    fn add(&mut self, block: &[u8]) {
        self.waiting.extend(block);
        self.bytes += block.len() as u64;
    }

    fn interface(&mut self, index: u32, name: &str) -> u32 {
        let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.add(&pcapng::interface(name, wire::KEPT_BYTES_MAX as u32));
        self.places.insert(index, place);
        place
    }

    fn packet(&mut self, arrival: &Arrival) -> Result<()> {
        let place = self.places.get(&arrival.interface).copied().unwrap_or_else(|| {
            // It is younger than this capture.
            let all = wire::interfaces().unwrap_or_default();
            let name = all.into_iter().find(|(index, _)| *index == arrival.interface).map(|(_, name)| name);
            self.interface(arrival.interface, &name.unwrap_or_default())
        });
        self.add(&pcapng::packet(place, arrival.at, &arrival.bytes, arrival.length));
        if self.waiting.len() >= WAITING_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.waiting).map_err(|error| io_error("write", &self.path, error))?;
        self.waiting.clear();
        Ok(())
    }
}

struct Capture {
    options: Options,
    filter: filter::Filter,
    output: Option<Output>,
    /// When the first frame came by.
    begun: Option<Duration>,
    told: Told,
}

impl Capture {
    async fn run(mut self, mut wire: Wire) -> Result<Told> {
        let starting = |error| io_error("start", "a capture", error);
        // What replaces it is unsafe, for types whose number changes: an OwnedFd's does not.
        #[expect(deprecated)]
        let ready = wire.socket.try_clone().and_then(AsyncFd::new).map_err(starting)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(starting)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(starting)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(starting)?;
        let mut due = interval(WRITTEN_EACH);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = Instant::now() + self.options.lasts.unwrap_or(LASTS_MAX).min(LASTS_MAX);
        say("capturing; Ctrl-C ends it");
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => break,
                () = sleep_until(end) => break,
                _ = due.tick() => {
                    self.told.lost += u64::from(wire.lost());
                    self.output.as_mut().map_or(Ok(()), Output::flush)?;
                }
                guard = ready.readable() => {
                    let mut guard = guard.map_err(starting)?;
                    match guard.try_io(|_| wire.take()) {
                        Ok(Ok(arrival)) => if !self.arrival(arrival)? { break },
                        // An interface that goes away tells so once.
                        Ok(Err(error)) if error.raw_os_error() == Some(nix::libc::ENETDOWN) => say("warning: an interface went down"),
                        Ok(Err(error)) => return Err(io_error("listen on", "the interfaces", error)),
                        Err(_nothing_waits) => {}
                    }
                }
            }
        }
        self.told.lost += u64::from(wire.lost());
        self.output.as_mut().map_or(Ok(()), Output::flush)?;
        Ok(self.told)
    }

    /// False where it was the last one.
    fn arrival(&mut self, arrival: Option<Arrival>) -> Result<bool> {
        let Some(arrival) = arrival else { return Ok(true) };
        let Some(frame) = Frame::read(&arrival.bytes) else { return Ok(true) };
        let Some(protocol) = self.filter.take(&frame) else { return Ok(true) };
        let begun = *self.begun.get_or_insert(arrival.at);
        let since = arrival.at.saturating_sub(begun).as_secs_f64();
        self.told.packets += 1;
        if let Some(output) = &mut self.output {
            output.packet(&arrival)?;
            self.told.full = output.bytes >= self.options.bytes;
        }
        let read = print_on(&format!("{since:8.3}  {}\n", line::line(&frame, protocol, &self.options.names)));
        let enough = self.options.packets.is_some_and(|packets| self.told.packets >= packets);
        Ok(!self.told.full && !enough && read.is_continue())
    }
}

/// The address that a name of the site has, for whoever makes [`Names`].
pub fn named(names: &mut Names, name: &str, address: Option<Ipv4Addr>, macs: &[String]) {
    names.addresses.extend(address.map(|address| (address, name.to_owned())));
    names.macs.extend(macs.iter().filter_map(|text| mac(text)).map(|mac| (mac, name.to_owned())));
}

//! Sockets, timers and limits round the pure answers.
//!
//! ```text
//!  generation ──verify──► World (tables, zones) ◄── SIGHUP or a changed link swaps it, no packet is lost
//!                            │
//!  socket ─► request ─► answer(…) ─► events ─► state on disk ─► reply
//! ```
//! **Invariant:** no decision is taken here. A generation that does not verify is not served, and the
//! last good one stays. The compiler's rooms are never named.
//!
//! To add a service: a pure `answer/x`, a file here with `start`, and a line in [`SERVICES`].

pub mod clock;
pub mod counts;
mod dhcp;
mod dns;
mod files;
mod forward;
mod http;
pub mod journal;
pub mod peers;
mod rehearsal;
pub mod state;
mod syslog;
mod tftp;
mod udp;
mod world;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::clock::Clock;
use self::counts::Counts;
use self::journal::Journal;
use self::world::{World, load, verified, watch_link};
use crate::answer::dns::ZoneError;
use crate::event::Event;
use crate::out::plan::short;
use crate::out::table::{TableError, Tables};
use crate::store;

/// One listener.
pub struct Service {
    pub name: &'static str,
    pub about: &'static str,
    /// Before any offset.
    pub port: u16,
    /// Does it end by itself, once told, when it has read what arrived?
    drains: bool,
    start: fn(&Arc<Shared>, SocketAddrV4) -> Result<Running, Error>,
}

/// How long a service may take to end by itself.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// A service that has its sockets, and runs when polled.
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// All services. DHCP comes first: a port that is taken is most often its.
pub const SERVICES: &[Service] = &[
    Service { name: "DHCP", about: "addresses, and the first program to load", port: 67, drains: false, start: dhcp::start },
    Service { name: "TFTP", about: "loaders, menus, kernels", port: 69, drains: false, start: tftp::start },
    Service { name: "DNS", about: "our zones; other names by forwarding", port: 53, drains: false, start: dns::start },
    Service { name: "HTTP", about: "iPXE scripts, kernels, everything in the assets", port: 80, drains: false, start: http::start },
    Service { name: "syslog", about: "what machines log, kept by the audit", port: 514, drains: true, start: syslog::start },
];

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Options {
    pub out: PathBuf,
    pub state: PathBuf,
    /// Where the assets lie, if not where the site says.
    pub assets: Option<PathBuf>,
    pub bind: Option<Ipv4Addr>,
    /// Added to every port; more than 0 is a rehearsal on loopback, without root.
    pub port_offset: u16,
    /// Whom to become once the ports are bound.
    pub user: Option<String>,
    pub clock: Clock,
}

impl Options {
    fn address(&self) -> Ipv4Addr {
        self.bind.unwrap_or(if self.port_offset > 0 { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Zone(#[from] ZoneError),
    #[error("{service} cannot have {protocol} {address}: {hint}")]
    Bind { service: &'static str, protocol: &'static str, address: SocketAddrV4, hint: &'static str, source: io::Error },
    #[error("cannot {step} {path}")]
    State { step: &'static str, path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path}: {what}")]
    Folder { path: PathBuf, what: &'static str },
    #[error("there is no user `{0}` on this machine: create it (after `make install` with `systemd-sysusers`), or give another --user")]
    User(String),
    #[error("port offset {0} is too large: syslog's port 514 and all others must stay below 65,536")]
    Offset(u16),
    /// What the operating half says.
    #[error(transparent)]
    Operate(Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
}

impl Error {
    fn bind(service: &'static str, protocol: &'static str, address: SocketAddrV4, source: io::Error) -> Error {
        let hints = [
            (
                io::ErrorKind::AddrInUse,
                "another program has it (`ss -lnptu` shows which); stop that, or give this one another address with --bind IP",
            ),
            (io::ErrorKind::PermissionDenied, "ports below 1024 need root; to try without, add --port-offset 10000"),
            (io::ErrorKind::AddrNotAvailable, "this machine does not have the address (`ip address` shows its own)"),
        ];
        let hint = hints.iter().find(|(kind, _)| *kind == source.kind()).map_or("the system refuses it", |(_, hint)| hint);
        Error::Bind { service, protocol, address, hint, source }
    }
}

/// What all services share.
struct Shared {
    options: Options,
    world: RwLock<Arc<World>>,
    /// The tables of the world, for whoever is not a service; of a rehearsal those on loopback.
    tables: watch::Sender<Arc<Tables>>,
    leases: Arc<state::LeaseStore>,
    counts: Arc<Counts>,
    /// Opened as root, for whoever asks machines whether they are there.
    icmp: Option<Arc<OwnedFd>>,
    journal: Arc<Journal>,
    /// Whose turn it is to record: one thread at a time waits for a disk, and not all that there are.
    recording: tokio::sync::Mutex<()>,
    /// Is serving.json gone for good? A reload that is late does not put it back.
    untold: Mutex<bool>,
    /// Told to whoever must end by itself.
    stopping: watch::Sender<bool>,
}

/// What the operating half needs of the serving one.
#[derive(Clone)]
pub struct Handle {
    /// The folder that is served, as it was given.
    pub out: PathBuf,
    pub state: PathBuf,
    /// Where services listen, and what is added to every port.
    pub address: Ipv4Addr,
    pub port_offset: u16,
    pub clock: Clock,
    pub journal: Arc<Journal>,
    pub leases: Arc<state::LeaseStore>,
    pub counts: Arc<Counts>,
    /// A raw ICMP socket that does not block; `None` where the right to one lacks (CAP_NET_RAW).
    pub icmp: Option<Arc<OwnedFd>>,
    /// What is served now; another generation is another value.
    pub tables: watch::Receiver<Arc<Tables>>,
}

#[cfg(test)]
impl Handle {
    /// Of no server: for what is tried by itself.
    pub(crate) fn alone(state: &std::path::Path, clock: Clock, tables: watch::Receiver<Arc<Tables>>) -> Handle {
        Handle {
            out: PathBuf::from("out"),
            state: state.to_owned(),
            address: Ipv4Addr::LOCALHOST,
            port_offset: 0,
            clock,
            journal: Arc::new(Journal::new(clock)),
            leases: Arc::new(state::LeaseStore::new(state)),
            counts: Arc::default(),
            icmp: None,
            tables,
        }
    }
}

/// What was begun beside the services, and is told when they end.
pub trait Beside {
    fn end(self: Box<Self>);
}

/// Begins the operating half: ports are bound, root's rights are gone, and the state folder is open.
pub type Begin = fn(&Handle) -> Result<Box<dyn Beside>, Box<dyn std::error::Error + Send + Sync>>;

impl Shared {
    fn new(options: Options, world: World) -> Shared {
        Shared {
            leases: Arc::new(state::LeaseStore::new(&options.state)),
            counts: Arc::default(),
            icmp: raw_icmp().ok().map(Arc::new),
            journal: Arc::new(Journal::new(options.clock)),
            tables: watch::Sender::new(Arc::default()),
            world: RwLock::new(Arc::new(world)),
            recording: tokio::sync::Mutex::default(),
            untold: Mutex::default(),
            stopping: watch::Sender::new(false),
            options,
        }
    }

    /// Records beside the loop: while a disk is slow whoever records waits for it, and the others go on.
    async fn record(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let _turn = self.recording.lock().await;
        let journal = self.journal.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || journal.record(&events)).await {
            error!("what happened was not recorded: {error}");
        }
    }

    fn handle(&self) -> Handle {
        Handle {
            out: self.options.out.clone(),
            state: self.options.state.clone(),
            address: self.options.address(),
            port_offset: self.options.port_offset,
            clock: self.options.clock,
            journal: self.journal.clone(),
            leases: self.leases.clone(),
            counts: self.counts.clone(),
            icmp: self.icmp.clone(),
            tables: self.tables.subscribe(),
        }
    }

    fn http_port(&self) -> u16 {
        80 + self.options.port_offset
    }
}

/// Binds everything, says so, and serves until SIGINT or SIGTERM.
pub fn run(options: Options, begin: Begin) -> Result<(), Error> {
    if options.port_offset > u16::MAX - 514 {
        return Err(Error::Offset(options.port_offset));
    }
    raise_file_limit();
    // A generation that cannot be served is known before any port is taken.
    let world = verified(&options)?;
    state::make_folder(&options.state)?;
    let shared = Arc::new(Shared::new(options, world));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Error::System("start", error))?;
    let ended = tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut running = Vec::new();
        for service in SERVICES {
            let address = SocketAddrV4::new(shared.options.address(), service.port + shared.options.port_offset);
            running.push((service.start)(&shared, address)?);
            info!("{} on {address}: {}", service.name, service.about);
        }
        drop_privileges(&shared.options)?;
        // Only now is the state folder opened: root does not touch what the service's user can change.
        state::keep_apart(&shared.options.state, shared.options.clock.is_set())?;
        shared.leases.open(shared.options.clock.secs())?;
        shared.swap(load(&shared.options)?);
        let beside = begin(&shared.handle()).map_err(Error::Operate)?;
        let moved = watch_link(&shared.options, &shared.world());
        warn_foreign_servers(&shared.world().tables, &shared.options);
        // Whoever hears that we serve may send a signal at once.
        let signals = Signals::listen()?;
        shared.tell(None);
        info!(generation = short(&shared.world().generation), "serving {}", shared.options.out.display());
        if shared.options.clock.is_set() {
            let switched = if shared.options.port_offset == 0 { "; machines that have schedules are switched all the same" } else { "" };
            warn!("a rehearsal: it is {} by --now{switched}", shared.options.clock.now());
        }
        let services = running.into_iter().map(tokio::task::spawn_local);
        let mut services: Vec<_> = services.collect();
        signals.obey(&shared, moved).await;
        shared.stopping.send_replace(true);
        for (_, task) in SERVICES.iter().zip(&mut services).filter(|(service, _)| service.drains) {
            let _what_takes_longer_is_ended = tokio::time::timeout(DRAIN_WAIT, task).await;
        }
        services.iter().for_each(tokio::task::JoinHandle::abort);
        beside.end();
        shared.untell();
        info!("stopped");
        Ok(())
    });
    // A generation that is still being loaded is waited for by nobody.
    runtime.shutdown_background();
    ended
}

/// What people, systemd and a deploy send. From here on, none ends the process by itself.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::System("listen to signals", error));
        let hangup = listen(SignalKind::hangup())?;
        Ok(Signals { hangup, interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// SIGHUP and a link that leads elsewhere load again; SIGINT and SIGTERM end it.
    async fn obey(mut self, shared: &Arc<Shared>, mut moved: watch::Receiver<PathBuf>) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {}
                Ok(()) = moved.changed() => {}
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
            }
            // A large generation takes long to load, and a stop is heard meanwhile.
            tokio::select! {
                () = shared.reload() => {}
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
            }
        }
    }
}

/// Raw, for unprivileged ICMP is closed on most systems (`net.ipv4.ping_group_range`).
fn raw_icmp() -> std::io::Result<OwnedFd> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(socket2::Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Each client is a descriptor or two: take as many as the system allows.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _as_it_was = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// After the ports are bound, root is not needed any more.
fn drop_privileges(options: &Options) -> Result<(), Error> {
    use nix::unistd::{Uid, User, chown, setgid, setgroups, setuid};
    let Some(name) = &options.user else {
        if Uid::effective().is_root() {
            warn!("serving as root: give --user NAME");
        }
        return Ok(());
    };
    let user = User::from_name(name).ok().flatten().ok_or_else(|| Error::User(name.clone()))?;
    if user.uid == Uid::effective() {
        return Ok(());
    }
    let failed = |step| move |errno: nix::Error| Error::System(step, errno.into());
    chown(&options.state, Some(user.uid), Some(user.gid)).map_err(failed("give the state folder to the user"))?;
    setgroups(&[user.gid]).map_err(failed("drop the groups of root"))?;
    setgid(user.gid).map_err(failed("change the group"))?;
    setuid(user.uid).map_err(failed("change the user"))?;
    info!("running as {name}");
    Ok(())
}

/// A `server=` that is not ours sends clients elsewhere; said once, for it may be meant.
fn warn_foreign_servers(tables: &Tables, options: &Options) {
    if options.port_offset > 0 {
        return;
    }
    let own: Vec<Ipv4Addr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|interface| interface.address?.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip))
        .collect();
    for network in &tables.networks {
        match network.server {
            Some(server) if !own.contains(&server) => {
                warn!("network {}: server={server} is no address of this machine", network.network)
            }
            None if !own.iter().any(|address| network.contains(*address)) => {
                info!("network {}: this machine has no address in it", network.network)
            }
            Some(_) | None => {}
        }
    }
}

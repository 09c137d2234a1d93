//! What a site means: hosts, networks, profiles, menus, records; and values that cannot be wrong.
//!
//! [`lower::lower`] is the only function that knows both [`crate::eval::Config`] and [`Site`].
//!
//! **Invariant:** a [`Mac`], [`HostName`], [`Subnet`] or [`Domain`] that exists is sound. Whether they
//! agree with each other is not known here: that is `check`'s work.

mod address;
mod lock;
pub mod lower;
mod name;

use std::net::Ipv4Addr;

use crate::source::Span;

pub use address::{Mac, Subnet, SubnetError};
pub use lock::{Asset, Lock, LOADERS, Loader};
pub use name::{Domain, HostName, LABEL_BYTES_MAX, NAME_BYTES_MAX};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

/// The lines behind something, the most telling first.
pub type Origins = Vec<Span>;

/// The profile that is built in: the machine's own disk.
pub const LOCAL: &str = "local";
/// How long a record may be kept where nothing says so, in seconds.
pub const TTL_SECS: u32 = 3600;
/// The menu of hosts without a profile and of unknown clients.
pub const DEFAULT_MENU: &str = "default";

/// The whole declared world.
#[derive(Debug)]
pub struct Site {
    pub name: String,
    pub domain: Domain,
    pub span: Span,
    pub assets: Option<At<String>>,
    pub lock: Lock,
    /// By name.
    pub networks: Vec<Network>,
    /// By name, then by place.
    pub hosts: Vec<Host>,
    /// By name.
    pub profiles: Vec<Profile>,
    pub menu: Option<Menu>,
    pub forwards: Vec<At<Ipv4Addr>>,
    /// In the order of the source.
    pub records: Vec<Record>,
}

impl Site {
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.binary_search_by(|profile| profile.name.as_str().cmp(name)).ok().and_then(|at| self.profiles.get(at))
    }

    /// Everything that names a profile: hosts, networks, pools.
    pub fn references(&self) -> impl Iterator<Item = &At<String>> {
        let hosts = self.hosts.iter().filter_map(|host| host.profile.as_ref());
        let networks = self.networks.iter().filter_map(|network| network.profile.as_ref());
        let pools = self.networks.iter().flat_map(|network| &network.pools).filter_map(|pool| pool.profile.as_ref());
        hosts.chain(networks).chain(pools)
    }
}

/// One subnet and its services.
#[derive(Debug)]
pub struct Network {
    pub name: String,
    pub subnet: Subnet,
    pub subnet_span: Span,
    pub gateway: Option<At<Ipv4Addr>>,
    pub server: Option<At<Ipv4Addr>>,
    pub dns: Vec<At<Ipv4Addr>>,
    pub lease_secs: u64,
    pub profile: Option<At<String>>,
    pub pools: Vec<Pool>,
    pub origins: Origins,
}

/// Addresses for clients without a reservation.
#[derive(Debug)]
pub struct Pool {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    pub lease_secs: u64,
    pub profile: Option<At<String>>,
    pub span: Span,
}

impl Pool {
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }

    pub fn size(&self) -> u64 {
        u64::from(u32::from(self.last)) - u64::from(u32::from(self.first)) + 1
    }
}

/// One machine.
#[derive(Debug)]
pub struct Host {
    pub name: HostName,
    pub macs: Vec<At<Mac>>,
    pub address: Option<At<Ipv4Addr>>,
    /// Index into [`Site::networks`].
    pub network: Option<usize>,
    /// The nearest of host, group and network that names one.
    pub profile: Option<At<String>>,
    pub tags: Vec<String>,
    pub span: Span,
    pub origins: Origins,
}

/// What a machine starts.
#[derive(Debug)]
pub struct Profile {
    pub name: String,
    pub label: At<String>,
    pub start: Option<Start>,
    /// Every line that says what to start; more than one is a contradiction.
    pub starts: Origins,
    pub span: Span,
    pub origins: Origins,
}

impl Profile {
    /// All files that it loads, in order.
    pub fn files(&self) -> Vec<&At<String>> {
        match &self.start {
            Some(Start::Linux { kernel, initrds, .. }) => std::iter::once(kernel).chain(initrds).collect(),
            Some(Start::Chain(path)) => vec![path],
            Some(Start::Local) | None => Vec::new(),
        }
    }
}

/// The thing started.
#[derive(Debug)]
pub enum Start {
    Linux { kernel: At<String>, initrds: Vec<At<String>>, cmdline: Vec<At<String>> },
    Chain(At<String>),
    Local,
}

/// The choice shown.
#[derive(Debug)]
pub struct Menu {
    pub default: Option<At<String>>,
    pub timeout_secs: u64,
    pub entries: Vec<At<String>>,
    pub origins: Origins,
}

/// A declared DNS record.
#[derive(Debug)]
pub struct Record {
    /// Complete, without the final dot.
    pub name: Domain,
    pub ttl_secs: u32,
    pub data: RecordData,
    pub span: Span,
    pub origins: Origins,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    A(Ipv4Addr),
    Cname(At<Domain>),
    Txt(Vec<String>),
}

impl RecordData {
    pub fn kind(&self) -> &'static str {
        match self {
            RecordData::A(_) => "A",
            RecordData::Cname(_) => "CNAME",
            RecordData::Txt(_) => "TXT",
        }
    }
}

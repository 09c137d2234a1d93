//! What a site means: hosts, networks, profiles, menus, records; and values that cannot be wrong.
//!
//! [`lower::lower`] is the only function that knows both [`crate::eval::Config`] and [`Site`].
//!
//! **Invariant:** a [`Mac`], [`HostName`], [`Subnet`] or [`Domain`] that exists is sound. Whether they
//! agree with each other is not known here: that is `check`'s work.

mod address;
mod audit;
mod command;
mod engine;
mod ids;
mod lock;
mod login;
pub mod lower;
mod monitor;
mod name;
mod nfs;
mod page;
mod power;
mod rule;
mod spans;
mod track;
mod vm;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

use crate::eval::{Reference, TemplateScope};
use crate::source::{FileId, Span};

pub use address::{Mac, Subnet, SubnetError};
pub use command::{Caller, Command, HOST, Pattern, Run};
pub use audit::{Audit, Couch, CouchUrl, UrlError};
use audit::place;
pub use engine::{DNSMASQ_LINE_BYTES_MAX, Engine, Program, dnsmasq_quoted};
pub use ids::{Ids, id_of};
pub use lock::{Asset, LOADERS, Loader, Lock};
pub use login::{Login, SshLine, is_user_name};
pub use monitor::{ASKED_MAX, Alerts, Ask, Check, Mail, MailServer, Mailbox, Selected, Tls, WebUrl, Webhook};
pub use name::{Domain, HostName, LABEL_BYTES_MAX, NAME_BYTES_MAX};
pub use page::Page;
pub use power::{AMT_USER, DAYS, Days, Holiday, Holidays, HolidaysOff, MINUTES_A_DAY, Power, Schedule, TimeOfDay, Window};
pub use rule::{Does, FOLDER_MODE, RULE_NAME_BYTES_MAX, Rule, Statement, ordered};
pub use track::{DOT_GIT, FolderError, PATH_BYTES_MAX, SECRETS, Track, folder_error, is_below, is_pattern};
pub use vm::{BRIDGE, Container, MEMORY_MIB, Snapshot, SnapshotFormat, Vm, VmOf};
pub use nfs::{Base, HostRoot, MODE, Nfs, Overlay, OverlayFile, Root, RootOf, Union, export_of, union_options};

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
/// How long an address is given where nothing says so, in seconds.
pub const LEASE_SECS: u64 = 12 * 3600;
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
    /// Is a runbook written for each host?
    pub has_runbooks: bool,
    pub lock: Lock,
    /// By name.
    pub networks: Vec<Network>,
    /// By name, then by place.
    pub hosts: Vec<Host>,
    /// By name.
    pub profiles: Vec<Profile>,
    pub menu: Option<Menu>,
    pub forwards: Vec<At<Ipv4Addr>>,
    /// IANA's name of the time zone.
    pub timezone: Option<At<String>>,
    /// What its hosts start where nothing nearer says so.
    pub profile: Option<At<String>>,
    /// What the site hands down to all hosts.
    pub lease_secs: Option<u64>,
    pub tags: Vec<String>,
    pub power: Power,
    /// The blocks in which hosts stand, and what they hand down.
    pub contexts: Vec<lower::Context>,
    /// By name.
    pub secrets: Vec<Secret>,
    pub audit: Option<Audit>,
    /// In the order of the source.
    pub checks: Vec<Check>,
    pub alerts: Option<Alerts>,
    /// In the order of the source.
    pub tracks: Vec<Track>,
    pub page: Option<Page>,
    pub trends: Option<Trends>,
    /// By name.
    pub snapshots: Vec<Snapshot>,
    /// By name.
    pub schedules: Vec<Schedule>,
    pub holidays: Option<Holidays>,
    /// How the boot server logs in, in the order of the source.
    pub logins: Vec<SshLine>,
    /// Other servers that it is written down for, each once.
    pub engines: Vec<Engine>,
    /// What the site and its modules claim about themselves.
    pub claims: Vec<Claim>,
    /// Names that options hold, which must exist.
    pub references: Vec<Reference>,
    /// What templates see: by instance of a module, 0 is the site itself.
    pub templates: BTreeMap<usize, TemplateScope>,
    /// In the order of the source.
    pub records: Vec<Record>,
    /// Names that do something, in the order of the source.
    pub commands: Vec<Command>,
    pub nfs: Option<Nfs>,
    /// By name.
    pub rules: Vec<Rule>,
    /// The numbers of exports that are fixed.
    pub ids: Ids,
}

impl Site {
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.binary_search_by(|profile| profile.name.as_str().cmp(name)).ok().and_then(|at| self.profiles.get(at))
    }

    /// The host of this name; the first line of it where there are several.
    pub fn host(&self, name: &str) -> Option<&Host> {
        let at = self.hosts.partition_point(|host| host.name.as_str() < name);
        self.hosts.get(at).filter(|host| host.name.as_str() == name)
    }

    /// The host whose complete name this is.
    pub fn host_of(&self, domain: &Domain) -> Option<&Host> {
        let name = domain.as_str().strip_suffix(self.domain.as_str())?.strip_suffix('.')?;
        self.host(name)
    }

    /// Everything that names a profile for machines to start: hosts, networks, pools, the site.
    pub fn started(&self) -> impl Iterator<Item = &At<String>> {
        let hosts = self.hosts.iter().filter_map(|host| host.profile.as_ref());
        let networks = self.networks.iter().filter_map(|network| network.profile.as_ref());
        let pools = self.networks.iter().flat_map(|network| &network.pools).filter_map(|pool| pool.profile.as_ref());
        hosts.chain(networks).chain(pools).chain(&self.profile)
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
    /// Of clients from its pools; the site's where the network says nothing.
    pub lease_secs: u64,
    /// What it says itself.
    pub own_lease_secs: Option<u64>,
    pub profile: Option<At<String>>,
    pub tags: Vec<String>,
    pub power: Power,
    pub pools: Vec<Pool>,
    pub span: Span,
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
    /// The nearest of host, groups, network and site that names one.
    pub profile: Option<At<String>>,
    /// The nearest of host, groups, network, profile and site that says so.
    pub lease_secs: u64,
    /// Those of site, profile, network, groups and host, in this order.
    pub tags: Vec<String>,
    /// The nearest of host, groups, network, profile and site that says each; `None` where none says anything.
    pub power: Option<Box<Power>>,
    /// What a person should know who stands before it.
    pub note: Option<Box<At<String>>>,
    /// What it is made of, where it is no machine of its own.
    pub vm: Option<Box<Vm>>,
    /// The groups around it, the outermost first.
    pub groups: Rc<[String]>,
    /// Which of [`Site::contexts`] it stands in.
    pub context: usize,
    pub span: Span,
}

/// What a machine starts.
#[derive(Debug)]
pub struct Profile {
    pub name: String,
    pub label: At<String>,
    pub start: Option<Start>,
    pub lease_secs: Option<u64>,
    pub tags: Vec<String>,
    pub power: Power,
    pub texts: Vec<TextFile>,
    /// What the started system fetches by itself.
    pub fetched: Vec<At<String>>,
    /// What its kernel mounts over NFS.
    pub root: Option<Root>,
    /// Every line that says what to start; more than one is a contradiction.
    pub starts: Origins,
    pub span: Span,
    pub origins: Origins,
}

impl Profile {
    /// All files of the assets folder that it needs.
    pub fn assets(&self) -> impl Iterator<Item = &At<String>> {
        self.files().into_iter().chain(&self.fetched)
    }

    /// All files that its loader loads, in order.
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
}

/// A text that machines fetch while they start.
#[derive(Debug)]
pub struct TextFile {
    /// Below `files/PROFILE/`.
    pub name: At<String>,
    /// Below the site folder.
    pub from: At<String>,
    /// What it says; `None` where there is no such file.
    pub text: Option<(FileId, Rc<str>)>,
    pub span: Span,
}

impl TextFile {
    /// Is it a template, to be filled in?
    pub fn is_template(&self) -> bool {
        self.from.value.ends_with(".tera")
    }
}

/// A secret: its name, and the file on the boot server that holds it.
#[derive(Debug)]
pub struct Secret {
    pub name: String,
    pub file: At<String>,
    pub span: Span,
}

/// What is measured is kept.
#[derive(Debug)]
pub struct Trends {
    pub keep_secs: u64,
    pub span: Span,
}

/// How long a day's figures are kept where nothing says so, in seconds.
pub const TRENDS_KEEP_SECS: u64 = 730 * 86_400;

/// What must hold, or the site is refused (`assert`) or its author warned (`warn`).
#[derive(Debug)]
pub struct Claim {
    pub is_warning: bool,
    pub subject: Subject,
    pub sentence: String,
    pub span: Span,
}

/// What a claim is about.
#[derive(Debug)]
pub enum Subject {
    /// `group:NAME`
    Group(At<String>, Vec<HostClaim>),
    /// `tag:NAME`
    Tag(At<String>, Vec<HostClaim>),
    /// A value that was computed already.
    Value { shown: String, holds: bool },
}

/// What a claim says of hosts.
#[derive(Debug)]
pub enum HostClaim {
    Has(String),
    Lacks(String),
    Profile(String),
    AtLeast(usize),
    AtMost(usize),
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

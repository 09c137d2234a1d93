//! The tables in `out/`: what the compiler writes, one row a line, and what the services read.
//!
//! **Invariant:** this is the only contract between the two halves. A row that a service cannot read is
//! an error with its file and line; nothing is guessed.

mod alerts;
mod audit;
mod commands;
mod monitor;
mod page;
mod power;
mod rules;
mod track;
mod vm;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use alerts::{ALERTS, AlertRow, AlertSink, Ask, CHECKS, CheckRow, MailRow, WebhookRow};
pub use audit::{KEEP_SECS, SINKS, SPOOL, SinkRow, SpoolRow};
pub use monitor::{FACTS, FactRow, TRENDS, TrendsRow};
pub use page::{PAGE, PageRow};
pub use track::{TRACK, TrackRow, TrackedFolder};
pub use vm::{ContainerRow, DiskRow, QEMU, VMS, VM_FILES, VmRow};
pub use power::{AmtRow, PowerRow, ScheduleRow, WindowRow};
pub use rules::{RULES, RULE_HOSTS, RULE_TEXTS, RuleFile, RuleFolder, RuleHostRow, RuleLine, RuleLink, RuleRow, rule_text};
pub use commands::{CommandRow, Range, Run};

pub const HOSTS: &str = "boot/hosts.jsonl";
pub const LOADERS: &str = "boot/loaders.jsonl";
pub const ASSETS: &str = "boot/assets.jsonl";
pub const MENUS: &str = "boot/menus/";
pub const TEXTS: &str = "boot/files/";
pub const NETWORKS: &str = "dhcp/networks.jsonl";
pub const LEASES: &str = "dhcp/leases.jsonl";
pub const FORWARDS: &str = "dns/forward.jsonl";
pub const COMMANDS: &str = "dns/commands.jsonl";
pub const ZONE_SUFFIX: &str = ".zone";
pub const ZONES: &str = "dns/";
pub const ROOTS: &str = "nfs/roots.jsonl";
pub const OVERLAY_FILES: &str = "nfs/files.jsonl";
/// The texts of overlays lie below it, as `OVERLAY/etc/motd`.
pub const OVERLAY_TEXTS: &str = "nfs/files/";
pub const POWER: &str = "power/hosts.jsonl";
pub const SCHEDULES: &str = "power/schedules.jsonl";
/// `docs/HOST.md`, for whoever stands before a machine.
pub const RUNBOOKS: &str = "docs/";
pub const SERVER_RUNBOOK: &str = "docs/README.md";

/// `boot/hosts.jsonl`: which menu a MAC gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRow {
    pub host: String,
    pub mac: String,
    pub menu: String,
    /// Where a host without an address belongs; the others' addresses tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// `boot/loaders.jsonl`: the first program of a kind of firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderRow {
    pub firmware: String,
    /// DHCP option 93.
    pub arch: Vec<u16>,
    pub file: String,
}

/// `boot/assets.jsonl`: a file that is served from the assets folder, and how it must look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetRow {
    pub path: String,
    pub root: String,
    pub size: u64,
    pub blake3: String,
}

/// `dhcp/networks.jsonl`: a network, what its clients are told, and its pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRow {
    pub network: String,
    pub first: Ipv4Addr,
    pub mask: Ipv4Addr,
    /// Options 54 and `siaddr`.
    pub server: Option<Ipv4Addr>,
    /// Option 3.
    pub gateway: Option<Ipv4Addr>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 15.
    pub domain: String,
    /// Option 101, for clients that ask for it (RFC 4833).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Option 51, for reservations.
    pub lease_secs: u32,
    pub pools: Vec<PoolRow>,
}

/// A pool, within its network's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRow {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    pub lease_secs: u32,
    pub menu: String,
}

/// `dhcp/leases.jsonl`: a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationRow {
    pub host: String,
    /// A host without MAC keeps its address from the pools, and gets no offer.
    pub mac: Option<String>,
    pub address: Ipv4Addr,
    pub network: String,
    /// Option 51, where it is not the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_secs: Option<u32>,
    /// Option 17 (RFC 2132 §3.19), for clients that ask for it: `SERVER:FOLDER`, what it mounts as its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// `nfs/roots.jsonl`: what a host mounts as its root. All folders are absolute, on the boot server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootRow {
    pub host: String,
    pub address: Ipv4Addr,
    /// What the site calls the overlay; absent where the host mounts the base itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlayRow>,
    pub base: String,
    /// The folder of the base: the lower one of an overlay.
    pub lower: String,
    /// What is exported to the host, and mounted by it.
    pub export: String,
    pub write: bool,
}

/// An overlay, within its root's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayRow {
    pub name: String,
    /// `overlayfs` or `aufs`.
    pub union: String,
    /// What the host changed: the upper folder and the one that the file system works in lie in it.
    pub upper: String,
}

/// `nfs/files.jsonl`: a file that every machine of an overlay has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayFileRow {
    pub overlay: String,
    /// In the machine's system.
    pub path: String,
    /// Octal.
    pub mode: String,
}

/// `dns/forward.jsonl`: who is asked about names that are not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardRow {
    pub address: Ipv4Addr,
}

impl NetworkRow {
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & u32::from(self.mask) == u32::from(self.first)
    }

    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first) | !u32::from(self.mask))
    }
}

impl PoolRow {
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }
}

/// How the boot server logs in on a host: part of the rows of tables whose hosts are logged in on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRow {
    pub address: Ipv4Addr,
    pub port: u16,
    pub user: String,
}

/// A row's JSON, compact. Our rows have no value that JSON cannot hold.
pub fn json<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    #[error("out/{path} is missing: build again")]
    Missing { path: String },
    #[error("out/{path}:{line}: {what}")]
    Row { path: String, line: usize, what: String },
    #[error("out/{path} is not UTF-8 text")]
    Encoding { path: String },
}

/// All tables of a generation, indexed as services ask for them.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub networks: Vec<NetworkRow>,
    /// By MAC.
    pub reservations: BTreeMap<String, ReservationRow>,
    /// The addresses that reservations, servers, gateways and resolvers hold: no pool gives them away.
    pub reserved: BTreeMap<Ipv4Addr, String>,
    /// By MAC.
    pub hosts: BTreeMap<String, HostRow>,
    pub loaders: Vec<LoaderRow>,
    /// By path.
    pub assets: BTreeMap<String, AssetRow>,
    /// By file name, such as `kiosk.ipxe`.
    pub menus: BTreeMap<String, Vec<u8>>,
    /// By `PROFILE/NAME`: texts that machines fetch.
    pub texts: BTreeMap<String, Vec<u8>>,
    /// By name without the suffix: the text of a master file.
    pub zones: BTreeMap<String, String>,
    pub forwards: Vec<Ipv4Addr>,
    pub commands: Vec<CommandRow>,
    /// The hosts that commands may be about, with their addresses; none where there are no commands.
    pub commanded: BTreeMap<String, Option<Ipv4Addr>>,
    /// In the order of the hosts' names.
    pub roots: Vec<RootRow>,
    pub overlay_files: Vec<OverlayFileRow>,
    /// A site without `audit` says nothing.
    pub keep_secs: Option<u64>,
    pub sinks: Vec<SinkRow>,
    /// A site without `trends` measures nothing.
    pub trends: Option<TrendsRow>,
    /// All hosts, by name.
    pub facts: BTreeMap<String, FactRow>,
    /// What is watched, by id.
    pub checks: BTreeMap<String, CheckRow>,
    /// Who is told.
    pub alerts: Vec<AlertRow>,
    /// By host.
    pub tracked: BTreeMap<String, TrackRow>,
    /// A site without it has no page.
    pub page: Option<PageRow>,
    /// Hosts that run within another machine, by name.
    pub vms: BTreeMap<String, VmRow>,
    /// The hosts that can be switched, by name.
    pub power: BTreeMap<String, PowerRow>,
    /// By name.
    pub schedules: BTreeMap<String, ScheduleRow>,
    /// By name.
    pub rules: BTreeMap<String, RuleRow>,
    /// In the order of their names.
    pub rule_hosts: Vec<RuleHostRow>,
    /// By path in `out/`.
    pub rule_texts: BTreeMap<String, Vec<u8>>,
}

impl Tables {
    /// Reads the files of a generation.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Tables, TableError> {
        let mut tables = Tables {
            networks: rows(files, NETWORKS)?,
            loaders: rows(files, LOADERS)?,
            forwards: rows::<ForwardRow>(files, FORWARDS)?.into_iter().map(|row| row.address).collect(),
            // What a site does not use has no table.
            keep_secs: rows_if_any::<SpoolRow>(files, SPOOL)?.first().map(|row| row.keep_secs),
            sinks: rows_if_any(files, SINKS)?,
            alerts: rows_if_any(files, ALERTS)?,
            page: rows_if_any(files, PAGE)?.into_iter().next(),
            trends: rows_if_any(files, TRENDS)?.pop(),
            commands: rows_if_any(files, COMMANDS)?,
            roots: rows_if_any(files, ROOTS)?,
            overlay_files: rows_if_any(files, OVERLAY_FILES)?,
            rule_hosts: rows_if_any(files, RULE_HOSTS)?,
            ..Tables::default()
        };
        tables.hosts = rows::<HostRow>(files, HOSTS)?.into_iter().map(|row| (row.mac.clone(), row)).collect();
        tables.tracked = rows_if_any::<TrackRow>(files, TRACK)?.into_iter().map(|row| (row.host.clone(), row)).collect();
        tables.facts = rows_if_any::<FactRow>(files, FACTS)?.into_iter().map(|row| (row.host.clone(), row)).collect();
        tables.checks = rows_if_any::<CheckRow>(files, CHECKS)?.into_iter().map(|row| (row.id.clone(), row)).collect();
        tables.rules = rows_if_any::<RuleRow>(files, RULES)?.into_iter().map(|row| (row.rule.clone(), row)).collect();
        tables.vms = rows_if_any::<VmRow>(files, VMS)?.into_iter().map(|row| (row.vm.clone(), row)).collect();
        tables.power = rows_if_any::<PowerRow>(files, POWER)?.into_iter().map(|row| (row.host.clone(), row)).collect();
        tables.schedules = rows_if_any::<ScheduleRow>(files, SCHEDULES)?.into_iter().map(|row| (row.schedule.clone(), row)).collect();
        tables.assets = rows::<AssetRow>(files, ASSETS)?.into_iter().map(|row| (row.path.clone(), row)).collect();
        for network in &tables.networks {
            let told = [network.server, network.gateway].into_iter().flatten().chain(network.dns.iter().copied());
            tables.reserved.extend(told.map(|address| (address, format!("network {}", network.network))));
        }
        if !tables.commands.is_empty() {
            tables.commanded = tables.hosts.values().map(|row| (row.host.clone(), None)).collect();
        }
        for row in rows::<ReservationRow>(files, LEASES)? {
            if !tables.commands.is_empty() {
                tables.commanded.insert(row.host.clone(), Some(row.address));
            }
            tables.reserved.insert(row.address, row.mac.clone().unwrap_or_else(|| row.host.clone()));
            tables.reservations.extend(row.mac.clone().map(|mac| (mac, row)));
        }
        for (path, bytes) in files {
            if let Some(name) = path.strip_prefix(MENUS) {
                tables.menus.insert(name.to_owned(), bytes.clone());
            } else if let Some(name) = path.strip_prefix(TEXTS) {
                tables.texts.insert(name.to_owned(), bytes.clone());
            } else if path.starts_with(RULE_TEXTS) {
                tables.rule_texts.insert(path.clone(), bytes.clone());
            } else if let Some(name) = path.strip_prefix(ZONES).and_then(|name| name.strip_suffix(ZONE_SUFFIX)) {
                let text = String::from_utf8(bytes.clone()).map_err(|_| TableError::Encoding { path: path.clone() })?;
                tables.zones.insert(name.to_owned(), text);
            }
        }
        Ok(tables)
    }

    /// The network in which an address lies.
    pub fn network_of(&self, address: Ipv4Addr) -> Option<&NetworkRow> {
        self.networks.iter().find(|network| network.contains(address))
    }

    /// The network in which the site declares a MAC.
    pub fn home_of(&self, mac: &str) -> Option<&NetworkRow> {
        let reserved = self.reservations.get(mac).and_then(|row| self.network_of(row.address));
        let named = || self.hosts.get(mac).and_then(|row| row.network.as_ref());
        reserved.or_else(|| self.networks.iter().find(|network| named() == Some(&network.network)))
    }

    /// The host that the site gives this MAC.
    pub fn host_of_mac(&self, mac: &str) -> Option<&str> {
        self.hosts.get(mac).map(|row| row.host.as_str())
    }

    /// The host that the site gives this address. One without MAC stands there by its own name.
    pub fn host_of_address(&self, address: Ipv4Addr) -> Option<&str> {
        let owner = self.reserved.get(&address)?;
        let by_mac = self.host_of_mac(owner).or_else(|| self.reservations.get(owner).map(|row| row.host.as_str()));
        // `network lan` is no host: its gateway, server or resolver is none that the site declares.
        by_mac.or_else(|| (!owner.contains(' ')).then_some(owner))
    }

    /// The menu of whoever has this MAC, or else this address.
    pub fn menu_of(&self, mac: Option<&str>, address: Option<Ipv4Addr>) -> Option<&str> {
        let by_mac = mac.and_then(|mac| self.hosts.get(mac)).map(|row| row.menu.as_str());
        by_mac.or_else(|| self.menu_of_address(address?))
    }

    fn menu_of_address(&self, address: Ipv4Addr) -> Option<&str> {
        let owner = self.reserved.get(&address).and_then(|mac| self.hosts.get(mac)).map(|row| row.menu.as_str());
        let pool = || self.network_of(address)?.pools.iter().find(|pool| pool.contains(address));
        owner.or_else(|| pool().map(|pool| pool.menu.as_str()))
    }
}

/// The rows of a table.
pub fn rows<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<Vec<T>, TableError> {
    let bytes = files.get(path).ok_or_else(|| TableError::Missing { path: path.to_owned() })?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let row = |(at, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| TableError::Row { path: path.to_owned(), line: at + 1, what: error.to_string() })
    };
    lines.map(row).collect()
}

/// The rows of a table that not every generation has.
fn rows_if_any<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<Vec<T>, TableError> {
    if files.contains_key(path) { rows(files, path) } else { Ok(Vec::new()) }
}

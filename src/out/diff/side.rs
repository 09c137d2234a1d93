//! One of the two trees, read as far as it is compared.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::view::Menu;
use super::{Files, REACH_NAMES_MAX, Reach};
use crate::out::table::{
    self, ALERTS, ASSETS, AlertRow, AssetRow, CHECKS, CheckRow, COMMANDS, CommandRow, FACTS, FORWARDS, FactRow, ForwardRow, HOSTS, HostRow, LEASES, LOADERS, LoaderRow, MENUS, NETWORKS,
};
use crate::out::table::{NetworkRow, PAGE, POWER, PageRow, PowerRow, ROOTS, ReservationRow, RootRow};
use crate::out::table::{RULES, RULE_HOSTS, RuleHostRow, RuleRow, SCHEDULES, SINKS, SPOOL, ScheduleRow, SinkRow, SpoolRow, TRACK, TRENDS, TableError, TrackRow, TrendsRow, VMS, VmRow};

/// A tree, by the names of its things.
pub(super) struct Side<'f> {
    pub(super) files: &'f Files,
    /// By name.
    pub(super) hosts: Vec<Host>,
    pub(super) networks: BTreeMap<String, NetworkRow>,
    pub(super) menus: BTreeMap<String, Menu>,
    pub(super) assets: BTreeMap<String, AssetRow>,
    /// By name.
    pub(super) schedules: BTreeMap<String, ScheduleRow>,
    /// By firmware.
    pub(super) loaders: BTreeMap<String, LoaderRow>,
    pub(super) forwards: Vec<Ipv4Addr>,
    /// By name.
    pub(super) commands: BTreeMap<String, CommandRow>,
    pub(super) spool: Vec<SpoolRow>,
    pub(super) sinks: Vec<SinkRow>,
    /// By id.
    pub(super) checks: BTreeMap<String, CheckRow>,
    pub(super) alerts: Vec<AlertRow>,
    pub(super) trends: Vec<TrendsRow>,
    /// By host.
    pub(super) tracked: BTreeMap<String, TrackRow>,
    pub(super) page: Vec<PageRow>,
    /// By name.
    pub(super) rules: BTreeMap<String, RuleRow>,
    /// By name of the host.
    pub(super) rule_hosts: BTreeMap<String, RuleHostRow>,
    /// Tables that are not written as we write them, or name a thing twice: their rows are not all that they say.
    pub(super) odd: BTreeSet<&'static str>,
    index: OnceCell<Index>,
}

/// A host with its rows in both tables.
#[derive(Default)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) boot: Vec<HostRow>,
    pub(super) leases: Vec<ReservationRow>,
    pub(super) roots: Vec<RootRow>,
    pub(super) power: Vec<PowerRow>,
    pub(super) facts: Vec<FactRow>,
    pub(super) vms: Vec<VmRow>,
}

impl Host {
    /// Is it the same in all tables?
    pub(super) fn has_same_rows(&self, other: &Host) -> bool {
        let tables = self.boot == other.boot && self.leases == other.leases && self.roots == other.roots;
        tables && self.vms == other.vms && self.power == other.power && self.facts == other.facts
    }

    pub(super) fn macs(&self) -> Vec<&str> {
        few(self.boot.iter().map(|row| row.mac.as_str()).chain(self.leases.iter().filter_map(|row| row.mac.as_deref())))
    }

    pub(super) fn addresses(&self) -> Vec<Ipv4Addr> {
        few(self.leases.iter().map(|row| row.address))
    }

    pub(super) fn menus(&self) -> Vec<&str> {
        few(self.boot.iter().map(|row| row.menu.as_str()))
    }

    pub(super) fn networks(&self) -> Vec<&str> {
        let named = self.boot.iter().filter_map(|row| row.network.as_deref());
        few(named.chain(self.leases.iter().map(|row| row.network.as_str())))
    }

    pub(super) fn leases(&self) -> Vec<Option<u32>> {
        few(self.leases.iter().map(|row| row.lease_secs))
    }
}

/// A small set: most hosts have one of each, and there are many hosts.
fn few<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl<'f> Side<'f> {
    /// How a table is written only matters where the other tree has it otherwise.
    pub(super) fn read(files: &'f Files, other: &Files) -> Result<Side<'f>, TableError> {
        let mut odd = Odd { other, found: BTreeSet::new() };
        let boot: Vec<HostRow> = rows(files, HOSTS, &mut odd)?;
        let leases: Vec<ReservationRow> = rows(files, LEASES, &mut odd)?;
        let forwards: Vec<ForwardRow> = rows(files, FORWARDS, &mut odd)?;
        let facts = rows(files, FACTS, &mut odd)?;
        let vms = rows(files, VMS, &mut odd)?;
        let hosts = hosts(boot, leases, rows(files, ROOTS, &mut odd)?, rows(files, POWER, &mut odd)?, (facts, vms));
        let networks = named(NETWORKS, rows(files, NETWORKS, &mut odd)?, |row: &NetworkRow| &row.network, &mut odd);
        Ok(Side {
            files,
            index: OnceCell::new(),
            hosts,
            networks,
            menus: menus(files),
            assets: named(ASSETS, rows(files, ASSETS, &mut odd)?, |row: &AssetRow| &row.path, &mut odd),
            schedules: named(SCHEDULES, rows(files, SCHEDULES, &mut odd)?, |row: &ScheduleRow| &row.schedule, &mut odd),
            loaders: named(LOADERS, rows(files, LOADERS, &mut odd)?, |row: &LoaderRow| &row.firmware, &mut odd),
            commands: named(COMMANDS, rows(files, COMMANDS, &mut odd)?, |row: &CommandRow| &row.name, &mut odd),
            forwards: forwards.into_iter().map(|row| row.address).collect(),
            spool: rows(files, SPOOL, &mut odd)?,
            sinks: rows(files, SINKS, &mut odd)?,
            checks: named(CHECKS, rows(files, CHECKS, &mut odd)?, |row: &CheckRow| &row.id, &mut odd),
            alerts: rows(files, ALERTS, &mut odd)?,
            trends: rows(files, TRENDS, &mut odd)?,
            tracked: named(TRACK, rows(files, TRACK, &mut odd)?, |row: &TrackRow| &row.host, &mut odd),
            page: rows(files, PAGE, &mut odd)?,
            rules: named(RULES, rows(files, RULES, &mut odd)?, |row: &RuleRow| &row.rule, &mut odd),
            rule_hosts: named(RULE_HOSTS, rows(files, RULE_HOSTS, &mut odd)?, |row: &RuleHostRow| &row.host, &mut odd),
            odd: odd.found,
        })
    }

    /// Calls networks by their new names, so that whoever stays in one has not moved.
    pub(super) fn rename_networks(&mut self, names: &BTreeMap<String, String>) {
        let rename = |name: &mut String| {
            if let Some(new) = names.get(name) {
                name.clone_from(new);
            }
        };
        for host in self.hosts.iter_mut().filter(|_| !names.is_empty()) {
            host.boot.iter_mut().filter_map(|row| row.network.as_mut()).for_each(rename);
            host.leases.iter_mut().for_each(|row| rename(&mut row.network));
            host.facts.iter_mut().filter_map(|row| row.network.as_mut()).for_each(rename);
        }
    }

    /// The machines that get one of these menus.
    pub(super) fn reach_of_menus(&self, menus: &BTreeSet<&str>, touched: &mut Touched) -> Reach {
        let hosts = menus.iter().filter_map(|menu| self.index().hosts_of_menu.get(*menu)).flatten().copied().collect();
        let pools: BTreeSet<&String> = menus.iter().filter_map(|menu| self.index().pools_of_menu.get(*menu)).flatten().collect();
        self.reach(hosts, pools.into_iter().cloned().collect(), menus.contains(DEFAULT_MENU), touched)
    }

    /// Every machine that boots by us: nobody knows which firmware each has.
    pub(super) fn reach_of_all(&self, touched: &mut Touched) -> Reach {
        let menus = self.index().hosts_of_menu.keys().chain(self.index().pools_of_menu.keys());
        self.reach_of_menus(&menus.map(String::as_str).chain([DEFAULT_MENU]).collect(), touched)
    }

    /// The machines of a network.
    pub(super) fn reach_of_network(&self, row: &NetworkRow, touched: &mut Touched) -> Reach {
        let pools = (!row.pools.is_empty()).then(|| row.network.clone()).into_iter().collect();
        self.reach(
            self.index().hosts_of_network.get(&row.network).into_iter().flatten().copied().collect(),
            pools,
            false,
            touched,
        )
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.hosts, &self.networks))
    }

    pub(super) fn reach(&self, places: BTreeSet<usize>, pools: Vec<String>, unknown: bool, touched: &mut Touched) -> Reach {
        let names =
            places.iter().filter_map(|at| self.hosts.get(*at)).take(REACH_NAMES_MAX).map(|host| host.name.clone()).collect();
        let reach = Reach { hosts: places.len(), names, pools, unknown, menus: Vec::new() };
        touched.hosts.extend(places);
        reach
    }
}

/// The menu of machines that nobody declared, where no pool names another.
const DEFAULT_MENU: &str = "default";

/// Places of hosts and networks by what they get: thousands of changes shall not each walk through all of them.
#[derive(Default)]
struct Index {
    hosts_of_menu: BTreeMap<String, Vec<usize>>,
    hosts_of_network: BTreeMap<String, Vec<usize>>,
    /// The names of networks.
    pools_of_menu: BTreeMap<String, Vec<String>>,
}

impl Index {
    fn of(hosts: &[Host], networks: &BTreeMap<String, NetworkRow>) -> Index {
        let mut index = Index::default();
        for (at, host) in hosts.iter().enumerate() {
            host.menus().into_iter().for_each(|menu| put(&mut index.hosts_of_menu, menu, at));
            host.networks().into_iter().for_each(|network| put(&mut index.hosts_of_network, network, at));
        }
        for row in networks.values() {
            row.pools.iter().for_each(|pool| put(&mut index.pools_of_menu, &pool.menu, row.network.clone()));
        }
        index
    }
}

fn put<T>(index: &mut BTreeMap<String, Vec<T>>, name: &str, what: T) {
    match index.get_mut(name) {
        Some(all) => all.push(what),
        None => drop(index.insert(name.to_owned(), vec![what])),
    }
}

/// Which declared hosts get something else than before.
#[derive(Default)]
pub(super) struct Touched {
    /// Places among the new hosts.
    pub(super) hosts: BTreeSet<usize>,
    /// How many are no more.
    pub(super) gone: usize,
}

/// Tables that are written otherwise than we write them.
struct Odd<'f> {
    other: &'f Files,
    found: BTreeSet<&'static str>,
}

/// A table that is absent has no rows; that its file is, is told as such.
fn rows<T: DeserializeOwned + Serialize>(files: &Files, path: &'static str, odd: &mut Odd<'_>) -> Result<Vec<T>, TableError> {
    let Some(bytes) = files.get(path) else { return Ok(Vec::new()) };
    let rows: Vec<T> = table::rows(files, path)?;
    if odd.other.get(path) != Some(bytes) {
        let rest = rows
            .iter()
            .try_fold(bytes.as_slice(), |rest, row| rest.strip_prefix(table::json(row).as_bytes())?.strip_prefix(b"\n"));
        odd.found.extend((rest != Some(&[])).then_some(path));
    }
    Ok(rows)
}

fn named<T>(path: &'static str, rows: Vec<T>, name: impl Fn(&T) -> &String, odd: &mut Odd<'_>) -> BTreeMap<String, T> {
    let count = rows.len();
    let by_name: BTreeMap<String, T> = rows.into_iter().map(|row| (name(&row).clone(), row)).collect();
    odd.found.extend((by_name.len() < count).then_some(path));
    by_name
}

/// The tables come sorted by host, so that this takes a walk and no search.
fn hosts(
    mut boot: Vec<HostRow>,
    mut leases: Vec<ReservationRow>,
    mut roots: Vec<RootRow>,
    mut power: Vec<PowerRow>,
    (mut facts, mut vms): (Vec<FactRow>, Vec<VmRow>),
) -> Vec<Host> {
    boot.sort_by(|a, b| (&a.host, &a.mac, &a.menu, &a.network).cmp(&(&b.host, &b.mac, &b.menu, &b.network)));
    leases.sort_by(|a, b| {
        (&a.host, &a.mac, a.address, &a.network, a.lease_secs).cmp(&(&b.host, &b.mac, b.address, &b.network, b.lease_secs))
    });
    roots.sort_by(|a, b| (&a.host, &a.export).cmp(&(&b.host, &b.export)));
    power.sort_by(|a, b| (&a.host, &a.schedule).cmp(&(&b.host, &b.schedule)));
    facts.sort_by(|a, b| a.host.cmp(&b.host));
    vms.sort_by(|a, b| a.vm.cmp(&b.vm));
    let (mut facts, mut vms) = (facts.into_iter().peekable(), vms.into_iter().peekable());
    let (mut boot, mut leases) = (boot.into_iter().peekable(), leases.into_iter().peekable());
    let (mut roots, mut power, mut hosts) = (roots.into_iter().peekable(), power.into_iter().peekable(), Vec::new());
    loop {
        let next = [boot.peek().map(|row| &row.host), leases.peek().map(|row| &row.host), roots.peek().map(|row| &row.host)];
        let others = [power.peek().map(|row| &row.host), facts.peek().map(|row| &row.host), vms.peek().map(|row| &row.vm)];
        let Some(name) = next.into_iter().chain(others).flatten().min().cloned() else { break };
        let mut host = Host { name, ..Host::default() };
        host.boot.extend(std::iter::from_fn(|| boot.next_if(|row| row.host == host.name)));
        host.leases.extend(std::iter::from_fn(|| leases.next_if(|row| row.host == host.name)));
        host.roots.extend(std::iter::from_fn(|| roots.next_if(|row| row.host == host.name)));
        host.power.extend(std::iter::from_fn(|| power.next_if(|row| row.host == host.name)));
        host.facts.extend(std::iter::from_fn(|| facts.next_if(|row| row.host == host.name)));
        host.vms.extend(std::iter::from_fn(|| vms.next_if(|row| row.vm == host.name)));
        hosts.push(host);
    }
    hosts
}

fn menus(files: &Files) -> BTreeMap<String, Menu> {
    let mut menus: BTreeMap<String, Menu> = BTreeMap::new();
    for (path, bytes) in files.range(MENUS.to_owned()..).take_while(|(path, _)| path.starts_with(MENUS)) {
        let Some((name, loader)) = path.strip_prefix(MENUS).and_then(|file| file.rsplit_once('.')) else { continue };
        menus.entry(name.to_owned()).or_default().add(loader, bytes);
    }
    menus
}

//! A generation's tables → what is watched, and what lies before what.
//!
//! ```text
//!  link to lan ◄── gateway of hall ◄── hall-01 ping ◄── hall-01 tcp 22
//!       ▲                                     ▲ a host's other checks hang on its ping
//!       └── nas ping ◄── nas tcp 445
//! ```
//! A link and a router that the site does not check itself are watched because of what lies behind them:
//! such a check is implied.
//!
//! **Invariant:** a check has at most one parent, and no chain of parents is a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::out::table::{Ask, CheckRow, FactRow, NetworkRow, Tables};

/// What a link's check is called.
pub const LINK: &str = "link";
/// One failure proves little where nobody asked for the check.
const IMPLIED_FAILS_MIN: u32 = 2;

/// How something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Ping(Ipv4Addr),
    Tcp(Ipv4Addr, u16),
    /// A URL.
    Http(String),
    /// The server, and the name that it shall know.
    Dns(Ipv4Addr, String),
    /// An interface of this machine that lies in this network: its first address and its mask.
    Link(Ipv4Addr, Ipv4Addr),
}

/// One check of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub host: String,
    pub check: String,
    pub probe: Probe,
    pub every_secs: u64,
    pub fails: u32,
    /// The check without which this one proves nothing.
    pub parent: Option<String>,
    pub schedule: Option<String>,
    /// Nobody asked for it: it is there for what lies behind it.
    pub is_implied: bool,
}

/// All that is watched, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub checks: BTreeMap<String, Watched>,
    /// Parent → the checks that hang on it.
    children: BTreeMap<String, Vec<String>>,
}

impl Plan {
    pub fn of(tables: &Tables) -> Plan {
        let mut plan = Plan::default();
        for (id, row) in &tables.checks {
            let schedule = tables.power.get(&row.host).and_then(|power| power.schedule.clone());
            plan.checks.insert(id.clone(), watched(row, schedule));
        }
        let by_address = tables.facts.values().filter_map(|row| Some((row.address?, row.host.as_str())));
        let hosts: BTreeMap<Ipv4Addr, &str> = by_address.collect();
        let mut open: Vec<String> = plan.checks.keys().cloned().collect();
        // What is implied may hang on something itself.
        while let Some(id) = open.pop() {
            let Some((parent, implied)) = plan.checks.get(&id).and_then(|watched| plan.parent_of(watched, tables, &hosts)) else {
                continue;
            };
            let Some(child) = plan.checks.get_mut(&id) else { continue };
            child.parent = Some(parent.clone());
            let (every, fails) = (child.every_secs, child.fails.max(IMPLIED_FAILS_MIN));
            if let Some(fresh) = implied.filter(|_| !plan.checks.contains_key(&parent)) {
                plan.checks.insert(parent.clone(), fresh);
                open.push(parent.clone());
            }
            // As often as the busiest of those behind it.
            if let Some(before) = plan.checks.get_mut(&parent).filter(|before| before.is_implied) {
                before.every_secs = before.every_secs.min(every);
                before.fails = before.fails.min(fails);
            }
        }
        plan.break_circles();
        for (id, watched) in &plan.checks {
            if let Some(parent) = &watched.parent {
                plan.children.entry(parent.clone()).or_default().push(id.clone());
            }
        }
        plan
    }

    /// The check that this one hangs on, and how it is asked where the site does not say so.
    fn parent_of(
        &self,
        watched: &Watched,
        tables: &Tables,
        hosts: &BTreeMap<Ipv4Addr, &str>,
    ) -> Option<(String, Option<Watched>)> {
        if watched.check == LINK {
            return None;
        }
        let ping = id(&watched.host, "ping");
        if watched.check != "ping" && self.checks.contains_key(&ping) {
            return Some((ping, None));
        }
        let fact = tables.facts.get(&watched.host);
        let is_server = |address| tables.networks.iter().any(|network| network.server == Some(address));
        if fact.and_then(|row| row.address).is_some_and(is_server) {
            // The boot server reaches itself by no cable.
            return None;
        }
        match fact {
            Some(FactRow { behind: Some(router), network, .. }) => {
                Some(self.router(*router, network.as_deref(), hosts.get(router).copied(), tables))
            }
            Some(FactRow { behind: None, address, .. }) => link(way((*address)?, tables)?),
            // An implied router that no host is.
            None => {
                let Probe::Ping(address) = watched.probe else { return None };
                link(way(address, tables)?)
            }
        }
    }

    fn router(&self, address: Ipv4Addr, network: Option<&str>, host: Option<&str>, tables: &Tables) -> (String, Option<Watched>) {
        // Not every router answers a ping: what the site checks of it is better than what we think of.
        let own = host.filter(|host| !self.checks.contains_key(&id(host, "ping")));
        // The id of a check begins with its host.
        let first = |host: &str| self.checks.range(id(host, "")..).next().filter(|(_, watched)| watched.host == host);
        if let Some((id, _)) = own.and_then(first) {
            return (id.clone(), None);
        }
        let name = host.map_or_else(|| format!("gateway of {}", network.unwrap_or_default()), str::to_owned);
        let schedule = tables.power.get(&name).and_then(|power| power.schedule.clone());
        (id(&name, "ping"), Some(implied(&name, "ping", Probe::Ping(address), schedule)))
    }

    /// Two routers that each stand behind the other hang on nothing.
    fn break_circles(&mut self) {
        let ids: Vec<String> = self.checks.keys().cloned().collect();
        for id in ids {
            let (mut seen, mut at) = (BTreeSet::new(), id.clone());
            while let Some(parent) = self.checks.get(&at).and_then(|watched| watched.parent.clone()) {
                if !seen.insert(at.clone()) {
                    if let Some(watched) = self.checks.get_mut(&at) {
                        watched.parent = None;
                    }
                    break;
                }
                at = parent;
            }
        }
    }

    pub fn children(&self, id: &str) -> &[String] {
        self.children.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that hangs on it, near or far.
    pub fn descendants(&self, id: &str) -> Vec<String> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(next) = open.pop() {
            for child in self.children(next) {
                found.push(child.clone());
                open.push(child);
            }
        }
        found
    }
}

fn id(host: &str, check: &str) -> String {
    format!("{host} {check}")
}

fn watched(row: &CheckRow, schedule: Option<String>) -> Watched {
    let probe = match &row.ask {
        Ask::Ping => Probe::Ping(row.address),
        Ask::Tcp(port) => Probe::Tcp(row.address, *port),
        Ask::Http(url) => Probe::Http(url.clone()),
        Ask::Dns(name) => Probe::Dns(row.address, name.clone()),
    };
    Watched {
        host: row.host.clone(),
        check: row.check.clone(),
        probe,
        every_secs: row.every_secs.max(1),
        fails: row.fails.max(1),
        parent: None,
        schedule,
        is_implied: false,
    }
}

fn implied(host: &str, check: &str, probe: Probe, schedule: Option<String>) -> Watched {
    let (every_secs, fails) = (u64::MAX, u32::MAX);
    Watched { host: host.to_owned(), check: check.to_owned(), probe, every_secs, fails, parent: None, schedule, is_implied: true }
}

/// The network in which the boot server stands, on its way to whoever lies before all others.
fn way(address: Ipv4Addr, tables: &Tables) -> Option<&NetworkRow> {
    let network = tables.network_of(address)?;
    let mut own = tables.networks.iter().filter(|network| network.server.is_some());
    match (network.server, own.next(), own.next()) {
        (Some(_), _, _) | (None, None, _) => Some(network),
        (None, Some(only), None) => Some(only),
        // Of several, nothing says by which one.
        (None, Some(_), Some(_)) => None,
    }
}

/// The boot server's own way into a network.
fn link(network: &NetworkRow) -> Option<(String, Option<Watched>)> {
    let name = format!("{LINK} to {}", network.network);
    Some((id(&name, LINK), Some(implied(&name, LINK, Probe::Link(network.first, network.mask), None))))
}

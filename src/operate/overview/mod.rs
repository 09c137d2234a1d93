//! What a person who was away wants to see first: what is wrong, then every host with its state, who is new, what the
//! services do. The page and `pxelator status` show the same values.
//!
//! ```text
//!  Tables + leases + Seen (checks, alerts) + Recent (records) + now ──► Overview
//! ```
//! **Invariant:** a function of its values; the time comes in. One walk over the hosts, whatever their number.

mod recent;
mod strangers;
pub mod words;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::Serialize;

pub use recent::{Happened, RECENT_MICROS, Recent};
pub use strangers::Stranger;

use super::monitor::seen::{CheckSeen, Seen, State};
use crate::answer::dhcp::Lease;
use crate::answer::power::{Action, Schedule};
use crate::out::table::{FactRow, NetworkRow, PoolRow, Tables};

/// How long something that happened tells that a host is on, in microseconds, where no check asks it.
const KNOWN_MICROS: i64 = 3_600 * 1_000_000;
/// Why a host is off, where its schedule has it so.
const BY_SCHEDULE: &str = "by its schedule";
/// How long checks may take beyond their own time, in seconds, until it is said that nobody asks.
const LATE_SECS: i64 = 300;

/// All that an overview is made of.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k> {
    pub tables: &'k Tables,
    /// `None` where only the server knows them.
    pub leases: Option<&'k [Lease]>,
    /// `None` where nothing was ever watched.
    pub seen: Option<&'k Seen>,
    pub recent: &'k Recent,
    pub services: &'k [ServiceUse],
    pub now: Timestamp,
}

/// Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    pub at: i64,
    /// The newest first.
    pub wrong: Vec<Wrong>,
    pub tally: Tally,
    pub networks: Vec<NetworkView>,
    pub unknown: Vec<Stranger>,
    pub services: Vec<ServiceUse>,
}

/// Something that somebody should look after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// `serve` (told by `pxelator status` alone), `alert`, `pool`, `power`, `address`, `help`, `dns`, `audit`, `syslog`, `schedule`, `checks`
    pub kind: &'static str,
    pub host: Option<String>,
    pub text: String,
    pub since: i64,
    /// Hosts that cannot be reached because of it.
    pub behind: Vec<String>,
}

/// How many hosts are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub hosts: usize,
    pub up: usize,
    pub failing: usize,
    pub down: usize,
    pub behind: usize,
    pub off: usize,
    pub unknown: usize,
}

/// A network with its groups; hosts that stand in none are together, without a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkView {
    pub network: Option<String>,
    /// `10.77.0.0/24`
    pub range: Option<String>,
    pub tally: Tally,
    /// Addresses of its pools, and how many of them somebody holds.
    pub pool: Option<PoolUse>,
    pub groups: Vec<GroupView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PoolUse {
    pub size: u64,
    pub held: u64,
}

/// A group, by the names of those around it and its own; hosts in none come first, without a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroupView {
    pub group: Option<String>,
    pub hosts: Vec<HostView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostView {
    pub host: String,
    pub address: Option<Ipv4Addr>,
    pub state: State,
    /// Since when it is in it, as far as that is known.
    pub since: Option<i64>,
    /// Why it is in it, where that is not plain.
    pub why: Option<String>,
    /// When its firmware asked for an address last, within the last day.
    pub booted: Option<i64>,
    pub schedule: Option<Wanted>,
}

/// What a host's schedule wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    pub schedule: String,
    pub on: bool,
    /// When it wants the other.
    pub next: Option<i64>,
}

/// A service, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceUse {
    pub name: String,
    /// Since the start.
    pub requests: u64,
    /// Of the last minute; `None` where nobody counted.
    pub per_second: Option<f64>,
}

/// By name; `""` has those that stand in none.
type Groups = BTreeMap<String, Vec<HostView>>;

/// The overview of a moment.
pub fn overview(known: &Known<'_>) -> Overview {
    let schedules = wanted(known);
    let mut checks: BTreeMap<&str, Vec<&CheckSeen>> = BTreeMap::new();
    for check in known.seen.iter().flat_map(|seen| &seen.checks) {
        checks.entry(&check.host).or_default().push(check);
    }
    let mut networks: BTreeMap<Option<&str>, (Tally, Groups)> = BTreeMap::new();
    for row in known.tables.facts.values() {
        let asked = checks.get(row.host.as_str()).map_or(&[][..], Vec::as_slice);
        let host = host(known, row, asked, &schedules);
        let (tally, groups) = networks.entry(row.network.as_deref()).or_default();
        tally.add(host.state);
        groups.entry(row.groups.join(" / ")).or_default().push(host);
    }
    let mut views: Vec<NetworkView> = known.tables.networks.iter().map(|row| network(known, row)).collect();
    views.extend(networks.contains_key(&None).then(NetworkView::default));
    for view in &mut views {
        let (tally, groups) = networks.remove(&view.network.as_deref()).unwrap_or_default();
        view.tally = tally;
        let named = |name: String| Some(name).filter(|name| !name.is_empty());
        view.groups = groups.into_iter().map(|(group, hosts)| GroupView { group: named(group), hosts }).collect();
    }
    Overview {
        at: known.now.as_second(),
        wrong: wrong(known, &views),
        tally: views.iter().fold(Tally::default(), |all, view| all.and(view.tally)),
        unknown: strangers::strangers(known),
        services: known.services.to_vec(),
        networks: views,
    }
}

/// One host alone.
pub fn host_view(known: &Known<'_>, name: &str) -> Option<HostView> {
    let row = known.tables.facts.get(name)?;
    let asked: Vec<&CheckSeen> = known.seen.iter().flat_map(|seen| &seen.checks).filter(|check| check.host == name).collect();
    Some(host(known, row, &asked, &wanted(known)))
}

/// What each schedule wants; one that cannot be read wants nothing here.
fn wanted(known: &Known<'_>) -> BTreeMap<String, Wanted> {
    let one = |(name, row): (&String, _)| {
        let schedule = Schedule::read(row).ok()?;
        let on = schedule.wanted(known.now) == Action::On;
        let next = schedule.next(known.now).map(|edge| edge.at.as_second());
        Some((name.clone(), Wanted { schedule: name.clone(), on, next }))
    };
    known.tables.schedules.iter().filter_map(one).collect()
}

fn host(known: &Known<'_>, row: &FactRow, checks: &[&CheckSeen], schedules: &BTreeMap<String, Wanted>) -> HostView {
    let power = known.tables.power.get(&row.host).and_then(|power| power.schedule.as_ref());
    let schedule = power.and_then(|name| schedules.get(name)).cloned();
    let heard = known.recent.hosts.get(&row.host).copied().unwrap_or_default();
    let age = |at: i64| known.now.as_microsecond() - at;
    let worst = checks.iter().max_by_key(|check| severity(check.state)).filter(|check| check.state != State::Unknown);
    let unable = || checks.iter().find_map(|check| Some(format!("{}: {}", check.check, check.unable()?)));
    let told = heard.is_on.filter(|(_, at)| age(*at) < KNOWN_MICROS);
    let (state, since, why) = match (worst, told) {
        (Some(check), _) => {
            let why = match check.state {
                // A check that is off has no word of its own.
                State::Off => Some(BY_SCHEDULE.to_owned()),
                State::Up => None,
                State::Unknown | State::Failing | State::Down | State::Behind => {
                    check.why.as_ref().map(|why| format!("{}: {why}", check.check))
                }
            };
            (check.state, Some(check.since), why)
        }
        (None, Some((true, at))) => (State::Up, Some(secs(at)), Some("no check asks it; it was heard then".to_owned())),
        (None, Some((false, at))) => (State::Off, Some(secs(at)), None),
        (None, None) if schedule.as_ref().is_some_and(|wanted| !wanted.on) => (State::Off, None, Some(BY_SCHEDULE.to_owned())),
        (None, None) => (State::Unknown, None, unable()),
    };
    let booted = heard.booted.filter(|at| age(*at) < RECENT_MICROS).map(secs);
    HostView { host: row.host.clone(), address: row.address, state, since, why, booted, schedule }
}

/// The worst of several checks is what a host is.
fn severity(state: State) -> u8 {
    match state {
        State::Unknown => 0,
        State::Up => 1,
        State::Off => 2,
        State::Behind => 3,
        State::Failing => 4,
        State::Down => 5,
    }
}

fn network(known: &Known<'_>, row: &NetworkRow) -> NetworkView {
    let leases = known.leases.filter(|_| !row.pools.is_empty());
    let pool =
        leases.map(|leases| PoolUse { size: pool_size(known.tables, row), held: held(leases, row, known.now).count() as u64 });
    let bits = u32::from(row.mask).leading_ones();
    NetworkView {
        network: Some(row.network.clone()),
        range: Some(format!("{}/{bits}", row.first)),
        pool,
        ..NetworkView::default()
    }
}

/// How many addresses of a network's pools anybody can get: those that are reserved nobody gets.
pub fn pool_size(tables: &Tables, row: &NetworkRow) -> u64 {
    let size = |first: Ipv4Addr, last: Ipv4Addr| {
        let all = u64::from(u32::from(last)).saturating_sub(u64::from(u32::from(first))) + 1;
        all.saturating_sub(tables.reserved.range(first..=last).count() as u64)
    };
    row.pools.iter().map(|pool| size(pool.first, pool.last)).sum()
}

/// The leases of a network's pools that count, with the pool that each is of.
fn held<'k>(leases: &'k [Lease], row: &'k NetworkRow, now: Timestamp) -> impl Iterator<Item = (&'k Lease, &'k PoolRow)> {
    let now = u64::try_from(now.as_second()).unwrap_or(0);
    let pool = |lease: &'k Lease| row.pools.iter().find(|pool| pool.contains(lease.address));
    leases.iter().filter(move |lease| lease.until > now).filter_map(move |lease| Some((lease, pool(lease)?)))
}

/// Networks of whose pools nobody gets an address any more. Each is full since somebody got none, or, where nobody
/// was refused yet, since the last lease was granted or renewed: when it began before that, nobody knows.
fn full(known: &Known<'_>, networks: &[NetworkView]) -> Vec<Wrong> {
    let one = |view: &NetworkView| {
        let pool = view.pool.filter(|pool| pool.held >= pool.size)?;
        let name = view.network.clone()?;
        let refused = known.recent.troubles.get(&("pool", name.clone())).map(|trouble| secs(trouble.since));
        let row = known.tables.networks.iter().find(|row| row.network == name)?;
        let begun =
            |(lease, pool): (&Lease, &PoolRow)| i64::try_from(lease.until.saturating_sub(u64::from(pool.lease_secs))).ok();
        let granted = held(known.leases.unwrap_or_default(), row, known.now).filter_map(begun).max();
        let now = known.now.as_second();
        let since = refused.or(granted).map_or(now, |since| since.min(now));
        Some(plain("pool", format!("network {name} has no free address: all {} are held", pool.size), since))
    };
    networks.iter().filter_map(one).collect()
}

fn plain(kind: &'static str, text: String, since: i64) -> Wrong {
    Wrong { kind, host: None, text, since, behind: Vec::new() }
}

fn wrong(known: &Known<'_>, networks: &[NetworkView]) -> Vec<Wrong> {
    let now = known.now.as_second();
    let open = known.seen.iter().flat_map(|seen| &seen.alerts).filter(|alert| alert.resolved.is_none());
    let mut all: Vec<Wrong> = open
        .map(|alert| Wrong {
            kind: "alert",
            // The router of a network need not be a host.
            host: Some(alert.host.clone()).filter(|host| known.tables.facts.contains_key(host)),
            text: match known.tables.facts.contains_key(&alert.host) {
                true => format!("{}: {}", alert.check, alert.why),
                false => format!("{}, {}: {}", alert.host, alert.check, alert.why),
            },
            since: alert.fired,
            behind: alert.behind.clone(),
        })
        .collect();
    let lately = known.recent.troubles.iter().filter(|(_, trouble)| known.now.as_microsecond() - trouble.at < RECENT_MICROS);
    // Whoever knows the leases sees whether a pool has room again, and tells one that has none once.
    for ((kind, _), trouble) in lately.filter(|((kind, _), _)| *kind != "pool" || known.leases.is_none()) {
        all.push(Wrong { host: trouble.host.clone(), ..plain(kind, trouble.text.clone(), secs(trouble.since)) });
    }
    all.extend(full(known, networks));
    for (why, (count, since)) in known.seen.into_iter().flat_map(Seen::unable) {
        let checks = if count == 1 { "1 check".to_owned() } else { format!("{count} checks") };
        all.push(plain("checks", format!("{checks} cannot be asked: {why}"), since));
    }
    for (name, row) in &known.tables.schedules {
        let warning = Schedule::read(row).ok().and_then(|schedule| schedule.holidays_warning(name, known.now));
        all.extend(warning.map(|text| plain("schedule", text, now)));
    }
    all.extend(
        late(known)
            .map(|at| plain("checks", "nobody asks the hosts: `pxelator serve` does not run, or stands still".to_owned(), at)),
    );
    all.sort_by_key(|wrong| std::cmp::Reverse(wrong.since));
    all
}

/// When a host was asked last, where that is longer ago than any check allows.
fn late(known: &Known<'_>) -> Option<i64> {
    let every = known.tables.checks.values().map(|check| check.every_secs).max()?;
    let last = known.seen?.checks.iter().map(|check| check.at).max()?;
    let allowed = i64::try_from(every).unwrap_or(i64::MAX).saturating_mul(2).saturating_add(LATE_SECS);
    (last > 0 && known.now.as_second() - last > allowed).then_some(last)
}

fn secs(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}

impl Tally {
    fn add(&mut self, state: State) {
        self.hosts += 1;
        match state {
            State::Unknown => self.unknown += 1,
            State::Up => self.up += 1,
            State::Failing => self.failing += 1,
            State::Down => self.down += 1,
            State::Behind => self.behind += 1,
            State::Off => self.off += 1,
        }
    }

    fn and(self, other: Tally) -> Tally {
        Tally {
            hosts: self.hosts + other.hosts,
            up: self.up + other.up,
            failing: self.failing + other.failing,
            down: self.down + other.down,
            behind: self.behind + other.behind,
            off: self.off + other.off,
            unknown: self.unknown + other.unknown,
        }
    }
}

#[cfg(test)]
mod tests;

//! The figures of this minute: asked for once, from whoever knows them.

use std::collections::BTreeMap;
use std::path::Path;

use super::series::{Kind, Series};
use super::{STEP_SECS, machines};
use crate::answer::dhcp::LeaseState;
use crate::operate::monitor::seen::{Seen, State};
use crate::operate::overview::pool_size;
use crate::out::table::Tables;
use crate::serve::Handle;

/// A row for a file: a value for each of its sources.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) series: Series,
    pub(super) values: Vec<Option<f64>>,
}

/// An answer that is older than so many steps is none of this minute.
const FRESH_STEPS: i64 = 3;

fn figure(kind: Kind, name: &str, values: Vec<Option<f64>>) -> Option<Figure> {
    Some(Figure { series: Series::of(kind, name)?, values })
}

/// All but boots.
pub(super) fn all(handle: &Handle, tables: &Tables, seen: Option<&Seen>, now: i64) -> Vec<Figure> {
    let mut figures = leases(handle, tables, now);
    let counts = handle.counts.all();
    figures.extend(counts.into_iter().filter_map(|(service, count)| figure(Kind::Requests, service, vec![Some(count as f64)])));
    figures.extend(seen.into_iter().flat_map(|seen| pings(seen, now)));
    figures.extend(of_machines(Path::new(machines::ROOT)));
    figures
}

/// Of each network with pools: how many of their addresses are granted, and how many there are.
fn leases(handle: &Handle, tables: &Tables, now: i64) -> Vec<Figure> {
    let rows = handle.leases.rows();
    let granted = rows
        .iter()
        .filter(|lease| lease.state == LeaseState::Granted && i64::try_from(lease.until).is_ok_and(|until| until > now));
    let mut used: BTreeMap<&str, u64> = BTreeMap::new();
    for network in granted.filter_map(|lease| tables.network_of(lease.address)) {
        *used.entry(&network.network).or_default() += 1;
    }
    let pools = tables.networks.iter().filter(|network| !network.pools.is_empty());
    let figures = pools.filter_map(|network| {
        let size = pool_size(tables, network);
        let used = used.get(network.network.as_str()).copied().unwrap_or_default();
        figure(Kind::Leases, &network.network, vec![Some(used as f64), Some(size as f64)])
    });
    figures.collect()
}

/// A host that does not answer has a gap.
fn pings(seen: &Seen, now: i64) -> impl Iterator<Item = Figure> {
    let oldest = now - FRESH_STEPS * i64::try_from(STEP_SECS).unwrap_or(0);
    seen.checks.iter().filter(|check| check.check == "ping").filter_map(move |check| {
        let answers = check.at >= oldest && matches!(check.state, State::Up | State::Unknown | State::Down);
        figure(Kind::Ping, &check.host, vec![check.millis.filter(|_| answers)])
    })
}

pub(super) fn of_machines(root: &Path) -> Vec<Figure> {
    let running = machines::running(root);
    let rows = running.iter().flat_map(|machine| {
        [
            figure(Kind::Cpu, &machine.name, vec![machine.cpu_micros]),
            figure(Kind::Memory, &machine.name, vec![machine.memory_bytes]),
            figure(Kind::Disk, &machine.name, vec![machine.read_bytes, machine.written_bytes]),
        ]
    });
    rows.flatten().collect()
}

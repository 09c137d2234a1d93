//! Pool leases in memory: who has which address, until when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::event::Event;
use crate::out::table::PoolRow;

/// How long an offer is held, in seconds: longer than the slowest ROM takes to ask.
pub const OFFER_SECS: u64 = 60;
/// How long a declined address rests, in seconds.
pub const DECLINED_SECS: u64 = 3600;
/// How many leases are kept; beyond them offers are not held (a flood of MACs must not fill the memory).
const LEASES_MAX: usize = 1 << 20;
/// How many addresses near the client's own place are tried before a pool is searched in full.
const NEAR_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    Offered,
    Granted,
    Declined,
}

/// A pool address that is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub mac: String,
    pub address: Ipv4Addr,
    pub until: u64,
    pub state: LeaseState,
}

/// All of them, by address, by client, and by the end of their time.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    by_address: BTreeMap<Ipv4Addr, Lease>,
    /// A client may have one in each network; declined ones are nobody's.
    by_mac: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    by_end: BTreeSet<(u64, Ipv4Addr)>,
    /// A pool's first address → until when it surely is full.
    full: BTreeMap<Ipv4Addr, u64>,
    /// Addresses whose row on disk may be out of date.
    changed: BTreeSet<Ipv4Addr>,
}

impl Leases {
    /// What a client has, or is offered.
    pub fn of(&self, mac: &str) -> impl Iterator<Item = &Lease> {
        let addresses = self.by_mac.get(mac).into_iter().flatten();
        addresses.filter_map(|address| self.by_address.get(address))
    }

    pub fn at(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.by_address.get(&address)
    }

    pub fn owner(&self, address: Ipv4Addr) -> Option<&str> {
        self.by_address.get(&address).map(|lease| lease.mac.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.by_address.values()
    }

    /// The addresses whose rows on disk must be written anew.
    pub fn take_changed(&mut self) -> BTreeSet<Ipv4Addr> {
        std::mem::take(&mut self.changed)
    }

    /// Is there anything to write?
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Rows that could not be written: they are still to be.
    pub fn put_back(&mut self, changed: &mut BTreeSet<Ipv4Addr>) {
        self.changed.append(changed);
    }

    /// Free for this client: nobody's, its own, or run out.
    pub fn is_free(&self, address: Ipv4Addr, mac: &str, now: u64) -> bool {
        let Some(lease) = self.by_address.get(&address) else { return true };
        lease.until <= now || (lease.mac == mac && lease.state != LeaseState::Declined)
    }

    /// An address of the pool that `usable` allows and nobody has. Starts at a place that the MAC chooses:
    /// a client that comes back after its lease ran out most likely gets its old address, and neighbours
    /// do not fight for the first free one.
    pub fn search(&self, pool: &PoolRow, mac: &str, now: u64, usable: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        if self.full.get(&pool.first).is_some_and(|until| now < *until) {
            return None;
        }
        let free = |address: &Ipv4Addr| usable(*address) && self.is_free(*address, mac, now);
        let near = candidates(pool, mac).take(NEAR_MAX).find(free);
        let ended = || {
            let ended = self.by_end.iter().take_while(|(until, _)| *until <= now).map(|(_, address)| *address);
            ended.filter(|address| pool.contains(*address)).take(NEAR_MAX).find(free)
        };
        near.or_else(ended).or_else(|| candidates(pool, mac).find(free))
    }

    /// Takes note of what happened; the only way in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::LeaseOffered { mac, address, until } => {
                // An offer must not shorten a lease that the client still has.
                let keeps = self
                    .by_address
                    .get(address)
                    .is_some_and(|lease| lease.mac == *mac && lease.state == LeaseState::Granted && lease.until >= *until);
                if !keeps && self.by_address.len() < LEASES_MAX {
                    self.insert(mac, *address, *until, LeaseState::Offered);
                }
            }
            Event::LeaseGranted { mac, address, until } => {
                // The client has this address now, and lets go of all others.
                let others: Vec<Ipv4Addr> = self.of(mac).map(|lease| lease.address).filter(|other| other != address).collect();
                others.into_iter().for_each(|other| self.remove(other));
                self.insert(mac, *address, *until, LeaseState::Granted);
            }
            Event::AddressDeclined { mac, address, until } => self.insert(mac, *address, *until, LeaseState::Declined),
            Event::LeaseReleased { mac, address } => {
                if self.owner(*address) == Some(mac.as_str()) {
                    self.remove(*address);
                }
            }
            Event::PoolExhausted { first, .. } => {
                let in_pool = self.by_end.iter().find(|(_, address)| address >= first).map(|(until, _)| *until);
                self.full.extend(in_pool.map(|until| (*first, until)));
            }
            Event::ClientDiscovered { .. }
            | Event::ReservationOffered { .. }
            | Event::ReservationGranted { .. }
            | Event::ReservationDeclined { .. }
            | Event::RequestRefused { .. }
            | Event::LoaderOffered { .. }
            | Event::CommandGiven { .. }
            | Event::CommandRefused { .. }
            | Event::LabelsGuessed { .. }
            | Event::HelpCalled { .. }
            | Event::StatusAsked { .. }
            | Event::LineLogged(_)
            | Event::LinesDropped { .. }
            | Event::RecordsLost { .. }
            | Event::RecordsDeleted { .. }
            | Event::DocumentRefused { .. }
            | Event::MachinePulled { .. }
            | Event::MachineNotPulled { .. }
            | Event::PathRestored { .. }
            | Event::PathHalfRestored { .. }
            | Event::AlertFired { .. }
            | Event::AlertResolved { .. }
            | Event::AlertSent { .. }
            | Event::AlertUndelivered { .. }
            | Event::RuleSeen { .. }
            | Event::RuleApplied { .. }
            | Event::RuleFailed { .. }
            | Event::PowerAsked { .. }
            | Event::PowerChanged { .. }
            | Event::PowerKept { .. }
            | Event::PowerFailed { .. }
            | Event::PowerSeen { .. }
            | Event::WakeSent { .. }
            | Event::FileAsked { .. } => {}
        }
    }

    fn insert(&mut self, mac: &str, address: Ipv4Addr, until: u64, state: LeaseState) {
        self.remove(address);
        if state != LeaseState::Declined {
            self.by_mac.entry(mac.to_owned()).or_default().insert(address);
        }
        self.by_end.insert((until, address));
        self.by_address.insert(address, Lease { mac: mac.to_owned(), address, until, state });
        self.changed.insert(address);
    }

    fn remove(&mut self, address: Ipv4Addr) {
        let Some(lease) = self.by_address.remove(&address) else { return };
        self.by_end.remove(&(lease.until, address));
        if let Some(own) = self.by_mac.get_mut(&lease.mac) {
            own.remove(&address);
            if own.is_empty() {
                self.by_mac.remove(&lease.mac);
            }
        }
        self.full.clear();
        self.changed.insert(address);
    }
}

/// All addresses of a pool, from the place that the MAC chooses.
fn candidates(pool: &PoolRow, mac: &str) -> impl Iterator<Item = Ipv4Addr> + use<> {
    let (first, size) = (u32::from(pool.first), u64::from(u32::from(pool.last) - u32::from(pool.first)) + 1);
    // FNV-1a: any even spread will do, but it must be the same on every run.
    let hash = mac.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let start = hash % size;
    (0..size).map(move |n| Ipv4Addr::from(first + ((start + n) % size) as u32))
}

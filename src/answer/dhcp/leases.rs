//! Pool leases in memory: who has which address, until when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::event::Event;
use crate::out::table::PoolRow;

/// How long an offer is held, in seconds: longer than the slowest ROM takes to ask.
pub const OFFER_SECS: u64 = 60;
/// How long a declined address rests, in seconds.
pub const DECLINED_SECS: u64 = 3600;
/// How many leases are kept; beyond them offers are not held (a flood of MACs must not fill the memory).
const LEASES_MAX: usize = 1 << 20;

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

/// All of them, by address and by client.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    by_address: BTreeMap<Ipv4Addr, Lease>,
    by_mac: BTreeMap<String, Ipv4Addr>,
}

impl Leases {
    pub fn of(&self, mac: &str) -> Option<&Lease> {
        self.by_mac.get(mac).and_then(|address| self.by_address.get(address))
    }

    pub fn owner(&self, address: Ipv4Addr) -> Option<&str> {
        self.by_address.get(&address).map(|lease| lease.mac.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.by_address.values()
    }

    /// Free for this client: nobody's, its own, or run out.
    pub fn is_free(&self, address: Ipv4Addr, mac: &str, now: u64) -> bool {
        let Some(lease) = self.by_address.get(&address) else { return true };
        lease.until <= now || (lease.mac == mac && lease.state != LeaseState::Declined)
    }

    /// Takes note of what happened; the only way in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::LeaseOffered { mac, address, until } => {
                // An offer must not shorten a lease that the client still has.
                let keeps = self.by_address.get(address).is_some_and(|lease| {
                    lease.mac == *mac && lease.state == LeaseState::Granted && lease.until >= *until
                });
                if !keeps && self.by_address.len() < LEASES_MAX {
                    self.insert(mac, *address, *until, LeaseState::Offered);
                }
            }
            Event::LeaseGranted { mac, address, until } => self.insert(mac, *address, *until, LeaseState::Granted),
            Event::AddressDeclined { mac, address, until } => self.insert(mac, *address, *until, LeaseState::Declined),
            Event::LeaseReleased { mac, address } => {
                if self.owner(*address) == Some(mac.as_str()) {
                    self.by_address.remove(address);
                    self.by_mac.remove(mac);
                }
            }
            Event::ReservationOffered { .. }
            | Event::ReservationGranted { .. }
            | Event::RequestRefused { .. }
            | Event::PoolExhausted { .. }
            | Event::LoaderOffered { .. }
            | Event::FileAsked { .. } => {}
        }
    }

    fn insert(&mut self, mac: &str, address: Ipv4Addr, until: u64, state: LeaseState) {
        // One address a client, one client an address: both old entries go.
        if let Some(before) = self.by_mac.insert(mac.to_owned(), address).filter(|before| *before != address) {
            self.by_address.remove(&before);
        }
        let lease = Lease { mac: mac.to_owned(), address, until, state };
        if let Some(before) = self.by_address.insert(address, lease).filter(|before| before.mac != mac) {
            self.by_mac.remove(&before.mac);
        }
    }
}

/// The addresses of a pool, starting at a place that the MAC chooses: a client that comes back after its
/// lease ran out most likely gets its old address, and neighbours do not fight for the first free one.
pub(super) fn candidates(pool: &PoolRow, mac: &str) -> impl Iterator<Item = Ipv4Addr> + use<> {
    let (first, size) = (u32::from(pool.first), u64::from(u32::from(pool.last) - u32::from(pool.first)) + 1);
    // FNV-1a: any even spread will do, but it must be the same on every run.
    let hash = mac.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let start = hash % size;
    (0..size).map(move |n| Ipv4Addr::from(first + ((start + n) % size) as u32))
}

//! Whose an event is, where it does not say so itself: by the tables, and by the leases that were granted meanwhile.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::event::Event;
use crate::out::table::Tables;

/// How many leases are remembered; beyond them, pool clients are known by their addresses alone.
const LEASES_MAX: usize = 1 << 16;

pub(super) struct Owners {
    tables: watch::Receiver<Arc<Tables>>,
    /// Address → MAC.
    leases: BTreeMap<Ipv4Addr, String>,
}

impl Owners {
    pub(super) fn new(tables: watch::Receiver<Arc<Tables>>) -> Owners {
        Owners { tables, leases: BTreeMap::new() }
    }

    /// The host, for an event that has no word for it.
    pub(super) fn of(&mut self, event: &Event) -> Option<String> {
        if let Event::LeaseGranted { mac, address, .. } = event
            && (self.leases.len() < LEASES_MAX || self.leases.contains_key(address))
        {
            self.leases.insert(*address, mac.clone());
        }
        let tables = self.tables.borrow();
        if let Event::LeaseOffered { mac, .. }
        | Event::LeaseGranted { mac, .. }
        | Event::LeaseReleased { mac, .. }
        | Event::AddressDeclined { mac, .. }
        | Event::RequestRefused { mac, .. }
        | Event::PoolExhausted { mac, .. }
        | Event::LoaderOffered { mac, .. } = event
        {
            return tables.host_of_mac(mac).map(str::to_owned);
        }
        let (Event::FileAsked { client: peer, .. } | Event::CommandRefused { from: peer, .. } | Event::LabelsGuessed { from: peer, .. }) = event
        else {
            return None;
        };
        let leased = || tables.host_of_mac(self.leases.get(peer)?);
        tables.host_of_address(*peer).or_else(leased).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_refused_by_dns_is_known_by_address() {
        let reserved = [10, 0, 0, 9].into();
        let tables = Tables { reserved: BTreeMap::from([(reserved, "pc".to_owned())]), ..Tables::default() };
        let mut owners = Owners::new(watch::channel(Arc::new(tables)).1);
        let refused = |from| Event::CommandRefused { from, name: "n".into(), count: 1 };
        assert_eq!(owners.of(&refused(reserved)).as_deref(), Some("pc"));
        assert_eq!(owners.of(&Event::LabelsGuessed { from: reserved, name: "n".into(), count: 1 }).as_deref(), Some("pc"));
        assert_eq!(owners.of(&refused([10, 0, 0, 8].into())), None);
    }
}

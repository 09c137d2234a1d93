//! How much one client may hold at once, so that it cannot keep out all others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// Connections or transfers of one address: a classroom behind one router is 40.
const PER_PEER_MAX: usize = 64;

/// Counts what each address holds.
#[derive(Clone, Default)]
pub struct Peers(Rc<RefCell<BTreeMap<Ipv4Addr, usize>>>);

/// One thing that an address holds; dropping it gives it back.
pub struct Held {
    peers: Peers,
    address: Ipv4Addr,
}

impl Peers {
    /// `None` where the address holds too much already.
    pub fn hold(&self, address: Ipv4Addr) -> Option<Held> {
        let mut counts = self.0.borrow_mut();
        let count = counts.entry(address).or_default();
        if *count >= PER_PEER_MAX {
            return None;
        }
        *count += 1;
        Some(Held { peers: self.clone(), address })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.peers.0.borrow_mut();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_everything() {
        let peers = Peers::default();
        let held: Vec<Held> = (0..PER_PEER_MAX).filter_map(|_| peers.hold(Ipv4Addr::LOCALHOST)).collect();
        assert_eq!(held.len(), PER_PEER_MAX);
        assert!(peers.hold(Ipv4Addr::LOCALHOST).is_none());
        assert!(peers.hold(Ipv4Addr::BROADCAST).is_some());
        drop(held);
        assert!(peers.hold(Ipv4Addr::LOCALHOST).is_some());
    }
}

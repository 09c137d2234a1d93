//! How many requests each service got since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SERVICES;

/// A counter for each line of [`SERVICES`], in its order.
#[derive(Debug)]
pub struct Counts(Vec<AtomicU64>);

impl Default for Counts {
    fn default() -> Counts {
        Counts(SERVICES.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Counts {
    /// A service got so many more. It is named as in [`SERVICES`].
    pub(super) fn add(&self, service: &str, requests: u64) {
        let counted = SERVICES.iter().zip(&self.0).find(|(line, _)| line.name == service);
        assert!(counted.is_some(), "`{service}` is a line of SERVICES");
        if let Some((_, count)) = counted {
            count.fetch_add(requests, Ordering::Relaxed);
        }
    }

    /// The services by name, and the requests that each got.
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        SERVICES.iter().zip(&self.0).map(|(line, count)| (line.name, count.load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_count_of_its_own() {
        let counts = Counts::default();
        counts.add("DNS", 2);
        counts.add("DNS", 1);
        counts.add("syslog", 64);
        assert_eq!(counts.all(), [("DHCP", 0), ("TFTP", 0), ("DNS", 3), ("HTTP", 0), ("syslog", 64)]);
    }
}

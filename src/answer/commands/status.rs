//! Whether a host is on, as far as what happened tells it. No question waits for the network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::{Asked, Commands, OFF, ON, Said, UNKNOWN, said_word};
use crate::event::Event;

/// How long something that happened tells whether a host is on.
const KNOWN_SECS: u64 = 3600;
/// How often it is asked for anew, for each host; how many hosts at once.
const ASK_SECS: u64 = 10;
const ASKS_MAX: usize = 256;

/// What is known of hosts, and when it was last asked for.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By host: is it on, and since when is that known?
    states: BTreeMap<String, (bool, u64)>,
    asked: BTreeMap<String, u64>,
}

impl Known {
    /// Hosts that tell nothing any more are forgotten, so that this never outgrows the site.
    pub(super) fn heard(&mut self, event: &Event, secs: u64) {
        // What was told to start is not up yet, and what was known of it is old.
        if let Event::PowerChanged { host, action, .. } = event
            && action != "off"
        {
            self.states.remove(host);
        } else if let Event::WakeSent { host, .. } = event {
            self.states.remove(host);
        }
        let Some((host, is_on)) = told(event) else { return };
        if self.states.insert(host.to_owned(), (is_on, secs)).is_none() {
            self.states.retain(|_, (_, at)| secs < *at + KNOWN_SECS);
        }
    }
}

/// What an event says of a host. A host that asks for its address, or logs, is on; one that was only told to
/// start is not yet.
fn told(event: &Event) -> Option<(&str, bool)> {
    if let Event::ReservationGranted { host, .. } = event {
        return Some((host, true));
    }
    if let Event::LineLogged(line) = event {
        return line.host.as_deref().map(|host| (host, true));
    }
    if let Event::PowerSeen { host, state } = event {
        return Some((host, state == "on"));
    }
    if let Event::PowerKept { host, action, .. } = event {
        return Some((host, action != "off"));
    }
    if let Event::PowerChanged { host, action, .. } = event {
        return (action == "off").then_some((host, false));
    }
    None
}

impl Asked<'_> {
    pub(super) fn status(&self, address: Option<Ipv4Addr>, commands: &mut Commands, events: &mut Vec<Event>) -> Said {
        let host = self.found.host.as_deref().unwrap_or_default();
        let known = &mut commands.known;
        match known.states.get(host).filter(|(_, at)| self.secs < *at + KNOWN_SECS) {
            Some((true, at)) => {
                let words = format!("{host} was on {} s ago", self.secs.saturating_sub(*at));
                match address {
                    Some(address) => Said::Words { alias: Some(ON.to_owned()), address, words },
                    None => said_word(ON, &words),
                }
            }
            Some((false, at)) => said_word(OFF, &format!("{host} was off {} s ago", self.secs.saturating_sub(*at))),
            None => {
                known.asked.retain(|_, until| self.secs < *until);
                if known.asked.len() < ASKS_MAX && !known.asked.contains_key(host) {
                    known.asked.insert(host.to_owned(), self.secs + ASK_SECS);
                    events.push(Event::StatusAsked { host: host.to_owned(), from: self.request.peer });
                }
                said_word(UNKNOWN, &format!("nothing is known of {host}: ask again"))
            }
        }
    }
}

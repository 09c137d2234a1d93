//! Where all that happens goes, in order: into the log, and to whoever listens.
//!
//! **Invariant:** when [`Journal::record`] returns, every listener has heard it. A reply that follows an
//! event is sent after that.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing::{info, warn};

use super::clock::Clock;
use crate::event::{Event, Record};
use crate::terminal::json_escaped;

/// Somebody who hears all that happens, in the loop that made it happen: it returns at once, and waits
/// for no network and no disk's cache.
pub trait Listener: Send + Sync {
    fn happened(&self, records: &[Record]);
}

/// The one way from what happens to those who keep it.
#[derive(Default)]
pub struct Journal {
    clock: Clock,
    listeners: RwLock<Vec<Arc<dyn Listener>>>,
    /// One at a time, so that all listeners hear the same order.
    turn: Mutex<()>,
}

impl Journal {
    pub fn new(clock: Clock) -> Journal {
        Journal { clock, ..Journal::default() }
    }

    /// From now on it hears everything.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Stamps the events with the time, and tells them to the log and to all listeners. A listener that
    /// records something itself does so from another thread.
    pub fn record(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.clock.now().as_microsecond();
        let records: Vec<Record> = events.iter().map(|event| Record { at, event: event.clone() }).collect();
        // Lines of syslog are many, and a log of their own.
        let noted = records.iter().filter(|record| !matches!(record.event, Event::LineLogged(_)));
        noted.for_each(|record| note(&record.event));
        self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|listener| listener.happened(&records));
    }
}

/// An event as a line of the log; names from the wire come escaped, and it is JSON all the same.
fn note(event: &Event) {
    let json = crate::out::table::json(event);
    let line = json_escaped(&json);
    if is_trouble(event) { warn!("{line}") } else { info!("{line}") }
}

/// Does somebody have to look after it?
fn is_trouble(event: &Event) -> bool {
    matches!(
        event,
        Event::PowerFailed { .. }
            | Event::CommandRefused { .. }
            | Event::LabelsGuessed { .. }
            | Event::HelpCalled { .. }
            | Event::LinesDropped { .. }
            | Event::RecordsLost { .. }
            | Event::DocumentRefused { .. }
            | Event::AlertFired { .. }
            | Event::AlertUndelivered { .. }
            | Event::PoolExhausted { .. }
            | Event::AddressDeclined { .. }
            | Event::ReservationDeclined { .. }
    )
}

//! What happens, for browsers: what is remembered of it, and that there is news.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::warn;

use crate::event::{Event, Record};
use crate::operate::overview::Recent;
use crate::out::table::Tables;
use crate::serve::Handle;
use crate::serve::journal::Listener;
use crate::terminal::chain;

/// Hears everything. A browser is told that there is news, and never waits in a queue: however many things happen,
/// one number is all that there is to be told.
pub(super) struct Live {
    recent: Mutex<Recent>,
    tables: watch::Receiver<Arc<Tables>>,
    news: watch::Sender<u64>,
}

impl Live {
    pub(super) fn new(handle: &Handle) -> Live {
        Live { recent: Mutex::default(), tables: handle.tables.clone(), news: watch::Sender::new(0) }
    }

    /// What happened before the start, out of the spool, which has what is heard meanwhile too.
    pub(super) fn remember(&self, handle: &Handle) {
        let tables = self.tables.borrow().clone();
        match Recent::read(&handle.state, &tables, handle.clock.now().as_microsecond()) {
            Ok(recent) => *self.recent.lock().unwrap_or_else(PoisonError::into_inner) = recent,
            Err(error) => warn!("the page tells nothing of what happened before the start: {}", chain(&error)),
        }
    }

    pub(super) fn recent(&self) -> Recent {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A number that grows with the news.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}

impl Listener for Live {
    fn happened(&self, records: &[Record]) {
        let tables = self.tables.borrow().clone();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().for_each(|record| recent.heard(record, &tables));
        drop(recent);
        // Lines and files are many, and change nothing that stands on a page of their own accord.
        let is_news = |record: &Record| !matches!(record.event, Event::LineLogged(_) | Event::FileAsked { found: true, .. });
        if records.iter().any(is_news) {
            self.news.send_modify(|news| *news += 1);
        }
    }
}

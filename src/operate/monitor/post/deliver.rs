//! A thread for each sink: its messages in order, each tried until the sink has it or it is too old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::outbox::{Outbox, Stuck, WAITING_SECS_MAX};
use super::{Message, Trouble, send};
use crate::event::Event;
use crate::out::table::AlertRow;
use crate::serve::clock::Clock;
use crate::serve::journal::Journal;

/// How often it is looked for something new.
const LOOK: Duration = Duration::from_millis(100);
/// How long it waits after trouble: at first, doubled each time, at last.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LAST_WAIT: Duration = Duration::from_secs(300);
/// How long a stop waits for a sink's word.
const END_WAIT: Duration = Duration::from_secs(3);
/// How often the same trouble is told.
const TELL_EVERY: Duration = Duration::from_secs(3600);

/// All sinks of the generation that is served.
pub(in crate::operate::monitor) struct Deliverers {
    shared: Shared,
    /// By name.
    running: BTreeMap<String, Running>,
    /// Threads that were told to end, and may still wait for a sink's word.
    ending: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    outbox: Arc<Outbox>,
    journal: Arc<Journal>,
    clock: Clock,
}

struct Running {
    row: Arc<Mutex<AlertRow>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What is wrong, since when, and when it was said last.
struct Told {
    what: String,
    since: i64,
    said: Instant,
}

/// What a thread knows of its sink, since the start.
#[derive(Default)]
struct Line {
    /// What keeps all messages from it.
    told: Option<Told>,
    /// Messages that it was given, and did not take.
    tried: BTreeSet<u64>,
    /// Messages that it refused.
    aside: BTreeMap<u64, Aside>,
}

struct Aside {
    what: String,
    /// How long it waits, and until when.
    wait: Duration,
    until: Instant,
}

impl Line {
    fn done(&mut self, number: u64) {
        self.tried.remove(&number);
        self.aside.remove(&number);
    }

    /// The messages whose time has not come.
    fn waiting(&self) -> BTreeSet<u64> {
        let now = Instant::now();
        self.aside.iter().filter(|(_, aside)| aside.until > now).map(|(number, _)| *number).collect()
    }
}

impl Deliverers {
    pub(in crate::operate::monitor) fn new(outbox: Arc<Outbox>, journal: Arc<Journal>, clock: Clock) -> Deliverers {
        Deliverers { shared: Shared { outbox, journal, clock }, running: BTreeMap::new(), ending: Vec::new() }
    }

    /// Takes over a generation's sinks. What waits for others stays on the disk until it is too old.
    pub(in crate::operate::monitor) fn settle(&mut self, rows: &[AlertRow]) {
        let mut former = std::mem::take(&mut self.running);
        for row in rows {
            let name = row.name();
            let running = match former.remove(&name) {
                Some(running) => {
                    *running.row.lock().unwrap_or_else(PoisonError::into_inner) = row.clone();
                    Some(running)
                }
                None => self.start(row),
            };
            self.running.extend(running.map(|running| (name, running)));
        }
        for running in former.into_values() {
            running.stop.store(true, Ordering::Relaxed);
            self.ending.push(running.thread);
        }
        self.ending.retain(|thread| !thread.is_finished());
    }

    fn start(&self, row: &AlertRow) -> Option<Running> {
        let (row, stop) = (Arc::new(Mutex::new(row.clone())), Arc::new(AtomicBool::new(false)));
        let (shared, own, stopped) = (self.shared.clone(), row.clone(), stop.clone());
        let thread = Builder::new().name("alerts".into()).spawn(move || shared.run(&own, &stopped));
        let thread =
            thread.map_err(|error| error!("alerts: cannot begin a thread: {error}; what waits is sent after a restart")).ok()?;
        Some(Running { row, stop, thread })
    }

    /// What waits for sinks that the site names no more goes when it is too old.
    pub(in crate::operate::monitor) fn tidy(&self) {
        for sink in self.shared.outbox.sinks().iter().filter(|sink| !self.running.contains_key(*sink)) {
            while let Some((number, message)) =
                self.shared.outbox.head(sink, &BTreeSet::new()).filter(|(_, message)| self.shared.is_old(message))
            {
                self.shared.give_up(number, &message, "the site names this sink no more");
            }
        }
    }

    /// A message that is being sent is waited for a little: it would be sent again after the next start.
    pub(in crate::operate::monitor) fn end(&mut self) {
        self.settle(&[]);
        let until = Instant::now() + END_WAIT;
        while self.ending.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(LOOK / 4);
        }
    }
}

impl Shared {
    fn run(&self, row: &Mutex<AlertRow>, stop: &AtomicBool) {
        let (mut wait, mut line) = (FIRST_WAIT, Line::default());
        while !stop.load(Ordering::Relaxed) {
            let row = row.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let pause = match self.round(&row, &mut line) {
                Ok(true) => Duration::ZERO,
                Ok(false) => LOOK,
                Err(Trouble::Sink(what)) => {
                    self.tell(&row, what, &mut line.told);
                    wait
                }
                // The next one may be taken, and is not kept waiting.
                Err(Trouble::Message(_)) => FIRST_WAIT,
            };
            wait = if line.told.is_some() { (wait * 2).min(LAST_WAIT) } else { FIRST_WAIT };
            let until = Instant::now() + pause;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK.min(pause));
            }
        }
    }

    /// Whether there may be more at once.
    fn round(&self, row: &AlertRow, line: &mut Line) -> Result<bool, Trouble> {
        let name = row.name();
        let Some((number, message)) = self.outbox.head(&name, &line.waiting()) else { return Ok(false) };
        // What waited while nobody served is tried once, however old it is.
        if self.is_old(&message) && line.tried.contains(&number) {
            let refused = line.aside.get(&number).map(|aside| aside.what.as_str());
            let why = refused.or(line.told.as_ref().map(|told| told.what.as_str())).unwrap_or("it was not served");
            self.give_up(number, &message, why);
            line.done(number);
            return Ok(true);
        }
        if let Err(trouble) = send(row, &message) {
            line.tried.insert(number);
            if let Trouble::Message(what) = &trouble {
                self.refused(number, &message, what, line);
            }
            return Err(trouble);
        }
        // Recorded first: a kill in between sends it once more, and loses no record.
        let (alert, host, state) = (message.alert.id.clone(), message.alert.host.clone(), message.state.name().to_owned());
        self.journal.record(&[Event::AlertSent { alert, host, state, sink: name.clone() }]);
        self.outbox.done(&name, number);
        line.done(number);
        self.left(&name, line);
        Ok(true)
    }

    /// A sink refused this message, and is asked for it again ever later.
    fn refused(&self, number: u64, message: &Message, what: &str, line: &mut Line) {
        let (sink, alert) = (&message.sink, &message.alert);
        let before = line.aside.get(&number);
        if before.is_none_or(|before| before.what != what) {
            let (host, check, state) = (&alert.host, &alert.check, message.state.name());
            warn!(
                "alerts: {sink}: {what}; the news of {host} ({check}, {state}) waits on the disk, and is tried again; others go on"
            );
        }
        let wait = before.map_or(FIRST_WAIT, |before| (before.wait * 2).min(LAST_WAIT));
        line.aside.insert(number, Aside { what: what.to_owned(), wait, until: Instant::now() + wait });
        self.left(sink, line);
    }

    /// The sink answers. For whoever asks: why messages still wait that it refused.
    fn left(&self, sink: &str, line: &mut Line) {
        let since = self.clock.now().as_second();
        if let Some(told) = line.told.take() {
            info!("alerts: {sink} is back after {} s, and gets what it missed", since - told.since);
        }
        let of = |aside: &Aside| Stuck { sink: sink.to_owned(), since, why: aside.what.clone() };
        self.outbox.tell(sink, line.aside.values().next().map(of).as_ref());
    }

    fn is_old(&self, message: &Message) -> bool {
        self.clock.now().as_second() - message.at > WAITING_SECS_MAX
    }

    fn give_up(&self, number: u64, message: &Message, why: &str) {
        let days = WAITING_SECS_MAX / 86_400;
        self.journal.record(&[undelivered(message, &format!("it waited for {days} days: {why}"))]);
        self.outbox.done(&message.sink, number);
    }

    fn tell(&self, row: &AlertRow, what: String, told: &mut Option<Told>) {
        let (name, now) = (row.name(), self.clock.now().as_second());
        let known = told.as_ref().is_some_and(|told| told.what == what && told.said.elapsed() < TELL_EVERY);
        if known {
            return;
        }
        warn!("alerts: {name}: {what}; the message waits on the disk, and is tried again");
        let since = told.as_ref().map_or(now, |told| told.since);
        self.outbox.tell(&name, Some(&Stuck { sink: name.clone(), since, why: what.clone() }));
        *told = Some(Told { what, since, said: Instant::now() });
    }
}

/// A sink never gets this message.
pub(in crate::operate::monitor) fn undelivered(message: &Message, why: &str) -> Event {
    let (alert, host, state) = (message.alert.id.clone(), message.alert.host.clone(), message.state.name().to_owned());
    Event::AlertUndelivered { alert, host, state, sink: message.sink.clone(), why: why.to_owned() }
}

//! The part of `serve` that watches: one thread with the clock, all questions side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use super::judge::{Found, Judge, News, Wanted};
use super::memory::{Memory, Remembered};
use super::plan::{Plan, Probe};
use super::post::outbox::{self, Outbox};
use super::post::{Deliverers, Message, Told, adopt, undelivered};
use super::probe::{PAGES_MAX, Prober};
use crate::answer::power::{Action, Schedule};
use crate::event::Event;
use crate::operate::{Error, Result, Working};
use crate::out::table::{AlertRow, Tables};
use crate::serve::Handle;
use crate::store;
use crate::terminal::chain;

/// How many questions are open at once.
const ASKING_MAX: usize = 1024;
/// Within how long all that is new is asked for the first time, or as often as it is asked.
const SPREAD: Duration = Duration::from_secs(60);
/// How far those lie apart that are asked at once.
const URGENT_GAP: Duration = Duration::from_millis(5);
/// How often schedules are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is written down what is up and down, where nobody must be told.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// One part of so many goes into that.
const WRITE_SHARE: u32 = 20;
/// How often messages for sinks that are no more are looked through.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// How long a machine may take to start after its schedule has turned it on.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

struct Monitor {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Working for Monitor {
    fn end(self: Box<Self>) {
        self.stop.send_replace(true);
        let _it_said_why = self.thread.join();
    }
}

pub(in crate::operate) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let failed = |source| Error::Io { step: "begin a thread for", path: "monitor".into(), source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(PAGES_MAX).build().map_err(failed)?;
    let (stop, stopped) = watch::channel(false);
    let unreadable = |error: store::Error| Error::Io {
        step: "read what waits in",
        path: handle.state.join(outbox::FOLDER),
        source: std::io::Error::other(chain(&error)),
    };
    let (queue, left) = Outbox::open(&handle.state).map_err(unreadable)?;
    let handle = handle.clone();
    let work = move || {
        let watching = || runtime.block_on(watch_over(handle, queue, left, stopped));
        if catch_unwind(AssertUnwindSafe(watching)).is_err() {
            // Everything else would go on, and nobody would notice that nothing is watched.
            error!("what watches hosts has failed, as it must not: the server ends; report what stands above");
            std::process::exit(1);
        }
        // A page that is still waited for is waited for by nobody.
        runtime.shutdown_background();
    };
    let thread = Builder::new().name("monitor".into()).spawn(work).map_err(failed)?;
    Ok(Box::new(Monitor { stop, thread }))
}

struct Answer {
    id: String,
    question: u64,
    found: Found,
}

async fn watch_over(handle: Handle, outbox: Outbox, left: Vec<Message>, mut stop: watch::Receiver<bool>) {
    let (sender, mut answers) = mpsc::channel(ASKING_MAX);
    let mut tables = handle.tables.clone();
    let mut runner = Runner::new(handle, Arc::new(outbox), left, sender);
    let now = tables.borrow_and_update().clone();
    runner.settle(&now);
    loop {
        let wait = runner.tick();
        tokio::select! {
            answer = answers.recv() => {
                let mut next = answer;
                while let Some(answer) = next {
                    runner.heard(answer);
                    next = answers.try_recv().ok();
                }
            }
            changed = tables.changed() => {
                if changed.is_err() {
                    break;
                }
                let now = tables.borrow_and_update().clone();
                runner.settle(&now);
            }
            _ = stop.changed() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    runner.end();
}

struct Runner {
    handle: Handle,
    judge: Judge,
    memory: Memory,
    outbox: Arc<Outbox>,
    deliverers: Deliverers,
    prober: Arc<Prober>,
    rows: Vec<AlertRow>,
    /// Hosts that can be asked whether they are on.
    amt: BTreeSet<String>,
    schedules: BTreeMap<String, Schedule>,
    /// When each check is asked next, both ways round.
    due: BTreeMap<String, Instant>,
    queue: BTreeSet<(Instant, String)>,
    asking: BTreeSet<String>,
    sender: mpsc::Sender<Answer>,
    /// What a kill kept from being written down.
    left: Vec<(Message, BTreeSet<String>)>,
    is_written: bool,
    written: Instant,
    took: Duration,
    looked: Option<Instant>,
    tidied: Option<Instant>,
}

impl Runner {
    fn new(handle: Handle, outbox: Arc<Outbox>, left: Vec<Message>, sender: mpsc::Sender<Answer>) -> Runner {
        let memory = Memory::new(&handle.state);
        let (checks, mut alerts) = memory.read();
        alerts.reverse();
        let left = adopt(&mut alerts, left);
        Runner {
            judge: Judge::remembering(checks, alerts),
            memory,
            deliverers: Deliverers::new(outbox.clone(), handle.journal.clone(), handle.clock),
            prober: Arc::new(Prober::new(handle.icmp.as_deref())),
            outbox,
            rows: Vec::new(),
            amt: BTreeSet::new(),
            schedules: BTreeMap::new(),
            due: BTreeMap::new(),
            queue: BTreeSet::new(),
            asking: BTreeSet::new(),
            sender,
            left,
            is_written: false,
            written: Instant::now(),
            took: Duration::ZERO,
            looked: None,
            tidied: None,
            handle,
        }
    }

    fn now(&self) -> i64 {
        self.handle.clock.now().as_second()
    }

    /// Takes over a generation.
    fn settle(&mut self, tables: &Tables) {
        let read = |row| Schedule::read(row).map_err(|error| warn!("monitor: {error}; its hosts are watched all day")).ok();
        self.schedules = tables.schedules.iter().filter_map(|(name, row)| Some((name.clone(), read(row)?))).collect();
        self.rows.clone_from(&tables.alerts);
        self.amt = tables.power.values().filter(|row| row.amt.is_some()).map(|row| row.host.clone()).collect();
        self.deliverers.settle(&self.rows);
        for (message, has_it) in std::mem::take(&mut self.left) {
            self.post(&message.alert, message.state, message.at, message.how.as_deref(), &has_it);
        }
        let now = self.now();
        let news = self.judge.settle(Plan::of(tables), now);
        let fresh: Vec<(String, u64)> =
            self.judge.plan().checks.iter().map(|(id, watched)| (id.clone(), watched.every_secs)).collect();
        let former = std::mem::take(&mut self.due);
        self.queue.clear();
        let begun = Instant::now();
        for (id, every) in fresh {
            let every = Duration::from_secs(every);
            let at = former.get(&id).copied().unwrap_or_else(|| begun + spread(&id, every.min(SPREAD)));
            self.queue_at(&id, at.min(begun + every));
        }
        // Also where nobody is told: what was found about hosts that are no more goes.
        self.is_written = false;
        self.looked = None;
        self.tell(news);
    }

    fn queue_at(&mut self, id: &str, at: Instant) {
        if let Some(before) = self.due.insert(id.to_owned(), at) {
            self.queue.remove(&(before, id.to_owned()));
        }
        self.queue.insert((at, id.to_owned()));
    }

    /// Does what is due; how long nothing will be.
    fn tick(&mut self) -> Duration {
        let begun = Instant::now();
        if self.looked.is_none_or(|looked| begun.saturating_duration_since(looked) >= LOOK) {
            self.looked = Some(begun);
            let news = self.judge.schedules(self.wanted(), self.now());
            self.tell(news);
        }
        if self.tidied.is_none_or(|tidied| begun.saturating_duration_since(tidied) >= TIDY_EVERY) {
            self.tidied = Some(begun);
            self.deliverers.tidy();
        }
        for (at, id) in self.judge.take_urgent().into_iter().enumerate() {
            let at = begun + URGENT_GAP * u32::try_from(at).unwrap_or(u32::MAX);
            if self.due.get(&id).is_some_and(|due| *due > at) {
                self.queue_at(&id, at);
            }
        }
        while let Some((at, id)) = self.queue.first().cloned().filter(|(at, _)| *at <= begun && self.asking.len() < ASKING_MAX) {
            self.queue.remove(&(at, id.clone()));
            self.ask(&id, begun);
        }
        // Of many checks the file is large: writing takes a small part of the time.
        if !self.is_written && begun.saturating_duration_since(self.written) >= WRITE_EVERY.max(self.took * WRITE_SHARE) {
            self.write();
        }
        let first = self.queue.first().map(|(at, _)| at.saturating_duration_since(begun));
        let is_full = self.asking.len() >= ASKING_MAX;
        first.filter(|_| !is_full).map_or(LOOK, |first| first.min(LOOK))
    }

    fn ask(&mut self, id: &str, begun: Instant) {
        let Some(watched) = self.judge.plan().checks.get(id) else { return };
        let (probe, every): (Probe, _) = (watched.probe.clone(), Duration::from_secs(watched.every_secs));
        self.queue_at(id, begun + every);
        if self.judge.is_off(id) || !self.asking.insert(id.to_owned()) {
            return;
        }
        let (prober, sender, id, question) = (self.prober.clone(), self.sender.clone(), id.to_owned(), self.judge.question());
        tokio::spawn(async move {
            let found = prober.ask(&probe).await;
            let _nobody_watches_any_more = sender.send(Answer { id, question, found }).await;
        });
    }

    fn heard(&mut self, answer: Answer) {
        self.asking.remove(&answer.id);
        self.is_written = false;
        let news = self.judge.heard(&answer.id, answer.question, answer.found, self.now());
        self.tell(news);
    }

    fn wanted(&self) -> BTreeMap<String, Wanted> {
        let now = self.handle.clock.now();
        self.schedules.iter().map(|(name, schedule)| (name.clone(), wanted(schedule, now))).collect()
    }

    /// News first goes to the audit, then into the queue of each sink, then the checks' file knows of it; only
    /// then is anything sent.
    fn tell(&mut self, news: Vec<News>) {
        if news.is_empty() {
            return;
        }
        let now = self.now();
        for one in news {
            match one {
                News::Fired(alert) => {
                    let behind = u64::try_from(alert.behind.len()).unwrap_or(u64::MAX);
                    let (id, host, check, why) = (alert.id.clone(), alert.host.clone(), alert.check.clone(), alert.why.clone());
                    self.handle.journal.record(&[Event::AlertFired { alert: id, host, check, why, behind }]);
                    self.post(&alert, Told::Fired, now, None, &BTreeSet::new());
                }
                News::Resolved(alert, why) => {
                    let (id, host, check) = (alert.id.clone(), alert.host.clone(), alert.check.clone());
                    self.handle.journal.record(&[Event::AlertResolved { alert: id, host, check, why: why.clone() }]);
                    self.post(&alert, Told::Resolved, now, Some(&why), &BTreeSet::new());
                }
            }
        }
        self.write();
    }

    /// Into the queue of each sink that does not have it there already.
    fn post(&self, alert: &super::seen::Alert, state: Told, at: i64, how: Option<&str>, has_it: &BTreeSet<String>) {
        for row in self.rows.iter().filter(|row| !has_it.contains(&row.name())) {
            let (alert, how, has_amt) = (alert.clone(), how.map(str::to_owned), self.amt.contains(&alert.host));
            let message = Message { sink: row.name(), state, at, alert, how, has_amt };
            if let Err(why) = self.outbox.put(&message) {
                self.handle.journal.record(&[undelivered(&message, &why)]);
            }
        }
    }

    fn write(&mut self) {
        let now = self.now();
        let (checks, mut alerts): Remembered = self.judge.memory(now);
        for alert in &mut alerts {
            alert.waiting = self.outbox.waiting(&alert.id);
        }
        let waits = alerts.iter().any(|alert| !alert.waiting.is_empty());
        // A site that watches nothing, and never did, has no file.
        let is_idle = checks.is_empty() && alerts.is_empty() && self.judge.plan().checks.is_empty();
        self.written = Instant::now();
        self.is_written = is_idle && !self.memory.is_there() || self.memory.write(now, (checks, alerts), self.written) && !waits;
        self.took = self.written.elapsed();
        self.outbox.release();
    }

    fn end(mut self) {
        self.write();
        self.deliverers.end();
        self.write();
    }
}

fn wanted(schedule: &Schedule, now: Timestamp) -> Wanted {
    match schedule.wanted(now) {
        Action::Off => Wanted::Off,
        Action::On => match schedule.newest(now) {
            Some(edge) if edge.action == Action::On && now.duration_since(edge.at) < GRACE => Wanted::Starting,
            Some(_) | None => Wanted::On,
        },
    }
}

/// A place of its own within a time, the same after each start.
fn spread(id: &str, within: Duration) -> Duration {
    let [first, second, ..] = *blake3::hash(id.as_bytes()).as_bytes();
    within * u32::from(u16::from_be_bytes([first, second])) / (1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::table::{ScheduleRow, WindowRow};

    #[test]
    fn a_machine_has_ten_minutes_to_start() {
        let days = ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec();
        let windows = vec![WindowRow { days, on: "07:30".into(), off: "20:30".into(), overnight: false }];
        let row = ScheduleRow { schedule: "s".into(), timezone: "UTC".into(), windows, holidays: vec![], holidays_until: None };
        let schedule = Schedule::read(&row).unwrap();
        let at = |time: &str| wanted(&schedule, format!("2026-11-25T{time}Z").parse().unwrap());
        assert_eq!(
            ["07:29:59", "07:30:00", "07:39:59", "07:40:00", "20:30:00"].map(at),
            [Wanted::Off, Wanted::Starting, Wanted::Starting, Wanted::On, Wanted::Off]
        );
    }
}

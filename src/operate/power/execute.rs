//! The part of `serve` that switches machines: one thread that decides nothing, and one more for each
//! machine that is spoken to.
//!
//! ```text
//!  clock, tables ──due──► jobs ◄── commands (the journal)
//!                          │  ▲
//!                       begin  ended ──► memory on disk ──► events
//!                          ▼  │
//!                     act, a thread each
//! ```

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info, warn};

use super::act::{self, Action, Failure, Outcome};
use super::by_hand;
use super::hear::{Done, Ear, Message, asked_event, done_events, failed_event};
use super::jobs::{By, COMMANDS_MAX, Job, Jobs, Task};
use super::memory::{self, Memory};
use super::watch::Watch;
use crate::answer::power::{self, Schedule};
use crate::event::Event;
use crate::operate::{Error, Result, Working};
use crate::out::table::Tables;
use crate::serve::Handle;
use crate::terminal::chain;

/// How often the clock and the generation are looked at: an edge is late by no more.
const LOOK: Duration = Duration::from_millis(500);
/// A clock that jumps is noticed after so long at the latest.
const SCAN: SignedDuration = SignedDuration::from_secs(60);
/// What may wait to be heard: commands, and ends of conversations.
const MESSAGES_MAX: usize = 1024;

/// The thread that works.
struct Power {
    sender: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

pub(in crate::operate) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let (sender, receiver) = sync_channel(MESSAGES_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    handle.journal.listen(Arc::new(Ear { sender: sender.clone(), lost: lost.clone() }));
    let mut executor = Executor::new(handle.clone(), sender.clone(), lost);
    let run = move || {
        if catch_unwind(AssertUnwindSafe(|| executor.run(&receiver))).is_err() {
            // Names would still be answered, and nobody would notice that machines are not switched.
            error!("what switches machines has failed, as it must not: the server ends; report what stands above");
            std::process::exit(1);
        }
    };
    let thread = Builder::new().name("power".into()).spawn(run);
    let thread = thread.map_err(|source| Error::Io { step: "begin a thread for", path: "power".into(), source })?;
    Ok(Box::new(Power { sender, thread: Mutex::new(Some(thread)) }))
}

impl Working for Power {
    /// What is being asked of machines at this moment is not waited for: its edge is done after the next start.
    fn end(self: Box<Self>) {
        let _it_ended_already = self.sender.send(Message::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _it_said_why = thread.map(JoinHandle::join);
    }
}

/// Whoever breaks while it speaks to a machine has failed, and does not hold the machine for ever.
pub(super) fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, Failure>) -> std::result::Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Broken))
}

pub(super) struct Executor {
    pub(super) handle: Handle,
    tables: Arc<Tables>,
    schedules: BTreeMap<String, Schedule>,
    pub(super) memory: Memory,
    pub(super) jobs: Jobs,
    /// When edges were looked for, and when the next one comes.
    scanned: Timestamp,
    next: Timestamp,
    watch: Watch,
    /// By schedule: the day on which it was told that its holidays are over.
    holidays_told: BTreeMap<String, Date>,
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    /// What happened and is not told yet.
    news: Vec<Event>,
}

impl Executor {
    pub(super) fn new(handle: Handle, sender: SyncSender<Message>, lost: Arc<AtomicU64>) -> Executor {
        let memory = Memory::read(&handle.state);
        let now = handle.clock.now();
        let mut executor = Executor {
            tables: Arc::default(),
            schedules: BTreeMap::new(),
            memory,
            jobs: Jobs::default(),
            scanned: now,
            next: now,
            watch: Watch::new(now, Instant::now()),
            holidays_told: BTreeMap::new(),
            sender,
            lost,
            news: Vec::new(),
            handle,
        };
        executor.take_over(now);
        executor
    }

    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            self.scan();
            self.begin_jobs();
            self.tell();
            match messages.recv_timeout(self.wait()) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return self.end(),
                Ok(message) => self.note(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // All that is there, so that the memory is written once.
            for message in messages.try_iter().take(MESSAGES_MAX) {
                match message {
                    Message::Stop => return self.end(),
                    heard @ (Message::Asked(..) | Message::Ended(..)) => self.note(heard),
                }
            }
        }
    }

    /// The disk is tried once more, however lately it failed.
    fn end(&mut self) {
        self.handle.journal.record(&std::mem::take(&mut self.news));
        self.memory.write(&self.handle.state, Instant::now() + memory::AGAIN);
    }

    fn wait(&self) -> Duration {
        let until_edge = Duration::try_from(self.next.duration_since(self.handle.clock.now())).unwrap_or_default();
        let now = Instant::now();
        let until_job = self.jobs.next(now).map_or(LOOK, |at| at.saturating_duration_since(now));
        LOOK.min(until_edge).min(until_job).max(Duration::from_millis(1))
    }

    /// A generation comes: its schedules, and what they make of what was done.
    fn take_over(&mut self, now: Timestamp) {
        self.tables = self.handle.tables.borrow_and_update().clone();
        self.schedules.clear();
        for (name, row) in &self.tables.schedules {
            match Schedule::read(row) {
                Ok(schedule) => drop(self.schedules.insert(name.clone(), schedule)),
                Err(what) => error!("{what}; build again, for no build of this version writes that"),
            }
        }
        self.memory.settle(&self.tables, &self.schedules, now);
    }

    /// Once a day, for a server runs for years.
    pub(super) fn holidays_warnings(&mut self, now: Timestamp) -> Vec<String> {
        let mut all = Vec::new();
        for (name, schedule) in &self.schedules {
            let today = schedule.local(now).date();
            if self.holidays_told.get(name) != Some(&today)
                && let Some(warning) = schedule.holidays_warning(name, now)
            {
                self.holidays_told.insert(name.clone(), today);
                all.push(warning);
            }
        }
        all
    }

    /// Edges that are due become jobs; those that nobody wants any more are forgotten.
    pub(super) fn scan(&mut self) {
        let (now, is_new) = (self.handle.clock.now(), self.handle.tables.has_changed().unwrap_or(false));
        if let Some(from) = self.watch.jumped(now, Instant::now()) {
            warn!("the clock says {now:.0}, and said {from:.0}: what schedules wanted in between is not done");
            self.memory.jumped(from, now);
        }
        let is_late = now < self.scanned || now.duration_since(self.scanned) > SCAN;
        if !is_new && !is_late && now < self.next {
            return;
        }
        if is_new {
            self.take_over(now);
        }
        self.scanned = now;
        self.holidays_warnings(now).iter().for_each(|warning| warn!("{warning}"));
        let ahead = self.memory.ahead(now);
        if self.watch.tells(ahead.is_some(), Instant::now())
            && let Some(done) = ahead
        {
            let path = memory::path(&self.handle.state);
            warn!(
                "the clock says {now:.0}, and edges up to {done:.0} are done: schedules wait; set the clock, or remove {} and start again",
                path.display()
            );
        }
        let due: BTreeMap<String, power::Edge> =
            self.tables.power.keys().filter_map(|host| Some((host.clone(), self.due(host, now)?))).collect();
        self.jobs.keep_edges(|host, edge| due.get(host).is_some_and(|due| due.at == edge));
        let known = self.jobs.edges();
        let mut events = Vec::new();
        for (host, edge) in due {
            if known.contains(&(host.clone(), edge.at)) || self.is_outdone(&host, edge.at, now) {
                continue;
            }
            if edge.action == power::Action::Off && self.is_only_woken(&host) {
                // Its users turn it off, as the check `schedule/no-off` told: that is no failure of each night.
                self.settle(&host, edge.at);
                continue;
            }
            let action = match edge.action {
                power::Action::On => Action::On,
                power::Action::Off => Action::Off,
            };
            let job = Job::new(&host, Task::Act(action), By::Schedule(edge.at));
            events.push(asked_event(&job, action));
            self.jobs.add(job, Instant::now());
        }
        self.next =
            self.schedules.values().filter_map(|schedule| schedule.next(now)).map(|edge| edge.at).min().unwrap_or(Timestamp::MAX);
        self.handle.journal.record(&events);
    }

    fn due(&self, host: &str, now: Timestamp) -> Option<power::Edge> {
        let schedule = self.schedules.get(self.tables.power.get(host)?.schedule.as_ref()?)?;
        schedule.due(self.memory.until(host), now)
    }

    /// Can it be turned on, and by nobody off?
    fn is_only_woken(&self, host: &str) -> bool {
        self.tables.power.get(host).is_some_and(|row| row.amt.is_none() && row.wake)
    }

    /// Did a person switch it with `pxelator power` since the edge?
    fn is_outdone(&mut self, host: &str, edge: Timestamp, now: Timestamp) -> bool {
        let Some(given) = by_hand::read(&self.handle.state, host, now).filter(|given| *given >= edge) else { return false };
        info!("{host}: it was switched by hand at {given:.0}, after the edge of {edge:.0}, which is not tried any more");
        self.settle(host, edge);
        true
    }

    /// The next job that may begin, and that nobody outdid meanwhile.
    pub(super) fn take(&mut self, at: Instant) -> Option<Job> {
        loop {
            let job = self.jobs.take(at)?;
            match job.by.edge() {
                Some(edge) if self.is_outdone(&job.host, edge, self.handle.clock.now()) => self.jobs.ended(&job.host, false, at),
                Some(_) | None => return Some(job),
            }
        }
    }

    fn begin_jobs(&mut self) {
        while let Some(job) = self.take(Instant::now()) {
            let Some(row) = self.tables.power.get(&job.host).cloned() else {
                // A generation without the host came meanwhile.
                self.jobs.ended(&job.host, false, Instant::now());
                continue;
            };
            let (sender, state, task, own) = (self.sender.clone(), self.handle.state.clone(), job.task, job.clone());
            let begun = Builder::new().name("machine".into()).spawn(move || {
                let done = guarded(|| match task {
                    Task::Act(action) => act::carry_out(&row, action, false, &state).map(Done::Acted),
                    Task::Look => act::look(&row, &state).map(Done::Seen),
                });
                let _we_are_stopping = sender.send(Message::Ended(own, done));
            });
            if let Err(error) = begun {
                self.note(Message::Ended(job, Err(Failure::Thread(error))));
            }
        }
    }

    /// What was done is remembered before anybody hears of it: who was told of it may end this server.
    pub(super) fn tell(&mut self) {
        self.memory.write(&self.handle.state, Instant::now());
        self.handle.journal.record(&std::mem::take(&mut self.news));
    }

    pub(super) fn note(&mut self, message: Message) {
        let events = match message {
            Message::Asked(host, task) => self.queue(&host, task),
            Message::Ended(job, done) => self.ended(job, done),
            Message::Stop => Vec::new(),
        };
        self.news.extend(events);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            warn!("{lost} commands came faster than they are heard, and are not carried out");
        }
    }

    /// A command, or a look.
    fn queue(&mut self, host: &str, task: Task) -> Vec<Event> {
        let now = self.handle.clock.now();
        let job = Job::new(host, task, By::Command(now));
        let asked = match task {
            Task::Act(action) => Some(asked_event(&job, action)),
            Task::Look => None,
        };
        let refused = if !self.tables.power.contains_key(host) {
            Some("the site has no host of this name that can be switched".to_owned())
        } else if task == Task::Look {
            self.jobs.look(job.clone(), Instant::now());
            None
        } else if self.jobs.commands() >= COMMANDS_MAX {
            Some(format!("{COMMANDS_MAX} commands wait already, and no more are taken"))
        } else {
            self.jobs.add(job.clone(), Instant::now());
            None
        };
        let failed = refused.map(|why| failed_event(&job, why, None));
        asked.into_iter().chain(failed).collect()
    }

    fn ended(&mut self, mut job: Job, done: std::result::Result<Done, Failure>) -> Vec<Event> {
        let changed = matches!(done, Ok(Done::Acted(Outcome::Changed(_))));
        self.jobs.ended(&job.host, changed, Instant::now());
        let failure = match done {
            Ok(done) => {
                match job.by {
                    By::Schedule(edge) => self.settle(&job.host, edge),
                    By::Command(given) if matches!(done, Done::Acted(_)) => self.outdo(&job.host, given),
                    By::Command(_) => {}
                }
                return done_events(&job, &done);
            }
            Err(failure) => failure,
        };
        let why = chain(&failure);
        let is_wanted =
            job.by.edge().is_some_and(|edge| self.due(&job.host, self.handle.clock.now()).is_some_and(|due| due.at == edge));
        let again = failure.again().filter(|_| is_wanted).map(|again| job.pause(again));
        let is_news = job.told.as_ref() != Some(&why) || again.is_none();
        let events = is_news.then(|| failed_event(&job, why.clone(), again.map(|pause| pause.as_secs())));
        match again {
            Some(pause) => {
                (job.failed, job.told) = (job.failed + 1, Some(why));
                self.jobs.add(job, Instant::now() + pause);
            }
            // Trying again helps nothing: the edge is past.
            None => job.by.edge().into_iter().for_each(|edge| self.settle(&job.host, edge)),
        }
        events.into_iter().collect()
    }

    /// What a person said and got counts more than an edge of before, which may still be tried.
    fn outdo(&mut self, host: &str, given: Timestamp) {
        if let Some(edge) = self.due(host, given) {
            self.memory.done(host, edge.at);
            self.jobs.keep_edges(|other, at| other != host || at > edge.at);
        }
    }

    /// An edge is behind us; one that came later stays due.
    fn settle(&mut self, host: &str, edge: Timestamp) {
        if self.memory.until(host).is_none_or(|until| until < edge) {
            self.memory.done(host, edge);
        }
    }
}

//! What waits to be done, and what is being done: each machine one thing at a time, several machines side by side.
//!
//! **Invariant:** whoever asks what machines do holds up nobody who switches them: commands come first, then
//! edges, then looks, and looks never take all places.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::act::{Action, PAUSE};
use super::amt::Again;

/// How many machines are spoken to at once.
const SIDE_BY_SIDE_MAX: usize = 32;
/// How many commands may wait; of one more it is said that it was not taken.
pub(super) const COMMANDS_MAX: usize = 256;
/// How many machines are looked at at once, of those that are spoken to, and how many looks may wait.
const LOOKS_SIDE_BY_SIDE_MAX: usize = 8;
const LOOKS_MAX: usize = 256;
/// After a first failure; each further one doubles it.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Where a person must mend something; AMT slows down whoever tries wrong passwords.
const RETRY_LATE: Duration = Duration::from_secs(600);

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The edge at this moment.
    Schedule(Timestamp),
    /// Given at this moment.
    Command(Timestamp),
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            By::Schedule(_) => "schedule",
            By::Command(_) => "command",
        }
    }

    pub(super) fn edge(self) -> Option<Timestamp> {
        match self {
            By::Schedule(edge) => Some(edge),
            By::Command(_) => None,
        }
    }
}

/// What shall be done to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Act(Action),
    /// Ask whether it is on.
    Look,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) host: String,
    pub(super) task: Task,
    pub(super) by: By,
    /// How often it failed, and why it did last.
    pub(super) failed: u32,
    pub(super) told: Option<String>,
}

/// Whose turn it is first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Command,
    Edge,
    Look,
}

impl Job {
    fn rank(&self) -> Rank {
        match (self.task, self.by) {
            (Task::Look, _) => Rank::Look,
            (Task::Act(_), By::Command(_)) => Rank::Command,
            (Task::Act(_), By::Schedule(_)) => Rank::Edge,
        }
    }

    pub(super) fn new(host: &str, task: Task, by: By) -> Job {
        Job { host: host.to_owned(), task, by, failed: 0, told: None }
    }

    /// How long after a failure it is tried again.
    pub(super) fn pause(&self, again: Again) -> Duration {
        match again {
            Again::Late => RETRY_LATE,
            Again::Soon => RETRY_MAX.min(RETRY_FIRST * 2_u32.saturating_pow(self.failed.min(10))),
        }
    }
}

#[derive(Default)]
pub(super) struct Jobs {
    /// In the order in which they came, each with the moment from which it may be done.
    waiting: Vec<(Instant, Job)>,
    /// By host.
    running: BTreeMap<String, (By, Task)>,
    /// Machines that were changed, until they may be changed again.
    resting: BTreeMap<String, Instant>,
}

impl Jobs {
    pub(super) fn add(&mut self, job: Job, from: Instant) {
        self.waiting.push((from, job));
    }

    /// Whoever polls gets one look at a time, and no more of them wait than helps anybody.
    pub(super) fn look(&mut self, look: Job, from: Instant) {
        let is_look = |job: &&(Instant, Job)| job.1.task == Task::Look;
        let is_looked_at = self.running.get(&look.host).is_some_and(|(_, task)| *task == Task::Look);
        let waits = self.waiting.iter().filter(is_look).any(|(_, job)| job.host == look.host);
        if !is_looked_at && !waits && self.waiting.iter().filter(is_look).count() < LOOKS_MAX {
            self.add(look, from);
        }
    }

    /// How many commands wait.
    pub(super) fn commands(&self) -> usize {
        self.waiting.iter().filter(|(_, job)| job.rank() == Rank::Command).count()
    }

    /// The edges that wait or are being carried out.
    pub(super) fn edges(&self) -> BTreeSet<(String, Timestamp)> {
        let running = self.running.iter().filter_map(|(host, (by, _))| Some((host.clone(), by.edge()?)));
        let waiting = self.waiting.iter().filter_map(|(_, job)| Some((job.host.clone(), job.by.edge()?)));
        running.chain(waiting).collect()
    }

    /// Forgets edges that wait and that nobody wants any more.
    pub(super) fn keep_edges(&mut self, wanted: impl Fn(&str, Timestamp) -> bool) {
        self.waiting.retain(|(_, job)| job.by.edge().is_none_or(|edge| wanted(&job.host, edge)));
    }

    /// The next job that may begin.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        self.resting.retain(|_, until| *until > now);
        let held = self.held();
        let may_begin = |from: Instant, job: &Job| from <= now && !held.holds(job) && !(job.task != Task::Look && self.resting.contains_key(&job.host));
        let jobs = self.waiting.iter().enumerate().filter(|(_, (from, job))| may_begin(*from, job));
        let (at, _) = jobs.min_by_key(|(_, (_, job))| job.rank())?;
        let (_, job) = self.waiting.remove(at);
        self.running.insert(job.host.clone(), (job.by, job.task));
        Some(job)
    }

    /// What holds back jobs until another one ends.
    fn held(&self) -> Held<'_> {
        let looks = self.running.values().filter(|(_, task)| *task == Task::Look).count();
        Held {
            is_full: self.running.len() >= SIDE_BY_SIDE_MAX,
            looks_are_full: looks >= LOOKS_SIDE_BY_SIDE_MAX,
            running: &self.running,
            commanded: self.waiting.iter().filter(|(_, job)| job.rank() == Rank::Command).map(|(_, job)| job.host.as_str()).collect(),
        }
    }

    pub(super) fn ended(&mut self, host: &str, changed: bool, now: Instant) {
        self.running.remove(host);
        if changed {
            self.resting.insert(host.to_owned(), now + PAUSE);
        }
    }

    /// When it is worth to look again, if nothing ends before.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let held = self.held();
        let rests_until = |job: &Job| self.resting.get(&job.host).copied().filter(|_| job.task != Task::Look).unwrap_or(now);
        self.waiting.iter().filter(|(_, job)| !held.holds(job)).map(|(from, job)| (*from).max(rests_until(job))).min()
    }
}

struct Held<'a> {
    is_full: bool,
    looks_are_full: bool,
    running: &'a BTreeMap<String, (By, Task)>,
    /// Where a command waits, an edge does too: it may be the one that the command outdoes.
    commanded: BTreeSet<&'a str>,
}

impl Held<'_> {
    fn holds(&self, job: &Job) -> bool {
        let is_outdone = job.rank() == Rank::Edge && self.commanded.contains(job.host.as_str());
        self.is_full || is_outdone || (self.looks_are_full && job.task == Task::Look) || self.running.contains_key(&job.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(host: &str) -> Job {
        Job { task: Task::Look, ..job(host) }
    }

    fn job(host: &str) -> Job {
        Job::new(host, Task::Act(Action::On), By::Command(Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn one_machine_does_one_thing_and_rests_after_a_change() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        ["a", "a", "b"].iter().for_each(|host| jobs.add(job(host), now));
        assert_eq!([jobs.take(now), jobs.take(now), jobs.take(now)], [Some(job("a")), Some(job("b")), None]);
        jobs.ended("a", true, now);
        assert_eq!((jobs.take(now), jobs.next(now)), (None, Some(now + PAUSE)));
        jobs.look(look("a"), now);
        assert_eq!(jobs.take(now).map(|job| job.task), Some(Task::Look));
        jobs.ended("a", false, now);
        assert_eq!(jobs.take(now + PAUSE), Some(job("a")));
    }

    #[test]
    fn only_so_many_machines_at_once() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        (0..100).for_each(|n| jobs.add(job(&n.to_string()), now));
        assert_eq!(std::iter::from_fn(|| jobs.take(now)).count(), SIDE_BY_SIDE_MAX);
        assert_eq!(jobs.next(now), None);
        jobs.ended("0", false, now);
        assert!(jobs.next(now).is_some() && jobs.take(now).is_some());
    }

    #[test]
    fn whoever_polls_holds_up_nobody() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        let edge = Job::new("edge", Task::Act(Action::Off), By::Schedule(Timestamp::UNIX_EPOCH));
        for n in 0..LOOKS_MAX * 2 {
            jobs.look(look(&n.to_string()), now);
        }
        (0..100).for_each(|_| jobs.look(look("0"), now));
        assert_eq!((jobs.waiting.len(), jobs.commands()), (LOOKS_MAX, 0));
        jobs.add(edge.clone(), now);
        jobs.add(job("command"), now);
        assert_eq!([jobs.take(now), jobs.take(now)], [Some(job("command")), Some(edge)]);
        assert_eq!(std::iter::from_fn(|| jobs.take(now)).count(), LOOKS_SIDE_BY_SIDE_MAX);
        assert_eq!(jobs.next(now), None, "looks wait until one ends");
        jobs.look(look("0"), now);
        assert_eq!(jobs.waiting.len(), LOOKS_MAX - LOOKS_SIDE_BY_SIDE_MAX, "it is being looked at");
        (0..100).for_each(|n| jobs.add(job(&format!("late-{n}")), now));
        assert_eq!(std::iter::from_fn(|| jobs.take(now)).count(), SIDE_BY_SIDE_MAX - LOOKS_SIDE_BY_SIDE_MAX - 2);
    }

    #[test]
    fn an_edge_waits_for_the_command_that_may_outdo_it() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        let edge = Job::new("a", Task::Act(Action::Off), By::Schedule(Timestamp::UNIX_EPOCH));
        jobs.add(edge.clone(), now);
        jobs.add(job("a"), now + RETRY_FIRST);
        assert_eq!((jobs.take(now), jobs.next(now)), (None, Some(now + RETRY_FIRST)));
        assert_eq!([jobs.take(now + RETRY_FIRST), jobs.take(now + RETRY_FIRST)], [Some(job("a")), None]);
        jobs.ended("a", false, now);
        assert_eq!(jobs.take(now), Some(edge));
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let secs = |failed| Job { failed, ..job("a") }.pause(Again::Soon).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 99].map(secs), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(job("a").pause(Again::Late).as_secs(), 600);
    }
}

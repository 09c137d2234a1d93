//! What waits to be done, and what is being done: each machine one thing at a time, several machines side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::act::{Action, PAUSE};
use super::amt::Again;

/// How many machines are spoken to at once.
const SIDE_BY_SIDE_MAX: usize = 32;
/// How many commands may wait; of one more it is said that it was not taken.
pub(super) const COMMANDS_MAX: usize = 256;
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
    Command,
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            By::Schedule(_) => "schedule",
            By::Command => "command",
        }
    }

    pub(super) fn edge(self) -> Option<Timestamp> {
        match self {
            By::Schedule(edge) => Some(edge),
            By::Command => None,
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

impl Job {
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
    running: BTreeMap<String, By>,
    /// Machines that were changed, until they may be changed again.
    resting: BTreeMap<String, Instant>,
}

impl Jobs {
    pub(super) fn add(&mut self, job: Job, from: Instant) {
        self.waiting.push((from, job));
    }

    pub(super) fn commands(&self) -> usize {
        self.waiting.iter().filter(|(_, job)| job.by == By::Command).count()
    }

    /// The edges that wait or are being carried out.
    pub(super) fn edges(&self) -> BTreeSet<(String, Timestamp)> {
        let running = self.running.iter().filter_map(|(host, by)| Some((host.clone(), by.edge()?)));
        let waiting = self.waiting.iter().filter_map(|(_, job)| Some((job.host.clone(), job.by.edge()?)));
        running.chain(waiting).collect()
    }

    /// Forgets edges that wait and that nobody wants any more.
    pub(super) fn keep_edges(&mut self, wanted: impl Fn(&str, Timestamp) -> bool) {
        self.waiting.retain(|(_, job)| job.by.edge().is_none_or(|edge| wanted(&job.host, edge)));
    }

    /// The next job that may begin.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        if self.running.len() >= SIDE_BY_SIDE_MAX {
            return None;
        }
        self.resting.retain(|_, until| *until > now);
        let at = self.waiting.iter().position(|(from, job)| *from <= now && !self.is_held(job))?;
        let (_, job) = self.waiting.remove(at);
        self.running.insert(job.host.clone(), job.by);
        Some(job)
    }

    fn is_held(&self, job: &Job) -> bool {
        self.running.contains_key(&job.host) || (job.task != Task::Look && self.resting.contains_key(&job.host))
    }

    pub(super) fn ended(&mut self, host: &str, changed: bool, now: Instant) {
        self.running.remove(host);
        if changed {
            self.resting.insert(host.to_owned(), now + PAUSE);
        }
    }

    /// When it is worth to look again, if nothing ends before.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let free = self.running.len() < SIDE_BY_SIDE_MAX;
        let begin = |(from, job): &(Instant, Job)| (*from).max(self.resting.get(&job.host).copied().unwrap_or(now));
        self.waiting.iter().filter(|(_, job)| free && !self.running.contains_key(&job.host)).map(begin).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(host: &str) -> Job {
        Job::new(host, Task::Act(Action::On), By::Command)
    }

    #[test]
    fn one_machine_does_one_thing_and_rests_after_a_change() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        ["a", "a", "b"].iter().for_each(|host| jobs.add(job(host), now));
        assert_eq!([jobs.take(now), jobs.take(now), jobs.take(now)], [Some(job("a")), Some(job("b")), None]);
        jobs.ended("a", true, now);
        assert_eq!((jobs.take(now), jobs.next(now)), (None, Some(now + PAUSE)));
        jobs.add(Job { task: Task::Look, ..job("a") }, now);
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
    fn failures_wait_longer_and_longer() {
        let secs = |failed| Job { failed, ..job("a") }.pause(Again::Soon).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 99].map(secs), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(job("a").pause(Again::Late).as_secs(), 600);
    }
}

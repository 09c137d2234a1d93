//! What the part hears, and what it says of it: commands come as events, and what came of them goes as events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use super::act::{Action, Failure, Outcome};
use super::amt::State;
use super::jobs::{Job, Task};
use crate::event::{Event, Record};
use crate::serve::journal::Listener;

pub(super) enum Message {
    /// Do this to a host, whoever asked.
    Asked(String, Task),
    Ended(Job, Result<Done, Failure>),
    Stop,
}

pub(super) enum Done {
    Acted(Outcome),
    Seen(State),
}

/// Hears commands that came by DNS.
pub(super) struct Ear {
    pub(super) sender: SyncSender<Message>,
    pub(super) lost: Arc<AtomicU64>,
}

impl Listener for Ear {
    fn happened(&self, records: &[Record]) {
        for (host, task) in records.iter().filter_map(|record| asked(&record.event)) {
            if self.sender.try_send(Message::Asked(host, task)).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What an event asks for.
fn asked(event: &Event) -> Option<(String, Task)> {
    let commands = [("power-on", Action::On), ("power-off", Action::Off), ("power-cycle", Action::Cycle)];
    if let Event::CommandGiven { run, host, .. } = event {
        let (_, action) = commands.iter().find(|(name, _)| name == run)?;
        return Some((host.clone(), Task::Act(*action)));
    }
    if let Event::StatusAsked { host, .. } = event {
        return Some((host.clone(), Task::Look));
    }
    None
}

pub(super) fn asked_event(job: &Job, action: Action) -> Event {
    Event::PowerAsked { host: job.host.clone(), action: action.name().into(), by: job.by.name().into() }
}

pub(super) fn failed_event(job: &Job, why: String, again: Option<u64>) -> Event {
    let action = match job.task {
        Task::Act(action) => action.name(),
        Task::Look => "status",
    };
    Event::PowerFailed { host: job.host.clone(), action: action.into(), by: job.by.name().into(), why, again }
}

pub(super) fn done_events(job: &Job, done: &Done) -> Vec<Event> {
    match (done, job.task) {
        (Done::Acted(outcome), Task::Act(action)) => vec![outcome.event(&job.host, action, job.by.name())],
        (Done::Seen(state), _) => vec![Event::PowerSeen { host: job.host.clone(), state: state.to_string() }],
        (Done::Acted(_), Task::Look) => Vec::new(),
    }
}

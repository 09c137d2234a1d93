//! The executor without machines: what it makes of commands, edges, kills and clocks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::act::{Action, Failure, Outcome};
use super::amt::State;
use super::by_hand;
use super::execute::{Executor, guarded};
use super::hear::{Done, Message};
use super::jobs::{Job, Task};
use crate::out::table::{AmtRow, PowerRow, ScheduleRow, Tables, WindowRow};
use crate::serve::Handle;
use crate::serve::clock::Clock;

/// A site with one host, on from 07:30 to 20:30 each day, and its state folder.
struct Trial {
    state: PathBuf,
    tables: Arc<Tables>,
}

impl Trial {
    fn new() -> Trial {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pxelator-trial-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let state = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&state).unwrap();
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(str::to_owned).to_vec();
        let windows = vec![WindowRow { days, on: "07:30".into(), off: "20:30".into(), overnight: false }];
        let schedule = ScheduleRow {
            schedule: "s".into(),
            timezone: "UTC".into(),
            windows,
            holidays: vec![],
            holidays_until: Some("2026-11-24".into()),
        };
        let amt = AmtRow { user: "admin".into(), password_file: "/nowhere".into(), port: 16993, tls: true };
        let host = PowerRow {
            host: "k".into(),
            address: None,
            macs: vec![],
            broadcast: None,
            amt: Some(amt),
            wake: true,
            schedule: Some("s".into()),
            selectors: vec![],
        };
        let tables =
            Tables { power: [("k".into(), host)].into(), schedules: [("s".into(), schedule)].into(), ..Tables::default() };
        Trial { state, tables: Arc::new(tables) }
    }

    /// A server that starts at this time of the day.
    fn serve(&self, time: &str) -> Executor {
        let clock = clock(time);
        let (_kept, tables) = tokio::sync::watch::channel(self.tables.clone());
        let handle = Handle::alone(&self.state, clock, tables);
        let (sender, _nobody) = sync_channel(9);
        Executor::new(handle, sender, Arc::default())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.state);
    }
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-25T{time}Z").parse().unwrap()
}

fn clock(time: &str) -> Clock {
    Clock::starting_at(at(time))
}

impl Executor {
    fn says(&mut self, time: &str) -> &mut Executor {
        self.handle.clock = clock(time);
        self.scan();
        self
    }

    /// The job that begins, if any may some time later.
    fn begins(&mut self) -> Option<Job> {
        self.take(Instant::now() + Duration::from_secs(3600))
    }

    fn ends(&mut self, job: Option<Job>, done: Result<Outcome, Failure>) {
        self.note(Message::Ended(job.unwrap(), done.map(Done::Acted)));
        self.tell();
        self.memory.write(&self.handle.state, Instant::now());
    }

    fn asks(&mut self, action: Action) {
        self.note(Message::Asked("k".into(), Task::Act(action)));
        self.tell();
        self.memory.write(&self.handle.state, Instant::now());
    }
}

/// What a machine that does not answer makes of it, and what one that does.
fn away() -> Result<Outcome, Failure> {
    let source = std::io::Error::other("nobody is there");
    Err(Failure::Secret(crate::operate::Error::Io { step: "reach", path: "k".into(), source }))
}

fn told(job: &Option<Job>) -> Option<(Task, &'static str)> {
    job.as_ref().map(|job| (job.task, job.by.name()))
}

const OFF: Option<(Task, &str)> = Some((Task::Act(Action::Off), "schedule"));
const ON: Option<(Task, &str)> = Some((Task::Act(Action::On), "command"));

#[test]
fn a_machine_that_can_only_be_woken_is_left_alone_at_the_end_of_its_day() {
    let mut trial = Trial::new();
    let mut tables = Tables::clone(&trial.tables);
    tables.power.get_mut("k").unwrap().amt = None;
    trial.tables = Arc::new(tables);
    let mut server = trial.serve("20:00:00");
    assert_eq!(server.says("20:31:00").begins(), None);
    assert_eq!(server.memory.until("k"), Some(at("20:30:00")));
    server.tell();
    // Nor after a restart, and in the morning it is woken.
    assert_eq!(trial.serve("20:32:00").says("20:33:00").begins(), None);
    let next = server.says("20:34:00").begins();
    assert_eq!(next, None);
}

#[test]
fn a_command_that_fails_settles_no_edge_and_one_that_works_does() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    let edge = server.says("20:31:00").begins();
    assert_eq!(told(&edge), OFF);
    server.ends(edge, away());
    server.asks(Action::On);
    let command = server.begins();
    assert_eq!((told(&command), told(&server.begins())), (ON, None), "the edge waits for what comes of the command");
    server.ends(command, away());
    let edge = server.begins();
    assert_eq!(told(&edge), OFF);
    server.ends(edge, away());
    server.asks(Action::On);
    let command = server.begins();
    server.ends(command, Ok(Outcome::Changed(State::Off)));
    assert_eq!(told(&server.says("20:40:00").begins()), None);
    assert_eq!(told(&trial.serve("20:41:00").says("20:41:00").begins()), None);
}

#[test]
fn a_command_settles_no_edge_that_came_after_it() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    server.says("20:29:00").asks(Action::On);
    let command = server.begins();
    server.says("20:31:00");
    server.ends(command, Ok(Outcome::Kept(State::On)));
    assert_eq!(told(&server.begins()), OFF);
}

#[test]
fn a_kill_before_the_command_is_carried_out_loses_no_edge() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    let edge = server.says("20:31:00").begins();
    server.ends(edge, away());
    server.asks(Action::On);
    assert_eq!(told(&server.begins()), ON);
    drop(server);
    let edge = trial.serve("20:32:00").says("20:32:00").begins();
    assert_eq!(told(&edge), OFF);
}

#[test]
fn what_was_done_by_hand_outdoes_the_edges_of_before() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    let edge = server.says("20:31:00").begins();
    server.ends(edge, away());
    by_hand::write(&trial.state, "k", at("20:29:59")).unwrap();
    let edge = server.begins();
    assert_eq!(told(&edge), OFF, "the edge came later");
    server.ends(edge, away());
    by_hand::write(&trial.state, "k", at("20:31:30")).unwrap();
    let edge = server.begins();
    assert_eq!(told(&edge), OFF, "a moment that is yet to come is none");
    server.ends(edge, away());
    assert_eq!(told(&server.says("20:32:00").begins()), None);
    server.memory.write(&trial.state, Instant::now());
    std::fs::remove_dir_all(trial.state.join("power")).unwrap();
    assert_eq!(told(&trial.serve("20:33:00").says("20:33:00").begins()), None, "it is settled");
}

#[test]
fn an_edge_that_was_outdone_while_no_server_ran_is_not_even_asked_for() {
    let trial = Trial::new();
    trial.serve("12:00:00").memory.write(&trial.state, Instant::now());
    by_hand::write(&trial.state, "k", at("20:31:30")).unwrap();
    assert!(trial.serve("20:32:00").says("20:32:00").jobs.edges().is_empty());
}

#[test]
fn that_holidays_are_over_is_told_once_a_day_for_as_long_as_it_runs() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    let days = ["2026-11-24T23:59:59Z", "2026-11-25T00:00:00Z", "2026-11-25T20:30:00Z", "2026-11-26T07:30:00Z"];
    let told = days.map(|now| server.holidays_warnings(now.parse().unwrap()));
    let words = "schedule s: its holidays are known until 2026-11-24 alone; of days with a year it knows no more";
    assert_eq!(told, [vec![], vec![words.to_owned()], vec![], vec![words.to_owned()]]);
}

#[test]
fn whoever_breaks_or_gets_no_thread_has_failed_and_is_tried_again() {
    let trial = Trial::new();
    let mut server = trial.serve("12:00:00");
    let edge = server.says("20:31:00").begins();
    server.ends(edge, guarded(|| panic!("this panic is part of the test")));
    let edge = server.begins();
    assert_eq!(told(&edge), OFF);
    server.ends(edge, Err(Failure::Thread(std::io::Error::other("no memory"))));
    let edge = server.begins();
    assert_eq!((told(&edge), edge.unwrap().failed), (OFF, 2));
}

//! The threads of one conversation: a reader, a writer, one that checks, and the server between them.

use std::io::{BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use lsp_server::Message;

use super::findings::{Checker, Found, Job};
use super::server::{End, Server};
use super::wire::{self, Error};
use crate::terminal::say;

/// How many messages and findings may wait for the server.
const QUEUE_MAX: usize = 256;
/// How many answers may wait for the editor; more, and the server waits with them.
const ANSWERS_MAX: usize = 1024;
/// The stack of the thread that checks, in bytes: what a main thread has.
const STACK_BYTES: usize = 8 << 20;
/// How long the last answers may take after `exit`.
const FAREWELL: Duration = Duration::from_secs(1);

/// What may happen.
pub(super) enum Event {
    Message(Message),
    Checked(Found),
    /// The editor went away.
    Ended,
    Broken(Error),
}

/// Serves until the editor says `exit` or goes away; true where it asked for `shutdown` first.
pub fn run(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> Result<bool, Error> {
    let (event, events) = sync_channel(QUEUE_MAX);
    let (answer, answers) = sync_channel(ANSWERS_MAX);
    let (job, jobs) = sync_channel::<Job>(1);
    let (said, farewell) = sync_channel::<()>(1);
    let checked = event.clone();
    start("lsp-read", move || receive(input, &event))?;
    let check = move || {
        let mut checker = Checker::default();
        jobs.into_iter().map(|job| checker.check(job)).try_for_each(|found| checked.send(Event::Checked(found))).unwrap_or(());
    };
    start("lsp-check", check)?;
    start("lsp-write", move || {
        transmit(output, &answers);
        let _nobody_waits = said.send(());
    })?;
    let end = converse(&events, Server::new(answer, job));
    let _too_slow = farewell.recv_timeout(FAREWELL);
    match end {
        End::Exit { asked } => Ok(asked),
        End::Gone { asked } => {
            if !asked {
                say("the editor closed the connection without `shutdown`");
            }
            Ok(asked)
        }
        End::Broken(error) => Err(error),
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work).map(drop).map_err(Error::Thread)
}

fn receive(input: impl Read, event: &SyncSender<Event>) {
    let mut input = BufReader::new(input);
    loop {
        let (next, last) = match wire::read(&mut input) {
            Ok(Some(message)) => (Event::Message(message), false),
            Ok(None) => (Event::Ended, true),
            Err(error) => (Event::Broken(error), true),
        };
        if event.send(next).is_err() || last {
            return;
        }
    }
}

fn transmit(mut output: impl Write, answers: &Receiver<Message>) {
    for message in answers {
        if wire::write(&message, &mut output).is_err() {
            return; // the reader will see that the editor is gone
        }
    }
}

/// Takes all that waits at once: of many changes only the last needs a check, and a request may be
/// cancelled by a message behind it.
fn converse(events: &Receiver<Event>, mut server: Server) -> End {
    while let Ok(first) = events.recv() {
        let batch: Vec<Event> = std::iter::once(first).chain(events.try_iter().take(QUEUE_MAX)).collect();
        if let Some(end) = server.take(batch) {
            return end;
        }
    }
    End::Gone { asked: false }
}

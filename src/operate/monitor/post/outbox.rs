//! `STATE/alerts/`: a file for each message that a sink does not have yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Message;
use crate::out::table::json;
use crate::store;
use crate::terminal::chain;

pub const FOLDER: &str = "alerts";
const SUFFIX: &str = ".json";
/// Beside the messages: why a sink does not get them.
const TROUBLE: &str = ".trouble";
/// How many messages may wait for a sink.
pub const WAITING_MAX: usize = 1000;
/// How long a message waits.
pub const WAITING_SECS_MAX: i64 = 7 * 86_400;
/// The most that a message has, in bytes: the names of those behind it are many.
const MESSAGE_BYTES_MAX: u64 = 4 << 20;

/// Why a sink does not get its messages, since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    pub sink: String,
    pub since: i64,
    pub why: String,
}

/// What lies in the folder, and who waits for it.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    next: u64,
    /// By sink: number and alert, the oldest first.
    waiting: BTreeMap<String, VecDeque<(u64, String)>>,
    /// Written, and not to be sent before the checks' own file knows of them.
    held: Vec<(String, u64, String)>,
}

/// All messages of a state folder, the oldest first, also while nobody serves; damaged ones are left out.
pub fn messages(state: &Path) -> store::Result<Vec<(u64, Message)>> {
    let folder = state.join(FOLDER);
    let read = match fs::read_dir(&folder) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(store::failed("read", &folder)(error)),
    };
    let mut found = Vec::new();
    for entry in read.flatten() {
        let Some(number) = number_of(&entry.file_name().to_string_lossy()) else { continue };
        let bytes = store::serials::read_state(&entry.path(), MESSAGE_BYTES_MAX)?;
        match bytes.map(|bytes| serde_json::from_slice(&bytes)) {
            Some(Ok(message)) => found.push((number, message)),
            Some(Err(error)) => warn!("{}: {error}; this message is told to nobody: delete it", entry.path().display()),
            None => {}
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

/// What keeps messages from their sinks.
pub fn stuck(state: &Path) -> Vec<Stuck> {
    let entries = fs::read_dir(state.join(FOLDER)).into_iter().flatten().flatten();
    let of_sinks = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(TROUBLE));
    let mut all: Vec<Stuck> = of_sinks.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()).collect();
    all.sort_by(|a, b| a.sink.cmp(&b.sink));
    all
}

fn number_of(name: &str) -> Option<u64> {
    let (number, _) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    number.parse().ok()
}

fn sum(sink: &str) -> String {
    blake3::hash(sink.as_bytes()).to_hex().as_str().chars().take(16).collect()
}

impl Outbox {
    /// With what a former run left, and those messages themselves.
    pub fn open(state: &Path) -> store::Result<(Outbox, Vec<Message>)> {
        let folder = state.join(FOLDER);
        let mut queues = Queues::default();
        let found = messages(state)?;
        for (number, message) in &found {
            queues.next = queues.next.max(*number + 1);
            queues.waiting.entry(message.sink.clone()).or_default().push_back((*number, message.alert.id.clone()));
        }
        Ok((Outbox { folder, queues: Mutex::new(queues) }, found.into_iter().map(|(_, message)| message).collect()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Queues) -> T) -> T {
        work(&mut self.queues.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn path(&self, number: u64, sink: &str) -> PathBuf {
        self.folder.join(format!("{number:012}-{}{SUFFIX}", sum(sink)))
    }

    /// On the disk when this returns; nobody sends it before [`Outbox::release`]. The reason where it is not kept.
    pub fn put(&self, message: &Message) -> Result<(), String> {
        let number = self.with(|queues| {
            let waiting = queues.waiting.get(&message.sink).map_or(0, VecDeque::len);
            let held = queues.held.iter().filter(|(sink, _, _)| *sink == message.sink).count();
            queues.next += 1;
            (waiting + held < WAITING_MAX).then_some(queues.next)
        });
        let number = number.ok_or_else(|| format!("{WAITING_MAX} messages wait for it already"))?;
        let written = store::out::make_in_state(&self.folder)
            .and_then(|()| store::out::replace_state(&self.path(number, &message.sink), &json(message)));
        written.map_err(|error| chain(&error))?;
        self.with(|queues| queues.held.push((message.sink.clone(), number, message.alert.id.clone())));
        Ok(())
    }

    /// The checks' file knows of all that was put: now it may be sent.
    pub fn release(&self) {
        self.with(|queues| {
            for (sink, number, alert) in std::mem::take(&mut queues.held) {
                queues.waiting.entry(sink).or_default().push_back((number, alert));
            }
        });
    }

    /// The oldest message of a sink, but for those that are set aside and what is said of the same alerts. One that
    /// nobody can read is passed over.
    pub fn head(&self, sink: &str, aside: &BTreeSet<u64>) -> Option<(u64, Message)> {
        loop {
            let number = self.with(|queues| {
                let mut held = BTreeSet::new();
                let mut is_next = |(number, alert): &&(u64, String)| {
                    let waits = aside.contains(number) || held.contains(alert);
                    held.extend(waits.then(|| alert.clone()));
                    !waits
                };
                queues.waiting.get(sink)?.iter().find(&mut is_next).map(|(number, _)| *number)
            })?;
            let path = self.path(number, sink);
            match store::serials::read_state(&path, MESSAGE_BYTES_MAX)
                .map(|bytes| bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
            {
                Ok(Some(message)) => return Some((number, message)),
                Ok(None) => {
                    warn!("{}: it is gone, or damaged, and is told to nobody", path.display());
                    self.done(sink, number);
                }
                Err(error) => {
                    warn!("{}", chain(&error));
                    return None;
                }
            }
        }
    }

    /// The sink has it, or never gets it.
    pub fn done(&self, sink: &str, number: u64) {
        let path = self.path(number, sink);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != ErrorKind::NotFound
        {
            warn!("cannot remove {}: {error}; after a restart it is sent again, with the same name", path.display());
        }
        self.with(|queues| {
            if let Some(waiting) = queues.waiting.get_mut(sink) {
                waiting.retain(|(other, _)| *other != number);
            }
        });
    }

    /// Why a sink does not get its messages, for whoever asks; `None` where it does.
    pub fn tell(&self, sink: &str, stuck: Option<&Stuck>) {
        let path = self.folder.join(format!("{}{TROUBLE}", sum(sink)));
        let _for_people_alone = match stuck {
            Some(stuck) => store::out::replace_state(&path, &json(stuck)).map_err(|error| warn!("{}", chain(&error))),
            None => {
                let _it_never_was = fs::remove_file(&path);
                Ok(())
            }
        };
    }

    /// The sinks that wait for the news of an alert.
    pub fn waiting(&self, alert: &str) -> Vec<String> {
        self.with(|queues| {
            let released =
                queues.waiting.iter().filter(|(_, all)| all.iter().any(|(_, id)| id == alert)).map(|(sink, _)| sink.clone());
            let held = queues.held.iter().filter(|(_, _, id)| id == alert).map(|(sink, _, _)| sink.clone());
            released.chain(held).collect::<BTreeSet<_>>().into_iter().collect()
        })
    }

    /// The sinks for which something waits.
    pub fn sinks(&self) -> Vec<String> {
        self.with(|queues| queues.waiting.iter().filter(|(_, all)| !all.is_empty()).map(|(sink, _)| sink.clone()).collect())
    }
}

//! `power`: turns machines on and off, and says what they do and what their schedule wants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};

use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use super::out_args::OutArgs;
use super::site::Told;
use super::{Failure, Outcome};
use crate::answer::power::Schedule;
use crate::event::{Event, Record};
use crate::operate::audit;
use crate::operate::power::act::{self, Action};
use crate::operate::power::by_hand;
use crate::out::table::{PowerRow, Tables};
use crate::serve::clock::Clock;
use crate::terminal::{chain, print, say};

/// Who wants it, as events say it.
const BY: &str = "operator";
/// How many machines are spoken to at once.
const SIDE_BY_SIDE_MAX: usize = 32;

/// Turn machines on and off, or ask what they do
///
/// Speaks to the machines by itself, from out/ alone: no server needs to run. A machine that is already as
/// it is wanted is left alone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator power kiosk-01 status\n  pxelator power group:kiosks on\n  pxelator power kiosk-01 cycle --pxe   # the next boot, and no later one, is from the network"
)]
pub(super) struct Args {
    /// A host's name, or group:NAME or tag:NAME
    #[arg(value_name = "HOST|group:NAME|tag:NAME")]
    who: String,
    #[arg(value_enum)]
    what: What,
    /// With on, cycle and reset: boot from the network this once (AMT alone)
    #[arg(long)]
    pxe: bool,
    #[command(flatten)]
    out: OutArgs,
    /// Where it is kept what was done, and which certificates machines with TLS showed
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Told::Text, value_name = "FORMAT")]
    format: Told,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Turn it on
    On,
    /// Turn it off at once, as its button does when held: what runs there is not asked
    Off,
    /// Off, and on again; on, if it is off
    Cycle,
    /// Start it anew without taking its power
    Reset,
    /// Say what it does, and what its schedule wants
    Status,
}

impl What {
    fn action(self) -> Option<Action> {
        match self {
            What::On => Some(Action::On),
            What::Off => Some(Action::Off),
            What::Cycle => Some(Action::Cycle),
            What::Reset => Some(Action::Reset),
            What::Status => None,
        }
    }
}

/// One machine's line.
#[derive(Serialize)]
struct Row {
    host: String,
    /// What it did before, or does now; absent where nobody can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// What it was told: `on` … `reset`, or `wake`; absent where it was left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Wanted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a schedule wants.
#[derive(Serialize)]
struct Wanted {
    schedule: String,
    now: &'static str,
    /// When it wants something else, by the clocks at the machine, and what.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<(String, &'static str)>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    if args.pxe && matches!(args.what, What::Off | What::Status) {
        return Err("--pxe is about the boot that follows: give it with on, cycle or reset".into());
    }
    let tables = Tables::read(&args.out.open()?.files)?;
    let rows = chosen(&args.who, &tables)?;
    let mut all = Vec::new();
    let mut failed = false;
    if args.what == What::Status {
        warn_of_holidays(&rows, &tables);
    }
    keep(args, &rows.iter().filter_map(|row| asked(args, row)).collect::<Vec<_>>());
    side_by_side(&rows, |row| one(args, row, &tables), |row| {
        failed |= row.error.is_some();
        match args.format {
            Told::Text => show(&row, args.what),
            Told::Json => all.push(row),
        }
    });
    if args.format == Told::Json {
        print(&(serde_json::to_string_pretty(&all)? + "\n"));
    }
    Ok(if failed { Outcome::Errors } else { Outcome::Good })
}

/// The hosts that are meant; never none.
fn chosen<'a>(who: &str, tables: &'a Tables) -> Result<Vec<&'a PowerRow>, Failure> {
    let rows: Vec<&PowerRow> = match who.contains(':') {
        true => tables.power.values().filter(|row| row.selectors.iter().any(|selector| selector == who)).collect(),
        false => tables.power.values().filter(|row| row.host.eq_ignore_ascii_case(who)).collect(),
    };
    if !rows.is_empty() {
        return Ok(rows);
    }
    if tables.hosts.values().any(|row| row.host.eq_ignore_ascii_case(who)) {
        return Err(format!("host `{who}` cannot be switched: give it amt= or wake= in the site, and build").into());
    }
    let hosts = tables.power.values().map(|row| row.host.as_str());
    let selectors = tables.power.values().flat_map(|row| row.selectors.iter().map(String::as_str));
    let hint = crate::diag::nearest(who, hosts.chain(selectors)).map_or_else(
        || "give one that has amt= or wake= in the site, or group:NAME or tag:NAME of several".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let selector = tables.power.values().flat_map(|row| &row.selectors).find(|selector| selector.split_once(':').is_some_and(|(_, name)| name == who));
    let hint = selector.map_or(hint, |selector| format!("did you mean `{selector}`?"));
    Err(format!("no host `{who}` that can be switched; {hint}").into())
}

/// Does something to each row, several at once, and shows what came of it in their order.
pub(super) fn side_by_side<R: Sync, T: Send>(rows: &[&R], work: impl Fn(&R) -> T + Sync, mut show: impl FnMut(T)) {
    let next = Mutex::new(rows.iter().enumerate());
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE_MAX.min(rows.len()) {
            let (next, work, sender) = (&next, &work, sender.clone());
            scope.spawn(move || {
                let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((at, row)) = take() {
                    let _nobody_shows = sender.send((at, work(row)));
                }
            });
        }
        drop(sender);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        for (at, done) in receiver {
            early.insert(at, done);
            while let Some(done) = early.remove(&due) {
                show(done);
                due += 1;
            }
        }
    });
}

/// Who types has asked, before anything is done.
fn asked(args: &Args, row: &PowerRow) -> Option<Event> {
    Some(Event::PowerAsked { host: row.host.clone(), action: args.what.action()?.name().into(), by: BY.into() })
}

/// What is done by hand is in the audit too. Machines are switched all the same where it cannot be written.
fn keep(args: &Args, events: &[Event]) {
    let at = Clock::default().now().as_microsecond();
    let records: Vec<Record> = events.iter().map(|event| Record { at, event: event.clone() }).collect();
    // One at a time: several threads come here.
    static TELL: Mutex<bool> = Mutex::new(true);
    let mut tell = TELL.lock().unwrap_or_else(PoisonError::into_inner);
    if records.is_empty() {
        return;
    }
    if let Err(error) = audit::append(&args.state, &records)
        && std::mem::replace(&mut *tell, false)
    {
        say(&format!("warning: this is not kept in the audit: {}; give the --state of `pxelator serve`, and run it as root or as its user", chain(&error)));
    }
}

/// A server that still tries an edge of before shall leave it.
fn outdo(args: &Args, row: &PowerRow, given: Timestamp) {
    if let Err(error) = by_hand::write(&args.state, &row.host, given) {
        say(&format!("warning: {}: an edge that a server still tries may undo this: {}", row.host, chain(&error)));
    }
}

fn one(args: &Args, row: &PowerRow, tables: &Tables) -> Row {
    let mut told = Row { host: row.host.clone(), state: None, told: None, schedule: None, error: None };
    match args.what.action() {
        Some(action) => {
            let given = Clock::default().now();
            let done = act::carry_out(row, action, args.pxe, &args.state);
            if done.is_ok() {
                outdo(args, row, given);
            }
            keep(args, &[event(row, action, &done)]);
            match done {
                Ok(act::Outcome::Kept(state)) => told.state = Some(state.to_string()),
                Ok(act::Outcome::Changed(state)) => (told.state, told.told) = (Some(state.to_string()), Some(action.name())),
                Ok(act::Outcome::Woken) => told.told = Some("wake"),
                Err(error) => told.error = Some(chain(&error)),
            }
        }
        None => {
            told.schedule = row.schedule.as_ref().and_then(|name| wanted(name, tables));
            match act::look(row, &args.state) {
                Ok(state) => told.state = Some(state.to_string()),
                // Nobody can be asked, and that is no error.
                Err(_) if row.amt.is_none() => {}
                Err(error) => told.error = Some(chain(&error)),
            }
        }
    }
    told
}

fn event(row: &PowerRow, action: Action, done: &Result<act::Outcome, act::Failure>) -> Event {
    match done {
        Ok(outcome) => outcome.event(&row.host, action, BY),
        Err(error) => {
            let (action, why) = (action.name().into(), chain(error));
            Event::PowerFailed { host: row.host.clone(), action, by: BY.into(), why, again: None }
        }
    }
}

fn wanted(name: &str, tables: &Tables) -> Option<Wanted> {
    let schedule = Schedule::read(tables.schedules.get(name)?).ok()?;
    let now = Clock::default().now();
    let next = schedule.next(now).map(|edge| (schedule.local(edge.at).strftime("%Y-%m-%d %H:%M").to_string(), edge.action.name()));
    Some(Wanted { schedule: name.to_owned(), now: schedule.wanted(now).name(), next })
}

/// Once for each schedule, however many machines follow it.
fn warn_of_holidays(rows: &[&PowerRow], tables: &Tables) {
    let names: BTreeSet<&String> = rows.iter().filter_map(|row| row.schedule.as_ref()).collect();
    let read = |name: &String| Schedule::read(tables.schedules.get(name)?).ok()?.holidays_warning(name, Clock::default().now());
    names.into_iter().filter_map(read).for_each(|warning| say(&format!("warning: {warning}")));
}

fn show(row: &Row, what: What) {
    let host = &row.host;
    let schedule = row.schedule.as_ref().map(|wanted| {
        let next = wanted.next.as_ref().map(|(at, action)| format!(", `{action}` from {at}")).unwrap_or_default();
        format!("; schedule {} wants `{}` now{next}", wanted.schedule, wanted.now)
    });
    let schedule = schedule.unwrap_or_default();
    if let Some(error) = &row.error {
        return say(&format!("error: {host}: {error}{schedule}"));
    }
    let done = match (row.told, &row.state) {
        (Some("wake"), _) => "a wake-up was sent; nothing answers one".to_owned(),
        (Some(told), Some(state)) => format!("told `{told}`, was {state}"),
        (Some(told), None) => format!("told `{told}`"),
        (None, Some(state)) if what == What::Status => state.clone(),
        (None, Some(state)) => format!("is {state} already, and was left alone"),
        (None, None) => "it can be woken, and nobody can be asked whether it is on".to_owned(),
    };
    print(&format!("{host}: {done}{schedule}\n"));
}

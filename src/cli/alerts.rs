//! `alerts`: what is wrong, what was, and who does not have the news yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::out_args::OutArgs;
use super::site::Told;
use super::{Failure, Outcome};
use crate::operate::monitor::post::outbox::{Stuck, messages, stuck};
use crate::operate::monitor::post::{Message, duration, send};
use crate::operate::monitor::seen::{self, Alert, Seen, State};
use crate::out::table::{Tables, json as row};
use crate::serve::clock::Clock;
use crate::store::serving::Serving;
use crate::terminal::{escaped, json_escaped, print, say};

/// How many of the hosts behind something are named; the rest are counted.
const NAMES_MAX: usize = 5;

/// Tell what is wrong, what was lately, and whom the news has not reached
///
/// Reads the state folder, whether or not anybody serves. Times are UTC.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator alerts\n  pxelator alerts --format json\n  pxelator alerts test   # a test message to everybody who is told, now",
    args_conflicts_with_subcommands = true
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where `serve` keeps its state
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Told::Text, value_name = "FORMAT")]
    format: Told,
}

#[derive(Subcommand)]
enum Command {
    Test(TestArgs),
}

/// Send a test message to everybody who is told, and say what came of it
///
/// Run it on the boot server, as the user of `serve`: secrets are read from their files.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator alerts test\n  pxelator alerts test --out /srv/other/current/out")]
struct TestArgs {
    #[command(flatten)]
    out: OutArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Some(Command::Test(args)) => test(args),
        None => show(args),
    }
}

fn test(args: &TestArgs) -> Result<Outcome, Failure> {
    let tables = Tables::read(&args.out.open()?.files)?;
    if tables.alerts.is_empty() {
        return Err("the site tells nobody: add alerts { mail \"NAME@DOMAIN\" through=\"HOST:25\" }, and build again".into());
    }
    let mut outcome = Outcome::Good;
    for row in &tables.alerts {
        match send(row, &Message::test(row, Clock::default().now().as_second())) {
            Ok(()) => print(&format!("{}: it took the test message\n", row.name())),
            Err(trouble) => {
                say(&format!("{}: {}", row.name(), trouble.what()));
                outcome = Outcome::Errors;
            }
        }
    }
    Ok(outcome)
}

/// What waits for a sink.
struct Waiting {
    count: usize,
    since: i64,
    why: Option<String>,
}

fn show(args: &Args) -> Result<Outcome, Failure> {
    let Some(seen) = seen::read(&args.state)? else {
        return Err(format!(
            "there is no {}: give the folder that `pxelator serve --state` has (default /var/lib/pxelator); a server whose site has no `check` has none",
            args.state.join(seen::SEEN).display()
        )
        .into());
    };
    let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
    for (_, message) in messages(&args.state)? {
        waiting.entry(message.sink).or_insert(Waiting { count: 0, since: message.at, why: None }).count += 1;
    }
    for Stuck { sink, why, .. } in stuck(&args.state) {
        waiting.entry(sink).and_modify(|waiting| waiting.why = Some(why));
    }
    // Times of a rehearsal are not those of this clock: it is asked who serves, and not how old the file is.
    let is_served = Serving::read(&args.state)?.is_some_and(|serving| serving.is_alive());
    if !is_served {
        let state = args.state.display();
        say(&format!("nobody serves with the state folder {state}, so nothing was asked since {}", moment(seen.at)));
    }
    match args.format {
        Told::Text => print(&text(&seen, &waiting)),
        Told::Json => {
            let one = |(sink, waiting): (&String, &Waiting)| json!({ "sink": sink, "count": waiting.count, "since": waiting.since, "why": waiting.why });
            let unknown = |(why, (count, since))| json!({ "count": count, "why": why, "since": since });
            let unknown: Vec<_> = unknown_by_reason(&seen).into_iter().map(unknown).collect();
            let all = json!({ "at": seen.at, "served": is_served, "unknown": unknown, "alerts": seen.alerts, "waiting": waiting.iter().map(one).collect::<Vec<_>>() });
            print(&format!("{}\n", json_escaped(&row(&all))));
        }
    }
    Ok(Outcome::Good)
}

fn text(seen: &Seen, waiting: &BTreeMap<String, Waiting>) -> String {
    let mut out = String::new();
    let (open, over): (Vec<&Alert>, Vec<&Alert>) = seen.alerts.iter().partition(|alert| alert.resolved.is_none());
    match (open.len(), seen.unable().is_empty()) {
        (0, true) => out.push_str(&format!("nothing is wrong: {} checks, as of {}\n", seen.checks.len(), moment(seen.at))),
        (0, false) => out.push_str(&format!("no alert is open, and not all is known, as of {}\n", moment(seen.at))),
        (count, _) => out.push_str(&format!("{count} open, as of {}\n", moment(seen.at))),
    }
    for (why, (count, since)) in unknown_by_reason(seen) {
        let all = seen.checks.len();
        out.push_str(&format!("  {count} of {all} checks not known since {}: {}\n", moment(since), escaped(why)));
    }
    for alert in open {
        out.push_str(&format!("  {}  since {}, {}\n", of(alert), moment(alert.fired), duration(seen.at - alert.fired)));
        out.push_str(&format!("      {}\n", escaped(&alert.why)));
        if !alert.behind.is_empty() {
            let more = if alert.behind.len() > NAMES_MAX { " …" } else { "" };
            let named: Vec<String> = alert.behind.iter().take(NAMES_MAX).map(|host| escaped(host)).collect();
            out.push_str(&format!("      {} behind it cannot be reached: {}{more}\n", alert.behind.len(), named.join(", ")));
        }
    }
    if !over.is_empty() {
        out.push_str("over, within the last week\n");
    }
    for alert in over {
        let resolved = alert.resolved.unwrap_or(alert.fired);
        out.push_str(&format!("  {}  from {}, {}\n", of(alert), moment(alert.fired), duration(resolved - alert.fired)));
    }
    if !waiting.is_empty() {
        out.push_str("not told yet\n");
    }
    for (sink, Waiting { count, since, why }) in waiting {
        let messages = if *count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        let why = why.as_ref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
        out.push_str(&format!("  {}  {messages} since {}{why}\n", escaped(sink), moment(*since)));
    }
    out
}

/// Checks of which nothing is known: how many for each reason, and since when.
fn unknown_by_reason(seen: &Seen) -> BTreeMap<&str, (usize, i64)> {
    let mut all = seen.unable();
    for check in seen.checks.iter().filter(|check| check.state == State::Unknown && check.unable().is_none()) {
        let why = check.why.as_deref().unwrap_or("they were not asked yet");
        let (count, since) = all.entry(why).or_insert((0, check.since));
        (*count, *since) = (*count + 1, check.since.min(*since));
    }
    all
}

fn of(alert: &Alert) -> String {
    format!("{} ({})", escaped(&alert.host), escaped(&alert.check))
}

fn moment(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().to_string()
}

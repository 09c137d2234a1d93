//! `audit`: what happened, out of the spool that `serve` writes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use regex::Regex;

use super::moments::time;
use super::{Failure, Outcome};
use crate::answer::mac_of;
use crate::diag::nearest;
use crate::operate::audit::boots::{Boot, Boots};
use crate::operate::audit::query::{Filter, Met, is_there, json, query, text};
use crate::terminal::{escaped, print_on, say};

/// How much is printed at once, in bytes.
const PRINT_BYTES: usize = 64 << 10;
/// Among how many hosts the one that was meant is looked for.
const HOSTS_MAX: usize = 10_000;
/// How many that may have been meant are named.
const NEAR_MAX: usize = 3;

/// Ask what happened: events of all services, and what machines logged
///
/// Reads the spool in the state folder, whether or not anybody serves.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator audit query --host kiosk-01 --since 2h\n  pxelator audit query --service sshd --grep 'Failed password' --format jsonl\n  pxelator audit boots kiosk-01"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Query(QueryArgs),
    Boots(BootsArgs),
}

/// Print records, the oldest first
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator audit query --host kiosk-01 --since 2h\n  pxelator audit query --service dhcp --since 2026-11-25 --until 2026-11-26"
)]
struct QueryArgs {
    /// Of this host, address or MAC
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Of this service (dhcp, tftp, http, dns, power, monitor, rule, track, syslog, audit), or of this program in syslog
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// From then on: a moment, a date (UTC), or how long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Up to then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only what this regular expression finds
    #[arg(long, value_name = "REGEX")]
    grep: Option<Regex>,
    #[command(flatten)]
    place: Place,
}

/// Tell each boot of a host step by step, and where one stopped
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator audit boots kiosk-01\n  pxelator audit boots kiosk-01 --since 1d --format jsonl")]
struct BootsArgs {
    /// The host, or the MAC of a machine that nobody declared
    #[arg(value_name = "HOST")]
    host: String,
    /// From then on: a moment, a date (UTC), or how long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Place {
    /// Where `serve` keeps its state
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    /// For people, or for programs: a JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Jsonl,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::Query(args) => records(args),
        Command::Boots(args) => boots(args),
    }
}

fn records(args: &QueryArgs) -> Result<Outcome, Failure> {
    let host = args.host.as_deref().map(as_told);
    let filter = Filter {
        host: host.clone(),
        service: args.service.clone(),
        since: args.since,
        until: args.until,
        grep: args.grep.clone(),
    };
    let mut out = Printer::default();
    let met = look(&args.place, &filter, |entry| {
        out.add(&match args.place.format {
            Format::Text => text(entry),
            Format::Jsonl => json(entry),
        })
    })?;
    let _end = out.flush();
    told(&args.place, &met, "record", host.as_deref());
    Ok(Outcome::Good)
}

fn boots(args: &BootsArgs) -> Result<Outcome, Failure> {
    let now = Timestamp::now().as_microsecond();
    let filter = Filter { since: args.since, ..Filter::default() };
    let host = as_told(&args.host);
    let (mut out, mut boots, mut count) = (Printer::default(), Boots::of(&host), 0);
    let shown = |boot: Boot| match args.place.format {
        Format::Text => boot.text(now),
        Format::Jsonl => boot.json(now),
    };
    let met = look(&args.place, &filter, |entry| {
        let Some(boot) = boots.add(entry) else { return ControlFlow::Continue(()) };
        count += 1;
        out.add(&shown(boot))
    })?;
    let mut text = String::new();
    if let Some(boot) = boots.last() {
        count += 1;
        text = shown(boot);
    }
    let _end = out.add(&text).is_continue().then(|| out.flush());
    told(&args.place, &Met { records: count, ..met }, "boot", Some(&host));
    Ok(Outcome::Good)
}

/// The records; a spool that is not there is the state folder of somebody else, most often.
fn look(
    place: &Place,
    filter: &Filter,
    each: impl FnMut(&crate::operate::audit::line::Entry) -> ControlFlow<()>,
) -> Result<Met, Failure> {
    if !is_there(&place.state)? {
        return Err(format!(
            "there is no audit spool {}: give the folder that `pxelator serve --state` has (default /var/lib/pxelator); a server that never recorded anything has none",
            place.state.join(crate::operate::audit::FOLDER).display()
        )
        .into());
    }
    Ok(query(&place.state, filter, each)?)
}

/// A host as records name it: MACs with colons and in small letters.
fn as_told(host: &str) -> String {
    mac_of(host).unwrap_or_else(|| host.to_owned())
}

/// What standard output does not say.
fn told(place: &Place, met: &Met, what: &str, host: Option<&str>) {
    if met.records == 0 {
        let near: Vec<String> =
            host.map(|host| near(place, host)).unwrap_or_default().iter().map(|near| format!("`{}`", escaped(near))).collect();
        let hint = (!near.is_empty()).then(|| format!("; did you mean {}?", near.join(" or ")));
        say(&format!("no {what} was found{}", hint.unwrap_or_default()));
    }
    if met.damaged > 0 {
        let lines = if met.damaged == 1 { "line of the spool is" } else { "lines of the spool are" };
        say(&format!("{} {lines} damaged, by a crash or by hand, and left out", met.damaged));
    }
}

/// The hosts that may have been meant, where one of that name occurs nowhere: the nearest that do.
fn near(place: &Place, host: &str) -> Vec<String> {
    // By their names in small letters.
    let mut known = BTreeMap::new();
    let read = query(&place.state, &Filter::default(), |entry| {
        for name in [entry.host(), entry.text("mac")].into_iter().flatten() {
            if known.len() < HOSTS_MAX {
                known.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_owned());
            }
        }
        ControlFlow::Continue(())
    });
    let host = host.to_ascii_lowercase();
    if read.is_err() || known.contains_key(&host) {
        return Vec::new();
    }
    let next = |known: &mut BTreeMap<String, String>| {
        let near = nearest(&host, known.keys().map(String::as_str))?.to_owned();
        known.remove(&near)
    };
    std::iter::from_fn(|| next(&mut known)).take(NEAR_MAX).collect()
}

/// Many lines in few writes.
#[derive(Default)]
struct Printer(String);

impl Printer {
    /// Whether anybody still reads: who has enough ends the search.
    fn add(&mut self, text: &str) -> ControlFlow<()> {
        self.0.push_str(text);
        if self.0.len() >= PRINT_BYTES { self.flush() } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        print_on(&std::mem::take(&mut self.0))
    }
}

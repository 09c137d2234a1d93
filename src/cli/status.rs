//! `status`: what the segment does, at a glance: the values of the page, in the terminal.

use std::fmt::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use super::out_args::OutArgs;
use super::{Failure, Outcome};
use crate::operate::monitor::seen::{self, State};
use crate::operate::overview::{HostView, Known, NetworkView, Overview, Recent, Tally, Wrong, overview};
use crate::out::plan::short;
use crate::out::table::{Tables, json};
use crate::store::serving::Serving;
use crate::terminal::{escaped, print};

/// What is wrong with the service itself.
const SERVE: &str = "serve";

/// Tell what the segment does: what is wrong, the hosts, and machines that nobody declared
///
/// Reads out/ and the state folder, whether or not anybody serves. Exit code 1 says that something is wrong.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator status\n  pxelator status --hosts          # every host, and not only those that are not as they should be\n  pxelator status --format json"
)]
pub(super) struct Args {
    /// Every host, and not only those that are not as they should be
    #[arg(long)]
    hosts: bool,
    #[command(flatten)]
    out: OutArgs,
    /// Where `serve` keeps its state
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let generation = args.out.open()?;
    let tables = Tables::read(&generation.files)?;
    let now = Timestamp::now();
    let recent = Recent::read(&args.state, &tables, now.as_microsecond())?;
    let seen = seen::read(&args.state)?;
    // The leases are the server's own while it runs; who asks for an address is known by its events.
    let known = Known { tables: &tables, leases: None, seen: seen.as_ref(), recent: &recent, services: &[], now };
    let mut told = overview(&known);
    let serving = Serving::read(&args.state)?.filter(Serving::is_alive);
    let wrong = unserved(serving.as_ref(), &generation.manifest.generation, args).map(|text| Wrong {
        kind: SERVE,
        host: None,
        text,
        since: told.at,
        behind: Vec::new(),
    });
    told.wrong.splice(..0, wrong);
    match args.format {
        Format::Json => {
            let all = All { serving: serving.as_ref().map(Served::of), overview: &told };
            print(&format!("{}\n", crate::terminal::json_escaped(&json(&all))));
        }
        Format::Text => print(&text(&told, serving.as_ref(), args)),
    }
    Ok(if told.wrong.is_empty() { Outcome::Good } else { Outcome::Errors })
}

/// Why what is served is not this generation, if it is not.
fn unserved(serving: Option<&Serving>, generation: &str, args: &Args) -> Option<String> {
    let Some(serving) = serving else {
        let state = args.state.display();
        return Some(format!("nobody serves with the state folder {state}: start `pxelator serve`, or give its folder: --state"));
    };
    if let Some(refused) = &serving.refused {
        return Some(format!("what came since was refused: {}", escaped(&refused.why)));
    }
    let out = args.out.path();
    (serving.generation != generation).then(|| {
        let (folder, built, served) = (out.display(), short(generation), serving.out.display());
        format!("{folder} has generation {built}, and it is not served: deploy it, or ask for what is: --out {served}")
    })
}

/// The overview, for programs.
#[derive(Serialize)]
struct All<'s> {
    /// `null` where nobody serves.
    serving: Option<Served<'s>>,
    #[serde(flatten)]
    overview: &'s Overview,
}

#[derive(Serialize)]
struct Served<'s> {
    generation: &'s str,
    since: u64,
    /// Why what came since was refused.
    refused: Option<&'s str>,
}

impl Served<'_> {
    fn of(serving: &Serving) -> Served<'_> {
        let refused = serving.refused.as_ref().map(|refused| refused.why.as_str());
        Served { generation: &serving.generation, since: serving.since, refused }
    }
}

fn text(told: &Overview, serving: Option<&Serving>, args: &Args) -> String {
    let mut out = String::new();
    if let Some(serving) = serving {
        let since = ago(told.at, i64::try_from(serving.since).unwrap_or(0));
        let _infallible = writeln!(out, "serving generation {} for {since}", short(&serving.generation));
    }
    let (service, others): (Vec<&Wrong>, Vec<&Wrong>) = told.wrong.iter().partition(|wrong| wrong.kind == SERVE);
    for wrong in service {
        let _infallible = writeln!(out, "✗ {}", wrong.text);
    }
    let _infallible = writeln!(out, "{}", tally(&told.tally));
    for wrong in others {
        let host = wrong.host.as_ref().map(|host| format!("{}: ", escaped(host))).unwrap_or_default();
        let behind = if wrong.behind.is_empty() { String::new() } else { format!("; {} hosts behind it", wrong.behind.len()) };
        let _infallible = writeln!(out, "✗ {host}{}, for {}{behind}", escaped(&wrong.text), ago(told.at, wrong.since));
    }
    told.networks.iter().for_each(|network| of_network(&mut out, network, told.at, args.hosts));
    if !told.unknown.is_empty() {
        out.push_str("machines that nobody declared; the line is for the site\n");
    }
    for stranger in &told.unknown {
        let heard = stranger.heard.map_or_else(String::new, |heard| format!(", heard {} ago", ago(told.at, heard)));
        let network = stranger.network.as_deref().unwrap_or("no network of the site");
        let _infallible =
            writeln!(out, "  {} in {}{heard}\n    {}", escaped(&stranger.mac), escaped(network), escaped(&stranger.line));
    }
    out
}

fn of_network(out: &mut String, network: &NetworkView, now: i64, all: bool) {
    let mut lines = String::new();
    for (group, host) in network.groups.iter().flat_map(|group| group.hosts.iter().map(move |host| (&group.group, host))) {
        let is_odd = matches!(host.state, State::Failing | State::Down | State::Behind);
        if all || is_odd {
            let group = group.as_ref().map(|group| format!(" ({group})")).unwrap_or_default();
            let _infallible = writeln!(lines, "  {}{group}", of_host(host, now));
        }
    }
    if !lines.is_empty() {
        let (name, range) = (network.network.as_deref().unwrap_or("in no network"), network.range.as_deref().unwrap_or_default());
        let _infallible = write!(out, "{name} {range}\n{lines}");
    }
}

/// A mark, and words: not everybody sees colours, and not every terminal has them.
fn of_host(host: &HostView, now: i64) -> String {
    let (mark, word) = match host.state {
        State::Unknown => ('·', "not known"),
        State::Up => ('●', "up"),
        State::Failing => ('◐', "fails"),
        State::Down => ('✗', "down"),
        State::Behind => ('…', "cannot be reached"),
        State::Off => ('○', "off"),
    };
    let since = host.since.filter(|since| *since > 0).map(|since| format!(" for {}", ago(now, since))).unwrap_or_default();
    let why = host.why.as_ref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
    let address = host.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    format!("{mark} {:<20} {address:<15} {word}{since}{why}", host.host)
}

fn tally(tally: &Tally) -> String {
    let counts = [
        (tally.up, "up"),
        (tally.failing, "failing"),
        (tally.down, "down"),
        (tally.behind, "not reached"),
        (tally.off, "off"),
        (tally.unknown, "not known"),
    ];
    let shown: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    format!("{} hosts: {}", tally.hosts, shown.join(", "))
}

/// `3 min`, in the largest unit that is not 0.
fn ago(now: i64, then: i64) -> String {
    let secs = (now - then).max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} days", secs / 86_400),
    }
}

//! `status`: what the segment does, at a glance: the values of the page, in the terminal.

use std::fmt::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;

use super::{Failure, Outcome};
use crate::operate::monitor::seen::{self, State};
use crate::operate::overview::{HostView, Known, NetworkView, Overview, Recent, Tally, overview};
use crate::out::plan::short;
use crate::out::table::{Tables, json};
use crate::store;
use crate::store::serving::{Serving, started};
use crate::terminal::{escaped, print};

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
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
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
    let tables = Tables::read(&store::open(&args.out)?.files)?;
    let now = Timestamp::now();
    let recent = Recent::read(&args.state, &tables, now.as_microsecond())?;
    let seen = seen::read(&args.state)?;
    // The leases are the server's own while it runs; who asks for an address is known by its events.
    let known = Known { tables: &tables, leases: &[], seen: seen.as_ref(), recent: &recent, services: &[], now };
    let told = overview(&known);
    let serving = Serving::read(&args.state)?.filter(|serving| started(serving.pid) == Some(serving.started));
    match args.format {
        Format::Json => print(&format!("{}\n", crate::terminal::json_escaped(&json(&told)))),
        Format::Text => print(&text(&told, serving.as_ref(), args)),
    }
    Ok(if told.wrong.is_empty() { Outcome::Good } else { Outcome::Errors })
}

fn text(told: &Overview, serving: Option<&Serving>, args: &Args) -> String {
    let mut out = match serving {
        Some(serving) => format!(
            "serving generation {} for {}\n",
            short(&serving.generation),
            ago(told.at, i64::try_from(serving.since).unwrap_or(0))
        ),
        None => format!("nobody serves with the state folder {}\n", args.state.display()),
    };
    let _infallible = writeln!(out, "{}", tally(&told.tally));
    for wrong in &told.wrong {
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
        State::Off => ('○', "off by its schedule"),
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
        (tally.off, "off by schedule"),
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

//! `capture`: what machines of the site say, as lines and as a file for Wireshark.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::out_args::OutArgs;
use super::{Failure, Outcome};
use crate::diag::nearest;
use crate::operate::capture::{self, FILE_BYTES_MAX, Machines, Names, Options};
use crate::out::table::{FactRow, Tables};
use crate::terminal::{escaped, say};

/// Show what machines say on the wire, and keep it for Wireshark
///
/// Listens on this boot server, whether or not a server runs. The file may hold passwords: only its owner
/// may read it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator capture kiosk-01                                # all that it says, and what it is answered\n  pxelator capture group:kiosks --protocol dhcp,tftp -o boot.pcapng\n  pxelator capture 54:b2:03:00:00:0b --seconds 60          # also a machine that the site does not know"
)]
pub(super) struct Args {
    /// A host's name, a MAC, group:NAME, tag:NAME, or a network's name; all machines without it
    #[arg(value_name = "HOST|MAC|group:NAME|tag:NAME|NETWORK")]
    who: Option<String>,
    /// These protocols alone
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAMES")]
    protocol: Vec<Protocol>,
    /// This interface alone; all but loopback without it
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Write what is shown to this file too, as pcapng
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// End after this many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    packets: Option<u64>,
    /// End when the file has this many MiB
    #[arg(long, value_name = "MIB", default_value_t = FILE_BYTES_MAX >> 20, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    mebibytes: u64,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Protocol {
    Dhcp,
    Tftp,
    Dns,
    Http,
    Syslog,
    Arp,
    Icmp,
}

impl Protocol {
    fn meant(self) -> capture::Protocol {
        match self {
            Protocol::Dhcp => capture::Protocol::Dhcp,
            Protocol::Tftp => capture::Protocol::Tftp,
            Protocol::Dns => capture::Protocol::Dns,
            Protocol::Http => capture::Protocol::Http,
            Protocol::Syslog => capture::Protocol::Syslog,
            Protocol::Arp => capture::Protocol::Arp,
            Protocol::Icmp => capture::Protocol::Icmp,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let tables = Tables::read(&args.out.open()?.files)?;
    let machines = args.who.as_deref().map(|who| machines(who, &tables)).transpose()?;
    let mut names = Names::default();
    tables.facts.values().for_each(|row| capture::named(&mut names, &row.host, row.address, &row.macs));
    let told = capture::run(Options {
        machines,
        protocols: args.protocol.iter().map(|protocol| protocol.meant()).collect(),
        names,
        interface: args.interface.clone(),
        file: args.output.clone(),
        lasts: args.seconds.map(Duration::from_secs),
        packets: args.packets,
        bytes: args.mebibytes << 20,
    })?;
    let place = args.output.as_ref().map(|path| format!(" in {}", path.display())).unwrap_or_default();
    let count = if told.packets == 1 { "1 packet".to_owned() } else { format!("{} packets", told.packets) };
    say(&format!("{count}{place}"));
    if told.full {
        say(&format!("warning: the file is full: it may have {} MiB; give --mebibytes more, or ask for less", args.mebibytes));
    }
    if told.lost > 0 {
        say(&format!(
            "warning: {} frames came faster than they could be read; give --interface or fewer services beside it",
            told.lost
        ));
    }
    if told.packets == 0 {
        say(&empty(args));
    }
    Ok(Outcome::Good)
}

/// What to look at where nothing came.
fn empty(args: &Args) -> String {
    let who = args.who.as_deref().map_or_else(|| "any machine".to_owned(), |who| format!("`{}`", escaped(who)));
    let interface = args.interface.as_deref().map_or_else(|| "ip link".to_owned(), |name| format!("ip link show {name}"));
    let protocol = if args.protocol.is_empty() { "" } else { ", or leave out --protocol" };
    format!(
        "nothing came from or for {who}: see that the machine is on and its cable and VLAN lead here (`{interface}`), and that its MAC is the one of the site{protocol}"
    )
}

/// The machines that are meant; never none.
fn machines(who: &str, tables: &Tables) -> Result<Machines, Failure> {
    if let Some(mac) = capture::mac(who) {
        let text = who.replace('-', ":").to_lowercase();
        let known = tables.facts.values().filter(|row| row.macs.contains(&text));
        let addresses = known.filter_map(|row| row.address).collect();
        return Ok(Machines { macs: BTreeSet::from([mac]), addresses, ranges: Vec::new() });
    }
    let rows: Vec<&FactRow> = tables.facts.values().filter(|row| is_meant(row, who)).collect();
    let networks = tables.networks.iter().filter(|row| row.network.eq_ignore_ascii_case(who));
    let found = Machines {
        macs: rows.iter().flat_map(|row| &row.macs).filter_map(|text| capture::mac(text)).collect(),
        addresses: rows.iter().filter_map(|row| row.address).collect(),
        ranges: networks.map(|row| (row.first, row.mask)).collect(),
    };
    if rows.is_empty() && found.ranges.is_empty() {
        return Err(unknown(who, tables).into());
    }
    if found.macs.is_empty() && found.addresses.is_empty() && found.ranges.is_empty() {
        return Err(format!("`{who}` has neither a MAC nor an address, so nothing on the wire tells it: give a MAC").into());
    }
    Ok(found)
}

fn is_meant(row: &FactRow, who: &str) -> bool {
    match who.split_once(':') {
        Some(("group", name)) => row.groups.iter().any(|group| group == name),
        Some(("tag", name)) => row.tags.iter().any(|tag| tag == name),
        Some(_) => false,
        None => {
            row.host.eq_ignore_ascii_case(who) || row.network.as_deref().is_some_and(|network| network.eq_ignore_ascii_case(who))
        }
    }
}

fn unknown(who: &str, tables: &Tables) -> String {
    let groups = tables.facts.values().flat_map(|row| row.groups.iter().map(|name| format!("group:{name}")));
    let tags = tables.facts.values().flat_map(|row| row.tags.iter().map(|name| format!("tag:{name}")));
    let networks = tables.networks.iter().map(|row| row.network.clone());
    let all: BTreeSet<String> = tables.facts.keys().cloned().chain(groups).chain(tags).chain(networks).collect();
    let bare = all.iter().find(|known| known.split_once(':').is_some_and(|(_, name)| name == who));
    let near = bare.map(String::as_str).or_else(|| nearest(who, all.iter().map(String::as_str)));
    let hint = near.map_or_else(
        || "give a host's or network's name, group:NAME, tag:NAME, or a MAC".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    format!("the site has no host, group, tag or network `{}`; {hint}", escaped(who))
}

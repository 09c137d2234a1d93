//! `vm`: hosts that run within this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::out_args::OutArgs;
use super::{Failure, Outcome};
use crate::operate::vm::run::{Stopped, status, status_of_stray};
use crate::operate::vm::{self, container, find, prepare, run as power};
use crate::out::table::{ContainerRow, Tables, VmRow};
use crate::schema::duration_secs;
use crate::store::Generation;
use crate::terminal::{chain, print, say};

/// Make, start and stop the hosts that run within this machine: VMs over snapshots, containers over bases
///
/// Reads vm/vms.jsonl of a built out/. Needs root, for it shows disks as files and opens bridges.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Give VMs a disk over their snapshot, or a folder over their base, with an identity of their own
    ///
    /// Makes what is not there yet, and changes nothing that is.
    #[command(after_help = "Example: pxelator vm prepare ci-1")]
    Prepare(VmArgs),
    Start(StartArgs),
    Stop(StopArgs),
    /// Say which VMs there are, and what they do
    List(Common),
    /// Discard VMs, with all that they changed
    #[command(after_help = "Example: pxelator vm delete ci-1")]
    Delete(VmArgs),
}

#[derive(clap::Args)]
struct VmArgs {
    /// The VMs
    #[arg(value_name = "VM", required = true)]
    vms: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Start VMs that are prepared
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator vm start ci-1\n  pxelator vm start ci-1 --dry-run   # the command line of QEMU")]
struct StartArgs {
    /// The VMs
    #[arg(value_name = "VM", required = true)]
    vms: Vec<String>,
    /// Say what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

/// Ask VMs to turn themselves off; those that do not lose their power
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator vm stop ci-1 --wait 2m")]
struct StopArgs {
    /// The VMs
    #[arg(value_name = "VM", required = true)]
    vms: Vec<String>,
    /// How long each may take: 60s, 2m
    #[arg(long, default_value = "60s", value_parser = duration)]
    wait: Duration,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    out: OutArgs,
    /// Where disks and identities lie
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    duration_secs(text).map(Duration::from_secs).ok_or_else(|| "write a duration such as 60s or 2m".into())
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let none = Vec::new();
    let (vms, common) = match &args.command {
        Command::Prepare(args) | Command::Delete(args) => (&args.vms, &args.common),
        Command::Start(args) => (&args.vms, &args.common),
        Command::Stop(args) => (&args.vms, &args.common),
        Command::List(common) => (&none, common),
    };
    // A VM can be stopped without a site, as its unit does when QEMU has ended by itself too.
    if let Command::Stop(args) = &args.command
        && vms.iter().all(|vm| power::is_there(vm, &common.state))
    {
        return Ok(each(vms, |vm| Ok(stopped(vm, power::stop(vm, &common.state, args.wait)?, args))));
    }
    let generation = common.out.open()?;
    let tables = Tables::read(&generation.files)?;
    // A name that is wrong is said before anything is done.
    if let Command::Delete(_) = &args.command {
        let all = vms.iter().map(|vm| vm::find_to_delete(&tables, vm, &common.state)).collect::<Result<Vec<_>, _>>()?;
        return Ok(each(&all, |(vm, container)| discard(vm, *container, common)));
    }
    let rows = vms.iter().map(|vm| find(&tables, vm, &common.state)).collect::<Result<Vec<_>, _>>()?;
    Ok(match &args.command {
        Command::Prepare(_) => each(&rows, |row| make(row, &generation, common)),
        Command::Start(args) => each(&rows, |row| begin(row, &generation, args)),
        Command::Stop(args) => each(&rows, |row| {
            let done = match row.container {
                Some(_) => container::stop(row, &common.state, args.wait)?,
                None => power::stop(&row.vm, &common.state, args.wait)?,
            };
            Ok(stopped(&row.vm, done, args))
        }),
        Command::Delete(_) => Outcome::Good,
        Command::List(_) => {
            list(&tables, common);
            Outcome::Good
        }
    })
}

/// One after the other; where one fails, the next is tried all the same.
fn each<T>(all: &[T], work: impl Fn(&T) -> vm::Result<String>) -> Outcome {
    let mut outcome = Outcome::Good;
    for one in all {
        match work(one) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => {
                say(&format!("error: {}", chain(&error)));
                outcome = Outcome::Errors;
            }
        }
    }
    outcome
}

fn discard(vm: &str, container: Option<&ContainerRow>, common: &Common) -> vm::Result<String> {
    Ok(match vm::delete(vm, container, &common.state)? {
        true => format!("{vm}: deleted, with all that it changed"),
        false => format!("{vm}: nothing to delete, it is not prepared"),
    })
}

fn make(row: &VmRow, generation: &Generation, common: &Common) -> vm::Result<String> {
    let (made, over) = match (&row.disk, &row.container) {
        (Some(disk), _) => (prepare::prepare(row, disk, &common.state)?, &disk.snapshot),
        (None, Some(own)) => (container::prepare(row, own, generation, &common.state)?, &own.base),
        (None, None) => return Ok(format!("{}: nothing is said of it", row.vm)),
    };
    Ok(match made {
        true => format!("{}: prepared over {over}", row.vm),
        false => format!("{}: prepared already, and left alone", row.vm),
    })
}

fn begin(row: &VmRow, generation: &Generation, args: &StartArgs) -> vm::Result<String> {
    let state = &args.common.state;
    if let Some(disk) = &row.disk {
        if args.dry_run {
            return Ok(format!("{} {} -daemonize", crate::out::table::QEMU, power::words(row, disk, state).join(" ")));
        }
        power::start(row, disk, state)?;
    } else if let Some(own) = &row.container {
        if args.dry_run {
            return Ok(format!("machinectl start {}", row.vm));
        }
        container::start(row, own, generation, state)?;
    }
    Ok(format!("{}: started", row.vm))
}

fn stopped(vm: &str, how: Stopped, args: &StopArgs) -> String {
    match how {
        Stopped::Already => format!("{vm}: does not run"),
        Stopped::Off => format!("{vm}: turned itself off"),
        Stopped::Cut => format!("{vm}: did not turn itself off within {} s, and lost its power", args.wait.as_secs()),
    }
}

fn list(tables: &Tables, common: &Common) {
    if tables.vms.is_empty() {
        say("no VM in this generation");
    }
    for row in tables.vms.values() {
        let of = match (&row.disk, &row.container) {
            (Some(disk), _) => format!("from {}", disk.snapshot),
            (None, Some(own)) => format!("over {}", own.base),
            (None, None) => String::new(),
        };
        let address = row.address.map_or_else(|| "from the pool".to_owned(), |address| address.to_string());
        print(&format!("{:<16} {address:<15} {of:<20} {}\n", row.vm, status(row, &common.state).name()));
    }
    match vm::strays(tables, &common.state) {
        Ok(strays) => strays.iter().for_each(|vm| {
            print(&format!("{vm:<16} {:<15} {:<20} {}\n", "", "not in the site", status_of_stray(vm, &common.state).name()));
        }),
        Err(_) => say("VMs that were prepared here and left the site are shown to root alone"),
    }
}

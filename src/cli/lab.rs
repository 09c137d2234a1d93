//! `lab`: real machines on an isolated network.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use regex::Regex;

use super::{Failure, Outcome};
use crate::lab::run::{Options, Verdict, boot};
use crate::lab::{Firmware, assets};
use crate::schema::duration_secs;
use crate::terminal::say;

/// Boot virtual machines against the site, on an isolated network
///
/// Needs root, QEMU and a few packages; says which are missing. No packet leaves the lab, and neither
/// out/ nor assets.lock is touched: the lab's own kernel and loaders stand in for the site's by name.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare kernel, guest and loaders from the distribution's packages
    Init,
    Boot(BootArgs),
}

/// Boot one machine with a host's MAC, and tell whether it got what it should
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator lab boot pc-07\n  pxelator lab boot pc-07 --firmware efi64 --until 'login:' --timeout 2m"
)]
struct BootArgs {
    /// A host's name, or any MAC
    #[arg(value_name = "HOST|MAC")]
    who: String,
    /// The machine's firmware
    #[arg(long, value_enum, default_value_t = FirmwareArg::Bios)]
    firmware: FirmwareArg,
    /// What the serial log must show; if absent, the guest's report of the declared name and address
    #[arg(long, value_name = "REGEX")]
    until: Option<Regex>,
    /// How long to wait for it: 60s, 2m
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// The site file
    #[arg(long, default_value = "site.kdl", value_name = "SITE")]
    site: PathBuf,
    /// Keep bases, and what the machine changes in its root, in this folder: for another boot, and for
    /// `pxelator changes HOST --out DIR/out`
    #[arg(long, value_name = "DIR")]
    nfs: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FirmwareArg {
    /// SeaBIOS → pxelinux over TFTP
    Bios,
    /// OVMF → iPXE → script over HTTP
    Efi64,
}

fn duration(text: &str) -> Result<Duration, String> {
    duration_secs(text)
        .filter(|secs| *secs > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "write a duration such as 60s or 2m".into())
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::Init => {
            assets::init(&assets::cache(), &mut |text| say(&format!("lab: {text}")))?;
            Ok(Outcome::Good)
        }
        Command::Boot(args) => run_boot(args),
    }
}

fn run_boot(args: &BootArgs) -> Result<Outcome, Failure> {
    let firmware = match args.firmware {
        FirmwareArg::Bios => Firmware::Bios,
        FirmwareArg::Efi64 => Firmware::Efi64,
    };
    let options = Options {
        site: args.site.clone(),
        who: args.who.clone(),
        firmware,
        until: args.until.clone(),
        timeout: args.timeout,
        nfs: args.nfs.clone(),
    };
    let started = std::time::Instant::now();
    match boot(&options)? {
        Verdict::Booted => {
            say(&format!("lab: {} booted by {} in {:.1} s", args.who, firmware.name(), started.elapsed().as_secs_f64()));
            Ok(Outcome::Good)
        }
        Verdict::Failed(why) => {
            say(&format!("lab: {} did not boot by {}: {why}", args.who, firmware.name()));
            Ok(Outcome::Errors)
        }
    }
}

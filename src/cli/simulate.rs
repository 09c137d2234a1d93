//! `simulate`: the conversation that a machine would have.


use clap::ValueEnum;

use super::out_args::OutArgs;
use super::{Failure, Outcome};
use crate::answer::dns::Zones;
use crate::out::table::Tables;
use crate::simulate::{Firmware, simulate};
use crate::terminal::print;

/// Rehearse a machine's boot from out/ alone
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator simulate pc-07 --arch bios")]
pub(super) struct Args {
    /// A host's name, or any MAC
    #[arg(value_name = "HOST|MAC")]
    who: String,
    /// The machine's firmware
    #[arg(long, value_enum, default_value_t = Arch::Bios)]
    arch: Arch,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Arch {
    /// BIOS PXE, pxelinux
    Bios,
    /// UEFI native PXE, a loader, then iPXE
    Efi64,
    /// iPXE for UEFI in the NIC
    Ipxe,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let generation = args.out.open()?;
    let tables = Tables::read(&generation.files)?;
    let zones = Zones::load(&tables, &Default::default())?;
    let mac = mac(&args.who, &tables)?;
    let firmware = match args.arch {
        Arch::Bios => Firmware::Bios,
        Arch::Efi64 => Firmware::Efi64,
        Arch::Ipxe => Firmware::Ipxe,
    };
    let steps = simulate(&tables, &zones, &mac, firmware);
    steps.iter().for_each(|step| print(&format!("{step}\n")));
    Ok(if steps.iter().all(|step| step.good) { Outcome::Good } else { Outcome::Errors })
}

/// The first MAC of a host, or the MAC itself.
fn mac(who: &str, tables: &Tables) -> Result<String, Failure> {
    if let Ok(mac) = crate::model::Mac::parse(who) {
        return Ok(mac.to_string());
    }
    if let Some(row) = tables.hosts.values().find(|row| row.host.eq_ignore_ascii_case(who)) {
        return Ok(row.mac.clone());
    }
    let known = tables.hosts.values().map(|row| row.host.as_str());
    let hint = crate::diag::nearest(who, known)
        .map_or("give a host of the site that has a MAC, or a MAC".to_owned(), |near| format!("did you mean `{near}`?"));
    Err(format!("no host `{who}`; {hint}").into())
}

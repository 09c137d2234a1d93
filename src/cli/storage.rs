//! `storage`: the unions that machines mount as their roots, on this boot server.


use clap::Subcommand;

use super::out_args::OutArgs;
use super::{Failure, Outcome};
use crate::out::table::{RootRow, Tables};
use crate::storage::{self, Plan, execute, overlay_of, plan, reset, root_of};
use crate::store::Generation;
use crate::terminal::{chain, print, say};

/// Keep the roots that machines mount over NFS, on this boot server
///
/// Reads nfs/roots.jsonl of a built out/. Needs root, for it mounts.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Apply(ApplyArgs),
    Reset(ResetArgs),
}

/// Make folders, mount unions, put declared files into them, and unmount what no host has any more
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator storage apply --dry-run   # what would be done\n  pxelator storage apply\n  pxelator storage apply kiosk-01"
)]
struct ApplyArgs {
    /// The hosts; all if absent
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Discard what machines changed: they begin again from their base and the declared files
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator storage reset kiosk-01   # when the machine is off")]
struct ResetArgs {
    /// The hosts
    #[arg(value_name = "HOST", required = true)]
    hosts: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    out: OutArgs,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let common = match &args.command {
        Command::Apply(args) => &args.common,
        Command::Reset(args) => &args.common,
    };
    let generation = common.out.open()?;
    let tables = Tables::read(&generation.files)?;
    let _one_at_a_time = if common.dry_run { None } else { storage::lock(&tables)? };
    let plan = match &args.command {
        Command::Apply(args) => apply(args, &generation, &tables)?,
        Command::Reset(args) => reset_all(args, &generation, &tables)?,
    };
    let failures = match common.dry_run {
        true => {
            plan.steps.iter().flat_map(|(_, steps)| steps).for_each(|step| print(&format!("{step}\n")));
            plan.problems
        }
        false if !nix::unistd::Uid::effective().is_root() => return Err(storage::Error::Root("storage").into()),
        false => {
            if plan.steps.is_empty() && plan.problems.is_empty() {
                say(&format!("nothing to do: {} roots are as declared", tables.roots.len()));
            }
            if let Some(warning) = storage::shared_disk(&tables).filter(|_| !plan.steps.is_empty()) {
                say(&format!("warning: {warning}"));
            }
            execute(plan, &generation, &mut |text| print(&format!("{text}\n")))
        }
    };
    failures.iter().for_each(|error| say(&format!("error: {}", chain(error))));
    Ok(if failures.is_empty() { Outcome::Good } else { Outcome::Errors })
}

fn apply(args: &ApplyArgs, generation: &Generation, tables: &Tables) -> Result<Plan, Failure> {
    let named = args.hosts.iter().map(|host| root_of(tables, host)).collect::<Result<Vec<&RootRow>, _>>()?;
    match named.is_empty() {
        true => Ok(plan(generation, tables, &tables.roots.iter().collect::<Vec<_>>(), true)?),
        false => Ok(plan(generation, tables, &named, false)?),
    }
}

/// One plan for all hosts: a name that is wrong is said before anything is discarded.
fn reset_all(args: &ResetArgs, generation: &Generation, tables: &Tables) -> Result<Plan, Failure> {
    let mut whole = Plan::default();
    for host in &args.hosts {
        let (row, overlay) = overlay_of(tables, host)?;
        let plan = reset(generation, tables, row, overlay)?;
        whole.steps.extend(plan.steps);
        whole.problems.extend(plan.problems);
    }
    Ok(whole)
}

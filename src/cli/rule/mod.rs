//! `rule`: what must hold on machines, looked up and brought about; and rules out of a how-to or a machine.

mod import;
mod run;
mod show;

use std::path::PathBuf;

use clap::Subcommand;

use super::out_args::OutArgs;
use super::site::Told;
use super::ssh_args::SshArgs;
use super::{Failure, Outcome};
use crate::operate::rule::script::Mode;
use crate::out::table::{RuleHostRow, Tables};

/// Look up what must hold on machines, bring it about, or make rules of what somebody did
///
/// Reads rules/ of a built out/. Machines are reached by ssh, with the keys of whoever runs this; a machine
/// whose root is an overlay is looked at in that root, on this boot server.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(ListArgs),
    Show(ShowArgs),
    Plan(PlanArgs),
    Apply(ApplyArgs),
    Import(import::ImportArgs),
    FromChanges(import::FromArgs),
}

/// The rules, and the hosts on which each holds
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    out: OutArgs,
}

/// What a rule says, line by line
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator rule show time/zone")]
struct ShowArgs {
    /// The rule
    #[arg(value_name = "NAME")]
    rule: String,
    #[command(flatten)]
    out: OutArgs,
}

/// Look up which rules are kept; nothing is changed
///
/// Exit code 0 where all are kept, 1 where one drifts or is unknown, or a host cannot be reached.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator rule plan\n  pxelator rule plan nas pc-03 --format json")]
struct PlanArgs {
    #[command(flatten)]
    hosts: Hosts,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Told::Text, value_name = "FORMAT")]
    format: Told,
    /// Keep in the audit of this folder what is not kept on hosts
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Bring about what drifts, and look it up again
///
/// What is unknown is left alone, and so is a rule whose predecessor is not kept.
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator rule apply nas")]
struct ApplyArgs {
    #[command(flatten)]
    hosts: Hosts,
    /// Where it is kept what was done
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
}

#[derive(clap::Args)]
struct Hosts {
    /// The hosts; all that have rules if absent
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    out: OutArgs,
    #[command(flatten)]
    ssh: SshArgs,
}

impl Hosts {
    /// Those that are meant; never none.
    fn chosen<'t>(&self, tables: &'t Tables) -> Result<Vec<&'t RuleHostRow>, Failure> {
        if tables.rule_hosts.is_empty() {
            return Err(
                "no host has a rule: write one into the site, as `rule \"NAME\" on=\"host:NAME\" { … }`, and build".into()
            );
        }
        if self.hosts.is_empty() {
            return Ok(tables.rule_hosts.iter().collect());
        }
        self.hosts.iter().map(|name| host_of(tables, name)).collect()
    }
}

fn host_of<'t>(tables: &'t Tables, name: &str) -> Result<&'t RuleHostRow, Failure> {
    let found = tables.rule_hosts.iter().find(|row| row.host.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let known = tables.rule_hosts.iter().map(|row| row.host.as_str());
        let hint = match crate::diag::nearest(name, known) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; `pxelator rule list` names them".to_owned(),
        };
        format!("no host `{name}` that has a rule and can be reached{hint}").into()
    })
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::List(args) => show::list(&args.out.tables()?),
        Command::Show(args) => show::show(&args.out.tables()?, &args.rule),
        Command::Plan(args) => run::run(&args.hosts, Mode::Plan, args.format, args.state.as_deref()),
        Command::Apply(args) => run::run(&args.hosts, Mode::Apply, Told::Text, Some(&args.state)),
        Command::Import(args) => import::import(args),
        Command::FromChanges(args) => import::from_changes(args),
    }
}

//! The command line: one file a command, each with help and an example.
//!
//! Exit codes: 0 good, 1 errors in the site or in what was asked for, 2 usage or environment. `diff` has
//! its own, see there.

mod alerts;
mod audit;
mod build;
mod capture;
mod changes;
mod check;
mod completion;
mod deploy;
mod deploy_far;
mod dev;
mod diff;
mod explain;
mod export;
mod fix;
mod fmt;
mod generations;
mod inspect;
mod init;
mod lab;
mod lock;
mod lsp;
mod man;
mod moments;
mod options;
mod out_args;
mod power;
mod report;
mod rollback;
mod rule;
mod serve;
mod simulate;
mod site;
mod ssh_args;
mod status;
mod storage;
mod target;
mod track;
mod trend;
mod verify;
mod vm;
mod watch;
mod why;

use std::process::ExitCode;

use crate::terminal::{chain, say};
use clap::{CommandFactory, Parser, Subcommand};

/// A boot server described in one file: compiled, reviewed as a diff, proved by booting it.
#[derive(Parser)]
#[command(name = "pxelator", version, max_term_width = 100, after_help = "Begin with: pxelator init && pxelator build")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
    Build(build::Args),
    Fmt(fmt::Args),
    Verify(verify::Args),
    Diff(diff::Args),
    Lock(lock::Args),
    Why(why::Args),
    Explain(explain::Args),
    Inspect(inspect::Args),
    Options(options::Args),
    Simulate(simulate::Args),
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Generations(generations::Args),
    DeployFar(deploy_far::Args),
    Serve(serve::Args),
    Audit(audit::Args),
    Alerts(alerts::Args),
    Capture(capture::Args),
    Dev(dev::Args),
    Export(export::Args),
    Lab(lab::Args),
    Storage(storage::Args),
    Changes(changes::Args),
    Power(power::Args),
    Rule(rule::Args),
    Track(track::Args),
    Vm(vm::Args),
    Trend(trend::Args),
    Status(status::Args),
    Lsp(lsp::Args),
    Completion(completion::Args),
    Man(man::Args),
}

/// What a command comes to.
enum Outcome {
    Good,
    /// The site, or what was asked about it, has errors; they have been shown.
    Errors,
    /// `diff --detailed-exitcode`: something changes.
    Different,
    /// `diff --max-hosts`: too much changes.
    OverLimit,
}

/// Usage or environment.
const TROUBLE: u8 = 2;
/// The same with `--detailed-exitcode`, where 2 says that something changes.
const TROUBLE_DETAILED: u8 = 1;

/// What kept a command from its work; shown once, with its causes.
type Failure = Box<dyn std::error::Error>;

/// The whole command line, for what is made of it: completions and man pages.
fn command_line() -> clap::Command {
    Args::command()
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let detailed = matches!(&args.command, Command::Diff(args) if args.detailed_exitcode);
    let trouble = if detailed { TROUBLE_DETAILED } else { TROUBLE };
    let result = match &args.command {
        Command::Init(args) => init::run(args),
        Command::Check(args) => check::run(args),
        Command::Build(args) => build::run(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Why(args) => why::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Options(args) => options::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Deploy(args) => deploy::run(args),
        Command::Rollback(args) => rollback::run(args),
        Command::Generations(args) => generations::run(args),
        Command::DeployFar(args) => deploy_far::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Alerts(args) => alerts::run(args),
        Command::Capture(args) => capture::run(args),
        Command::Dev(args) => dev::run(args),
        Command::Export(args) => export::run(args),
        Command::Lab(args) => lab::run(args),
        Command::Storage(args) => storage::run(args),
        Command::Changes(args) => changes::run(args),
        Command::Power(args) => power::run(args),
        Command::Rule(args) => rule::run(args),
        Command::Track(args) => track::run(args),
        Command::Vm(args) => vm::run(args),
        Command::Trend(args) => trend::run(args),
        Command::Status(args) => status::run(args),
        Command::Lsp(args) => lsp::run(args),
        Command::Completion(args) => completion::run(args),
        Command::Man(args) => man::run(args),
    };
    match result {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Errors) => ExitCode::from(1),
        Ok(Outcome::Different) => ExitCode::from(2),
        Ok(Outcome::OverLimit) => ExitCode::from(3),
        Err(error) => {
            say(&format!("error: {}", chain(&*error)));
            ExitCode::from(trouble)
        }
    }
}

/// A word that is none of ours, or a question for help.
fn usage(error: &clap::Error) -> ExitCode {
    let _nobody_listens = error.print();
    let detailed = std::env::args().any(|word| word == "--detailed-exitcode");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if detailed => ExitCode::from(TROUBLE_DETAILED),
        _ => ExitCode::from(TROUBLE),
    }
}

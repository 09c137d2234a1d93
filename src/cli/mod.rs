//! The command line: one file a command, each with help and an example.
//!
//! Exit codes: 0 good, 1 errors in the site or in what was asked for, 2 usage or environment.

mod build;
mod check;
mod explain;
mod lab;
mod lock;
mod lsp;
mod report;
mod serve;
mod simulate;
mod site;
mod verify;
mod why;

use std::process::ExitCode;

use crate::terminal::say;
use clap::{Parser, Subcommand};

/// A boot server described in one file: compiled, reviewed as a diff, proved by booting it.
#[derive(Parser)]
#[command(name = "pxelator", version, max_term_width = 100, after_help = "Begin with: pxelator check && pxelator build")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Build(build::Args),
    Verify(verify::Args),
    Lock(lock::Args),
    Why(why::Args),
    Explain(explain::Args),
    Simulate(simulate::Args),
    Serve(serve::Args),
    Lab(lab::Args),
    Lsp(lsp::Args),
}

/// What a command comes to.
enum Outcome {
    Good,
    /// The site, or what was asked about it, has errors; they have been shown.
    Errors,
}

/// What kept a command from its work; shown once, with its causes.
type Failure = Box<dyn std::error::Error>;

/// Runs the command line.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.command {
        Command::Check(args) => check::run(args),
        Command::Build(args) => build::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Why(args) => why::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Lab(args) => lab::run(args),
        Command::Lsp(args) => lsp::run(args),
    };
    match result {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Errors) => ExitCode::from(1),
        Err(error) => {
            let mut message = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message.push_str(&format!(": {error}"));
                cause = error.source();
            }
            say(&message);
            ExitCode::from(2)
        }
    }
}

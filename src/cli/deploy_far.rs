//! `deploy-far`: the end of `deploy` that runs on the boot server; `pxelator deploy` starts it over ssh.

use std::path::PathBuf;

use super::{Failure, Outcome};
use crate::deploy::answer_lines;

/// Answer the requests of a `pxelator deploy` on another machine, on standard input and output
#[derive(clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    super::target::ignore_hangup();
    answer_lines(&args.store, args.state.as_deref(), std::io::stdin().lock(), std::io::stdout().lock())?;
    Ok(Outcome::Good)
}

//! `lab`: real machines on an isolated network.

use super::{Failure, Outcome};

/// Boot a virtual machine against the site
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<Outcome, Failure> {
    Err("not yet".into())
}

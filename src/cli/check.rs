//! `check`: everything that a build would refuse, nothing written.

use super::site::{ReportArgs, SiteArgs, load, show};
use super::{Failure, Outcome};

/// Find every mistake of a site; write nothing
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator check site.kdl --deny warnings")]
pub(super) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut compiled = load(&args.site)?;
    Ok(if show(&mut compiled, &args.site, &args.report) { Outcome::Good } else { Outcome::Errors })
}

//! `check`: everything that a build would refuse, nothing written.

use super::site::{ReportArgs, SiteArgs, show};
use super::{Failure, Outcome, fix};
use crate::{check_only, store};

/// Find every mistake of a site; write nothing
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator check site.kdl --deny warnings\n  pxelator check --fix\n  pxelator check --format github              # in a CI log: marks the lines of a change\n  pxelator check --format sarif > site.sarif  # for code scanning")]
pub(super) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// Apply the mends that are certain, and show what remains
    ///
    /// Quotes addresses, writes #true for a bare true, and corrects a name that only one known name is
    /// near to. Comments and layout stay; a mend that would bring errors is not written.
    #[arg(long)]
    fix: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut compiled = match args.fix {
        true => fix::fix(&args.site)?,
        false => {
            let (inputs, entry) = store::read_site(&args.site.site)?;
            check_only(inputs, &entry)
        }
    };
    Ok(if show(&mut compiled, &args.site, &args.report) { Outcome::Good } else { Outcome::Errors })
}

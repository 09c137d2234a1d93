//! What several commands share: reading a site, compiling it, showing what was found.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::report::{self, Findings, Format};
use crate::{Compiled, compile, store};

/// Which site.
#[derive(Args)]
pub(super) struct SiteArgs {
    /// The site file
    #[arg(default_value = "site.kdl", value_name = "SITE")]
    pub(super) site: PathBuf,
}

/// How findings are shown.
#[derive(Args)]
pub(super) struct ReportArgs {
    /// Text for people on standard error; the others on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Treat warnings as errors
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) deny: Option<Deny>,
}

/// For people or for programs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Told {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    Warnings,
}

impl SiteArgs {
    /// The folder that the site lies in; its files have names below it.
    pub(super) fn folder(&self) -> &Path {
        self.site.parent().unwrap_or(Path::new(""))
    }
}

/// Reads and compiles; what the disk refuses is a failure, what the site does wrong is in the result.
pub(super) fn load(args: &SiteArgs) -> Result<Compiled, Failure> {
    let (inputs, entry) = store::read_site(&args.site)?;
    Ok(compile(inputs, &entry))
}

/// Shows the findings; true where none is an error.
pub(super) fn show(compiled: &mut Compiled, site: &SiteArgs, args: &ReportArgs) -> bool {
    if args.deny == Some(Deny::Warnings) {
        compiled.diags.deny_warnings();
    }
    report::show(&Findings { sources: &compiled.sources, diags: &compiled.diags, folder: site.folder() }, args.format);
    compiled.diags.errors() == 0
}

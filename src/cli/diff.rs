//! `diff`: what changes for whom, and when, between two generations.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{Failure, Outcome};
use crate::out::MANIFEST;
use crate::out::diff::{diff, readable};
use crate::out::table::TableError;
use crate::store::{self, Generation, git};
use crate::terminal::{print, say};

/// Tell what changes for whom, and when, between two generations
///
/// Each is an out/ folder or a git revision, whose out/ is then read. Without arguments: what was
/// committed, against what was built.
///
/// Exit codes: 0 done; 2 usage or environment; 3 more hosts are touched than --max-hosts. With
/// --detailed-exitcode: 0 nothing changes, 1 usage or environment, 2 something changes, 3 as above.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator diff                  # HEAD against ./out\n  pxelator diff v1.0             # a revision against ./out\n  pxelator diff main HEAD        # two revisions\n  pxelator diff /srv/out ./out   # two folders\n  pxelator diff --format markdown origin/main HEAD > comment.md"
)]
pub(super) struct Args {
    /// A folder or a git revision
    #[arg(default_value = "HEAD", value_name = "OLD")]
    old: String,
    /// A folder or a git revision; without it, the folder of --out
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// The folder that was built, and its place in revisions
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 2 if anything changes, and with 1 for trouble
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Exit with 3 if more hosts are touched
    #[arg(long, value_name = "N")]
    max_hosts: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs, with all names
    Json,
    /// For a comment on a change
    Markdown,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let old = open(&args.old, &args.out)?;
    let (new_name, new) = match &args.new {
        Some(new) => (new.clone(), open(new, &args.out)?),
        None => (args.out.display().to_string(), store::open(&args.out)?),
    };
    let diff = diff(&old.files, &new.files).map_err(|error| unreadable([(&args.old, &old), (&new_name, &new)], error))?;
    print(&match args.format {
        Format::Text => diff.text(),
        Format::Markdown => diff.markdown(),
        Format::Json => format!("{:#}\n", diff.json()),
    });
    let touched = diff.hosts_touched();
    if let Some(limit) = args.max_hosts.filter(|limit| touched > *limit) {
        say(&format!("hosts touched: {touched}, and --max-hosts allows {limit}"));
        return Ok(Outcome::OverLimit);
    }
    Ok(if args.detailed_exitcode && !diff.is_empty() { Outcome::Different } else { Outcome::Good })
}

/// A folder with a manifest, or else a revision.
fn open(what: &str, out: &Path) -> Result<Generation, Failure> {
    let folder = Path::new(what);
    if folder.join(MANIFEST).is_file() {
        return Ok(store::open(folder)?);
    }
    if folder.is_dir() && !git::knows(what) {
        return Err(store::Error::NoGeneration { path: folder.to_owned() }.into());
    }
    Ok(git::open(what, out)?)
}

/// Which of the two has a row that we do not know: a newer version may have written it.
fn unreadable(sides: [(&String, &Generation); 2], error: TableError) -> Failure {
    let side = sides.into_iter().find(|(_, generation)| readable(&generation.files).is_err());
    let built = side.map(|(name, generation)| {
        format!("{name} was built by {}, and this is {}: ", generation.manifest.compiler, env!("CARGO_PKG_VERSION"))
    });
    format!("{}{error}", built.unwrap_or_default()).into()
}

//! `verify`: is a folder what was built?

use std::path::PathBuf;

use super::{Failure, Outcome};
use crate::store;
use crate::terminal::print;

/// Hold every file of out/ against its manifest
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator verify /srv/pxelator/out")]
pub(super) struct Args {
    /// The folder
    #[arg(default_value = "out", value_name = "OUT")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let (manifest, _, findings) = store::read_folder(&args.out)?;
    let list = |what: &str, paths: &[String]| paths.iter().map(|path| format!("{what} {path}\n")).collect::<String>();
    print(&(list("changed", &findings.changed) + &list("lost", &findings.lost) + &list("added", &findings.added)));
    if findings.wrong_id {
        print("changed manifest.json: it does not bear its own id\n");
    }
    if findings.is_clean() {
        print(&format!("generation {}: {} files as built by {}\n", manifest.generation, manifest.files.len(), manifest.compiler));
        return Ok(Outcome::Good);
    }
    Ok(Outcome::Errors)
}

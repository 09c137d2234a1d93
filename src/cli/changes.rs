//! `changes`: what a machine changed in its root.


use super::out_args::OutArgs;
use super::site::Told;
use super::{Failure, Outcome};
use crate::out::table::Tables;
use crate::storage::changes::{Change, Kind, changes};
use crate::storage::overlay_of;
use crate::terminal::{print, say};

/// List what a machine added, changed and deleted in its root
///
/// Compares the upper folder of the host's overlay with its base, on this boot server. Files that the
/// site declares are listed when the machine changed them. The machine may be on or off.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator changes kiosk-01\n  pxelator changes kiosk-01 --format json")]
pub(super) struct Args {
    /// The host
    #[arg(value_name = "HOST")]
    host: String,
    #[command(flatten)]
    out: OutArgs,
    /// How they are told
    #[arg(long, value_enum, default_value_t = Told::Text)]
    format: Told,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let tables = Tables::read(&args.out.open()?.files)?;
    let (row, overlay) = overlay_of(&tables, &args.host)?;
    let found = changes(row, overlay)?;
    match args.format {
        Told::Text => {
            found.iter().for_each(|change| print(&format!("{change}\n")));
            say(&summary(&row.host, &found));
        }
        Told::Json => print(&format!("{}\n", serde_json::to_string_pretty(&found)?)),
    }
    Ok(Outcome::Good)
}

fn summary(host: &str, found: &[Change]) -> String {
    let count = |kind: Kind| found.iter().filter(|change| change.kind == kind).count();
    match found.is_empty() {
        true => format!("{host} is as its base and the site say"),
        false => {
            format!("{host}: {} added, {} changed, {} deleted", count(Kind::Added), count(Kind::Changed), count(Kind::Deleted))
        }
    }
}

//! `export`: the generation for other servers.

use std::path::PathBuf;

use super::{Failure, Outcome};
use crate::answer::tree;
use crate::out::table::Tables;
use crate::store;
use crate::terminal::say;

/// Write the generation for another server
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator export tftp /srv/tftp")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Tftp(Tftp),
}

/// Write a plain tree of files for any TFTP or HTTP server
///
/// Menus by MAC and by address for pxelinux, scripts by MAC for iPXE, texts, and the pinned files: linked
/// where the assets folder is on the same disk, and copied elsewhere. The folder is replaced as a whole.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator export tftp /srv/tftp\n  pxelator export tftp /srv/tftp --assets /mnt/boot   # the assets lie elsewhere on this machine"
)]
struct Tftp {
    /// The folder to write
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// Where the assets lie, if not where the site says
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let What::Tftp(args) = &args.what;
    let generation = store::open(&args.out)?;
    let tables = Tables::read(&generation.files)?;
    let files = tree::files(&tables)
        .map_err(|name| format!("the asset `{name}` bears the name of a folder of the tree: give it another name in the site"))?;
    store::export::write(&args.folder, &files, args.assets.as_deref())?;
    let short = generation.manifest.generation.get(..12).unwrap_or_default();
    say(&format!("generation {short}: {} files in {}", files.len(), args.folder.display()));
    Ok(Outcome::Good)
}

//! `build`: the site → `out/`, whole or not at all.

use std::path::{Path, PathBuf};

use super::site::{ReportArgs, SiteArgs, load, show};
use super::{Failure, Outcome, watch};
use crate::Compiled;
use crate::diag::Diag;
use crate::out::{Manifest, Tree};
use crate::out::table::{ASSETS, AssetRow};
use crate::store;
use crate::terminal::print;
use crate::terminal::say;

/// Compile a site into out/
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator build\n  pxelator build --check    # in CI: is out/ what the site says?\n  pxelator build --watch    # findings as you save\n  pxelator build --assets   # also hash the files on this machine"
)]
pub(super) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// The folder to write
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// Write nothing; exit 1 if the folder is not what the site says
    #[arg(long)]
    check: bool,
    /// Hold the files in the assets folder against assets.lock
    #[arg(long)]
    assets: bool,
    /// Stay, and build again whenever a file of the site changes; Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["check", "assets"])]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    if args.watch {
        return watch::watch(&args.site, &args.report, &args.out);
    }
    let mut compiled = load(&args.site)?;
    if args.assets {
        check_assets(&mut compiled);
    }
    let good = show(&mut compiled, &args.site, &args.report);
    let Some(tree) = compiled.tree.filter(|_| good) else { return Ok(Outcome::Errors) };
    if args.check {
        return Ok(check_out(&args.out, &Manifest::of(&tree)));
    }
    write(&args.out, &tree)?;
    Ok(Outcome::Good)
}

/// Writes the tree, and says so.
pub(super) fn write(out: &Path, tree: &Tree) -> Result<(), Failure> {
    let manifest = Manifest::of(tree);
    let short = manifest.generation.get(..12).unwrap_or_default();
    let changed = store::out::write(out, tree, &manifest)?;
    let what = if changed { "written" } else { "unchanged" };
    say(&format!("generation {short}: {} files {what} in {}", manifest.files.len(), out.display()));
    Ok(())
}

fn check_out(out: &Path, manifest: &Manifest) -> Outcome {
    if store::out::is_current(out, manifest) {
        return Outcome::Good;
    }
    let shown = out.display();
    match store::read_folder(out) {
        Err(error) => print(&format!("{error}\n")),
        Ok((_, files, _)) => {
            let findings = manifest.verify(&files);
            if findings.is_clean() {
                print(&format!("differs: {shown}/manifest.json (another compiler)\n"));
            }
            let list =
                |what: &str, paths: &[String]| paths.iter().map(|path| format!("{what} {shown}/{path}\n")).collect::<String>();
            print(
                &(list("differs:", &findings.changed) + &list("missing:", &findings.lost) + &list("left over:", &findings.added)),
            );
        }
    }
    say(&format!("{shown} is not what the site says: run `pxelator build` and commit it"));
    Outcome::Errors
}

/// Files that differ from their line in assets.lock become findings at that line.
fn check_assets(compiled: &mut Compiled) {
    let Some(artifact) = compiled.tree.as_ref().and_then(|tree| tree.get(ASSETS)) else { return };
    let rows = artifact.bytes().split(|byte| *byte == b'\n').enumerate();
    for (at, row) in rows.filter_map(|(at, line)| Some((at, serde_json::from_slice::<AssetRow>(line).ok()?))) {
        let problem = match store::assets::hash(Path::new(&row.root), &row.path) {
            Ok(found) if found.size == row.size && found.blake3 == row.blake3 => continue,
            Ok(found) if found.size == row.size => {
                format!("`{}` differs from assets.lock: the same size, another hash", row.path)
            }
            Ok(found) => format!("`{}` differs from assets.lock: {} bytes on disk, {} pinned", row.path, found.size, row.size),
            Err(error) => format!("`{}`: {error}", row.path),
        };
        let Some(span) = artifact.origins(at + 1).first() else { continue };
        let diag = Diag::new("boot/asset-changed", *span, problem);
        compiled.diags.push(diag.help("run `pxelator lock` if the new file is meant, or restore the old one"));
    }
    compiled.diags.sort();
}

//! `fmt`: source files in the house's layout; comments, strings and numbers as they are written.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::report::{self, Findings, Format};
use super::{Failure, Outcome};
use crate::diag::Diags;
use crate::source::{FILE_BYTES_MAX, FileId, Inputs, Sources};
use crate::terminal::{print, say};
use crate::{store, syntax};

/// Put KDL files into one layout; comments, strings and numbers stay as they are
///
/// Four spaces a level, one space between entries, at most one blank line in a row. Blocks on one line
/// stay on one line, and spaces that align an entry with the line above or below stay.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator fmt              # site.kdl, and what it imports and uses\n  pxelator fmt --check      # in CI: exit 1 and the names of files that would change\n  pxelator fmt - < a.kdl    # for editors: standard input to standard output"
)]
pub(super) struct Args {
    /// The files; without any, site.kdl and what it imports and uses; `-` is standard input
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Write nothing; exit 1 and name the files that would change
    #[arg(long)]
    check: bool,
}

/// A file and what it holds.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    if args.files == [Path::new("-")] {
        return standard_input(args.check);
    }
    let mut outcome = Outcome::Good;
    let files = if args.files.is_empty() { site_files(Path::new("site.kdl"))? } else { named(&args.files)? };
    for File { path, bytes } in files {
        let Some(text) = formatted(&path, bytes.clone())? else {
            outcome = Outcome::Errors;
            continue;
        };
        if text.as_bytes() == bytes {
            continue;
        }
        if args.check {
            print(&format!("{}\n", path.display()));
            outcome = Outcome::Errors;
        } else {
            store::edit::rewrite(&path, &bytes, text.as_bytes())?;
            say(&format!("{} formatted", path.display()));
        }
    }
    Ok(outcome)
}

/// The files of a site. All lie below its folder, for `store` refuses others.
fn site_files(site: &Path) -> Result<Vec<File>, Failure> {
    let (inputs, _) = store::read_site(site)?;
    let kdl = inputs.into_iter().filter(|(name, _)| name.ends_with(".kdl"));
    Ok(kdl.map(|(name, bytes)| File { path: name.into(), bytes }).collect())
}

fn named(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let read = |path: &PathBuf| Ok(File { path: path.clone(), bytes: store::edit::read(path)? });
    paths.iter().map(read).collect()
}

/// The text in the house's layout. `None` where it has mistakes; they have been shown.
fn formatted(path: &Path, bytes: Vec<u8>) -> Result<Option<String>, Failure> {
    let name = path.to_string_lossy().into_owned();
    let (sources, broken) = Sources::from_inputs(Inputs::from([(name.clone(), bytes)]));
    let mut diags = Diags::default();
    broken.into_iter().for_each(|at| diags.push(syntax::not_utf8(at)));
    if diags.is_empty() {
        syntax::parse(sources.text(FileId::new(0)), FileId::new(0), &mut diags);
    }
    if !diags.is_empty() {
        diags.sort();
        report::show(&Findings { sources: &sources, diags: &diags, folder: Path::new("") }, Format::Text);
        return Ok(None);
    }
    match syntax::format(sources.text(FileId::new(0))) {
        Some(text) => Ok(Some(text)),
        None => Err(format!("{name} would mean something else when formatted, and was left alone; this is a bug of pxelator: please report it with the file").into()),
    }
}

/// An editor gives the text and takes the result; a text with mistakes gives nothing.
fn standard_input(check: bool) -> Result<Outcome, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("standard input is longer than {} MiB", FILE_BYTES_MAX >> 20).into());
    }
    let Some(text) = formatted(Path::new("standard input"), bytes.clone())? else { return Ok(Outcome::Errors) };
    if check {
        return Ok(if text.as_bytes() == bytes { Outcome::Good } else { Outcome::Errors });
    }
    print(&text);
    Ok(Outcome::Good)
}

//! `inspect`: what the compiler's rooms make of a file, for people who doubt it and for other people's tests.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::report::{self, Findings, Format};
use super::{Failure, Outcome};
use crate::diag::Diags;
use crate::source::{FILE_BYTES_MAX, FileId, Inputs, Sources};
use crate::syntax;
use crate::terminal::print;

/// Show what the compiler reads
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator inspect syntax site.kdl")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Syntax(SyntaxArgs),
}

/// Print a KDL 2 document in the normal form of the official test suite
///
/// The file need be no site. Comments go, properties are sorted and the last of a name is kept, words lose the quotes that they do not
/// need, and numbers become decimal.
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator inspect syntax site.kdl --format json")]
struct SyntaxArgs {
    /// The KDL file
    file: PathBuf,
    /// The normal form, or the tree as JSON
    #[arg(long, value_enum, default_value_t = TreeFormat::Text)]
    format: TreeFormat,
}

/// How a tree is written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TreeFormat {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.what {
        What::Syntax(args) => show_syntax(args),
    }
}

fn show_syntax(args: &SyntaxArgs) -> Result<Outcome, Failure> {
    let name = args.file.display().to_string();
    let bytes = read(&args.file).map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("{name} has more than {} MiB, the most that is read", FILE_BYTES_MAX >> 20).into());
    }
    let (sources, broken) = Sources::from_inputs(Inputs::from([(name, bytes)]));
    let mut diags = Diags::default();
    broken.into_iter().for_each(|at| diags.push(syntax::not_utf8(at)));
    let source = sources.text(FileId::new(0));
    let nodes = syntax::parse_any(source, FileId::new(0), &mut diags);
    if !diags.is_empty() {
        diags.sort();
        let folder = args.file.parent().unwrap_or(Path::new(""));
        let format = match args.format {
            TreeFormat::Text => Format::Text,
            TreeFormat::Json => Format::Json,
        };
        report::show(&Findings { sources: &sources, diags: &diags, folder }, format);
        return Ok(Outcome::Errors);
    }
    print(&match args.format {
        TreeFormat::Text => syntax::normal::print(source, &nodes),
        TreeFormat::Json => syntax::normal::json(source, &nodes),
    });
    Ok(Outcome::Good)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

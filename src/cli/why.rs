//! `why`: the lines of the site behind a line of `out/`.

use std::path::{Path, PathBuf};

use super::report::Format;
use super::site::{ReportArgs, SiteArgs, load, show};
use super::{Failure, Outcome};
use crate::Compiled;
use crate::out::Artifact;
use crate::source::Span;
use crate::terminal::print;
use crate::terminal::say;

/// Tell which lines of the site made a line of out/
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator why out/dhcp/leases.jsonl:3")]
pub(super) struct Args {
    /// FILE:LINE below out/, as in an editor; without LINE the whole file
    #[arg(value_name = "FILE:LINE")]
    place: String,
    #[command(flatten)]
    site: SiteArgs,
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut compiled = load(&args.site)?;
    let quiet = ReportArgs { format: Format::Text, deny: None };
    if !show(&mut compiled, &args.site, &quiet) {
        return Ok(Outcome::Errors);
    }
    let (file, line) = match args.place.rsplit_once(':') {
        Some((file, line)) => {
            (file, Some(line.parse::<usize>().map_err(|_| format!("`{line}` is no line number: write FILE:LINE"))?))
        }
        None => (args.place.as_str(), None),
    };
    let below = Path::new(file).strip_prefix(&args.out).unwrap_or(Path::new(file)).to_string_lossy().into_owned();
    let Some(artifact) = compiled.tree.as_ref().and_then(|tree| tree.get(&below)) else {
        return Err(unknown(&compiled, &below).into());
    };
    let on_disk = std::fs::read(args.out.join(&below)).unwrap_or_default();
    if on_disk != artifact.bytes() {
        say(&format!(
            "note: {} is not what the site says now; this tells of what a build would write",
            args.out.join(&below).display()
        ));
    }
    let count = artifact.line_count();
    match line {
        Some(line) if (1..=count).contains(&line) => print(&tell(&compiled, artifact, line)),
        Some(line) => return Err(format!("{below} has {count} lines, no line {line}").into()),
        None => (1..=count).for_each(|line| print(&tell(&compiled, artifact, line))),
    }
    Ok(Outcome::Good)
}

fn unknown(compiled: &Compiled, below: &str) -> String {
    let known = compiled.tree.iter().flat_map(|tree| tree.files()).map(|(path, _)| path);
    match crate::diag::nearest(below, known) {
        Some(near) => format!("out/ has no {below}; did you mean {near}?"),
        None => format!("out/ has no {below}: give a path such as dhcp/leases.jsonl:1"),
    }
}

/// The line, then each origin with its text.
fn tell(compiled: &Compiled, artifact: &Artifact, line: usize) -> String {
    let bytes = artifact.bytes().split(|byte| *byte == b'\n').nth(line - 1).unwrap_or_default();
    let mut out = format!("{}\n", String::from_utf8_lossy(bytes));
    let mut told: Vec<String> = Vec::new();
    for span in artifact.origins(line).iter().flat_map(|span| compiled.sources.chain(*span)) {
        let row = format!("  {:<16} {}\n", compiled.sources.describe(span), source_line(compiled, span));
        if !told.contains(&row) {
            out.push_str(&row);
            told.push(row);
        }
    }
    out
}

fn source_line(compiled: &Compiled, span: Span) -> &str {
    let text = compiled.sources.text(span.file);
    let start = text.get(..span.range().start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim()
}

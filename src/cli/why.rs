//! `why`: the line behind a value of the site, or behind a line of `out/`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::report::Format;
use super::site::{ReportArgs, SiteArgs, Told, load, show};
use super::{Failure, Outcome};
use crate::out::Artifact;
use crate::source::Span;
use crate::terminal::{print, say};
use crate::why::KINDS;
use crate::{Compiled, eval, explain_value, store};

/// Tell which lines of the site are behind a value, or behind a line of out/
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator why host.kiosk-03.profile   # the value, the line that won, what it beat\n  pxelator why host.kiosk-03           # all its values\n  pxelator why out/dhcp/leases.jsonl:3 # the lines of the site behind a line of out/\nPaths begin with host, network, profile, menu, dns, nfs, overlay, schedule, holidays, site or use.")]
pub(super) struct Args {
    /// A value such as host.pc-07.profile, or FILE:LINE below out/; without LINE the whole file
    #[arg(value_name = "VALUE | FILE:LINE")]
    place: String,
    #[command(flatten)]
    site: SiteArgs,
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// How a value is told
    #[arg(long, value_enum, default_value_t = Told::Text)]
    format: Told,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let kind = args.place.split('.').next().unwrap_or_default();
    // A file such as `dns/lab.example.zone` has a slash before its first dot.
    if KINDS.contains(&kind) || !args.place.contains(['/', ':']) && !args.out.join(&args.place).exists() {
        return value(args);
    }
    line(args)
}

/// `host.kiosk-03.profile`
fn value(args: &Args) -> Result<Outcome, Failure> {
    let (inputs, entry) = store::read_site(&args.site.site)?;
    let (mut compiled, answer) = explain_value(inputs, &entry, &args.place);
    if !show(&mut compiled, &args.site, &ReportArgs { format: Format::Text, deny: None }) {
        return Ok(Outcome::Errors);
    }
    let facts = answer?;
    match args.format {
        Told::Text => facts.iter().for_each(|fact| print(&tell_fact(&compiled, fact))),
        Told::Json => {
            let all: Vec<_> = facts.iter().map(|fact| fact_json(&compiled, fact)).collect();
            print(&format!("{}\n", serde_json::to_string_pretty(&all)?));
        }
    }
    Ok(Outcome::Good)
}

fn tell_fact(compiled: &Compiled, fact: &eval::Fact) -> String {
    let mut out = format!("{} = {}\n", fact.path, fact.value);
    let mut row = |what: &str, span: Span, why: &str| {
        for (at, span) in compiled.sources.chain(span).into_iter().enumerate() {
            let (what, why) = if at == 0 { (what, why) } else { ("", "used here") };
            out.push_str(&format!("  {what:<5} {:<16} {}\n  {:<5} {:<16} {why}\n", compiled.sources.describe(span), source_line(compiled, span), "", ""));
        }
    };
    row("won", fact.span, &fact.why);
    for beaten in &fact.beaten {
        row("beat", beaten.span, &format!("{}: {}", beaten.value, beaten.why));
    }
    out
}

fn fact_json(compiled: &Compiled, fact: &eval::Fact) -> serde_json::Value {
    let place = |span: Span| compiled.sources.describe(span);
    let beaten = fact.beaten.iter().map(|beaten| json!({ "value": beaten.value, "place": place(beaten.span), "why": beaten.why }));
    let via: Vec<String> = compiled.sources.chain(fact.span).into_iter().skip(1).map(place).collect();
    json!({ "path": fact.path, "value": fact.value, "place": place(fact.span), "via": via, "why": fact.why, "beaten": beaten.collect::<Vec<_>>() })
}

/// `out/dhcp/leases.jsonl:3`
fn line(args: &Args) -> Result<Outcome, Failure> {
    let mut compiled = load(&args.site)?;
    compiled.sources.tame();
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

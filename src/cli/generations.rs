//! `generations`: what a store holds.

use super::site::Told;
use super::target::{TargetArgs, target};
use super::{Failure, Outcome};
use crate::deploy::{Row, Target};
use crate::out::plan::short;
use crate::terminal::print;

/// List the generations on the boot server
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator generations\n  pxelator generations ana@boot:/srv/pxelator --format json")]
pub(super) struct Args {
    /// The store: a folder, or [USER@]HOST:FOLDER over ssh
    #[arg(default_value = "/srv/pxelator", value_name = "TARGET", value_parser = target)]
    target: Target,
    #[command(flatten)]
    place: TargetArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Told::Text, value_name = "FORMAT")]
    format: Told,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let rows = args.place.open(&args.target)?.list()?;
    match args.format {
        Told::Json => print(&(serde_json::to_string_pretty(&rows)? + "\n")),
        Told::Text => print(&table(&rows)),
    }
    Ok(Outcome::Good)
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["number", "generation", "when (UTC)", "who", "revision", "hosts", "state"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let revision = row.revision.clone().unwrap_or_else(|| "-".into());
        let number = row.number.to_string();
        [
            number,
            short(&row.generation).to_owned(),
            row.date.clone(),
            row.who.clone(),
            revision,
            row.hosts.to_string(),
            state(row),
        ]
        .map(|cell| plain(&cell))
    }));
    let width =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let shown = lines.iter().map(|line| {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    });
    shown.collect()
}

fn state(row: &Row) -> String {
    let mut words = Vec::new();
    words.extend(row.current.then(|| "current".to_owned()));
    words.push(row.healthy.map_or("unchecked", |healthy| if healthy { "confirmed" } else { "failed" }).to_owned());
    words.extend(row.from.map(|from| format!("back to {from}")));
    words.extend(row.why.clone());
    words.join(", ")
}

/// What others wrote into the history does nothing to this terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

//! `trend`: what was measured, as text and as pictures.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::moments::time;
use super::{Failure, Outcome};
use crate::diag::nearest;
use crate::operate::trend::{Format, Graph, Series, exists, figures, graph, list, most};
use crate::terminal::{print, say};

/// Show what was measured: leases, requests, boots, pings, and machines on this server
///
/// Reads the files in the state folder, whether or not anybody serves. They are of librrd: rrdtool reads
/// them too. The times in pictures are those of this machine's time zone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator trend list\n  pxelator trend show leases/lan\n  pxelator trend graph leases/lan --since 1w -o leases.png\n  pxelator trend graph ping/pc-01 ping/pc-02 --since 1d -o pings.svg"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(ListArgs),
    Show(ShowArgs),
    Graph(GraphArgs),
}

/// List all series
#[derive(clap::Args)]
#[command(after_help = "Example:\n  pxelator trend list --state /var/lib/pxelator")]
struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// Tell what a series came to, over a day, a week, a month and a year
#[derive(clap::Args)]
#[command(after_help = "Example:\n  pxelator trend show leases/lan")]
struct ShowArgs {
    /// Such as leases/lan; `pxelator trend list` has all
    #[arg(value_name = "SERIES")]
    series: String,
    #[command(flatten)]
    place: Place,
}

/// Draw series of one unit into one picture
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator trend graph leases/lan --since 1w -o leases.png\n  pxelator trend graph requests/dns requests/tftp --since 1d --dark -o requests.svg"
)]
struct GraphArgs {
    /// Such as leases/lan; `pxelator trend list` has all
    #[arg(value_name = "SERIES", required = true)]
    series: Vec<String>,
    /// The picture: NAME.png or NAME.svg
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// From then on: how long ago, a date (UTC), or a moment
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1d")]
    since: i64,
    /// Up to then; now if absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// In pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 900)]
    width: u32,
    /// In pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 300)]
    height: u32,
    /// Light lines on a dark ground
    #[arg(long)]
    dark: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Place {
    /// Where `serve` keeps its state
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
}

/// The formats of pictures, by the ends of their names.
#[derive(Clone, Copy, ValueEnum)]
enum Suffix {
    Png,
    Svg,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::List(args) => all(&args.place.state),
        Command::Show(args) => show(args),
        Command::Graph(args) => draw(args),
    }
}

fn all(state: &Path) -> Result<Outcome, Failure> {
    let known = list(state)?;
    if known.is_empty() {
        return Err(nothing(state).into());
    }
    let width = known.iter().map(|series| series.to_string().len()).max().unwrap_or_default();
    let lines = known
        .iter()
        .map(|series| format!("{:<width$}  {}, in {}\n", series.to_string(), series.kind.about(), series.kind.unit()));
    print(&lines.collect::<String>());
    Ok(Outcome::Good)
}

fn nothing(state: &Path) -> String {
    format!(
        "nothing was measured in {}: write `trends` into the site, and give the folder that `pxelator serve --state` has (default /var/lib/pxelator)",
        state.join(crate::operate::trend::FOLDER).display()
    )
}

/// A series that exists; another is named with the nearest that does.
fn known(state: &Path, text: &str) -> Result<Series, Failure> {
    if let Some(series) = Series::parse(text).filter(|series| exists(state, series)) {
        return Ok(series);
    }
    let names: Vec<String> = list(state)?.iter().map(Series::to_string).collect();
    if names.is_empty() {
        return Err(nothing(state).into());
    }
    let hint = match nearest(text, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`pxelator trend list` has all".to_owned(),
    };
    Err(format!("there is no series `{text}`; {hint}").into())
}

const DAY: i64 = 86_400;

fn show(args: &ShowArgs) -> Result<Outcome, Failure> {
    let (state, now) = (&args.place.state, Timestamp::now().as_second());
    let series = known(state, &args.series)?;
    let mut text = format!(
        "{series}: {}, in {}\n{:<8}{:>12}{:>12}{:>12}\n",
        series.kind.about(),
        series.kind.unit(),
        "",
        "last",
        "mean",
        "most"
    );
    for (name, secs) in [("day", DAY), ("week", 7 * DAY), ("month", 31 * DAY), ("year", 366 * DAY)] {
        let values: Vec<f64> =
            figures(state, &series, now - secs, now)?.iter().filter_map(|row| row.values.first().copied().flatten()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let cells = [values.last().copied(), (!values.is_empty()).then_some(mean), most(state, &series, now - secs, now)?];
        let cells: String = cells
            .into_iter()
            .map(|value| format!("{:>12}", value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))))
            .collect();
        text.push_str(&format!("{name:<8}{cells}\n"));
    }
    text.push_str(&format!("{}  the last day, half an hour each\n", sparks(&figures(state, &series, now - DAY, now)?, now)));
    print(&text);
    Ok(Outcome::Good)
}

/// How many columns a day has.
const SPARKS: usize = 48;

/// A day as a row of blocks; what is not known is a dot.
fn sparks(rows: &[crate::operate::trend::Figures], now: i64) -> String {
    let mut sums = [(0.0, 0_u32); SPARKS];
    for row in rows {
        let column = usize::try_from((row.at - (now - DAY)) * SPARKS as i64 / DAY).ok();
        if let Some(((sum, count), value)) = column.and_then(|at| sums.get_mut(at)).zip(row.values.first().copied().flatten()) {
            *sum += value;
            *count += 1;
        }
    }
    let means: Vec<Option<f64>> = sums.iter().map(|(sum, count)| (*count > 0).then(|| sum / f64::from(*count))).collect();
    let most = means.iter().flatten().copied().fold(0.0, f64::max);
    let block = |mean: &Option<f64>| match mean {
        None => '·',
        Some(mean) => ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
            .get((mean / most.max(f64::MIN_POSITIVE) * 7.0).round() as usize)
            .copied()
            .unwrap_or('█'),
    };
    means.iter().map(block).collect()
}

fn draw(args: &GraphArgs) -> Result<Outcome, Failure> {
    let suffix = args.output.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let suffix = Suffix::from_str(suffix, true)
        .map_err(|_| format!("{}: the name of a picture ends in .png or .svg", args.output.display()))?;
    let series = args.series.iter().map(|text| known(&args.place.state, text)).collect::<Result<Vec<Series>, Failure>>()?;
    let until = args.until.unwrap_or_else(|| Timestamp::now().as_microsecond());
    let wanted = Graph {
        series,
        from: args.since / 1_000_000,
        to: until / 1_000_000,
        width: args.width,
        height: args.height,
        format: match suffix {
            Suffix::Png => Format::Png,
            Suffix::Svg => Format::Svg,
        },
        dark: args.dark,
    };
    let picture = graph(&args.place.state, &wanted)?;
    write_whole(&args.output, &picture)?;
    if is_empty(&args.place.state, &wanted)? {
        say("nothing was measured in this time: the picture is empty");
    }
    Ok(Outcome::Good)
}

fn is_empty(state: &Path, wanted: &Graph) -> Result<bool, Failure> {
    for series in &wanted.series {
        if figures(state, series, wanted.from, wanted.to)?.iter().any(|row| row.values.iter().any(Option::is_some)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The file as it was, or the whole picture.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".new-{}", std::process::id()));
    let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path));
    written.map_err(|error| {
        let _nothing_half_written = std::fs::remove_file(&fresh);
        format!("cannot write {}: {error}", path.display()).into()
    })
}

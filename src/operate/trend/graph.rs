//! Pictures: a title, a unit, and what each line came to, in colours that can be told apart.

use std::path::Path;

use rrd::ConsolidationFn;
use rrd::error::InvalidArgument;
use rrd::ops::graph::elements::{
    Area, AreaColor, CDef, ColorWithLegend, DashSpacing, Dashes, Def, GPrint, GraphElement, Line, VDef, VarName,
};
use rrd::ops::graph::props::{ColorTag, GraphProps, ImageFormat, UnitsExponent};
use rrd::ops::graph::{Color, graph as draw};

use super::archive::{failed, figures, time, turn};
use super::series::{Kind, Series};
use crate::operate::{Error, Result};

/// How many series one picture has.
pub const SERIES_MAX: usize = 8;
/// The sides of a picture, in pixels.
pub(super) const SIDES: std::ops::RangeInclusive<u32> = 100..=4000;

/// What shall be drawn. Moments are seconds since 1970.
#[derive(Clone, Debug)]
pub struct Graph {
    pub series: Vec<Series>,
    pub from: i64,
    pub to: i64,
    pub width: u32,
    pub height: u32,
    pub format: Format,
    /// Light lines on a dark ground.
    pub dark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Svg,
}

/// Told apart by whoever sees fewer colours too: those of Okabe and Ito, "Color Universal Design" (2008).
const COLOURS: [[u8; 3]; SERIES_MAX] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x80, 0x80, 0x80],
    [0xb8, 0xa9, 0x00],
];
/// On a dark ground the first one is too dark.
const BLUE_ON_DARK: [u8; 3] = [0x56, 0xb4, 0xe9];
const BLUE: [u8; 3] = [0x2f, 0x8f, 0xd8];
/// Beyond this span, in seconds, a point is a mean of several minutes, and the most of them is drawn too.
const MEANS_FROM: i64 = 2 * 86_400;

/// The picture's bytes.
pub fn graph(state: &Path, graph: &Graph) -> Result<Vec<u8>> {
    let bad = |what: String| Error::Asked { what };
    let Some(first) = graph.series.first() else { return Err(bad("name a series to draw".into())) };
    if let Some(other) = graph.series.iter().find(|other| other.kind.unit() != first.kind.unit()) {
        let (one, two) = (first.kind.unit(), other.kind.unit());
        return Err(bad(format!("{first} is in {one} and {other} in {two}: draw them one by one")));
    }
    if graph.series.len() > SERIES_MAX {
        return Err(bad(format!("{} series are too many for one picture: at most {SERIES_MAX}", graph.series.len())));
    }
    if graph.from >= graph.to {
        return Err(bad("the picture would end before it begins".into()));
    }
    if !SIDES.contains(&graph.width) || !SIDES.contains(&graph.height) {
        let (least, most) = (SIDES.start(), SIDES.end());
        return Err(bad(format!("a picture of {} × {} pixels: each side has {least} to {most}", graph.width, graph.height)));
    }
    let path = first.path(state);
    let known = graph.series.iter().map(|series| is_known(state, graph, series)).collect::<Result<Vec<bool>>>()?;
    let elements = elements(state, graph, &known).map_err(|error| failed("draw", &path, error.into()))?;
    let format = match graph.format {
        Format::Png => ImageFormat::Png,
        Format::Svg => ImageFormat::Svg,
    };
    let _turn = turn();
    let (bytes, _) = draw(format, &props(graph, first), &elements).map_err(|error| failed("draw", &path, error))?;
    Ok(bytes)
}

/// The zone of the times in pictures: librrd asks the C library, which looks there.
pub fn zone() -> String {
    const FILE: &str = "/etc/localtime";
    let set = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    let linked = || std::fs::read_link(FILE).ok().and_then(|path| path.to_str().map(str::to_owned));
    let named = |path: String| path.split_once("zoneinfo/").map(|(_, name)| name.to_owned());
    match set.or_else(|| linked().and_then(named)).filter(|zone| !zone.is_empty()) {
        None => "UTC".to_owned(),
        Some(zone) if matches!(zone.as_str(), "Etc/UTC" | "UTC0" | "Etc/UCT") => "UTC".to_owned(),
        Some(zone) => zone,
    }
}

fn props(graph: &Graph, first: &Series) -> GraphProps {
    let mut props = GraphProps::default();
    props.time_range.start = Some(time(graph.from));
    props.time_range.end = Some(time(graph.to));
    let title = if graph.series.len() == 1 { first.title() } else { first.kind.about().to_owned() };
    props.labels.title = Some(title);
    props.labels.vertical_label = Some(first.kind.unit().to_owned());
    (props.size.width, props.size.height, props.size.full_size_mode) = (Some(graph.width), Some(graph.height), true);
    // What begins at 0 is not made to look steep.
    props.limits.lower_limit = Some(0.0);
    props.misc.base = Some(if first.kind == Kind::Memory { 1024 } else { 1000 });
    props.y_axis.units_exponent = (!first.kind.is_scaled()).then_some(UnitsExponent { exp: 0 });
    props.misc.border = Some(0);
    props.misc.slope_mode = !first.kind.is_sparse();
    let grey = |grey: u8, alpha: Option<u8>| Color { red: grey, green: grey, blue: grey, alpha };
    let (ground, ink) = if graph.dark {
        (Color { red: 0x16, green: 0x1b, blue: 0x22, alpha: None }, grey(0xe6, None))
    } else {
        (grey(0xff, None), grey(0x1f, None))
    };
    let line = if graph.dark { grey(0xff, Some(0x28)) } else { grey(0x00, Some(0x20)) };
    let clear = grey(0, Some(0));
    props.misc.colors = [
        (ColorTag::Back, ground),
        (ColorTag::Canvas, ground),
        (ColorTag::ShadeA, clear),
        (ColorTag::ShadeB, clear),
        (ColorTag::Frame, clear),
        (ColorTag::Arrow, clear),
        (ColorTag::Axis, line),
        (ColorTag::Grid, line),
        (ColorTag::MGrid, line),
        (ColorTag::Font, ink),
    ]
    .into();
    props
}

/// A line of the picture.
struct Drawn {
    label: String,
    colour: [u8; 3],
    /// Within its file.
    source: &'static str,
    /// A limit, and no measurement.
    is_limit: bool,
    /// Is there any figure of it in this time?
    is_known: bool,
}

/// librrd prints what is not known as `-nan`.
fn is_known(state: &Path, graph: &Graph, series: &Series) -> Result<bool> {
    let rows = figures(state, series, graph.from, graph.to, ConsolidationFn::Avg)?;
    Ok(rows.iter().any(|row| row.values.iter().any(Option::is_some)))
}

fn elements(state: &Path, graph: &Graph, known: &[bool]) -> std::result::Result<Vec<GraphElement>, InvalidArgument> {
    let mut all = Vec::new();
    let mut count = 0;
    let single = graph.series.len() == 1;
    for (series, is_known) in graph.series.iter().zip(known) {
        for source in series.kind.sources() {
            let is_limit = source.name == "pool";
            if is_limit && !single {
                continue;
            }
            let label = match (single, series.kind.sources().len()) {
                (true, 1) => series.name().to_owned(),
                (true, _) => source.name.to_owned(),
                (false, 1) => series.name().to_owned(),
                (false, _) if series.kind == Kind::Leases => series.name().to_owned(),
                (false, _) => format!("{} {}", series.name(), source.name),
            };
            let colour = COLOURS.get(count % COLOURS.len()).copied().unwrap_or(BLUE);
            let colour = if graph.dark && count == 0 { BLUE_ON_DARK } else { colour };
            let drawn = Drawn { label, colour, source: source.name, is_limit, is_known: *is_known };
            one(state, graph, series, &drawn, count, &mut all)?;
            count += 1;
        }
    }
    Ok(all)
}

fn one(
    state: &Path,
    graph: &Graph,
    series: &Series,
    drawn: &Drawn,
    at: usize,
    all: &mut Vec<GraphElement>,
) -> std::result::Result<(), InvalidArgument> {
    let name = |what: &str| VarName::new(format!("{what}{at}"));
    let [red, green, blue] = drawn.colour;
    let colour = |alpha: Option<u8>| Color { red, green, blue, alpha };
    for (raw, value, function) in [("ra", "avg", ConsolidationFn::Avg), ("rm", "max", ConsolidationFn::Max)] {
        let def = Def {
            var_name: name(raw)?,
            rrd: series.path(state),
            ds_name: drawn.source.to_owned(),
            consolidation_fn: function,
            step: None,
            start: None,
            end: None,
            reduce: None,
        };
        all.push(def.into());
        all.push(CDef { var_name: name(value)?, rpn: format!("{raw}{at},{},/", series.kind.divisor()) }.into());
    }
    let single = graph.series.len() == 1;
    let label = if drawn.is_known { format!("{:<18}", drawn.label) } else { format!("{}: no figures in this time", drawn.label) };
    let dashes = drawn.is_limit.then_some(Dashes { spacing: Some(DashSpacing::Simple(4)), offset: None });
    if single && !drawn.is_limit && graph.to - graph.from > MEANS_FROM && !series.kind.is_sparse() {
        let most = ColorWithLegend { color: colour(Some(0x80)), legend: None };
        all.push(
            Line { width: 0.7, value: name("max")?, color: Some(most), stack: false, skip_scale: false, dashes: None }.into(),
        );
    }
    if single && at == 0 {
        let ground = AreaColor::Color(colour(Some(if series.kind.is_sparse() { 0xff } else { 0x40 })));
        all.push(
            Area {
                value: name("avg")?,
                color: Some(ColorWithLegend { color: ground, legend: None }),
                stack: false,
                skip_scale: false,
            }
            .into(),
        );
    }
    let legend = ColorWithLegend { color: colour(None), legend: Some(label.into()) };
    all.push(Line { width: 1.6, value: name("avg")?, color: Some(legend), stack: false, skip_scale: false, dashes }.into());
    if !drawn.is_known {
        return Ok(());
    }
    // Half a millisecond is no `500 m`.
    let prefix = if series.kind.is_scaled() { "%s" } else { "" };
    for (what, of, function) in [("last", "avg", "LAST"), ("mean", "avg", "AVERAGE"), ("most", "max", "MAXIMUM")] {
        all.push(VDef { var_name: name(what)?, rpn: format!("{of}{at},{function}") }.into());
        let end = if what == "most" { "\\l" } else { "" };
        all.push(GPrint { var_name: name(what)?, format: format!("{what}\\: %8.2lf{prefix}{end}") }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rrd::ops::graph::graph_args;

    use super::*;

    /// What librrd is told of a series.
    fn told(series: &str, is_known: bool) -> String {
        let series = vec![Series::parse(series).unwrap()];
        let wanted = Graph { series, from: 0, to: 86_400, width: 900, height: 300, format: Format::Svg, dark: false };
        let elements = elements(Path::new("/s"), &wanted, &[is_known]).unwrap();
        graph_args(None, &props(&wanted, wanted.series.first().unwrap()), &elements).unwrap().join(" ")
    }

    #[test]
    fn only_bytes_have_k_and_m_before_them_and_what_is_not_known_is_said_in_words() {
        let (ping, memory) = (told("ping/nas", true), told("memory/mail", true));
        assert!(ping.contains("--units-exponent 0 ") && ping.contains("%8.2lf ") && !ping.contains("%s"), "{ping}");
        assert!(!memory.contains("--units-exponent") && memory.contains("%8.2lf%s"), "{memory}");
        let unknown = told("ping/nas", false);
        assert!(unknown.contains("nas\\: no figures in this time") && !unknown.contains("GPRINT"), "{unknown}");
    }
}

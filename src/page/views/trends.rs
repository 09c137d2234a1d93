//! `/trends`: what was measured, as pictures; `/trend/KIND/NAME.svg`: one of them.

use std::path::Path;

use hyper::body::Bytes;
use serde::Serialize;

use super::super::Failure;
use super::super::route::Query;
use super::{Answer, Ask};
use crate::operate::trend::{self, Format, Graph, Kind, Series};

/// The sides of a picture, in pixels.
const WIDTH: u32 = 660;
const HEIGHT: u32 = 220;
/// Word, label, seconds.
const SPANS: &[(&str, &str, i64)] =
    &[("day", "Day", 86_400), ("week", "Week", 7 * 86_400), ("month", "Month", 31 * 86_400), ("year", "Year", 366 * 86_400)];
/// Pictures on one page; those of hosts stand on the pages of the hosts too.
const SHOWN_MAX: usize = 48;

#[derive(Serialize)]
pub(super) struct Picture {
    /// `ping/kiosk-01`
    series: String,
    title: String,
}

/// The zone of the times in pictures, where it is not that of all other times.
pub(super) fn other_zone(ask: &Ask<'_>) -> Option<String> {
    Some(trend::zone()).filter(|zone| zone != ask.row.timezone.as_deref().unwrap_or("UTC"))
}

#[derive(Serialize)]
struct View {
    other_zone: Option<String>,
    span: &'static str,
    spans: Vec<(&'static str, &'static str)>,
    kinds: Vec<KindView>,
    /// Pictures that are not shown.
    more: usize,
    /// Does the site want to measure?
    is_measured: bool,
}

#[derive(Serialize)]
struct KindView {
    about: &'static str,
    pictures: Vec<Picture>,
}

fn span(query: &Query) -> (&'static str, &'static str, i64) {
    let named = query.get("span").and_then(|word| SPANS.iter().find(|(span, _, _)| span == word));
    named.or(SPANS.first()).copied().unwrap_or(("day", "Day", 86_400))
}

fn picture(series: &Series) -> Picture {
    Picture { series: series.to_string(), title: series.title() }
}

pub(super) fn trends(ask: &Ask<'_>, query: &Query) -> Result<Answer, Failure> {
    let all = trend::list(ask.state())?;
    let more = all.len().saturating_sub(SHOWN_MAX);
    let shown = all.get(..all.len() - more).unwrap_or_default();
    let of_kind = |kind: Kind| KindView {
        about: kind.about(),
        pictures: shown.iter().filter(|series| series.kind == kind).map(picture).collect(),
    };
    let kinds = Kind::ALL.into_iter().map(of_kind).filter(|kind| !kind.pictures.is_empty()).collect();
    let spans = SPANS.iter().map(|(word, label, _)| (*word, *label)).collect();
    let is_measured = ask.page.tables().trends.is_some();
    ask.html(
        "trends.html",
        "/trends",
        &View { other_zone: other_zone(ask), span: span(query).0, spans, kinds, more, is_measured },
    )
}

/// What is measured of one host.
pub(super) fn of_host(state: &Path, host: &str, kinds: &[Kind]) -> Result<Vec<Picture>, Failure> {
    let all = trend::list(state)?;
    Ok(all.iter().filter(|series| series.name() == host && kinds.contains(&series.kind)).map(picture).collect())
}

pub(super) fn graph(ask: &Ask<'_>, name: &str, query: &Query) -> Result<Answer, Failure> {
    let known = Series::parse(name).filter(|wanted| trend::list(ask.state()).is_ok_and(|all| all.contains(wanted)));
    let Some(series) = known else { return ask.missing("There is no such picture", "Nothing of this name was measured.") };
    let now = ask.now.as_second();
    let graph = Graph {
        series: vec![series],
        from: now - span(query).2,
        to: now,
        width: WIDTH,
        height: HEIGHT,
        format: Format::Svg,
        dark: query.get("theme").is_some_and(|theme| theme == "dark"),
    };
    let body = Bytes::from(trend::graph(ask.state(), &graph)?);
    Ok(Answer { status: 200, kind: "image/svg+xml", body, headers: vec![("cache-control", "private, max-age=60".to_owned())] })
}

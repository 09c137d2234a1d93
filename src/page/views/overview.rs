//! `/`: what is wrong, then everything; `/alerts`: what was wrong.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::super::Failure;
use super::{Answer, Ask, secs};
use crate::operate::monitor::seen::Alert;
use crate::operate::overview::{self, Overview};

/// Browsers that fetch it within this time get the same page: it may have thousands of hosts.
const SAME: Duration = Duration::from_millis(900);

/// What happened last, and does not push the rest out of sight.
const LAST_SHOWN: usize = 15;

#[derive(Serialize)]
struct View {
    overview: Overview,
    last: Vec<Last>,
    /// Is anything asked by checks?
    is_watched: bool,
}

#[derive(Serialize)]
struct Last {
    at: i64,
    who: String,
    is_host: bool,
    service: String,
    text: String,
}

pub(super) fn overview(ask: &Ask<'_>) -> Result<Answer, Failure> {
    // While one makes it, the others wait for the same.
    let mut made = ask.page.made.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, text)) = made.as_ref().filter(|(at, _)| at.elapsed() < SAME) {
        return Ok(Answer::html(200, text.clone()));
    }
    let gathered = ask.gathered()?;
    let last = |happened: &overview::Happened| Last {
        at: secs(happened.at),
        who: happened.who.clone(),
        is_host: happened.is_host,
        service: happened.service.clone(),
        text: happened.text.clone(),
    };
    let view = View {
        overview: overview::overview(&gathered.known()),
        last: gathered.recent.last().take(LAST_SHOWN).map(last).collect(),
        is_watched: !gathered.tables.checks.is_empty(),
    };
    let text = ask.page.templates.page("overview.html", "/", ask.row, ask.now, &view)?;
    *made = Some((Instant::now(), text.clone()));
    Ok(Answer::html(200, text))
}

#[derive(Serialize)]
struct Alerts {
    is_watched: bool,
    /// Whom the site tells.
    sinks: Vec<String>,
    open: Vec<AlertView>,
    past: Vec<AlertView>,
}

#[derive(Serialize)]
struct AlertView {
    #[serde(flatten)]
    alert: Alert,
    /// The router of a network need not be one.
    is_host: bool,
}

pub(super) fn alerts(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let gathered = ask.gathered()?;
    let view = |alert: Alert| AlertView { is_host: gathered.tables.facts.contains_key(&alert.host), alert };
    let all = gathered.seen.iter().flat_map(|seen| seen.alerts.clone()).map(view);
    let (open, past) = all.partition(|view| view.alert.resolved.is_none());
    let sinks = gathered.tables.alerts.iter().map(|row| row.name()).collect();
    ask.html("alerts.html", "/alerts", &Alerts { is_watched: !gathered.tables.checks.is_empty(), sinks, open, past })
}

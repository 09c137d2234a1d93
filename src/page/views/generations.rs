//! `/generations`: what was deployed here; `/generation/N`: what it changed.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::Failure;
use super::{Answer, Ask};
use crate::deploy::{self, Row};
use crate::out::Manifest;
use crate::out::diff::diff;
use crate::out::plan::short;
use crate::store;
use crate::store::serving::Serving;
use crate::terminal::chain;

/// How many are listed.
const SHOWN_MAX: usize = 200;
/// A diff as text, in bytes; `pxelator diff` tells the rest.
const DIFF_BYTES_MAX: usize = 100 << 10;

#[derive(Serialize)]
struct View {
    /// Where it is served from.
    folder: String,
    generation: String,
    compiler: String,
    files: usize,
    since: Option<i64>,
    /// A newer one that does not verify.
    refused: Option<String>,
    /// Of a store; a plain folder has none.
    store: Option<String>,
    rows: Vec<RowView>,
    trouble: Option<String>,
}

#[derive(Serialize)]
struct RowView {
    number: u64,
    generation: String,
    at: i64,
    who: String,
    revision: Option<String>,
    hosts: usize,
    from: Option<u64>,
    why: Option<String>,
    is_current: bool,
    health: &'static str,
}

pub(super) fn generations(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let out = &ask.page.handle.out;
    let folder = out.canonicalize().unwrap_or_else(|_| out.clone());
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(folder.join(crate::out::MANIFEST))?)?;
    let serving = Serving::read(ask.state())?;
    let store = store_of(&folder);
    let (rows, trouble) = match store.as_deref().map(deploy::list) {
        None => (Vec::new(), None),
        Some(Ok(rows)) => (rows, None),
        Some(Err(error)) => (Vec::new(), Some(chain(&error))),
    };
    let view = View {
        folder: folder.display().to_string(),
        generation: short(&serving.as_ref().map_or(manifest.generation, |serving| serving.generation.clone())).to_owned(),
        compiler: manifest.compiler,
        files: manifest.files.len(),
        since: serving.as_ref().and_then(|serving| i64::try_from(serving.since).ok()),
        refused: serving.and_then(|serving| serving.refused).map(|refused| refused.why),
        store: store.map(|store| store.display().to_string()),
        rows: newest_first(rows).take(SHOWN_MAX).map(row).collect(),
        trouble,
    };
    ask.html("generations.html", "/generations", &view)
}

fn newest_first(mut rows: Vec<Row>) -> impl Iterator<Item = Row> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.number));
    rows.into_iter()
}

fn row(row: Row) -> RowView {
    RowView {
        number: row.number,
        generation: short(&row.generation).to_owned(),
        at: i64::try_from(row.time).unwrap_or(0),
        who: row.who,
        revision: row.revision,
        hosts: row.hosts,
        from: row.from,
        why: row.why,
        is_current: row.current,
        health: row.healthy.map_or("not checked", |healthy| if healthy { "confirmed" } else { "failed" }),
    }
}

/// `STORE/generations/7/out` lies in a store.
fn store_of(folder: &Path) -> Option<PathBuf> {
    let number = folder.parent()?;
    let all = number.parent()?;
    let is_one = number.file_name()?.to_str()?.parse::<u64>().is_ok() && all.file_name()? == "generations";
    all.parent().filter(|_| is_one).map(Path::to_owned)
}

#[derive(Serialize)]
struct One {
    row: RowView,
    /// The one before, against which it is held.
    before: Option<u64>,
    text: Option<String>,
    is_cut: bool,
    trouble: Option<String>,
}

pub(super) fn generation(ask: &Ask<'_>, number: u64) -> Result<Answer, Failure> {
    let out = ask.page.handle.out.canonicalize()?;
    let Some(store) = store_of(&out) else {
        return ask.missing("Nothing was deployed here", "What is served is a plain folder: it has no generations before it.");
    };
    let rows: Vec<Row> = newest_first(deploy::list(&store)?).collect();
    let before = rows.iter().map(|row| row.number).find(|other| *other < number);
    let Some(found) = rows.into_iter().find(|row| row.number == number) else {
        return ask.missing("There is no such generation", "It was never deployed, or was let go of since.");
    };
    let told = before.map(|before| changes(&store, before, number));
    let (text, trouble) = match told {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(error)) => (None, Some(chain(&*error))),
    };
    let is_cut = text.as_ref().is_some_and(|text| text.len() > DIFF_BYTES_MAX);
    let text = text.map(|mut text| {
        text.truncate(text.floor_char_boundary(DIFF_BYTES_MAX));
        text
    });
    ask.html("generation.html", "/generations", &One { row: row(found), before, text, is_cut, trouble })
}

fn changes(store: &Path, before: u64, number: u64) -> Result<String, Failure> {
    let open = |number: u64| store::open(&store.join("generations").join(number.to_string()).join("out"));
    Ok(diff(&open(before)?.files, &open(number)?.files)?.text())
}

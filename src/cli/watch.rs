//! `build --watch`: findings as one saves, and `out/` behind them.
//!
//! After each change the findings are shown at once, for `edit` reads only what changed; then, where
//! there is no error, the whole site is built.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::build::write;
use super::report::{self, Findings};
use super::site::{Deny, ReportArgs, SiteArgs};
use super::{Failure, Outcome};
use crate::edit::Editing;
use crate::source::Inputs;
use crate::terminal::say;
use crate::{compile, store};

/// How long editors may take to write all files of one save.
const SETTLE: Duration = Duration::from_millis(15);
/// How many changes wait; more mean no more than one does.
const WAITING_MAX: usize = 1;

pub(super) fn watch(site: &SiteArgs, report: &ReportArgs, out: &Path) -> Result<Outcome, Failure> {
    let (sender, changes) = sync_channel(WAITING_MAX);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // We read the files ourselves: that is no change. An error may hide one.
        let changes = event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_)));
        if changes {
            let _full_says_so_already = sender.try_send(());
        }
    })?;
    let folder = if site.folder().as_os_str().is_empty() { Path::new(".") } else { site.folder() };
    watcher.watch(folder, RecursiveMode::Recursive)?;
    let (inputs, entry) = store::read_site(&site.site)?;
    let mut editing = Editing::open(inputs.clone(), &entry);
    show(&editing, site, report);
    build(&editing, inputs, &entry, report, out)?;
    say(&format!("watching {}; Ctrl-C ends it", folder.display()));
    let mut unreadable = String::new();
    while wait(&changes) {
        let inputs = match store::read_site(&site.site) {
            Ok((inputs, _)) => inputs,
            // A file may be gone for a moment; what stays wrong is said once.
            Err(error) => {
                let text = error.to_string();
                if text != unreadable {
                    say(&format!("error: {text}"));
                    unreadable = text;
                }
                continue;
            }
        };
        unreadable.clear();
        if inputs == *editing.inputs() {
            continue;
        }
        let start = Instant::now();
        editing.change(inputs.clone());
        show(&editing, site, report);
        say(&format!("checked in {} ms", start.elapsed().as_millis()));
        build(&editing, inputs, &entry, report, out)?;
    }
    Ok(Outcome::Good)
}

/// Waits for a change, and until no more come; false when none can come any more.
fn wait(changes: &Receiver<()>) -> bool {
    if changes.recv().is_err() {
        return false;
    }
    loop {
        match changes.recv_timeout(SETTLE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

fn show(editing: &Editing, site: &SiteArgs, report: &ReportArgs) {
    report::show(&Findings { sources: editing.sources(), diags: editing.diags(), folder: site.folder() }, report.format);
}

/// Builds where nothing is wrong.
fn build(editing: &Editing, inputs: Inputs, entry: &str, report: &ReportArgs, out: &Path) -> Result<(), Failure> {
    let denied = report.deny == Some(Deny::Warnings) && !editing.diags().is_empty();
    if editing.diags().errors() > 0 || denied {
        return Ok(());
    }
    match compile(inputs, entry).tree {
        Some(tree) => write(out, &tree),
        None => Ok(()),
    }
}

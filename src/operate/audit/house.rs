//! The thread of the audit: it brings the spool to the disk, lets old segments go, and has a thread for each sink.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::keep::{Doomed, Evenness, Lying, SPOOL_BYTES_MAX, doomed, oldest_kept};
use super::room::Space;
use super::segment::{Segment, list};
use super::sink::Sink;
use super::{FOLDER, Keeper, TELL_EVERY, spool};
use crate::event::Event;
use crate::out::table::{KEEP_SECS, SinkRow};
use crate::serve::Handle;

/// How often the disk gets what was written: a power cut loses no more than this.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often old segments are looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(60);
/// The same while the disk has little room.
const CLEAR_SOON: Duration = Duration::from_secs(5);
/// A sink whose thread failed begins anew, no more often than this.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How often it is looked whether this shall end.
const LOOK: Duration = Duration::from_millis(50);

/// Sinks that run, by what the table says of them.
type Sinks = BTreeMap<SinkRow, Sending>;

struct Sending {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    begun: Instant,
}

pub(super) fn keep(handle: &Handle, keeper: &Keeper, stop: &AtomicBool) {
    let (mut sinks, mut synced, mut told, mut cleared, mut looked) = (Sinks::new(), None, None, None, None);
    let mut even = Evenness::new(Instant::now(), handle.clock.now().as_second());
    loop {
        let ended = stop.load(Ordering::Relaxed);
        if ended {
            keeper.with(|state| state.finish(handle.clock));
            sync(handle, keeper, &mut told);
            break;
        }
        if is_due(&mut synced, SYNC_EVERY) {
            keeper.with(|state| state.tick(handle.clock));
            sync(handle, keeper, &mut told);
        }
        supervise(handle, &mut sinks);
        let is_soon = is_due(&mut looked, CLEAR_SOON) && Space::of(&handle.state.join(FOLDER)).is_some_and(Space::is_short);
        if is_soon || is_due(&mut cleared, CLEAR_EVERY) {
            clear(handle, &mut even);
        }
        std::thread::sleep(LOOK);
    }
    // A request that still runs is waited for by nobody: the cursor moves after it, or it is sent again.
    sinks.values().for_each(|sending| sending.stop.store(true, Ordering::Relaxed));
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Brings to the disk what was written; what it did not get is tried again.
fn sync(handle: &Handle, keeper: &Keeper, told: &mut Option<Instant>) {
    let files = keeper.with(|state| state.spool.take_unsynced());
    let Err((left, error)) = spool::sync(&handle.state.join(FOLDER), files) else { return };
    keeper.with(|state| state.spool.put_back(left));
    if is_due(told, TELL_EVERY) {
        warn!("the audit spool does not reach the disk: {error}; a power cut would lose what was recorded meanwhile");
    }
}

/// One thread for each sink of the generation that is served.
fn supervise(handle: &Handle, sinks: &mut Sinks) {
    let wanted = handle.tables.borrow().sinks.clone();
    sinks.retain(|row, Sending { stop, thread, begun }| {
        stop.fetch_or(!wanted.contains(row), Ordering::Relaxed);
        // One that was taken back ends after its request. One that ends otherwise failed.
        let failed = thread.is_finished() && !stop.load(Ordering::Relaxed);
        if failed && begun.elapsed() >= AGAIN_AFTER {
            error!("audit: what sends to {} failed, which is a mistake in this program; it begins anew at its cursor", row.url);
        }
        !thread.is_finished() || failed && begun.elapsed() < AGAIN_AFTER
    });
    for row in wanted {
        if sinks.contains_key(&row) {
            continue;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let sink = Sink::new(row.clone(), handle);
        info!("audit: {} gets what happened", row.url);
        let (stopped, named) = (stop.clone(), std::thread::Builder::new().name("sink".into()));
        match named.spawn(move || sink.run(&stopped)) {
            Ok(thread) => drop(sinks.insert(row, Sending { stop, thread, begun: Instant::now() })),
            Err(error) => return warn!("no thread for the sink {}: {error}", row.url),
        }
    }
}

/// Deletes what need not be kept any more, tells it and records it.
fn clear(handle: &Handle, even: &mut Evenness) {
    let (at, now) = (Instant::now(), handle.clock.now().as_second());
    if let Some(ahead) = even.jump(at, now) {
        warn!("audit: the clock was set by {ahead} s; for the next hour no record counts as old");
    }
    // A rehearsal in another year makes nothing old.
    if handle.clock.is_set() {
        return;
    }
    let folder = handle.state.join(FOLDER);
    let tables = handle.tables.borrow().clone();
    let Ok(segments) = list(&folder) else { return };
    let behind = tables.sinks.iter().map(|row| super::sink::cursor(&folder, &segments, &row.url).segment).min();
    let lying = |segment: Segment| {
        let file = fs::metadata(folder.join(segment.file())).ok()?;
        Some(Lying::new(segment, file.len(), spool::written(&file), now))
    };
    let all: Vec<Lying> = segments.into_iter().filter_map(lying).collect();
    let bytes = all.iter().map(|one| one.bytes).sum();
    let bytes_max = Space::of(&folder).map_or(u64::MAX, |space| space.spool_max(bytes)).min(SPOOL_BYTES_MAX);
    let kept = even.is_even(at).then(|| oldest_kept(now, tables.keep_secs.unwrap_or(KEEP_SECS)));
    let (early, aged): (Vec<Doomed>, _) = doomed(&all, kept, bytes_max, behind).into_iter().partition(|one| one.early);
    delete(handle, &folder, &aged, "age");
    delete(handle, &folder, &early, "size");
}

/// One record for all that go for the same reason.
fn delete(handle: &Handle, folder: &Path, doomed: &[Doomed], why: &'static str) {
    let mut gone = Vec::new();
    for one in doomed {
        let path = folder.join(one.segment.file());
        match fs::remove_file(&path) {
            Ok(()) => gone.push(one),
            Err(error) => warn!("cannot delete {}: {error}", path.display()),
        }
    }
    let (Some(first), Some(last)) = (gone.first(), gone.last()) else { return };
    let delivered = gone.iter().all(|one| one.delivered);
    let (first, last) = (first.segment.to_string(), last.segment.to_string());
    let (segments, bytes) = (gone.len() as u64, gone.iter().map(|one| one.bytes).sum());
    let whose = if delivered { "every sink has them" } else { "a sink has not got them" };
    if why == "age" {
        info!("audit: {segments} files of the spool are older than the site keeps them, and were deleted: {first} to {last}");
    } else {
        warn!("the audit spool is too large, or its disk has too little room: {segments} files were deleted, {first} to {last}; {whose}");
    }
    handle.journal.record(&[Event::RecordsDeleted { segments, first, last, bytes, delivered, why: why.into() }]);
}

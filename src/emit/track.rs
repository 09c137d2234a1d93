//! # Name
//! `track`: which folders of machines that already run are kept, and how these machines are reached.
//!
//! # Description
//! `track/hosts.jsonl` has a row for each host that has a tracked folder: its name, how one logs in, and its
//! folders with what is left out of each. What is never fetched stands there too, so that a review sees it. A
//! host without an address has no row, and a site that tracks nothing has no file.
//!
//! # Syntax
//! Reads `track`, the address of each host that it names, and `ssh`.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" { host nas 51 "00:11:32:00:00:33" }
//! track "/etc" on="host:nas" except="/etc/mtab"
//! ```

use std::collections::BTreeMap;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Origins, Selected};
use crate::out::table::{TRACK, TrackRow, TrackedFolder, json};
use crate::out::{Lines, Wing};

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let selected = Selected::of(site);
    let mut rows: BTreeMap<String, (Origins, TrackRow)> = BTreeMap::new();
    for track in &site.tracks {
        for host in selected.hosts(&track.on) {
            let Some((login, said)) = super::login(site, &selected, host) else { continue };
            let name = host.name.to_string();
            let (origins, row) = rows.entry(name.clone()).or_insert_with(|| {
                let origins = std::iter::once(host.span).chain(said).collect();
                (origins, TrackRow { host: name, login, folders: Vec::new() })
            });
            origins.push(track.span);
            row.folders.push(TrackedFolder { folder: track.folder.value.clone(), except: track.left_out() });
        }
    }
    let mut lines = Lines::default();
    for (origins, row) in rows.values_mut() {
        row.folders.sort_by(|a, b| a.folder.cmp(&b.folder));
        lines.line(origins, json(row));
    }
    if !lines.is_empty() {
        wing.write(TRACK.into(), lines);
    }
}

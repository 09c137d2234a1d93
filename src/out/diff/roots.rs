//! Roots over NFS: what a host mounts, where its changes lie, and the files of overlays.

use std::collections::BTreeSet;

use super::hosts::set;
use super::pairs::Pair;
use super::side::{Host, Side, Touched};
use super::{Fact, Files, Reach};
use crate::out::table::{OVERLAY_TEXTS, RootRow};

/// `overlay kiosk over debian-12`
pub(super) fn described(row: &RootRow) -> String {
    match (&row.overlay, row.write) {
        (Some(overlay), _) => format!("overlay {} over {} by {}", overlay.name, row.base, overlay.union),
        (None, true) => format!("base {}, writable", row.base),
        (None, false) => format!("base {}, read-only", row.base),
    }
}

/// What two hosts that are one mount, as they have it in common with others, and what is their own.
pub(super) fn facts(old: &Host, new: &Host) -> (Vec<Fact>, Vec<Fact>) {
    let all = |host: &Host| sorted(host.roots.iter().map(described));
    let server = |host: &Host| {
        let paths = host.leases.iter().filter_map(|row| row.root.as_ref());
        sorted(paths.filter_map(|path| path.split_once(':')).map(|(server, _)| server.to_owned()))
    };
    let folders = |host: &Host| sorted(host.roots.iter().map(|row| format!("{} of {}", row.export, row.lower)));
    let uppers =
        |host: &Host| sorted(host.roots.iter().filter_map(|row| row.overlay.as_ref()).map(|overlay| overlay.upper.clone()));
    let text = |text: &String| text.clone();
    let mut common = set("root", &all(old), &all(new), text);
    let has_both = !old.roots.is_empty() && !new.roots.is_empty();
    common.extend(has_both.then(|| set("root's server", &server(old), &server(new), text)).into_iter().flatten());
    // Where what it changed lies: in another folder it begins anew.
    let own = if has_both { set("upper folder", &uppers(old), &uppers(new), text) } else { Vec::new() };
    let own = if common.is_empty() && own.is_empty() { set("root's folder", &folders(old), &folders(new), text) } else { own };
    (common, own)
}

/// Each once, in order.
fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<BTreeSet<String>>().into_iter().collect()
}

/// The systemd units that follow from the rows of hosts which are told.
pub(super) fn units(old: &Files, new: &Files, pairs: &[Pair<'_>]) -> BTreeSet<String> {
    let rows =
        pairs.iter().flat_map(|pair| pair.old.into_iter().chain(pair.new.map(|(_, host)| host))).flat_map(|host| &host.roots);
    let exports: BTreeSet<&str> = rows.map(|row| row.export.as_str()).collect();
    if exports.is_empty() {
        return BTreeSet::new();
    }
    let is_unit = |path: &&String| path.starts_with("nfs/") && path.ends_with(".mount");
    let of_told = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("Where=")).is_some_and(|folder| exports.contains(folder))
    };
    let all = old.iter().chain(new).filter(|(path, bytes)| is_unit(path) && of_told(bytes));
    all.map(|(path, _)| path.clone()).collect()
}

/// The machines that have a file of an overlay.
pub(super) fn reach(path: &str, side: &Side<'_>, touched: &mut Touched) -> Option<Reach> {
    let (overlay, _) = path.strip_prefix(OVERLAY_TEXTS)?.split_once('/')?;
    let has_it = |host: &Host| host.roots.iter().any(|row| row.overlay.as_ref().is_some_and(|other| other.name == overlay));
    let places = side.hosts.iter().enumerate().filter(|(_, host)| has_it(host)).map(|(at, _)| at).collect();
    Some(side.reach(places, Vec::new(), false, touched))
}

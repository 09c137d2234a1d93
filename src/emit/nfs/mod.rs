//! # Name
//! `nfs`: what machines mount as their root, and how the boot server keeps and exports it.
//!
//! # Description
//! `nfs/roots.jsonl` has a row for each host that mounts a root; `pxelator storage` and `pxelator changes`
//! read it. `nfs/exports` is for the kernel's server (exports(5)), `nfs/ganesha.conf` for nfs-ganesha, and
//! `nfs/*.mount` are systemd units that join each host's upper folder with its base. `nfs/files/` holds the
//! texts of overlays and `nfs/files.jsonl` their permissions. Each export is for the hosts that need it and
//! nobody else. A site without `nfs` has none of these files.
//!
//! # Syntax
//! Reads `nfs`, `base`, `overlay`, `file` within `overlay`, `root` within `profile`, `server` of `network`, and
//! `ids.lock`.
//!
//! # Example
//! ```kdl
//! site lab
//! assets "/srv/boot"
//! network lan "10.77.0.0/24" server=2 { host kiosk-01 11 "54:b2:03:00:00:0b" profile=kiosk }
//! profile kiosk { kernel "debian-12/vmlinuz"; initrd "debian-12/initrd.img"; root overlay=kiosk }
//! nfs "/srv/nfs" { base "debian-12"; overlay kiosk over="debian-12" }
//! ```

mod exports;
mod ganesha;
mod mounts;

use std::net::Ipv4Addr;

pub(super) use mounts::unit_name;

use super::texts::{Maker, Owner};
use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{HostRoot, Nfs, Overlay, Root, RootOf, Site};
use crate::out::table::{OVERLAY_FILES, OVERLAY_TEXTS, OverlayFileRow, OverlayRow, ROOTS, RootRow, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

/// A root as its host mounts it and the server keeps it.
struct RootView<'s> {
    row: RootRow,
    /// The export below the folder: what numbers are made of.
    export: String,
    overlay: Option<&'s Overlay>,
    origins: Vec<Span>,
}

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, diags: &mut Diags) {
    let site = checked.site();
    let Some(nfs) = &site.nfs else { return };
    let Some(folder) = nfs.folder.as_ref().map(|folder| folder.value.as_str()) else { return };
    let roots: Vec<RootView<'_>> = site.roots().filter_map(|root| view(nfs, &root)).collect();
    let mut rows = Lines::default();
    roots.iter().for_each(|root| rows.line(&root.origins, json(&root.row)));
    wing.write(ROOTS.into(), rows);
    wing.write("nfs/exports".into(), exports::emit(nfs, &roots));
    wing.write("nfs/ganesha.conf".into(), ganesha::emit(site, nfs, folder, &roots));
    for root in &roots {
        mounts::emit(root).into_iter().for_each(|(name, lines)| wing.write(format!("nfs/{name}"), lines));
    }
    files(site, nfs, wing, diags);
}

fn view<'s>(nfs: &'s Nfs, root: &HostRoot<'s>) -> Option<RootView<'s>> {
    let address: Ipv4Addr = root.host.address.as_ref()?.value;
    let host = root.host.name.to_string();
    let (overlay, base, write) = match &root.root.of {
        RootOf::Overlay(name) => {
            let overlay = nfs.overlay(&name.value)?;
            (Some(overlay), overlay.over.as_ref()?.value.as_str(), true)
        }
        RootOf::Base { name, write } => (None, name.value.as_str(), *write),
    };
    let row = RootRow {
        address,
        overlay: overlay.and_then(|overlay| overlay_row(nfs, overlay, &host)),
        base: base.to_owned(),
        lower: nfs.base_folder(base)?,
        export: nfs.export_folder(root.root, &host)?,
        write,
        host,
    };
    Some(RootView { row, export: root.export(), overlay, origins: origins(root.host.span, root.root, overlay) })
}

fn overlay_row(nfs: &Nfs, overlay: &Overlay, host: &str) -> Option<OverlayRow> {
    let upper = format!("{}/{host}", nfs.upper_folder(overlay)?);
    Some(OverlayRow { name: overlay.name.clone(), union: overlay.union.name().to_owned(), upper })
}

fn origins(host: Span, root: &Root, overlay: Option<&Overlay>) -> Vec<Span> {
    let overlay = overlay.and_then(|overlay| overlay.origins.first().copied());
    [host, root.span].into_iter().chain(overlay).collect()
}

/// The files that overlays have by the site's word, each text once for all machines.
fn files(site: &Site, nfs: &Nfs, wing: &mut Wing<'_>, diags: &mut Diags) {
    let (mut rows, mut maker) = (Lines::default(), Maker::new(site));
    for overlay in &nfs.overlays {
        for file in &overlay.files {
            let path = file.text.name.value.clone();
            let Some(text) = maker.make(Owner("overlay", &overlay.name), &file.text, diags) else { continue };
            wing.write(format!("{OVERLAY_TEXTS}{}{path}", overlay.name), text);
            rows.line(
                &[file.text.span],
                json(&OverlayFileRow { overlay: overlay.name.clone(), path, mode: format!("{:04o}", file.mode) }),
            );
        }
    }
    wing.write(OVERLAY_FILES.into(), rows);
}

//! Bases, overlays, and who mounts them.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::model::{At, DEFAULT_MENU, Nfs, Overlay, RootOf, Site, Start, VmOf};
use crate::source::Span;

/// How long a folder or the path of a file may be, in bytes: an overlay's two folders and its work folder
/// share one page of mount options (4,096 bytes) with the names of hosts.
const PATH_BYTES_MAX: usize = 1024;
/// How long a part of it may be, in bytes: what Linux's file systems keep.
const PART_BYTES_MAX: usize = 255;
/// What mends a path.
pub(super) const PLAIN: &str =
    "begin with a slash; use letters, digits and . _ + @ ~ - between slashes, no `..`, at most 255 bytes a part and 1,024 in all";

/// What every file system, exports(5) and mount options read as a path and nothing else.
pub(super) fn is_plain(path: &str) -> bool {
    let letters = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "._+@~-".contains(c));
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= PART_BYTES_MAX && letters(part);
    path.len() <= PATH_BYTES_MAX && path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part))
}

pub(super) fn folders(site: &Site, diags: &mut Diags) {
    let Some(nfs) = &site.nfs else { return };
    let Some(folder) = &nfs.folder else {
        if !diags.is_lost("nfs.folder") {
            let diag = Diag::new("schema/missing", nfs.span, "`nfs` needs a folder as its first argument");
            diags.push(diag.here("the folder on the boot server").help("for example: nfs \"/srv/nfs\" { … }"));
        }
        return;
    };
    plain_folder(folder, diags);
    uppers(nfs, diags);
    for overlay in &nfs.overlays {
        let Some(upper) = &overlay.upper else { continue };
        // `nas:/vol/upper`, as mount(8) takes it.
        if upper.value.split_once(':').is_some_and(|(server, path)| !server.contains('/') && path.starts_with('/')) {
            let diag = Diag::new(
                "nfs/upper-on-nfs",
                upper.span,
                format!("`{}` is a share of another machine, and an upper folder cannot lie on NFS", upper.value),
            );
            diags.push(diag.help("name a folder on a disk of the boot server, such as \"/srv/upper\""));
        } else if plain_folder(upper, diags) {
            apart(nfs, folder, overlay, upper, diags);
        }
    }
}

/// The upper folders of two overlays keep out of each other: a reset discards one as a whole.
fn uppers(nfs: &Nfs, diags: &mut Diags) {
    let mut folders: Vec<(String, &Overlay)> =
        nfs.overlays.iter().filter_map(|overlay| Some((nfs.upper_folder(overlay)? + "/", overlay))).collect();
    folders.sort_by(|a, b| a.0.cmp(&b.0));
    // Behind a folder those within it follow first.
    let mut outer: Option<&(String, &Overlay)> = None;
    for inner in &folders {
        match outer.filter(|outer| inner.0.starts_with(&outer.0)) {
            Some((path, first)) => {
                let message = format!("the upper folders of overlays `{}` and `{}` lie in each other", first.name, inner.1.name);
                let at = |overlay: &Overlay| overlay.upper.as_ref().map_or(overlay.span, |upper| upper.span);
                let diag = Diag::new("nfs/overlay-in-base", at(inner.1), message).label(at(first), format!("{path} is here"));
                diags.push(diag.help("give each a folder of its own, or leave upper= away"));
            }
            None => outer = Some(inner),
        }
    }
}

fn plain_folder(folder: &At<String>, diags: &mut Diags) -> bool {
    let sound = is_plain(&folder.value);
    if !sound {
        let shown = crate::syntax::shorten(&folder.value);
        diags.push(Diag::new("nfs/bad-path", folder.span, format!("`{shown}` is no plain absolute path")).help(PLAIN));
    }
    sound
}

/// An upper folder, the bases and the unions keep out of each other.
fn apart(nfs: &Nfs, folder: &At<String>, overlay: &Overlay, upper: &At<String>, diags: &mut Diags) {
    let within =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    for part in ["base", "root"] {
        let whole = format!("{}/{part}", folder.value);
        if !within(&upper.value, &whole) && !within(&whole, &upper.value) {
            continue;
        }
        let name =
            upper.value.strip_prefix(&whole).and_then(|rest| rest.trim_start_matches('/').split('/').next()).unwrap_or_default();
        let base = nfs.base(name).filter(|_| part == "base");
        let (what, span) = base.map_or_else(|| (format!("`{whole}`"), folder.span), |base| (format!("base `{name}`"), base.span));
        let diag = Diag::new(
            "nfs/overlay-in-base",
            upper.span,
            format!("the upper folder of `{}` and {what} lie in each other", overlay.name),
        );
        diags.push(
            diag.label(span, format!("it lies in {whole}"))
                .help(format!("leave upper= away: it is {}/upper/{} then", folder.value, overlay.name)),
        );
        return;
    }
}

pub(super) fn names(site: &Site, diags: &mut Diags) {
    let bases: BTreeSet<&str> = site.nfs.iter().flat_map(|nfs| &nfs.bases).map(|base| base.name.as_str()).collect();
    let overlays: BTreeSet<&str> = site.nfs.iter().flat_map(|nfs| &nfs.overlays).map(|overlay| overlay.name.as_str()).collect();
    for overlay in site.nfs.iter().flat_map(|nfs| &nfs.overlays) {
        match &overlay.over {
            Some(over) => known(
                "nfs/unknown-base",
                over,
                &bases,
                &format!("overlay `{}` is over `{}`, which is no base", overlay.name, over.value),
                diags,
            ),
            None if diags.is_lost("overlay.over") => {}
            None => {
                let diag = Diag::new("schema/missing", overlay.span, format!("overlay `{}` needs an over=", overlay.name));
                diags.push(diag.help(format!("name its base: over=\"{}\"", bases.first().unwrap_or(&"debian-12"))));
            }
        }
    }
    let mut told: BTreeSet<Span> = BTreeSet::new();
    for profile in &site.profiles {
        let Some(root) = profile.root.as_ref().filter(|root| told.insert(root.span)) else { continue };
        match &root.of {
            RootOf::Overlay(name) if bases.contains(name.value.as_str()) && !overlays.contains(name.value.as_str()) => {
                let diag = Diag::new("nfs/unknown-overlay", name.span, format!("`{}` is a base and no overlay", name.value));
                diags.push(diag.help(format!(
                    "write: root base=\"{0}\"; or declare an overlay over it: overlay NAME over=\"{0}\"",
                    name.value
                )));
            }
            RootOf::Overlay(name) => {
                known("nfs/unknown-overlay", name, &overlays, &format!("overlay `{}` is not declared", name.value), diags)
            }
            RootOf::Base { name, .. } => {
                known("nfs/unknown-base", name, &bases, &format!("base `{}` is not declared", name.value), diags)
            }
        }
        // One that starts nothing has a finding of its own where it is used.
        if matches!(profile.start, Some(Start::Chain(_) | Start::Local)) {
            let diag = Diag::new(
                "nfs/no-kernel",
                root.span,
                format!("profile `{}` has a root, and starts no kernel that could mount it", profile.name),
            );
            let diag = profile.starts.first().into_iter().fold(diag, |diag, span| diag.label(*span, "what it starts"));
            diags.push(diag.help("add a kernel and an initrd, or delete the root"));
        }
    }
}

pub(super) fn known(code: &'static str, name: &At<String>, all: &BTreeSet<&str>, message: &str, diags: &mut Diags) {
    if all.contains(name.value.as_str()) || diags.is_lost(&name.value) {
        return;
    }
    let name_text = &name.value;
    let help = match code {
        "nfs/unknown-base" => format!("declare it: nfs \"/srv/nfs\" {{ base \"{name_text}\" }}"),
        "vm/unknown-snapshot" => format!("declare it: snapshot {name_text} \"/srv/vm/{name_text}.qcow2\""),
        _ => format!("declare it: nfs \"/srv/nfs\" {{ overlay \"{name_text}\" over=\"…\" }}"),
    };
    let diag = Diag::new(code, name.span, message).help(help);
    diags.push(diag.suggest(diags, &name.value, all.iter().copied()));
}

/// The files of overlays: where they come from, and where they go.
pub(super) fn files(site: &Site, diags: &mut Diags) {
    for overlay in site.nfs.iter().flat_map(|nfs| &nfs.overlays) {
        let mut taken: BTreeMap<&str, Span> = BTreeMap::new();
        for file in &overlay.files {
            let path = file.text.name.value.as_str();
            super::site::source_of(&file.text, diags);
            if !is_plain(path) {
                let shown = crate::syntax::shorten(path);
                diags.push(
                    Diag::new("nfs/bad-path", file.text.name.span, format!("`{shown}` is no plain absolute path")).help(PLAIN),
                );
            } else if let Some(first) = taken.insert(path, file.text.span) {
                twice(overlay, path, file.text.span, first, diags);
            }
        }
        for (path, span) in &taken {
            let parents = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            parents.filter_map(|parent| Some((parent, taken.get(parent)?))).for_each(|(parent, file)| {
                let message = format!("`{parent}` is a file of overlay `{}`, and the folder of `{path}`", overlay.name);
                diags.push(Diag::new("nfs/file-twice", *span, message).label(*file, "a file here").help("rename one of them"));
            });
        }
    }
}

fn twice(overlay: &Overlay, path: &str, again: Span, first: Span, diags: &mut Diags) {
    let diag = Diag::new("nfs/file-twice", again, format!("two sources write {path} in overlay `{}`", overlay.name));
    diags.push(diag.label(first, "the other one").help("keep one of them"));
}

/// Everybody who mounts a root has an address to export it to, and knows a server.
pub(super) fn clients(site: &Site, diags: &mut Diags) {
    for root in site.roots() {
        let host = root.host;
        if host.address.is_none() {
            let diag = Diag::new(
                "nfs/open-export",
                host.span,
                format!("{} has no address: the export of its root would be readable by every host", host.name),
            );
            diags.push(diag.label(root.root.span, "its root").help("give it an address"));
        } else if let Some(network) = root.network.filter(|network| network.server.is_none()) {
            let diag = Diag::new(
                "nfs/no-server",
                network.span,
                format!("network `{}` has no server=: {} would not know where its root is", network.name, host.name),
            );
            diags.push(diag.label(root.root.span, "its root").help("add the boot server's address in this network: server=2"));
        }
    }
    let has_root = |name: &str| site.profile(name).and_then(|profile| profile.root.as_ref());
    for network in &site.networks {
        for pool in &network.pools {
            let Some(profile) = pool.profile.as_ref().or(network.profile.as_ref()).or(site.profile.as_ref()) else { continue };
            let Some(root) = has_root(&profile.value) else { continue };
            let message =
                format!("clients of this pool start `{}`: the export of its root would be readable by every host", profile.value);
            let diag = Diag::new("nfs/open-export", pool.span, message);
            diags.push(
                diag.label(root.span, "the root")
                    .help("give the pool a profile without a root, and declare the hosts that need one"),
            );
        }
    }
    for entry in site.menu.iter().flat_map(|menu| &menu.entries) {
        let Some(root) = has_root(&entry.value) else { continue };
        let diag = Diag::new(
            "nfs/no-root",
            entry.span,
            format!("nobody who chooses `{}` from the menu `{DEFAULT_MENU}` has a root to mount", entry.value),
        );
        diags.push(diag.label(root.span, "the root").help(format!(
            "a root is exported to hosts that start it by their profile: write profile={} on their lines",
            entry.value
        )));
    }
}

/// What is written by one machine is no base of another's overlay.
pub(super) fn writers(site: &Site, diags: &mut Diags) {
    let Some(nfs) = &site.nfs else { return };
    let (mut written, mut stood_on): (BTreeMap<&str, Span>, BTreeMap<&str, Span>) = Default::default();
    for root in site.roots() {
        match &root.root.of {
            RootOf::Base { name, write } => written.extend(write.then_some((name.value.as_str(), root.root.span))),
            RootOf::Overlay(name) => {
                let over = nfs.overlay(&name.value).and_then(|overlay| overlay.over.as_ref());
                stood_on.extend(over.map(|over| (over.value.as_str(), over.span)));
            }
        }
    }
    for (_, vm) in site.vms() {
        if let VmOf::Base(name) = &vm.of {
            stood_on.insert(&name.value, name.span);
        }
    }
    for (base, span) in written {
        let Some(over) = stood_on.get(base) else { continue };
        let diag = Diag::new("nfs/base-writable", span, format!("base `{base}` is exported read-write under a live overlay"));
        diags.push(
            diag.label(*over, "the overlay stands on it")
                .help("change a copy: declare another base, and let the overlay stand on it when it is good"),
        );
    }
}

/// nfs-ganesha keeps 16 bits for an export's number.
pub(super) fn numbers(site: &Site, diags: &mut Diags) {
    let mut exports: BTreeMap<String, Span> = BTreeMap::new();
    for root in site.roots() {
        exports.entry(root.export()).or_insert(root.host.span);
    }
    let mut taken: BTreeMap<u16, &str> = BTreeMap::new();
    for (export, span) in &exports {
        let Some(other) = taken.insert(site.ids.of(export), export) else { continue };
        let message = format!("fsid {} is used by two exports: {other} and {export}", site.ids.of(export));
        let diag = Diag::new("nfs/fsid-clash", site.ids.line(export).unwrap_or(*span), message);
        let diag = match site.ids.line(other).or(exports.get(other).copied()) {
            Some(first) => diag.label(first, "the other export"),
            None => diag,
        };
        diags.push(diag.help("run `pxelator lock`, which gives one of them another number in ids.lock, and commit that"));
    }
}

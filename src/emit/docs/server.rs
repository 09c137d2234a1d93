//! `docs/README.md`: the boot server again, from nothing.

use super::host::numbered;
use crate::model::{Host, Origins, Site};
use crate::out::Lines;

pub(super) fn runbook(site: &Site) -> Lines {
    let origins = origins(site);
    let mut lines = Lines::default();
    let mut chapter = |title: &str, text: String| {
        if !title.starts_with("# ") {
            lines.line(&origins, "");
        }
        lines.line(&origins, title);
        lines.line(&origins, "");
        text.lines().for_each(|line| lines.line(&origins, line));
    };
    chapter(
        &format!("# The boot server of `{}`", site.name),
        "What to do when it is gone. `pxelator build` writes this page: change the site.\n\
         Each host has a page beside this one."
            .to_owned(),
    );
    chapter("## What it is", addresses(site));
    chapter("## What must not be lost", kept(site));
    chapter("## A new one", numbered(&steps(site)));
    lines
}

/// The networks, which say where the boot server stands, and what lies on it.
fn origins(site: &Site) -> Origins {
    let networks = site.networks.iter().map(|network| network.span);
    let secrets = site.secrets.iter().map(|secret| secret.span);
    let nfs = site.nfs.iter().filter_map(|nfs| nfs.folder.as_ref()).map(|folder| folder.span);
    let assets = site.assets.iter().map(|assets| assets.span);
    let snapshots = site.snapshots.iter().map(|snapshot| snapshot.span);
    std::iter::once(site.span).chain(snapshots).chain(networks).chain(secrets).chain(nfs).chain(assets).collect()
}

fn addresses(site: &Site) -> String {
    let lines = site.networks.iter().filter_map(|network| {
        let server = network.server.as_ref()?;
        Some(match network.subnet.contains(server.value) {
            true => format!("- {} in network {} ({})", server.value, network.name, network.subnet),
            false => format!("- network {} ({}) reaches it as {}", network.name, network.subnet, server.value),
        })
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "The site does not say: no network has `server=`.".to_owned() } else { lines.join("\n") }
}

fn kept(site: &Site) -> String {
    let mut rows = vec!["- the site: this repository, with `assets.lock` and `out/`".to_owned()];
    if let Some(assets) = &site.assets {
        rows.push(format!("- `{}`: kernels, systems and loaders; `assets.lock` tells whether a copy is whole", assets.value));
    }
    if let Some(nfs) = &site.nfs {
        rows.extend(
            nfs.bases
                .iter()
                .filter_map(|base| nfs.base_folder(&base.name))
                .map(|folder| format!("- `{folder}`: a base that machines mount")),
        );
        rows.extend(nfs.overlays.iter().filter_map(|overlay| {
            let folder = nfs.upper_folder(overlay)?;
            Some(format!("- `{folder}`: what machines of the overlay `{}` changed", overlay.name))
        }));
    }
    rows.extend(site.snapshots.iter().map(|snapshot| {
        let (name, file) = (&snapshot.name, &snapshot.file.value);
        format!("- `{file}`, where VMs run: the snapshot `{name}`; what each VM changed lies in `/var/lib/pxelator/vm`")
    }));
    rows.extend(
        site.secrets
            .iter()
            .map(|secret| format!("- `{}`: the secret `{}`, in no copy of the site", secret.file.value, secret.name)),
    );
    if !site.tracks.is_empty() {
        rows.push(
            "- `/var/lib/pxelator/track`: what machines had in the folders that are tracked; nobody else has it".to_owned(),
        );
    }
    rows.push("- `/var/lib/pxelator`: leases, serials, and what happened; without it machines start all the same".to_owned());
    rows.join("\n")
}

fn steps(site: &Site) -> Vec<String> {
    let mut steps = vec![
        "Install Debian 12 and give it the addresses above.".to_owned(),
        "Install `pxelator`, and clone this repository.".to_owned(),
    ];
    if site.assets.is_some() {
        steps.push("Copy the assets; `pxelator build --assets` holds each of them against `assets.lock`.".to_owned());
    }
    if !site.secrets.is_empty() {
        steps.push("Write the files of the secrets, readable for the server's user alone.".to_owned());
    }
    let store = "`pxelator deploy --dry-run`, read it, and `pxelator deploy`.";
    steps.push(format!("`pxelator build --check`: the site and `out/` agree. {store}"));
    if site.nfs.is_some() {
        steps.push("Copy the bases and what machines changed; then `pxelator storage apply`.".to_owned());
    }
    steps.push("Start the service: its unit is in the manual, docs/deploy.md.".to_owned());
    let starts = |host: &&Host| host.vm.is_none() && !host.macs.is_empty() && host.profile.is_some();
    let host = site.hosts.iter().find(starts).map(|host| &host.name);
    steps.extend(host.map(|host| format!("`pxelator simulate {host}` tells what a machine gets; then start it.")));
    steps
}

//! `docs/HOST.md`: for whoever stands before a machine that does not start, and has never seen it.

use std::collections::BTreeMap;

use super::vm;
use crate::model::{AMT_USER, Host, HostRoot, Network, Origins, Power, RootOf, Selected, Site, Track};
use crate::out::Lines;

/// The roots of hosts, by their names.
pub(super) fn roots(site: &Site) -> BTreeMap<&str, HostRoot<'_>> {
    site.roots().map(|root| (root.host.name.as_str(), root)).collect()
}

/// The folders of hosts that are kept, by the hosts' names.
pub(super) fn tracked(site: &Site) -> BTreeMap<&str, Vec<&Track>> {
    let mut all: BTreeMap<&str, Vec<&Track>> = BTreeMap::new();
    if site.tracks.is_empty() {
        return all;
    }
    let selected = Selected::of(site);
    for track in &site.tracks {
        for host in selected.hosts(&track.on).into_iter().filter(|host| host.address.is_some()) {
            all.entry(host.name.as_str()).or_default().push(track);
        }
    }
    all
}

/// A host and all that it names.
struct View<'s> {
    site: &'s Site,
    host: &'s Host,
    network: Option<&'s Network>,
    power: Option<&'s Power>,
    root: Option<&'s HostRoot<'s>>,
    tracked: &'s [&'s Track],
}

pub(super) fn runbook(site: &Site, host: &Host, root: Option<&HostRoot<'_>>, tracked: &[&Track]) -> Lines {
    let network = host.network.and_then(|index| site.networks.get(index));
    let power = host.power.as_deref().filter(|power| power.is_switchable());
    let view = View { site, host, network, power, root, tracked };
    let origins = view.origins();
    let mut lines = Lines::default();
    let mut chapter = |title: &str, paragraphs: Vec<String>| {
        if !title.starts_with("# ") {
            lines.line(&origins, "");
        }
        lines.line(&origins, title);
        for paragraph in paragraphs.iter().filter(|text| !text.is_empty()) {
            lines.line(&origins, "");
            // A note may have several lines.
            paragraph.lines().for_each(|line| lines.line(&origins, line.trim_end()));
        }
    };
    chapter(
        &format!("# {}", host.name),
        vec![
            format!(
                "What to do when it does not start. `pxelator build` writes this page from the site `{}`: change it there.",
                site.name
            ),
            host.note.as_ref().map(|note| note.value.clone()).unwrap_or_default(),
        ],
    );
    chapter("## What it is", vec![view.facts().join("\n")]);
    chapter("## It does not start", vec![numbered(&view.questions())]);
    chapter("## Another machine takes its place", vec![numbered(&view.replacement())]);
    chapter("## What was changed on it", view.changes());
    lines
}

/// `1. …` to `n. …`
pub(super) fn numbered(steps: &[String]) -> String {
    let steps: Vec<String> = steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
    steps.join("\n")
}

impl View<'_> {
    fn origins(&self) -> Origins {
        let power = self.power.and_then(|power| power.schedule.as_ref().or(power.amt.as_ref())).map(|at| at.span);
        let named = [self.host.profile.as_ref().map(|profile| profile.span), self.root.map(|root| root.root.span), power];
        std::iter::once(self.host.span)
            .chain(named.into_iter().flatten())
            .chain(self.network.map(|network| network.span))
            .chain(self.tracked.iter().map(|track| track.span))
            .collect()
    }

    fn boots(&self) -> bool {
        !self.host.macs.is_empty()
    }

    fn facts(&self) -> Vec<String> {
        let (host, site) = (self.host, self.site);
        let macs: Vec<String> = host.macs.iter().map(|mac| mac.value.to_string()).collect();
        let mut facts = vec![match &host.address {
            Some(address) => format!("- Name: `{}.{}`\n- Address: {}", host.name, site.domain, address.value),
            None => format!("- Name: `{}`\n- Address: one of the pool, see `pxelator status`", host.name),
        }];
        facts.extend((!macs.is_empty()).then(|| format!("- MAC: {}", macs.join(", "))));
        facts.extend(self.network.map(|network| {
            let gateway = network.gateway.as_ref().map_or_else(String::new, |gateway| format!(", gateway {}", gateway.value));
            format!("- Network: {} ({}{gateway})", network.name, network.subnet)
        }));
        facts.extend((!host.groups.is_empty()).then(|| format!("- Groups: {}", host.groups.join(", "))));
        facts.extend((!host.tags.is_empty()).then(|| format!("- Tags: {}", host.tags.join(", "))));
        facts.extend(host.vm.as_ref().map(|vm| format!("- Runs within another machine: {}", vm::kind(vm))));
        facts.extend((self.boots() && host.vm.is_none()).then(|| match &host.profile {
            Some(profile) => format!("- Starts: profile `{}`", profile.value),
            None => "- Starts: what the menu offers".to_owned(),
        }));
        facts.extend(self.root.map(|root| match &root.root.of {
            RootOf::Overlay(name) => format!("- Root: over NFS, the overlay `{}`", name.value),
            RootOf::Base { name, .. } => format!("- Root: over NFS, the base `{}`", name.value),
        }));
        facts.extend(self.power.map(|power| format!("- Power: {}", ways(power))));
        facts
    }

    /// From the outside to the inside.
    fn questions(&self) -> Vec<String> {
        let name = &self.host.name;
        if let Some(vm) = &self.host.vm {
            return vm::questions(self.host, vm);
        }
        let mut steps = Vec::new();
        match self.power {
            Some(power) if power.amt.is_some() => {
                steps.push(format!("Is it on? `pxelator power {name} status`"));
                steps.push(format!("Turn it off and on: `pxelator power {name} cycle`"));
            }
            Some(_) => steps.push(format!("Is it on? Look at it. To wake it: `pxelator power {name} on`")),
            None => steps.push("Is it on? Look at it: nothing switches it.".to_owned()),
        }
        if let Some(address) = &self.host.address {
            steps.push(format!("Does it answer? `ping {}`", address.value));
        }
        if self.boots() {
            steps.push(format!("How far did it come? `pxelator audit boots {name} --since 1d`"));
            steps.push(format!("How far should it come? `pxelator simulate {name}`"));
            steps.push(format!("What did it say? `pxelator audit query --host {name} --since 1d`"));
            steps.push(format!("Was it changed here? `pxelator why host.{name}`, and `pxelator generations`"));
        }
        steps
    }

    fn replacement(&self) -> Vec<String> {
        let name = &self.host.name;
        if let Some(vm) = &self.host.vm {
            return vm::anew(self.host, vm);
        }
        if !self.boots() {
            let address = self.host.address.as_ref().map(|at| at.value.to_string()).unwrap_or_default();
            return vec![format!("The site knows no MAC of it, so nobody tells it its address: set {address} on the new one.")];
        }
        let mut steps = vec![
            "Connect it and start it: `pxelator status` lists its MAC among the unknown ones.".to_owned(),
            format!("Write that MAC into the host's line: `pxelator why host.{name}.mac` tells where it is."),
            "`pxelator build`, read what changes, and `pxelator deploy`.".to_owned(),
        ];
        if let Some(secret) = self.power.and_then(|power| power.amt.as_ref()) {
            let file = self.site.secrets.iter().find(|other| other.name == secret.value).map(|secret| secret.file.value.as_str());
            steps.push(format!(
                "Set the password of its AMT (user `{AMT_USER}`) to the one in `{}` on the boot server.",
                file.unwrap_or_default()
            ));
        }
        if self.power.is_some_and(Power::wakes) {
            steps.push("Allow Wake on LAN in its firmware.".to_owned());
        }
        steps.push("Set its firmware to start from the network first.".to_owned());
        steps
    }

    fn changes(&self) -> Vec<String> {
        let name = &self.host.name;
        let own = self.root_changes();
        let Some(first) = self.tracked.first() else { return own };
        let folders: Vec<String> = self.tracked.iter().map(|track| format!("`{}`", track.folder.value)).collect();
        let path = &first.folder.value;
        let kept =
            format!("The boot server keeps {} of it in git, as the last `pxelator track pull` found it:", folders.join(", "));
        let steps = numbered(&[
            format!("What changed: `pxelator track log {name}`, `pxelator track diff {name} --since 7d`"),
            format!("What would come back: `pxelator track restore {name} {path} --dry-run`; `--to COMMIT` for an older state"),
            format!("Put it back: `pxelator track restore {name} {path}`; a file alone by its whole path"),
        ]);
        let last = if self.root.is_some() {
            own
        } else {
            vec!["Passwords and private keys are not among it; nor is anything else on its disk.".to_owned()]
        };
        [kept, steps].into_iter().chain(last).collect()
    }

    fn root_changes(&self) -> Vec<String> {
        let name = &self.host.name;
        if let Some(vm) = &self.host.vm {
            return vec![vm::changes(self.site, self.host, vm)];
        }
        let Some(root) = self.root else {
            return vec!["Its system is not kept here: what was changed on its own disk is known to that disk alone.".to_owned()];
        };
        let nfs = self.site.nfs.as_ref();
        let upper = match &root.root.of {
            RootOf::Overlay(overlay) => nfs.and_then(|nfs| nfs.upper_folder(nfs.overlay(&overlay.value)?)),
            RootOf::Base { name, write } => {
                let base = nfs.and_then(|nfs| nfs.base_folder(&name.value)).unwrap_or_default();
                return vec![match write {
                    true => format!("It writes into `{base}` on the boot server itself: keep a copy of that folder."),
                    false => format!("Nothing: it reads `{base}` on the boot server, and keeps nothing."),
                }];
            }
        };
        let folder = format!("{}/{name}", upper.unwrap_or_default());
        vec![
            numbered(&[
                format!("List it, on the boot server: `pxelator changes {name}`"),
                format!("Keep it: `tar --xattrs --xattrs-include='*' -C {folder} -cpf {name}.tar .`, while the machine is off."),
                format!("Begin anew from the base: `pxelator storage reset {name}`"),
            ]),
            "Another machine that takes its place, with its name, has these changes too.".to_owned(),
        ]
    }
}

/// By what it is switched, and when.
fn ways(power: &Power) -> String {
    let amt = power.amt.as_ref().map(|_| if power.has_tls() { "Intel AMT with TLS" } else { "Intel AMT" });
    let wake = power.wakes().then_some("Wake on LAN");
    let by: Vec<&str> = amt.into_iter().chain(wake).collect();
    let schedule =
        power.schedule.as_ref().map_or_else(String::new, |name| format!(", on and off by the schedule `{}`", name.value));
    format!("{}{schedule}", by.join(" and "))
}

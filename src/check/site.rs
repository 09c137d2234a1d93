//! What the site says of itself: its claims, its secrets, the names that options hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::model::{Claim, Host, HostClaim, LOCAL, Site, Subject, TextFile};
use crate::source::Span;

/// How many hosts a finding about many of them shows.
const SHOWN_MAX: usize = 3;

/// Group or tag → its hosts.
type Members<'a> = BTreeMap<&'a str, Vec<&'a Host>>;

pub(super) fn claims(site: &Site, diags: &mut Diags) {
    if site.claims.is_empty() {
        return;
    }
    // Both once for all claims: there may be as many claims as hosts.
    let (mut groups, mut tags) = (Members::new(), Members::new());
    for host in &site.hosts {
        host.groups.iter().collect::<BTreeSet<_>>().into_iter().for_each(|group| groups.entry(group).or_default().push(host));
        host.tags.iter().for_each(|tag| tags.entry(tag).or_default().push(host));
    }
    for claim in &site.claims {
        let (kind, name, claims, all) = match &claim.subject {
            Subject::Group(name, claims) => ("group", name, claims, &groups),
            Subject::Tag(name, claims) => ("tag", name, claims, &tags),
            Subject::Value { holds: true, .. } => continue,
            Subject::Value { shown, .. } => {
                diags.push(broken(claim).help(format!("the value is {shown}")));
                continue;
            }
        };
        let selected = all.get(name.value.as_str()).map(Vec::as_slice).unwrap_or_default();
        let counts = claims.iter().any(|claim| matches!(claim, HostClaim::AtLeast(_) | HostClaim::AtMost(_)));
        if selected.is_empty() && !counts && !diags.is_lost(&name.value) {
            let message = match kind {
                "group" => format!("no host is in group `{}`; the claim applies to nothing", name.value),
                _ => format!("no host has tag `{}`; the claim applies to nothing", name.value),
            };
            let diag = Diag::new("eval/empty-selector", name.span, message);
            let diag = diag.help("correct the name, or say min=0 where there may be none");
            diags.push(diag.suggest(diags, &name.value, all.keys().copied()));
        }
        claims.iter().for_each(|one| hold(claim, one, selected, site, diags));
    }
}

/// Holds one claim against the hosts that it is about.
fn hold(claim: &Claim, one: &HostClaim, selected: &[&Host], site: &Site, diags: &mut Diags) {
    let (wrong, why): (Vec<&Host>, String) = match one {
        HostClaim::Has(fact) => (selected.iter().copied().filter(|host| !has(host, fact)).collect(), format!("no {fact}")),
        HostClaim::Lacks(fact) => (selected.iter().copied().filter(|host| has(host, fact)).collect(), format!("it has {fact}")),
        HostClaim::Profile(name) => {
            if name != LOCAL && site.profile(name).is_none() && !diags.is_lost(name) {
                let diag = Diag::new("host/unknown-profile", claim.span, format!("profile `{name}` is not declared"));
                diags.push(diag.suggest(diags, name, site.profiles.iter().map(|profile| profile.name.as_str())));
                return;
            }
            let differs = |host: &&Host| host.profile.as_ref().is_none_or(|profile| profile.value != *name);
            (selected.iter().copied().filter(differs).collect(), format!("it does not start `{name}`"))
        }
        HostClaim::AtLeast(count) if selected.len() < *count => return diags.push(broken(claim).help(counted(selected.len()))),
        HostClaim::AtMost(count) if selected.len() > *count => return diags.push(broken(claim).help(counted(selected.len()))),
        HostClaim::AtLeast(_) | HostClaim::AtMost(_) => return,
    };
    if wrong.is_empty() {
        return;
    }
    let diag = wrong.iter().take(SHOWN_MAX).fold(broken(claim), |diag, host| diag.label(host.span, format!("{}: {why}", host.name)));
    diags.push(diag.help(format!("it does not hold for {} of {} hosts", wrong.len(), selected.len())));
}

fn counted(count: usize) -> String {
    format!("there {} {count}", if count == 1 { "is" } else { "are" })
}

/// The claim's own sentence.
fn broken(claim: &Claim) -> Diag {
    let code = if claim.is_warning { "eval/warning" } else { "eval/assertion" };
    Diag::new(code, claim.span, claim.sentence.clone()).here("claimed here")
}

/// The facts of `schema::HOST_FACTS`.
fn has(host: &Host, fact: &str) -> bool {
    match fact {
        "address" => host.address.is_some(),
        "mac" => !host.macs.is_empty(),
        "network" => host.network.is_some(),
        "profile" => host.profile.is_some(),
        "schedule" => host.power.as_ref().is_some_and(|power| power.schedule.is_some()),
        "amt" => host.power.as_ref().is_some_and(|power| power.amt.is_some()),
        "wake" => host.power.as_ref().is_some_and(|power| power.wakes()),
        _ => !host.tags.is_empty(),
    }
}

/// Every name that an option holds must be one of the site's.
pub(super) fn references(site: &Site, diags: &mut Diags) {
    if site.references.is_empty() {
        return;
    }
    let hosts = || site.hosts.iter().map(|host| host.name.as_str()).collect();
    let groups = || site.hosts.iter().flat_map(|host| host.groups.iter().map(String::as_str)).collect();
    let networks = || site.networks.iter().map(|network| network.name.as_str()).collect();
    let profiles = || site.profiles.iter().map(|profile| profile.name.as_str()).chain([LOCAL]).collect();
    let schedules = || site.schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    let secrets = || site.secrets.iter().map(|secret| secret.name.as_str()).collect();
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in &site.references {
        let names = known.entry(&reference.kind).or_insert_with(|| match reference.kind.as_str() {
            "host" => hosts(),
            "group" => groups(),
            "network" => networks(),
            "secret" => secrets(),
            "schedule" => schedules(),
            _ => profiles(),
        });
        if names.contains(reference.name.as_str()) || diags.is_lost(&reference.name) {
            continue;
        }
        let (kind, name) = (&reference.kind, &reference.name);
        let code = if kind == "secret" { "secret/unknown" } else { "eval/unknown-reference" };
        let diag = Diag::new(code, reference.span, format!("{kind} `{name}` is not declared"));
        diags.push(match diags.nearest(name, names.iter().copied()) {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None if kind == "secret" => diag.help(format!("declare it: secret {name} file=\"/run/secrets/{name}\"")),
            None => diag.help(format!("declare the {kind}, or name another")),
        });
    }
}

pub(super) fn secrets(site: &Site, diags: &mut Diags) {
    let mut used: BTreeSet<&str> = site.references.iter().filter(|one| one.kind == "secret").map(|one| one.name.as_str()).collect();
    used.extend(site.powers().filter_map(|power| power.amt.as_ref()).map(|name| name.value.as_str()));
    for secret in site.secrets.iter().filter(|secret| !used.contains(secret.name.as_str())) {
        if diags.is_lost(&secret.name) {
            continue;
        }
        let diag = Diag::new("secret/unused", secret.span, format!("secret `{}` is never used", secret.name));
        diags.push(diag.help(format!("write (secret){} where it is wanted, or delete the line", secret.name)));
    }
    for secret in site.secrets.iter().filter(|secret| !secret.file.value.starts_with('/')) {
        let message = format!("`{}` is no absolute path on the boot server", secret.file.value);
        diags.push(Diag::new("secret/bad-file", secret.file.span, message).help(format!("for example: file=\"/run/secrets/{}\"", secret.name)));
    }
}

/// Texts have sources, and names that make paths; those of one profile differ.
pub(super) fn texts(site: &Site, diags: &mut Diags) {
    let mut told: BTreeSet<(Span, &str)> = BTreeSet::new();
    for profile in &site.profiles {
        let mut names: BTreeMap<&str, Span> = BTreeMap::new();
        for text in &profile.texts {
            if let Some(first) = names.insert(&text.name.value, text.span) {
                let message = format!("profile `{}` has two files called `{}`", profile.name, text.name.value);
                diags.push(Diag::new("boot/file-twice", text.span, message).label(first, "the other one").help("rename one of them"));
            }
            if !told.insert((text.span, &text.from.value)) {
                continue; // a child profile has it too
            }
            let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "._+@~-".contains(c));
            if !text.name.value.split('/').all(plain) {
                let diag = Diag::new("boot/path-escape", text.name.span, format!("`{}` is no plain path", text.name.value));
                diags.push(diag.help("use letters, digits and . _ + @ ~ - between slashes, and no `..`"));
            }
            source_of(text, diags);
        }
    }
}

/// A text's source lies in the site folder, and is there.
pub(super) fn source_of(text: &TextFile, diags: &mut Diags) {
    let shown = crate::syntax::shorten(&text.from.value);
    if crate::source::import_path(&text.from.value).is_none() {
        let diag = Diag::new("eval/import-escape", text.from.span, format!("`{shown}` is outside the site folder"));
        diags.push(diag.help("copy the file below the folder of site.kdl; a module's below modules/NAME/"));
    } else if text.text.is_none() {
        let diag = Diag::new("boot/file-missing", text.from.span, format!("no file `{shown}`"));
        diags.push(diag.help("write a path that begins at the folder of site.kdl; a module's begins at modules/NAME/"));
    }
}

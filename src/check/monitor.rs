//! What is watched: hosts that exist and have an address, each asked one thing once; and sinks that can be told.

use std::collections::BTreeMap;

use super::audit::is_near;
use super::commands::nobody;
use crate::diag::{Diag, Diags};
use crate::model::{ASKED_MAX, Alerts, Caller, Check, Host, Selected, Site};
use crate::source::Span;

/// How many hosts a finding about many of them shows.
const SHOWN_MAX: usize = 3;

pub(super) fn targets(site: &Site, diags: &mut Diags) {
    if site.checks.is_empty() {
        return;
    }
    let selected = Selected::of(site);
    let mut asked: BTreeMap<(&str, String), &Check> = BTreeMap::new();
    let mut twice: BTreeMap<(Span, Span), Vec<&Host>> = BTreeMap::new();
    for check in &site.checks {
        named(check, &selected, site, diags);
        let hosts = selected.hosts(&check.on);
        addresses(check, &hosts, diags);
        routes(check, &hosts, site, diags);
        for host in hosts {
            if let Some(first) = asked.insert((host.name.as_str(), check.ask.value.to_string()), check) {
                twice.entry((check.span, first.span)).or_default().push(host);
            }
        }
        if asked.len() > ASKED_MAX {
            let diag = Diag::new("eval/limit", check.span, format!("all checks together ask more than {ASKED_MAX} times"));
            return diags.push(diag.help("ask fewer hosts, or ask them fewer things"));
        }
    }
    for ((again, first), hosts) in twice {
        let Some(host) = hosts.first() else { continue };
        let others = more(hosts.len());
        let diag = Diag::new("monitor/twice", again, format!("{} is asked the same twice{others}", host.name)).here("again here");
        diags.push(diag.label(first, "it is asked here").help("take the host out of one of them"));
    }
}

fn more(count: usize) -> String {
    if count > 1 { format!("; so are {} more", count - 1) } else { String::new() }
}

/// Each selector names somebody who can be asked.
fn named(check: &Check, selected: &Selected<'_>, site: &Site, diags: &mut Diags) {
    for at in &check.on {
        let hosts = selected.by(&at.value);
        if hosts.iter().any(|host| host.address.is_some()) {
            continue;
        }
        match &at.value {
            Caller::Range(range) => {
                let diag = Diag::new("monitor/on", at.span, format!("no host has an address in {range}"));
                diags.push(diag.help("correct it, or name hosts by group:NAME, tag:NAME, host:NAME or a network"));
            }
            Caller::Network(name) if hosts.is_empty() && site.networks.iter().any(|network| network.name == *name) => {
                let diag = Diag::new("monitor/on", at.span, format!("network `{name}` has no host"));
                diags.push(diag.help("declare hosts in it, or name another"));
            }
            Caller::Network(_) | Caller::Group(_) | Caller::Tag(_) | Caller::Host(_) => {
                let help = "give it one: a host with an address from a pool cannot be asked";
                let found = nobody("monitor/on", at, help, site, diags);
                found.into_iter().for_each(|diag| diags.push(diag));
            }
        }
    }
}

/// Some of many have an address: the others are not asked, which their owner should know.
fn addresses(check: &Check, hosts: &[&Host], diags: &mut Diags) {
    let without: Vec<&Host> = hosts.iter().copied().filter(|host| host.address.is_none()).collect();
    let Some(first) = without.first().filter(|_| without.len() < hosts.len()) else { return };
    let so = if without.len() > 1 { format!("; so have {} more", without.len() - 1) } else { String::new() };
    let diag =
        Diag::new("monitor/no-address", check.span, format!("{} has no address of its own, and is not asked{so}", first.name));
    let diag = without.iter().take(SHOWN_MAX).fold(diag, |diag, host| diag.label(host.span, "it takes one from a pool"));
    diags.push(diag.help("give it an address, or name only hosts that have one"));
}

/// The boot server stands elsewhere, and nothing says by which router it reaches them.
fn routes(check: &Check, hosts: &[&Host], site: &Site, diags: &mut Diags) {
    let mut told = std::collections::BTreeSet::new();
    for index in hosts.iter().filter_map(|host| host.network) {
        let Some(network) = site.networks.get(index).filter(|_| told.insert(index)) else { continue };
        // A site that never says where the boot server stands has it in all of its networks.
        let elsewhere = network.server.is_none() && site.networks.iter().any(|other| other.server.is_some());
        if elsewhere && network.gateway.is_none() && !diags.is_lost(&network.name) {
            let message = format!("network `{}` has no gateway, and the boot server stands outside of it", network.name);
            let diag = Diag::new("monitor/no-gateway", check.span, message).label(network.span, "it needs a gateway=");
            diags.push(diag.help("write gateway=: a router that fails is then one alert, and not one for each host behind it"));
        }
    }
}

pub(super) fn sinks(site: &Site, diags: &mut Diags) {
    let Some(Alerts { mails, webhooks, span }) = &site.alerts else { return };
    if site.checks.is_empty() && !diags.has_family("monitor") && !diags.is_lost("check") {
        let diag = Diag::new("alert/no-check", *span, "somebody is to be told, and nothing is watched");
        diags.push(diag.help("add a check, such as: check ping on=\"group:NAME\""));
    }
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let all = mails.iter().map(|mail| (mail.to.value.as_str(), mail.to.span));
    for (name, at) in all.chain(webhooks.iter().map(|webhook| (webhook.url.value.as_str(), webhook.url.span))) {
        if let Some(first) = seen.insert(name, at) {
            let diag = Diag::new("alert/same-sink", at, format!("{name} is told everything twice")).here("again here");
            diags.push(diag.label(first, "it is told here").help("delete one of the lines"));
        }
    }
    for mail in mails {
        let (message, help) = match (&mail.user, &mail.password) {
            (Some(_), None) => {
                ("a user without a password", "add password=(secret)NAME, and declare `secret NAME file=\"/run/secrets/NAME\"`")
            }
            (None, Some(_)) => ("a password without a user", "add user=NAME"),
            (Some(_), Some(_)) | (None, None) => continue,
        };
        if !diags.is_lost("mail.password") {
            diags.push(Diag::new("alert/half-login", mail.span, message).help(help));
        }
    }
}

/// Whoever listens on the way reads a password that is sent unencrypted.
pub(super) fn plain(site: &Site, diags: &mut Diags) {
    let Some(Alerts { mails, webhooks, .. }) = &site.alerts else { return };
    for mail in mails.iter().filter(|mail| mail.password.is_some() && mail.tls == crate::model::Tls::None) {
        let host = &mail.through.value.host;
        if !is_near(site, host) {
            let message = format!("the password goes to {host} unencrypted, beyond the networks of this site");
            diags.push(
                Diag::new("alert/plain-password", mail.through.span, message)
                    .help("write tls=starttls with port 587, or tls=tls with port 465"),
            );
        }
    }
    for webhook in webhooks.iter().filter(|webhook| webhook.token.is_some() && !webhook.url.value.is_tls) {
        let host = &webhook.url.value.host;
        if !is_near(site, host) {
            let message = format!("the token goes to {host} unencrypted, beyond the networks of this site");
            diags.push(Diag::new("alert/plain-password", webhook.url.span, message).help("write https://"));
        }
    }
}

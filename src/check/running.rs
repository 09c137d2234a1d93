//! Logins: each line names hosts that exist, and no two of equal nearness say different things of one host.

use super::commands::nobody;
use crate::diag::{Diag, Diags};
use crate::model::{Caller, Selected, Site, SshLine};
use crate::source::Span;

pub(super) fn logins(site: &Site, diags: &mut Diags) {
    if site.logins.is_empty() {
        return;
    }
    let selected = Selected::of(site);
    for at in site.logins.iter().flat_map(|line| &line.on) {
        if selected.by(&at.value).iter().any(|host| host.address.is_some()) {
            continue;
        }
        if let Caller::Range(range) = &at.value {
            let diag = Diag::new("ssh/on", at.span, format!("no host has an address in {range}"));
            diags.push(diag.help("correct it, or name hosts by group:NAME, tag:NAME, host:NAME or a network"));
            continue;
        }
        let help = "give it one: nobody can log in on a host with an address from a pool";
        let found = nobody("ssh/on", at, help, site, diags);
        found.into_iter().for_each(|diag| diags.push(diag));
    }
    let mut told = std::collections::BTreeSet::new();
    for host in site.hosts.iter().filter(|host| host.address.is_some()) {
        let lines: Vec<(u8, &SshLine)> =
            site.logins.iter().filter_map(|line| Some((line.nearness(&selected, host)?, line))).collect();
        for nearness in 0..=2 {
            let said = |what: fn(&SshLine) -> Option<(String, Span)>| -> Vec<(String, Span)> {
                lines.iter().filter(|(near, _)| *near == nearness).filter_map(|(_, line)| what(line)).collect()
            };
            let users = said(|line| line.user.as_ref().map(|at| (format!("user {}", at.value), at.span)));
            let ports = said(|line| line.port.as_ref().map(|at| (format!("port {}", at.value), at.span)));
            for all in [users, ports] {
                let Some((first, rest)) = all.split_first() else { continue };
                let Some(other) = rest.iter().find(|other| other.0 != first.0) else { continue };
                if told.insert((first.1, other.1)) {
                    let diag = Diag::new("ssh/two", other.1, format!("{} gets {} and {}", host.name, first.0, other.0));
                    diags.push(
                        diag.here("said here")
                            .label(first.1, "and here")
                            .help("take the host out of one of them, or give it a line of its own: on=\"host:NAME\""),
                    );
                }
            }
        }
    }
}

//! What switches hosts: controllers and wake-ups, and whether schedules can rely on them.

use std::collections::BTreeMap;

use crate::diag::{Diag, Diags};
use crate::model::{At, Host, Power, Site};
use crate::source::Span;

/// How many hosts a finding about many of them shows.
const SHOWN_MAX: usize = 3;

/// Hosts with the same mistake, by the word that makes it one.
type Blamed<'a> = BTreeMap<Span, Vec<&'a Host>>;

fn all(site: &Site) -> impl Iterator<Item = (&Host, &Power)> {
    site.hosts.iter().filter_map(|host| Some((host, host.power.as_deref()?)))
}

fn blame<'a, T: 'a>(blamed: &mut Blamed<'a>, said: Option<&At<T>>, host: &'a Host) {
    if let Some(at) = said {
        blamed.entry(at.span).or_default().push(host);
    }
}

/// One finding for all hosts of a line that says something for them.
fn tell(code: &'static str, blamed: Blamed<'_>, what: &str, help: &str, diags: &mut Diags) {
    for (span, hosts) in blamed {
        let Some(first) = hosts.first() else { continue };
        // Such as “kiosk-01 has …”; of several the first one stands for all.
        let others = match hosts.len() {
            1 => String::new(),
            count => format!("; so for {} more", count - 1),
        };
        let own = |host: &&&Host| host.span.file != span.file || host.span.start > span.start || host.span.end < span.end;
        let labelled = hosts.iter().take(SHOWN_MAX).filter(own);
        let diag = Diag::new(code, span, format!("{} {what}{others}", first.name));
        diags.push(labelled.fold(diag, |diag, host| diag.label(host.span, host.name.to_string())).help(help));
    }
}

pub(super) fn schedules(site: &Site, diags: &mut Diags) {
    let (mut helpless, mut one_way) = (Blamed::new(), Blamed::new());
    for (host, power) in all(site).filter(|(_, power)| power.schedule.is_some()) {
        if !power.is_switchable() {
            blame(&mut helpless, power.schedule.as_ref(), host);
        } else if power.amt.is_none() {
            blame(&mut one_way, power.schedule.as_ref(), host);
        }
    }
    let help = "say what switches it: amt=SECRET for Intel AMT, wake=#true for Wake on LAN; or give schedule= to the hosts or groups that can be switched, and not to all";
    tell("schedule/no-power", helpless, "has a schedule but nothing can switch it", help, diags);
    let help = "Wake on LAN turns on and nothing else: say amt=SECRET, or let the system turn itself off";
    tell("schedule/no-off", one_way, "is woken by its schedule, and nothing turns it off again", help, diags);
}

pub(super) fn ways(site: &Site, diags: &mut Diags) {
    let (mut no_address, mut no_mac, mut no_amt) = (Blamed::new(), Blamed::new(), Blamed::new());
    for (host, power) in all(site) {
        if power.amt.is_some() && host.address.is_none() {
            blame(&mut no_address, power.amt.as_ref(), host);
        }
        if power.wakes() && host.macs.is_empty() {
            blame(&mut no_mac, power.wake.as_ref(), host);
        }
        if power.has_tls() && power.amt.is_none() {
            blame(&mut no_amt, power.amt_tls.as_ref(), host);
        }
    }
    tell("power/no-address", no_address, "has AMT and no address to reach it at", "give it an address: AMT shares the one of the system", diags);
    tell("power/no-mac", no_mac, "is to be woken and has no MAC", "give it the MAC of the NIC that listens for the wake-up", diags);
    tell("power/no-amt", no_amt, "has `amt-tls` and no AMT", "add amt=SECRET, or delete amt-tls", diags);
    secrets(site, diags);
}

/// Is it written as names of secrets are? A password seldom is.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.'))
}

fn secrets(site: &Site, diags: &mut Diags) {
    let known = || site.secrets.iter().map(|secret| secret.name.as_str());
    let named: BTreeMap<Span, &At<String>> = site.powers().filter_map(|power| power.amt.as_ref()).map(|name| (name.span, name)).collect();
    for name in named.into_values() {
        if known().any(|secret| secret == name.value) || diags.is_lost(&name.value) {
            continue;
        }
        let diag = |shown: &str| Diag::new("secret/unknown", name.span, format!("secret{shown} is not declared"));
        let shown = format!(" `{}`", name.value);
        diags.push(match diags.nearest(&name.value, known()) {
            Some(near) => diag(&shown).help(format!("did you mean `{near}`?")).fix_near(&name.value, known()),
            None if is_name(&name.value) => diag(&shown).help(format!("declare it: secret {0} file=\"/run/secrets/{0}\"", name.value)),
            // Perhaps the password itself: it is not said again.
            None => diag("").help("`amt=` wants the name of a secret, and the password stays in a file on the boot server: secret amt file=\"/run/secrets/amt\", and amt=amt"),
        });
    }
}

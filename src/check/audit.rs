//! Sinks: each once, and no password in the clear beyond the site's own networks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::diag::{Diag, Diags};
use crate::model::{Couch, Site};

pub(super) fn sinks(site: &Site, diags: &mut Diags) {
    let mut seen: BTreeMap<&str, &Couch> = BTreeMap::new();
    for sink in site.audit.iter().flat_map(|audit| &audit.sinks) {
        if let Some(first) = seen.insert(sink.url.value.as_str(), sink) {
            let message = format!("{} gets everything twice", sink.url.value.as_str());
            let diag = Diag::new("audit/same-sink", sink.url.span, message).here("again here");
            diags.push(diag.label(first.url.span, "it gets everything here").help("delete one of the lines"));
        }
        credentials(sink, diags);
    }
}

fn credentials(sink: &Couch, diags: &mut Diags) {
    let (message, help) = match (&sink.user, &sink.password) {
        (Some(_), None) => ("a user without a password", "add password=(secret)NAME, and declare `secret NAME file=\"/run/secrets/NAME\"`"),
        (None, Some(_)) => ("a password without a user", "add user=NAME"),
        (Some(_), Some(_)) | (None, None) => return,
    };
    // A password that was refused is told where it stands.
    if !diags.is_lost("couchdb.password") {
        diags.push(Diag::new("audit/half-login", sink.span, message).help(help));
    }
}

/// Whoever listens on the way reads a password that is sent by plain HTTP.
pub(super) fn plain(site: &Site, diags: &mut Diags) {
    for sink in site.audit.iter().flat_map(|audit| &audit.sinks).filter(|sink| sink.password.is_some()) {
        let url = &sink.url.value;
        if url.is_tls || is_near(site, &url.host) {
            continue;
        }
        let message = format!("the password goes to {} unencrypted, beyond the networks of this site", url.host);
        diags.push(Diag::new("audit/plain-http", sink.url.span, message).help("write https://, or keep the database in a network of yours"));
    }
}

/// This machine, a network of the site, or a name of it.
pub(super) fn is_near(site: &Site, host: &str) -> bool {
    match host.parse::<Ipv4Addr>() {
        Ok(address) => address.is_loopback() || site.networks.iter().any(|network| network.subnet.contains(address)),
        Err(_) => host == "localhost" || host.ends_with(&format!(".{}", site.domain)),
    }
}

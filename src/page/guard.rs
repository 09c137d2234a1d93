//! Who may look, by which name, and what every answer says to the browser.

use std::net::{IpAddr, Ipv4Addr};

use crate::out::table::{PageRow, Tables};

/// Nothing from elsewhere, nothing inline, in nobody's frame; and no word to others of where the browser was.
pub(super) const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Why a request is refused, for whoever sits before the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) text: String,
}

pub(super) fn check(method: &str, host: Option<&str>, peer: Ipv4Addr, row: &PageRow, tables: &Tables) -> Result<(), Refusal> {
    if !may_look(peer, row) {
        let ranges: Vec<String> = row.from.iter().map(|range| String::from(*range)).collect();
        let text = format!(
            "This browser comes from {peer}. Who may look: {}, and the boot server itself. `page from=` in the site says so.",
            if ranges.is_empty() { "nobody else".to_owned() } else { ranges.join(", ") }
        );
        return Err(Refusal { status: 403, title: "You may not look from here", text });
    }
    if !matches!(method, "GET" | "HEAD") {
        let text = "The page changes nothing: it can be read by GET and HEAD alone.".to_owned();
        return Err(Refusal { status: 405, title: "Nothing can be changed here", text });
    }
    if !host.is_some_and(|host| is_ours(host, row, tables)) {
        let text = format!(
            "This server answers to its address, to localhost, and to names in {}: open it by one of them. A name of another domain may be somebody else's who leads your browser here.",
            row.domain
        );
        return Err(Refusal { status: 421, title: "This is not the name of this server", text });
    }
    Ok(())
}

/// The boot server itself always may.
fn may_look(peer: Ipv4Addr, row: &PageRow) -> bool {
    peer.is_loopback() || row.from.iter().any(|range| range.contains(peer))
}

/// An address, `localhost`, a host of the site, or a name in its domain. Any other name may lead a browser here
/// from a page of somebody else, which would then read all of this (DNS rebinding).
fn is_ours(host: &str, row: &PageRow, tables: &Tables) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_err()) {
        return false;
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let below = |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    name.parse::<IpAddr>().is_ok() || name == "localhost" || tables.facts.contains_key(&name) || below(&row.domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::table::{FactRow, Range};

    fn row() -> PageRow {
        let from = vec![Range::new([10, 0, 0, 0].into(), 24)];
        PageRow { port: 8080, from, title: "lab".into(), domain: "lab.example".into(), timezone: None }
    }

    fn status(method: &str, host: &str, peer: [u8; 4]) -> u16 {
        let tables = Tables { facts: [("boot".to_owned(), FactRow::default())].into(), ..Tables::default() };
        check(method, Some(host).filter(|host| !host.is_empty()), peer.into(), &row(), &tables)
            .map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn only_who_may_looks_and_nobody_changes() {
        assert_eq!(
            ["GET", "HEAD", "POST", "OPTIONS", "TRACE"].map(|method| status(method, "10.0.0.2", [10, 0, 0, 9])),
            [200, 200, 405, 405, 405]
        );
        assert_eq!([[10, 0, 1, 9], [127, 0, 0, 1], [8, 8, 8, 8]].map(|peer| status("GET", "10.0.0.2", peer)), [403, 200, 403]);
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        let own = [
            "localhost",
            "localhost:8080",
            "10.0.0.2",
            "10.0.0.2:8080",
            "[::1]:8080",
            "boot",
            "BOOT:8080",
            "lab.example",
            "boot.lab.example.",
            "x.lab.example:1",
        ];
        own.iter().for_each(|host| assert_eq!(status("GET", host, [127, 0, 0, 1]), 200, "{host}"));
        let others = [
            "",
            "evil.example",
            "lab.example.evil.example",
            "xlab.example",
            "localhost.evil.example",
            "boot:x",
            "boot:",
            "nobody",
            ".lab.example.com",
            "[::1",
        ];
        others.iter().for_each(|host| assert_eq!(status("GET", host, [127, 0, 0, 1]), 421, "{host}"));
    }
}

//! What the operating half of a rehearsal (`--port-offset`) knows: what lies on loopback, and nothing beyond.
//!
//! Whoever tries a site on a desk shall turn off no machine, write into no database, ask no host and mail nobody, that it names.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tracing::info;

use crate::out::table::{AlertRow, AlertSink, Ask, CheckRow, PowerRow, SinkRow, Tables};

/// The tables without machines and sinks that other machines have.
pub(super) fn on_loopback(tables: &Arc<Tables>) -> Arc<Tables> {
    let (switched, sinks) = (tables.power.len(), tables.sinks.len());
    let mut own = Tables::clone(tables);
    own.power.retain(|_, row| is_here(row));
    own.sinks.retain(is_own);
    let (watched, told) = (own.checks.len(), own.alerts.len());
    own.checks.retain(|_, row| is_asked_here(row));
    own.facts.values_mut().for_each(|row| row.behind = row.behind.filter(Ipv4Addr::is_loopback));
    own.alerts.retain(is_told_here);
    let (machines, others) = (switched - own.power.len(), sinks - own.sinks.len());
    let (watched, told) = (watched - own.checks.len(), told - own.alerts.len());
    if machines + others + watched + told > 0 {
        info!(
            "a rehearsal (--port-offset) reaches loopback alone: {machines} machines are not switched, {watched} checks are not done, {others} sinks get nothing, and {told} are not told of alerts"
        );
    }
    Arc::new(own)
}

/// A wake-up goes to the whole network, whatever the address.
fn is_here(row: &PowerRow) -> bool {
    row.address.is_some_and(|address| address.is_loopback())
        && (row.amt.is_some() || row.broadcast.is_some_and(|all| all.is_loopback()))
}

fn is_own(row: &SinkRow) -> bool {
    leads_here(&row.url)
}

fn is_asked_here(row: &CheckRow) -> bool {
    row.address.is_loopback() && if let Ask::Http(url) = &row.ask { leads_here(url) } else { true }
}

fn is_told_here(row: &AlertRow) -> bool {
    match &row.to {
        AlertSink::Mail(mail) => is_this_machine(&mail.host),
        AlertSink::Webhook(webhook) => leads_here(&webhook.url),
    }
}

fn leads_here(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    is_this_machine(rest.split(['/', ':', '?']).next().unwrap_or_default())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::table::AmtRow;

    #[test]
    fn a_rehearsal_leaves_other_machines_alone() {
        let amt = AmtRow { user: "admin".into(), password_file: "/p".into(), port: 16992, tls: false };
        let row = |address: [u8; 4], amt: Option<AmtRow>| PowerRow {
            host: "k".into(),
            address: Some(address.into()),
            macs: vec![],
            broadcast: Some([10, 77, 0, 255].into()),
            wake: amt.is_none(),
            amt,
            schedule: None,
            selectors: vec![],
        };
        let sink = |url: &str| SinkRow { kind: "couchdb".into(), url: url.into(), user: None, password_file: None };
        let power = [
            ("far", row([10, 77, 0, 11], Some(amt.clone()))),
            ("near", row([127, 0, 0, 11], Some(amt))),
            ("woken", row([127, 0, 0, 12], None)),
        ];
        let tables = Tables {
            power: power.map(|(name, row)| (name.to_owned(), row)).into(),
            sinks: ["http://10.77.0.51:5984/a", "http://127.0.0.1:5984/a", "https://nas.example/a", "http://localhost/a"]
                .map(sink)
                .to_vec(),
            ..Tables::default()
        };
        let own = on_loopback(&Arc::new(tables));
        assert_eq!(own.power.keys().collect::<Vec<_>>(), ["near"]);
        assert_eq!(
            own.sinks.iter().map(|sink| sink.url.as_str()).collect::<Vec<_>>(),
            ["http://127.0.0.1:5984/a", "http://localhost/a"]
        );
    }
}

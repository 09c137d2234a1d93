//! `monitor/checks.jsonl`.

use std::collections::BTreeMap;

use crate::model::{self, Origins, Selected, Site};
use crate::out::table::{Ask, CHECKS, CheckRow, json};
use crate::out::{Lines, Wing};

pub(super) fn emit(site: &Site, wing: &mut Wing<'_>) {
    if site.checks.is_empty() {
        return;
    }
    let selected = Selected::of(site);
    let mut rows: BTreeMap<(String, String), (Origins, CheckRow)> = BTreeMap::new();
    for check in &site.checks {
        for host in selected.hosts(&check.on) {
            let Some(address) = host.address.as_ref().map(|at| at.value) else { continue };
            let (name, told) = (host.name.to_string(), check.ask.value.to_string());
            let ask = match &check.ask.value {
                model::Ask::Ping => Ask::Ping,
                model::Ask::Tcp(port) => Ask::Tcp(*port),
                model::Ask::Page(80, path) => Ask::Http(format!("http://{address}{path}")),
                model::Ask::Page(port, path) => Ask::Http(format!("http://{address}:{port}{path}")),
                model::Ask::Url(url) => Ask::Http(url.as_str().to_owned()),
                model::Ask::Dns(name) => Ask::Dns(name.to_string()),
            };
            let id = format!("{name} {told}");
            let row = CheckRow {
                id,
                host: name.clone(),
                address,
                check: told.clone(),
                ask,
                every_secs: check.every_secs,
                fails: check.fails,
            };
            rows.insert((name, told), (vec![check.span, host.span], row));
        }
    }
    let mut lines = Lines::default();
    rows.values().for_each(|(origins, row)| lines.line(origins, json(row)));
    if !lines.is_empty() {
        wing.write(CHECKS.into(), lines);
    }
}

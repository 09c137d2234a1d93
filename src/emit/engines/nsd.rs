//! `nsd.conf`: our zones, and nothing else.

use super::super::dns::{zone_path, zones};
use super::commands;
use crate::model::{Engine, Site};
use crate::out::Lines;
use crate::source::Span;

pub(super) fn make(site: &Site, engine: &Engine) -> Lines {
    let mut lines = Lines::default();
    let own = [engine.span];
    lines.line(&own, "# DNS for NSD 4. Start it in out/, or in a copy whose zones bear serials:");
    lines.line(&own, "#   nsd -c \"$PWD/engines/nsd.conf\"");
    if !site.forwards.is_empty() {
        let (shown, from): (Vec<String>, Vec<Span>) = site.forwards.iter().map(|at| (at.value.to_string(), at.span)).unzip();
        lines.line(&from, format_args!("# NSD answers for its zones alone: it does not ask {} for other names.", shown.join(" and ")));
    }
    for (span, line) in commands(site) {
        lines.line(&[span, engine.span], line);
    }
    lines.line(&own, "server:");
    lines.line(&own, "    zonesdir: \"\"");
    lines.line(&own, "    database: \"\"");
    lines.line(&own, "    hide-version: yes");
    lines.line(&own, "    hide-identity: yes");
    for (zone, origin) in zones(site) {
        let origins = [origin, engine.span];
        lines.line(&origins, "zone:");
        lines.line(&origins, format_args!("    name: \"{zone}\""));
        lines.line(&origins, format_args!("    zonefile: \"{}\"", zone_path(&zone)));
    }
    lines
}

//! `named.conf`: our zones for everybody, other names for our own networks only.

use super::super::dns::{zone_path, zones};
use super::commands;
use crate::model::{Engine, Site};
use crate::out::Lines;

pub(super) fn make(site: &Site, engine: &Engine) -> Lines {
    let mut lines = Lines::default();
    let own = [engine.span];
    lines.line(&own, "# DNS for BIND 9.18 or newer. Start it in out/, or in a copy whose zones bear serials:");
    lines.line(&own, "#   named -c \"$PWD/engines/named.conf\"");
    for (span, line) in commands(site) {
        lines.line(&[span, engine.span], line);
    }
    lines.line(&own, "options {");
    for line in ["version none", "hostname none", "server-id none", "allow-query { any; }", "allow-transfer { none; }", "notify no", "check-names primary ignore"] {
        lines.line(&own, format_args!("    {line};"));
    }
    // The forwarders' word is passed on as it is, as `serve` does; they validate.
    lines.line(&own, "    dnssec-validation no;");
    if site.forwards.is_empty() {
        lines.line(&own, "    recursion no;");
    } else {
        forwarding(site, engine, &mut lines);
    }
    lines.line(&own, "};");
    for (zone, origin) in zones(site) {
        let path = zone_path(&zone);
        lines.line(&[origin, engine.span], format_args!("zone \"{zone}\" {{ type primary; file \"{path}\"; }};"));
    }
    lines
}

fn forwarding(site: &Site, engine: &Engine, lines: &mut Lines) {
    let own = [engine.span];
    lines.line(&own, "    recursion yes;");
    lines.line(&own, "    forward only;");
    lines.line(&own, "    forwarders {");
    for at in &site.forwards {
        lines.line(&[at.span, engine.span], format_args!("        {};", at.value));
    }
    lines.line(&own, "    };");
    for list in ["allow-recursion", "allow-query-cache"] {
        lines.line(&own, format_args!("    {list} {{"));
        lines.line(&own, "        localhost;");
        for network in &site.networks {
            lines.line(&[network.subnet_span, engine.span], format_args!("        {};", network.subnet));
        }
        lines.line(&own, "    };");
    }
}

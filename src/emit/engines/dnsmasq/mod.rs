//! `dnsmasq.conf`: one server for DHCP, TFTP and DNS.

mod dhcp;
mod dns;

use super::view::View;
use crate::model::{DNSMASQ_LINE_BYTES_MAX, Engine, Site, dnsmasq_quoted};
use crate::out::Lines;
use crate::source::Span;

pub(super) fn make(site: &Site, engine: &Engine) -> Lines {
    let mut out = Conf { lines: Lines::default(), engine: engine.span };
    let view = View::of(site);
    out.add(&[], "# DHCP, TFTP and DNS for dnsmasq 2.86 or newer: dnsmasq -C engines/dnsmasq.conf");
    super::commands(site).for_each(|(span, line)| out.add(&[span], line));
    dns::write(site, &mut out);
    if !view.networks.is_empty() {
        dhcp::write(site, &view, &mut out);
    }
    let files = site.profiles.iter().any(|profile| !profile.files().is_empty() || !profile.texts.is_empty());
    if files || !view.loaders.is_empty() {
        let root = dnsmasq_quoted(engine.tftp()).unwrap_or_default();
        let from: Vec<Span> = engine.tftp.iter().map(|at| at.span).collect();
        out.add(&[], "# TFTP; the folder is made by: pxelator export tftp DIR");
        out.add(&[], "enable-tftp");
        out.add(&from, format_args!("tftp-root={root}"));
    }
    out.lines
}

/// The file in the making; each line comes from the `engine` line too.
struct Conf {
    lines: Lines,
    engine: Span,
}

impl Conf {
    fn add(&mut self, origins: &[Span], line: impl std::fmt::Display) {
        let line = line.to_string();
        debug_assert!(line.len() <= DNSMASQ_LINE_BYTES_MAX, "`check` lets no longer line through: {line}");
        self.lines.line(&[origins, &[self.engine]].concat(), line);
    }
}

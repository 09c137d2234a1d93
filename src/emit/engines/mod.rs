//! # Name
//! `engines`: the same site for Kea, dnsmasq, BIND and NSD.
//!
//! # Description
//! `engines/kea-dhcp4.json`, `engines/dnsmasq.conf`, `engines/named.conf` and `engines/nsd.conf`, each
//! where the site asks for it. Paths are relative to `out/`: the servers are started there, or in a copy
//! of it whose zones bear serials. Their clients get the answers that `serve` gives; what a server cannot
//! say has a finding in `check::engines`, or a line in its file.
//!
//! # Syntax
//! Reads `engine`, and all that `dhcp`, `boot` and `dns` read.
//!
//! # Example
//! ```kdl
//! site lab domain="lab.example"
//! engine dnsmasq
//! network lan "10.77.0.0/24" gateway=1 server=2 dns=2 { host pc-07 27 "a0:36:9f:00:00:1b" }
//! ```

mod bind;
mod dnsmasq;
mod kea;
mod nsd;
mod view;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Engine, Program, Site};
use crate::out::{Lines, Wing};
use crate::source::Span;

/// A server that we write for.
struct Row {
    program: Program,
    file: &'static str,
    make: fn(&Site, &Engine) -> Lines,
}

const ROWS: &[Row] = &[
    Row { program: Program::Kea, file: "engines/kea-dhcp4.json", make: kea::make },
    Row { program: Program::Dnsmasq, file: "engines/dnsmasq.conf", make: dnsmasq::make },
    Row { program: Program::Bind, file: "engines/named.conf", make: bind::make },
    Row { program: Program::Nsd, file: "engines/nsd.conf", make: nsd::make },
];

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    for engine in &site.engines {
        for row in ROWS.iter().filter(|row| row.program == engine.program) {
            wing.write(row.file.into(), (row.make)(site, engine));
        }
    }
}

/// Commands are in no zone: a line for each, which says so, and where it came from.
fn commands(site: &Site) -> impl Iterator<Item = (Span, String)> {
    let said = |name| format!("# `pxelator serve` alone answers {name}.{}: forward it there, or let clients ask there", site.domain);
    site.commands.iter().map(move |command| (command.span, said(&command.name.value)))
}

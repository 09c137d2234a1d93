//! The page: whoever may look exists, few may, and its port is its own.

use super::commands::{is_open, nobody, outside};
use crate::diag::{Diag, Diags};
use crate::model::{Caller, Site};

/// Ports of what runs beside `pxelator serve` on a boot server.
const NFS: u16 = 2049;

pub(super) fn callers(site: &Site, diags: &mut Diags) {
    for at in site.page.iter().flat_map(|page| &page.from) {
        if let Caller::Range(range) = &at.value {
            if is_open(&at.value) {
                let diag =
                    Diag::new("page/open", at.span, format!("{range} is nobody's own: anybody in it may look at the page"));
                diags.push(diag.help("name your networks, group:NAME, tag:NAME or host:NAME; the page asks for no login"));
            } else {
                outside("page/outside", *range, at.span, site, diags);
            }
        } else if at.value.ranges(site).is_empty() {
            let found = nobody("page/from", at, "give it one: a browser is known by its address alone", site, diags);
            found.into_iter().for_each(|diag| diags.push(diag));
        }
    }
}

/// What the site itself says of this machine's ports.
pub(super) fn ports(site: &Site, diags: &mut Diags) {
    let Some(page) = &site.page else { return };
    let port = page.port.value;
    let nfs = site.nfs.as_ref().filter(|_| port == NFS).map(|nfs| (nfs.span, "NFS listens there"));
    let sinks = site.audit.iter().flat_map(|audit| &audit.sinks);
    let sink = sinks
        .filter(|sink| is_here(&sink.url.value.host))
        .find(|sink| sink.url.value.port() == port)
        .map(|sink| (sink.url.span, "CouchDB listens there"));
    if let Some((span, what)) = nfs.or(sink) {
        let diag = Diag::new("page/port-clash", page.port.span, format!("port {port} of the boot server has another use"))
            .here("the page");
        diags.push(diag.label(span, what).help("give the page another port, such as port=8080"));
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

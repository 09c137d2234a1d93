//! Whether DHCP replies fit their options and the packet.

use std::collections::BTreeMap;

use crate::diag::{Diag, Diags};
use crate::model::{HostName, HostRoot, Network, Site};

/// What every client must accept, in bytes with the IP and UDP headers (RFC 2131 §2).
const REPLY_BYTES_MAX: usize = 576;
/// IP and UDP headers, the fixed fields with the magic cookie, and the options that every PXE reply has:
/// type, server, lease and two timers, mask, broadcast, class, vendor options, iPXE's, client id and end.
const FIXED_BYTES: usize = 20 + 8 + 240 + 95;
/// The longest option (RFC 2132 §2).
const OPTION_BYTES_MAX: usize = 255;

pub(super) fn replies(site: &Site, diags: &mut Diags) {
    for network in &site.networks {
        let dns_bytes = 4 * network.dns.len();
        if dns_bytes > OPTION_BYTES_MAX
            && let Some(span) = network.dns.first().map(|at| at.span)
        {
            let message = format!("option 6 (DNS servers) is {dns_bytes} bytes; its length field holds {OPTION_BYTES_MAX}");
            diags.push(Diag::new("dhcp/option-overflow", span, message).help("clients ask the first two or three: delete the others"));
        }
    }
    let roots: BTreeMap<&HostName, HostRoot<'_>> = site.roots().map(|root| (&root.host.name, root)).collect();
    for host in &site.hosts {
        let Some(network) = host.network.and_then(|index| site.networks.get(index)) else { continue };
        let root = roots.get(&host.name).and_then(|root| site.root_path(root)).map_or(0, |path| path.len());
        let bytes = FIXED_BYTES + option(host.name.as_str().len()) + option(root) + network_bytes(site, network);
        if bytes > REPLY_BYTES_MAX {
            let message = format!("the reply for {} is {bytes} bytes; clients need accept only {REPLY_BYTES_MAX}", host.name);
            let diag = Diag::new("dhcp/reply-too-large", host.span, message);
            let help = if root == 0 { "use a shorter domain, or fewer DNS servers" } else { "use a shorter domain, fewer DNS servers, or a shorter folder of nfs: the root's path is told too" };
            diags.push(diag.label(network.subnet_span, "its network").help(help));
        }
    }
}

/// An option's bytes with its header; nothing where it is absent.
fn option(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + 2 }
}

fn network_bytes(site: &Site, network: &Network) -> usize {
    option(4 * network.dns.len()) + option(site.domain.as_str().len()) + option(4 * usize::from(network.gateway.is_some()))
}

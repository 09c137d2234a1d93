//! Other servers that the site is written down for.

use super::{ANYWHERE, BASE, NodeSpec, Type, may, need};

pub(super) const NODES: &[NodeSpec] = &[NodeSpec {
    name: "engine",
    within: ANYWHERE,
    args: &[need("server", Type::OneOf(ENGINES), "dnsmasq", "the other server")],
    props: &[may("tftp", Type::Text, "\"/srv/tftp\"", "the folder of `pxelator export tftp`, from which dnsmasq serves files").or("\"/srv/tftp\"")],
    doc: "Writes the same site for another server too, into out/engines/.",
    example: "engine dnsmasq",
    ..BASE
}];

/// The servers that we write for.
pub const ENGINES: &[&str] = &["kea", "dnsmasq", "bind", "nsd"];

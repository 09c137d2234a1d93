//! What is measured over the years.

use super::{ANYWHERE, BASE, DAY, NodeSpec, Type, may};

pub(super) const NODES: &[NodeSpec] = &[NodeSpec {
    name: "trends",
    within: ANYWHERE,
    props: &[may("keep", Type::Duration(30 * DAY, 7_300 * DAY), "\"730d\"", "how long a day's figures are kept; those of a minute are for two days, of five minutes for two weeks, of an hour for 90 days").or("\"730d\"")],
    once: true,
    doc: "The boot server measures once a minute, for `pxelator trend`: leases in use, requests, boots, pings, and the machines that run on it.",
    example: "trends keep=\"730d\"",
    ..BASE
}];

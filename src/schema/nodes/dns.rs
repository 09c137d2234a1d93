//! Forwarders and records.

use super::{ANYWHERE, BASE, NodeSpec, Slot, TTL, Type, may, need};

const KEPT: Slot = may("ttl", TTL, "\"5m\"", "how long it may be kept").or("\"1h\"");

/// The node whose argument is a [`Type::Pattern`].
pub const COMMAND: &str = "command";

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "dns",
        within: ANYWHERE,
        doc: "Forwarders and records beyond those that hosts bring by themselves.",
        example: "dns { forward \"9.9.9.9\"; cname git to=boot }",
        ..BASE
    },
    NodeSpec {
        name: "forward",
        within: &["dns"],
        args: &[need("address", Type::Text, "\"9.9.9.9\"", "the server that is asked about names which are not ours")],
        doc: "A forwarder; several are tried in this order.",
        example: "forward \"9.9.9.9\"",
        ..BASE
    },
    NodeSpec {
        name: "a",
        within: &["dns"],
        args: &[
            need("name", Type::Text, "www", "the name, @ for the domain itself"),
            need("address", Type::Text, "\"10.77.0.3\"", "its address"),
        ],
        props: &[KEPT],
        doc: "An address record.",
        example: "a www \"10.77.0.3\"",
        ..BASE
    },
    NodeSpec {
        name: "cname",
        within: &["dns"],
        args: &[need("name", Type::Text, "git", "the other name")],
        props: &[need("to", Type::Text, "boot", "the name that it stands for; a name with dots is complete"), KEPT],
        doc: "Another name for a host.",
        example: "cname git to=boot",
        ..BASE
    },
    NodeSpec {
        name: "txt",
        within: &["dns"],
        args: &[
            need("name", Type::Text, "\"@\"", "the name, @ for the domain itself"),
            need("text", Type::Text, "\"v=spf1 -all\"", "its text"),
        ],
        more: Some(may("text", Type::Text, "\"more\"", "more texts of the same record")),
        props: &[KEPT],
        doc: "A text record.",
        example: "txt \"@\" \"v=spf1 -all\"",
        ..BASE
    },
    NodeSpec {
        name: COMMAND,
        within: &["dns"],
        args: &[need("name", Type::Pattern, "\"wake.{host}.do\"", "the name below the site's domain; {host} is a label of its own and stands for each host")],
        props: &[
            need(
                "run",
                Type::OneOf(&["power-on", "power-off", "power-cycle", "status", "call"]),
                "power-on",
                "what it does: switch the host, tell whether it is on, or record that somebody calls for help",
            ),
            may(
                "from",
                Type::Names,
                "\"10.77.0.0/24\"",
                "who may, with commas between them: addresses, ranges, networks, group:NAME, tag:NAME, host:NAME; all networks where it is absent, and what switches a host needs it",
            ),
        ],
        doc: "A name that does something when it is asked for, so that `ping` alone can do it.",
        example: "command \"wake.{host}.do\" run=power-on from=\"10.77.0.0/24\"",
        ..BASE
    },
];

//! Virtual machines from a snapshot, and containers over a base.

use super::{ANYWHERE, BASE, LEASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "snapshot",
        within: ANYWHERE,
        args: &[
            need("name", Type::Declares(Kind::Snapshot), "golden", "its name, used by `vm … from=`"),
            need("file", Type::Text, "\"/srv/vm/golden.qcow2\"", "the disk, on the machine that runs the VMs; it is read and never written"),
        ],
        props: &[may("format", Type::OneOf(&["qcow2", "raw"]), "raw", "how the file holds the disk").or("qcow2")],
        doc: "The disk of a machine as it was once: VMs start over it, and leave it as it is.",
        example: "snapshot golden \"/srv/vm/golden.qcow2\" format=qcow2",
        ..BASE
    },
    NodeSpec {
        name: "vm",
        within: &["", "config", "network", "group"],
        args: &[need("name", Type::Declares(Kind::Host), "ci-1", "its name, a host's: one label of letters, digits and hyphens (RFC 1123)")],
        more: Some(may("address or MAC", Type::Address, "40", "its address (once, or none: then from the pool) and its MAC, which it needs")),
        props: &[
            may("from", Type::Refers(Kind::Snapshot), "golden", "the snapshot over which its disk lies; this or base="),
            may("base", Type::Refers(Kind::Base), "\"debian-12\"", "the base over which it is a container; this or from="),
            may("memory", Type::Text, "\"2G\"", "its memory: a number with M or G; of a VM from a snapshot").or("\"1G\""),
            may("cpus", Type::Int(1, 64), "2", "its processors; of a VM from a snapshot").or("1"),
            may("bridge", Type::Text, "br1", "the bridge of the machine that runs it, on which its network is").or("br0"),
            may("lease", LEASE, "\"1h\"", "how long its address is given"),
            may("tags", Type::Names, "\"b2,lab\"", "tags, with commas between them, added to those of groups, network and site"),
            may("note", Type::Text, "\"Builds at night.\"", "what a person should know who looks for it; its runbook in out/docs/ begins with it"),
        ],
        doc: "A host that is no machine of its own: its disk lies over a snapshot, or its files over a base. It has its own name, address, machine-id and host keys.",
        example: "vm ci-1 40 \"52:54:00:77:00:28\" from=golden memory=\"2G\" cpus=2",
        ..BASE
    },
];

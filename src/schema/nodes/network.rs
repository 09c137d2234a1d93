//! Networks, pools, groups, hosts.

use super::{ANYWHERE, BASE, LEASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "network",
        within: ANYWHERE,
        args: &[
            need("name", Type::Declares(Kind::Network), "lan", "the network's name"),
            need("address range", Type::Cidr, "\"10.77.0.0/24\"", "its addresses"),
        ],
        props: &[
            may("gateway", Type::Address, "1", "the router that clients are told"),
            may("server", Type::Address, "2", "the boot server's address in this network"),
            may("dns", Type::Addresses, "2", "the DNS servers that clients are told"),
            may("profile", Type::Refers(Kind::Profile), "office", "what its hosts start, unless group or host say otherwise"),
            may("lease", LEASE, "\"1h\"", "how long an address is given; the site's if absent"),
            may("tags", Type::Names, "\"b2\"", "tags of all its hosts, with commas between them"),
            may("schedule", Type::Refers(Kind::Schedule), "opening", "when its hosts turn on and off, unless anything nearer says otherwise"),
            may("amt", Type::Refers(Kind::Secret), "amt-kiosk", "the secret that holds the password of their Intel AMT"),
            may("amt-tls", Type::Bool, "#true", "their AMT speaks TLS"),
            may("wake", Type::Bool, "#true", "their firmware listens for Wake on LAN"),
        ],
        doc: "One subnet, its services and hosts.",
        example: "network lan \"10.77.0.0/24\" gateway=1 server=2 dns=2",
        ..BASE
    },
    NodeSpec {
        name: "pool",
        within: &["network"],
        args: &[
            need("first address", Type::Address, "100", "where it begins"),
            need("last address", Type::Address, "199", "where it ends"),
        ],
        props: &[
            may("lease", LEASE, "\"1h\"", "how long an address is given; the network's if absent"),
            may("profile", Type::Refers(Kind::Profile), "rescue", "what its clients start"),
        ],
        doc: "Addresses for clients without a reservation.",
        example: "pool 100 199 lease=\"1h\"",
        ..BASE
    },
    NodeSpec {
        name: "group",
        within: &["", "config", "network", "group"],
        args: &[need("name", Type::Declares(Kind::Group), "kiosks", "the group's name, used as group:NAME")],
        props: &[
            may("profile", Type::Refers(Kind::Profile), "kiosk", "what its hosts start, unless they say otherwise"),
            may("lease", LEASE, "\"1h\"", "how long an address is given, unless the host says otherwise"),
            may("tags", Type::Names, "\"b2,lab\"", "tags of all its hosts, with commas between them"),
            may("schedule", Type::Refers(Kind::Schedule), "opening", "when its hosts turn on and off, unless anything nearer says otherwise"),
            may("amt", Type::Refers(Kind::Secret), "amt-kiosk", "the secret that holds the password of their Intel AMT"),
            may("amt-tls", Type::Bool, "#true", "their AMT speaks TLS"),
            may("wake", Type::Bool, "#true", "their firmware listens for Wake on LAN"),
        ],
        doc: "Hosts that share properties.",
        example: "group kiosks profile=kiosk { host kiosk-01 11 \"54:b2:03:00:00:0b\" }",
        ..BASE
    },
    NodeSpec {
        name: "host",
        within: &["", "config", "network", "group"],
        args: &[need("name", Type::Declares(Kind::Host), "pc-07", "the host's name: one label of letters, digits and hyphens (RFC 1123)")],
        more: Some(may("address or MAC", Type::Address, "27", "its address (once, or none: then from the pool) and its MACs")),
        props: &[
            may("profile", Type::Refers(Kind::Profile), "office", "what it starts; nearer than group, network, and site"),
            may("lease", LEASE, "\"1h\"", "how long its address is given"),
            may("tags", Type::Names, "\"b2,lab\"", "tags, with commas between them, added to those of groups, network, profile and site"),
            may("schedule", Type::Refers(Kind::Schedule), "opening", "when it turns on and off; nearer than group, network, profile and site"),
            may("amt", Type::Refers(Kind::Secret), "amt-kiosk", "its Intel AMT switches it, and this secret is the password of AMT's user `admin`"),
            may("amt-tls", Type::Bool, "#true", "its AMT speaks TLS, as it must from version 16.1 on: port 16993, in place of 16992"),
            may("wake", Type::Bool, "#true", "its firmware listens for Wake on LAN, which turns it on and nothing else"),
            may("note", Type::Text, "\"Second floor; its switch is at the back.\"", "what a person should know who stands before it; its runbook in out/docs/ begins with it"),
        ],
        doc: "One machine.",
        example: "host pc-07 27 \"a0:36:9f:00:00:1b\" profile=office tags=\"b2,lab\"",
        ..BASE
    },
];

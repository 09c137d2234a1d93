//! The table itself, in the order in which a site is usually written.

use super::{NodeSpec, Slot, Type};

const fn need(name: &'static str, kind: Type, doc: &'static str) -> Slot {
    Slot { name, kind, required: true, doc }
}

const fn may(name: &'static str, kind: Type, doc: &'static str) -> Slot {
    Slot { name, kind, required: false, doc }
}

const BASE: NodeSpec = NodeSpec { name: "", within: &[""], args: &[], more: None, props: &[], once: false, doc: "", example: "" };

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Nodes that a module's `config` may hold: what a file holds, but for the module system itself.
const ANYWHERE: &[&str] = &["", "config"];

/// Every node of the language.
pub const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "site",
        args: &[need("name", Type::Name, "the name of the site")],
        props: &[
            may("domain", Type::Text, "the DNS domain of all hosts; home.arpa (RFC 8375) if absent"),
            may("timezone", Type::Text, "the time zone of schedules"),
        ],
        once: true,
        doc: "Names the site; every site has exactly one.",
        example: "site lab domain=\"lab.example\"",
        ..BASE
    },
    NodeSpec {
        name: "import",
        args: &[need("pattern", Type::Text, "a path below the site folder; * and ? stay within one folder")],
        doc: "Adds more source files; their order never matters.",
        example: "import \"hosts/*.kdl\"",
        ..BASE
    },
    NodeSpec {
        name: "use",
        within: ANYWHERE,
        args: &[need("module", Type::Name, "the module: modules/NAME.kdl or modules/NAME/module.kdl")],
        doc: "Instantiates a module; its options are the children.",
        example: "use kiosk { url \"https://intra.example/\" }",
        ..BASE
    },
    NodeSpec {
        name: "let",
        args: &[need("name", Type::Name, "the name, used as {name}"), need("value", Type::Any, "its value")],
        doc: "Gives a value a name.",
        example: "let img \"debian-12\"",
        ..BASE
    },
    NodeSpec {
        name: "assets",
        within: ANYWHERE,
        args: &[need("folder", Type::Text, "the folder on the boot server that holds kernels, initrds and loaders")],
        once: true,
        doc: "Where the boot server keeps its assets; `pxelator lock` pins them.",
        example: "assets \"/srv/boot\"",
        ..BASE
    },
    NodeSpec {
        name: "network",
        within: ANYWHERE,
        args: &[need("name", Type::Name, "the network's name"), need("address range", Type::Cidr, "its addresses")],
        props: &[
            may("gateway", Type::Address, "the router that clients are told"),
            may("server", Type::Address, "the boot server's address in this network"),
            may("dns", Type::Addresses, "the DNS servers that clients are told"),
            may("profile", Type::Name, "what its hosts start, unless they say otherwise"),
            may("lease", Type::Duration(60, 365 * DAY), "how long an address is given; 12h if absent"),
        ],
        doc: "One subnet, its services and hosts.",
        example: "network lan \"10.77.0.0/24\" gateway=1 server=2 dns=2",
        ..BASE
    },
    NodeSpec {
        name: "pool",
        within: &["network"],
        args: &[need("first address", Type::Address, "where it begins"), need("last address", Type::Address, "where it ends")],
        props: &[
            may("lease", Type::Duration(60, 365 * DAY), "how long an address is given; the network's if absent"),
            may("profile", Type::Name, "what its clients start"),
        ],
        doc: "Addresses for clients without a reservation.",
        example: "pool 100 199 lease=\"1h\"",
        ..BASE
    },
    NodeSpec {
        name: "group",
        within: &["", "config", "network", "group"],
        args: &[need("name", Type::Name, "the group's name")],
        props: &[
            may("profile", Type::Name, "what its hosts start, unless they say otherwise"),
            may("tags", Type::Names, "tags of all its hosts"),
        ],
        doc: "Hosts that share properties.",
        example: "group kiosks profile=kiosk { host kiosk-01 11 \"54:b2:03:00:00:0b\" }",
        ..BASE
    },
    NodeSpec {
        name: "host",
        within: &["", "config", "network", "group"],
        args: &[need("name", Type::Name, "the host's name")],
        more: Some(may("address or MAC", Type::Address, "its address (once, or none: then from the pool) and its MACs")),
        props: &[
            may("profile", Type::Name, "what it starts"),
            may("tags", Type::Names, "tags, with commas between them"),
        ],
        doc: "One machine.",
        example: "host pc-07 27 \"a0:36:9f:00:00:1b\" profile=office tags=\"b2,lab\"",
        ..BASE
    },
    NodeSpec {
        name: "profile",
        within: ANYWHERE,
        args: &[need("name", Type::Name, "the profile's name; its menu bears it too")],
        props: &[
            may("extends", Type::Name, "the profile whose values it takes over"),
            may("label", Type::Text, "what a menu shows; the name if absent"),
        ],
        doc: "What a machine starts: kernel, initrd and cmdline, or chain, or local.",
        example: "profile rescue { kernel \"rescue/vmlinuz\"; initrd \"rescue/initrd.img\" }",
        ..BASE
    },
    NodeSpec {
        name: "kernel",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "the kernel, below the assets folder")],
        once: true,
        doc: "The kernel of a profile.",
        example: "kernel \"debian-12/vmlinuz\"",
        ..BASE
    },
    NodeSpec {
        name: "initrd",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "the initial RAM disk, below the assets folder")],
        more: Some(may("path", Type::AssetPath, "more of them, loaded in this order")),
        doc: "The initial RAM disks of a profile.",
        example: "initrd \"debian-12/initrd.img\"",
        ..BASE
    },
    NodeSpec {
        name: "cmdline",
        within: &["profile"],
        args: &[],
        more: Some(may("word", Type::Text, "one word of the kernel's command line")),
        doc: "Words for the kernel's command line; those of parents and modules come first.",
        example: "cmdline quiet ro",
        ..BASE
    },
    NodeSpec {
        name: "chain",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "another boot loader, below the assets folder")],
        once: true,
        doc: "Hands over to another boot loader instead of a kernel.",
        example: "chain \"memtest/memtest.bin\"",
        ..BASE
    },
    NodeSpec {
        name: "local",
        within: &["profile"],
        once: true,
        doc: "Starts the machine's own disk instead of a kernel.",
        example: "profile disk label=\"Installed system\" { local }",
        ..BASE
    },
    NodeSpec {
        name: "menu",
        within: ANYWHERE,
        props: &[
            may("default", Type::Name, "the entry that starts by itself"),
            may("timeout", Type::Duration(0, HOUR), "how long the menu waits; 5s if absent"),
        ],
        doc: "The menu of hosts without a profile and of unknown clients.",
        example: "menu default=local timeout=\"5s\" { entry local; entry rescue }",
        ..BASE
    },
    NodeSpec {
        name: "entry",
        within: &["menu"],
        args: &[need("profile", Type::Name, "the profile that it starts; `local` is the machine's own disk")],
        doc: "One line of the menu.",
        example: "entry rescue",
        ..BASE
    },
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
        args: &[need("address", Type::Text, "the server that is asked about names which are not ours")],
        doc: "A forwarder; several are tried in this order.",
        example: "forward \"9.9.9.9\"",
        ..BASE
    },
    NodeSpec {
        name: "a",
        within: &["dns"],
        args: &[need("name", Type::Text, "the name, @ for the domain itself"), need("address", Type::Text, "its address")],
        props: &[may("ttl", Type::Duration(0, 365 * DAY), "how long it may be kept; 1h if absent")],
        doc: "An address record.",
        example: "a www \"10.77.0.3\"",
        ..BASE
    },
    NodeSpec {
        name: "cname",
        within: &["dns"],
        args: &[need("name", Type::Text, "the other name")],
        props: &[
            need("to", Type::Text, "the name that it stands for; a name with dots is complete"),
            may("ttl", Type::Duration(0, 365 * DAY), "how long it may be kept; 1h if absent"),
        ],
        doc: "Another name for a host.",
        example: "cname git to=boot",
        ..BASE
    },
    NodeSpec {
        name: "txt",
        within: &["dns"],
        args: &[need("name", Type::Text, "the name, @ for the domain itself"), need("text", Type::Text, "its text")],
        more: Some(may("text", Type::Text, "more texts of the same record")),
        props: &[may("ttl", Type::Duration(0, 365 * DAY), "how long it may be kept; 1h if absent")],
        doc: "A text record.",
        example: "txt \"@\" \"v=spf1 -all\"",
        ..BASE
    },
    NodeSpec {
        name: "module",
        args: &[need("name", Type::Name, "the module's name, which is its file's too")],
        once: true,
        doc: "Declares a module: options, and the config that they make.",
        example: "module kiosk { option url (url)required doc=\"Start page\" }",
        ..BASE
    },
    NodeSpec {
        name: "doc",
        within: &["module"],
        args: &[need("text", Type::Text, "what the module is for")],
        once: true,
        doc: "What a module is for.",
        example: "doc \"Browser kiosk.\"",
        ..BASE
    },
    NodeSpec {
        name: "option",
        within: &["module"],
        args: &[
            need("name", Type::Name, "the option's name, used as {name}"),
            need("default", Type::Any, "(TYPE)required, or (TYPE) and the default"),
        ],
        props: &[
            need("doc", Type::Text, "what it is for"),
            may("example", Type::Any, "a value as people write it"),
            may("min", Type::Any, "the least number or duration"),
            may("max", Type::Any, "the greatest number or duration"),
        ],
        doc: "Declares an option; its type is one of bool, int, string, duration, url, ip, cidr, mac, path.",
        example: "option idle (duration)\"5m\" doc=\"Back to the start page\" min=\"30s\"",
        ..BASE
    },
    NodeSpec {
        name: "config",
        within: &["module"],
        doc: "What the module defines, with {option} in its values.",
        example: "config { profile kiosk { cmdline \"kiosk.url={url}\" } }",
        ..BASE
    },
];

/// The node `name` as it may stand in `parent`.
pub fn find(name: &str, parent: &str) -> Option<&'static NodeSpec> {
    NODES.iter().find(|spec| spec.name == name && spec.within.contains(&parent))
}

//! The site itself, its files, its names.

use super::{ANYWHERE, BASE, LEASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "site",
        args: &[need("name", Type::Declares(Kind::Site), "lab", "the name of the site")],
        props: &[
            may("domain", Type::Text, "\"lab.example\"", "the DNS domain of all hosts (RFC 8375 has home.arpa for homes)").or("home.arpa"),
            may("timezone", Type::Text, "\"Europe/Zagreb\"", "the time zone of schedules, from the IANA database; clients that ask for it are told (RFC 4833)"),
            may("profile", Type::Refers(Kind::Profile), "office", "what its hosts start, unless anything nearer says otherwise"),
            may("lease", LEASE, "\"1d\"", "how long an address is given").or("\"12h\""),
            may("tags", Type::Names, "\"lab\"", "tags of all its hosts, with commas between them"),
            may("schedule", Type::Refers(Kind::Schedule), "opening", "when its hosts turn on and off, unless anything nearer says otherwise"),
            may("amt", Type::Refers(Kind::Secret), "amt-kiosk", "the secret that holds the password of their Intel AMT"),
            may("amt-tls", Type::Bool, "#true", "their AMT speaks TLS"),
            may("wake", Type::Bool, "#true", "their firmware listens for Wake on LAN"),
        ],
        once: true,
        doc: "Names the site; every site has exactly one.",
        example: "site lab domain=\"lab.example\"",
        ..BASE
    },
    NodeSpec {
        name: "import",
        args: &[need("pattern", Type::SourcePath, "\"hosts/*.kdl\"", "a path below the site folder; * and ? stay within one folder")],
        doc: "Adds more source files; their order never matters.",
        example: "import \"hosts/*.kdl\"",
        ..BASE
    },
    NodeSpec {
        name: "use",
        within: ANYWHERE,
        args: &[
            need("module", Type::Refers(Kind::Module), "kiosk", "the module: modules/NAME.kdl or modules/NAME/module.kdl"),
            may("name", Type::Declares(Kind::Instance), "lobby", "the name of this use, {name} in the module; the module's own if absent"),
        ],
        doc: "Instantiates a module; its options are the children. Lines of one name merge.",
        example: "use kiosk { url \"https://intra.example/\" }",
        ..BASE
    },
    NodeSpec {
        name: "let",
        within: ANYWHERE,
        args: &[
            need("name", Type::Declares(Kind::Let), "img", "the name, used as {name}"),
            need("value", Type::Any, "\"debian-12\"", "its value"),
        ],
        doc: "Gives a value a name. A module's `let` is seen in its config alone.",
        example: "let img \"debian-12\"",
        ..BASE
    },
    NodeSpec {
        name: "repeat",
        within: &["", "config", "network", "group", "profile", "menu", "dns", "nfs", "overlay"],
        args: &[
            need("name", Type::Declares(Kind::Counter), "n", "the name of the counter, used as {name}"),
            need("from", Type::Any, "1", "the first number; or an option that is a list or has submodules, and no third argument"),
            may("to", Type::Int(i64::MIN, i64::MAX), "8", "the last number"),
        ],
        doc: "Writes its children once for each number, or once for each item of a list.",
        example: "repeat n 1 8 { host \"seat-{n:02}\" \"{n+20}\" \"00:d8:61:00:04:{n:02x}\" }",
        ..BASE
    },
    NodeSpec {
        name: "secret",
        within: ANYWHERE,
        args: &[need("name", Type::Declares(Kind::Secret), "amt-kiosk", "the name, used as (secret)name, and by `amt=`")],
        props: &[need("file", Type::Text, "\"/run/secrets/amt-kiosk\"", "the file on the boot server that holds it; nothing else reads it")],
        doc: "Names a secret. Its value never stands in a site and never reaches out/.",
        example: "secret amt-kiosk file=\"/run/secrets/amt-kiosk\"",
        ..BASE
    },
    NodeSpec {
        name: "assets",
        within: ANYWHERE,
        args: &[need("folder", Type::Text, "\"/srv/boot\"", "the folder on the boot server that holds kernels, initrds and loaders")],
        once: true,
        doc: "Where the boot server keeps its assets; `pxelator lock` pins them.",
        example: "assets \"/srv/boot\"",
        ..BASE
    },
    NodeSpec {
        name: "runbooks",
        within: ANYWHERE,
        args: &[need("on or off", Type::OneOf(&["on", "off"]), "off", "on: as without this line; off: none are written, which a site of tens of thousands of hosts may prefer")],
        once: true,
        doc: "out/docs/ has a runbook for each host, and one for the boot server: what to do when it is gone.",
        example: "runbooks off",
        ..BASE
    },
    NodeSpec {
        name: "assert",
        within: &["", "config", "module"],
        args: &[
            need("subject", Type::Selector, "group:kiosks", "hosts: `group:NAME` or `tag:NAME`; or a value such as \"{option}\""),
            need("sentence", Type::Text, "\"kiosks need a profile\"", "what is said where it does not hold"),
        ],
        props: CLAIMS,
        doc: "Refuses a site in which a claim does not hold.",
        example: "assert group:kiosks has=profile \"kiosks need a profile\"",
        ..BASE
    },
    NodeSpec {
        name: "warn",
        within: &["", "config", "module"],
        args: &[
            need("subject", Type::Selector, "tag:b2", "hosts: `group:NAME` or `tag:NAME`; or a value such as \"{option}\""),
            need("sentence", Type::Text, "\"machines of b2 need an address\"", "what is said where it does not hold"),
        ],
        props: CLAIMS,
        doc: "The same as `assert`, as a warning.",
        example: "warn tag:b2 has=address \"machines of b2 need an address\"",
        ..BASE
    },
];

/// The properties that a claim may be about.
pub const HOST_FACTS: &[&str] = &["address", "amt", "mac", "network", "profile", "schedule", "tags", "wake"];

const CLAIMS: &[super::Slot] = &[
    may("has", Type::OneOf(HOST_FACTS), "profile", "each of the hosts has this"),
    may("lacks", Type::OneOf(HOST_FACTS), "address", "none of the hosts has this"),
    may("profile", Type::Refers(Kind::Profile), "kiosk", "each of the hosts starts this profile"),
    may("min", Type::Int(0, 1_000_000), "1", "there are at least so many hosts"),
    may("max", Type::Int(0, 1_000_000), "40", "there are at most so many hosts"),
    may("is", Type::Any, "#true", "the value is this"),
    may("not", Type::Any, "\"none\"", "the value is not this"),
];

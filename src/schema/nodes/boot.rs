//! Profiles, what they load, and the menu.

use super::{ANYWHERE, BASE, HOUR, LEASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "profile",
        within: ANYWHERE,
        args: &[need("name", Type::Declares(Kind::Profile), "office", "the profile's name; its menu bears it too")],
        props: &[
            may("extends", Type::Refers(Kind::Profile), "kiosk", "the profile whose values it takes over"),
            may("label", Type::Text, "\"Office (Debian 12)\"", "what a menu shows; the name if absent"),
            may("lease", LEASE, "\"1h\"", "how long an address is given to hosts that start it, unless host, group or network say otherwise"),
            may("tags", Type::Names, "\"linux\"", "tags of all hosts that start it, with commas between them"),
            may("schedule", Type::Refers(Kind::Schedule), "opening", "when hosts that start it turn on and off, unless anything nearer says otherwise"),
            may("amt", Type::Refers(Kind::Secret), "amt-kiosk", "the secret that holds the password of these hosts' Intel AMT"),
            may("amt-tls", Type::Bool, "#true", "their AMT speaks TLS"),
            may("wake", Type::Bool, "#true", "their firmware listens for Wake on LAN"),
        ],
        doc: "What a machine starts: kernel, initrd and cmdline, or chain, or local.",
        example: "profile rescue { kernel \"rescue/vmlinuz\"; initrd \"rescue/initrd.img\" }",
        ..BASE
    },
    NodeSpec {
        name: "kernel",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "\"debian-12/vmlinuz\"", "the kernel, below the assets folder")],
        once: true,
        doc: "The kernel of a profile.",
        example: "kernel \"debian-12/vmlinuz\"",
        ..BASE
    },
    NodeSpec {
        name: "initrd",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "\"debian-12/initrd.img\"", "the initial RAM disk, below the assets folder")],
        more: Some(may("path", Type::AssetPath, "\"firmware.img\"", "more of them, loaded in this order")),
        doc: "The initial RAM disks of a profile.",
        example: "initrd \"debian-12/initrd.img\"",
        ..BASE
    },
    NodeSpec {
        name: "cmdline",
        within: &["profile"],
        more: Some(may("word", Type::Text, "quiet", "one word of the kernel's command line")),
        doc: "Words for the kernel's command line; those of parents and modules come first.",
        example: "cmdline quiet ro",
        ..BASE
    },
    NodeSpec {
        name: "chain",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "\"memtest/memtest.bin\"", "another boot loader, below the assets folder")],
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
        name: "asset",
        within: &["profile"],
        args: &[need("path", Type::AssetPath, "\"live/filesystem.squashfs\"", "a file below the assets folder")],
        more: Some(may("path", Type::AssetPath, "\"live/firmware.squashfs\"", "more of them")),
        doc: "Files that the started system fetches by itself, over HTTP; they are pinned and served as kernels are.",
        example: "asset \"live/filesystem.squashfs\"",
        ..BASE
    },
    NodeSpec {
        name: "file",
        within: &["profile"],
        args: &[need("name", Type::Text, "\"preseed.cfg\"", "its name: machines fetch it as files/PROFILE/NAME by HTTP or TFTP")],
        props: &[need("from", Type::SourcePath, "\"files/preseed.cfg.tera\"", "the text, below the site folder, or below the module's; one that ends in .tera is a template")],
        doc: "A text that machines fetch while they start, such as an installer's answers.",
        example: "file \"preseed.cfg\" from=\"files/preseed.cfg.tera\"",
        ..BASE
    },
    NodeSpec {
        name: "menu",
        within: ANYWHERE,
        props: &[
            may("default", Type::Refers(Kind::Profile), "local", "the entry that starts by itself"),
            may("timeout", Type::Duration(0, HOUR), "\"5s\"", "how long the menu waits").or("\"5s\""),
        ],
        doc: "The menu of hosts without a profile and of unknown clients.",
        example: "menu default=local timeout=\"5s\" { entry local; entry rescue }",
        ..BASE
    },
    NodeSpec {
        name: "entry",
        within: &["menu"],
        args: &[need("profile", Type::Refers(Kind::Profile), "rescue", "the profile that it starts; `local` is the machine's own disk")],
        doc: "One line of the menu.",
        example: "entry rescue",
        ..BASE
    },
];

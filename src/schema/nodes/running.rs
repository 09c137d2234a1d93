//! Machines that already run: how the boot server logs in on them, and what is kept of them.

use super::{ANYWHERE, BASE, NodeSpec, Type, may, need};

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "ssh",
        within: ANYWHERE,
        props: &[
            may(
                "on",
                Type::Names,
                "\"group:office, host:nas\"",
                "the hosts, with commas between them: networks, group:NAME, tag:NAME, host:NAME, addresses, ranges; all hosts where it is absent",
            ),
            may("user", Type::Text, "admin", "who logs in; anybody but root needs `sudo -n` there").or("root"),
            may("port", Type::Int(1, 65_535), "2222", "the port of sshd").or("22"),
        ],
        doc: "How the boot server logs in on hosts by ssh, with the keys of whoever runs pxelator there. A line for a host beats one for many, and that beats one for all.",
        example: "ssh user=admin port=2222 on=\"host:nas\"",
        ..BASE
    },
    NodeSpec {
        name: "track",
        within: ANYWHERE,
        args: &[need("folder", Type::Text, "\"/etc\"", "the folder on the machine, with all that lies below it")],
        props: &[
            need(
                "on",
                Type::Names,
                "\"group:office, host:nas\"",
                "the hosts, with commas between them: group:NAME, tag:NAME, host:NAME, networks, addresses, ranges",
            ),
            may(
                "except",
                Type::Names,
                "\"/etc/mtab, *.cache\"",
                "what is left out, with commas between: a path below the folder, or the name of files and folders; `*` is any part of a name and `?` a letter",
            ),
        ],
        doc: "Keeps a folder of machines that already run: `pxelator track pull` fetches it over ssh into git on the boot server. Private keys and password hashes are never fetched.",
        example: "track \"/etc\" on=\"group:office, host:nas\" except=\"/etc/mtab, *.cache\"",
        ..BASE
    },
];

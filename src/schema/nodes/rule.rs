//! What holds on machines that already run, and how it is brought about.

use super::{ANYWHERE, BASE, NodeSpec, Slot, Type, may, need};

const fn path(doc: &'static str, example: &'static str) -> Slot {
    need("path", Type::Text, example, doc)
}

const fn mode(default: &'static str) -> Slot {
    may("mode", Type::Text, "\"0640\"", "its permissions, in octal").or(default)
}

const OWNER: Slot = may("owner", Type::Text, "www-data", "to whom it belongs").or("root");
const GROUP: Slot = may("group", Type::Text, "www-data", "its group").or("root");

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "rule",
        within: ANYWHERE,
        args: &[need("name", Type::Text, "\"web/site\"", "its name: small letters, digits and `-`, with slashes between words")],
        props: &[
            need(
                "on",
                Type::Names,
                "\"group:office\"",
                "the hosts, with commas between them: group:NAME, tag:NAME, host:NAME, networks, addresses, ranges",
            ),
            may("doc", Type::Text, "\"The intranet's page\"", "what it is for"),
            may(
                "after",
                Type::Names,
                "\"web/install\"",
                "rules that must hold before this one is applied, with commas between them",
            ),
        ],
        doc: "What must hold on hosts, as `pxelator rule plan` looks it up and `pxelator rule apply` brings it about.",
        example: "rule \"time/zone\" on=\"group:office\" { link \"/etc/localtime\" to=\"/usr/share/zoneinfo/Europe/Zagreb\" }",
        ..BASE
    },
    NodeSpec {
        name: "package",
        within: &["rule"],
        args: &[need("name", Type::Text, "nginx", "the package, as apt-get knows it")],
        more: Some(may("name", Type::Text, "curl", "more of them")),
        doc: "Packages that are installed.",
        example: "package nginx curl",
        ..BASE
    },
    NodeSpec {
        name: "file",
        within: &["rule"],
        args: &[path("the file on the host", "\"/etc/motd\"")],
        props: &[
            need(
                "from",
                Type::SourcePath,
                "\"files/motd\"",
                "the text, below the site folder, or below the module's; one that ends in .tera is a template",
            ),
            mode("\"0644\""),
            OWNER,
            GROUP,
        ],
        doc: "A file that says this and nothing else; its folder must exist.",
        example: "file \"/etc/motd\" from=\"files/motd\" mode=\"0644\"",
        ..BASE
    },
    NodeSpec {
        name: "folder",
        within: &["rule"],
        args: &[path("the folder on the host", "\"/srv/www\"")],
        props: &[mode("\"0755\""), OWNER, GROUP],
        doc: "A folder that exists; what lies in it is not looked at.",
        example: "folder \"/srv/www\" mode=\"0755\" owner=www-data group=www-data",
        ..BASE
    },
    NodeSpec {
        name: "link",
        within: &["rule"],
        args: &[path("where the link lies", "\"/etc/localtime\"")],
        props: &[need("to", Type::Text, "\"/usr/share/zoneinfo/Europe/Zagreb\"", "what it points to")],
        doc: "A symbolic link.",
        example: "link \"/etc/localtime\" to=\"/usr/share/zoneinfo/Europe/Zagreb\"",
        ..BASE
    },
    NodeSpec {
        name: "absent",
        within: &["rule"],
        args: &[path(
            "what is not there: a file, a link, or a folder that holds nothing",
            "\"/etc/nginx/sites-enabled/default\"",
        )],
        doc: "Something that must not be there.",
        example: "absent \"/etc/nginx/sites-enabled/default\"",
        ..BASE
    },
    NodeSpec {
        name: "check",
        within: &["rule"],
        args: &[need("command", Type::Text, "\"systemctl is-enabled nginx\"", "for sh; it changes nothing, and asks nothing")],
        doc: "A command that ends with 0 where the rule is kept, with 1 where it is not; any other end is unknown, and then nothing is applied.",
        example: "check \"systemctl is-enabled nginx\"",
        ..BASE
    },
    NodeSpec {
        name: "apply",
        within: &["rule"],
        args: &[need("command", Type::Text, "\"systemctl enable --now nginx\"", "for sh, as root")],
        doc: "A command that runs where a check of the rule said 1, or where one of its files, folders, links or packages was changed.",
        example: "apply \"systemctl enable --now nginx\"",
        ..BASE
    },
    NodeSpec {
        name: "manual",
        within: &["rule"],
        args: &[need("text", Type::Text, "\"Open the firewall of the building's router.\"", "what a person does")],
        doc: "What only a person can do; it is told, and never run.",
        example: "manual \"Open the firewall of the building's router.\"",
        ..BASE
    },
];

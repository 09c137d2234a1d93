//! What is watched, and who is told.

use super::{ANYWHERE, BASE, HOUR, NodeSpec, Type, may, need};

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "check",
        within: ANYWHERE,
        args: &[
            need(
                "kind",
                Type::OneOf(&["ping", "tcp", "http", "dns"]),
                "ping",
                "how hosts are asked: by ping, a TCP port, a page of HTTP, or a DNS name that they shall know",
            ),
            may(
                "target",
                Type::Any,
                "445",
                "the port of tcp; the page of http, as \"/status\", \":8080/status\" or a whole URL; the name for dns; nothing for ping",
            ),
        ],
        props: &[
            need(
                "on",
                Type::Names,
                "\"group:kiosks\"",
                "the hosts, with commas between them: group:NAME, tag:NAME, host:NAME, networks, addresses, ranges",
            ),
            may("every", Type::Duration(1, HOUR), "\"30s\"", "how often each host is asked").or("\"1m\""),
            may("fails", Type::Int(1, 20), "5", "how often in a row a host must fail until somebody is told").or("3"),
        ],
        doc: "Asks hosts whether they do their work; a host that its schedule has off is not asked.",
        example: "check ping on=\"group:kiosks, host:nas\"",
        ..BASE
    },
    NodeSpec {
        name: "alerts",
        within: ANYWHERE,
        doc: "Who is told when a check fails, and again when all is well.",
        example: "alerts { mail \"admin@lab.example\" through=\"10.77.0.51:25\" }",
        ..BASE
    },
    NodeSpec {
        name: "mail",
        within: &["alerts"],
        args: &[need("to", Type::Text, "\"admin@lab.example\"", "whose mailbox")],
        props: &[
            need("through", Type::Text, "\"10.77.0.51:25\"", "the mail server, and its port where it is not 25"),
            may("from", Type::Text, "\"boot@lab.example\"", "who writes; pxelator at the site's domain where it is absent"),
            may("user", Type::Text, "pxelator", "who logs in at the mail server"),
            may("password", Type::Secret, "(secret)mail", "the user's password"),
            may(
                "tls",
                Type::OneOf(&["none", "starttls", "tls"]),
                "starttls",
                "how it is encrypted: tls from the first byte (as at port 465, where it is absent), starttls (as at 587), none elsewhere",
            ),
        ],
        doc: "A mailbox that gets a mail when something fails, and another one when it is well again.",
        example: "mail \"admin@lab.example\" through=\"10.77.0.51:25\"",
        ..BASE
    },
    NodeSpec {
        name: "webhook",
        within: &["alerts"],
        args: &[need("url", Type::Text, "\"https://chat.lab.example/hook\"", "where the news is sent as JSON, by POST")],
        props: &[may("token", Type::Secret, "(secret)hook", "what is sent with it as `Authorization: Bearer`")],
        doc: "A program that gets the same news as JSON.",
        example: "webhook \"https://chat.lab.example/hook\" token=(secret)hook",
        ..BASE
    },
];

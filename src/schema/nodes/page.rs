//! What a browser sees.

use super::{ANYWHERE, BASE, NodeSpec, Type, may};

pub(super) const NODES: &[NodeSpec] = &[NodeSpec {
    name: "page",
    within: ANYWHERE,
    props: &[
        may("port", Type::Int(1024, 65_535), "8081", "the port; one below 1024 needs root, which is given up before it is bound")
            .or("8080"),
        may(
            "from",
            Type::Names,
            "\"group:office, host:boot\"",
            "whose browsers may look, with commas between them: networks, group:NAME, tag:NAME, host:NAME, addresses, ranges; all networks of the site where it is absent, and the boot server itself always",
        ),
    ],
    once: true,
    doc: "A page for browsers: what is wrong, every host with its state, what happened, trends, alerts and generations. It changes nothing, and asks for no login.",
    example: "page port=8080 from=\"group:office\"",
    ..BASE
}];

//! What a module declares.

use super::{BASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "module",
        args: &[need("name", Type::Declares(Kind::Module), "kiosk", "the module's name, which is its file's or folder's too")],
        once: true,
        doc: "Declares a module: options, and the config that they make.",
        example: "module kiosk { option url (url)required doc=\"Start page\" }",
        ..BASE
    },
    NodeSpec {
        name: "doc",
        within: &["module"],
        args: &[need("text", Type::Text, "\"Browser kiosk.\"", "what the module is for")],
        once: true,
        doc: "What a module is for.",
        example: "doc \"Browser kiosk.\"",
        ..BASE
    },
    NodeSpec {
        name: "option",
        within: &["module", "option"],
        args: &[
            need("name", Type::Declares(Kind::Option), "url", "the option's name, used as {name}"),
            need("default", Type::Any, "(url)required", "(TYPE)required, or (TYPE) and the default; `#null` for an empty list"),
        ],
        more: Some(may("default", Type::Any, "\"ro\"", "more items of a list's default")),
        props: &[
            need("doc", Type::Text, "\"Start page\"", "what it is for"),
            may("example", Type::Any, "\"https://intra.example/\"", "a value as people write it"),
            may("min", Type::Any, "\"30s\"", "the least number or duration; the fewest characters, or items of a list"),
            may("max", Type::Any, "\"1h\"", "the greatest number or duration; the most characters, or items of a list"),
            may("values", Type::Names, "\"dark,light\"", "the words of an enum, with commas between them"),
            may("of", Type::Text, "string", "the type of a list's items").or("string"),
            may("to", Type::OneOf(REFERENCES), "profile", "what a reference names"),
        ],
        doc: "Declares an option. Types: bool, int, string, enum, duration, url, ip, cidr, mac, path, secret, reference, list, submodule.",
        example: "option idle (duration)\"5m\" doc=\"Back to the start page\" min=\"30s\"",
        ..BASE
    },
    NodeSpec {
        name: "settings",
        within: &["module"],
        props: &[need("doc", Type::Text, "\"Words for the browser\"", "what becomes of them")],
        once: true,
        doc: "Lets a `use` line have a block `settings { NAME VALUE }` for what nobody foresaw: {settings} makes each NAME=VALUE an argument.",
        example: "settings doc=\"Words for the kernel's command line\"",
        ..BASE
    },
    NodeSpec {
        name: "renamed",
        within: &["module"],
        args: &[need("option", Type::Text, "homepage", "the name that it had")],
        props: &[
            need("to", Type::Refers(Kind::Option), "url", "the name that it has"),
            need("since", Type::Text, "\"2027.1\"", "the release or date of the change"),
        ],
        doc: "An option that got another name: the old one still works, with a warning.",
        example: "renamed homepage to=url since=\"2027.1\"",
        ..BASE
    },
    NodeSpec {
        name: "removed",
        within: &["module"],
        args: &[
            need("option", Type::Text, "flash", "the name that it had"),
            need("sentence", Type::Text, "\"browsers have none now\"", "why, and what to do instead"),
        ],
        props: &[need("since", Type::Text, "\"2027.1\"", "the release or date of the change")],
        doc: "An option that is gone: whoever still sets it is told why.",
        example: "removed flash since=\"2027.1\" \"browsers have none now: delete the line\"",
        ..BASE
    },
    NodeSpec {
        name: "config",
        within: &["module"],
        doc: "What the module defines, with {option} in its values; {name} is the name of the `use` line.",
        example: "config { profile kiosk { cmdline \"kiosk.url={url}\" } }",
        ..BASE
    },
];

/// What a reference may name.
pub const REFERENCES: &[&str] = &["host", "group", "network", "profile", "schedule"];

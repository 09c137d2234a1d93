//! Roots over NFS: bases, overlays, and the files that the site puts into them.

use super::{ANYWHERE, BASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "nfs",
        within: ANYWHERE,
        args: &[may("folder", Type::Text, "\"/srv/nfs\"", "the folder on the boot server: base/, upper/ and root/ lie in it")],
        doc: "Systems that machines start over NFS: bases, and overlays that each machine may change as it likes.",
        example: "nfs \"/srv/nfs\" { base \"debian-12\"; overlay kiosk over=\"debian-12\" }",
        ..BASE
    },
    NodeSpec {
        name: "base",
        within: &["nfs"],
        args: &[need("name", Type::Declares(Kind::Base), "\"debian-12\"", "its name; its files lie in base/NAME of the folder")],
        doc: "A system that many machines share and that overlays leave as it is.",
        example: "base \"debian-12\"",
        ..BASE
    },
    NodeSpec {
        name: "overlay",
        within: &["nfs"],
        args: &[need("name", Type::Declares(Kind::Overlay), "kiosk", "its name, used by `root overlay=`")],
        props: &[
            may("over", Type::Refers(Kind::Base), "\"debian-12\"", "the base beneath it"),
            may("union", Type::OneOf(&["overlayfs", "aufs"]), "overlayfs", "the file system that joins them; aufs is in no Debian kernel").or("overlayfs"),
            may("upper", Type::Text, "\"/srv/upper/kiosk\"", "where the machines' changes lie; upper/NAME of the folder if absent"),
        ],
        doc: "A writable system over a base: each host that starts it has changes of its own.",
        example: "overlay kiosk over=\"debian-12\" union=overlayfs",
        ..BASE
    },
    NodeSpec {
        name: "file",
        within: &["overlay"],
        args: &[need("path", Type::Text, "\"/etc/motd\"", "the file in the machine's system")],
        props: &[
            need("from", Type::SourcePath, "\"files/motd\"", "the text, below the site folder, or below the module's; one that ends in .tera is a template"),
            may("mode", Type::Text, "\"0755\"", "its permissions, in octal").or("\"0644\""),
        ],
        doc: "A file that every machine of the overlay has; it belongs to root.",
        example: "file \"/etc/motd\" from=\"files/motd\" mode=\"0644\"",
        ..BASE
    },
    NodeSpec {
        name: "root",
        within: &["profile"],
        props: &[
            may("overlay", Type::Refers(Kind::Overlay), "kiosk", "a writable system over a base, with changes of the machine's own"),
            may("base", Type::Refers(Kind::Base), "\"debian-12\"", "a base itself, read-only"),
            may("write", Type::Bool, "#true", "let the machine change the base: it must be under no overlay that is in use").or("#false"),
        ],
        once: true,
        doc: "What the kernel of a profile mounts as its root, over NFS.",
        example: "root overlay=kiosk",
        ..BASE
    },
];

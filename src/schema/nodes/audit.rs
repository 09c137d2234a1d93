//! What happens: how long it is kept, and where else.

use super::{ANYWHERE, BASE, DAY, NodeSpec, Type, may, need};

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "audit",
        within: ANYWHERE,
        props: &[may("keep", Type::Duration(DAY, 36_500 * DAY), "\"365d\"", "how long the boot server keeps what happened, at least until every sink has it").or("\"365d\"")],
        doc: "What happened is always kept on the boot server, for `pxelator audit`; this says how long, and where else.",
        example: "audit keep=\"365d\" { couchdb \"http://10.77.0.51:5984/audit\" }",
        ..BASE
    },
    NodeSpec {
        name: "couchdb",
        within: &["audit"],
        args: &[need("url", Type::Text, "\"http://10.77.0.51:5984/audit\"", "the database, which is made if it does not exist")],
        props: &[
            may("user", Type::Text, "pxelator", "who writes to it"),
            may("password", Type::Secret, "(secret)couchdb", "the user's password"),
        ],
        doc: "A CouchDB that gets everything that happened, as a document for each source and second.",
        example: "couchdb \"http://10.77.0.51:5984/audit\" user=pxelator password=(secret)couchdb",
        ..BASE
    },
];

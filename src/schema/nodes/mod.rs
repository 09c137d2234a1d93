//! The table itself: families of nodes in the order in which a site is usually written.

mod audit;
mod boot;
mod dns;
mod engines;
mod module;
mod monitor;
mod network;
mod nfs;
mod page;
mod power;
mod rule;
mod running;
mod site;
mod trend;
mod vm;

use super::{FIRST, NodeSpec, Slot, Type};

pub use dns::COMMAND;
pub use engines::ENGINES;
pub use module::REFERENCES;
pub use site::HOST_FACTS;

/// Nodes that belong together: a chapter of the reference.
#[derive(Debug)]
pub struct Family {
    pub title: &'static str,
    pub nodes: &'static [NodeSpec],
}

/// Every node of the language.
pub const FAMILIES: &[Family] = &[
    Family { title: "The site and its files", nodes: site::NODES },
    Family { title: "Networks and hosts", nodes: network::NODES },
    Family { title: "What machines start", nodes: boot::NODES },
    Family { title: "Roots over NFS", nodes: nfs::NODES },
    Family { title: "Virtual machines", nodes: vm::NODES },
    Family { title: "When machines are on", nodes: power::NODES },
    Family { title: "Names", nodes: dns::NODES },
    Family { title: "What happens", nodes: audit::NODES },
    Family { title: "What is watched", nodes: monitor::NODES },
    Family { title: "What is measured", nodes: trend::NODES },
    Family { title: "The page", nodes: page::NODES },
    Family { title: "Machines that already run", nodes: running::NODES },
    Family { title: "What holds on machines", nodes: rule::NODES },
    Family { title: "Other servers", nodes: engines::NODES },
    Family { title: "Modules", nodes: module::NODES },
];

/// Every node, in the order of the families.
pub fn nodes() -> impl Iterator<Item = &'static NodeSpec> {
    FAMILIES.iter().flat_map(|family| family.nodes)
}

/// The node `name` as it may stand in `parent`.
pub fn find(name: &str, parent: &str) -> Option<&'static NodeSpec> {
    nodes().find(|spec| spec.name == name && spec.within.contains(&parent))
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// How long an address may be given: a minute to a year.
const LEASE: Type = Type::Duration(60, 365 * DAY);
/// How long a record may be kept.
const TTL: Type = Type::Duration(0, 365 * DAY);

/// Nodes that a module's `config` may hold: what a file holds, but for the module system itself.
const ANYWHERE: &[&str] = &["", "config"];

/// Fields that most nodes leave as they are.
const BASE: NodeSpec =
    NodeSpec { name: "", within: &[""], args: &[], more: None, props: &[], once: false, doc: "", example: "", since: FIRST };

const fn need(name: &'static str, kind: Type, example: &'static str, doc: &'static str) -> Slot {
    Slot { name, kind, required: true, default: None, doc, example, since: FIRST }
}

const fn may(name: &'static str, kind: Type, example: &'static str, doc: &'static str) -> Slot {
    Slot { name, kind, required: false, default: None, doc, example, since: FIRST }
}

impl Slot {
    const fn or(self, default: &'static str) -> Slot {
        Slot { default: Some(default), ..self }
    }
}

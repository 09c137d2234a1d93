//! Definitions → [`Config`]: files and modules become one set of nodes, each meaning one thing.
//!
//! [`imports`] finds the files, [`scope`] fills `{names}`, [`modules`] instantiates what `use` names,
//! [`merge`] joins nodes of one name by priority, and lets profiles inherit.
//!
//! **Invariant:** total. There is no recursion without a named depth, no value without a size limit,
//! and the order of files and lines never changes the result.

mod imports;
mod merge;
mod modules;
mod scope;

use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::{FileId, Sources, Span};
use crate::syntax::Node;

pub use merge::{Choice, Merged};

/// What a site evaluates to: every node conforms to the schema, merged nodes are single, names are filled.
#[derive(Debug, Default)]
pub struct Config<'s> {
    pub site: Option<Node<'s>>,
    pub assets: Option<Node<'s>>,
    /// With their pools, groups and hosts.
    pub networks: Vec<Node<'s>>,
    /// Hosts and groups outside of a network.
    pub strays: Vec<Node<'s>>,
    /// By name, parents' values taken over.
    pub profiles: Vec<Merged<'s>>,
    pub menu: Option<Merged<'s>>,
    pub dns: Option<Merged<'s>>,
}

/// Evaluates the site that begins in the file `entry`.
pub fn evaluate<'s>(sources: &'s Sources, entry: &str, diags: &mut Diags) -> Config<'s> {
    let Some(start) = sources.find(entry) else { return Config::default() };
    let mut files = imports::reachable(sources, start, diags);
    let lets = scope::collect_lets(&mut files, diags);
    let mut scope = scope::Scope::new(lets, diags);
    for imports::File { id, nodes } in &mut files {
        // A module that an import swept up defines nothing by itself.
        let is_module = sources.name(*id).starts_with("modules/");
        nodes.retain(|node| !(is_module && node.name.text == "module"));
        scope.fill(nodes, diags);
        schema::conform(nodes, "", diags);
    }
    let mut definitions = modules::instantiate(sources, &mut files, diags);
    definitions.extend(files.into_iter().flat_map(|file| file.nodes));
    sort_out(definitions, start, diags)
}

/// Each node to its place in the config; those of one kind merge.
fn sort_out<'s>(definitions: Vec<Node<'s>>, start: FileId, diags: &mut Diags) -> Config<'s> {
    let mut config = Config::default();
    let (mut profiles, mut menus, mut dns) = (Vec::new(), Vec::new(), Vec::new());
    for node in definitions {
        match &*node.name.text {
            "site" => single(&mut config.site, node, diags),
            "assets" => single(&mut config.assets, node, diags),
            "network" => config.networks.push(node),
            "host" | "group" => config.strays.push(node),
            "profile" => profiles.push(node),
            "menu" => menus.push(node),
            "dns" => dns.push(node),
            "module" => diags.push(
                Diag::new("schema/unknown-node", node.span, "a module is declared in a file that is imported")
                    .help("put it into modules/NAME.kdl, and write `use NAME` here"),
            ),
            _ => {} // let, import and use have done their work
        }
    }
    if config.site.is_none() && diags.errors() == 0 {
        let span = Span::new(start, 0, 0);
        diags.push(Diag::new("schema/missing", span, "there is no `site` node").help("begin with: site lab domain=\"lab.example\""));
    }
    config.profiles = merge::inherit(merge::by_name(profiles, diags), diags);
    config.menu = merge::one(menus, diags);
    config.dns = merge::one(dns, diags);
    config
}

fn single<'s>(slot: &mut Option<Node<'s>>, node: Node<'s>, diags: &mut Diags) {
    match slot {
        Some(first) => diags.push(schema::twice(&node, first)),
        None => *slot = Some(node),
    }
}

//! Definitions → [`Config`]: files and modules become one set of nodes, each meaning one thing.
//!
//! [`imports`] finds the files, [`scope`] fills `{names}` with what [`expression`] computes and runs
//! `repeat`, [`modules`] instantiates what `use` names, [`merge`] joins nodes of one name by
//! [`priority`], and lets profiles inherit.
//!
//! **Invariant:** total. There is no recursion without a named depth, no value without a size limit
//! ([`budget`]), and the order of files and lines never changes the result.

mod budget;
mod datum;
mod expression;
mod imports;
mod merge;
mod modules;
mod priority;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::{FileId, Sources, Span};
use crate::syntax::Node;

pub use merge::{Choice, FOLDER, Merged};
pub use priority::Beaten;

/// What a site evaluates to: every node conforms to the schema, merged nodes are single, names are filled.
#[derive(Debug, Default)]
pub struct Config<'s> {
    pub site: Option<Node<'s>>,
    pub assets: Option<Node<'s>>,
    pub runbooks: Option<Node<'s>>,
    /// With their pools, groups and hosts.
    pub networks: Vec<Node<'s>>,
    /// Hosts and groups outside of a network.
    pub strays: Vec<Node<'s>>,
    /// By name, parents' values taken over.
    pub profiles: Vec<Merged<'s>>,
    pub menu: Option<Merged<'s>>,
    pub dns: Option<Merged<'s>>,
    pub nfs: Option<Merged<'s>>,
    /// By name.
    pub overlays: Vec<Merged<'s>>,
    pub audit: Option<Merged<'s>>,
    pub checks: Vec<Node<'s>>,
    pub alerts: Option<Merged<'s>>,
    /// Folders of machines that already run.
    pub tracks: Vec<Node<'s>>,
    pub page: Option<Node<'s>>,
    pub trends: Option<Node<'s>>,
    pub secrets: Vec<Node<'s>>,
    pub snapshots: Vec<Node<'s>>,
    pub schedules: Vec<Node<'s>>,
    /// Those of the site; they add up.
    pub holidays: Vec<Node<'s>>,
    /// How the boot server logs in.
    pub logins: Vec<Node<'s>>,
    /// Other servers that the site is written down for.
    pub engines: Vec<Node<'s>>,
    pub rules: Vec<Node<'s>>,
    /// `assert` and `warn`.
    pub claims: Vec<Node<'s>>,
    /// Names that options hold, which must exist.
    pub references: Vec<Reference>,
    /// What was decided about options, for `why`.
    pub facts: Vec<Fact>,
    /// What templates see: by instance, 0 is the site itself.
    pub templates: BTreeMap<usize, TemplateScope>,
    /// For each instance the `use` line behind it.
    pub instances: Vec<Span>,
}

/// The name of a declared thing, as an option holds it.
#[derive(Clone, Debug)]
pub struct Reference {
    pub kind: String,
    pub name: String,
    pub span: Span,
}

/// A value that was decided: what it is, where it stands, why it won, and what it beat.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Such as `profile.kiosk.kernel`.
    pub path: String,
    pub value: String,
    pub span: Span,
    pub why: String,
    pub beaten: Vec<Beaten>,
}

/// The names that a template may use.
#[derive(Clone, Debug, Default)]
pub struct TemplateScope {
    pub values: BTreeMap<String, serde_json::Value>,
    /// Options that hold the name of a secret: a template that uses one would write it down.
    pub secrets: BTreeSet<String>,
}

impl TemplateScope {
    fn of(scope: &scope::Scope<'_>, settings: Option<BTreeMap<String, datum::Datum<'_>>>) -> TemplateScope {
        let mut values = scope.for_templates();
        let map = |settings: BTreeMap<String, datum::Datum<'_>>| settings.into_iter().filter_map(|(name, value)| Some((name, value.to_json()?))).collect();
        values.extend(settings.map(|settings| ("settings".to_owned(), serde_json::Value::Object(map(settings)))));
        TemplateScope { values, secrets: scope.secrets() }
    }
}

/// Evaluates the site that begins in the file `entry`.
pub fn evaluate<'s>(sources: &'s Sources, entry: &str, diags: &mut Diags) -> Config<'s> {
    let Some(start) = sources.find(entry) else { return Config::default() };
    let mut budget = budget::Budget::default();
    let mut files = imports::reachable(sources, start, diags);
    let lets = files.iter_mut().flat_map(|file| scope::take_lets(&mut file.nodes, "", diags)).collect();
    let scope = scope::Scope::of_site(lets, &mut budget, diags);
    for imports::File { id, nodes } in &mut files {
        // A module that an import swept up defines nothing by itself.
        let is_module = sources.name(*id).starts_with("modules/");
        nodes.retain(|node| !(is_module && node.name.text == "module"));
        scope.fill(nodes, &mut budget, diags);
        schema::conform(nodes, "", diags);
    }
    let mut made = modules::instantiate(sources, &mut files, &mut budget, diags);
    made.nodes.extend(files.into_iter().flat_map(|file| file.nodes));
    made.templates.insert(0, TemplateScope::of(&scope, None));
    sort_out(made, start, &mut budget, diags)
}

/// Each node to its place in the config; those of one kind merge.
fn sort_out<'s>(made: modules::Made<'s>, start: FileId, budget: &mut budget::Budget, diags: &mut Diags) -> Config<'s> {
    let modules::Made { nodes, instances, facts, references, templates } = made;
    let mut config = Config { instances, facts, references, templates, ..Config::default() };
    let (mut profiles, mut menus, mut dns, mut nfs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut audits, mut alerts) = (Vec::new(), Vec::new());
    for node in nodes {
        match &*node.name.text {
            "site" => single(&mut config.site, node, diags),
            "assets" => single(&mut config.assets, node, diags),
            "runbooks" => single(&mut config.runbooks, node, diags),
            "network" => config.networks.push(node),
            "host" | "vm" | "group" => config.strays.push(node),
            "profile" => profiles.push(node),
            "menu" => menus.push(node),
            "dns" => dns.push(node),
            "nfs" => nfs.push(node),
            "audit" => audits.push(node),
            "check" => config.checks.push(node),
            "ssh" => config.logins.push(node),
            "alerts" => alerts.push(node),
            "track" => config.tracks.push(node),
            "page" => single(&mut config.page, node, diags),
            "trends" => single(&mut config.trends, node, diags),
            "secret" => config.secrets.push(node),
            "snapshot" => config.snapshots.push(node),
            "schedule" => config.schedules.push(node),
            "holidays" => config.holidays.push(node),
            "engine" => config.engines.push(node),
            "rule" => config.rules.push(node),
            "assert" | "warn" => config.claims.push(node),
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
    config.profiles = merge::inherit(merge::by_name(profiles, diags), budget, diags);
    config.menu = merge::one(menus, diags);
    config.dns = merge::one(dns, diags);
    config.nfs = merge::one(nfs, diags);
    config.audit = merge::one(audits, diags);
    config.alerts = merge::one(alerts, diags);
    let overlays = config.nfs.iter().flat_map(|nfs| nfs.list("overlay")).cloned().collect();
    config.overlays = merge::unite(overlays, diags);
    config
}

fn single<'s>(slot: &mut Option<Node<'s>>, node: Node<'s>, diags: &mut Diags) {
    match slot {
        Some(first) => diags.push(schema::twice(&node, first)),
        None => *slot = Some(node),
    }
}

//! `use`: a module's config with the options that the site gave it.
//!
//! All `use` lines of one module and one name merge into one instance. Modules that use modules come
//! before those that they use, so that an instance is made when every line about it is known.
//! [`options`] reads what a module declares, [`bind`] what the lines say.

mod bind;
mod load;
mod options;

use std::collections::BTreeMap;

use bind::Binder;
use load::{Module, inner_uses};

use super::budget::Budget;
use super::datum::Datum;
use super::imports::File;
use super::scope::{Scope, take_lets};
use super::{Fact, Reference, TemplateScope};
use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::{INSTANCES_MAX, Sources, Span};
use crate::syntax::{Node, Value};

/// How deep modules may use modules.
const DEPTH_MAX: usize = 16;

/// What modules contribute to a site.
#[derive(Default)]
pub(super) struct Made<'s> {
    /// Definitions, modules by name first.
    pub(super) nodes: Vec<Node<'s>>,
    /// For each instance the `use` line behind it.
    pub(super) instances: Vec<Span>,
    pub(super) facts: Vec<Fact>,
    pub(super) references: Vec<Reference>,
    /// What the templates of an instance see, by the number of the instance.
    pub(super) templates: BTreeMap<usize, TemplateScope>,
}

/// The lines about each instance: module → name → lines.
type Uses<'s> = BTreeMap<String, BTreeMap<String, Vec<Node<'s>>>>;

/// Takes the `use` lines out of these files and gives what they define.
pub(super) fn instantiate<'s>(sources: &'s Sources, files: &mut [File<'s>], budget: &mut Budget, diags: &mut Diags) -> Made<'s> {
    let mut workshop =
        Workshop { sources, uses: Uses::new(), modules: BTreeMap::new(), order: Vec::new(), made: Made::default(), nodes: BTreeMap::new(), budget, diags };
    for file in files {
        if file.nodes.iter().any(|node| node.name.text == "use") {
            let (uses, rest) = std::mem::take(&mut file.nodes).into_iter().partition(|node| node.name.text == "use");
            file.nodes = rest;
            uses.into_iter().for_each(|line| workshop.request(line));
        }
    }
    workshop.run()
}

struct Workshop<'s, 'd> {
    sources: &'s Sources,
    uses: Uses<'s>,
    /// Those that could be read; a name without one was reported.
    modules: BTreeMap<String, Option<Module<'s>>>,
    /// Modules, those that are used before those that use them.
    order: Vec<String>,
    made: Made<'s>,
    /// Module and instance → definitions.
    nodes: BTreeMap<(String, String), Vec<Node<'s>>>,
    budget: &'d mut Budget,
    diags: &'d mut Diags,
}

impl<'s> Workshop<'s, '_> {
    /// Takes note of a `use` line.
    fn request(&mut self, line: Node<'s>) {
        let Some(module) = line.title().map(str::to_owned) else { return };
        let name = line.arg(1).and_then(|entry| entry.text()).unwrap_or(&module).to_owned();
        self.uses.entry(module).or_default().entry(name).or_default().push(line);
    }

    fn run(mut self) -> Made<'s> {
        let first: Vec<Node<'s>> = self.uses.values().flat_map(|instances| instances.values().flatten()).cloned().collect();
        for line in first {
            self.visit(&line, &mut Vec::new());
        }
        for name in std::mem::take(&mut self.order).into_iter().rev() {
            let Some(Some(module)) = self.modules.remove(&name) else { continue };
            for (instance, mut lines) in self.uses.remove(&name).unwrap_or_default() {
                lines.sort_by_key(|line| line.span);
                self.instance(&module, &instance, &lines);
            }
        }
        self.made.nodes = self.nodes.into_values().flatten().collect();
        self.made
    }

    /// Reads a module and those that it uses; a circle is refused.
    fn visit(&mut self, line: &Node<'s>, chain: &mut Vec<String>) {
        let Some(name) = line.title().map(str::to_owned) else { return };
        if chain.contains(&name) {
            let from = chain.iter().position(|known| *known == name).unwrap_or(0);
            let circle: Vec<&str> = chain.iter().skip(from).map(String::as_str).chain([name.as_str()]).collect();
            let diag = Diag::new("eval/use-cycle", line.span, format!("modules use each other in a circle: {}", circle.join(" → ")));
            self.diags.push(diag.help("one of them must stand on its own"));
            return self.diags.lose_unknown();
        }
        if self.modules.contains_key(&name) {
            return;
        }
        if chain.len() >= DEPTH_MAX {
            let message = format!("modules use each other more than {DEPTH_MAX} deep");
            self.diags.push(Diag::new("eval/limit", line.span, message).help("use the innermost modules in site.kdl"));
            return self.diags.lose_unknown();
        }
        let module = self.new_instance(line.span).and_then(|number| load::load(self.sources, &name, line, number, self.diags));
        if module.is_none() {
            self.diags.lose_unknown();
        }
        let inner = module.as_ref().map(|module| inner_uses(&module.config)).unwrap_or_default();
        chain.push(name.clone());
        self.modules.insert(name.clone(), module);
        inner.iter().for_each(|line| self.visit(line, chain));
        chain.pop();
        self.order.push(name);
    }

    fn new_instance(&mut self, via: Span) -> Option<usize> {
        if self.made.instances.len() >= INSTANCES_MAX {
            let message = format!("modules are read and used more than {INSTANCES_MAX} times");
            self.diags.push(Diag::new("eval/limit", via, message).help("write the lines into a file and import it"));
            return None;
        }
        self.made.instances.push(via);
        Some(self.made.instances.len())
    }

    /// Makes one instance from all lines about it.
    fn instance(&mut self, module: &Module<'s>, name: &str, lines: &[Node<'s>]) {
        let Some(line) = lines.first() else { return };
        if !self.budget.made(module.weight, line.span, self.diags) {
            return;
        }
        let Some(number) = self.new_instance(line.span) else { return };
        let given: Vec<Node<'s>> = lines.iter().flat_map(|line| &line.children).cloned().collect();
        let given = module.translate(given, self.diags);
        let (settings, given): (Vec<&Node<'s>>, Vec<&Node<'s>>) =
            given.iter().partition(|node| node.name.text == "settings" && module.takes_settings);
        let Made { facts, references, .. } = &mut self.made;
        let mut binder = Binder { module: &module.name, instance: number, line: line.span, diags: self.diags, facts, references };
        let Some(mut values) = binder.bind(&module.options, &given, &format!("use.{name}")) else { return self.diags.lose_unknown() };
        let settings = self.settings(&settings);
        values.entry("name".into()).or_insert_with(|| Datum::text(name));
        if module.takes_settings {
            let words = settings.iter().map(|(name, value)| match *value == Value::Bool(true) {
                true => Datum::text(name.as_str()),
                false => Datum::text(format!("{name}={}", super::datum::show(value))),
            });
            values.insert("settings".into(), Datum::List(words.collect()));
        }
        let mut nodes: Vec<Node<'s>> = module.config.iter().chain(&module.claims).cloned().collect();
        nodes.iter_mut().for_each(|node| load::rebase(node, number));
        let lets = take_lets(&mut nodes, "config", self.diags);
        let scope = Scope::of_module(values, lets, self.budget, self.diags);
        scope.fill(&mut nodes, self.budget, self.diags);
        schema::conform(&mut nodes, "config", self.diags);
        load::below_folder(&mut nodes, &module.name);
        let map = settings.into_iter().map(|(name, value)| (name, Datum::One(value))).collect();
        self.made.templates.insert(number, TemplateScope::of(&scope, module.takes_settings.then_some(map)));
        let (uses, rest): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.name.text == "use");
        uses.into_iter().for_each(|line| self.request(line));
        self.nodes.insert((module.name.clone(), name.to_owned()), rest);
    }

    /// The free words of a `settings` block, by name.
    fn settings(&mut self, blocks: &[&Node<'s>]) -> BTreeMap<String, Value<'s>> {
        let mut all: BTreeMap<String, (Value<'s>, Span)> = BTreeMap::new();
        for node in blocks.iter().flat_map(|block| &block.children) {
            let [entry] = node.entries.as_slice() else {
                let diag = Diag::new("schema/type", node.span, format!("`{}` wants one value", node.name.text));
                self.diags.push(diag.help("a setting is a name and a value: NAME VALUE"));
                continue;
            };
            if entry.is_secret() {
                let diag = Diag::new("secret/leak", entry.value_span, "settings are written to out/: no secret can stand here");
                self.diags.push(diag.help("give it to an option that wants a secret"));
                continue;
            }
            match all.get(&*node.name.text) {
                Some((value, first)) if *value != entry.value => {
                    let (here, there) = (entry.value.literal(), value.literal());
                    let message = format!("setting `{}` is `{here}` here and `{there}` there", node.name.text);
                    let diag = Diag::new("eval/conflict", node.span, message).label(*first, format!("`{there}` here"));
                    self.diags.push(diag.help("delete one of them"));
                }
                Some(_) => {}
                None => drop(all.insert(node.name.text.to_string(), (entry.value.clone(), node.span))),
            }
        }
        all.into_iter().map(|(name, (value, _))| (name, value)).collect()
    }
}

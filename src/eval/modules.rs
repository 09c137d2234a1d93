//! `use`: a module's config with the options that the site gave it.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{File, read};
use super::scope::Scope;
use crate::diag::{Diag, Diags};
use crate::schema::{self, duration_secs, mac_bytes};
use crate::source::{Sources, Span, module_paths};
use crate::syntax::{Entry, Node, Value};

/// How deep modules may use modules.
const DEPTH_MAX: usize = 16;

/// The types that an option may have, and what a message calls them.
const OPTION_TYPES: &[(&str, &str)] = &[
    ("bool", "`#true` or `#false`"),
    ("int", "a whole number"),
    ("string", "text"),
    ("duration", "a duration such as \"5m\""),
    ("url", "a URL such as \"https://intra.example/\""),
    ("ip", "an address such as \"10.0.0.9\""),
    ("cidr", "an address range such as \"10.0.0.0/24\""),
    ("mac", "a MAC such as \"52:54:00:12:34:56\""),
    ("path", "a path"),
];

/// What the `use` lines of these files define, modules by name first.
pub(super) fn instantiate<'s>(sources: &'s Sources, files: &mut [File<'s>], diags: &mut Diags) -> Vec<Node<'s>> {
    let mut workshop = Workshop { sources, made: BTreeMap::new(), diags };
    for file in files {
        let (uses, rest) = std::mem::take(&mut file.nodes).into_iter().partition(|node| node.name.text == "use");
        file.nodes = rest;
        for line in uses {
            workshop.instance(&line, line.span, 0);
        }
    }
    workshop.made.into_values().flat_map(|(_, nodes)| nodes).collect()
}

struct Workshop<'s, 'd> {
    sources: &'s Sources,
    /// Module → the `use` line that made it, and its definitions.
    made: BTreeMap<String, (Node<'s>, Vec<Node<'s>>)>,
    diags: &'d mut Diags,
}

impl<'s> Workshop<'s, '_> {
    /// `via` is the line in the site that is to blame, also for modules within modules.
    fn instance(&mut self, line: &Node<'s>, via: Span, depth: usize) {
        let Some(name) = line.title().map(str::to_owned) else { return };
        if let Some((first, _)) = self.made.get(&name) {
            // Two modules may both need a third; only different wishes are a quarrel.
            if !same(line, first) {
                self.diags.push(schema::twice(line, first));
            }
            return;
        }
        if depth > DEPTH_MAX {
            let message = format!("modules use each other more than {DEPTH_MAX} deep");
            self.diags.push(Diag::new("eval/limit", line.span, message).help("does a module use itself?"));
            return;
        }
        let Some(module) = self.load(&name, line) else { return self.diags.lose_unknown() };
        self.made.insert(name.clone(), (line.clone(), Vec::new()));
        let Some(options) = self.bind(&name, line, &module) else { return self.diags.lose_unknown() };
        let mut scope = Scope::with(options);
        let mut nodes: Vec<Node<'s>> = module.named("config").flat_map(|config| config.children.clone()).collect();
        scope.fill(&mut nodes, self.diags);
        schema::conform(&mut nodes, "config", self.diags);
        nodes.iter_mut().for_each(|node| mark(node, via));
        let (uses, rest): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.name.text == "use");
        if let Some((_, made)) = self.made.get_mut(&name) {
            *made = rest;
        }
        for inner in uses {
            self.instance(&inner, via, depth + 1);
        }
    }

    /// The `module` node of a file, its options held against the schema, its config not yet.
    fn load(&mut self, name: &str, line: &Node<'s>) -> Option<Node<'s>> {
        let Some(file) = module_paths(name).iter().find_map(|path| self.sources.find(path)) else {
            self.diags.push(self.unknown(name, line));
            return None;
        };
        let nodes = read(self.sources, file, self.diags);
        if self.sources.get(file).is_some_and(|source| source.is_cut) {
            return None;
        }
        let Some(mut module) = nodes.into_iter().find(|node| node.name.text == "module" && node.title() == Some(name)) else {
            let message = format!("`{}` holds no `module {name}`", self.sources.name(file));
            let diag = Diag::new("eval/unknown-module", line.span, message);
            self.diags.push(diag.help(format!("begin the file with: module {name} {{ … }}")));
            return None;
        };
        let configs: Vec<Vec<Node<'s>>> =
            module.children.iter_mut().filter(|child| child.name.text == "config").map(|child| std::mem::take(&mut child.children)).collect();
        let mut alone = vec![module];
        schema::conform(&mut alone, "", self.diags);
        let mut module = alone.pop()?;
        for (config, children) in module.children.iter_mut().filter(|child| child.name.text == "config").zip(configs) {
            config.children = children;
        }
        Some(module)
    }

    fn unknown(&self, name: &str, line: &Node<'s>) -> Diag {
        let diags = &self.diags;
        let known = self.sources.iter().filter_map(|(_, source)| source.name.strip_prefix("modules/"));
        let known = known.filter_map(|path| path.strip_suffix("/module.kdl").or(path.strip_suffix(".kdl")));
        let diag = Diag::new("eval/unknown-module", line.arg(0).map_or(line.span, |arg| arg.value_span), format!("no module `{name}`"));
        match diags.nearest(name, known) {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None => diag.help(format!("write it into modules/{name}.kdl")),
        }
    }

    /// Each option's value: what the `use` line gives, or the default. `None` where one is wrong.
    fn bind(&mut self, name: &str, line: &Node<'s>, module: &Node<'s>) -> Option<BTreeMap<String, Value<'s>>> {
        let mut sound = true;
        let known: BTreeSet<&str> = module.named("option").filter_map(Node::title).collect();
        for given in &line.children {
            if !known.contains(&*given.name.text) {
                let message = format!("module `{name}` has no option `{}`", given.name.text);
                self.diags.push(Diag::new("schema/unknown-node", given.name.span, message).suggest(self.diags, &given.name.text, known.iter().copied()));
                sound = false;
            }
        }
        let mut given: BTreeMap<&str, &Node<'s>> = BTreeMap::new();
        for node in &line.children {
            if let Some(first) = given.insert(&node.name.text, node) {
                self.diags.push(schema::twice(node, first));
            }
        }
        let (mut values, mut declarations) = (BTreeMap::new(), BTreeMap::new());
        for option in module.named("option") {
            let (Some(title), Some(declared)) = (option.title(), option.arg(1)) else { continue };
            if let Some(first) = declarations.insert(title, option) {
                self.diags.push(schema::twice(option, first));
                sound = false;
            }
            match self.value(name, line, option, declared, given.get(title).copied()) {
                Some(value) => drop(values.insert(title.to_owned(), value)),
                None => sound = false,
            }
        }
        sound.then_some(values)
    }

    fn value(&mut self, module: &str, line: &Node<'s>, option: &Node<'s>, declared: &Entry<'s>, given: Option<&Node<'s>>) -> Option<Value<'s>> {
        let title = option.title().unwrap_or_default();
        let kind = declared.note.as_ref().map_or("string", |note| &note.text);
        if !OPTION_TYPES.iter().any(|(name, _)| *name == kind) {
            let diag = Diag::new("eval/option-type", declared.span, format!("unknown option type `{kind}`"));
            self.diags.push(diag.suggest(self.diags, kind, OPTION_TYPES.iter().map(|(name, _)| *name)));
            return None;
        }
        let Some(given) = given else {
            if declared.text() == Some("required") {
                let diag = Diag::new("eval/option-required", line.span, format!("module `{module}` needs `{title}`"));
                let example = option.prop("example").and_then(Entry::text).unwrap_or("…");
                let diag = diag.label(option.span, "declared here").help(format!("write: use {module} {{ {title} \"{example}\" }}"));
                self.diags.push(diag);
                return None;
            }
            return self.typed(title, kind, declared, option);
        };
        let one = given.entries.as_slice();
        let [entry] = one.iter().filter(|entry| entry.name.is_none() && given.children.is_empty()).collect::<Vec<_>>()[..] else {
            let diag = Diag::new("eval/option-type", given.span, format!("`{title}` wants one value and nothing else"));
            self.diags.push(diag.label(option.span, "declared here").help(format!("write the value behind the name: {title} …")));
            return None;
        };
        self.typed(title, kind, entry, option)
    }

    fn typed(&mut self, title: &str, kind: &str, entry: &Entry<'s>, option: &Node<'s>) -> Option<Value<'s>> {
        let wants = OPTION_TYPES.iter().find(|(name, _)| *name == kind).map_or("a value", |(_, wants)| wants);
        if !fits(kind, entry) {
            let found = entry.text().map_or_else(|| entry.value.kind().to_owned(), |text| format!("`\"{text}\"`"));
            let diag = Diag::new("eval/option-type", entry.value_span, format!("`{title}` wants {wants}, found {found}"));
            let doc = option.prop("doc").and_then(Entry::text).unwrap_or_default();
            let diag = if entry.span == declared_span(option) { diag } else { diag.label(option.span, format!("declared here: {doc}")) };
            self.diags.push(diag.help(format!("write {wants}")));
            return None;
        }
        if let Some(bound) = out_of_bounds(kind, entry, option) {
            let diag = Diag::new("schema/range", entry.value_span, format!("`{title}` is out of range; {bound}"));
            self.diags.push(diag.label(option.span, "declared here").help("choose a value within the bounds"));
            return None;
        }
        Some(entry.value.clone())
    }
}

fn declared_span(option: &Node<'_>) -> Span {
    option.arg(1).map_or(option.span, |entry| entry.span)
}

/// Do two lines say the same, wherever they stand?
fn same(a: &Node<'_>, b: &Node<'_>) -> bool {
    let entry = |(a, b): (&Entry<'_>, &Entry<'_>)| {
        a.value == b.value && a.name.as_ref().map(|word| &word.text) == b.name.as_ref().map(|word| &word.text)
    };
    a.name.text == b.name.text
        && a.entries.len() == b.entries.len()
        && a.children.len() == b.children.len()
        && a.entries.iter().zip(&b.entries).all(entry)
        && a.children.iter().zip(&b.children).all(|(a, b)| same(a, b))
}

/// Every line of a module says which line of the site brought it.
fn mark(node: &mut Node<'_>, via: Span) {
    node.via = Some(via);
    node.children.iter_mut().for_each(|child| mark(child, via));
}

fn fits(kind: &str, entry: &Entry<'_>) -> bool {
    let text = entry.text();
    let is = |test: fn(&str) -> bool| text.is_some_and(test);
    match kind {
        "bool" => matches!(entry.value, Value::Bool(_)),
        "int" => entry.int().is_some(),
        "duration" => is(|text| duration_secs(text).is_some()),
        "url" => is(|text| text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) && !text.contains(char::is_whitespace)),
        "ip" => is(|text| text.parse::<std::net::IpAddr>().is_ok()),
        "cidr" => is(|text| {
            let parts = text.split_once('/');
            parts.is_some_and(|(ip, bits)| ip.parse::<std::net::IpAddr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 128))
        }),
        "mac" => is(|text| mac_bytes(text).is_ok()),
        _ => text.is_some(),
    }
}

/// “at least 30s”, where `min=` or `max=` says so.
fn out_of_bounds(kind: &str, entry: &Entry<'_>, option: &Node<'_>) -> Option<String> {
    let number = |entry: &Entry<'_>| match kind {
        "int" => entry.int(),
        "duration" => entry.text().and_then(duration_secs).and_then(|secs| i64::try_from(secs).ok()),
        _ => None,
    };
    let shown = |entry: &Entry<'_>| entry.text().map_or_else(|| entry.int().unwrap_or_default().to_string(), str::to_owned);
    let value = number(entry)?;
    let low = option.prop("min").filter(|bound| number(bound).is_some_and(|low| value < low));
    let high = option.prop("max").filter(|bound| number(bound).is_some_and(|high| value > high));
    low.map(|bound| format!("at least {}", shown(bound))).or(high.map(|bound| format!("at most {}", shown(bound))))
}

//! Every name of a site and the places where it stands.
//!
//! The schema says which slot declares a name and which refers to one; this room adds what a slot cannot
//! say: `{names}` within text, the options of a `use` block, and records that name hosts. Definition,
//! references, rename and completion all read the same places, and [`Walk`] is what finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::braces;
use super::modules::{Declared, Module};
use crate::diag::Diags;
use crate::schema::{self, Kind, Slot, Type};
use crate::source::{FileId, glob_matches};
use crate::syntax::{Entry, Node, parse};

/// Records whose property names a host. In the schema they are text, because a name with dots may mean
/// any machine of the world; one without dots, or in the site's domain, is a host's or an alias's.
const HOST_SLOTS: &[(&str, &str)] = &[("cname", "to"), ("mx", "to"), ("srv", "to"), ("ns", "to")];

/// What is named: a kind, where it is seen, and the name.
///
/// Options, the `let`s of a module and the names of `use` lines are seen within their module, counters
/// within their `repeat`; the scope of everything else is the site, which is empty here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) scope: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(kind: Kind, scope: &str, name: &str) -> Key {
        // Hosts are names of DNS, where case means nothing.
        let name = if kind == Kind::Host { name.to_ascii_lowercase() } else { name.to_owned() };
        Key { kind, scope: scope.to_owned(), name }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Declares,
    Refers,
}

/// Where a name stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Rc<str>,
    pub(super) range: Range<usize>,
    pub(super) role: Role,
    /// The whole value, which may need other quotes when it changes; otherwise a part of one.
    pub(super) is_whole: bool,
}

/// What must be known before names can be found: what modules declare, and the site's `let`s.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) lets: BTreeSet<String>,
    domain: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) facts: Facts,
    places: BTreeMap<Key, Vec<Place>>,
    /// Names with `{…}` in them, as patterns: a `repeat` or a module makes many of one.
    patterns: Vec<(Kind, String, Place)>,
}

pub(super) fn nodes_of(text: &str) -> Vec<Node<'_>> {
    parse(text, FileId::new(0), &mut Diags::default())
}

impl Index {
    pub(super) fn of(texts: &BTreeMap<String, String>) -> Index {
        let files: Vec<(&String, &String, Vec<Node<'_>>)> =
            texts.iter().filter(|(name, _)| name.ends_with(".kdl")).map(|(name, text)| (name, text, nodes_of(text))).collect();
        let mut index = Index::default();
        files.iter().for_each(|(_, text, nodes)| index.facts.learn(nodes, text));
        let Index { facts, places, patterns } = &mut index;
        for (name, text, nodes) in &files {
            Walk::new(facts, name, text, &mut |key, place| {
                if key.name.contains('{') && place.role == Role::Declares {
                    patterns.push((key.kind, braces::pattern(&key.name), place.clone()));
                }
                places.entry(key).or_default().push(place);
            })
            .run(nodes);
        }
        index
    }

    pub(super) fn places(&self, key: &Key) -> &[Place] {
        self.places.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn declared(&self, key: &Key) -> impl Iterator<Item = &Place> {
        self.places(key).iter().filter(|place| place.role == Role::Declares)
    }

    /// The lines that make a name by filling braces.
    pub(super) fn made(&self, key: &Key) -> impl Iterator<Item = &Place> {
        let fits = |kind: Kind, pattern: &str| kind == key.kind && key.scope.is_empty() && glob_matches(pattern, &key.name.to_ascii_lowercase());
        self.patterns.iter().filter(move |(kind, pattern, _)| fits(*kind, pattern)).map(|(_, _, place)| place)
    }

    /// All declared names of a kind, sorted.
    pub(super) fn names<'a>(&'a self, kind: Kind, scope: &'a str) -> impl Iterator<Item = &'a str> {
        let first = Key::new(kind, scope, "");
        let of_kind = self.places.range(first..).take_while(move |(key, _)| key.kind == kind && key.scope == scope);
        let declared = of_kind.filter(|(key, places)| !key.name.contains('{') && places.iter().any(|place| place.role == Role::Declares));
        declared.map(|(key, _)| key.name.as_str())
    }

    /// The names that stand at an offset of a file, the innermost last.
    pub(super) fn at(&self, file: &str, text: &str, offset: usize) -> Vec<(Key, Place)> {
        let mut found = Vec::new();
        let mut keep = |key: Key, place: Place| {
            if place.range.start <= offset && offset <= place.range.end {
                found.push((key, place));
            }
        };
        Walk::new(&self.facts, file, text, &mut keep).run(&nodes_of(text));
        found
    }
}

impl Facts {
    fn learn(&mut self, nodes: &[Node<'_>], text: &str) {
        for node in nodes {
            match (&*node.name.text, node.title()) {
                ("module", Some(name)) => drop(self.modules.insert(name.to_owned(), Module::of(node, text))),
                ("let", Some(name)) => drop(self.lets.insert(name.to_owned())),
                ("site", Some(_)) => self.domain = node.prop("domain").and_then(Entry::text).map(str::to_owned),
                _ => {}
            }
        }
    }

    /// The host that a record names; a name with dots may be a host of the site's own domain.
    fn host_of<'t>(&self, target: &'t str) -> Option<&'t str> {
        if !target.contains('.') {
            return Some(target);
        }
        let domain = self.domain.as_deref().unwrap_or("home.arpa");
        let (host, rest) = target.split_once('.')?;
        rest.trim_end_matches('.').eq_ignore_ascii_case(domain).then_some(host)
    }
}

/// Visits nodes and tells every name in them.
pub(super) struct Walk<'a> {
    facts: &'a Facts,
    file: Rc<str>,
    text: &'a str,
    /// The module in which we stand.
    module: String,
    /// The counters around us and the `repeat`s that they belong to.
    counters: Vec<(String, String)>,
    tell: &'a mut dyn FnMut(Key, Place),
}

impl<'a> Walk<'a> {
    pub(super) fn new(facts: &'a Facts, file: &'a str, text: &'a str, tell: &'a mut dyn FnMut(Key, Place)) -> Walk<'a> {
        Walk { facts, file: Rc::from(file), text, module: String::new(), counters: Vec::new(), tell }
    }

    pub(super) fn run(&mut self, nodes: &[Node<'_>]) {
        self.nodes(nodes, "", "");
    }

    /// `options` is where an `option` declares: the module, or a submodule of it behind a dot.
    fn nodes(&mut self, nodes: &[Node<'_>], parent: &str, options: &str) {
        for node in nodes {
            let title = node.title().unwrap_or_default();
            if node.name.text == "module" {
                self.module = title.to_owned();
            }
            self.entries(node, parent, options);
            match &*node.name.text {
                "use" => self.given(&node.children, title, &mut Vec::new()),
                "repeat" => {
                    self.counters.push((title.to_owned(), self.repeat(node)));
                    self.nodes(&node.children, parent, options);
                    self.counters.pop();
                }
                "module" => {
                    self.nodes(&node.children, "module", title);
                    self.module.clear();
                }
                "option" => self.nodes(&node.children, "option", &format!("{options}.{title}")),
                name => self.nodes(&node.children, name, options),
            }
        }
    }

    /// What tells one `repeat` from another.
    fn repeat(&self, node: &Node<'_>) -> String {
        format!("{}:{}", self.file, node.span.start)
    }

    fn entries(&mut self, node: &Node<'_>, parent: &str, options: &str) {
        let Some(spec) = schema::find(&node.name.text, parent) else { return };
        let mut position = 0;
        for entry in &node.entries {
            let slot = match &entry.name {
                Some(name) => spec.props.iter().find(|slot| slot.name == name.text),
                None => {
                    position += 1;
                    spec.args.get(position - 1).or(spec.more.as_ref())
                }
            };
            if let Some(slot) = slot {
                self.entry(entry, slot, node, options);
            }
        }
        // `option boss (reference)"boot" to=host`: the default is a name too.
        let is_reference = |entry: &&Entry<'_>| entry.note.as_ref().is_some_and(|note| note.text == "reference");
        if spec.name == "option"
            && let Some(entry) = node.arg(1).filter(is_reference)
            && let Some(kind) = node.prop("to").and_then(Entry::text).and_then(Kind::find)
            && let Some(text) = entry.text().filter(|text| *text != "required")
        {
            self.name(kind, "", text, entry, Role::Refers);
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, slot: &'static Slot, node: &Node<'_>, options: &str) {
        let Some(text) = entry.text() else { return };
        self.braces(entry, text);
        if entry.is_secret() {
            return self.name(Kind::Secret, "", text, entry, Role::Refers);
        }
        match slot.kind {
            Type::Declares(kind) => self.name(kind, &self.scope(kind, node, options), text, entry, Role::Declares),
            Type::Refers(kind) => self.name(kind, &self.scope(kind, node, options), text, entry, Role::Refers),
            Type::Selector => {
                let kinds = [(Kind::Group, "group:"), (Kind::Tag, "tag:")];
                if let Some((kind, name)) = kinds.iter().find_map(|(kind, prefix)| Some((*kind, text.strip_prefix(prefix)?))) {
                    self.part(Key::new(kind, "", name), entry, text, name, Role::Refers);
                }
            }
            Type::Names if slot.name == "tags" => {
                text.split(',').map(str::trim).for_each(|tag| self.part(Key::new(Kind::Tag, "", tag), entry, text, tag, Role::Declares));
            }
            Type::Text if HOST_SLOTS.contains(&(&*node.name.text, slot.name)) => {
                if let Some(host) = self.facts.host_of(text) {
                    self.part(Key::new(Kind::Host, "", host), entry, text, host, Role::Refers);
                }
            }
            Type::Text | Type::Names | Type::Any | Type::Int(..) | Type::Bool | Type::Duration(..) => {}
            Type::Address | Type::Addresses | Type::Cidr | Type::Mac | Type::AssetPath | Type::SourcePath => {}
            Type::OneOf(_) | Type::Secret => {}
        }
    }

    fn scope(&self, kind: Kind, node: &Node<'_>, options: &str) -> String {
        match kind {
            Kind::Let => self.module.clone(),
            Kind::Option => options.to_owned(),
            Kind::Counter => self.repeat(node),
            Kind::Instance => node.title().unwrap_or_default().to_owned(),
            Kind::Site | Kind::Network | Kind::Group | Kind::Host | Kind::Profile | Kind::Module | Kind::Secret | Kind::Tag => String::new(),
        }
    }

    /// What a `use` block says: option names, and values of the declared types.
    fn given(&mut self, nodes: &[Node<'_>], module: &str, path: &mut Vec<String>) {
        let facts = self.facts;
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let options = facts.modules.get(module).and_then(|module| module.inner(&names));
        let scope = std::iter::once(module).chain(names).collect::<Vec<_>>().join(".");
        for node in nodes {
            let declared = options.and_then(|options| options.get(&*node.name.text));
            if declared.is_some() {
                let place = self.place(node.name.span.range(), Role::Refers, true);
                (self.tell)(Key::new(Kind::Option, &scope, &node.name.text), place);
            }
            node.entries.iter().for_each(|entry| self.value(entry, declared));
            path.push(node.name.text.to_string());
            self.given(&node.children, module, path);
            path.pop();
        }
    }

    fn value(&mut self, entry: &Entry<'_>, declared: Option<&Declared>) {
        let Some(text) = entry.text() else { return };
        self.braces(entry, text);
        match declared.and_then(|declared| declared.to) {
            _ if entry.is_secret() => self.name(Kind::Secret, "", text, entry, Role::Refers),
            Some(kind) => self.name(kind, "", text, entry, Role::Refers),
            None => {}
        }
    }

    /// A name that is a whole value.
    fn name(&mut self, kind: Kind, scope: &str, name: &str, entry: &Entry<'_>, role: Role) {
        let place = self.place(entry.value_span.range(), role, true);
        (self.tell)(Key::new(kind, scope, name), place);
    }

    /// A name that is a part of a value: `name` must be a slice of `text`. The whole value is the place
    /// where escapes keep the part from being found.
    fn part(&mut self, key: Key, entry: &Entry<'_>, text: &str, name: &str, role: Role) {
        if name.is_empty() {
            return;
        }
        let value = entry.value_span.range();
        let raw = self.text.get(value.clone()).unwrap_or_default();
        let before = name.as_ptr() as usize - text.as_ptr() as usize;
        // Quotes and hashes stand before the text; escapes would make it look different.
        let base = raw.find(text).filter(|base| raw.bytes().take(*base).all(|byte| matches!(byte, b'"' | b'#')));
        let place = match base {
            Some(base) => {
                let start = value.start + base + before;
                self.place(start..start + name.len(), role, false)
            }
            None => self.place(value, role, true),
        };
        (self.tell)(key, place);
    }

    fn place(&self, range: Range<usize>, role: Role, is_whole: bool) -> Place {
        Place { file: self.file.clone(), range, role, is_whole }
    }

    /// `{names}` in a text.
    fn braces(&mut self, entry: &Entry<'_>, text: &str) {
        if !text.contains('{') {
            return;
        }
        let module = self.facts.modules.get(&self.module);
        let counters = &self.counters;
        let key = |name: &str| {
            if let Some((_, repeat)) = counters.iter().rev().find(|(counter, _)| counter == name) {
                return Some(Key::new(Kind::Counter, repeat, name));
            }
            match module {
                Some(module) if module.options.contains_key(name) => Some(Key::new(Kind::Option, &self.module, name)),
                Some(module) => module.lets.contains(name).then(|| Key::new(Kind::Let, &self.module, name)),
                None => self.facts.lets.contains(name).then(|| Key::new(Kind::Let, "", name)),
            }
        };
        let found: Vec<(Key, &str)> = braces::names(text, |name| key(name).is_some()).filter_map(|name| Some((key(name)?, name))).collect();
        found.into_iter().for_each(|(key, name)| self.part(key, entry, text, name, Role::Refers));
    }
}

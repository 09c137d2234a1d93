//! Visits the nodes of a file and tells every name in them.

use std::ops::Range;
use std::rc::Rc;

use super::braces;
use super::index::{Facts, Key, Place, Role};
use super::modules::Declared;
use crate::schema::{self, Kind, Slot, Type};
use crate::syntax::{Entry, Node};

/// Records whose property names a host. In the schema they are text, because a name with dots may mean
/// any machine of the world; one without dots, or in the site's domain, is a host's or an alias's.
const HOST_SLOTS: &[(&str, &str)] = &[("cname", "to"), ("mx", "to"), ("srv", "to"), ("ns", "to")];

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
        self.braces(entry, text, if slot.kind == Type::Pattern { schema::PLACEHOLDER } else { "" });
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
            Type::Address | Type::Addresses | Type::Cidr | Type::Mac | Type::AssetPath | Type::SourcePath | Type::Pattern => {}
            Type::OneOf(_) | Type::Secret => {}
        }
    }

    fn scope(&self, kind: Kind, node: &Node<'_>, options: &str) -> String {
        match kind {
            Kind::Let => self.module.clone(),
            Kind::Option => options.to_owned(),
            Kind::Counter => self.repeat(node),
            Kind::Instance => node.title().unwrap_or_default().to_owned(),
            Kind::Site | Kind::Network | Kind::Group | Kind::Host | Kind::Profile | Kind::Module | Kind::Secret | Kind::Tag | Kind::Base | Kind::Overlay | Kind::Schedule | Kind::Snapshot => String::new(),
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
                let place = self.place(node.name.span.range(), node.name.span.range(), Role::Refers);
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
        self.braces(entry, text, "");
        match declared.and_then(|declared| declared.to) {
            _ if entry.is_secret() => self.name(Kind::Secret, "", text, entry, Role::Refers),
            Some(kind) => self.name(kind, "", text, entry, Role::Refers),
            None => {}
        }
    }

    /// A name that is a whole value.
    fn name(&mut self, kind: Kind, scope: &str, name: &str, entry: &Entry<'_>, role: Role) {
        let place = self.place(entry.value_span.range(), entry.value_span.range(), role);
        (self.tell)(Key::new(kind, scope, name), place);
    }

    /// A name that is a part of a value: `name` must be a slice of `text`.
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
            _ if name.len() == text.len() => self.place(value.clone(), value, role),
            Some(base) => {
                let start = value.start + base + before;
                self.place(start..start + name.len(), value, role)
            }
            None => Place { is_hidden: true, ..self.place(value.clone(), value, role) },
        };
        (self.tell)(key, place);
    }

    fn place(&self, range: Range<usize>, value: Range<usize>, role: Role) -> Place {
        Place { file: self.file.clone(), range, role, value, is_hidden: false }
    }

    /// `{names}` in a text; `kept` stands for itself.
    fn braces(&mut self, entry: &Entry<'_>, text: &str, kept: &str) {
        if !text.contains('{') {
            return;
        }
        let module = self.facts.modules.get(&self.module);
        let counters = &self.counters;
        let key = |name: &str| {
            if name == kept {
                return None;
            }
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

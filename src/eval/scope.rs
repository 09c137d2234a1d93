//! `let` and `{name}`: text with names in braces becomes text without.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::imports::File;
use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::Span;
use crate::syntax::{Entry, Node, Value, shorten};

/// How many bytes all `{names}` of a site may become together.
const FILLED_BYTES_MAX: usize = 64 << 20;
/// How many `let`s may stand behind each other.
const LET_DEPTH_MAX: usize = 64;

/// Names and their values, and how much they may still grow.
pub(super) struct Scope<'s> {
    values: BTreeMap<String, Value<'s>>,
    budget: usize,
    /// A module sees its options and nothing of the site's.
    is_module: bool,
}

/// Takes the `let` nodes out of the files; the later of two of one name is the mistake.
pub(super) fn collect_lets<'s>(files: &mut [File<'s>], diags: &mut Diags) -> Vec<Node<'s>> {
    let mut lets: Vec<Node<'s>> = Vec::new();
    for file in files {
        let (mut found, rest) = std::mem::take(&mut file.nodes).into_iter().partition(|node| node.name.text == "let");
        file.nodes = rest;
        schema::conform(&mut found, "", diags);
        lets.append(&mut found);
    }
    unique(lets, diags)
}

fn unique<'s>(lets: Vec<Node<'s>>, diags: &mut Diags) -> Vec<Node<'s>> {
    let mut seen: BTreeMap<String, Node<'s>> = BTreeMap::new();
    for node in lets {
        let Some(name) = node.title().map(str::to_owned) else { continue };
        match seen.get(&name) {
            Some(first) => diags.push(schema::twice(&node, first)),
            None => drop(seen.insert(name, node)),
        }
    }
    seen.into_values().collect()
}

impl<'s> Scope<'s> {
    /// A scope of `let`s, which may use each other in any order.
    pub(super) fn new(lets: Vec<Node<'s>>, diags: &mut Diags) -> Self {
        let mut scope = Scope { values: BTreeMap::new(), budget: FILLED_BYTES_MAX, is_module: false };
        let waiting: BTreeMap<String, Entry<'s>> =
            lets.into_iter().filter_map(|node| Some((node.title()?.to_owned(), node.arg(1)?.clone()))).collect();
        let mut stuck = BTreeSet::new();
        for name in waiting.keys() {
            scope.resolve(name, &waiting, 0, &mut stuck, diags);
        }
        scope
    }

    /// A scope of given values: the options of a module.
    pub(super) fn with(values: BTreeMap<String, Value<'s>>) -> Self {
        Scope { values, budget: FILLED_BYTES_MAX, is_module: true }
    }

    fn resolve(&mut self, name: &str, waiting: &BTreeMap<String, Entry<'s>>, depth: usize, stuck: &mut BTreeSet<String>, diags: &mut Diags) {
        let Some(entry) = waiting.get(name) else { return };
        if self.values.contains_key(name) || stuck.contains(name) {
            return;
        }
        if depth > LET_DEPTH_MAX {
            stuck.insert(name.to_owned());
            self.values.insert(name.to_owned(), Value::Null);
            let message = format!("`let` values refer to each other more than {LET_DEPTH_MAX} deep, or in a circle");
            diags.push(Diag::new("eval/limit", entry.span, message).help("write one of them without braces"));
            return;
        }
        for used in entry.text().map(names_in).unwrap_or_default() {
            self.resolve(&used, waiting, depth + 1, stuck, diags);
        }
        let mut entry = entry.clone();
        if !stuck.contains(name) {
            self.fill_entry(&mut entry, diags);
        }
        self.values.insert(name.to_owned(), entry.value);
    }

    /// Fills all texts of these nodes and their children, but not inside a module's `config`.
    pub(super) fn fill(&mut self, nodes: &mut [Node<'s>], diags: &mut Diags) {
        for node in nodes.iter_mut().filter(|node| node.name.text != "module") {
            for entry in &mut node.entries {
                self.fill_entry(entry, diags);
            }
            self.fill(&mut node.children, diags);
        }
    }

    fn fill_entry(&mut self, entry: &mut Entry<'s>, diags: &mut Diags) {
        let span = entry.value_span;
        let Some(text) = entry.text().filter(|text| text.contains('{')) else { return };
        if let Some(value) = whole_name(text).and_then(|name| self.values.get(name)) {
            let value = value.clone();
            if self.spend(value_len(&value), span, diags) {
                entry.value = value;
            }
            return;
        }
        let filled = self.interpolate(text, span, diags);
        if let Some(text) = entry.text_mut() {
            *text = Cow::Owned(filled);
        }
    }

    fn interpolate(&mut self, text: &str, span: Span, diags: &mut Diags) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                out.push('{');
                rest = after;
                continue;
            }
            let Some((name, tail)) = after.split_once('}') else {
                let diag = Diag::new("eval/undefined-name", span, format!("`{{{}` has no closing brace", shorten(after)));
                diags.push(diag.help("write `{{` for a brace itself"));
                return out;
            };
            match self.values.get(name).map(show) {
                Some(value) if self.spend(value.len(), span, diags) => out.push_str(&value),
                Some(_) => return out,
                None if diags.is_lost(name) => diags.taint(span),
                None => diags.push(self.undefined(name, span, diags)),
            }
            rest = tail;
        }
        out + rest
    }

    fn undefined(&self, name: &str, span: Span, diags: &Diags) -> Diag {
        let diag = Diag::new("eval/undefined-name", span, format!("`{{{}}}` is not defined", shorten(name)));
        match diags.nearest(name, self.values.keys().map(String::as_str)) {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None if self.is_module => diag.help(format!("declare it: option {} (string)required doc=\"…\"", shorten(name))),
            None => diag.help(format!("add `let {} …`, or write `{{{{` for a brace itself", shorten(name))),
        }
    }

    /// Takes bytes from the budget; the first time that they do not suffice is a finding.
    fn spend(&mut self, bytes: usize, span: Span, diags: &mut Diags) -> bool {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                true
            }
            None => {
                if self.budget > 0 {
                    let message = format!("`{{names}}` become more than {} MiB of text", FILLED_BYTES_MAX >> 20);
                    diags.push(Diag::new("eval/limit", span, message).help("a `let` that repeats another grows fast"));
                }
                self.budget = 0;
                false
            }
        }
    }
}

/// `"{name}"` and nothing else: the value itself, a number stays a number.
fn whole_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    (!name.contains(['{', '}'])).then_some(name)
}

fn names_in(text: &str) -> Vec<String> {
    let open = text.replace("{{", "");
    open.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null => 0,
    }
}

fn show(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => String::new(),
    }
}

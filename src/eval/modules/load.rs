//! A module's file → what it declares; nothing of its config is computed yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::options::{Declared, declared};
use crate::diag::{Diag, Diags};
use crate::eval::imports::read;
use crate::schema;
use crate::source::{FileId, Sources, Span, module_paths};
use crate::syntax::{Entry, Node, shorten};

/// A module as its file declares it.
pub(super) struct Module<'s> {
    pub(super) name: String,
    pub(super) options: BTreeMap<String, Declared<'s>>,
    pub(super) config: Vec<Node<'s>>,
    /// `assert` and `warn`.
    pub(super) claims: Vec<Node<'s>>,
    pub(super) takes_settings: bool,
    /// How many nodes and values one instance has before anything is computed.
    pub(super) weight: usize,
    /// Old name → new name and since when.
    renamed: BTreeMap<String, (String, String)>,
    /// Old name → since when and why.
    removed: BTreeMap<String, (String, String)>,
}

/// Reads the module that a `use` line names, as its nth instance.
pub(super) fn load<'s>(sources: &'s Sources, name: &str, line: &Node<'s>, number: usize, diags: &mut Diags) -> Option<Module<'s>> {
    let Some(file) = module_paths(name).iter().find_map(|path| sources.find(path)) else {
        diags.push(unknown(sources, name, line, diags));
        return None;
    };
    let nodes = read(sources, file, file.used(number), diags);
    if sources.get(file).is_some_and(|source| source.is_cut) {
        return None;
    }
    let Some(mut module) = nodes.into_iter().find(|node| node.name.text == "module" && node.title() == Some(name)) else {
        if !diags.is_lost(name) {
            let diag = Diag::new("eval/unknown-module", line.span, format!("`{}` holds no `module {name}`", sources.name(file)));
            diags.push(diag.help(format!("begin the file with: module {name} {{ … }}")));
        }
        return None;
    };
    let is_config = |node: &Node<'_>| node.name.text == "config";
    let is_claim = |node: &Node<'_>| matches!(&*node.name.text, "assert" | "warn");
    // What the options fill in is held against the schema when it is filled.
    let config: Vec<Node<'s>> = module.children.iter_mut().filter(|node| is_config(node)).flat_map(|node| std::mem::take(&mut node.children)).collect();
    let (claims, rest) = std::mem::take(&mut module.children).into_iter().partition(is_claim);
    module.children = rest;
    let mut alone = vec![module];
    schema::conform(&mut alone, "", diags);
    let module = alone.pop()?;
    let texts = |node: &Node<'_>, prop: &str| node.prop(prop).and_then(Entry::text).unwrap_or_default().to_owned();
    let titled = |kind: &'static str| module.children.iter().filter(move |node| node.name.text == kind);
    let renamed = titled("renamed").filter_map(|node| Some((node.title()?.to_owned(), (texts(node, "to"), texts(node, "since")))));
    let removed = titled("removed").filter_map(|node| Some((node.title()?.to_owned(), (texts(node, "since"), node.arg(1)?.text()?.to_owned()))));
    Some(Module {
        name: name.to_owned(),
        options: declared(&module, diags)?,
        weight: weight(&config) + weight(&claims) + weight(&module.children),
        renamed: renamed.collect(),
        removed: removed.collect(),
        takes_settings: module.named("settings").next().is_some(),
        config,
        claims,
    })
}

impl<'s> Module<'s> {
    /// Old names become new ones, with a warning; what sets an option that is gone is refused.
    pub(super) fn translate(&self, given: Vec<Node<'s>>, diags: &mut Diags) -> Vec<Node<'s>> {
        let mut kept = Vec::with_capacity(given.len());
        for mut node in given {
            let name = node.name.text.to_string();
            if let Some((to, since)) = self.renamed.get(&name).filter(|_| !self.options.contains_key(&name)) {
                let diag = Diag::new("eval/option-renamed", node.name.span, format!("`{name}` was renamed to `{to}` in {since}"));
                diags.push(diag.help(format!("write `{to}`")).fix(name.as_str(), to.as_str()));
                node.name.text = Cow::Owned(to.clone());
            } else if let Some((since, why)) = self.removed.get(&name) {
                let diag = Diag::new("eval/option-removed", node.span, format!("`{name}` was removed in {since}: {why}"));
                diags.push(diag.help("delete the line"));
                continue;
            }
            kept.push(node);
        }
        kept
    }
}

fn unknown(sources: &Sources, name: &str, line: &Node<'_>, diags: &Diags) -> Diag {
    let known = sources.iter().filter_map(|(_, source)| source.name.strip_prefix("modules/"));
    let known = known.filter_map(|path| path.strip_suffix("/module.kdl").or(path.strip_suffix(".kdl")));
    let diag = Diag::new("eval/unknown-module", line.arg(0).map_or(line.span, |arg| arg.value_span), format!("no module `{}`", shorten(name)));
    match diags.nearest(name, known) {
        Some(near) => diag.help(format!("did you mean `{near}`?")),
        None => diag.help(format!("write it into modules/{}.kdl", shorten(name))),
    }
}

/// The `use` lines of a config, those within a `repeat` too.
pub(super) fn inner_uses<'s>(nodes: &[Node<'s>]) -> Vec<Node<'s>> {
    let mut found = Vec::new();
    for node in nodes {
        match &*node.name.text {
            "use" => found.push(node.clone()),
            "repeat" => found.extend(inner_uses(&node.children)),
            _ => {}
        }
    }
    found
}

fn weight(nodes: &[Node<'_>]) -> usize {
    nodes.iter().map(|node| 1 + node.entries.len() / 8 + weight(&node.children)).sum()
}

/// Moves all places of a node into the nth instance of its file.
pub(super) fn rebase(node: &mut Node<'_>, number: usize) {
    let moved = |span: &mut Span| span.file = FileId::used(span.file, number);
    moved(&mut node.span);
    moved(&mut node.name.span);
    node.note.as_mut().into_iter().for_each(|note| moved(&mut note.span));
    for entry in &mut node.entries {
        moved(&mut entry.span);
        moved(&mut entry.value_span);
        entry.name.as_deref_mut().into_iter().chain(entry.note.as_mut()).for_each(|word| moved(&mut word.span));
    }
    node.children.iter_mut().for_each(|child| rebase(child, number));
}

/// A module's `file … from=` means a path in the module's own folder.
pub(super) fn below_folder(nodes: &mut [Node<'_>], module: &str) {
    for node in nodes {
        match &*node.name.text {
            "profile" | "overlay" | "rule" => node.children.iter_mut().filter(|node| node.name.text == "file").for_each(|file| put_below(file, module)),
            "nfs" => below_folder(&mut node.children, module),
            _ => {}
        }
    }
}

fn put_below(file: &mut Node<'_>, module: &str) {
    for entry in file.entries.iter_mut().filter(|entry| entry.name.as_ref().is_some_and(|name| name.text == "from")) {
        if let Some(text) = entry.text_mut() {
            *text = Cow::Owned(format!("modules/{module}/{text}"));
        }
    }
}

//! Nodes of one name become one: values by priority, lists one behind the other; profiles inherit.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::Span;
use crate::syntax::{Entry, Node, Word};

/// How long a chain of `extends` may be.
const EXTENDS_MAX: usize = 32;

/// How loud a value is; the louder wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Default,
    Plain,
    Force,
}

/// A value that won.
#[derive(Clone, Debug)]
pub struct Choice<'s> {
    pub entry: Entry<'s>,
    /// The line, and the `use` line behind it.
    pub origins: Vec<Span>,
    priority: Priority,
    /// Did it have to win against anything?
    contested: bool,
}

/// Several nodes of one name, and what they mean together.
#[derive(Clone, Debug)]
pub struct Merged<'s> {
    pub name: Option<Word<'s>>,
    pub origins: Vec<Span>,
    /// Properties, and children of which there may be one, by name.
    pub values: BTreeMap<String, Choice<'s>>,
    /// Children that add up, in order.
    pub lists: Vec<Node<'s>>,
}

impl<'s> Merged<'s> {
    pub fn title(&self) -> &str {
        self.name.as_ref().map_or("", |word| &word.text)
    }

    pub fn span(&self) -> Option<Span> {
        self.origins.first().copied()
    }

    pub fn value(&self, name: &str) -> Option<&Choice<'s>> {
        self.values.get(name)
    }

    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node<'s>> {
        self.lists.iter().filter(move |node| node.name.text == name)
    }
}

/// The line and the `use` line behind it.
pub(super) fn origins_of(node: &Node<'_>) -> Vec<Span> {
    std::iter::once(node.span).chain(node.via).collect()
}

fn priority(note: Option<&Word<'_>>) -> Priority {
    match note.map(|word| &*word.text) {
        Some("default") => Priority::Default,
        Some("force") => Priority::Force,
        _ => Priority::Plain,
    }
}

/// All nodes of one kind that has no name.
pub(super) fn one<'s>(nodes: Vec<Node<'s>>, diags: &mut Diags) -> Option<Merged<'s>> {
    let first = nodes.first()?;
    let path = first.name.text.to_string();
    let mut merged = Merged { name: None, origins: origins_of(first), values: BTreeMap::new(), lists: Vec::new() };
    nodes.into_iter().for_each(|node| absorb(&mut merged, node, &path, diags));
    settle_lists(&mut merged);
    warn_idle_force(&merged, diags);
    Some(merged)
}

/// All nodes of one kind, by their names, each merged.
pub(super) fn by_name<'s>(nodes: Vec<Node<'s>>, diags: &mut Diags) -> BTreeMap<String, Merged<'s>> {
    let mut all: BTreeMap<String, Merged<'s>> = BTreeMap::new();
    for node in nodes {
        let Some(name) = node.arg(0).and_then(|arg| Some(Word { text: arg.text()?.to_owned().into(), span: arg.value_span })) else { continue };
        let path = format!("{}.{}", node.name.text, name.text);
        let merged = all.entry(name.text.to_string()).or_insert_with(|| Merged {
            name: Some(name),
            origins: Vec::new(),
            values: BTreeMap::new(),
            lists: Vec::new(),
        });
        merged.origins.extend(origins_of(&node));
        absorb(merged, node, &path, diags);
    }
    all
}

/// Adds one node: its properties and single children as values, other children as lists.
fn absorb<'s>(merged: &mut Merged<'s>, node: Node<'s>, path: &str, diags: &mut Diags) {
    let via = node.via;
    let parent = node.name.text.to_string();
    for entry in node.entries {
        let Some(name) = entry.name.as_ref().map(|word| word.text.to_string()) else { continue };
        let origins = std::iter::once(entry.span).chain(via).collect();
        let choice = Choice { priority: priority(entry.note.as_ref()), entry, origins, contested: false };
        choose(merged, name, choice, path, diags);
    }
    for child in node.children {
        let single = schema::find(&child.name.text, &parent).is_some_and(|spec| spec.once);
        match child.arg(0).filter(|_| single).cloned() {
            Some(entry) => {
                let note = child.note.as_ref().or(entry.note.as_ref());
                let choice = Choice { priority: priority(note), entry, origins: origins_of(&child), contested: false };
                choose(merged, child.name.text.to_string(), choice, path, diags);
            }
            None => merged.lists.push(child),
        }
    }
}

fn choose<'s>(merged: &mut Merged<'s>, name: String, mut new: Choice<'s>, path: &str, diags: &mut Diags) {
    let Some(old) = merged.values.get_mut(&name) else {
        merged.values.insert(name, new);
        return;
    };
    old.contested = true;
    if new.priority == old.priority && new.entry.value != old.entry.value {
        let show = |entry: &Entry<'_>| entry.text().map_or_else(|| format!("{:?}", entry.value), str::to_owned);
        let (here, there) = (show(&new.entry), show(&old.entry));
        let diag = Diag::new("eval/conflict", new.entry.span, format!("`{path}.{name}` is `{here}` here and `{there}` there"));
        let diag = diag.label(old.entry.span, format!("`{there}` here"));
        diags.push(diag.help("mark the one that shall win: (force) before its value"));
        return;
    }
    new.contested = true;
    if new.priority > old.priority {
        *old = new;
    }
}

/// Of each list the loudest nodes stay.
fn settle_lists(merged: &mut Merged<'_>) {
    let mut loudest: BTreeMap<String, Priority> = BTreeMap::new();
    for node in &merged.lists {
        let loud = priority(node.note.as_ref());
        loudest.entry(node.name.text.to_string()).and_modify(|most| *most = loud.max(*most)).or_insert(loud);
    }
    merged.lists.retain(|node| loudest.get(&*node.name.text) == Some(&priority(node.note.as_ref())));
}

fn warn_idle_force(merged: &Merged<'_>, diags: &mut Diags) {
    let idle = merged.values.values().filter(|choice| choice.priority == Priority::Force && !choice.contested);
    for choice in idle {
        let diag = Diag::new("eval/force-nothing", choice.entry.span, "`(force)` overrides nothing");
        diags.push(diag.help("delete `(force)`"));
    }
}

/// Lets every profile take over what its parents say; circles are refused.
pub(super) fn inherit<'s>(profiles: BTreeMap<String, Merged<'s>>, diags: &mut Diags) -> Vec<Merged<'s>> {
    let mut done: BTreeMap<String, Merged<'s>> = BTreeMap::new();
    let mut broken = BTreeSet::new();
    for name in profiles.keys() {
        let Some(chain) = ancestry(name, &profiles, &mut broken, diags) else {
            diags.lose(name);
            continue;
        };
        // From the oldest ancestor that is not done yet down to the profile itself.
        for name in chain.into_iter().rev() {
            if done.contains_key(&name) {
                continue;
            }
            let Some(own) = profiles.get(&name) else { continue };
            let parent = own.value("extends").and_then(|choice| choice.entry.text()).and_then(|parent| done.get(parent));
            let whole = take_over(own.clone(), parent);
            warn_idle_force(&whole, diags);
            done.insert(name, whole);
        }
    }
    done.into_values().collect()
}

/// The profile and its ancestors, youngest first; `None` where they form a circle.
fn ancestry(name: &str, profiles: &BTreeMap<String, Merged<'_>>, broken: &mut BTreeSet<String>, diags: &mut Diags) -> Option<Vec<String>> {
    let mut chain = vec![name.to_owned()];
    loop {
        let own = profiles.get(chain.last()?)?;
        let Some(choice) = own.value("extends") else { return Some(chain) };
        let parent = choice.entry.text()?.to_owned();
        if broken.contains(&parent) {
            broken.insert(name.to_owned());
            return None;
        }
        if !profiles.contains_key(&parent) {
            let message = format!("profile `{parent}` is not declared");
            let diag = Diag::new("host/unknown-profile", choice.entry.value_span, message);
            if !broken.contains(name) && chain.len() == 1 && !diags.is_lost(&parent) {
                diags.push(diag.suggest(&parent, profiles.keys().map(String::as_str)));
            }
            return Some(chain);
        }
        if let Some(from) = chain.iter().position(|known| *known == parent) {
            let circle = chain.get(from..).unwrap_or_default();
            let mut shown: Vec<String> = circle.iter().map(|name| format!("`{name}`")).collect();
            shown.push(format!("`{parent}`"));
            let diag = Diag::new("eval/extends-cycle", choice.entry.span, format!("profile {}", shown.join(" extends ")));
            diags.push(diag.help("one of them must stand on its own"));
            broken.extend(chain);
            return None;
        }
        if chain.len() >= EXTENDS_MAX {
            let message = format!("profiles extend each other more than {EXTENDS_MAX} deep");
            diags.push(Diag::new("eval/limit", choice.entry.span, message).help("let it extend an older ancestor"));
            broken.extend(chain);
            return None;
        }
        chain.push(parent);
    }
}

/// What the parent says comes first; what the profile itself says wins.
fn take_over<'s>(mut own: Merged<'s>, parent: Option<&Merged<'s>>) -> Merged<'s> {
    let Some(parent) = parent else {
        settle_lists(&mut own);
        return own;
    };
    // A kernel of its own replaces a parent's chain, and the other way round.
    let starts_itself = own.values.contains_key("kernel") || own.values.contains_key("chain") || own.list("local").next().is_some();
    for (name, choice) in &parent.values {
        let replaced = starts_itself && matches!(name.as_str(), "kernel" | "chain");
        let passed_on = !replaced && !matches!(name.as_str(), "extends" | "label");
        match own.values.get_mut(name) {
            Some(mine) => mine.contested = true,
            None if passed_on => drop(own.values.insert(name.clone(), Choice { contested: true, ..choice.clone() })),
            None => {}
        }
    }
    let mut lists = parent.lists.clone();
    lists.retain(|node| !starts_itself || node.name.text != "local");
    lists.append(&mut own.lists);
    own.lists = lists;
    settle_lists(&mut own);
    own
}

//! Nodes of one name become one: values by priority, lists one behind the other; profiles inherit.

use std::collections::{BTreeMap, BTreeSet};

use super::budget::Budget;
use super::priority::{Beaten, Candidate, Decision, Priority, decide};
use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::{FileId, Span};
use crate::syntax::{Entry, Node, Word};

/// How many lists' lines a profile may have with its parents.
const LIST_MAX: usize = 4096;
/// How long a chain of `extends` may be.
const EXTENDS_MAX: usize = 32;

/// The node whose first argument is a value like its properties, and what that is called.
const NFS: &str = "nfs";
pub const FOLDER: &str = "folder";

/// A value that won.
#[derive(Clone, Debug)]
pub struct Choice<'s> {
    pub entry: Entry<'s>,
    /// The line that says it.
    pub span: Span,
    pub why: String,
    /// What else was said, and why it lost.
    pub beaten: Vec<Beaten>,
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

/// What a value could be, before it is decided.
type Candidates<'s> = BTreeMap<String, Vec<Candidate<'s>>>;

/// All nodes of one kind that has no name.
pub(super) fn one<'s>(nodes: Vec<Node<'s>>, diags: &mut Diags) -> Option<Merged<'s>> {
    let path = nodes.first()?.name.text.to_string();
    let mut merged = join(None, nodes, &path, diags);
    settle_lists(&mut merged, &[], diags);
    warn_idle_force(&merged, diags);
    Some(merged)
}

/// All nodes of one kind, by their names, each merged.
pub(super) fn by_name<'s>(nodes: Vec<Node<'s>>, diags: &mut Diags) -> BTreeMap<String, Merged<'s>> {
    let mut groups: BTreeMap<String, Vec<Node<'s>>> = BTreeMap::new();
    for node in nodes {
        groups.entry(node.title().unwrap_or_default().to_owned()).or_default().push(node);
    }
    let mut all = BTreeMap::new();
    for (title, nodes) in groups {
        let Some(first) = nodes.first() else { continue };
        let name = first.arg(0).map(|arg| Word { text: title.clone().into(), span: arg.value_span });
        let path = format!("{}.{title}", first.name.text);
        all.insert(title, join(name, nodes, &path, diags));
    }
    all
}

/// The same for a kind whose things do not inherit: their lists are settled too.
pub(super) fn unite<'s>(nodes: Vec<Node<'s>>, diags: &mut Diags) -> Vec<Merged<'s>> {
    let mut all: Vec<Merged<'s>> = by_name(nodes, diags).into_values().collect();
    for merged in &mut all {
        settle_lists(merged, &[], diags);
        warn_idle_force(merged, diags);
    }
    all
}

fn join<'s>(name: Option<Word<'s>>, nodes: Vec<Node<'s>>, path: &str, diags: &mut Diags) -> Merged<'s> {
    let origins = nodes.iter().map(|node| node.span).collect();
    let mut merged = Merged { name, origins, values: BTreeMap::new(), lists: Vec::new() };
    let mut candidates = Candidates::new();
    nodes.into_iter().for_each(|node| absorb(&mut merged, &mut candidates, node));
    settle_values(&mut merged, candidates, path, diags);
    merged
}

/// Adds one node: its properties and single children as values, other children as lists.
fn absorb<'s>(merged: &mut Merged<'s>, candidates: &mut Candidates<'s>, node: Node<'s>) {
    let parent = node.name.text.to_string();
    for entry in node.entries {
        // Of the nodes without a name, `nfs` has an argument that merges: its folder.
        let unnamed = || (parent == NFS).then(|| FOLDER.to_owned());
        let Some(name) = entry.name.as_ref().map(|word| word.text.to_string()).or_else(unnamed) else { continue };
        let candidate = Candidate { priority: Priority::of(entry.note.as_ref()), span: entry.span, entry };
        candidates.entry(name).or_default().push(candidate);
    }
    for child in node.children {
        let single = schema::find(&child.name.text, &parent).is_some_and(|spec| spec.once);
        match child.arg(0).filter(|_| single).cloned() {
            Some(entry) => {
                let candidate = Candidate { priority: Priority::of_child(&child, &entry), span: child.span, entry };
                candidates.entry(child.name.text.to_string()).or_default().push(candidate);
            }
            None => merged.lists.push(child),
        }
    }
}

/// Of each value the loudest wins; the loudest must agree.
fn settle_values<'s>(merged: &mut Merged<'s>, candidates: Candidates<'s>, path: &str, diags: &mut Diags) {
    for (name, all) in candidates {
        let Some(Decision { winner, beaten, quarrel }) = decide(&format!("{path}.{name}"), all) else { continue };
        quarrel.into_iter().for_each(|diag| diags.push(diag));
        let Candidate { entry, span, priority } = winner;
        let choice = Choice { entry, span, why: priority.name().to_owned(), contested: !beaten.is_empty(), beaten, priority };
        merged.values.insert(name, choice);
    }
}

/// Of each list the loudest nodes stay. A `(force)` that silences nobody is said, unless `inherited`
/// lists are there to be silenced.
fn settle_lists(merged: &mut Merged<'_>, inherited: &[Node<'_>], diags: &mut Diags) {
    let mut loudest: BTreeMap<String, Priority> = BTreeMap::new();
    for node in &merged.lists {
        let loud = Priority::of(node.note.as_ref());
        loudest.entry(node.name.text.to_string()).and_modify(|most| *most = loud.max(*most)).or_insert(loud);
    }
    for (name, _) in loudest.iter().filter(|(_, loud)| **loud == Priority::Force) {
        let (forced, silenced): (Vec<_>, Vec<_>) =
            merged.list(name).partition(|node| Priority::of(node.note.as_ref()) == Priority::Force);
        let idle = silenced.is_empty() && !inherited.iter().any(|node| node.name.text == *name);
        if let Some(node) = forced.first().filter(|_| idle) {
            let diag = Diag::new("eval/force-nothing", node.span, "`(force)` overrides nothing");
            diags.push(diag.help("delete `(force)`"));
        }
    }
    merged.lists.retain(|node| loudest.get(&*node.name.text) == Some(&Priority::of(node.note.as_ref())));
}

fn warn_idle_force(merged: &Merged<'_>, diags: &mut Diags) {
    let idle = merged.values.values().filter(|choice| choice.priority == Priority::Force && !choice.contested);
    for choice in idle {
        let diag = Diag::new("eval/force-nothing", choice.entry.span, "`(force)` overrides nothing");
        diags.push(diag.help("delete `(force)`"));
    }
}

/// Lets every profile take over what its parents say; circles are refused.
pub(super) fn inherit<'s>(profiles: BTreeMap<String, Merged<'s>>, budget: &mut Budget, diags: &mut Diags) -> Vec<Merged<'s>> {
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
            let whole = take_over(own.clone(), parent, budget, diags);
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
                diags.push(diag.suggest(diags, &parent, profiles.keys().map(String::as_str)));
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

/// What the parent says comes first; what the profile itself says wins, however quietly.
fn take_over<'s>(mut own: Merged<'s>, parent: Option<&Merged<'s>>, budget: &mut Budget, diags: &mut Diags) -> Merged<'s> {
    let inherited = parent.map(|parent| parent.lists.as_slice()).unwrap_or_default();
    settle_lists(&mut own, inherited, diags);
    let Some(parent) = parent else { return own };
    // A kernel of its own replaces a parent's chain, and the other way round.
    let starts_itself = own.values.contains_key("kernel") || own.values.contains_key("chain") || own.list("local").next().is_some();
    for (name, choice) in &parent.values {
        let replaced = starts_itself && matches!(name.as_str(), "kernel" | "chain");
        let passed_on = !replaced && !matches!(name.as_str(), "extends" | "label");
        match own.values.get_mut(name) {
            Some(mine) => {
                mine.contested = true;
                let why = format!("`{}` says its own, and `{}` is its parent", own.name.as_ref().map_or("", |word| &word.text), parent.title());
                mine.beaten.push(Beaten { value: choice.entry.value.literal(), span: choice.span, why });
            }
            None if passed_on => {
                let why = format!("taken over from `{}`", parent.title());
                own.values.insert(name.clone(), Choice { contested: true, why, ..choice.clone() });
            }
            None => {}
        }
    }
    let forced: BTreeSet<String> = own.lists.iter().filter(|node| Priority::of(node.note.as_ref()) == Priority::Force).map(|node| node.name.text.to_string()).collect();
    let has_root = own.list("root").next().is_some();
    let replaced = |node: &Node<'_>| match &*node.name.text {
        "local" => starts_itself,
        "root" => has_root,
        name => forced.contains(name),
    };
    if parent.lists.len() + own.lists.len() > LIST_MAX {
        let span = own.name.as_ref().map(|word| word.span);
        let message = format!("profile `{}` has more than {LIST_MAX} lines, those of its parents included", own.title());
        let span = span.or(own.span()).or(parent.span()).unwrap_or(Span::new(FileId::new(0), 0, 0));
        diags.push(Diag::new("eval/limit", span, message).help("write several words on one line"));
        return own;
    }
    let span = own.span().unwrap_or(Span::new(FileId::new(0), 0, 0));
    if !budget.made(parent.lists.len(), span, diags) {
        return own;
    }
    let mut lists: Vec<Node<'s>> = parent.lists.iter().filter(|node| !replaced(node)).cloned().collect();
    lists.append(&mut own.lists);
    own.lists = lists;
    own
}

//! `let`, `{name}` and `repeat`: text with braces becomes text without, and lines are written for us.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::budget::Budget;
use super::datum::{Datum, variable};
use super::expression::{Names, Trouble, compute};
use crate::diag::{Diag, Diags};
use crate::schema;
use crate::source::Span;
use crate::syntax::{Entry, Node, Value, shorten};

/// How many `let`s may stand behind each other.
const LET_DEPTH_MAX: usize = 64;

/// Names and their values.
pub(super) struct Scope<'s> {
    values: BTreeMap<String, Datum<'s>>,
    /// A module sees its options and nothing of the site's.
    is_module: bool,
    /// A file is missing that may have had more names.
    is_partial: bool,
}

/// Takes the `let` nodes out; the later of two of one name is the mistake.
pub(super) fn take_lets<'s>(nodes: &mut Vec<Node<'s>>, parent: &'static str, diags: &mut Diags) -> Vec<Node<'s>> {
    if nodes.iter().all(|node| node.name.text != "let") {
        return Vec::new();
    }
    let (mut lets, rest) = std::mem::take(nodes).into_iter().partition(|node| node.name.text == "let");
    *nodes = rest;
    schema::conform(&mut lets, parent, diags);
    lets
}

fn unique<'s>(lets: Vec<Node<'s>>, diags: &mut Diags) -> BTreeMap<String, Entry<'s>> {
    let mut seen: BTreeMap<String, Node<'s>> = BTreeMap::new();
    for node in lets {
        let Some(name) = node.title().map(str::to_owned) else { continue };
        match seen.get(&name) {
            Some(first) => diags.push(schema::twice(&node, first)),
            None => drop(seen.insert(name, node)),
        }
    }
    seen.into_iter().filter_map(|(name, node)| Some((name, node.arg(1)?.clone()))).collect()
}

impl<'s> Scope<'s> {
    /// A scope of `let`s, which may use each other in any order.
    pub(super) fn of_site(lets: Vec<Node<'s>>, budget: &mut Budget, diags: &mut Diags) -> Self {
        let mut scope = Scope { values: BTreeMap::new(), is_module: false, is_partial: diags.has_lost_unknown() };
        scope.add_lets(lets, budget, diags);
        scope
    }

    /// A scope of a module's options, and of the `let`s of its config.
    pub(super) fn of_module(options: BTreeMap<String, Datum<'s>>, lets: Vec<Node<'s>>, budget: &mut Budget, diags: &mut Diags) -> Self {
        let mut scope = Scope { values: options, is_module: true, is_partial: false };
        scope.add_lets(lets, budget, diags);
        scope
    }

    /// The same for templates: secrets are left out, and hyphens are underscores.
    pub(super) fn for_templates(&self) -> BTreeMap<String, serde_json::Value> {
        self.values.iter().filter_map(|(name, value)| Some((variable(name), value.to_json()?))).collect()
    }

    /// The names that stand for secrets, as templates would write them.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        self.values.iter().filter(|(_, value)| matches!(value, Datum::Secret(_))).map(|(name, _)| variable(name)).collect()
    }

    fn add_lets(&mut self, lets: Vec<Node<'s>>, budget: &mut Budget, diags: &mut Diags) {
        let mut waiting = unique(lets, diags);
        for (name, entry) in waiting.iter().filter(|(name, _)| self.values.contains_key(*name)) {
            let diag = Diag::new("schema/too-many", entry.span, format!("`{name}` is an option of this module too"));
            diags.push(diag.help("give the `let` another name"));
        }
        waiting.retain(|name, _| !self.values.contains_key(name));
        let mut stuck = BTreeSet::new();
        for name in waiting.keys() {
            self.resolve(name, &waiting, 0, &mut stuck, budget, diags);
        }
    }

    fn resolve(
        &mut self,
        name: &str,
        waiting: &BTreeMap<String, Entry<'s>>,
        depth: usize,
        stuck: &mut BTreeSet<String>,
        budget: &mut Budget,
        diags: &mut Diags,
    ) {
        let Some(entry) = waiting.get(name) else { return };
        if self.values.contains_key(name) || stuck.contains(name) {
            return;
        }
        if depth > LET_DEPTH_MAX {
            stuck.insert(name.to_owned());
            diags.lose(name);
            let message = format!("`let {name}` refers to itself, or through more than {LET_DEPTH_MAX} others");
            diags.push(Diag::new("eval/limit", entry.span, message).help("write one of them without braces"));
            return;
        }
        for used in entry.text().map(names_in).unwrap_or_default() {
            self.resolve(&used, waiting, depth + 1, stuck, budget, diags);
        }
        if stuck.contains(name) {
            return;
        }
        let mut entry = entry.clone();
        let errors = diags.errors();
        self.filler(budget, diags).entry(&mut entry);
        if diags.errors() > errors || diags.is_tainted(entry.value_span) {
            stuck.insert(name.to_owned());
            return diags.lose(name); // whoever uses it has no mistake of their own
        }
        self.values.insert(name.to_owned(), Datum::of(&entry));
    }

    /// Fills all texts of these nodes and their children, and runs their `repeat`s.
    pub(super) fn fill(&self, nodes: &mut Vec<Node<'s>>, budget: &mut Budget, diags: &mut Diags) {
        self.filler(budget, diags).nodes(nodes);
    }

    fn filler<'a>(&'a self, budget: &'a mut Budget, diags: &'a mut Diags) -> Filler<'a, 's> {
        Filler { scope: self, locals: Vec::new(), around: 1, kept: None, budget, diags }
    }
}

struct Filler<'a, 's> {
    scope: &'a Scope<'s>,
    /// The counters of the `repeat`s in which we stand.
    locals: Vec<(String, Datum<'s>)>,
    /// How often all of these run together.
    around: u128,
    /// What stands for itself in the value that is filled.
    kept: Option<&'static str>,
    budget: &'a mut Budget,
    diags: &'a mut Diags,
}

impl<'s> Filler<'_, 's> {
    fn nodes(&mut self, nodes: &mut Vec<Node<'s>>) {
        if nodes.iter().all(|node| node.name.text != "repeat") {
            return nodes.iter_mut().for_each(|node| self.node(node));
        }
        let mut filled = Vec::with_capacity(nodes.len());
        for mut node in std::mem::take(nodes) {
            if node.name.text == "repeat" {
                self.repeat(node, &mut filled);
            } else {
                self.node(&mut node);
                filled.push(node);
            }
        }
        *nodes = filled;
    }

    fn node(&mut self, node: &mut Node<'s>) {
        if node.name.text == "module" {
            return; // its config is filled when it is used
        }
        if node.entries.iter().any(|entry| entry.text().is_some_and(|text| text.contains('{'))) {
            self.entries(node);
        }
        if !node.children.is_empty() {
            self.nodes(&mut node.children);
        }
    }

    /// Fills each value; an argument that is a list becomes as many arguments.
    fn entries(&mut self, node: &mut Node<'s>) {
        let mut filled = Vec::with_capacity(node.entries.len());
        let is_pattern = node.name.text == schema::COMMAND;
        for mut entry in std::mem::take(&mut node.entries) {
            self.kept = (is_pattern && entry.name.is_none()).then_some(schema::PLACEHOLDER);
            let inside = entry.text().and_then(whole_expression).filter(|inside| self.kept != Some(*inside));
            match inside.map(|inside| compute(inside, &self.names())) {
                Some(Ok(Datum::List(items))) if entry.name.is_none() => {
                    if !self.budget.made(items.len(), entry.span, self.diags) {
                        continue;
                    }
                    for item in items {
                        let mut one = entry.clone();
                        item.put(&mut one);
                        filled.push(one);
                    }
                    continue;
                }
                _ => self.entry(&mut entry),
            }
            filled.push(entry);
        }
        self.kept = None;
        node.entries = filled;
    }

    fn names(&self) -> Names<'_, 's> {
        Names { locals: &self.locals, values: &self.scope.values }
    }

    fn entry(&mut self, entry: &mut Entry<'s>) {
        let span = entry.value_span;
        let Some(text) = entry.text().filter(|text| text.contains('{')) else { return };
        if let Some(inside) = whole_expression(text).filter(|inside| self.kept != Some(inside)) {
            match compute(inside, &self.names()) {
                Ok(Datum::List(_)) => self.alone(inside, span),
                Ok(value) => {
                    if self.budget.text(value.weight(), span, self.diags) {
                        value.put(entry);
                    }
                }
                Err(trouble) => self.report(&trouble, inside, span),
            }
            return;
        }
        let filled = self.interpolate(text, span);
        if let Some(text) = entry.text_mut() {
            *text = Cow::Owned(filled);
        }
    }

    fn interpolate(&mut self, text: &str, span: Span) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                out.push('{');
                rest = after;
                continue;
            }
            let Some((inside, tail)) = after.split_once('}') else {
                let diag = Diag::new("eval/expression", span, format!("`{{{}` has no closing brace", shorten(after)));
                self.diags.push(diag.help("write `{{` for a brace itself"));
                return out;
            };
            if self.kept == Some(inside) {
                out.extend(["{", inside, "}"]);
                rest = tail;
                continue;
            }
            match compute(inside, &self.names()) {
                Ok(value) => match value.show() {
                    Some(shown) if self.budget.text(shown.len(), span, self.diags) => out.push_str(&shown),
                    Some(_) => return out,
                    None => self.alone(inside, span),
                },
                Err(trouble) => self.report(&trouble, inside, span),
            }
            rest = tail;
        }
        out + rest
    }

    /// A list or a secret in the middle of a text.
    fn alone(&mut self, inside: &str, span: Span) {
        let inside = shorten(inside);
        let is_secret = matches!(compute(&inside, &self.names()), Ok(Datum::Secret(_)));
        self.diags.push(match is_secret {
            true => Diag::new("secret/leak", span, format!("`{{{inside}}}` is a secret, and this text would be written to out/"))
                .help("a secret goes whole to an option or a property that wants one"),
            false => Diag::new("eval/expression", span, format!("`{{{inside}}}` is a list and must stand alone, as an argument"))
                .help("write it as an argument of its own, or `repeat item \"{list}\" { … }`"),
        });
    }

    fn report(&mut self, trouble: &Trouble, inside: &str, span: Span) {
        let inside = shorten(inside);
        let wrong = |message: String| Diag::new("eval/expression", span, message);
        let diag = match trouble {
            Trouble::Undefined(name) if self.scope.is_partial || self.diags.is_lost_name(name) => return self.diags.taint(span),
            Trouble::Undefined(name) => self.undefined(name, span),
            Trouble::NotNumber(name) => {
                wrong(format!("`{{{inside}}}` computes with numbers; `{}` is none", shorten(name))).help("only whole numbers add up and have a format")
            }
            Trouble::NoField(name) => wrong(format!("`{}` is no option of the submodule", shorten(name))).help("name one that the submodule declares"),
            Trouble::TooLarge => wrong(format!("`{{{inside}}}` is beyond 9223372036854775807")).help("choose smaller numbers"),
            Trouble::Format(format) => wrong(format!("`{}` is no format", shorten(format))).help("write {n:02} for zeros, {n:x} for hexadecimal, {n:02x} for both; at most 64 wide"),
            Trouble::Form => wrong(format!("`{{{inside}}}` is no expression")).help("write {name}, {n+10}, {n:02} or {n:02x}, and `{{` for a brace itself"),
        };
        self.diags.push(diag);
    }

    fn undefined(&self, name: &str, span: Span) -> Diag {
        let shown = shorten(name);
        let diag = Diag::new("eval/undefined-name", span, format!("`{{{shown}}}` is not defined"));
        let locals = self.locals.iter().map(|(name, _)| name.as_str());
        match self.diags.nearest(name, locals.chain(self.scope.values.keys().map(String::as_str))) {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None if self.scope.is_module => diag.help(format!("declare it: option {shown} (string)required doc=\"…\"")),
            None => diag.help(format!("add `let {shown} …`, or write `{{{{` for a brace itself")),
        }
    }

    /// Writes the children once for each number or item.
    fn repeat(&mut self, mut node: Node<'s>, out: &mut Vec<Node<'s>>) {
        let Some(spec) = schema::find("repeat", "") else { return };
        let list = node.arg(1).and_then(Entry::text).and_then(whole_expression).and_then(|inside| compute(inside, &self.names()).ok());
        let list = list.filter(|value| matches!(value, Datum::List(_)));
        if list.is_none() {
            self.entries(&mut node);
        }
        let errors = self.diags.errors();
        let sound = schema::entries(&mut node, spec, self.diags) && self.diags.errors() == errors;
        let items = if sound { self.items(&node, list) } else { None };
        let (Some(name), Some(items)) = (node.title().map(str::to_owned), items) else { return self.diags.lose_unknown() };
        if !self.budget.runs(items.count(), self.around, node.span, self.diags) || node.children.is_empty() {
            return;
        }
        let outer = self.around;
        self.around = outer.saturating_mul(items.count());
        for item in items.each() {
            if !self.budget.made(weight(&node.children), node.span, self.diags) {
                break;
            }
            self.locals.push((name.clone(), item));
            let mut children = node.children.clone();
            self.nodes(&mut children);
            self.locals.pop();
            out.append(&mut children);
        }
        self.around = outer;
    }

    fn items(&mut self, node: &Node<'s>, list: Option<Datum<'s>>) -> Option<Items<'s>> {
        let (from, to) = (node.arg(1)?, node.arg(2));
        let diag = match (list, from.int(), to) {
            (Some(Datum::List(items)), _, None) => return Some(Items::List(items)),
            (None, Some(low), Some(to)) => match to.int()? {
                high if high < low => Diag::new("schema/range", to.value_span, format!("`repeat` ends at {high}, before it starts at {low}"))
                    .help("write the smaller number first"),
                high => return Some(Items::Numbers(low, high)),
            },
            (None, Some(_), None) => Diag::new("schema/missing", node.span, "`repeat` needs a last number").help("for example: repeat n 1 8 { … }"),
            _ => Diag::new("schema/type", from.value_span, "`repeat` wants two numbers, or one list")
                .help("for example: repeat n 1 8 { … }, or repeat word \"{words}\" { … } where `words` is an option of type list"),
        };
        self.diags.push(diag);
        None
    }
}

/// What a `repeat` runs over.
enum Items<'s> {
    Numbers(i64, i64),
    List(Vec<Datum<'s>>),
}

impl<'s> Items<'s> {
    fn count(&self) -> u128 {
        match self {
            Items::Numbers(low, high) => high.abs_diff(*low) as u128 + 1,
            Items::List(items) => items.len() as u128,
        }
    }

    fn each(self) -> Box<dyn Iterator<Item = Datum<'s>> + 's> {
        match self {
            Items::Numbers(low, high) => Box::new((low..=high).map(|number| Datum::One(Value::Int(number)))),
            Items::List(items) => Box::new(items.into_iter()),
        }
    }
}

/// How many nodes and values there are; what a nested `repeat` makes is counted when it runs.
fn weight(nodes: &[Node<'_>]) -> usize {
    nodes.iter().map(|node| 1 + node.entries.len() / 8 + weight(&node.children)).sum()
}

/// `"{…}"` and nothing else: the value itself, a number stays a number.
fn whole_expression(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    (!inside.contains(['{', '}'])).then_some(inside)
}

/// Every name that a text may use: what stands between braces, and its parts between `+` and `-`.
fn names_in(text: &str) -> Vec<String> {
    const PARTS_MAX: usize = 8;
    let open = text.replace("{{", "");
    let mut names = Vec::new();
    for inside in open.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(inside, _)| inside) {
        let sum = inside.split(':').next().unwrap_or_default();
        let ends: Vec<usize> = sum.match_indices(['+', '-']).map(|(at, _)| at).chain([sum.len()]).take(PARTS_MAX).collect();
        for start in std::iter::once(0).chain(ends.iter().map(|end| end + 1)) {
            let parts = ends.iter().filter_map(|end| sum.get(start..*end)).map(str::trim);
            names.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
        }
    }
    names
}

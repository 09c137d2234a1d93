//! What the `use` lines of one name say, held against what the module declares: option → value.

use std::collections::BTreeMap;

use super::options::{Declared, Fallback, OptionType};
use crate::diag::{Diag, Diags};
use crate::eval::datum::Datum;
use crate::eval::priority::{Beaten, Candidate, Decision, Priority, decide};
use crate::eval::{Fact, Reference};
use crate::schema;
use crate::source::Span;
use crate::syntax::{Entry, Node, shorten};

/// Option → value.
pub(super) type Values<'s> = BTreeMap<String, Datum<'s>>;

/// One use of a module, while its options are bound.
pub(super) struct Binder<'a> {
    pub(super) module: &'a str,
    /// The number of the use.
    pub(super) instance: usize,
    /// The `use` line that is told what is missing.
    pub(super) line: Span,
    pub(super) diags: &'a mut Diags,
    /// What was decided, for `why`.
    pub(super) facts: &'a mut Vec<Fact>,
    pub(super) references: &'a mut Vec<Reference>,
}

impl Binder<'_> {
    /// Every option's value: what the lines give, or the default. `None` where one is wrong.
    pub(super) fn bind<'s>(&mut self, declared: &BTreeMap<String, Declared<'s>>, given: &[&Node<'s>], path: &str) -> Option<Values<'s>> {
        let mut by_name: BTreeMap<&str, Vec<&Node<'s>>> = BTreeMap::new();
        given.iter().for_each(|node| by_name.entry(&node.name.text).or_default().push(node));
        let mut sound = true;
        for (name, nodes) in by_name.iter().filter(|(name, _)| !declared.contains_key(**name)) {
            nodes.iter().for_each(|node| self.unknown(name, node, declared));
            sound = false;
        }
        let mut values = Values::new();
        for (name, option) in declared {
            let given = by_name.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            match self.value(name, option, given, &format!("{path}.{name}")) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None => sound = false,
            }
        }
        sound.then_some(values)
    }

    fn unknown(&mut self, name: &str, node: &Node<'_>, declared: &BTreeMap<String, Declared<'_>>) {
        if declared.values().any(|option| option.kind == OptionType::Secret) {
            node.entries.iter().for_each(|entry| self.diags.redact(entry.value_span)); // perhaps its name is misspelt
        }
        let diag = Diag::new("schema/unknown-node", node.name.span, format!("module `{}` has no option `{}`", self.module, shorten(name)));
        let diag = match self.diags.nearest(name, declared.keys().map(String::as_str)) {
            Some(near) => diag.help(format!("did you mean `{near}`?")).fix_near(name, declared.keys().map(String::as_str)),
            None if declared.is_empty() => diag.help("it has none: delete the line"),
            None => diag.help(format!("its options: {}", shorten(&declared.keys().map(String::as_str).collect::<Vec<_>>().join(", ")))),
        };
        self.diags.push(diag);
    }

    fn value<'s>(&mut self, name: &str, option: &Declared<'s>, given: &[&Node<'s>], path: &str) -> Option<Datum<'s>> {
        if given.is_empty() {
            return self.fallback(name, option, path);
        }
        if option.kind == OptionType::Submodule {
            return self.submodule(name, option, given, path);
        }
        if let OptionType::List(item) = &option.kind {
            return self.list(name, option, item, given, path);
        }
        self.single(name, option, &option.kind, given, path)
    }

    fn fallback<'s>(&mut self, name: &str, option: &Declared<'s>, path: &str) -> Option<Datum<'s>> {
        match &option.fallback {
            Fallback::Many => Some(Datum::List(Vec::new())),
            Fallback::Value(value) => {
                let shown = value.show().unwrap_or_else(|| "a list".into());
                let span = Span { file: option.default_span.file.used(self.instance), ..option.default_span };
                self.decided(path, shown, span, "the default of the option", Vec::new());
                Some(value.clone())
            }
            // A file that could not be read to its end may have said it.
            Fallback::Required if self.diags.has_family("syntax") => None,
            Fallback::Required => {
                let diag = Diag::new("eval/option-required", self.line, format!("module `{}` needs `{name}`", self.module));
                let help = format!("write between its braces: {name} {}", option.example);
                self.diags.push(diag.label(option.span, format!("declared here: {}", option.doc)).help(help));
                None
            }
        }
    }

    fn decided(&mut self, path: &str, value: String, span: Span, why: &str, beaten: Vec<Beaten>) {
        self.facts.push(Fact { path: path.to_owned(), value, span, why: why.to_owned(), beaten });
    }

    fn single<'s>(&mut self, name: &str, option: &Declared<'s>, kind: &OptionType, given: &[&Node<'s>], path: &str) -> Option<Datum<'s>> {
        let mut candidates = Vec::new();
        for node in given {
            let [entry] = node.entries.as_slice() else { return self.not_one(name, option, node) };
            if entry.name.is_some() || !node.children.is_empty() {
                return self.not_one(name, option, node);
            }
            schema::mark(node.note.as_ref(), true, self.diags);
            if !entry.is_secret() {
                schema::mark(entry.note.as_ref(), true, self.diags);
            }
            option.typed(name, kind, entry, self.diags)?;
            candidates.push(Candidate { entry: entry.clone(), span: node.span, priority: Priority::of_child(node, entry) });
        }
        let Decision { winner, beaten, quarrel } = decide(path, candidates)?;
        self.refer(kind, &winner.entry);
        let shown = if winner.entry.is_secret() { "a secret".into() } else { winner.entry.value.literal() };
        self.decided(path, shown, winner.span, winner.priority.name(), beaten);
        quarrel.into_iter().for_each(|diag| self.diags.push(diag));
        Some(Datum::of(&winner.entry))
    }

    fn not_one<T>(&mut self, name: &str, option: &Declared<'_>, node: &Node<'_>) -> Option<T> {
        if option.kind == OptionType::Secret {
            node.entries.iter().for_each(|entry| self.diags.redact(entry.value_span));
        }
        let diag = Diag::new("eval/option-type", node.span, format!("`{name}` wants one value and nothing else"));
        let help = format!("write the value behind the name: {name} {}", option.example);
        self.diags.push(diag.label(option.span, format!("declared here: {}", option.doc)).help(help));
        None
    }

    /// Lists append; of lines that differ in loudness the loudest stay.
    fn list<'s>(&mut self, name: &str, option: &Declared<'s>, item: &OptionType, given: &[&Node<'s>], path: &str) -> Option<Datum<'s>> {
        let loudest = given.iter().map(|node| Priority::of(node.note.as_ref())).max()?;
        let (kept, silenced): (Vec<&Node<'s>>, Vec<&Node<'s>>) = given.iter().partition(|node| Priority::of(node.note.as_ref()) == loudest);
        let mut items = Vec::new();
        for node in &kept {
            if node.entries.iter().any(|entry| entry.name.is_some()) || !node.children.is_empty() {
                return self.not_one(name, option, node);
            }
            schema::mark(node.note.as_ref(), true, self.diags);
            for entry in &node.entries {
                if !entry.is_secret() {
                    schema::mark(entry.note.as_ref(), false, self.diags);
                }
                items.push(option.typed(name, item, entry, self.diags)?);
                self.refer(item, entry);
            }
        }
        if let Some(bound) = option.wrong_count(items.len()) {
            let span = kept.first().map_or(self.line, |node| node.span);
            let diag = Diag::new("schema/range", span, format!("`{name}` has {} items; {bound}", items.len()));
            self.diags.push(diag.label(option.span, format!("declared here: {}", option.doc)).help(format!("write {bound}")));
            return None;
        }
        let beaten = silenced.iter().map(|node| Beaten {
            value: node.args().map(|entry| entry.value.literal()).collect::<Vec<_>>().join(" "),
            span: node.span,
            why: format!("{} gives way to {}", Priority::of(node.note.as_ref()).name(), loudest.name()),
        });
        let shown: Vec<String> = items.iter().filter_map(Datum::show).collect();
        let beaten = beaten.collect();
        for (at, node) in kept.iter().enumerate() {
            let beaten = if at == 0 { std::mem::take(&mut Vec::clone(&beaten)) } else { Vec::new() };
            self.decided(path, shown.join(" "), node.span, loudest.name(), beaten);
        }
        Some(Datum::List(items))
    }

    /// One block of options, or as many as one likes, each with a title; blocks of one title merge.
    fn submodule<'s>(&mut self, name: &str, option: &Declared<'s>, given: &[&Node<'s>], path: &str) -> Option<Datum<'s>> {
        let mut titled: BTreeMap<String, Vec<&Node<'s>>> = BTreeMap::new();
        let many = matches!(option.fallback, Fallback::Many);
        let mut sound = true;
        for node in given {
            let title = node.title().filter(|_| node.entries.len() == 1).map(str::to_owned);
            let title = match (many, title) {
                (true, Some(title)) => title,
                (false, None) if node.entries.is_empty() => name.to_owned(),
                _ => {
                    let (wants, help) = match many {
                        true => ("a title and a block", format!("write: {name} TITLE {{ … }}")),
                        false => ("a block and nothing else", format!("write: {name} {{ … }}")),
                    };
                    let diag = Diag::new("eval/option-type", node.span, format!("`{name}` wants {wants}"));
                    self.diags.push(diag.label(option.span, format!("declared here: {}", option.doc)).help(help));
                    sound = false;
                    continue;
                }
            };
            titled.entry(title).or_default().push(node);
        }
        let mut records = Vec::new();
        for (title, nodes) in titled {
            let inner: Vec<&Node<'s>> = nodes.iter().flat_map(|node| &node.children).collect();
            let path = if many { format!("{path}.{title}") } else { path.to_owned() };
            let line = nodes.first().map_or(self.line, |node| node.span);
            let outer = std::mem::replace(&mut self.line, line);
            let fields = self.bind(&option.inner, &inner, &path);
            self.line = outer;
            match fields {
                Some(fields) => records.push(Datum::Record(title, fields)),
                None => sound = false,
            }
        }
        if let Some(bound) = option.wrong_count(records.len()).filter(|_| many) {
            let diag = Diag::new("schema/range", self.line, format!("`{name}` is given {} times; {bound}", records.len()));
            self.diags.push(diag.label(option.span, format!("declared here: {}", option.doc)).help(format!("write {bound}")));
            return None;
        }
        let value = if many { Some(Datum::List(records)) } else { records.pop() };
        value.filter(|_| sound)
    }

    /// Remembers what a value names, so that `check` can see whether it exists.
    fn refer(&mut self, kind: &OptionType, entry: &Entry<'_>) {
        let kind = if let OptionType::Reference(kind) = kind { kind.as_str() } else { "secret" };
        if kind == "secret" && !entry.is_secret() {
            return; // a plain value names nothing
        }
        let name = entry.text().unwrap_or_default().to_owned();
        self.references.push(Reference { kind: kind.to_owned(), name, span: entry.value_span });
    }
}

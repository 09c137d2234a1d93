//! What modules declare, read from their nodes alone: it is shown even while the site has mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::schema::Kind;
use crate::syntax::{Entry, Node, Value};

/// An option as its module declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: String,
    /// For a reference, what it names.
    pub(super) to: Option<Kind>,
    /// The words of an enum.
    pub(super) words: Vec<String>,
    pub(super) doc: String,
    /// As it is written; `required` and `many` are words of the declaration.
    pub(super) default: String,
    pub(super) is_required: bool,
    pub(super) example: Option<String>,
    /// `min="30s"`, `max=…`, `values=…`, as they are written.
    pub(super) bounds: Vec<String>,
    /// A submodule's own options.
    pub(super) inner: BTreeMap<String, Declared>,
}

/// A module: its options and the names that its config gives values.
#[derive(Clone, Debug, Default)]
pub(super) struct Module {
    pub(super) doc: String,
    pub(super) options: BTreeMap<String, Declared>,
    pub(super) lets: BTreeSet<String>,
    pub(super) takes_settings: bool,
}

impl Module {
    pub(super) fn of(node: &Node<'_>, text: &str) -> Module {
        let lets = node.named("config").flat_map(|config| config.named("let")).filter_map(Node::title);
        Module {
            doc: node.named("doc").find_map(Node::title).unwrap_or_default().to_owned(),
            options: options(node, text),
            lets: lets.map(str::to_owned).collect(),
            takes_settings: node.named("settings").next().is_some(),
        }
    }

    /// The options of the submodule behind these names, outermost first.
    pub(super) fn inner(&self, path: &[&str]) -> Option<&BTreeMap<String, Declared>> {
        path.iter().try_fold(&self.options, |options, name| options.get(*name).map(|option| &option.inner))
    }
}

fn options(node: &Node<'_>, text: &str) -> BTreeMap<String, Declared> {
    node.named("option").filter_map(|option| Some((option.title()?.to_owned(), Declared::of(option, text)?))).collect()
}

fn written(text: &str, range: Range<usize>) -> String {
    text.get(range).unwrap_or_default().to_owned()
}

impl Declared {
    fn of(option: &Node<'_>, text: &str) -> Option<Declared> {
        let value = option.arg(1)?;
        let word = |name: &str| option.prop(name).and_then(Entry::text).unwrap_or_default();
        let shown = |entry: &Entry<'_>| written(text, entry.value_span.range());
        let bounds = ["min", "max", "values"].iter().filter_map(|name| option.prop(name)).map(|entry| written(text, entry.span.range()));
        let kind = value.note.as_ref().map_or("string", |note| &*note.text);
        let item = if kind == "list" { option.prop("of").and_then(Entry::text).unwrap_or("string") } else { kind };
        let defaults: Vec<String> = option.args().skip(1).filter(|entry| entry.value != Value::Null).map(shown).collect();
        Some(Declared {
            kind: if kind == "list" { format!("list of {item}") } else { kind.to_owned() },
            to: Kind::find(word("to")).filter(|_| item == "reference"),
            words: word("values").split(',').map(str::trim).filter(|word| item == "enum" && !word.is_empty()).map(str::to_owned).collect(),
            doc: word("doc").to_owned(),
            is_required: value.text() == Some("required"),
            default: if defaults.is_empty() { "an empty list".to_owned() } else { defaults.join(" ") },
            example: option.prop("example").map(shown),
            bounds: bounds.collect(),
            inner: options(option, text),
        })
    }

    /// The type of one value: of a list's item, where it is a list.
    pub(super) fn item(&self) -> &str {
        self.kind.strip_prefix("list of ").unwrap_or(&self.kind)
    }
}

//! What a module declares, read off its file: for people who write a `use` line.

use serde::Serialize;

use super::super::conform;
use crate::diag::Diags;
use crate::syntax::{Entry, Node, Value};

/// A module for whoever uses it.
#[derive(Debug, Serialize)]
pub struct ModuleDoc {
    pub module: String,
    pub doc: Option<String>,
    pub options: Vec<OptionDoc>,
    /// What becomes of the words of a `settings` block, where it may have one.
    pub settings: Option<String>,
    pub renamed: Vec<Renamed>,
    pub removed: Vec<Removed>,
}

/// An option, or an option of a submodule.
#[derive(Debug, Serialize)]
pub struct OptionDoc {
    pub name: String,
    /// One of `OPTION_TYPES`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a list: the type of its items.
    pub of: Option<String>,
    /// Of a reference: what it names.
    pub to: Option<String>,
    /// Of an enum: its words.
    pub values: Vec<String>,
    pub required: bool,
    /// A submodule that may be given any number of times, each with a title.
    pub many: bool,
    /// As an author would write it.
    pub default: Option<String>,
    pub min: Option<String>,
    pub max: Option<String>,
    pub doc: String,
    /// As an author would write it.
    pub example: Option<String>,
    /// Of a submodule.
    pub options: Vec<OptionDoc>,
}

/// The old name of an option.
#[derive(Debug, Serialize)]
pub struct Renamed {
    pub option: String,
    pub to: String,
    pub since: String,
}

/// An option that is gone.
#[derive(Debug, Serialize)]
pub struct Removed {
    pub option: String,
    pub since: String,
    pub why: String,
}

/// What the module `name` in these nodes declares; what the table refuses is left out and reported.
pub fn module(mut nodes: Vec<Node<'_>>, name: &str, diags: &mut Diags) -> Option<ModuleDoc> {
    nodes.retain(|node| node.name.text == "module" && node.title() == Some(name));
    // Only what it declares is told; its config and claims wait for values.
    nodes.iter_mut().for_each(|node| node.children.retain(|child| !matches!(&*child.name.text, "config" | "assert" | "warn")));
    conform(&mut nodes, "", diags);
    let module = nodes.first()?;
    let sentence = |node: &Node<'_>| node.title().map(str::to_owned);
    let renamed = |node: &Node<'_>| Renamed {
        option: node.title().unwrap_or_default().into(),
        to: text(node, "to"),
        since: text(node, "since"),
    };
    let removed = |node: &Node<'_>| Removed {
        option: node.title().unwrap_or_default().into(),
        since: text(node, "since"),
        why: node.arg(1).and_then(Entry::text).unwrap_or_default().into(),
    };
    Some(ModuleDoc {
        module: name.to_owned(),
        doc: module.named("doc").next().and_then(sentence),
        options: module.named("option").map(option).collect(),
        settings: module.named("settings").next().map(|node| text(node, "doc")),
        renamed: module.named("renamed").map(renamed).collect(),
        removed: module.named("removed").map(removed).collect(),
    })
}

fn option(node: &Node<'_>) -> OptionDoc {
    let values: Vec<&Entry<'_>> = node.args().skip(1).collect();
    let kind = values.first().and_then(|entry| entry.note.as_ref()).map_or("string", |note| &*note.text).to_owned();
    let word = values.first().and_then(|entry| entry.text());
    let (required, many) = (word == Some("required"), kind == "submodule" && word == Some("many"));
    let is_empty = values.first().is_some_and(|entry| entry.value == Value::Null);
    let default =
        (!required && !many && !is_empty).then(|| values.iter().map(|entry| literal(&entry.value)).collect::<Vec<_>>().join(" "));
    let given = |name: &str| node.prop(name).map(|entry| literal(&entry.value));
    let words = text(node, "values");
    OptionDoc {
        name: node.title().unwrap_or_default().to_owned(),
        of: (kind == "list").then(|| node.prop("of").and_then(Entry::text).unwrap_or("string").to_owned()),
        to: Some(text(node, "to")).filter(|to| !to.is_empty()),
        values: words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        kind,
        required,
        many,
        default,
        min: given("min"),
        max: given("max"),
        doc: text(node, "doc"),
        example: given("example"),
        options: node.named("option").map(option).collect(),
    }
}

fn text(node: &Node<'_>, name: &str) -> String {
    node.prop(name).and_then(Entry::text).unwrap_or_default().to_owned()
}

/// A value as an author would write it.
fn literal(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => format!("#{flag}"),
        Value::Null => "#null".to_owned(),
    }
}

impl OptionDoc {
    /// Its type, bounds and default in a line.
    pub(super) fn facts(&self) -> String {
        let of = self.of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
        let to = self.to.as_ref().map(|to| format!(" to a {to}")).unwrap_or_default();
        let words = if self.values.is_empty() { String::new() } else { format!(": {}", self.values.join(", ")) };
        let mut parts = vec![format!("{}{of}{to}{words}", self.kind)];
        parts.extend(self.min.as_ref().map(|min| format!("at least {min}")));
        parts.extend(self.max.as_ref().map(|max| format!("at most {max}")));
        match (self.required, self.many, &self.default) {
            (true, ..) => parts.push("required".to_owned()),
            (_, true, _) => parts.push("any number of them, each with a title".to_owned()),
            (.., Some(default)) => parts.push(format!("{default} if absent")),
            (.., None) => parts.push("none if absent".to_owned()),
        }
        parts.join("; ")
    }
}

//! The language as people and programs read it: text, JSON, Markdown, a man page, a JSON Schema.
//!
//! Each format is one file with one function that makes a text of the table. [`find`] takes a name
//! such as `host` or `network.gateway` to its part of the table; [`module`] reads what a module declares.
//! **Invariant:** no format knows a word of the language: what it tells stands in the table.

mod json;
mod json_schema;
mod man;
mod markdown;
mod module;
mod text;

pub use json::json;
pub use json_schema::json_schema;
pub use man::man;
pub use markdown::markdown;
pub use module::{ModuleDoc, OptionDoc, module};
pub use text::{overview, text, type_text};

use super::{NodeSpec, OPTION_TYPES, OptionType, Slot, Type, nodes};
use crate::diag::nearest;

/// A part of the language.
#[derive(Clone, Copy, Debug)]
pub enum Topic {
    Node(&'static NodeSpec),
    Slot(&'static NodeSpec, &'static Slot),
    OptionType(&'static OptionType),
}

/// The parts that a name means: a node, `NODE.SLOT`, `NODE.CHILD`, or the type of an option. A word may
/// be a node and a type, so there may be several. The error says what to type instead.
pub fn find(name: &str) -> Result<Vec<Topic>, String> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let found: Vec<&'static NodeSpec> = nodes().filter(|spec| spec.name == first).collect();
    let Some(word) = rest else {
        let types = OPTION_TYPES.iter().filter(|kind| kind.name == name).map(Topic::OptionType);
        let topics: Vec<Topic> = found.into_iter().map(Topic::Node).chain(types).collect();
        return if topics.is_empty() { Err(unknown_node(name)) } else { Ok(topics) };
    };
    if found.is_empty() {
        return Err(unknown_node(first));
    }
    let slots =
        found.iter().flat_map(|spec| spec.slots().filter(|slot| slot_word(slot) == word).map(|slot| Topic::Slot(spec, slot)));
    let children = found.iter().flat_map(|spec| spec.children()).filter(|child| child.name == word).map(Topic::Node);
    let topics: Vec<Topic> = slots.chain(children).collect();
    if !topics.is_empty() {
        return Ok(topics);
    }
    let mut known: Vec<String> = found.iter().flat_map(|spec| spec.slots()).map(slot_word).collect();
    known.extend(found.iter().flat_map(|spec| spec.children()).map(|child| child.name.to_owned()));
    let help = match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{first}.{near}`?"),
        None if known.is_empty() => format!("`{first}` takes nothing"),
        None => format!("it knows {}", known.join(", ")),
    };
    Err(format!("`{first}` has no `{word}`; {help}"))
}

fn unknown_node(name: &str) -> String {
    let known = nodes().map(|spec| spec.name).chain(OPTION_TYPES.iter().map(|kind| kind.name));
    let slot = nodes().find(|spec| spec.slots().any(|slot| slot_word(slot) == name));
    match (nearest(name, known), slot) {
        (_, Some(spec)) => format!("no node is called `{name}`; did you mean `{}.{name}`?", spec.name),
        (Some(near), None) => format!("no node is called `{name}`; did you mean `{near}`?"),
        (None, None) => format!("no node is called `{name}`; `pxelator options` lists them all"),
    }
}

/// How a slot is named behind the dot: `address range` is `address-range`.
fn slot_word(slot: &Slot) -> String {
    slot.name.replace(' ', "-")
}

/// A node's homes, for “stands in …”.
fn homes(spec: &NodeSpec) -> Vec<String> {
    let home = |home: &&'static str| match *home {
        "" => "the file".to_owned(),
        "config" => "the config of a module".to_owned(),
        other => format!("`{other}`"),
    };
    spec.within.iter().map(home).collect()
}

/// `network NAME ADDRESS-RANGE [gateway=…] { … }`: the form of a line, arguments in capitals.
fn synopsis(spec: &'static NodeSpec) -> String {
    let mut parts = vec![spec.name.to_owned()];
    let argument = |slot: &Slot| slot_word(slot).to_uppercase();
    parts.extend(spec.args.iter().map(|slot| if slot.required { argument(slot) } else { format!("[{}]", argument(slot)) }));
    parts.extend(spec.more.iter().map(|slot| format!("[{}…]", argument(slot))));
    parts.extend(
        spec.props.iter().map(|slot| if slot.required { format!("{}=…", slot.name) } else { format!("[{}=…]", slot.name) }),
    );
    if spec.children().next().is_some() || matches!(spec.name, "use" | "repeat") {
        parts.push("{ … }".to_owned());
    }
    parts.join(" ")
}

/// A type in a word; a range that bounds nothing is not told.
fn type_name(kind: Type) -> String {
    if kind == Type::Int(i64::MIN, i64::MAX) { "number".to_owned() } else { kind.name() }
}

/// How a slot is written: a property with its name.
fn written(spec: &NodeSpec, slot: &Slot) -> String {
    match is_prop(spec, slot) {
        true => format!("{}={}", slot.name, slot.example),
        false => slot.example.to_owned(),
    }
}

fn is_prop(spec: &NodeSpec, slot: &Slot) -> bool {
    spec.props.iter().any(|prop| std::ptr::eq(prop, slot))
}

fn is_more(spec: &NodeSpec, slot: &Slot) -> bool {
    spec.more.as_ref().is_some_and(|more| std::ptr::eq(more, slot))
}

/// A sentence about a type of options, beyond what a value of it is.
fn type_notes(kind: &OptionType) -> String {
    let mut notes = Vec::new();
    if !kind.needs.is_empty() {
        notes.push(format!("its declaration needs `{}`", kind.needs));
    }
    if !kind.bounds.is_empty() {
        notes.push(format!("`min=` and `max=` bound {}", kind.bounds));
    }
    if kind.default == "required" && kind.name == "secret" {
        notes.push("there is no default".to_owned());
    }
    notes.join("; ")
}

/// How an option of a type is declared.
fn declaration(kind: &OptionType) -> String {
    let needs = if kind.needs.is_empty() { String::new() } else { format!(" {}", kind.needs) };
    let inner = if kind.name == "submodule" { " { option width (int)1920 doc=\"…\" }" } else { "" };
    format!("option x ({}){}{needs} doc=\"…\"{inner}", kind.name, kind.default)
}

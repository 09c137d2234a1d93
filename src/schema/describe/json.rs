//! For programs: the table with stable keys.

use serde_json::{Value, json};

use super::super::{FAMILIES, Family, NodeSpec, OPTION_TYPES, OptionType, Slot};
use super::{Topic, declaration, is_prop, type_name};

/// The whole language: `{"version","nodes":[…],"option_types":[…]}`; of some parts, a list of them.
pub fn json(topics: Option<&[Topic]>) -> String {
    let value = match topics {
        Some(topics) => Value::Array(topics.iter().map(topic).collect()),
        None => json!({
            "version": env!("CARGO_PKG_VERSION"),
            "nodes": FAMILIES.iter().flat_map(|family| family.nodes).map(node).collect::<Vec<Value>>(),
            "option_types": OPTION_TYPES.iter().map(option_type).collect::<Vec<Value>>(),
        }),
    };
    format!("{value:#}\n")
}

fn topic(topic: &Topic) -> Value {
    match topic {
        Topic::Node(spec) => node(spec),
        Topic::Slot(spec, slot) => {
            let is = if is_prop(spec, slot) { "property" } else { "argument" };
            with(self::slot(slot), [("node", spec.name.into()), ("is", is.into())])
        }
        Topic::OptionType(kind) => option_type(kind),
    }
}

fn node(spec: &'static NodeSpec) -> Value {
    let holds = |family: &&Family| family.nodes.iter().any(|other| std::ptr::eq(other, spec));
    json!({
        "node": spec.name,
        "family": FAMILIES.iter().find(holds).map(|family| family.title),
        "within": spec.within,
        "args": spec.args.iter().map(slot).collect::<Vec<Value>>(),
        "more": spec.more.as_ref().map(slot),
        "props": spec.props.iter().map(slot).collect::<Vec<Value>>(),
        "children": spec.children().map(|child| child.name).collect::<Vec<&str>>(),
        "once": spec.once,
        "doc": spec.doc,
        "example": spec.example,
        "since": spec.since,
    })
}

fn slot(slot: &Slot) -> Value {
    json!({
        "name": slot.name, "type": type_name(slot.kind), "required": slot.required, "default": slot.default,
        "doc": slot.doc, "example": slot.example, "since": slot.since,
    })
}

/// An object with more in it.
pub(super) fn with(mut object: Value, more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    if let Value::Object(map) = &mut object {
        map.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    object
}

fn option_type(kind: &OptionType) -> Value {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "option_type": kind.name, "wants": kind.wants, "bounds": text(kind.bounds), "needs": text(kind.needs),
        "declaration": declaration(kind), "example": kind.example,
    })
}

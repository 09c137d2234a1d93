//! A JSON Schema (2020-12) of the tree that `pxelator inspect syntax FILE --format json` prints.
//!
//! A node is `{"name","type"?,"args":[{"value","type"?}],"props":{NAME:{"value","type"?}},"children":[…]}`.
//! What stands in a place is told by a definition `in-PLACE`, which looks at the name and holds the node
//! against that node's definition alone, so that a validator's message speaks of the node that was meant.
//! Text with `{` in it is allowed for every value: it is computed before it is held against its type.

use serde_json::{Map, Value, json};

use super::super::{NodeSpec, Slot, Type, nodes};
use super::json::with;
use crate::diag::Diags;
use crate::source::FileId;
use crate::syntax;

/// The form of a name, as `is_name` has it.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$";
/// The form of a duration; that each unit stands once and in order is left to `duration_secs`.
const DURATION: &str = "^([0-9]+[dhms])+$";

/// The schema as text.
pub fn json_schema() -> String {
    let mut defs = Map::new();
    let mut places: Vec<&'static str> = nodes().flat_map(|spec| spec.within).copied().collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        defs.insert(in_place(place), self::place(place));
        for spec in nodes().filter(|spec| spec.within.contains(&place)) {
            defs.insert(key(spec, place), node(spec, place));
        }
    }
    defs.insert(
        "braces".into(),
        json!({"type": "string", "pattern": "\\{", "description": "text with {names} in it: computed before it is read"}),
    );
    defs.insert("mark".into(), json!({"enum": ["default", "force"], "description": "(default) gives way, (force) wins"}));
    defs.insert("given".into(), given());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A site of pxelator, or a module of one",
        "description": "What `pxelator inspect syntax FILE --format json` prints",
        "type": "array",
        "items": {"$ref": format!("#/$defs/{}", in_place(""))},
        "$defs": defs,
    });
    format!("{schema:#}\n")
}

fn in_place(place: &str) -> String {
    format!("in-{}", if place.is_empty() { "file" } else { place })
}

/// The definition of a node in a place: one for all places, unless its children hang on the place, or
/// another node bears the name elsewhere.
fn key(spec: &NodeSpec, place: &str) -> String {
    let alone = nodes().filter(|other| other.name == spec.name).count() == 1;
    match spec.name {
        "repeat" => format!("repeat-{}", in_place(place)),
        name if alone => format!("node-{name}"),
        name => format!("node-{name}-{}", in_place(place)),
    }
}

/// Which nodes may stand in a place.
fn place(place: &'static str) -> Value {
    let here = || nodes().filter(|spec| spec.within.contains(&place));
    let names: Vec<&str> = here().map(|spec| spec.name).collect();
    let cases = here().map(|spec| {
        json!({
            "if": {"properties": {"name": {"const": spec.name}}, "required": ["name"]},
            "then": {"$ref": format!("#/$defs/{}", key(spec, place))},
        })
    });
    json!({"type": "object", "required": ["name"], "properties": {"name": {"enum": names}}, "allOf": cases.collect::<Vec<Value>>()})
}

fn node(spec: &'static NodeSpec, place: &'static str) -> Value {
    let props: Map<String, Value> = spec.props.iter().map(|slot| (slot.name.to_owned(), entry(slot))).collect();
    let needed_props: Vec<&str> = spec.props.iter().filter(|slot| slot.required).map(|slot| slot.name).collect();
    let needed_args = spec.args.iter().filter(|slot| slot.required).count();
    let children = match spec.name {
        "use" => json!({"$ref": "#/$defs/given"}),
        // What a `repeat` writes stands where it stands itself.
        "repeat" => json!({"$ref": format!("#/$defs/{}", in_place(place))}),
        name if spec.children().next().is_some() => json!({"$ref": format!("#/$defs/{}", in_place(name))}),
        _ => json!(false),
    };
    let mut required = vec!["name"];
    required.extend((needed_args > 0).then_some("args"));
    required.extend((!needed_props.is_empty()).then_some("props"));
    json!({
        "description": format!("{}\nExample: {}", spec.doc, spec.example),
        "type": "object",
        "required": required,
        "properties": {
            "name": {"const": spec.name},
            "type": {"$ref": "#/$defs/mark"},
            "args": args(spec, needed_args),
            "props": {"type": "object", "required": needed_props, "properties": props, "additionalProperties": false},
            "children": {"type": "array", "items": children},
        },
        "additionalProperties": false,
    })
}

fn args(spec: &NodeSpec, needed: usize) -> Value {
    let more = spec.more.as_ref().map_or(json!(false), entry);
    let first = (!spec.args.is_empty()).then(|| ("prefixItems", spec.args.iter().map(entry).collect()));
    // `"{words}"` may become as many arguments as the list has items.
    let list = || json!({"contains": {"properties": {"value": {"type": "string", "pattern": "^\\{.*\\}$"}}}});
    let enough = (needed > 0).then(|| ("anyOf", json!([{"minItems": needed}, list()])));
    with(json!({"type": "array", "items": more}), first.into_iter().chain(enough))
}

/// An argument or a property: its value, and a mark before it.
fn entry(slot: &Slot) -> Value {
    let mark = if slot.kind == Type::Secret {
        json!({"const": "secret"})
    } else if slot.kind == Type::Any {
        json!({"type": "string"})
    } else {
        json!({"$ref": "#/$defs/mark"})
    };
    let told = [("description", slot.doc.into()), ("examples", read(slot.example).into_iter().collect())];
    let default = slot.default.and_then(read).map(|default| ("default", default));
    let value = with(kind(slot.kind), told.into_iter().chain(default));
    json!({"type": "object", "required": ["value"], "properties": {"value": value, "type": mark}, "additionalProperties": false})
}

/// A type's values, or text that braces make into one.
fn kind(kind: Type) -> Value {
    let exact = match kind {
        Type::Declares(_) | Type::Refers(_) | Type::Secret => json!({"type": "string", "pattern": NAME}),
        Type::Text | Type::Cidr | Type::Mac | Type::AssetPath | Type::SourcePath | Type::Names | Type::Pattern => {
            return json!({"type": "string"});
        }
        Type::Address | Type::Addresses => return json!({"type": ["string", "integer"]}),
        Type::Selector | Type::Any => return json!({}),
        Type::Int(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Duration(..) => json!({"type": "string", "pattern": DURATION}),
        Type::OneOf(words) => json!({"enum": words}),
    };
    json!({"anyOf": [exact, {"$ref": "#/$defs/braces"}]})
}

/// What the block of a `use` line holds: options of a module, which this schema does not know.
fn given() -> Value {
    let entry = json!({"type": "object", "required": ["value"], "properties": {"value": {}, "type": {"type": "string"}}, "additionalProperties": false});
    json!({
        "description": "An option of the module: `pxelator options --module NAME` tells them",
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "type": {"type": "string"},
            "args": {"type": "array", "items": entry},
            "props": {"type": "object", "additionalProperties": entry},
            "children": {"type": "array", "items": {"$ref": "#/$defs/given"}},
        },
        "additionalProperties": false,
    })
}

/// A value of the table as JSON.
fn read(text: &str) -> Option<Value> {
    let line = format!("x {text}");
    let nodes = syntax::parse(&line, FileId::new(0), &mut Diags::default());
    let entry = nodes.first()?.entries.first()?;
    Some(match &entry.value {
        syntax::Value::Text(text) => text.as_ref().into(),
        syntax::Value::Int(number) => (*number).into(),
        syntax::Value::Float(number) => (*number).into(),
        syntax::Value::Bool(flag) => (*flag).into(),
        syntax::Value::Null => Value::Null,
    })
}

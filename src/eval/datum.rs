//! What a name in braces stands for.

use std::collections::BTreeMap;

use crate::syntax::{Entry, Note, Value, Word};

/// A value of a `let`, of an option, or of a counter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum<'s> {
    One(Value<'s>),
    /// The name of a secret: it may become a whole value, and never a part of a text.
    Secret(String),
    List(Vec<Datum<'s>>),
    /// A submodule: its title and its own options.
    Record(String, BTreeMap<String, Datum<'s>>),
}

impl<'s> Datum<'s> {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Datum::One(Value::Text(text.into().into()))
    }

    /// What an argument or property says.
    pub(super) fn of(entry: &Entry<'s>) -> Self {
        match (entry.is_secret(), &entry.value) {
            (true, Value::Text(name)) => Datum::Secret(name.to_string()),
            _ => Datum::One(entry.value.clone()),
        }
    }

    /// As part of a text; `None` for what must stand alone.
    pub(super) fn show(&self) -> Option<String> {
        match self {
            Datum::One(value) => Some(show(value)),
            Datum::Record(title, _) => Some(title.clone()),
            Datum::Secret(_) | Datum::List(_) => None,
        }
    }

    /// Puts the value into an argument or property; a list cannot be one.
    pub(super) fn put(&self, entry: &mut Entry<'s>) {
        match self {
            Datum::One(value) => entry.value = value.clone(),
            Datum::Record(title, _) => entry.value = Value::Text(title.clone().into()),
            Datum::Secret(name) => {
                entry.note = Note::new(Word { text: "secret".into(), span: entry.value_span });
                entry.value = Value::Text(name.clone().into());
            }
            Datum::List(_) => {}
        }
    }

    /// How many bytes of text it is, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Datum::One(Value::Text(text)) => text.len(),
            Datum::One(Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null) => 0,
            Datum::Secret(name) => name.len(),
            Datum::List(items) => items.iter().map(Datum::weight).sum(),
            Datum::Record(title, fields) => title.len() + fields.values().map(Datum::weight).sum::<usize>(),
        }
    }

    /// As a template sees it; secrets are left out.
    pub(super) fn to_json(&self) -> Option<serde_json::Value> {
        match self {
            Datum::One(Value::Text(text)) => Some(text.as_ref().into()),
            Datum::One(Value::Int(number)) => Some((*number).into()),
            Datum::One(Value::Float(number)) => Some((*number).into()),
            Datum::One(Value::Bool(flag)) => Some((*flag).into()),
            Datum::One(Value::Null) => Some(serde_json::Value::Null),
            Datum::Secret(_) => None,
            Datum::List(items) => Some(items.iter().filter_map(Datum::to_json).collect()),
            Datum::Record(title, fields) => {
                let named = fields.iter().filter_map(|(name, field)| Some((variable(name), field.to_json()?)));
                Some(serde_json::Value::Object(named.chain([("title".to_owned(), title.as_str().into())]).collect()))
            }
        }
    }
}

/// How a template calls an option: a hyphen would be a minus there.
pub(super) fn variable(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

/// A value as part of a text.
pub(super) fn show(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => String::new(),
    }
}

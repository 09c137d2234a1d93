//! How later rooms take what a node holds: arguments by position, properties and children by name.
//!
//! That nothing is left over is the schema's promise: `schema::conform` has refused the rest.

use std::borrow::Cow;

use super::{Entry, Node, Value, Word};

impl<'s> Node<'s> {
    pub fn args(&self) -> impl Iterator<Item = &Entry<'s>> {
        self.entries.iter().filter(|entry| entry.name.is_none())
    }

    pub fn arg(&self, at: usize) -> Option<&Entry<'s>> {
        self.args().nth(at)
    }

    pub fn prop(&self, name: &str) -> Option<&Entry<'s>> {
        self.props().find(|(word, _)| word.text == name).map(|(_, entry)| entry)
    }

    pub fn props(&self) -> impl Iterator<Item = (&Word<'s>, &Entry<'s>)> {
        self.entries.iter().filter_map(|entry| entry.name.as_deref().map(|name| (name, entry)))
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node<'s>> {
        self.children.iter().filter(move |child| child.name.text == name)
    }

    /// Moves its places by so many bytes, those of its children too.
    pub fn shift(&mut self, by: i64) {
        let of_word = |word: &mut Word<'s>| word.span = word.span.shifted(by);
        self.span = self.span.shifted(by);
        of_word(&mut self.name);
        self.note.as_mut().into_iter().for_each(of_word);
        for entry in &mut self.entries {
            entry.span = entry.span.shifted(by);
            entry.value_span = entry.value_span.shifted(by);
            entry.name.as_deref_mut().into_iter().chain(entry.note.as_mut()).for_each(of_word);
        }
        self.children.iter_mut().for_each(|child| child.shift(by));
    }

    /// The first argument as text: the name of whatever the node declares.
    pub fn title(&self) -> Option<&str> {
        self.arg(0).and_then(Entry::text)
    }
}

impl<'s> Entry<'s> {
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null => None,
        }
    }

    pub fn text_mut(&mut self) -> Option<&mut Cow<'s, str>> {
        match &mut self.value {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null => None,
        }
    }

    /// `(secret)name`.
    pub fn is_secret(&self) -> bool {
        self.note.as_ref().is_some_and(|note| note.text == "secret")
    }

    pub fn int(&self) -> Option<i64> {
        match self.value {
            Value::Int(number) => Some(number),
            Value::Text(_) | Value::Float(_) | Value::Bool(_) | Value::Null => None,
        }
    }
}

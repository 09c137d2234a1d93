//! Every name of a site and the places where it stands.
//!
//! The schema says which slot declares a name and which refers to one; this room adds what a slot cannot
//! say: `{names}` within text, the options of a `use` block, and records that name hosts. Definition,
//! references, rename and completion all read the same places, and [`walk`](super::walk) is what finds them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;

use super::braces;
use super::modules::Module;
use super::walk::Walk;
use crate::diag::Diags;
use crate::schema::Kind;
use crate::source::{FileId, glob_matches};
use crate::syntax::{Entry, Node, parse};

/// What is named: a kind, where it is seen, and the name.
///
/// Options, the `let`s of a module and the names of `use` lines are seen within their module, counters
/// within their `repeat`; the scope of everything else is the site, which is empty here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) scope: String,
    pub(super) name: String,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind as u8, &self.scope, &self.name).hash(state);
    }
}

impl Key {
    pub(super) fn new(kind: Kind, scope: &str, name: &str) -> Key {
        // Hosts are names of DNS, where case means nothing.
        let name = if kind == Kind::Host { name.to_ascii_lowercase() } else { name.to_owned() };
        Key { kind, scope: scope.to_owned(), name }
    }
}

impl Place {
    /// What is written there when the name becomes `new`: a range and its text, in quotes where KDL wants
    /// them. `None` where only people can do it.
    pub(super) fn renamed(&self, text: &str, new: &str) -> Option<(Range<usize>, String)> {
        let raw = text.get(self.value.clone())?;
        let is_bare = !raw.starts_with(['"', '#']);
        match self.range == self.value {
            _ if self.is_hidden => None,
            true if is_bare => Some((self.range.clone(), written_name(new))),
            true => Some((self.range.clone(), format!("\"{new}\""))),
            // `boot.lab.example` without quotes, whose beginning would look like a number.
            false if is_bare && self.range.start == self.value.start && written_name(new) != new => {
                let rest = text.get(self.range.end..self.value.end)?;
                Some((self.value.clone(), format!("\"{new}{rest}\"")))
            }
            false => Some((self.range.clone(), new.to_owned())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Declares,
    Refers,
}

/// Where a name stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Rc<str>,
    pub(super) range: Range<usize>,
    pub(super) role: Role,
    /// The value that it is, or of which it is a part; quotes included.
    pub(super) value: Range<usize>,
    /// Escapes keep the name from being found within its value: the place is the value.
    pub(super) is_hidden: bool,
}

/// What must be known before names can be found: what modules declare, and the site's `let`s.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) lets: BTreeSet<String>,
    domain: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) facts: Facts,
    /// Hashed: of 100,000 hosts half the time of an index went into keeping the names in order.
    places: HashMap<Key, Vec<Place>>,
    /// Names with `{…}` in them, as patterns: a `repeat` or a module makes many of one.
    patterns: Vec<(Kind, String, Place)>,
}

pub(super) fn nodes_of(text: &str) -> Vec<Node<'_>> {
    parse(text, FileId::new(0), &mut Diags::default())
}

impl Index {
    pub(super) fn of(texts: &BTreeMap<String, String>) -> Index {
        let files: Vec<(&String, &String, Vec<Node<'_>>)> =
            texts.iter().filter(|(name, _)| name.ends_with(".kdl")).map(|(name, text)| (name, text, nodes_of(text))).collect();
        let mut index = Index::default();
        files.iter().for_each(|(_, text, nodes)| index.facts.learn(nodes, text));
        let Index { facts, places, patterns } = &mut index;
        for (name, text, nodes) in &files {
            Walk::new(facts, name, text, &mut |key, place| {
                if key.name.contains('{') && place.role == Role::Declares {
                    patterns.push((key.kind, braces::pattern(&key.name), place.clone()));
                }
                places.entry(key).or_default().push(place);
            })
            .run(nodes);
        }
        index
    }

    pub(super) fn places(&self, key: &Key) -> &[Place] {
        self.places.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn declared(&self, key: &Key) -> impl Iterator<Item = &Place> {
        self.places(key).iter().filter(|place| place.role == Role::Declares)
    }

    /// The lines that make a name by filling braces.
    pub(super) fn made(&self, key: &Key) -> impl Iterator<Item = &Place> {
        let fits = |kind: Kind, pattern: &str| kind == key.kind && key.scope.is_empty() && glob_matches(pattern, &key.name.to_ascii_lowercase());
        self.patterns.iter().filter(move |(kind, pattern, _)| fits(*kind, pattern)).map(|(_, _, place)| place)
    }

    /// All declared names of a kind, sorted.
    pub(super) fn names(&self, kind: Kind, scope: &str) -> Vec<&str> {
        let wanted = |key: &Key| key.kind == kind && key.scope == scope && !key.name.contains('{');
        let of_kind = self.places.iter().filter(|(key, _)| wanted(key));
        let declared = of_kind.filter(|(_, places)| places.iter().any(|place| place.role == Role::Declares));
        let mut names: Vec<&str> = declared.map(|(key, _)| key.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The names that stand at an offset of a file, the innermost last.
    pub(super) fn at(&self, file: &str, text: &str, offset: usize) -> Vec<(Key, Place)> {
        let mut found = Vec::new();
        let mut keep = |key: Key, place: Place| {
            if place.range.start <= offset && offset <= place.range.end {
                found.push((key, place));
            }
        };
        Walk::new(&self.facts, file, text, &mut keep).run(&nodes_of(text));
        found
    }
}

impl Facts {
    fn learn(&mut self, nodes: &[Node<'_>], text: &str) {
        for node in nodes {
            match (&*node.name.text, node.title()) {
                ("module", Some(name)) => drop(self.modules.insert(name.to_owned(), Module::of(node, text))),
                ("let", Some(name)) => drop(self.lets.insert(name.to_owned())),
                ("site", Some(_)) => self.domain = node.prop("domain").and_then(Entry::text).map(str::to_owned),
                _ => {}
            }
        }
    }

    /// The host that a record names; a name with dots may be a host of the site's own domain.
    pub(super) fn host_of<'t>(&self, target: &'t str) -> Option<&'t str> {
        if !target.contains('.') {
            return Some(target);
        }
        let domain = self.domain.as_deref().unwrap_or("home.arpa");
        let (host, rest) = target.split_once('.')?;
        rest.trim_end_matches('.').eq_ignore_ascii_case(domain).then_some(host)
    }
}

/// A name as KDL wants it: in quotes where it would be read as a number or a keyword.
pub(super) fn written_name(name: &str) -> String {
    let unsigned = name.strip_prefix(['+', '-']).unwrap_or(name);
    let is_number = unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit());
    let is_keyword = matches!(name, "true" | "false" | "null" | "inf" | "-inf" | "nan");
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
    if is_plain && !is_number && !is_keyword { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_kdl_would_misread_them() {
        assert_eq!(written_name("pc-07"), "pc-07");
        assert_eq!(written_name("3com"), "\"3com\"");
        assert_eq!(written_name("-.5"), "\"-.5\"");
        assert_eq!(written_name("true"), "\"true\"");
        assert_eq!(written_name("a b"), "\"a b\"");
    }

    /// Everything that names the host `boot` in a record, after it was called `3x`.
    #[test]
    fn parts_of_values_keep_the_rest() {
        for (record, wanted) in [
            ("to=boot", Some("to=\"3x\"")),
            ("to=\"boot\"", Some("to=\"3x\"")),
            ("to=#\"boot\"#", Some("to=\"3x\"")),
            ("to=boot.home.arpa", Some("to=\"3x.home.arpa\"")),
            ("to=\"boot.home.arpa\"", Some("to=\"3x.home.arpa\"")),
            ("to=\"b\\u{6f}ot\"", Some("to=\"3x\"")),
            ("to=\"b\\u{6f}ot.home.arpa\"", None),
        ] {
            let text = format!("dns {{ cname git {record} }}");
            let index = Index::of(&BTreeMap::from([("site.kdl".to_owned(), text.clone())]));
            let places = index.places(&Key::new(Kind::Host, "", "BOOT"));
            let edit = places.first().map(|place| place.renamed(&text, "3x"));
            let changed = edit.flatten().map(|(range, new)| {
                let mut text = text.clone();
                text.replace_range(range, &new);
                text
            });
            assert_eq!(changed, wanted.map(|wanted| format!("dns {{ cname git {wanted} }}")), "{record}: {places:?}");
        }
    }
}

//! The options that a module declares: their types, bounds and defaults.

use std::collections::BTreeMap;

use crate::diag::{Diag, Diags};
use crate::eval::datum::Datum;
use crate::schema::{self, OPTION_TYPES, REFERENCES, duration_secs, is_name, mac_bytes};
use crate::source::Span;
use crate::syntax::{Entry, Node, Value, shorten};

/// What an option's value must be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OptionType {
    Bool,
    Int,
    String,
    Enum(Vec<String>),
    Duration,
    Url,
    Ip,
    Cidr,
    Mac,
    Path,
    Secret,
    /// The name of a thing that the site declares: its kind.
    Reference(String),
    List(Box<OptionType>),
    Submodule,
}

/// What holds where nobody says anything.
#[derive(Clone, Debug)]
pub(super) enum Fallback<'s> {
    Required,
    /// A submodule that may be given any number of times.
    Many,
    Value(Datum<'s>),
}

/// An option as its module declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared<'s> {
    pub(super) kind: OptionType,
    pub(super) fallback: Fallback<'s>,
    pub(super) doc: String,
    /// As an author would write a value.
    pub(super) example: String,
    pub(super) span: Span,
    /// Where the default stands.
    pub(super) default_span: Span,
    bounds: [Option<Entry<'s>>; 2],
    /// A submodule's own options.
    pub(super) inner: BTreeMap<String, Declared<'s>>,
}

/// The options of a module or submodule; `None` where one is broken.
pub(super) fn declared<'s>(node: &Node<'s>, diags: &mut Diags) -> Option<BTreeMap<String, Declared<'s>>> {
    let mut all: BTreeMap<String, Declared<'s>> = BTreeMap::new();
    let mut sound = true;
    for option in node.named("option") {
        let Some(title) = option.title() else { continue };
        if let Some(first) = all.get(title) {
            let diag = Diag::new("schema/too-many", option.span, format!("option `{title}` is declared twice"));
            diags.push(diag.here("again here").label(first.span, "first declared here").help("delete one of them"));
            sound = false;
            continue;
        }
        match Declared::read(option, diags) {
            Some(declared) => drop(all.insert(title.to_owned(), declared)),
            None => sound = false,
        }
    }
    sound.then_some(all)
}

impl<'s> Declared<'s> {
    fn read(option: &Node<'s>, diags: &mut Diags) -> Option<Declared<'s>> {
        let entry = option.arg(1)?;
        let kind = OptionType::read(option, entry, diags)?;
        let inner = declared(option, diags)?;
        if let Some(extra) = option.arg(2).filter(|_| !matches!(kind, OptionType::List(_))) {
            let diag = Diag::new("schema/too-many", extra.span, "an option has one default; this is one value too many");
            diags.push(diag.help("delete it; the words of an enum stand in values=\"one,two\""));
            return None;
        }
        if kind != OptionType::Submodule && !inner.is_empty() {
            let diag = Diag::new("eval/option-type", option.span, "only a submodule has options of its own");
            diags.push(diag.help("write (submodule)required, or (submodule)many where it may be given more than once"));
            return None;
        }
        let example = option.prop("example").map(|entry| entry.text().map_or_else(|| entry.value.literal(), |text| format!("\"{text}\"")));
        let least = option.prop("min").filter(|_| matches!(kind, OptionType::Int | OptionType::Duration)).map(|entry| entry.text().map_or_else(|| entry.value.literal(), |text| format!("\"{text}\"")));
        let mut this = Declared {
            example: example.or(least).unwrap_or_else(|| kind.example()),
            kind,
            fallback: Fallback::Required,
            doc: option.prop("doc").and_then(Entry::text).unwrap_or_default().to_owned(),
            span: option.span,
            default_span: entry.span,
            bounds: ["min", "max"].map(|name| option.prop(name).cloned()),
            inner,
        };
        this.fallback = this.read_fallback(option, entry, diags)?;
        Some(this)
    }

    fn read_fallback(&self, option: &Node<'s>, entry: &Entry<'s>, diags: &mut Diags) -> Option<Fallback<'s>> {
        let title = option.title().unwrap_or_default();
        match (&self.kind, entry.text()) {
            (_, Some("required")) => Some(Fallback::Required),
            (OptionType::Submodule, Some("many")) => Some(Fallback::Many),
            (OptionType::List(_), None) if entry.value == Value::Null => Some(Fallback::Value(Datum::List(Vec::new()))),
            (OptionType::List(item), _) => {
                let items: Option<Vec<_>> = option.args().skip(1).map(|entry| self.typed(title, item, entry, diags)).collect();
                Some(Fallback::Value(Datum::List(items?)))
            }
            (OptionType::Submodule | OptionType::Secret, _) => {
                let diag = Diag::new("eval/option-type", entry.span, format!("`{title}` cannot have a default"));
                diags.push(diag.help("write `required`; a submodule may also say `many`"));
                None
            }
            _ => self.typed(title, &self.kind, entry, diags).map(Fallback::Value),
        }
    }

    /// One value of an option, held against its type and bounds.
    pub(super) fn typed(&self, title: &str, kind: &OptionType, entry: &Entry<'s>, diags: &mut Diags) -> Option<Datum<'s>> {
        if *kind == OptionType::Secret && !(entry.is_secret() && entry.text().is_some_and(is_name)) {
            schema::refuse_literal(entry, title, diags);
            return None;
        }
        if entry.is_secret() && *kind != OptionType::Secret {
            let diag = Diag::new("secret/leak", entry.value_span, format!("`{title}` is no option for a secret"));
            diags.push(self.labelled(diag, entry).help("the module must declare the option as (secret)required"));
            return None;
        }
        if !kind.fits(entry) {
            let found = entry.text().map_or_else(|| entry.value.kind().to_owned(), |text| format!("`\"{}\"`", shorten(text)));
            let diag = Diag::new("eval/option-type", entry.value_span, format!("`{title}` wants {}, found {found}", kind.wants()));
            let diag = match (kind, entry.text()) {
                (OptionType::Enum(words), Some(text)) => diag.suggest(diags, text, words.iter().map(String::as_str)),
                _ => diag.help(format!("for example: {title} {}", self.example)),
            };
            diags.push(self.labelled(diag, entry));
            return None;
        }
        // The bounds of a list are about its length.
        let is_item = matches!(self.kind, OptionType::List(_));
        if let Some(bound) = self.out_of_bounds(kind, entry).filter(|_| !is_item) {
            let diag = Diag::new("schema/range", entry.value_span, format!("`{title}` is {}; {bound}", entry.value.literal()));
            diags.push(self.labelled(diag, entry).help(format!("choose {bound}")));
            return None;
        }
        Some(Datum::of(entry))
    }

    fn labelled(&self, diag: Diag, entry: &Entry<'_>) -> Diag {
        if entry.span == self.default_span { diag } else { diag.label(self.span, format!("declared here: {}", self.doc)) }
    }

    /// “at least 30s”, where `min=` or `max=` says so.
    fn out_of_bounds(&self, kind: &OptionType, entry: &Entry<'_>) -> Option<String> {
        let number = |entry: &Entry<'_>| match *kind == OptionType::Duration {
            true => entry.text().and_then(duration_secs).and_then(|secs| i64::try_from(secs).ok()),
            false => entry.int(),
        };
        let (value, unit) = match (kind, entry.text()) {
            (OptionType::String, Some(text)) => (i64::try_from(text.chars().count()).ok()?, " characters"),
            (OptionType::Int | OptionType::Duration, _) => (number(entry)?, ""),
            _ => return None,
        };
        self.beyond(value, unit, number)
    }

    /// The same for the number of a list's items.
    pub(super) fn wrong_count(&self, count: usize) -> Option<String> {
        self.beyond(i64::try_from(count).unwrap_or(i64::MAX), " of them", |entry| entry.int())
    }

    fn beyond(&self, value: i64, unit: &str, number: impl Fn(&Entry<'_>) -> Option<i64>) -> Option<String> {
        let [low, high] = &self.bounds;
        let low = low.as_ref().filter(|bound| number(bound).is_some_and(|low| value < low));
        let high = high.as_ref().filter(|bound| number(bound).is_some_and(|high| value > high));
        let shown = |entry: &Entry<'_>| entry.text().map_or_else(|| entry.int().unwrap_or_default().to_string(), str::to_owned);
        low.map(|bound| format!("at least {}{unit}", shown(bound))).or(high.map(|bound| format!("at most {}{unit}", shown(bound))))
    }
}

impl OptionType {
    fn read(option: &Node<'_>, entry: &Entry<'_>, diags: &mut Diags) -> Option<OptionType> {
        let name = entry.note.as_ref().map_or("string", |note| &*note.text);
        OptionType::named(name, option, entry.span, diags)
    }

    fn named(name: &str, option: &Node<'_>, span: Span, diags: &mut Diags) -> Option<OptionType> {
        let wants = |what: &str, help: String| Diag::new("schema/missing", option.span, what.to_owned()).help(help);
        Some(match name {
            "bool" => OptionType::Bool,
            "int" => OptionType::Int,
            "string" => OptionType::String,
            "duration" => OptionType::Duration,
            "url" => OptionType::Url,
            "ip" => OptionType::Ip,
            "cidr" => OptionType::Cidr,
            "mac" => OptionType::Mac,
            "path" => OptionType::Path,
            "secret" => OptionType::Secret,
            "submodule" => OptionType::Submodule,
            "enum" => {
                let words = option.prop("values").and_then(Entry::text).unwrap_or_default();
                let words: Vec<String> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
                if words.is_empty() {
                    diags.push(wants("an enum needs its words", "write: values=\"one,two\"".into()));
                    return None;
                }
                OptionType::Enum(words)
            }
            "reference" => {
                let Some(kind) = option.prop("to").and_then(Entry::text) else {
                    diags.push(wants("a reference needs to say what it names", format!("write to= and one of {}", REFERENCES.join(", "))));
                    return None;
                };
                OptionType::Reference(kind.to_owned())
            }
            "list" => {
                let of = option.prop("of").and_then(Entry::text).unwrap_or("string");
                if matches!(of, "list" | "submodule") {
                    let diag = Diag::new("eval/option-type", span, format!("a list of type {of} cannot be"));
                    diags.push(diag.help("for blocks that repeat, write (submodule)many"));
                    return None;
                }
                OptionType::List(Box::new(OptionType::named(of, option, span, diags)?))
            }
            other => {
                let diag = Diag::new("eval/option-type", span, format!("unknown option type `{}`", shorten(other)));
                diags.push(diag.suggest(diags, other, OPTION_TYPES.iter().map(|known| known.name)));
                return None;
            }
        })
    }

    fn wants(&self) -> String {
        match self {
            OptionType::Enum(words) => format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
            OptionType::Reference(kind) => format!("the name of a {kind}"),
            OptionType::List(item) => format!("a list, each item {}", item.wants()),
            OptionType::Bool | OptionType::Int | OptionType::String | OptionType::Duration | OptionType::Url | OptionType::Ip
            | OptionType::Cidr | OptionType::Mac | OptionType::Path | OptionType::Secret | OptionType::Submodule => OPTION_TYPES.iter().find(|known| known.name == self.name()).map_or_else(String::new, |known| known.wants.to_owned()),
        }
    }

    /// A value as an author would write it.
    fn example(&self) -> String {
        match self {
            OptionType::Bool => "#true".into(),
            OptionType::Int => "1".into(),
            OptionType::Enum(words) => words.first().cloned().unwrap_or_default(),
            OptionType::Duration => "\"5m\"".into(),
            OptionType::Url => "\"https://intra.example/\"".into(),
            OptionType::Ip => "\"10.0.0.9\"".into(),
            OptionType::Cidr => "\"10.0.0.0/24\"".into(),
            OptionType::Mac => "\"52:54:00:12:34:56\"".into(),
            OptionType::Secret => "(secret)name".into(),
            OptionType::String | OptionType::Path | OptionType::Reference(_) => "\"…\"".into(),
            OptionType::List(item) => item.example(),
            OptionType::Submodule => "{ … }".into(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            OptionType::Bool => "bool",
            OptionType::Int => "int",
            OptionType::String => "string",
            OptionType::Enum(_) => "enum",
            OptionType::Duration => "duration",
            OptionType::Url => "url",
            OptionType::Ip => "ip",
            OptionType::Cidr => "cidr",
            OptionType::Mac => "mac",
            OptionType::Path => "path",
            OptionType::Secret => "secret",
            OptionType::Reference(_) => "reference",
            OptionType::List(_) => "list",
            OptionType::Submodule => "submodule",
        }
    }

    fn fits(&self, entry: &Entry<'_>) -> bool {
        let text = entry.text();
        let is = |test: fn(&str) -> bool| text.is_some_and(test);
        match self {
            OptionType::Bool => matches!(entry.value, Value::Bool(_)),
            OptionType::Int => entry.int().is_some(),
            OptionType::Enum(words) => text.is_some_and(|text| words.iter().any(|word| word == text)),
            OptionType::Duration => is(|text| duration_secs(text).is_some()),
            OptionType::Url => is(is_url),
            OptionType::Ip => is(|text| text.parse::<std::net::IpAddr>().is_ok()),
            OptionType::Cidr => is(is_cidr),
            OptionType::Mac => is(|text| mac_bytes(text).is_ok()),
            OptionType::Path => is(|text| !text.is_empty() && !text.contains('\0')),
            OptionType::Secret | OptionType::Reference(_) => is(is_name),
            OptionType::String => text.is_some(),
            OptionType::List(_) | OptionType::Submodule => false,
        }
    }
}

fn is_url(text: &str) -> bool {
    let parts = text.split_once("://");
    parts.is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) && !text.contains(char::is_whitespace)
}

fn is_cidr(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    let longest = match ip.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= longest)
}

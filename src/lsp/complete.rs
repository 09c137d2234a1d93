//! Completion: what may stand at the cursor, from the schema, the modules, and the names of the site.

use lsp_types::{
    CompletionItem, CompletionItemKind as ItemKind, CompletionList, CompletionTextEdit, Documentation, InsertTextFormat, MarkupContent,
    MarkupKind, Range, TextEdit,
};

use super::cursor::{Cursor, Spot};
use super::index::written_name;
use super::modules::Declared;
use super::words::{about_node, about_option, about_slot, kind_of};
use super::workspace::Snapshot;
use crate::schema::{self, Kind, NodeSpec, Slot, Type};

/// How many names are offered; beyond, the client asks again when more is typed.
const ITEMS_MAX: usize = 500;

/// Who asks, and about what.
pub(super) struct Asked<'a> {
    pub(super) site: &'a Snapshot,
    pub(super) cursor: &'a Cursor,
    pub(super) snippets: bool,
    pub(super) markdown: bool,
    /// The place of what was typed already.
    pub(super) range: Range,
    /// Modules that lie in the folder, used or not.
    pub(super) modules: Vec<String>,
}

/// One word to offer.
struct Word {
    label: String,
    /// What is written, where it is not the label.
    insert: Option<String>,
    snippet: Option<String>,
    detail: String,
    doc: Option<String>,
    /// What the client compares with what is typed, where it is not the label.
    filter: Option<String>,
    kind: ItemKind,
}

impl Word {
    fn new(label: impl Into<String>, kind: ItemKind, detail: impl Into<String>) -> Word {
        Word { label: label.into(), insert: None, snippet: None, detail: detail.into(), doc: None, filter: None, kind }
    }
}

pub(super) fn complete(asked: &Asked<'_>) -> CompletionList {
    let cursor = asked.cursor;
    let mut words = asked.words();
    let typed = cursor.typed.to_lowercase();
    // The client filters by its own rules; only what is too much is cut here, by the plainest one.
    if words.len() > ITEMS_MAX {
        words.retain(|word| word.label.to_lowercase().starts_with(&typed));
    }
    let is_incomplete = words.len() > ITEMS_MAX;
    words.truncate(ITEMS_MAX);
    let items = words.into_iter().enumerate().map(|(at, word)| asked.item(at, word)).collect();
    CompletionList { is_incomplete, items }
}

impl Asked<'_> {
    fn item(&self, at: usize, word: Word) -> CompletionItem {
        let snippet = word.snippet.filter(|_| self.snippets);
        let format = if snippet.is_some() { InsertTextFormat::SNIPPET } else { InsertTextFormat::PLAIN_TEXT };
        let new_text = snippet.or(word.insert).unwrap_or_else(|| word.label.clone());
        let markup = |value| match self.markdown {
            true => Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value }),
            false => Documentation::String(value),
        };
        CompletionItem {
            kind: Some(word.kind),
            detail: Some(word.detail).filter(|detail| !detail.is_empty()),
            documentation: word.doc.map(markup),
            // In the order in which the language has them, not the alphabet's.
            sort_text: Some(format!("{at:04}")),
            filter_text: Some(word.filter.unwrap_or_else(|| word.label.clone())),
            label: word.label,
            insert_text_format: Some(format),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range: self.range, new_text })),
            ..CompletionItem::default()
        }
    }

    fn words(&self) -> Vec<Word> {
        let cursor = self.cursor;
        if cursor.in_braces() {
            return self.variables();
        }
        match (&cursor.spot, cursor.used()) {
            (Spot::Note, _) => self.notes(),
            (Spot::Node, Some((module, path))) => self.options(module, &path),
            (Spot::Argument { .. }, Some((module, path))) => self.option_values(module, &path),
            (Spot::Property(_), Some(_)) => Vec::new(),
            (Spot::Node, None) => self.nodes(),
            (Spot::Argument { at }, None) => {
                let Some(spec) = schema::find(&cursor.node, cursor.parent()) else { return Vec::new() };
                let slot = spec.args.get(*at).or(spec.more.as_ref());
                let mut words = slot.map(|slot| self.values(slot)).unwrap_or_default();
                if !cursor.is_quoted && cursor.before.is_empty() {
                    words.extend(self.props(spec));
                }
                words
            }
            (Spot::Property(name), None) => {
                let Some(spec) = schema::find(&cursor.node, cursor.parent()) else { return Vec::new() };
                spec.props.iter().find(|slot| slot.name == name).map(|slot| self.values(slot)).unwrap_or_default()
            }
        }
    }

    fn nodes(&self) -> Vec<Word> {
        let parent = self.cursor.parent();
        let present = self.cursor.around.last().map(|frame| frame.children.as_slice()).unwrap_or_default();
        let fits = |spec: &&'static NodeSpec| spec.within.contains(&parent) && !(spec.once && present.iter().any(|name| name == spec.name));
        let word = |spec: &'static NodeSpec| Word {
            snippet: Some(node_snippet(spec)),
            doc: Some(about_node(spec)),
            ..Word::new(spec.name, ItemKind::CLASS, spec.doc)
        };
        schema::nodes().filter(fits).map(word).collect()
    }

    fn props(&self, spec: &'static NodeSpec) -> Vec<Word> {
        let free = spec.props.iter().filter(|slot| !self.cursor.props.iter().any(|name| name == slot.name));
        let word = |slot: &'static Slot| Word {
            snippet: Some(format!("{}=$1", slot.name)),
            doc: Some(about_slot(slot, true)),
            ..Word::new(format!("{}=", slot.name), ItemKind::PROPERTY, slot.kind.name())
        };
        free.map(word).collect()
    }

    fn options(&self, module: &str, path: &[&str]) -> Vec<Word> {
        let Some(module_here) = self.site.index().facts.modules.get(module) else { return Vec::new() };
        let present = self.cursor.around.last().map(|frame| frame.children.as_slice()).unwrap_or_default();
        let free = module_here.inner(path).into_iter().flatten().filter(|(name, option)| option.default.contains("many") || !present.contains(name));
        let mut words: Vec<Word> = free
            .map(|(name, option)| Word {
                snippet: Some(option_snippet(name, option)),
                doc: Some(about_option(module, name, option)),
                ..Word::new(name, ItemKind::FIELD, kind_of(option))
            })
            .collect();
        if path.is_empty() && module_here.takes_settings && !present.iter().any(|name| name == "settings") {
            words.push(Word { snippet: Some("settings {\n\t$0\n}".into()), ..Word::new("settings", ItemKind::MODULE, "what nobody foresaw") });
        }
        words
    }

    fn option_values(&self, module: &str, path: &[&str]) -> Vec<Word> {
        let options = self.site.index().facts.modules.get(module).and_then(|module| module.inner(path));
        let Some(option) = options.and_then(|options| options.get(&self.cursor.node)) else { return Vec::new() };
        match (option.item(), option.to) {
            ("bool", _) => truth(),
            ("secret", _) => self.secrets(),
            ("enum", _) => option.words.iter().map(|word| self.quoted(word, ItemKind::ENUM_MEMBER, "")).collect(),
            ("reference", Some(kind)) => self.names(kind, ""),
            _ => option.example.iter().filter(|_| !self.cursor.is_quoted).map(|example| Word::new(example, ItemKind::VALUE, "the example")).collect(),
        }
    }

    /// Values of a slot of the schema.
    fn values(&self, slot: &'static Slot) -> Vec<Word> {
        let cursor = self.cursor;
        if cursor.note.as_deref() == Some("secret") {
            return self.secrets();
        }
        match slot.kind {
            Type::Refers(Kind::Module) => self.modules.iter().map(|name| self.quoted(name, ItemKind::MODULE, self.module_doc(name))).collect(),
            Type::Refers(Kind::Option) => self.names(Kind::Option, cursor.module().unwrap_or_default()),
            Type::Refers(kind) => {
                let mut words = self.names(kind, "");
                if kind == Kind::Profile && !words.iter().any(|word| word.label == "local") {
                    words.push(self.quoted("local", ItemKind::REFERENCE, "the machine's own disk, built in"));
                }
                words
            }
            Type::OneOf(all) => all.iter().map(|word| self.quoted(word, ItemKind::ENUM_MEMBER, slot.doc)).collect(),
            Type::Bool => truth(),
            Type::Secret => self.secrets(),
            Type::Selector => match cursor.before.as_str() {
                "group:" => self.names(Kind::Group, ""),
                "tag:" => self.names(Kind::Tag, ""),
                "" => [(Kind::Group, "group:"), (Kind::Tag, "tag:")].into_iter().flat_map(|(kind, prefix)| self.prefixed(kind, prefix)).collect(),
                _ => Vec::new(),
            },
            Type::Names if slot.name == "tags" => self.names(Kind::Tag, ""),
            Type::Text if slot.name == "to" && cursor.parent() == "dns" => self.names(Kind::Host, ""),
            Type::Text | Type::Names | Type::Any | Type::Int(..) | Type::Duration(..) | Type::Declares(_) => Vec::new(),
            Type::Address | Type::Addresses | Type::Cidr | Type::Mac | Type::AssetPath | Type::SourcePath | Type::Pattern => Vec::new(),
        }
    }

    fn module_doc(&self, name: &str) -> &str {
        self.site.index().facts.modules.get(name).map_or("", |module| &module.doc)
    }

    fn names(&self, kind: Kind, scope: &str) -> Vec<Word> {
        self.site.index().names(kind, scope).into_iter().map(|name| self.quoted(name, ItemKind::REFERENCE, kind.name())).collect()
    }

    fn prefixed(&self, kind: Kind, prefix: &str) -> Vec<Word> {
        self.site.index().names(kind, "").into_iter().map(|name| Word::new(format!("{prefix}{name}"), ItemKind::REFERENCE, kind.name())).collect()
    }

    /// `(secret)name`, or the name alone behind a `(secret)`.
    fn secrets(&self) -> Vec<Word> {
        let mark = if self.cursor.note.is_some() { "" } else { "(secret)" };
        let word = |name: &str| Word { filter: Some(name.to_owned()), ..Word::new(format!("{mark}{name}"), ItemKind::REFERENCE, "secret") };
        self.site.index().names(Kind::Secret, "").into_iter().map(word).collect()
    }

    fn notes(&self) -> Vec<Word> {
        let notes = [("secret", "the name of a secret follows"), ("force", "wins over other values"), ("default", "gives way to other values")];
        let word = |(name, about): (&str, &str)| Word::new(name, ItemKind::KEYWORD, about);
        notes.into_iter().map(word).collect()
    }

    /// What may stand in `{…}` here.
    fn variables(&self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let counters = self.cursor.around.iter().rev().filter(|frame| frame.name == "repeat");
        words.extend(counters.filter_map(|frame| Some(Word::new(frame.title.clone()?, ItemKind::VARIABLE, "counter"))));
        let facts = &self.site.index().facts;
        let named = |name: &String, about: &str| Word::new(name, ItemKind::VARIABLE, about);
        match self.cursor.module() {
            Some(name) => {
                words.push(Word::new("name", ItemKind::VARIABLE, "the name of the `use` line"));
                if let Some(module) = facts.modules.get(name) {
                    words.extend(module.options.iter().map(|(name, option)| named(name, &kind_of(option))));
                    words.extend(module.lets.iter().map(|name| named(name, "let")));
                }
            }
            None => words.extend(facts.lets.iter().map(|name| named(name, "let"))),
        }
        words
    }

    /// A name as it must be written here.
    fn quoted(&self, name: &str, kind: ItemKind, detail: &str) -> Word {
        let written = if self.cursor.is_quoted { name.to_owned() } else { written_name(name) };
        Word { insert: Some(written).filter(|written| written != name), ..Word::new(name, kind, detail) }
    }
}

fn truth() -> Vec<Word> {
    ["#true", "#false"].map(|word| Word::new(word, ItemKind::KEYWORD, "")).into_iter().collect()
}

/// Text in a snippet, where three characters mean something.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}

/// The node with its required values to fill in, and braces where it is a block.
fn node_snippet(spec: &'static NodeSpec) -> String {
    let args = spec.args.iter().filter(|slot| slot.required).map(|slot| (String::new(), slot));
    let props = spec.props.iter().filter(|slot| slot.required).map(|slot| (format!("{}=", slot.name), slot));
    let mut text = spec.name.to_owned();
    for (at, (name, slot)) in args.chain(props).enumerate() {
        text.push_str(&format!(" {name}${{{}:{}}}", at + 1, escaped(slot.example)));
    }
    // A group may hold groups, but most blocks are told by having children at all.
    let is_block = spec.children().next().is_some() || matches!(spec.name, "use" | "repeat");
    if is_block && spec.name != "option" {
        text.push_str(" {\n\t$0\n}");
    }
    text
}

fn option_snippet(name: &str, option: &Declared) -> String {
    match (option.kind.as_str(), &option.example) {
        ("submodule", _) => format!("{name} {{\n\t$0\n}}"),
        (_, Some(example)) => format!("{name} ${{1:{}}}", escaped(example)),
        _ => format!("{name} $1"),
    }
}

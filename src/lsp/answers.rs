//! What the editor asks about a place: hover, definition, references, symbols, rename.

use std::rc::Rc;

use lsp_types::{
    CompletionList, DocumentChanges, DocumentSymbol, Hover, HoverContents, Location, MarkupContent, MarkupKind,
    OneOf, OptionalVersionedTextDocumentIdentifier, Position, PrepareRenameResponse, SymbolKind, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};

use super::complete::{Asked, complete};
use super::cursor::Cursor;
use super::index::{Place, Role, nodes_of};
use super::position::Lines;
use super::server::Client;
use super::words::{about_node, about_slot, summary};
use super::workspace::{Snapshot, Workspace};
use super::rename;
use crate::schema::{self, Kind, NodeSpec, Type};
use crate::source::{glob_matches, import_path};
use crate::syntax::{Entry, Node};

/// How many symbols of a document, and how many places of a name, are told.
const SYMBOLS_MAX: usize = 10_000;
const PLACES_MAX: usize = 20_000;

/// A place in a site that somebody asks about.
pub(super) struct Here<'w> {
    workspace: &'w Workspace,
    site: Rc<Snapshot>,
    file: String,
    offset: usize,
}

impl<'w> Here<'w> {
    pub(super) fn new(workspace: &'w mut Workspace, uri: &Uri, position: Position) -> Option<Here<'w>> {
        let (site, file) = workspace.snapshot(uri)?;
        let offset = site.lines(&file)?.offset(site.text(&file), position, workspace.encoding);
        Some(Here { workspace, site, file, offset })
    }

    fn text(&self) -> &str {
        self.site.text(&self.file)
    }

    fn location(&self, place: &Place) -> Option<Location> {
        let uri = self.workspace.uri_of(&self.site.root, &place.file)?;
        Some(Location { uri, range: self.site.range(&place.file, place.range.clone(), self.workspace.encoding) })
    }

    /// Every part that something is known about, joined.
    pub(super) fn hover(&self, client: &Client) -> Option<Hover> {
        let nodes = nodes_of(self.text());
        let mut parts = Vec::new();
        let mut range = None;
        if let Some((span, said)) = node_at(&nodes, self.offset).and_then(|(node, parent)| about(node, parent, self.offset)) {
            range = Some(self.site.range(&self.file, span, self.workspace.encoding));
            parts.extend(said);
        }
        for (key, place) in self.site.index().at(&self.file, self.text(), self.offset) {
            parts.extend(summary(&self.site, &key));
            range = Some(self.site.range(&self.file, place.range, self.workspace.encoding));
        }
        if parts.is_empty() {
            return None;
        }
        let kind = if client.markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
        let value = parts.join(if client.markdown { "\n\n---\n\n" } else { "\n\n" });
        let value = if client.markdown { value } else { value.replace("**", "").replace('`', "") };
        Some(Hover { contents: HoverContents::Markup(MarkupContent { kind, value }), range })
    }

    pub(super) fn complete(&self, client: &Client) -> Option<CompletionList> {
        let lines: &Lines = self.site.lines(&self.file)?;
        let line = lines.line_start(self.offset)..lines.line_end(self.text(), self.offset);
        let cursor = Cursor::find(self.text(), line, self.offset)?;
        let range = self.site.range(&self.file, cursor.range.clone(), self.workspace.encoding);
        let modules = self.modules();
        Some(complete(&Asked { site: &self.site, cursor: &cursor, snippets: client.snippets, markdown: client.markdown, range, modules }))
    }

    /// Modules that lie in the folder, or are open.
    fn modules(&self) -> Vec<String> {
        let folder = self.site.root.join("modules");
        let listed = std::fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let name = |file: &str| match file.strip_suffix(".kdl") {
            Some(name) => Some(name.to_owned()),
            None => folder.join(file).join("module.kdl").is_file().then(|| file.to_owned()),
        };
        let mut all: Vec<String> = listed.filter_map(|file| name(&file)).filter(|_| self.site.is_site).collect();
        all.extend(self.site.index().facts.modules.keys().cloned());
        all.sort();
        all.dedup();
        all
    }

    pub(super) fn definition(&self) -> Vec<Location> {
        let mut found = Vec::new();
        for (key, _) in self.site.index().at(&self.file, self.text(), self.offset) {
            let exact: Vec<&Place> = self.site.index().declared(&key).collect();
            let places = if exact.is_empty() { self.site.index().made(&key).collect() } else { exact };
            found.extend(places.into_iter().take(PLACES_MAX).filter_map(|place| self.location(place)));
        }
        if found.is_empty() {
            found.extend(self.named_files());
        }
        found
    }

    /// The files behind `import "…"` and `from="…"`.
    fn named_files(&self) -> Vec<Location> {
        let nodes = nodes_of(self.text());
        let Some((node, _)) = node_at(&nodes, self.offset) else { return Vec::new() };
        let entry = node.entries.iter().find(|entry| entry.span.range().contains(&self.offset));
        let Some(text) = entry.filter(|entry| is_path(node, entry)).and_then(Entry::text) else { return Vec::new() };
        let module = self.file.strip_prefix("modules/").filter(|_| node.name.text != "import");
        let folder = module.and_then(|file| file.strip_suffix("/module.kdl").or(file.strip_suffix(".kdl")));
        let text = folder.map_or_else(|| text.to_owned(), |folder| format!("modules/{folder}/{text}"));
        let Some(pattern) = import_path(&text) else { return Vec::new() };
        let names = self.site.texts.keys().filter(|name| glob_matches(&pattern, name));
        names.filter_map(|name| Some(Location { uri: self.workspace.uri_of(&self.site.root, name)?, range: lsp_types::Range::default() })).collect()
    }

    pub(super) fn references(&self, declarations: bool) -> Vec<Location> {
        let mut found = Vec::new();
        for (key, _) in self.site.index().at(&self.file, self.text(), self.offset) {
            let places = self.site.index().places(&key).iter().filter(|place| declarations || place.role == Role::Refers);
            found.extend(places.take(PLACES_MAX).filter_map(|place| self.location(place)));
        }
        found
    }

    pub(super) fn prepare_rename(&self) -> Result<PrepareRenameResponse, String> {
        let (_, place) = rename::prepare(&self.site, &self.file, self.offset)?;
        let raw = self.text().get(place.range.clone()).unwrap_or_default();
        let placeholder = raw.trim_matches(['"', '#']).to_owned();
        Ok(PrepareRenameResponse::RangeWithPlaceholder { range: self.site.range(&self.file, place.range, self.workspace.encoding), placeholder })
    }

    pub(super) fn rename(&self, new: &str, client: &Client) -> Result<WorkspaceEdit, String> {
        let edits = rename::rename(&self.site, &self.file, self.offset, new)?;
        let mut all = Vec::new();
        for (file, edits) in edits {
            let Some(uri) = self.workspace.uri_of(&self.site.root, &file) else { continue };
            let edit = |(range, new_text)| TextEdit { range: self.site.range(&file, range, self.workspace.encoding), new_text };
            let edits: Vec<TextEdit> = edits.into_iter().map(edit).collect();
            let version = self.workspace.document_of(&self.site.root, &file).map(|document| document.version);
            all.push((OptionalVersionedTextDocumentIdentifier { uri, version }, edits));
        }
        if client.document_changes {
            let edit = |(text_document, edits): (_, Vec<TextEdit>)| TextDocumentEdit { text_document, edits: edits.into_iter().map(OneOf::Left).collect() };
            let changes = DocumentChanges::Edits(all.into_iter().map(edit).collect());
            return Ok(WorkspaceEdit { document_changes: Some(changes), ..WorkspaceEdit::default() });
        }
        #[expect(clippy::mutable_key_type, reason = "the protocol's own type; its text never changes")]
        let changes = all.into_iter().map(|(document, edits)| (document.uri, edits)).collect();
        Ok(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
    }

    /// What the document declares, nested as it is written.
    pub(super) fn symbols(&self) -> Vec<DocumentSymbol> {
        let mut left = SYMBOLS_MAX;
        self.symbols_of(&nodes_of(self.text()), "", &mut left)
    }

    fn symbols_of(&self, nodes: &[Node<'_>], parent: &str, left: &mut usize) -> Vec<DocumentSymbol> {
        let mut found = Vec::new();
        for node in nodes {
            let inside = if node.name.text == "repeat" { parent } else { &*node.name.text };
            let spec = schema::find(&node.name.text, parent);
            let declares = spec.and_then(|spec| spec.args.iter().find_map(|slot| declared(slot.kind)));
            let Some((kind, title)) = declares.zip(node.title()).filter(|_| *left > 0) else {
                found.extend(self.symbols_of(&node.children, inside, left));
                continue;
            };
            *left -= 1;
            let name_range = node.arg(0).map_or(node.name.span, |entry| entry.value_span).range();
            let range = |range| self.site.range(&self.file, range, self.workspace.encoding);
            let children = self.symbols_of(&node.children, inside, left);
            #[expect(deprecated, reason = "the field must be given")]
            found.push(DocumentSymbol {
                name: title.to_owned(),
                detail: Some(node.name.text.to_string()),
                kind: symbol_kind(kind),
                tags: None,
                deprecated: None,
                range: range(node.span.range().start..end_of(node)),
                selection_range: range(name_range),
                children: Some(children).filter(|children| !children.is_empty()),
            });
        }
        found
    }
}

fn declared(kind: Type) -> Option<Kind> {
    if let Type::Declares(kind) = kind { Some(kind) } else { None }
}

fn symbol_kind(kind: Kind) -> SymbolKind {
    match kind {
        Kind::Site | Kind::Network | Kind::Group => SymbolKind::NAMESPACE,
        Kind::Host => SymbolKind::OBJECT,
        Kind::Profile | Kind::Base | Kind::Overlay | Kind::Schedule | Kind::Snapshot => SymbolKind::CLASS,
        Kind::Module | Kind::Instance => SymbolKind::MODULE,
        Kind::Option => SymbolKind::PROPERTY,
        Kind::Let | Kind::Counter => SymbolKind::VARIABLE,
        Kind::Secret => SymbolKind::KEY,
        Kind::Tag => SymbolKind::STRING,
    }
}

/// The end of a node, as far as its children tell.
fn end_of(node: &Node<'_>) -> usize {
    node.children.last().map_or(0, end_of).max(node.span.range().end)
}

fn is_path(node: &Node<'_>, entry: &Entry<'_>) -> bool {
    matches!((&*node.name.text, entry.name.as_ref().map(|name| &*name.text)), ("import", None) | ("file", Some("from")))
}

/// The node whose head holds the offset, and in what it stands.
fn node_at<'n, 's>(nodes: &'n [Node<'s>], offset: usize) -> Option<(&'n Node<'s>, &'n str)> {
    let (mut nodes, mut parent) = (nodes, "");
    loop {
        let before = nodes.partition_point(|node| node.span.range().start <= offset);
        let node = nodes.get(before.checked_sub(1)?)?;
        if offset <= node.span.range().end {
            return Some((node, parent));
        }
        if node.name.text == "use" {
            return None; // options are told by the index
        }
        parent = if node.name.text == "repeat" { parent } else { &node.name.text };
        nodes = &node.children;
    }
}

/// What the schema says about the word at an offset, and the word's place.
fn about(node: &Node<'_>, parent: &str, offset: usize) -> Option<(std::ops::Range<usize>, Option<String>)> {
    let spec: &'static NodeSpec = schema::find(&node.name.text, parent)?;
    if offset <= node.name.span.range().end {
        return Some((node.name.span.range(), Some(about_node(spec))));
    }
    let mut position = 0;
    for entry in &node.entries {
        position += usize::from(entry.name.is_none());
        let span = entry.span.range();
        if span.start <= offset && offset <= span.end {
            let said = match &entry.name {
                Some(name) => spec.props.iter().find(|slot| slot.name == name.text).map(|slot| about_slot(slot, true)),
                None => spec.args.get(position - 1).or(spec.more.as_ref()).map(|slot| about_slot(slot, false)),
            };
            return Some((span, said));
        }
    }
    Some((node.name.span.range(), None))
}

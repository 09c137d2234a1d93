//! The documents that are open, over the files of the disk.
//!
//! A [`Snapshot`] is a site as it would be if everything were saved. It is kept until something changes.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use lsp_types::{self as lsp, TextDocumentContentChangeEvent, Uri};

use super::index::Index;
use super::paths::{ENTRY, path_of, site_of, uri_of};
use super::position::{Encoding, Lines};
use crate::source::{FILE_BYTES_MAX, Inputs};
use crate::store;

/// How many documents may be open.
const OPEN_MAX: usize = 4096;

/// Where a document belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Home {
    /// The folder of the site; for a document that belongs to none, itself.
    pub(super) root: PathBuf,
    /// Below that folder.
    pub(super) name: String,
    pub(super) is_site: bool,
}

/// A text that the editor holds.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) uri: Uri,
    pub(super) home: Home,
    pub(super) version: i32,
    pub(super) text: String,
    pub(super) lines: Lines,
}

impl Document {
    fn apply(&mut self, change: TextDocumentContentChangeEvent, encoding: Encoding) -> Result<(), String> {
        match change.range {
            None => {
                self.lines = Lines::of(&change.text);
                self.text = change.text;
            }
            Some(range) => {
                let start = self.lines.offset(&self.text, range.start, encoding);
                let end = self.lines.offset(&self.text, range.end, encoding).max(start);
                self.lines.replace(&mut self.text, start..end, &change.text);
            }
        }
        within_limit(&self.text)
    }
}

fn within_limit(text: &str) -> Result<(), String> {
    let mib = FILE_BYTES_MAX >> 20;
    if text.len() > FILE_BYTES_MAX { Err(format!("a source file has at most {mib} MiB: this one is not looked at")) } else { Ok(()) }
}

/// A site as it would be if everything were saved.
pub(super) struct Snapshot {
    pub(super) root: PathBuf,
    pub(super) is_site: bool,
    /// Path below the site folder → text; what is no text is left out.
    pub(super) texts: BTreeMap<String, String>,
    lines: OnceCell<BTreeMap<String, Lines>>,
    index: OnceCell<Index>,
}

impl Snapshot {
    fn new(root: PathBuf, is_site: bool, inputs: Inputs) -> Snapshot {
        let texts = inputs.into_iter().filter_map(|(name, bytes)| Some((name, String::from_utf8(bytes).ok()?))).collect();
        Snapshot { root, is_site, texts, lines: OnceCell::new(), index: OnceCell::new() }
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Every name and its places; made when it is first asked for.
    pub(super) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.texts))
    }

    pub(super) fn lines(&self, name: &str) -> Option<&Lines> {
        let all = || self.texts.iter().map(|(name, text)| (name.clone(), Lines::of(text))).collect();
        self.lines.get_or_init(all).get(name)
    }

    pub(super) fn range(&self, name: &str, range: std::ops::Range<usize>, encoding: Encoding) -> lsp::Range {
        self.lines(name).map(|lines| lines.range(self.text(name), range, encoding)).unwrap_or_default()
    }
}

/// All open documents and what they make of their sites.
pub(super) struct Workspace {
    pub(super) encoding: Encoding,
    documents: BTreeMap<String, Document>,
    snapshots: BTreeMap<PathBuf, Rc<Snapshot>>,
}

impl Workspace {
    pub(super) fn new(encoding: Encoding) -> Workspace {
        Workspace { encoding, documents: BTreeMap::new(), snapshots: BTreeMap::new() }
    }

    pub(super) fn open(&mut self, uri: Uri, version: i32, text: String) -> Result<Home, String> {
        within_limit(&text)?;
        let key = uri.as_str().to_owned();
        if self.documents.len() >= OPEN_MAX && !self.documents.contains_key(&key) {
            return Err(format!("more than {OPEN_MAX} documents are open: close some"));
        }
        let path = path_of(&uri);
        let open: Vec<PathBuf> = self.documents.values().filter_map(|document| path_of(&document.uri)).chain(path.clone()).collect();
        let site = path.as_deref().and_then(|path| site_of(path, |file| file.is_file() || open.iter().any(|path| path == file)));
        let home = match site {
            Some((root, name)) => Home { root, name, is_site: true },
            None => Home { root: path.unwrap_or_else(|| PathBuf::from(&key)), name: ENTRY.to_owned(), is_site: false },
        };
        self.forget(&home.root);
        self.documents.insert(key, Document { uri, home: home.clone(), version, lines: Lines::of(&text), text });
        Ok(home)
    }

    /// One document's new text. An error says why it is not looked at any more.
    pub(super) fn change(&mut self, uri: &Uri, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> Result<Option<Home>, String> {
        let encoding = self.encoding;
        let Some(document) = self.documents.get_mut(uri.as_str()) else { return Ok(None) };
        let applied = changes.into_iter().try_for_each(|change| document.apply(change, encoding));
        document.version = version;
        let home = document.home.clone();
        self.forget(&home.root);
        if applied.is_err() {
            self.documents.remove(uri.as_str());
        }
        applied.map(|()| Some(home))
    }

    pub(super) fn close(&mut self, uri: &Uri) -> Option<Home> {
        let home = self.documents.remove(uri.as_str())?.home;
        self.forget(&home.root);
        Some(home)
    }

    /// The next question reads the disk again.
    pub(super) fn forget(&mut self, root: &Path) {
        self.snapshots.remove(root);
    }

    pub(super) fn forget_all(&mut self) {
        self.snapshots.clear();
    }

    /// The folders of all sites, and the loose documents.
    pub(super) fn roots(&self) -> BTreeSet<PathBuf> {
        self.documents.values().map(|document| document.home.root.clone()).collect()
    }

    pub(super) fn of_root<'a>(&'a self, root: &'a Path) -> impl Iterator<Item = &'a Document> {
        self.documents.values().filter(move |document| document.home.root == root)
    }

    /// The document that is open for a file, if one is.
    pub(super) fn document_of(&self, root: &Path, name: &str) -> Option<&Document> {
        self.documents.values().find(|document| document.home.root == root && document.home.name == name)
    }

    pub(super) fn uri_of(&self, root: &Path, name: &str) -> Option<Uri> {
        let path = || if root.is_absolute() { uri_of(&root.join(name)) } else { None };
        self.document_of(root, name).map(|document| document.uri.clone()).or_else(path)
    }

    /// The files of a site with the open documents over them.
    pub(super) fn inputs(&self, root: &Path) -> store::Result<Inputs> {
        let bytes = |document: &Document| (document.home.name.clone(), document.text.clone().into_bytes());
        let open: Inputs = self.of_root(root).map(bytes).collect();
        if self.of_root(root).any(|document| !document.home.is_site) {
            return Ok(open);
        }
        store::read_site_as(&root.join(ENTRY), &open).map(|(inputs, _)| inputs)
    }

    /// The site of a document; one that the site does not read stands alone.
    pub(super) fn snapshot(&mut self, uri: &Uri) -> Option<(Rc<Snapshot>, String)> {
        let document = self.documents.get(uri.as_str())?;
        let Home { root, name, is_site } = document.home.clone();
        let kept = match self.snapshots.get(&root) {
            Some(kept) => kept.clone(),
            None => {
                let inputs = self.inputs(&root).unwrap_or_default();
                let made = Rc::new(Snapshot::new(root.clone(), is_site, inputs));
                self.snapshots.insert(root.clone(), made.clone());
                made
            }
        };
        if kept.texts.contains_key(&name) {
            return Some((kept, name));
        }
        let alone = Inputs::from([(name.clone(), document.text.clone().into_bytes())]);
        Some((Rc::new(Snapshot::new(root, false, alone)), name))
    }
}

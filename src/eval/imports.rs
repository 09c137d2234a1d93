//! Which files belong to the site: `import` followed from the first file, cycles refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::source::{FileId, Sources, glob_matches, import_path};
use crate::syntax::{Node, parse};

/// How long a chain of imports may be.
const CHAIN_MAX: usize = 64;

/// A file of the site and what it holds.
pub(super) struct File<'s> {
    pub(super) id: FileId,
    pub(super) nodes: Vec<Node<'s>>,
}

/// The files that `start` reaches, sorted by path, so that the order of imports never matters.
pub(super) fn reachable<'s>(sources: &'s Sources, start: FileId, diags: &mut Diags) -> Vec<File<'s>> {
    let mut walk = Walk { sources, files: BTreeMap::new(), chain: Vec::new(), diags };
    walk.visit(start);
    walk.files.into_iter().map(|(id, nodes)| File { id, nodes }).collect()
}

/// The nodes of a file; one that is no text was reported, and nobody knows what it would have said.
///
/// Its places bear `id`, which is the file itself or one use of it.
pub(super) fn read<'s>(sources: &'s Sources, file: FileId, id: FileId, diags: &mut Diags) -> Vec<Node<'s>> {
    if sources.get(file).is_some_and(|source| source.is_cut) {
        diags.lose_unknown();
        return Vec::new();
    }
    parse(sources.text(file), id, diags)
}

struct Walk<'s, 'd> {
    sources: &'s Sources,
    files: BTreeMap<FileId, Vec<Node<'s>>>,
    /// From the first file to the one that is being read.
    chain: Vec<FileId>,
    diags: &'d mut Diags,
}

impl<'s> Walk<'s, '_> {
    fn visit(&mut self, file: FileId) {
        let nodes = read(self.sources, file, file, self.diags);
        let imports: Vec<Node<'s>> = nodes.iter().filter(|node| node.name.text == "import").cloned().collect();
        self.files.insert(file, nodes);
        self.chain.push(file);
        for import in imports {
            for target in self.targets(&import) {
                self.follow(&import, target);
            }
        }
        self.chain.pop();
    }

    fn follow(&mut self, import: &Node<'s>, target: FileId) {
        if let Some(from) = self.chain.iter().position(|file| *file == target) {
            let mut names: Vec<&str> = self.chain.iter().skip(from).map(|file| self.sources.name(*file)).collect();
            names.push(self.sources.name(target));
            let diag = Diag::new("eval/import-cycle", import.span, names.join(" → "));
            self.diags.push(diag.help("every file is read once anyway: delete this import"));
        } else if self.chain.len() >= CHAIN_MAX {
            let message = format!("imports reach more than {CHAIN_MAX} files deep");
            self.diags.push(Diag::new("eval/limit", import.span, message).help("import these files from site.kdl"));
        } else if !self.files.contains_key(&target) {
            self.visit(target);
        }
    }

    /// The files that an import's pattern matches.
    fn targets(&mut self, import: &Node<'s>) -> BTreeSet<FileId> {
        let Some(entry) = import.arg(0) else { return BTreeSet::new() }; // the schema says so
        let Some(pattern) = entry.text() else { return BTreeSet::new() };
        let Some(path) = import_path(pattern) else {
            let diag = Diag::new("eval/import-escape", entry.value_span, format!("`{pattern}` is outside the site folder"));
            self.diags.push(diag.help("copy the file below the folder of site.kdl"));
            self.diags.lose_unknown();
            return BTreeSet::new();
        };
        let kdl = self.sources.iter().filter(|(_, source)| source.name.ends_with(".kdl"));
        if !path.contains(['*', '?'])
            && let Some(file) = self.sources.find(&path)
        {
            return BTreeSet::from([file]);
        }
        // A pattern that matches the file in which it stands does not mean it.
        let own = self.chain.last().copied().filter(|_| path.contains(['*', '?']));
        let found: BTreeSet<FileId> = kdl.filter(|(_, source)| glob_matches(&path, &source.name)).map(|(id, _)| id).filter(|id| Some(*id) != own).collect();
        if found.is_empty() {
            let diag = Diag::new("eval/import-missing", entry.value_span, format!("no file matches `{pattern}`"));
            self.diags.push(diag.help("write a path that begins at the folder of site.kdl and ends in .kdl"));
            self.diags.lose_unknown();
        }
        found
    }
}

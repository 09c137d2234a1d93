//! Source files that become texts for machines.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::located;
use crate::model::TextFile;
use crate::source::{FileId, Sources, import_path};
use crate::syntax::Node;

/// The texts of the site, each kept once however many profiles have it.
pub(super) struct Texts<'a> {
    pub(super) sources: &'a Sources,
    pub(super) kept: BTreeMap<FileId, Rc<str>>,
}

impl Texts<'_> {
    fn find(&mut self, path: &str) -> Option<(FileId, Rc<str>)> {
        let file = import_path(path).and_then(|path| self.sources.find(&path))?;
        let text = self.kept.entry(file).or_insert_with(|| self.sources.text(file).into());
        Some((file, text.clone()))
    }
}

pub(super) fn text_file(node: &Node<'_>, texts: &mut Texts<'_>) -> Option<TextFile> {
    let from = located(node.prop("from")?)?;
    Some(TextFile { name: located(node.arg(0)?)?, text: texts.find(&from.value), from, span: node.span })
}

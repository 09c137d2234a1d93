//! Profiles and the menu.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{located, names};
use crate::diag::Diags;
use crate::eval::{Choice, Merged};
use crate::model::{At, Menu, Profile, Start, TextFile};
use crate::schema::duration_secs;
use crate::source::{FileId, Sources, Span, import_path};
use crate::syntax::{Entry, Node};

/// How long a menu waits where nothing says so.
const MENU_SECS: u64 = 5;

pub(super) fn profile(merged: &Merged<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Profile {
    let span = merged.name.as_ref().map_or(Span::new(FileId::new(0), 0, 0), |word| word.span);
    let name = merged.title().to_owned();
    let value = |key: &str| merged.value(key).and_then(|choice| located(&choice.entry));
    let words = |key: &str| merged.list(key).flat_map(|node| node.args()).filter_map(located).collect();
    let linux = |kernel| Start::Linux { kernel, initrds: words("initrd"), cmdline: words("cmdline") };
    let local = || merged.list("local").next().map(|_| Start::Local);
    let ways = ["kernel", "chain"].into_iter().filter_map(|key| merged.value(key)).map(|choice| choice.entry.span);
    let starts = ways.chain(merged.list("local").map(|node| node.span)).collect();
    let inherited = merged.values.values().map(|choice: &Choice<'_>| choice.span);
    let lists = merged.lists.iter().map(|node| node.span);
    let mut origins = merged.origins.clone();
    origins.extend(inherited.chain(lists).collect::<std::collections::BTreeSet<Span>>());
    Profile {
        label: value("label").unwrap_or(At { value: name.clone(), span }),
        start: value("kernel").map(linux).or(value("chain").map(Start::Chain)).or_else(local),
        starts,
        lease_secs: merged.value("lease").and_then(|choice| choice.entry.text()).and_then(duration_secs),
        tags: names(merged.value("tags").map(|choice| &choice.entry)).map(str::to_owned).collect(),
        root: super::nfs::root(merged, diags),
        texts: merged.list("file").filter_map(|node| text_file(node, texts)).collect(),
        name,
        span,
        origins,
    }
}

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

pub(super) fn menu(merged: &Merged<'_>) -> Menu {
    let value = |key: &str| merged.value(key).map(|choice| &choice.entry);
    Menu {
        default: value("default").and_then(located),
        timeout_secs: value("timeout").and_then(Entry::text).and_then(duration_secs).unwrap_or(MENU_SECS),
        entries: merged.list("entry").filter_map(|node| node.arg(0)).filter_map(located).collect(),
        origins: merged.origins.clone(),
    }
}

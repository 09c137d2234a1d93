//! Profiles and the menu.

use super::texts::{Texts, text_file};
use super::{located, names};
use crate::diag::Diags;
use crate::eval::{Choice, Merged};
use crate::model::{At, Menu, Profile, Start};
use crate::schema::duration_secs;
use crate::source::{FileId, Span};
use crate::syntax::Entry;

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
        power: super::power::power(|name| merged.value(name).map(|choice| &choice.entry)),
        fetched: words("asset"),
        root: super::nfs::root(merged, diags),
        texts: merged.list("file").filter_map(|node| text_file(node, texts)).collect(),
        name,
        span,
        origins,
    }
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

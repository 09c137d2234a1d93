//! `page`.

use super::commands::callers;
use crate::diag::Diags;
use crate::model::{At, Page};
use crate::syntax::{Entry, Node};

/// Where the site does not say it.
const PORT: u16 = 8080;

/// Nothing where it is not known who may look.
pub(super) fn page(node: &Node<'_>, diags: &mut Diags) -> Option<Page> {
    let errors = diags.errors();
    let from = node.prop("from").map(|entry| callers(entry, "from", "page/from", diags)).unwrap_or_default();
    let said = node.prop("port").and_then(|entry| Some(At { value: u16::try_from(entry.int()?).ok()?, span: entry.value_span }));
    let port =
        said.unwrap_or(At { value: PORT, span: node.prop("port").map_or(node.span, |entry: &Entry<'_>| entry.value_span) });
    Some(Page { port, from, span: node.span }).filter(|_| diags.errors() == errors)
}

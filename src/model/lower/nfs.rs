//! Bases, overlays, and the roots of profiles.

use std::collections::BTreeMap;

use super::located;
use super::texts::{Texts, text_file};
use crate::diag::{Diag, Diags};
use crate::eval::{FOLDER, Merged};
use crate::model::{Base, MODE, Nfs, Overlay, OverlayFile, Root, RootOf, Union};
use crate::source::{FileId, Span};
use crate::syntax::{Entry, Node, Value};

pub(super) fn nfs(merged: &Merged<'_>, overlays: &[Merged<'_>], texts: &mut Texts<'_>, diags: &mut Diags) -> Nfs {
    let mut bases: BTreeMap<&str, Span> = BTreeMap::new();
    for node in merged.list("base") {
        if let Some(name) = node.title() {
            bases.entry(name).or_insert(node.span);
        }
    }
    Nfs {
        folder: merged.value(FOLDER).and_then(|choice| located(&choice.entry)),
        bases: bases.into_iter().map(|(name, span)| Base { name: name.to_owned(), span }).collect(),
        overlays: overlays.iter().map(|overlay| self::overlay(overlay, texts, diags)).collect(),
        span: merged.span().unwrap_or(Span::new(FileId::new(0), 0, 0)),
    }
}

fn overlay(merged: &Merged<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Overlay {
    let value = |key: &str| merged.value(key).and_then(|choice| located(&choice.entry));
    let union = merged.value("union").and_then(|choice| choice.entry.text());
    Overlay {
        name: merged.title().to_owned(),
        over: value("over"),
        union: if union == Some(Union::Aufs.name()) { Union::Aufs } else { Union::Overlayfs },
        upper: value("upper"),
        files: merged.list("file").filter_map(|node| file(node, texts, diags)).collect(),
        span: merged.name.as_ref().map(|word| word.span).or(merged.span()).unwrap_or(Span::new(FileId::new(0), 0, 0)),
        origins: merged.origins.clone(),
    }
}

fn file(node: &Node<'_>, texts: &mut Texts<'_>, diags: &mut Diags) -> Option<OverlayFile> {
    let mode = node.prop("mode").map_or(Some(MODE), |entry| {
        let mode = entry.text().and_then(octal);
        if mode.is_none() {
            let diag =
                Diag::new("schema/type", entry.value_span, format!("`{}` are no permissions", entry.text().unwrap_or_default()));
            diags.push(diag.help("write three or four octal digits, such as mode=\"0755\""));
        }
        mode
    });
    Some(OverlayFile { text: text_file(node, texts)?, mode: mode? })
}

pub(super) fn octal(text: &str) -> Option<u32> {
    let sound = matches!(text.len(), 3 | 4) && text.chars().all(|c| c.is_digit(8));
    u32::from_str_radix(text, 8).ok().filter(|_| sound)
}

/// The root of a profile: of several lines of one profile the last one, if they say the same.
pub(super) fn root(merged: &Merged<'_>, diags: &mut Diags) -> Option<Root> {
    let mut found: Option<Root> = None;
    for node in merged.list("root") {
        let Some(root) = one_root(node, diags) else { continue };
        if let Some(first) = found.as_ref().filter(|first| !is_same(first, &root)) {
            let message = format!("profile `{}` has two roots", merged.title());
            let diag = Diag::new("eval/conflict", root.span, message).label(first.span, "the other one");
            diags.push(diag.help("keep one of them, or mark one (force)"));
        }
        found = Some(root);
    }
    found
}

fn is_same(one: &Root, other: &Root) -> bool {
    match (&one.of, &other.of) {
        (RootOf::Overlay(one), RootOf::Overlay(other)) => one.value == other.value,
        (RootOf::Base { name: one, write }, RootOf::Base { name: other, write: also }) => {
            one.value == other.value && write == also
        }
        (RootOf::Overlay(_) | RootOf::Base { .. }, _) => false,
    }
}

fn one_root(node: &Node<'_>, diags: &mut Diags) -> Option<Root> {
    let write = node.prop("write");
    let of = match (node.prop("overlay"), node.prop("base")) {
        (Some(overlay), None) => {
            if let Some(entry) = write {
                let diag =
                    Diag::new("schema/too-many", entry.span, "`write=` is said of a base; an overlay can be written anyway");
                diags.push(diag.help("delete it"));
            }
            RootOf::Overlay(located(overlay)?)
        }
        (None, Some(base)) => RootOf::Base { name: located(base)?, write: write.is_some_and(is_true) },
        (Some(_), Some(base)) => {
            let diag = Diag::new("schema/too-many", base.span, "`root` is an overlay or a base, not both");
            diags.push(diag.help("delete one of them: an overlay names its base itself"));
            return None;
        }
        (None, None) => {
            let diag = Diag::new("schema/missing", node.span, "`root` needs an overlay= or a base=");
            diags.push(diag.help("for example: root overlay=kiosk"));
            return None;
        }
    };
    Some(Root { of, span: node.span })
}

fn is_true(entry: &Entry<'_>) -> bool {
    entry.value == Value::Bool(true)
}

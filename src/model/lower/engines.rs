//! `engine` lines.

use std::collections::BTreeMap;

use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{Engine, Program, dnsmasq_quoted};
use crate::syntax::{Node, shorten};

/// How long the path of a folder may be, in bytes: dnsmasq cuts its lines at 1,023.
const PATH_BYTES_MAX: usize = 200;

/// Each program once; the first line of it, in the order of the files, counts.
pub(super) fn engines(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Engine> {
    let mut found: BTreeMap<Program, &Node<'_>> = BTreeMap::new();
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.span);
    for node in sorted {
        let Some(program) = node.title().and_then(Program::find) else { continue };
        match found.get(&program) {
            Some(first) => diags.push(crate::schema::twice(node, first)),
            None => drop(found.insert(program, node)),
        }
    }
    found.into_iter().map(|(program, node)| engine(program, node, diags)).collect()
}

fn engine(program: Program, node: &Node<'_>, diags: &mut Diags) -> Engine {
    let mut tftp = None;
    if let Some(entry) = node.prop("tftp") {
        let text = entry.text().unwrap_or_default();
        let sound = text.starts_with('/') && text.len() <= PATH_BYTES_MAX && dnsmasq_quoted(text).is_some();
        if program != Program::Dnsmasq {
            let message = format!("`engine {}` serves no files, so `tftp` means nothing to it", program.name());
            diags.push(Diag::new("schema/unknown-property", entry.span, message).help("delete it, or write it behind `engine dnsmasq`"));
        } else if sound {
            tftp = located(entry);
        } else {
            let message = format!("`tftp` wants a whole path of at most {PATH_BYTES_MAX} bytes of ASCII, found `{}`", shorten(text));
            diags.push(Diag::new("schema/type", entry.value_span, message).help("write it like this: engine dnsmasq tftp=\"/srv/tftp\""));
        }
    }
    Engine { program, tftp, span: node.span }
}

//! `track`.

use super::commands::callers;
use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{At, FolderError, Track, folder_error, is_pattern};
use crate::syntax::{Entry, Node, shorten};

/// How many `track` lines a site has: each is held against all hosts.
const TRACKS_MAX: usize = 64;

/// In the order of the files.
pub(super) fn tracks(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Track> {
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.span);
    if let Some(node) = sorted.get(TRACKS_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {TRACKS_MAX} tracked folders"));
        diags.push(diag.help("let one line stand for many hosts: on=\"group:NAME, tag:NAME\""));
    }
    sorted.into_iter().take(TRACKS_MAX).filter_map(|node| track(node, diags)).collect()
}

fn track(node: &Node<'_>, diags: &mut Diags) -> Option<Track> {
    let folder = node.arg(0).and_then(located)?;
    let errors = diags.errors();
    let on = node.prop("on").map(|entry| callers(entry, "on", "track/on", diags)).unwrap_or_default();
    let known = diags.errors() == errors && !on.is_empty();
    if let Some(error) = folder_error(&folder.value) {
        diags.push(refusal(&folder, error));
        return None;
    }
    let except = node.prop("except").map(|entry| except(entry, &folder.value, diags)).unwrap_or_default();
    Some(Track { folder, on, except, span: node.span }).filter(|_| known)
}

fn refusal(folder: &At<String>, error: FolderError) -> Diag {
    let shown = shorten(&folder.value);
    let (what, help) = match error {
        FolderError::Relative => ("does not begin with `/`", "write the whole path on the machine, such as \"/etc\""),
        FolderError::Root => ("is the whole disk", "name what is kept: \"/etc\", \"/usr/local/etc\" … with a line for each"),
        FolderError::Parts => {
            ("is not the plain path of a folder", "leave out `.`, `..`, doubled slashes and the one at the end")
        }
        FolderError::MadeUp => ("is made up by the kernel at each start", "name a folder of files on the disk, such as \"/etc\""),
        FolderError::Secret => {
            ("is never fetched", "git would hold its keys and passwords for ever; name a folder that holds none")
        }
        FolderError::Characters => {
            ("holds `*`, `?`, `[`, `]`, `\\` or a control character, or is too long", "name one folder a line, without wildcards")
        }
    };
    Diag::new("track/path", folder.span, format!("`{shown}` {what}")).help(help)
}

/// Several patterns with something else than a comma between them?
fn is_several(text: &str) -> bool {
    text.contains(';') || text.split_whitespace().skip(1).any(|word| word.starts_with('/'))
}

fn except(entry: &Entry<'_>, folder: &str, diags: &mut Diags) -> Vec<At<String>> {
    let mut all = Vec::new();
    for text in super::names(Some(entry)) {
        if is_pattern(text, folder) && !is_several(text) {
            all.push(At { value: text.to_owned(), span: entry.value_span });
            continue;
        }
        if is_several(text) {
            let diag = Diag::new("track/except", entry.value_span, format!("`{}` is one name, and leaves out nothing", shorten(text)));
            diags.push(diag.help("put commas between the paths and names"));
            continue;
        }
        let diag = Diag::new("track/except", entry.value_span, format!("`{}` leaves out nothing below {folder}", shorten(text)));
        diags.push(diag.help(format!(
            "write a name such as \"*.cache\", or a path such as \"{folder}/mtab\"; only `*` and `?` stand for others"
        )));
    }
    all
}

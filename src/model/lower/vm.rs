//! Snapshots, and what a `vm` line says besides a host's.

use std::collections::BTreeMap;

use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{BRIDGE, MEMORY_MIB, Snapshot, SnapshotFormat, Vm, VmOf};
use crate::source::Span;
use crate::syntax::{Entry, Node};

/// How many snapshots a site may have.
const SNAPSHOTS_MAX: usize = 256;
/// A Linux with less does not start; more has no machine that we know.
const MIB_MIN: u32 = 64;
const MIB_MAX: u32 = 1024 * 1024;
/// What Linux keeps of the name of an interface, in bytes.
const INTERFACE_BYTES_MAX: usize = 15;

/// By name; the later of two of one name is the mistake.
pub(super) fn snapshots(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Snapshot> {
    let mut all: BTreeMap<&str, &Node<'_>> = BTreeMap::new();
    for node in nodes {
        let Some(name) = node.title() else { continue };
        if all.len() >= SNAPSHOTS_MAX {
            diags.push(Diag::new("eval/limit", node.span, format!("more than {SNAPSHOTS_MAX} snapshots")).help("delete some"));
            break;
        }
        match all.get(name) {
            Some(first) => diags.push(crate::schema::twice(node, first)),
            None => drop(all.insert(name, node)),
        }
    }
    all.into_iter().filter_map(|(name, node)| snapshot(name, node, diags)).collect()
}

fn snapshot(name: &str, node: &Node<'_>, diags: &mut Diags) -> Option<Snapshot> {
    let file = node.arg(1).and_then(located);
    if file.is_none() {
        diags.lose(name);
    }
    let format = match node.prop("format").and_then(Entry::text) {
        Some("raw") => SnapshotFormat::Raw,
        _ => SnapshotFormat::Qcow2,
    };
    Some(Snapshot { name: name.to_owned(), file: file?, format, span: node.span })
}

/// What it is made of; nothing where that is wrong.
pub(super) fn vm(node: &Node<'_>, diags: &mut Diags) -> Option<Vm> {
    let memory_mib = node.prop("memory").map_or(Some(MEMORY_MIB), |entry| memory(entry, diags));
    let bridge = node.prop("bridge").map_or_else(|| Some(BRIDGE.to_owned()), |entry| interface(entry, diags));
    let of = match (node.prop("from"), node.prop("base")) {
        (Some(from), None) => {
            let cpus = node.prop("cpus").and_then(Entry::int).and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(1);
            VmOf::Snapshot { name: located(from)?, memory_mib: memory_mib?, cpus }
        }
        (None, Some(base)) => {
            for entry in ["memory", "cpus"].iter().filter_map(|name| node.prop(name)) {
                let diag = Diag::new("schema/too-many", entry.span, "`memory=` and `cpus=` are said of a VM from a snapshot");
                diags.push(diag.help("delete it: a container has those of the machine that runs it"));
            }
            VmOf::Base(located(base)?)
        }
        (Some(_), Some(base)) => {
            let diag = Diag::new("schema/too-many", base.span, "`vm` is from a snapshot or over a base, not both");
            diags.push(diag.help("delete one of them: from= makes a virtual machine, base= a container"));
            return None;
        }
        // What is written there was refused already.
        (None, None) if is_refused(node, diags) => return None,
        (None, None) => {
            let diag = Diag::new("schema/missing", node.span, "`vm` needs a from= or a base=");
            diags.push(diag.help("from=SNAPSHOT makes a virtual machine, base=BASE a container"));
            return None;
        }
    };
    Some(Vm { of, bridge: bridge? })
}

/// Was anything said of a value on its line?
fn is_refused(node: &Node<'_>, diags: &Diags) -> bool {
    let own = |at: Span| at.file == node.span.file && at.start > node.span.start && at.end <= node.span.end;
    diags.iter().any(|diag| diag.labels.iter().any(|label| own(label.span)))
}

/// `"512M"`, `"2G"` → MiB
fn memory(entry: &Entry<'_>, diags: &mut Diags) -> Option<u32> {
    let text = entry.text()?;
    let found = [('M', 1), ('G', 1024)].into_iter().find_map(|(unit, mib)| {
        let digits = text.strip_suffix(unit).filter(|digits| digits.chars().all(|c| c.is_ascii_digit()))?;
        digits.parse::<u32>().ok()?.checked_mul(mib)
    });
    let Some(mib) = found else {
        let diag = Diag::new("schema/type", entry.value_span, format!("`{}` is no size of memory", crate::syntax::shorten(text)));
        diags.push(diag.help("write a number with M or G, such as memory=\"512M\" or memory=\"2G\""));
        return None;
    };
    let is_sound = (MIB_MIN..=MIB_MAX).contains(&mib);
    if !is_sound {
        let diag = Diag::new("schema/range", entry.value_span, format!("a VM cannot have {text} of memory"));
        diags.push(diag.help(format!("between {MIB_MIN}M and {}G", MIB_MAX / 1024)));
    }
    is_sound.then_some(mib)
}

/// What names a network interface, a file and a word of a command line alike.
fn interface(entry: &Entry<'_>, diags: &mut Diags) -> Option<String> {
    let text = entry.text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_sound =
        text.len() <= INTERFACE_BYTES_MAX && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
    if !is_sound {
        let diag =
            Diag::new("schema/type", entry.value_span, format!("`{}` is no name of a bridge", crate::syntax::shorten(text)));
        diags.push(
            diag.help(format!("at most {INTERFACE_BYTES_MAX} letters, digits and . _ - as `ip link` shows it: bridge=\"br0\"")),
        );
    }
    is_sound.then(|| text.to_owned())
}

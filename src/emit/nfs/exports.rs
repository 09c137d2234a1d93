//! `nfs/exports`: for the kernel's NFS server, exports(5).

use std::fmt::Write;

use super::RootView;
use crate::model::Nfs;
use crate::out::Lines;

pub(super) fn emit(nfs: &Nfs, roots: &[RootView<'_>]) -> Lines {
    let mut lines = Lines::default();
    lines.line(&[nfs.span], "# Link it into /etc/exports.d/ as pxelator.exports, then run: exportfs -ra");
    for root in roots {
        let row = &root.row;
        // An overlay has no identity of its own, so the kernel wants one said.
        let (access, fsid) = (if row.write { "rw" } else { "ro" }, fsid(&root.export));
        // A union that is not mounted is an empty folder of the server: nobody shall write there.
        let mounted = if row.overlay.is_some() { ",mountpoint" } else { "" };
        let line = format!("{} {}({access},sync,no_subtree_check,no_root_squash{mounted},fsid={fsid})", row.export, row.address);
        lines.line(&root.origins, line);
    }
    lines
}

/// A UUID that the export's name makes: the same on every server and after every change.
fn fsid(export: &str) -> String {
    let hash = blake3::hash(export.as_bytes());
    let mut text = String::new();
    for (at, byte) in hash.as_bytes().iter().take(16).enumerate() {
        text.push_str(if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" });
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

//! `nfs/ganesha.conf`: for nfs-ganesha, NFSv4 over TCP alone, which needs no rpcbind (seen with 4.3, 2026-11).

use std::collections::BTreeMap;

use super::RootView;
use crate::model::{Nfs, Site};
use crate::out::Lines;

/// Numeric owners, or clients without the server's users see 4294967294; no grace, or a machine that
/// starts with the server waits 90 s; a lease of 10 s, so that a machine that died blocks nobody for long.
const HEAD: &[&str] = &[
    "NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; mount_path_pseudo = true; }",
    "NFS_KRB5 { Active_krb5 = false; }",
    "EXPORT_DEFAULTS { Access_Type = None; Squash = No_Root_Squash; SecType = sys; Transports = TCP; Protocols = 4; }",
];

pub(super) fn emit(site: &Site, nfs: &Nfs, folder: &str, roots: &[RootView<'_>]) -> Lines {
    let mut lines = Lines::default();
    let top = [nfs.span];
    lines.line(&top, "# Run `pxelator storage apply` first: ganesha exports what is mounted.");
    HEAD.iter().for_each(|line| lines.line(&top, line));
    let recovery = format!(
        "NFSv4 {{ Graceless = true; Lease_Lifetime = 10; Delegations = false; RecoveryBackend = fs; RecoveryRoot = {folder}/.ganesha; Only_Numeric_Owners = true; }}"
    );
    lines.line(&top, recovery);
    let mut exports: BTreeMap<&str, Vec<&RootView<'_>>> = BTreeMap::new();
    roots.iter().for_each(|root| exports.entry(&root.export).or_default().push(root));
    for (export, roots) in exports {
        let Some(first) = roots.first() else { continue };
        let (path, from) = (&first.row.export, &first.origins);
        lines.line(from, "EXPORT {");
        lines.line(
            from,
            format_args!("  Export_Id = {}; Filesystem_id = {}; FSAL {{ Name = VFS; }}", site.ids.of(export), filesystem(export)),
        );
        lines.line(from, format_args!("  Path = {path}; Pseudo = {path};"));
        for root in &roots {
            let access = if root.row.write { "RW" } else { "RO" };
            lines.line(&root.origins, format_args!("  CLIENT {{ Clients = {}; Access_Type = {access}; }}", root.row.address));
        }
        lines.line(from, "}");
    }
    lines
}

/// Major and minor number of the file system as clients see it; like the id it must stay.
fn filesystem(export: &str) -> String {
    let hash = blake3::hash(export.as_bytes());
    let [.., a, b, c, d, e, f, g, h] = *hash.as_bytes();
    format!("{}.{}", u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

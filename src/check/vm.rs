//! Snapshots, and what VMs and containers stand on.

use super::nfs::{PLAIN, is_plain, known};
use crate::diag::{Diag, Diags};
use crate::model::{Site, VmOf};

pub(super) fn files(site: &Site, diags: &mut Diags) {
    for snapshot in &site.snapshots {
        if !is_plain(&snapshot.file.value) {
            let shown = crate::syntax::shorten(&snapshot.file.value);
            diags.push(Diag::new("vm/bad-path", snapshot.file.span, format!("`{shown}` is no plain absolute path")).help(PLAIN));
        }
    }
}

pub(super) fn names(site: &Site, diags: &mut Diags) {
    let snapshots = site.snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
    let bases = site.nfs.iter().flat_map(|nfs| &nfs.bases).map(|base| base.name.as_str()).collect();
    for (host, vm) in site.vms() {
        let (code, name, all, what) = match &vm.of {
            VmOf::Snapshot { name, .. } => ("vm/unknown-snapshot", name, &snapshots, "snapshot"),
            VmOf::Base(name) => ("nfs/unknown-base", name, &bases, "base"),
        };
        known(code, name, all, &format!("vm `{}` is from `{}`, which is no {what}", host.name, name.value), diags);
    }
}

/// It has one card, and that card's MAC is what DHCP knows it by.
pub(super) fn cards(site: &Site, diags: &mut Diags) {
    for (host, _) in site.vms().filter(|(host, _)| host.macs.len() != 1) {
        let (message, span) = match host.macs.get(1) {
            Some(second) => (format!("vm `{}` has one card, and this is its second MAC", host.name), second.span),
            None => (format!("vm `{}` needs a MAC: without one it gets no address", host.name), host.span),
        };
        let help = "write one MAC of your own choice that begins with 52:54:00, such as \"52:54:00:77:00:28\"";
        diags.push(Diag::new("vm/one-mac", span, message).help(help));
    }
}

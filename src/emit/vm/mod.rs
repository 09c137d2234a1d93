//! # Name
//! `vm`: hosts that run within another machine.
//!
//! # Description
//! `vm/vms.jsonl` has a row for each `vm`; `pxelator vm` reads it. Of a VM over a snapshot `vm/NAME.xml` is the
//! domain for libvirt, and `vm/pxelator-vm-NAME.service` a systemd unit that runs QEMU without libvirt. Of a
//! container over a base `vm/NAME.nspawn` is for systemd-nspawn, a `vm/*.mount` joins its changes with the base,
//! and `vm/NAME.network` makes its card ask DHCP with the declared MAC. A site without `vm` has none of these.
//!
//! # Syntax
//! Reads `snapshot`, `vm` with its props, and the `nfs` folder and `base` of containers.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" server=2 {
//!     vm ci-1 40 "52:54:00:77:00:28" from=golden memory="2G" cpus=2
//!     vm box-1 41 "52:54:00:77:00:29" base="debian-12"
//! }
//! snapshot golden "/srv/vm/golden.qcow2"
//! nfs "/srv/nfs" { base "debian-12" }
//! ```

mod container;
mod libvirt;
mod unit;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Host, Origins, Site, Vm, VmOf};
use crate::out::table::{ContainerRow, DiskRow, VM_FILES, VMS, VmRow, json};
use crate::out::{Lines, Wing};

/// The state folder of `pxelator` where nothing says otherwise: what the files name.
const STATE: &str = "/var/lib/pxelator";

/// The folder of a VM.
fn folder(vm: &VmRow) -> String {
    format!("{STATE}/vm/{}", vm.vm)
}

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let mut rows = Lines::default();
    for (host, vm) in site.vms() {
        let (Some(row), origins) = (row(site, host, vm), origins(site, host, vm)) else { continue };
        rows.line(&origins, json(&row));
        let mut write = |name: &str, text: String| {
            let mut lines = Lines::default();
            text.lines().for_each(|line| lines.line(&origins, line));
            wing.write(format!("{VM_FILES}{name}"), lines);
        };
        if let Some(disk) = &row.disk {
            write(&format!("{}.xml", row.vm), libvirt::domain(&row, disk));
            write(&unit::name(&row), unit::unit(&row, disk));
        }
        if let Some(container) = &row.container {
            write(&format!("{}.nspawn", row.vm), container::nspawn(&row));
            write(&format!("{}.network", row.vm), container::network(&row));
            let (name, text) = container::mount(&row, container);
            write(&name, text);
        }
    }
    if !rows.is_empty() {
        wing.write(VMS.into(), rows);
    }
}

fn row(site: &Site, host: &Host, vm: &Vm) -> Option<VmRow> {
    let (mut disk, mut container) = (None, None);
    match &vm.of {
        VmOf::Snapshot { name, memory_mib, cpus } => {
            let snapshot = site.snapshot(&name.value)?;
            disk = Some(DiskRow {
                snapshot: snapshot.name.clone(),
                file: snapshot.file.value.clone(),
                format: snapshot.format.name().to_owned(),
                memory_mib: *memory_mib,
                cpus: *cpus,
            });
        }
        VmOf::Base(base) => {
            let folders = site.nfs.as_ref()?.container(&base.value, &host.name)?;
            container =
                Some(ContainerRow { base: base.value.clone(), lower: folders.lower, upper: folders.upper, root: folders.root });
        }
    }
    Some(VmRow {
        vm: host.name.to_string(),
        domain: site.domain.to_string(),
        address: host.address.as_ref().map(|at| at.value),
        mac: host.macs.first()?.value.to_string(),
        bridge: vm.bridge.clone(),
        disk,
        container,
    })
}

fn origins(site: &Site, host: &Host, vm: &Vm) -> Origins {
    let beneath = match &vm.of {
        VmOf::Snapshot { name, .. } => site.snapshot(&name.value).map(|snapshot| snapshot.span),
        VmOf::Base(base) => site.nfs.as_ref().and_then(|nfs| nfs.base(&base.value)).map(|base| base.span),
    };
    let folder = site.nfs.as_ref().filter(|_| matches!(vm.of, VmOf::Base(_))).and_then(|nfs| nfs.folder.as_ref());
    std::iter::once(host.span).chain(beneath).chain(folder.map(|folder| folder.span)).collect()
}

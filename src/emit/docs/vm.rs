//! The runbook of a host that runs within another machine.

use crate::model::{Host, Site, Vm, VmOf};

pub(super) fn kind(vm: &Vm) -> String {
    match &vm.of {
        VmOf::Snapshot { name, memory_mib, cpus } => {
            format!("a VM over the snapshot `{}`, {memory_mib} MiB, {cpus} processors, on the bridge {}", name.value, vm.bridge)
        }
        VmOf::Base(name) => format!("a container over the base `{}`, on the bridge {}", name.value, vm.bridge),
    }
}

/// From the outside to the inside.
pub(super) fn questions(host: &Host, vm: &Vm) -> Vec<String> {
    let name = &host.name;
    let mut steps = vec!["Does it run? `pxelator vm list`, on the machine that runs it".to_owned()];
    match &vm.of {
        VmOf::Snapshot { .. } => {
            steps.push(format!("Turn it off and on: `pxelator vm stop {name}`, `pxelator vm start {name}`"));
            steps.push(format!("What did it say? `/var/lib/pxelator/vm/{name}/serial.log`"));
        }
        VmOf::Base(_) => {
            steps.push(format!("Turn it off and on: `machinectl poweroff {name}`, `pxelator vm start {name}`"));
            steps.push(format!("What did it say? `journalctl -M {name} -b`"));
        }
    }
    steps.extend(host.address.as_ref().map(|address| format!("Does it answer? `ping {}`", address.value)));
    steps.push(format!("Was it changed here? `pxelator why host.{name}`, and `pxelator generations`"));
    steps
}

pub(super) fn anew(host: &Host, vm: &Vm) -> Vec<String> {
    let name = &host.name;
    let needs = match &vm.of {
        VmOf::Snapshot { name, .. } => format!("Copy the snapshot `{}` to the machine that shall run it.", name.value),
        VmOf::Base(name) => format!("Copy the base `{}` to the machine that shall run it.", name.value),
    };
    vec![
        needs,
        format!("`pxelator vm prepare {name}` there: it gets a machine-id and host keys of its own, once."),
        format!("`pxelator vm start {name}`"),
    ]
}

pub(super) fn changes(site: &Site, host: &Host, vm: &Vm) -> String {
    let name = &host.name;
    match &vm.of {
        VmOf::Snapshot { .. } => format!(
            "All of it lies in `/var/lib/pxelator/vm/{name}/disk.qcow2`, over the snapshot: keep both. `pxelator vm delete {name}` discards it."
        ),
        VmOf::Base(base) => {
            let folders = site.nfs.as_ref().and_then(|nfs| nfs.container(&base.value, name));
            let upper = folders.map(|folders| folders.upper).unwrap_or_default();
            format!("All of it lies in `{upper}/upper`, over the base: keep that. `pxelator vm delete {name}` discards it.")
        }
    }
}

//! Hosts that run within another machine: what they stand on, and what they have of the machine.

use std::collections::BTreeSet;

use super::hosts::set;
use super::pairs::Pair;
use super::side::Host;
use super::{Fact, Files};
use crate::out::table::{VM_FILES, VmRow};

/// What a host that came or went has.
pub(super) fn values(host: &Host) -> Vec<(&'static str, String)> {
    host.vms.iter().flat_map(of_row).collect()
}

fn of_row(row: &VmRow) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    if let Some(disk) = &row.disk {
        values.push(("VM from", format!("{} ({} as {})", disk.snapshot, disk.file, disk.format)));
        values.push(("memory", format!("{} MiB", disk.memory_mib)));
        values.push(("processors", disk.cpus.to_string()));
    }
    if let Some(container) = &row.container {
        values.push(("container over", format!("{} ({})", container.base, container.lower)));
    }
    values.push(("bridge", row.bridge.clone()));
    values
}

/// What two hosts that are one have in common with others.
pub(super) fn facts(old: &Host, new: &Host) -> Vec<Fact> {
    let (was, is) = (values(old), values(new));
    let names: BTreeSet<&'static str> = was.iter().chain(&is).map(|(name, _)| *name).collect();
    let of = |all: &[(&'static str, String)], name: &str| {
        all.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let mut told: Vec<Fact> =
        names.into_iter().flat_map(|name| set(name, &of(&was, name), &of(&is, name), String::clone)).collect();
    if told.is_empty() {
        let folders = |host: &Host| {
            host.vms.iter().filter_map(|row| row.container.as_ref()).map(|own| own.upper.clone()).collect::<Vec<_>>()
        };
        told.extend(set("VM's folder", &folders(old), &folders(new), String::clone));
        let domains = |host: &Host| host.vms.iter().map(|row| row.domain.clone()).collect::<Vec<_>>();
        told.extend(set("VM's domain", &domains(old), &domains(new), String::clone));
    }
    told
}

/// The files for libvirt and systemd that follow from the rows of hosts which are told.
pub(super) fn files(old: &Files, new: &Files, pairs: &[Pair<'_>]) -> BTreeSet<String> {
    let hosts = pairs.iter().flat_map(|pair| pair.old.into_iter().chain(pair.new.map(|(_, host)| host)));
    let mut names = BTreeSet::new();
    for row in hosts.flat_map(|host| &host.vms) {
        let own = ["xml", "nspawn", "network"].map(|ending| format!("{VM_FILES}{}.{ending}", row.vm));
        names.extend(own.into_iter().chain([format!("{VM_FILES}pxelator-vm-{}.service", row.vm)]));
        let at = row.container.iter().map(|container| format!("Where={}", container.root));
        for at in at {
            let is_unit = |path: &str, bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).unwrap_or_default();
                path.starts_with(VM_FILES) && path.ends_with(".mount") && text.lines().any(|line| line == at)
            };
            names.extend(old.iter().chain(new).filter(|(path, bytes)| is_unit(path, bytes)).map(|(path, _)| path.clone()));
        }
    }
    names
}

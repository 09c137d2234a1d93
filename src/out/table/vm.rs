//! The rows of `vm/`: hosts that run within another machine, and the command line of those that QEMU runs.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

pub const VMS: &str = "vm/vms.jsonl";
/// `vm/NAME.xml`, `.service`, `.nspawn`, `.network` and a `.mount` lie here.
pub const VM_FILES: &str = "vm/";

/// `vm/vms.jsonl`: a VM over a snapshot, or a container over a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmRow {
    pub vm: String,
    /// What it calls itself in full.
    pub domain: String,
    /// Absent where the pool gives it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    pub mac: String,
    /// Of the machine that runs it.
    pub bridge: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerRow>,
}

/// The disk of a VM, within its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskRow {
    pub snapshot: String,
    pub file: String,
    /// `qcow2` or `raw`.
    pub format: String,
    pub memory_mib: u32,
    pub cpus: u32,
}

/// The files of a container, within its row. All folders are absolute, on the machine that runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerRow {
    pub base: String,
    pub lower: String,
    /// `upper` and `work` lie in it.
    pub upper: String,
    /// Where they are joined.
    pub root: String,
}

/// The QEMU of the command line.
pub const QEMU: &str = "/usr/bin/qemu-system-x86_64";

impl DiskRow {
    /// The words after `qemu-system-x86_64`: the unit and `vm start` have the same. `folder` is the VM's own.
    ///
    /// With KVM where there is any. The serial line goes to a socket and a log, which each start begins anew.
    pub fn words(&self, vm: &VmRow, folder: &str) -> Vec<String> {
        let pairs = [
            ("-name", vm.vm.clone()),
            ("-machine", "q35,accel=kvm:tcg".to_owned()),
            ("-cpu", "max".to_owned()),
            ("-m", self.memory_mib.to_string()),
            ("-smp", self.cpus.to_string()),
            ("-display", "none".to_owned()),
            ("-drive", format!("file={folder}/disk.qcow2,format=qcow2,if=virtio,discard=unmap")),
            ("-netdev", format!("bridge,id=lan,br={}", vm.bridge)),
            // Without a ROM: it starts from its disk, and asks no network what to start.
            ("-device", format!("virtio-net-pci,netdev=lan,mac={},romfile=", vm.mac)),
            ("-device", "virtio-rng-pci".to_owned()),
            ("-chardev", format!("socket,id=serial,path={folder}/serial.sock,server=on,wait=off,logfile={folder}/serial.log")),
            ("-serial", "chardev:serial".to_owned()),
            ("-qmp", format!("unix:{folder}/qmp.sock,server=on,wait=off")),
            ("-pidfile", format!("{folder}/qemu.pid")),
        ];
        let words = pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        ["-nodefaults".to_owned(), "-no-user-config".to_owned()].into_iter().chain(words).collect()
    }
}

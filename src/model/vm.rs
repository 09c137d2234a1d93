//! Snapshots, and hosts that are no machine of their own.

use super::{At, Host, HostName, Nfs, Site};
use crate::source::Span;

/// The memory of a VM where nothing says so, in MiB.
pub const MEMORY_MIB: u32 = 1024;
/// Its bridge where nothing says so.
pub const BRIDGE: &str = "br0";

/// A disk that VMs start over.
#[derive(Debug)]
pub struct Snapshot {
    pub name: String,
    /// On the machine that runs the VMs.
    pub file: At<String>,
    pub format: SnapshotFormat,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFormat {
    Qcow2,
    Raw,
}

impl SnapshotFormat {
    pub fn name(self) -> &'static str {
        match self {
            SnapshotFormat::Qcow2 => "qcow2",
            SnapshotFormat::Raw => "raw",
        }
    }
}

/// What makes a host one that runs within another machine.
#[derive(Debug)]
pub struct Vm {
    pub of: VmOf,
    pub bridge: String,
}

#[derive(Debug)]
pub enum VmOf {
    /// A disk over a snapshot.
    Snapshot { name: At<String>, memory_mib: u32, cpus: u32 },
    /// Files over a base.
    Base(At<String>),
}

/// The folders of a container, on the machine that runs it.
#[derive(Debug)]
pub struct Container {
    pub lower: String,
    /// `upper` and `work` lie in it.
    pub upper: String,
    /// Where systemd looks for it (machinectl(1)).
    pub root: String,
}

impl Nfs {
    pub fn container(&self, base: &str, name: &HostName) -> Option<Container> {
        let folder = &self.folder.as_ref()?.value;
        Some(Container {
            lower: self.base_folder(base)?,
            upper: format!("{folder}/vm/{name}"),
            root: format!("/var/lib/machines/{name}"),
        })
    }
}

impl Site {
    /// The hosts that are no machines of their own, by name.
    pub fn vms(&self) -> impl Iterator<Item = (&Host, &Vm)> {
        self.hosts.iter().filter_map(|host| Some((host, host.vm.as_deref()?)))
    }

    pub fn snapshot(&self, name: &str) -> Option<&Snapshot> {
        let at = self.snapshots.binary_search_by(|snapshot| snapshot.name.as_str().cmp(name)).ok()?;
        self.snapshots.get(at)
    }
}

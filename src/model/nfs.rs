//! Roots over NFS: what the site declares of them, and which host has which.

use super::{At, Host, Network, Origins, Profile, Site, TextFile};
use crate::source::Span;

/// What the site keeps for machines to mount.
#[derive(Debug)]
pub struct Nfs {
    /// `base/`, `upper/` and `root/` lie in it.
    pub folder: Option<At<String>>,
    /// By name, each once.
    pub bases: Vec<Base>,
    /// By name.
    pub overlays: Vec<Overlay>,
    pub span: Span,
}

/// A system that machines share.
#[derive(Debug)]
pub struct Base {
    pub name: String,
    pub span: Span,
}

/// A writable system over a base.
#[derive(Debug)]
pub struct Overlay {
    pub name: String,
    pub over: Option<At<String>>,
    pub union: Union,
    pub upper: Option<At<String>>,
    pub files: Vec<OverlayFile>,
    pub span: Span,
    pub origins: Origins,
}

/// A file that every machine of an overlay has.
#[derive(Debug)]
pub struct OverlayFile {
    /// Its name is the path in the machine's system, beginning with a slash.
    pub text: TextFile,
    pub mode: u32,
}

/// The permissions of a file where nothing says so.
pub const MODE: u32 = 0o644;

/// The file system that joins upper and lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Union {
    Overlayfs,
    Aufs,
}

impl Union {
    pub fn name(self) -> &'static str {
        match self {
            Union::Overlayfs => "overlayfs",
            Union::Aufs => "aufs",
        }
    }
}

/// The mount options of a union; `upper` is the host's own folder.
///
/// index and nfs_export let NFS find files again by their handles. redirect_dir=nofollow and metacopy=off
/// keep every changed file and moved folder whole in the upper folder, so that it tells what was changed.
pub fn union_options(union: Union, lower: &str, upper: &str) -> String {
    match union {
        Union::Overlayfs => {
            format!(
                "lowerdir={lower},upperdir={upper}/upper,workdir={upper}/work,index=on,nfs_export=on,redirect_dir=nofollow,metacopy=off"
            )
        }
        Union::Aufs => format!("br={upper}/upper=rw:{lower}=ro,xino={upper}/xino"),
    }
}

/// What a profile's kernel mounts as its root.
#[derive(Clone, Debug)]
pub struct Root {
    pub of: RootOf,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum RootOf {
    Overlay(At<String>),
    Base { name: At<String>, write: bool },
}

impl Root {
    /// The words that the kernel's command line has for it. Debian's initramfs takes server and path from
    /// DHCP option 17 where `nfsroot=auto` stands (initramfs-tools(7)).
    pub fn cmdline(&self) -> &'static str {
        match self.of {
            RootOf::Overlay(_) | RootOf::Base { write: true, .. } => "root=/dev/nfs nfsroot=auto ip=dhcp rw",
            RootOf::Base { write: false, .. } => "root=/dev/nfs nfsroot=auto ip=dhcp ro",
        }
    }
}

/// A host that mounts a root, and all that its export needs.
#[derive(Clone, Copy, Debug)]
pub struct HostRoot<'s> {
    pub host: &'s Host,
    pub profile: &'s Profile,
    pub root: &'s Root,
    pub network: Option<&'s Network>,
}

impl HostRoot<'_> {
    /// Its export, below the folder.
    pub fn export(&self) -> String {
        export_of(self.root, self.host.name.as_str())
    }
}

/// The export of a root for a host, below the folder: machines share a base, but no overlay.
pub fn export_of(root: &Root, host: &str) -> String {
    match &root.of {
        RootOf::Overlay(_) => format!("root/{host}"),
        RootOf::Base { name, .. } => format!("base/{}", name.value),
    }
}

impl Nfs {
    /// Where a base's files lie on the boot server.
    pub fn base_folder(&self, base: &str) -> Option<String> {
        Some(format!("{}/base/{base}", self.folder.as_ref()?.value))
    }

    /// Where the changes of an overlay's machines lie, each in a folder of its own.
    pub fn upper_folder(&self, overlay: &Overlay) -> Option<String> {
        match &overlay.upper {
            Some(upper) => Some(upper.value.clone()),
            None => Some(format!("{}/upper/{}", self.folder.as_ref()?.value, overlay.name)),
        }
    }

    /// What is exported to a host.
    pub fn export_folder(&self, root: &Root, host: &str) -> Option<String> {
        Some(format!("{}/{}", self.folder.as_ref()?.value, export_of(root, host)))
    }

    pub fn base(&self, name: &str) -> Option<&Base> {
        let at = self.bases.binary_search_by(|base| base.name.as_str().cmp(name)).ok()?;
        self.bases.get(at)
    }

    pub fn overlay(&self, name: &str) -> Option<&Overlay> {
        let at = self.overlays.binary_search_by(|overlay| overlay.name.as_str().cmp(name)).ok()?;
        self.overlays.get(at)
    }
}

impl Site {
    /// The hosts whose profile has a root, by name.
    pub fn roots(&self) -> impl Iterator<Item = HostRoot<'_>> {
        let has_any = self.profiles.iter().any(|profile| profile.root.is_some());
        let hosts = if has_any { self.hosts.as_slice() } else { &[] };
        hosts.iter().filter_map(|host| {
            let profile = self.profile(&host.profile.as_ref()?.value)?;
            let network = host.network.and_then(|index| self.networks.get(index));
            Some(HostRoot { host, profile, root: profile.root.as_ref()?, network })
        })
    }

    /// `SERVER:FOLDER`: DHCP option 17 of a host that mounts a root.
    pub fn root_path(&self, root: &HostRoot<'_>) -> Option<String> {
        let folder = &self.nfs.as_ref()?.folder.as_ref()?.value;
        let server = root.network?.server.as_ref()?.value;
        Some(format!("{server}:{folder}/{}", root.export()))
    }
}

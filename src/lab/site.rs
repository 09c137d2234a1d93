//! The site as the lab serves it: the same lines, with the lab's assets in place of the site's by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::assets::{INITRD, KERNEL, LIVE};
use super::{Error, Result, failed};
use crate::answer::dns::Zones;
use crate::diag::Diags;
use crate::model::{Asset, LOCAL, Lock, Mac};
use crate::out::Manifest;
use crate::out::table::{NetworkRow, Tables, VmRow};
use crate::source::{Inputs, Sources};
use crate::{compile_with_nfs, store, wanted_assets};

/// What a lab run serves, and the machine that it boots.
pub(super) struct LabSite {
    /// What was compiled, and where bases and changes lie.
    pub(super) out: PathBuf,
    pub(super) nfs: PathBuf,
    /// `SERVER:FOLDER`, if the host mounts its root over NFS.
    pub(super) root: Option<String>,
    /// A VM over a snapshot, which starts from its own disk.
    pub(super) vm: Option<VmRow>,
    pub(super) host: Option<String>,
    pub(super) mac: String,
    /// The reservation, if the host has one.
    pub(super) address: Option<Ipv4Addr>,
    pub(super) network: NetworkRow,
    pub(super) server: Ipv4Addr,
}

/// Compiles the site with assets in `run/assets`; what machines mount lies in `kept`, if it shall outlive the
/// run, and `out/` beside it. `tell` hears each asset that stands in.
pub(super) fn prepare(options: &super::run::Options, cache: &Path, run: &Path, tell: &mut dyn FnMut(&str)) -> Result<LabSite> {
    let (mut inputs, entry) = store::read_site(&options.site)?;
    let (nfs, out) = match &options.nfs {
        Some(kept) => {
            let kept = own_folder(kept)?;
            (kept.clone(), kept.join("out"))
        }
        None => (run.join("nfs"), run.join("out")),
    };
    let (_, diags, wanted) = wanted_assets(inputs.clone(), &entry);
    let wanted = wanted.filter(|_| diags.errors() == 0).ok_or(Error::Site)?;
    let own = pinned(fs::read(cache.join(Lock::FILE)).map_err(failed("read", cache.join(Lock::FILE)))?);
    let offered = site_lock(&inputs);
    let folder = run.join("assets");
    let mut lock = BTreeMap::new();
    let loaders = wanted.loaders.iter().map(|name| (*name).to_owned()).filter(|name| offered.contains_key(name));
    for path in wanted.named.into_iter().chain(loaders).collect::<BTreeSet<_>>() {
        let name = stand_in(&path).ok_or_else(|| unknown(&path))?;
        let asset: &Asset = own.get(name).ok_or_else(|| unknown(&path))?;
        place(&cache.join(name), &folder.join(&path))?;
        tell(&format!("{path}: the lab's {name} in place of the site's"));
        lock.insert(path, asset.clone());
    }
    inputs.insert(Lock::FILE.into(), Lock::text(&lock).into_bytes());
    let compiled = compile_with_nfs(inputs, &entry, &nfs.to_string_lossy());
    let tree = compiled.tree.ok_or(Error::Site)?;
    store::out::write(&out, &tree, &Manifest::of(&tree))?;
    let files = store::open(&out)?.files;
    let tables = Tables::read(&files).map_err(|error| Error::Unfit(error.to_string()))?;
    Zones::load(&tables, &BTreeMap::new()).map_err(|error| Error::Unfit(error.to_string()))?;
    Ok(LabSite { out, nfs, ..find(&options.who, &tables)? })
}

/// What the lab keeps in a folder of its own.
const KEPT: &[&str] = &[".ganesha", "base", "out", "root", "upper"];

/// A folder for bases and changes: an empty one, or one of an earlier run.
fn own_folder(kept: &Path) -> Result<PathBuf> {
    fs::create_dir_all(kept).map_err(failed("make", kept))?;
    let kept = kept.canonicalize().map_err(failed("open", kept))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@~-".contains(c);
    if !kept.to_string_lossy().chars().all(plain) {
        return Err(Error::Unfit(format!("{} cannot be exported: use letters, digits and . _ + @ ~ - in the path of --nfs", kept.display())));
    }
    for entry in fs::read_dir(&kept).map_err(failed("list", &kept))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !KEPT.contains(&name.as_str()) {
            return Err(Error::Unfit(format!("{} holds `{name}`, which is not from the lab: name an empty folder, or one of an earlier run", kept.display())));
        }
    }
    Ok(kept)
}

fn unknown(path: &str) -> Error {
    Error::Unfit(format!(
        "the lab has nothing to put in place of `{path}`: it knows files named vmlinuz*, initrd*, *.squashfs and the loaders"
    ))
}

/// The site's own lock decides which loaders it offers; the lab only changes their bytes.
fn site_lock(inputs: &Inputs) -> BTreeMap<String, Asset> {
    inputs.get(Lock::FILE).map(|bytes| pinned(bytes.clone())).unwrap_or_default()
}

fn pinned(lock: Vec<u8>) -> BTreeMap<String, Asset> {
    let (sources, _) = Sources::from_inputs(BTreeMap::from([(Lock::FILE.to_owned(), lock)]));
    Lock::read(&sources, &mut Diags::default()).assets
}

/// Which of the lab's files does the work of a site's file, by the last part of its path.
fn stand_in(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    match name {
        _ if name.starts_with("vmlinuz") || name.starts_with("linux") || name.starts_with("bzImage") => Some(KERNEL),
        _ if name.starts_with("initr") => Some(INITRD),
        _ if name.ends_with(".squashfs") => Some(LIVE),
        _ => Some(name),
    }
}

/// A hard link where it can be, for a copy costs time; both lie beneath their own folder.
fn place(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(failed("make", parent))?;
    }
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop)).map_err(failed("copy", from))
}

/// The host or MAC, its network, and the server's address there.
fn find(who: &str, tables: &Tables) -> Result<LabSite> {
    let row = tables.hosts.values().find(|row| row.host.eq_ignore_ascii_case(who));
    let mac = row.map(|row| row.mac.clone()).or_else(|| Mac::parse(who).ok().map(|mac| mac.to_string()));
    let mac = mac.ok_or_else(|| Error::Host(who.to_owned()))?;
    let vm = row.and_then(|row| tables.vms.get(&row.host)).cloned();
    if vm.as_ref().is_some_and(|vm| vm.disk.is_none()) {
        return Err(Error::Unfit(format!("`{who}` is a container: systemd starts it, and the lab has none")));
    }
    if vm.is_none() && tables.menu_of(Some(&mac), None) == Some(LOCAL) {
        return Err(Error::Unfit(format!("`{who}` starts from its own disk: there is nothing to boot here")));
    }
    let lease = tables.reservations.get(&mac);
    let home = tables.home_of(&mac);
    let home = home.or_else(|| tables.networks.iter().find(|network| !network.pools.is_empty()));
    let network = home.ok_or_else(|| Error::Unfit(format!("`{who}` has no address, and no network has a pool")))?.clone();
    let server = network.server.unwrap_or_else(|| free_address(&network, tables));
    if lease.is_some_and(|lease| lease.address == server) {
        return Err(Error::Unfit(format!("`{who}` is the boot server itself: boot one of its clients")));
    }
    let (out, nfs) = (PathBuf::new(), PathBuf::new());
    let root = lease.and_then(|lease| lease.root.clone());
    Ok(LabSite { out, nfs, root, vm, host: row.map(|row| row.host.clone()), mac, address: lease.map(|lease| lease.address), network, server })
}

/// Where no `server=` is declared, the lab takes an address that nobody has.
fn free_address(network: &NetworkRow, tables: &Tables) -> Ipv4Addr {
    let hosts = u32::from(network.first) + 1..u32::from(network.broadcast());
    let free =
        |address: &Ipv4Addr| !tables.reserved.contains_key(address) && !network.pools.iter().any(|pool| pool.contains(*address));
    hosts.rev().map(Ipv4Addr::from).find(free).unwrap_or(network.first)
}

//! The lab's own kernel, guest and loaders, in a cache with a lock of their own.
//!
//! They come from the distribution's packages and move on with them, so they never touch the site's
//! assets.lock or its out/.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Error, Result, call, call_in, failed};
use crate::model::Lock;
use crate::store;

/// The package that depends on the newest kernel for virtual machines.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";
/// Drivers that the guest needs; virtio_pci is a module and no dependency of virtio_net, nfsv4 none of nfs.
const MODULES: &[&str] = &["virtio_pci", "virtio_net", "nfs", "nfsv4"];
/// The same for a live image, which the guest fetches, mounts, and covers with a layer in memory.
const LIVE_MODULES: &[&str] = &["loop", "squashfs", "overlay"];
/// What the guest's scripts call.
const APPLETS: &[&str] = &[
    "awk",
    "cat",
    "echo",
    "hostname",
    "insmod",
    "ip",
    "logger",
    "mkdir",
    "mount",
    "nslookup",
    "poweroff",
    "sed",
    "sh",
    "sleep",
    "switch_root",
    "sync",
    "syslogd",
    "tr",
    "udhcpc",
    "usleep",
    "wget",
];
/// What the base system has for whoever tries to change it.
const BASE_APPLETS: &[&str] = &[
    "awk", "cat", "chmod", "chown", "cp", "cut", "echo", "find", "grep", "head", "hostname", "ip", "ln", "ls", "mkdir", "mount",
    "mv", "poweroff", "rm", "rmdir", "sed", "sh", "sleep", "stat", "sync", "tail", "touch", "tr", "umount", "wc",
];
/// Files of the base system: enough to change, to delete and to leave alone.
const BASE_FILES: &[(&str, &str)] = &[
    ("etc/hostname", "base\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/issue", "the lab's base system\n"),
    ("etc/motd", "Nothing was changed here.\n"),
    ("srv/www/index.html", "<p>base</p>\n"),
    ("srv/www/old.html", "<p>old</p>\n"),
    ("var/log/boot.log", "first line\n"),
];
/// The folder of the base system in the cache.
pub(super) const BASE: &str = "base";
/// Loaders: where the distribution has them, under the names by which sites know them.
const LOADERS: &[&str] = &[
    "/usr/lib/PXELINUX/pxelinux.0",
    "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "/usr/lib/syslinux/modules/bios/libutil.c32",
    "/usr/lib/syslinux/modules/bios/menu.c32",
    "/usr/lib/ipxe/snponly.efi",
    "/usr/lib/ipxe/ipxe.efi",
    "/usr/lib/ipxe/undionly.kpxe",
];
/// The names of the guest's two files in the cache.
pub(super) const KERNEL: &str = "vmlinuz";
pub(super) const INITRD: &str = "initrd.img";
/// The base system as a live image.
pub(super) const LIVE: &str = "filesystem.squashfs";

/// Written last: which guest the cache holds.
const STAMP: &str = "guest.blake3";

const GUEST_INIT: &str = include_str!("guest/init");
const GUEST_UDHCPC: &str = include_str!("guest/udhcpc.script");
const BASE_INIT: &str = include_str!("guest/base-init");

/// Where the lab keeps its assets.
pub fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    base.or_else(home).unwrap_or_else(|| "/var/cache".into()).join("pxelator/lab")
}

/// Is the cache complete, and made by this version of the guest?
pub fn is_ready(cache: &Path) -> bool {
    let stamp = fs::read_to_string(cache.join(STAMP)).unwrap_or_default();
    cache.join(Lock::FILE).is_file() && stamp == guest_stamp()
}

/// Prepares everything; `tell` hears each step.
pub fn init(cache: &Path, tell: &mut dyn FnMut(&str)) -> Result<()> {
    super::require()?;
    let work = cache.join("work");
    fs::create_dir_all(&work).map_err(failed("make", &work))?;
    let was_ready = is_ready(cache);
    let lock = File::open(cache).map_err(failed("open", cache))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed("lock", cache)(errno.into()))?;
    // Whoever had the lock prepared it for us too, and may use it by now.
    if !was_ready && is_ready(cache) {
        tell("another `pxelator lab init` has just prepared everything");
        return Ok(());
    }
    // From here to the end the cache is unfinished, whatever happens.
    let stamp = cache.join(STAMP);
    if stamp.exists() {
        fs::remove_file(&stamp).map_err(failed("remove", &stamp))?;
    }
    let package = kernel_package()?;
    tell(&format!("kernel: {package}"));
    let root = unpack(&work, &package)?;
    let version = only_entry(&root.join("lib/modules"))?;
    call("depmod", &["-b", &text(&root), &version])?;
    copy(&root.join(format!("boot/vmlinuz-{version}")), &cache.join(KERNEL))?;
    tell("guest: busybox and its network driver");
    build_initrd(&work, &root, &version, &cache.join(INITRD))?;
    tell("base: a system to boot over NFS");
    build_base(&cache.join(BASE))?;
    tell("live image: the same system, to be fetched over HTTP");
    build_live(&cache.join(BASE), &cache.join(LIVE))?;
    for path in LOADERS.iter().map(Path::new).filter(|path| path.exists()) {
        let name = path.file_name().unwrap_or_default();
        copy(path, &cache.join(name))?;
    }
    let count = write_lock(cache)?;
    fs::write(&stamp, guest_stamp()).map_err(failed("write", &stamp))?;
    tell(&format!("{count} files pinned in {}", cache.join(Lock::FILE).display()));
    Ok(())
}

fn guest_stamp() -> String {
    blake3::hash(
        format!("{GUEST_INIT}{GUEST_UDHCPC}{BASE_INIT}{MODULES:?}{LIVE_MODULES:?}{APPLETS:?}{BASE_APPLETS:?}{BASE_FILES:?}")
            .as_bytes(),
    )
    .to_hex()
    .to_string()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A new file under the old name: machines that run have the old one linked into their folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let fresh = to.with_extension("fresh");
    fs::copy(from, &fresh).and_then(|_| fs::rename(&fresh, to)).map_err(failed("copy", from))
}

/// The kernel package of today: `linux-image-6.1.0-…-cloud-amd64`.
fn kernel_package() -> Result<String> {
    let depends = call("apt-cache", &["depends", KERNEL_PACKAGE])?;
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let name = names.into_iter().find(|name| name.starts_with("linux-image-"));
    name.map(str::to_owned).ok_or_else(|| Error::Unfit(format!("apt knows no {KERNEL_PACKAGE}: run `apt-get update`")))
}

/// Downloads and unpacks a package; it is not installed.
fn unpack(work: &Path, package: &str) -> Result<PathBuf> {
    let root = work.join(package);
    if root.join("boot").is_dir() {
        return Ok(root);
    }
    let (download, fresh) = (work.join("download"), work.join("unpacking"));
    for folder in [&download, &fresh] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed("remove", folder))?;
        }
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
    }
    // apt's own user may not write below root's home.
    call_in(&download, "apt-get", &["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "download", package])?;
    let file = only_entry(&download)?;
    call("dpkg", &["-x", &text(&download.join(file)), &text(&fresh)])?;
    fs::rename(&fresh, &root).map_err(failed("rename", &fresh))?;
    fs::remove_dir_all(&download).map_err(failed("remove", &download))?;
    Ok(root)
}

fn only_entry(folder: &Path) -> Result<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map_err(failed("list", folder))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => {
            Err(Error::Unfit(format!("{} should hold one file; delete the folder and run `pxelator lab init`", folder.display())))
        }
    }
}

/// busybox, drivers in loading order, and two scripts; about 1 MB.
fn build_initrd(work: &Path, root: &Path, version: &str, to: &Path) -> Result<()> {
    let tree = work.join("guest");
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(failed("remove", &tree))?;
    }
    busybox_tree(&tree, &["modules", "etc", "proc", "sys", "dev", "live", "newroot", "over"], APPLETS)?;
    write_script(&tree.join("init"), GUEST_INIT)?;
    write_script(&tree.join("bin/udhcpc.script"), GUEST_UDHCPC)?;
    let first = place_modules(root, version, MODULES, &tree, &[])?;
    let live = place_modules(root, version, LIVE_MODULES, &tree, &first)?;
    for (name, order) in [("order", first), ("live-order", live)] {
        let list = tree.join("modules").join(name);
        fs::write(&list, order.join("\n") + "\n").map_err(failed("write", &list))?;
    }
    let pack = format!("set -e; find . | sort | cpio -o -H newc --owner 0:0 --quiet | gzip -1n >'{}'", to.display());
    call_in(&tree, "sh", &["-c", &pack]).map(drop)
}

/// Puts drivers, and those that they need, into the guest; gives their order without those of `before`.
fn place_modules(root: &Path, version: &str, modules: &[&str], tree: &Path, before: &[String]) -> Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    for module in modules {
        let depends = call("modprobe", &["-d", &text(root), "-S", version, "--show-depends", module])?;
        // `builtin NAME` needs no loading.
        for path in depends.lines().filter_map(|line| line.strip_prefix("insmod ")).map(|path| Path::new(path.trim())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !order.contains(&name) && !before.contains(&name) {
                copy(path, &tree.join("modules").join(&name))?;
                order.push(name);
            }
        }
    }
    Ok(order)
}

/// A file system in a file, made anew.
fn build_live(base: &Path, to: &Path) -> Result<()> {
    call("mksquashfs", &[&text(base), &text(to), "-noappend", "-all-root", "-no-progress", "-quiet"]).map(drop)
}

/// A system of busybox alone; its init says that the root works.
fn build_base(tree: &Path) -> Result<()> {
    if tree.exists() {
        fs::remove_dir_all(tree).map_err(failed("remove", tree))?;
    }
    busybox_tree(tree, &["dev", "etc", "proc", "root", "run", "sbin", "srv/www", "sys", "tmp", "var/log"], BASE_APPLETS)?;
    write_script(&tree.join("sbin/init"), BASE_INIT)?;
    BASE_FILES.iter().try_for_each(|(name, text)| fs::write(tree.join(name), text).map_err(failed("write", tree.join(name))))
}

/// Folders, and busybox under the names of its applets.
fn busybox_tree(tree: &Path, folders: &[&str], applets: &[&str]) -> Result<()> {
    for folder in folders.iter().chain(&["bin"]) {
        fs::create_dir_all(tree.join(folder)).map_err(failed("make", tree.join(folder)))?;
    }
    copy(Path::new("/bin/busybox"), &tree.join("bin/busybox"))?;
    applets
        .iter()
        .try_for_each(|applet| symlink("busybox", tree.join("bin").join(applet)).map_err(failed("link", tree.join(applet))))
}

fn write_script(path: &Path, script: &str) -> Result<()> {
    fs::write(path, script).map_err(failed("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed("write", path))
}

/// Pins what is in the cache; gives the number of files.
fn write_lock(cache: &Path) -> Result<usize> {
    let loaders = LOADERS.iter().filter_map(|path| Path::new(path).file_name()?.to_str());
    let names = [KERNEL, INITRD, LIVE].into_iter().chain(loaders).filter(|name| cache.join(name).is_file());
    let pinned =
        names.map(|name| Ok((name.to_owned(), store::assets::hash(cache, name)?))).collect::<Result<BTreeMap<_, _>>>()?;
    store::out::replace_file(&cache.join(Lock::FILE), &Lock::text(&pinned))?;
    Ok(pinned.len())
}

//! Hosts that run within this machine: disks over snapshots, and folders over bases, each with an identity of its own.
//!
//! ```text
//!  vm/vms.jsonl ─► prepare: overlay over the snapshot, identity written into it, all of it aside, one rename
//!              └─► start: QEMU with the words of its row ─► qmp.sock ─► stop
//! ```
//! [`prepare`] makes a VM's disk, [`container`] the folders of a container; [`run`] starts and stops both.
//!
//! **Invariant:** a snapshot is opened for reading alone. **Invariant:** what is prepared is whole: a run that
//! fails or is killed leaves nothing that counts, and the next one clears the rest. The identity is drawn
//! once and kept as long as the VM.

mod child;
pub mod container;
mod disk;
pub mod prepare;
mod qmp;
pub mod run;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::out::table::{ContainerRow, Tables, VmRow};

/// How long another `pxelator vm` for the same VM is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// What keeps a VM from being made, or from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no VM `{vm}` in this generation{hint}")]
    Unknown { vm: String, hint: String },
    #[error("this needs root, for it shows disks as files and opens the bridge: run `sudo pxelator vm …`")]
    Root,
    #[error("`pxelator vm` needs programs that are missing here ({missing}): apt-get install {packages}")]
    Tools { missing: String, packages: String },
    #[error("{vm}: another `pxelator vm` works on it: wait until that has ended")]
    Busy { vm: String },
    #[error("{vm}: its snapshot {file} {what}: put the disk there, or correct `snapshot {snapshot}` in the site")]
    Snapshot { vm: String, snapshot: String, file: String, what: String },
    #[error("{vm}: {file} is a disk in {found}, and the site says format={said}: correct `snapshot {snapshot}` in the site")]
    Format { vm: String, snapshot: String, file: String, said: String, found: &'static str },
    #[error("{vm}: no root file system in {file} ({found}): it must hold a Linux on ext4, in a partition or as the whole disk")]
    NoRoot { vm: String, file: String, found: String },
    #[error("{vm}: {folder} is no system ({what}): put the files of base `{base}` there")]
    NoBase { vm: String, folder: String, base: String, what: &'static str },
    #[error("{vm}: {folder} has {free_mib} MiB left, and preparing needs {NEEDED_MIB}: make room")]
    Full { vm: String, folder: PathBuf, free_mib: u64 },
    #[error("{vm} is not prepared: run `pxelator vm prepare {vm}` first")]
    NotPrepared { vm: String },
    #[error(
        "{vm} was prepared over {was}, and the site says {is}: `pxelator vm delete {vm}` discards what it changed, and `pxelator vm prepare {vm}` begins anew"
    )]
    OtherSnapshot { vm: String, was: String, is: String },
    #[error(
        "{vm} was prepared over {file} as it was ({was}), and another file lies there now ({is}): put the old file itself back, or `pxelator vm delete {vm}` discards what it changed, and `pxelator vm prepare {vm}` begins anew"
    )]
    Replaced { vm: String, file: String, was: String, is: String },
    #[error(
        "{vm}: the file system in {file} is damaged ({found}): run `e2fsck -f` on a copy of it, and name the copy in the site"
    )]
    Damaged { vm: String, file: String, found: String },
    #[error(
        "{path}: QEMU cannot be told a path with a comma, a quotation mark, a backslash or a line break: give another --state"
    )]
    StatePath { path: PathBuf },
    #[error("{vm} runs already")]
    Runs { vm: String },
    #[error("{vm} runs: `pxelator vm stop {vm}` first")]
    StopFirst { vm: String },
    #[error("{vm}: its disk {disk} is in use by {holder}: end that first, where libvirt started it with `virsh shutdown {vm}`")]
    InUse { vm: String, disk: PathBuf, holder: String },
    #[error(
        "{vm}: there is no bridge {bridge} here: make one (`ip link add {bridge} type bridge && ip link set {bridge} up`, and the card of the network into it), or say bridge= in the site"
    )]
    NoBridge { vm: String, bridge: String },
    #[error("{vm}: QEMU may not use the bridge {bridge}: write the line `allow {bridge}` into {BRIDGE_CONF}")]
    BridgeClosed { vm: String, bridge: String },
    #[error(
        "{vm} is a container, and systemd does not run here: start it on a machine that systemd runs (`machinectl start {vm}`)"
    )]
    NoSystemd { vm: String },
    #[error("{vm}: {program} did not end within {secs} s, and was ended")]
    Slow { vm: String, program: String, secs: u64 },
    #[error("{vm}: {program}: {output}")]
    Program { vm: String, program: String, output: String },
    #[error("{vm}: QEMU says {what}")]
    Qmp { vm: String, what: String },
    #[error(
        "{vm}: QEMU does not answer: another program talks to it, such as a second `pxelator vm stop`, or it hangs (`pxelator vm list` shows whether it still runs)"
    )]
    Silent { vm: String },
    #[error("{vm}: QEMU ended while {vm} was turning itself off: something else ended it, and what was not written is lost")]
    Ended { vm: String },
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// What the first identity takes on a disk, with room to spare, in MiB.
const NEEDED_MIB: u64 = 64;
/// The file in a VM's folder that says what it stands on.
const OVER: &str = "over";
/// Which bridges QEMU may use (qemu-bridge-helper).
const BRIDGE_CONF: &str = "/etc/qemu/bridge.conf";

fn failed(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { step, path, source }
}

/// The VM of a name.
pub fn find<'t>(tables: &'t Tables, vm: &str, state: &Path) -> Result<&'t VmRow> {
    let found = tables.vms.values().find(|row| row.vm.eq_ignore_ascii_case(vm));
    found.ok_or_else(|| {
        let hint = match crate::diag::nearest(vm, tables.vms.keys().map(String::as_str)) {
            _ if run::is_there(vm, state) => {
                format!(": it was prepared here, and the site names it no more; `pxelator vm delete {vm}` discards it")
            }
            Some(near) => format!("; did you mean `{near}`?"),
            None if tables.facts.contains_key(vm) => ": it is a host, and no `vm`".to_owned(),
            None => "; `pxelator vm list` names all".to_owned(),
        };
        Error::Unknown { vm: vm.to_owned(), hint }
    })
}

/// What is to be deleted: a VM of the site, or one that was prepared here and that the site names no more. No other
/// name is offered: what is deleted is gone.
pub fn find_to_delete<'t>(tables: &'t Tables, vm: &str, state: &Path) -> Result<(String, Option<&'t ContainerRow>)> {
    match find(tables, vm, state) {
        Ok(row) => Ok((row.vm.clone(), row.container.as_ref())),
        Err(_) if run::is_there(vm, state) => Ok((vm.to_owned(), None)),
        Err(_) => Err(Error::Unknown { vm: vm.to_owned(), hint: ", and none was prepared here; `pxelator vm list` names all".to_owned() }),
    }
}

/// VMs that were prepared here and that the site names no more.
pub fn strays(tables: &Tables, state: &Path) -> Result<Vec<String>> {
    let home = home(state);
    let entries = match fs::read_dir(&home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", home)(error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_site = |name: &str| tables.vms.get(name).is_some_and(|row| row.disk.is_some());
    let mut names: Vec<String> = names.filter(|name| run::is_there(name, state) && !is_site(name)).collect();
    names.sort();
    Ok(names)
}

/// Where VMs lie in a state folder; QEMU wants to know it from the root on, and links resolved: one VM, one path.
pub fn home(state: &Path) -> PathBuf {
    let resolved = state.canonicalize().or_else(|_| std::path::absolute(state));
    resolved.unwrap_or_else(|_| state.to_owned()).join("vm")
}

/// The folder of one.
pub fn folder(state: &Path, vm: &str) -> PathBuf {
    home(state).join(vm)
}

pub fn require_root() -> Result<()> {
    if nix::unistd::Uid::effective().is_root() { Ok(()) } else { Err(Error::Root) }
}

/// One program at a time works on a VM. What it starts has the lock too, so nothing that outlives a killed
/// run works beside the next.
fn lock(home: &Path, vm: &str) -> Result<File> {
    fs::create_dir_all(home).map_err(failed("make", home))?;
    let path = home.join(format!(".{vm}.lock"));
    let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed("open", &path))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy { vm: vm.to_owned() }),
            Err(errno) => return Err(failed("lock", path)(errno.into())),
        }
    }
}

/// 128 bits that nobody else has, as machine-id(5) wants them.
fn fresh_machine_id() -> Result<String> {
    let from = "/proc/sys/kernel/random/uuid";
    let uuid = fs::read_to_string(from).map_err(failed("read", from))?;
    Ok(uuid.chars().filter(char::is_ascii_hexdigit).collect())
}

/// Discards a VM with all that it changed; false where there was nothing.
pub fn delete(vm: &str, container: Option<&ContainerRow>, state: &Path) -> Result<bool> {
    require_root()?;
    let _one_at_a_time = lock(&home(state), vm)?;
    match container {
        Some(_) if container::is_running(vm) => Err(Error::StopFirst { vm: vm.to_owned() }),
        Some(container) => container::discard(container),
        None => {
            let _nobody_starts_it = run::hold(vm, state, || Error::StopFirst { vm: vm.to_owned() })?;
            discard(&folder(state, vm))
        }
    }
}

/// The folder is aside at once: a name that is taken again never sees half of the old one.
fn discard(folder: &Path) -> Result<bool> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!(".{name}.gone"));
    clear(&aside)?;
    match fs::rename(folder, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("rename", folder)(error)),
    }
    clear(&aside)?;
    Ok(true)
}

/// Removes a folder that may not be there.
fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

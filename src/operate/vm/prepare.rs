//! A disk over a snapshot with an identity in it: made aside, renamed when it is whole.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use super::child::{self, Life};
use super::{Error, NEEDED_MIB, OVER, Result, clear, failed, folder, fresh_machine_id, home, lock, require_root};
use crate::out::table::{DiskRow, VmRow};

/// Shows the disk, in namespaces of its own, and runs the other script beside it, which writes the identity.
const SHOW: &str = include_str!("show.sh");
const IDENTIFY: &str = include_str!("identify.sh");
/// Its end where no root file system is in the disk.
const NO_ROOT: i32 = 3;
/// Its end where one is in it that e2fsck does not mend by itself.
const DAMAGED: i32 = 4;
/// Others pass through a folder, and read nothing in it that is not theirs.
const PASS: u32 = 0o711;
/// What QEMU's tools show as a file, in bytes at least: an empty disk has nothing to show.
const DISK_BYTES_MIN: u64 = 1 << 20;
/// A disk of a terabyte with a journal to replay took 3 s, and three keys take 2 s at most.
const IDENTIFY_PATIENCE: Duration = Duration::from_secs(180);
const CREATE_PATIENCE: Duration = Duration::from_secs(30);
/// How a disk in qcow2 begins.
const QCOW2: &[u8] = b"QFI\xfb";
const QCOW2_SIZE_AT: u64 = 24;

/// Programs of the script and of ours, and the Debian package of each.
const NEEDED: &[(&str, &str)] = &[
    ("qemu-img", "qemu-utils"),
    ("qemu-storage-daemon", "qemu-system-common"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("partx", "util-linux"),
    ("blkid", "util-linux"),
    ("debugfs", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("ssh-keygen", "openssh-client"),
];

/// Makes the disk; false where it is there already.
pub fn prepare(row: &VmRow, disk: &DiskRow, state: &Path) -> Result<bool> {
    require_root()?;
    require_programs()?;
    is_plain(state)?;
    let (home, to) = (home(state), folder(state, &row.vm));
    let lock = lock(&home, &row.vm)?;
    let aside = home.join(format!(".{}.new", row.vm));
    // What a killed run left; nobody works on it, for we have the lock.
    clear(&aside)?;
    look_at_snapshot(row, disk)?;
    if to.exists() {
        is_over(row, disk, state)?;
        return Ok(false);
    }
    has_room(row, &home, NEEDED_MIB)?;
    // libvirt's QEMU is a user of its own: it passes through, and lists nothing.
    fs::set_permissions(&home, Permissions::from_mode(PASS)).map_err(failed("close", &home))?;
    DirBuilder::new().mode(0o700).create(&aside).map_err(failed("make", &aside))?;
    let made = make(row, disk, &aside, &lock).and_then(|()| fs::rename(&aside, &to).map_err(failed("rename", &aside)));
    if made.is_err() {
        // A disk that grew full meanwhile makes every program complain of something else.
        let room = has_room(row, &home, 1);
        clear(&aside)?;
        room?;
    }
    made?;
    File::open(&home).and_then(|home| home.sync_all()).map_err(failed("sync", &home))?;
    Ok(true)
}

/// What tells a file from another one at the same path: the identity of a snapshot as it was when a disk was made over it.
fn stamp(disk: &DiskRow) -> Result<String> {
    let meta = fs::metadata(&disk.file).map_err(failed("look at", &disk.file))?;
    let (size, nanos, inode) = (meta.size(), meta.mtime_nsec(), meta.ino());
    Ok(format!("{size} bytes, written at {}.{nanos:09}, inode {inode}", meta.mtime()))
}

/// The disk lies over the snapshot that the site says, and nobody has put another file in its place.
pub(super) fn is_over(row: &VmRow, disk: &DiskRow, state: &Path) -> Result<()> {
    let path = folder(state, &row.vm).join(OVER);
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let (file, was) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
    let is = stamp(disk)?;
    match () {
        () if file != disk.file => Err(Error::OtherSnapshot { vm: row.vm.clone(), was: file.to_owned(), is: disk.file.clone() }),
        () if was != is => Err(Error::Replaced { vm: row.vm.clone(), file: disk.file.clone(), was: was.to_owned(), is }),
        () => Ok(()),
    }
}

fn make(row: &VmRow, disk: &DiskRow, aside: &Path, lock: &File) -> Result<()> {
    let vm = row.vm.as_str();
    let (image, identity, work) = (aside.join("disk.qcow2"), aside.join("identity"), aside.join("work"));
    let image_text = image.to_string_lossy();
    // Before it is opened: what is put in its place from here on is noticed.
    let over = aside.join(OVER);
    fs::write(&over, format!("{}\n{}\n", disk.file, stamp(disk)?)).map_err(failed("write", &over))?;
    child::call(
        vm,
        lock,
        CREATE_PATIENCE,
        &["qemu-img", "create", "-q", "-f", "qcow2", "-b", &disk.file, "-F", &disk.format, &image_text],
    )?;
    // libvirt gives it to the user of its QEMU while that runs.
    fs::set_permissions(&image, Permissions::from_mode(0o600)).map_err(failed("close", &image))?;
    for folder in [&identity, &work] {
        DirBuilder::new().mode(0o700).create(folder).map_err(failed("make", folder))?;
    }
    let facts = [("hostname", vm.to_owned()), ("domain", row.domain.clone()), ("machine-id", fresh_machine_id()?)];
    for (name, text) in facts {
        let path = identity.join(name);
        fs::write(&path, text + "\n").map_err(failed("write", &path))?;
    }
    let namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let (work_text, identity_text) = (work.to_string_lossy(), identity.to_string_lossy());
    let script = ["sh", "-c", SHOW, "show", &work_text, &image_text, &identity_text, IDENTIFY];
    let ended = child::run(vm, lock, Life::Ours, IDENTIFY_PATIENCE, &[&namespaces[..], &script[..]].concat())?;
    match ended.status.code() {
        Some(0) => {
            clear(&work)?;
            fs::set_permissions(aside, Permissions::from_mode(PASS)).map_err(failed("open", aside))
        }
        Some(DAMAGED) => {
            let found = ended.said.lines().last().unwrap_or_default().to_owned();
            Err(Error::Damaged { vm: vm.to_owned(), file: disk.file.clone(), found })
        }
        Some(NO_ROOT) => {
            let found = ended.said.lines().last().unwrap_or_default().to_owned();
            Err(Error::NoRoot { vm: vm.to_owned(), file: disk.file.clone(), found })
        }
        _ => Err(Error::Program { vm: vm.to_owned(), program: "writing its identity".to_owned(), output: ended.output() }),
    }
}

/// It is there, a file, and in the format that the site says.
pub(super) fn look_at_snapshot(row: &VmRow, disk: &DiskRow) -> Result<()> {
    let wrong = |what: &str| Error::Snapshot {
        vm: row.vm.clone(),
        snapshot: disk.snapshot.clone(),
        file: disk.file.clone(),
        what: what.to_owned(),
    };
    let meta = fs::metadata(&disk.file).map_err(|error| match error.kind() == ErrorKind::NotFound {
        true => wrong("is missing"),
        false => wrong(&format!("cannot be read ({error})")),
    })?;
    if !meta.is_file() {
        return Err(wrong("is no file"));
    }
    let mut head = [0; QCOW2.len()];
    let read = File::open(&disk.file).and_then(|mut file| file.read(&mut head));
    let count = read.map_err(|error| wrong(&format!("cannot be read ({error})")))?;
    if count < head.len() {
        return Err(wrong("is empty"));
    }
    let is_qcow2 = head == QCOW2;
    if is_qcow2 == (disk.format == "qcow2") {
        let size = if is_qcow2 {
            qcow2_bytes(&disk.file).map_err(|error| wrong(&format!("cannot be read ({error})")))?
        } else {
            meta.len()
        };
        return if size < DISK_BYTES_MIN { Err(wrong("is a disk of less than 1 MiB")) } else { Ok(()) };
    }
    let found = if is_qcow2 { "qcow2" } else { "another format than qcow2" };
    Err(Error::Format {
        vm: row.vm.clone(),
        snapshot: disk.snapshot.clone(),
        file: disk.file.clone(),
        said: disk.format.clone(),
        found,
    })
}

/// The size of the disk, as its head says it (docs/interop/qcow2.txt of QEMU).
fn qcow2_bytes(file: &str) -> std::io::Result<u64> {
    let mut size = [0; 8];
    std::os::unix::fs::FileExt::read_exact_at(&File::open(file)?, &mut size, QCOW2_SIZE_AT)?;
    Ok(u64::from_be_bytes(size))
}

/// QEMU's words and our scripts name files below it, and have no way to say these.
pub(super) fn is_plain(state: &Path) -> Result<()> {
    let home = home(state);
    match home.to_str() {
        Some(text) if !text.contains([',', '"', '\\', '\n']) => Ok(()),
        Some(_) | None => Err(Error::StatePath { path: home }),
    }
}

pub(super) fn has_room(row: &VmRow, home: &Path, wanted_mib: u64) -> Result<()> {
    let free = rustix::fs::statvfs(home).map_err(|errno| failed("look at", home)(errno.into()))?;
    let free_mib = free.f_bavail.saturating_mul(free.f_frsize) >> 20;
    if free_mib < wanted_mib {
        return Err(Error::Full { vm: row.vm.clone(), folder: home.to_owned(), free_mib });
    }
    Ok(())
}

fn require_programs() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let absent = NEEDED.iter().filter(|(program, _)| !folders.iter().any(|folder| folder.join(program).is_file()));
    let (missing, packages): (Vec<&str>, std::collections::BTreeSet<&str>) = absent.copied().unzip();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Tools { missing: missing.join(", "), packages: packages.into_iter().collect::<Vec<_>>().join(" ") })
}

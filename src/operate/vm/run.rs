//! VMs on and off: QEMU in the background with the words of its row, and what it says on its socket.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::child::{self, Life};
use super::qmp::{self, Gone, Qmp};
use super::{BRIDGE_CONF, Error, LOOK, Result, container, disk, failed, folder, home, lock, prepare, require_root};
use crate::out::table::{DiskRow, QEMU, VmRow};

/// How long QEMU may take until it runs; a second was the most that was seen.
const START_PATIENCE: Duration = Duration::from_secs(30);
const ASK_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to end when its power is taken.
const QUIT_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take from closing its socket until it is gone.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Where QEMU listens, in the VM's folder.
const SOCKET: &str = "qmp.sock";

/// How a VM came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It did not run.
    Already,
    /// It was asked, and turned itself off.
    Off,
    /// It was asked, and went on until its power was taken.
    Cut,
}

/// What a VM does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Runs,
    Off,
    NotPrepared,
    /// Its disk is root's, and we are not.
    Unknown,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Runs => "runs",
            Status::Off => "off",
            Status::NotPrepared => "not prepared",
            Status::Unknown => "unknown, root may look",
        }
    }
}

pub fn status(row: &VmRow, state: &Path) -> Status {
    let there = match &row.container {
        Some(container) => Path::new(&container.upper).try_exists(),
        None => folder(state, &row.vm).try_exists(),
    };
    let runs = match &row.container {
        Some(_) => Some(container::is_running(&row.vm)),
        None => disk::is_held(&image(&row.vm, state)).unwrap_or_default(),
    };
    match (runs, there) {
        (Some(true), _) => Status::Runs,
        (Some(false), Ok(true)) => Status::Off,
        (Some(false), Ok(false)) => Status::NotPrepared,
        (None, _) | (_, Err(_)) => Status::Unknown,
    }
}

/// The same of a VM that the site names no more.
pub fn status_of_stray(vm: &str, state: &Path) -> Status {
    match disk::is_held(&image(vm, state)).unwrap_or_default() {
        Some(true) => Status::Runs,
        Some(false) => Status::Off,
        None => Status::Unknown,
    }
}

fn image(vm: &str, state: &Path) -> PathBuf {
    folder(state, vm).join("disk.qcow2")
}

/// Nobody has its disk: `ours` is the error where a QEMU has it that listens to us.
pub(super) fn is_free(vm: &str, state: &Path, ours: Error) -> Result<()> {
    let image = image(vm, state);
    match disk::is_held(&image)? {
        Some(false) => Ok(()),
        Some(true) | None if qmp::is_heard(&folder(state, vm).join(SOCKET)) => Err(ours),
        Some(true) | None => Err(Error::InUse { vm: vm.to_owned(), holder: disk::holder(&image), disk: image }),
    }
}

/// The same, and no QEMU gets it while the file lives; nothing where there is no disk.
pub(super) fn hold(vm: &str, state: &Path, ours: impl Fn() -> Error) -> Result<Option<File>> {
    is_free(vm, state, ours())?;
    let held = disk::hold(&image(vm, state))?;
    if held.is_none() {
        // Somebody took it between the look and the lock.
        is_free(vm, state, ours())?;
    }
    Ok(held)
}

/// The words after QEMU's name.
pub fn words(row: &VmRow, disk: &DiskRow, state: &Path) -> Vec<String> {
    disk.words(row, &folder(state, &row.vm).to_string_lossy())
}

/// Starts a VM in the background.
pub fn start(row: &VmRow, disk: &DiskRow, state: &Path) -> Result<()> {
    require_root()?;
    prepare::is_plain(state)?;
    let vm = row.vm.as_str();
    let lock = lock(&home(state), vm)?;
    if !image(vm, state).exists() {
        return Err(Error::NotPrepared { vm: vm.to_owned() });
    }
    is_free(vm, state, Error::Runs { vm: vm.to_owned() })?;
    prepare::look_at_snapshot(row, disk)?;
    prepare::is_over(row, disk, state)?;
    has_bridge(row, &lock)?;
    let own = words(row, disk, state);
    let words: Vec<&str> = [QEMU].into_iter().chain(own.iter().map(String::as_str)).chain(["-daemonize"]).collect();
    // What the guest says on its serial line is nobody else's, and others pass through the folder.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let ended = child::run(vm, &lock, Life::Own, START_PATIENCE, &words);
    nix::sys::stat::umask(before);
    let ended = ended?;
    if ended.status.success() {
        return Ok(());
    }
    Err(Error::Program { vm: vm.to_owned(), program: "QEMU".to_owned(), output: ended.output() })
}

fn has_bridge(row: &VmRow, lock: &File) -> Result<()> {
    let (vm, bridge) = (row.vm.clone(), row.bridge.clone());
    let shown =
        child::run(&vm, lock, Life::Ours, ASK_PATIENCE, &["ip", "-oneline", "link", "show", "dev", &bridge, "type", "bridge"])?;
    if !shown.status.success() || shown.said.is_empty() {
        return Err(Error::NoBridge { vm, bridge });
    }
    let text = match fs::read_to_string(BRIDGE_CONF) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", BRIDGE_CONF)(error)),
    };
    let allows = |line: &str| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("allow"), Some(name)) => name == "all" || name == bridge,
            // Another file decides; QEMU reads it.
            (Some("include"), _) => true,
            (_, _) => false,
        }
    };
    if text.lines().any(allows) { Ok(()) } else { Err(Error::BridgeClosed { vm, bridge }) }
}

/// Is there a VM of this name, whatever the site says? Then it can be stopped without one.
pub fn is_there(vm: &str, state: &Path) -> bool {
    !vm.is_empty() && !vm.contains(['/', '.']) && folder(state, vm).is_dir()
}

/// Asks a VM to turn itself off, and takes its power where it does not within the time.
pub fn stop(vm: &str, state: &Path, patience: Duration) -> Result<Stopped> {
    require_root()?;
    // The lock is not taken: whoever starts it has long ended, and the disk has one user by QEMU's own lock.
    let Some(mut qmp) = Qmp::connect(vm, &folder(state, vm).join(SOCKET))? else {
        // One that ends this very moment closes its socket before its disk.
        let deadline = Instant::now() + END_PATIENCE;
        loop {
            match is_free(vm, state, Error::Silent { vm: vm.to_owned() }) {
                Ok(()) => return Ok(Stopped::Already),
                Err(_) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Err(error) => return Err(error),
            }
        }
    };
    qmp.command("system_powerdown")?;
    let gone = match qmp.gone_within(patience)? {
        Gone::No => {
            qmp.command("quit")?;
            match qmp.gone_within(QUIT_PATIENCE)? {
                Gone::Ended => return Ok(Stopped::Cut),
                gone @ (Gone::No | Gone::ByItself) => gone,
            }
        }
        gone @ (Gone::Ended | Gone::ByItself) => gone,
    };
    match gone {
        Gone::ByItself => return Ok(Stopped::Off),
        Gone::Ended => return Err(Error::Ended { vm: vm.to_owned() }),
        Gone::No => {}
    }
    Err(Error::Qmp { vm: vm.to_owned(), what: format!("that it quits, and is there after {} s", QUIT_PATIENCE.as_secs()) })
}

//! Real machines on an isolated network: namespace, bridge, tap, our own `serve`, QEMU; serial log in,
//! verdict out.
//!
//! ```text
//!  site ─► compile with the lab's assets ─► out/ ─► serve ┐
//!                                                         ├─ br0 in namespace pxlab-PID
//!  QEMU (the host's MAC) ── tap0 ─────────────────────────┘
//!    └─ serial ─► marker line? ─► verdict and timings
//! ```
//! [`assets`] prepares kernel, guest and loaders in a cache; [`run`] boots one machine. Children die
//! with us, even after kill -9 (`setpriv --pdeathsig`), and the next run clears what was left.
//!
//! **Invariant:** no packet leaves the namespace, and nothing of the site is changed.

pub mod assets;
mod machine;
mod network;
mod progress;
mod roots;
mod router;
pub mod run;
mod site;

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::{serve, store};

pub use machine::Firmware;

/// What keeps a machine from booting here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the lab needs root, for network namespaces: run `sudo pxelator lab …`")]
    Root,
    #[error("the lab needs programs that are missing here ({missing}): apt-get install {packages}")]
    Tools { missing: String, packages: String },
    #[error("the site has errors: `pxelator check` shows them")]
    Site,
    #[error("no host `{0}` with a MAC in this site, and `{0}` is no MAC")]
    Host(String),
    #[error("{0}")]
    Unfit(String),
    #[error("`{command}` failed: {output}")]
    Command { command: String, output: String },
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Serve(#[from] serve::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

fn failed(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { step, path, source }
}

/// Programs and files that the lab needs, and the Debian package of each.
const NEEDED: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("cpio", "cpio"),
    ("gzip", "gzip"),
    ("mksquashfs", "squashfs-tools"),
    ("depmod", "kmod"),
    ("modprobe", "kmod"),
    ("dpkg", "dpkg"),
    ("apt-get", "apt"),
    ("/bin/busybox", "busybox-static"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "ovmf"),
    ("/usr/lib/ipxe/qemu/efi-virtio.rom", "ipxe-qemu"),
    ("/usr/lib/PXELINUX/pxelinux.0", "pxelinux"),
    ("/usr/lib/syslinux/modules/bios/ldlinux.c32", "syslinux-common"),
    ("/usr/lib/ipxe/snponly.efi", "ipxe"),
];

/// Says what is missing on this machine, or nothing.
pub fn require() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        return Err(Error::Root);
    }
    let absent: Vec<&(&str, &str)> = NEEDED.iter().filter(|(program, _)| !is_here(program)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = absent.iter().map(|(program, _)| *program).collect();
    let packages: std::collections::BTreeSet<&str> = absent.iter().map(|(_, package)| *package).collect();
    Err(Error::Tools { missing: missing.join(", "), packages: packages.into_iter().collect::<Vec<_>>().join(" ") })
}

fn is_here(program: &str) -> bool {
    if program.starts_with('/') {
        return std::path::Path::new(program).exists();
    }
    // Not every PATH of a user has the folders of system programs.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

/// Runs a program to its end; what it printed is in the error.
fn call(program: &str, args: &[&str]) -> Result<String> {
    call_in(std::path::Path::new("/"), program, args)
}

fn call_in(folder: &std::path::Path, program: &str, args: &[&str]) -> Result<String> {
    let command = format!("{program} {}", args.join(" "));
    let output = Command::new(program).args(args).current_dir(folder).output().map_err(failed("run", program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Command { command, output: if text.is_empty() { output.status.to_string() } else { text } })
}

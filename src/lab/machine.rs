//! The programs of a run: QEMU for the machine, our own `serve` for the network.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::network::Run;
use super::{Result, failed};
use crate::out::table::{QEMU, VmRow};

/// Which firmware the virtual machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, iPXE's BIOS ROM, pxelinux over TFTP.
    Bios,
    /// OVMF, iPXE's UEFI ROM, a script over HTTP.
    Efi64,
}

impl Firmware {
    pub fn name(self) -> &'static str {
        match self {
            Firmware::Bios => "bios",
            Firmware::Efi64 => "efi64",
        }
    }
}

const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE.fd";
const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS.fd";
/// UEFI hangs with 128 MiB; more only takes longer to clear.
const MEMORY_MIB: &str = "256";

/// A program within the namespace that the kernel kills when we die, however we die.
fn inside(run: &Run, program: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", run.namespace));
    command.args(["--", "setpriv", "--pdeathsig", "KILL", "--"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C is for us alone: we tell the others.
    command.process_group(0);
    command
}

/// The machine; its serial line is standard output.
pub(super) fn qemu(run: &Run, mac: &str, firmware: Firmware) -> Result<Child> {
    let mut command = inside(run, Path::new("qemu-system-x86_64"));
    command.args(["-M", "pc,accel=tcg", "-m", MEMORY_MIB, "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults"]);
    // A BIOS that finds nothing to boot then ends at once instead of waiting.
    command.args(["-boot", "reboot-timeout=500", "-serial", "stdio"]);
    command.args(["-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no"]);
    command.args(["-device", &format!("virtio-net-pci,netdev=n0,mac={mac},bootindex=1")]);
    if firmware == Firmware::Efi64 {
        let vars = run.folder.join("vars.fd");
        std::fs::copy(OVMF_VARS, &vars).map_err(failed("copy", OVMF_VARS))?;
        command.args(["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}")]);
        command.args(["-drive", &format!("if=pflash,format=raw,unit=1,file={}", vars.display())]);
    }
    command.spawn().map_err(failed("run", "qemu-system-x86_64"))
}

/// A VM over its snapshot, as `pxelator vm start` runs it, but on our tap and without KVM.
pub(super) fn vm(run: &Run, row: &VmRow) -> Result<Child> {
    let mut command = inside(run, Path::new(QEMU));
    let words = row.disk.iter().flat_map(|disk| crate::operate::vm::run::words(row, disk, &run.folder));
    command.args(words.map(|word| match word.split(',').next() {
        Some("bridge") => "tap,id=lan,ifname=tap0,script=no,downscript=no".to_owned(),
        Some("socket") => "stdio,id=serial,signal=off".to_owned(),
        Some("q35") => "q35,accel=tcg".to_owned(),
        Some(_) | None => word,
    }));
    command.spawn().map_err(failed("run", QEMU))
}

/// The NFS server, in the foreground.
pub(super) fn ganesha(run: &Run, conf: &Path, log: &Path) -> Result<Child> {
    let mut command = inside(run, Path::new("ganesha.nfsd"));
    command.args(["-F", "-N", "NIV_EVENT", "-f"]).arg(conf).arg("-L").arg(log).arg("-p").arg(run.folder.join("ganesha.pid"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(failed("run", "ganesha.nfsd"))
}

/// Our own runtime, as it would run on the boot server; its log is standard error.
pub(super) fn serve(run: &Run, out: &Path) -> Result<Child> {
    let program: PathBuf = std::env::current_exe().map_err(failed("find", "pxelator"))?;
    let mut command = inside(run, &program);
    command.arg("serve");
    command.arg("--out").arg(out);
    for (flag, folder) in [("--state", "state"), ("--assets", "assets")] {
        command.arg(flag).arg(run.folder.join(folder));
    }
    command.env("PXELATOR_LOG", "info");
    command.spawn().map_err(failed("run", program))
}

//! VMs over a snapshot and containers over a base: real disks, real QEMU, in namespaces that end with the test.

mod boots;
mod containers;
mod files;
mod mistakes;
mod prepare;
mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pxelator::lab::assets;

use crate::harness::{Folder, PROGRAM, ROOT, Run, have, tool};

/// What a command, and a script within the namespaces, may take, in seconds.
const RUN_SECS: &str = "300";
const SCRIPT_SECS: &str = "900";

/// A machine that runs VMs: a site of five, and one that does not hear its power button.
pub(crate) struct House {
    pub(crate) folder: Folder,
}

impl House {
    /// A house whose snapshot is a disk that starts by itself.
    pub(crate) fn with_golden() -> Option<House> {
        let needs =
            ["root", "qemu-storage-daemon", "qemu-img", "syslinux", "mcopy", "mkfs.vfat", "sfdisk", "modprobe", "unshare"];
        if !have(&needs) {
            return None;
        }
        let cache = assets::cache();
        if !assets::is_ready(&cache) {
            assets::init(&cache, &mut |_| {}).unwrap();
        }
        let house = House::new();
        let golden = format!("{ROOT}/tests/vm/golden.sh");
        let udhcpc = format!("{ROOT}/src/lab/guest/udhcpc.script");
        tool("sh", &[&golden, &cache.to_string_lossy(), &house.path("golden").to_string_lossy(), &udhcpc]);
        Some(house)
    }

    /// The same without a disk.
    pub(crate) fn new() -> House {
        let house = House { folder: Folder::new() };
        fs::create_dir_all(house.path("golden")).unwrap();
        house.build("golden.qcow2", "qcow2");
        house
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.0.join(path)
    }

    pub(crate) fn build(&self, file: &str, format: &str) {
        let here = self.folder.0.display();
        let site = format!(
            r#"site lab domain="lab.example"
network lan "10.77.0.0/24" server=2 dns=2 {{
    repeat n 1 5 {{ vm "ci-{{n}}" "{{40+n}}" "52:54:00:77:00:{{n:02x}}" from=golden memory="128M" }}
    vm deaf 50 "52:54:00:77:00:32" from=golden memory="128M"
    vm box-1 60 "52:54:00:77:00:3c" base="debian-12"
}}
snapshot golden "{here}/golden/{file}" format={format}
nfs "{here}/nfs" {{ base "debian-12" }}
"#
        );
        fs::write(self.path("site.kdl"), site).unwrap();
        self.folder.run(&["build"]).ended(0);
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let state = self.path("state");
        // Nothing hangs a test, whatever the kernel does.
        let mut command = Command::new("timeout");
        command.args(["-k", "5", RUN_SECS, PROGRAM, "vm"]).args(args).arg("--state").arg(state).current_dir(&self.folder.0);
        Run(command.output().unwrap())
    }

    /// Runs a script in namespaces of its own: mounts, network and processes end with it. `$P` is the program.
    pub(crate) fn inside(&self, script: &str) -> Run {
        // KVM is not asked, for it may be there and start no kernel. QEMU's own folder is another one here.
        let before = "mount -t tmpfs tmpfs /etc/qemu\n[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm\nip link set lo up\n";
        fs::create_dir_all("/etc/qemu").unwrap();
        let mut command = Command::new("timeout");
        command.args(["-k", "5", SCRIPT_SECS, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["--propagation", "private", "sh", "-euc", &format!("{before}{script}")]);
        command.current_dir(&self.folder.0).env("P", PROGRAM).stdin(Stdio::null());
        Run(command.output().unwrap())
    }

    pub(crate) fn sum(&self, file: &str) -> String {
        tool("sha256sum", &[&self.path("golden").join(file).to_string_lossy()])
    }

    /// Nothing counts as prepared, nothing is half made, nothing is mounted or held.
    pub(crate) fn has_nothing_of(&self, vm: &str) {
        let left: Vec<_> =
            names(&self.path("state/vm")).into_iter().filter(|name| name.contains(vm) && !name.ends_with(".lock")).collect();
        assert_eq!(left, [] as [String; 0]);
        self.holds_nothing();
    }

    pub(crate) fn holds_nothing(&self) {
        let here = format!("{}/", self.folder.0.display());
        assert!(!tool("cat", &["/proc/self/mountinfo"]).contains(&here), "something is mounted");
        let running = tool("ps", &["-eo", "args"]);
        assert!(!running.lines().any(|line| line.contains("qemu-storage-daemon") && line.contains(&here)), "{running}");
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The files of an ext4 disk, read without mounting it.
pub(crate) fn read_root(image: &Path, work: &Path, path: &str) -> String {
    let (raw, root) = (work.join("read.raw"), work.join("read.root"));
    tool("qemu-img", &["convert", "-q", "-O", "raw", &image.to_string_lossy(), &raw.to_string_lossy()]);
    tool(
        "dd",
        &[
            &format!("if={}", raw.display()),
            &format!("of={}", root.display()),
            "bs=1048576",
            "skip=33",
            "count=38",
            "status=none",
        ],
    );
    tool("e2fsck", &["-fn", &root.to_string_lossy()]);
    tool("debugfs", &["-R", &format!("cat {path}"), &root.to_string_lossy()])
}

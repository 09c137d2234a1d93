//! Machines that really boot: `pxelator lab`, its verdicts, and that nothing is left of it.

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::harness::{Folder, PROGRAM, files, have, tool, until_true};

/// One machine at a time: two cores, and the timings are worth reading.
pub(crate) fn turn() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    have(&["root", "qemu-system-x86_64", "ip", "cpio", "depmod", "apt-get"])
        .then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

fn namespaces() -> Vec<String> {
    let list = tool("ip", &["netns", "list"]);
    list.lines().filter_map(|line| line.split(' ').next()).filter(|name| name.starts_with("pxlab-")).map(str::to_owned).collect()
}

fn pids_in(namespace: &str) -> Vec<String> {
    tool("ip", &["netns", "pids", namespace]).split_whitespace().map(str::to_owned).collect()
}

/// Starts a boot that would take long, and waits until the machine runs.
fn start_boot(folder: &Folder) -> (Child, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["lab", "boot", "pc-07", "--until", "never said"]).current_dir(&folder.0);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let namespace = format!("pxlab-{}", child.id());
    let deadline = Instant::now() + Duration::from_secs(400);
    loop {
        let running = namespaces().contains(&namespace) && pids_in(&namespace).len() >= 2;
        if running && tool("ps", &["-eo", "args"]).contains("qemu-system-x86_64 -M pc") {
            return (child, namespace);
        }
        let ended = child.try_wait().unwrap();
        if Instant::now() > deadline || ended.is_some() {
            let _gone_already = child.kill();
            child.wait().unwrap();
            panic!("the machine never started: {ended:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_bios_machine_boots_through_pxelinux_to_its_own_name_and_address() {
    let Some(_turn) = turn() else { return };
    let folder = Folder::with_example();
    let before = files(&folder.0);
    let run = folder.run(&["lab", "boot", "pc-07", "--timeout", "6m"]).ended(0);
    let marker =
        "PXELATOR-LAB host=pc-07 domain=lab.example address=10.77.0.27 dns=10.77.0.27 ptr=pc-07.lab.example profile=workstation";
    assert!(run.out().lines().any(|line| line == marker), "{}", run.out());
    for said in [
        "TFTP pxelinux.0",
        "TFTP pxelinux.cfg/01-a0-36-9f-00-00-1b",
        "TFTP debian-12/vmlinuz",
        "DHCP grants 10.77.0.27",
        "debian-12/vmlinuz: the lab's vmlinuz in place of the site's",
        "pc-07 booted by bios in",
    ] {
        assert!(run.err().contains(said), "{said} in\n{}", run.err());
    }
    assert!(files(&folder.0) == before, "neither out/ nor assets.lock is touched");
    eprintln!("{}", run.err());
}

#[test]
fn a_uefi_machine_boots_through_ipxe_and_http() {
    let Some(_turn) = turn() else { return };
    let run = Folder::with_example().run(&["lab", "boot", "kiosk-02", "--firmware", "efi64", "--timeout", "6m"]).ended(0);
    assert!(run.out().contains(
        "PXELATOR-LAB host=kiosk-02 domain=lab.example address=10.77.0.12 dns=10.77.0.12 ptr=kiosk-02.lab.example profile=kiosk"
    ));
    assert!(
        run.err().contains("HTTP ipxe/54-b2-03-00-00-0c") && run.err().contains("HTTP debian-12/initrd.img"),
        "{}",
        run.err()
    );
    eprintln!("{}", run.err());
}

#[test]
fn a_machine_of_the_pool_boots_the_pools_profile_in_its_network() {
    let Some(_turn) = turn() else { return };
    let run = Folder::with_example()
        .run(&["lab", "boot", "02:00:00:00:00:01", "--until", "PXELATOR-LAB host=", "--timeout", "6m"])
        .ended(0);
    assert!(run.out().contains("profile=workstation"), "the classroom's pool comes first: {}", run.out());
}

#[test]
fn a_timeout_and_a_signal_end_it_and_leave_nothing() {
    let Some(_turn) = turn() else { return };
    let folder = Folder::with_example();
    let run = folder.run(&["lab", "boot", "pc-07", "--until", "never said", "--timeout", "2s"]).ended(1);
    assert!(run.err().contains("no line matched never said within 2 s"), "{}", run.err());
    assert_eq!(namespaces(), [] as [String; 0]);
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (mut child, namespace) = start_boot(&folder);
        tool("kill", &[signal, &child.id().to_string()]);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(!namespaces().contains(&namespace), "{signal}");
    }
}

#[test]
fn after_a_kill_nothing_runs_on_and_the_next_run_clears_the_rest() {
    let Some(_turn) = turn() else { return };
    let folder = Folder::with_example();
    let (mut child, namespace) = start_boot(&folder);
    child.kill().unwrap();
    child.wait().unwrap();
    until_true("nothing of it runs", || pids_in(&namespace).is_empty());
    assert!(namespaces().contains(&namespace), "the dead run left its namespace");
    folder.run(&["lab", "boot", "pc-07", "--until", "never said", "--timeout", "1s"]).ended(1);
    assert_eq!(namespaces(), [] as [String; 0]);
    assert!(!std::path::Path::new("/run/pxelator-lab").join(namespace.trim_start_matches("pxlab-")).exists());
}

#[test]
fn what_cannot_boot_is_said_before_anything_starts() {
    let Some(_turn) = turn() else { return };
    let folder = Folder::with_example();
    assert!(folder.run(&["lab", "boot", "pc-77"]).ended(2).err().contains("no host `pc-77`"));
    assert!(folder.run(&["lab", "boot", "boot"]).ended(2).err().contains("is the boot server itself"));
    assert!(folder.run(&["lab", "boot", "pc-08"]).ended(2).err().contains("starts from its own disk"));
    assert!(folder.run(&["lab", "boot", "pc-07", "--timeout", "soon"]).ended(2).err().contains("60s"));
    std::fs::write(folder.0.join("site.kdl"), "site\n").unwrap();
    assert!(folder.run(&["lab", "boot", "pc-07"]).ended(2).err().contains("`pxelator check` shows them"));
    assert_eq!(namespaces(), [] as [String; 0]);
}

/// What the machine does to its root; the base is the lab's own (src/lab/assets.rs).
const LAB_SH: &str = r#"#!/bin/sh
set -e
[ "$(cat /etc/motd)" = "Welcome to kiosk" ]
if [ "$(hostname)" = kiosk-01 ]; then
  echo new >/etc/new.conf
  mkdir -p /var/data/deep
  echo x >/var/data/deep/file
  echo changed >>/etc/hosts
  chmod 0600 /etc/issue
  mv /etc/hostname /etc/hostname.bak
  rm /srv/www/old.html
  rm -r /var/log
  touch /bin/busybox
  ln -s /etc/motd /etc/link
else
  [ ! -e /etc/new.conf ] && [ -e /srv/www/old.html ] && grep -q base /etc/hostname && ! grep -q changed /etc/hosts
fi
"#;

#[test]
fn machines_boot_into_writable_unions_and_their_changes_are_listed() {
    if !have(&["ganesha.nfsd"]) {
        return;
    }
    let Some(_turn) = turn() else { return };
    let folder = Folder::with(
        r#"site lab domain="lab.example"
assets "/srv/boot"
network lan "10.77.0.0/24" server=2 dns=2 profile=kiosk {
    host kiosk-01 11 "54:b2:03:00:00:0b"
    host kiosk-02 12 "54:b2:03:00:00:0c"
}
profile kiosk { kernel "debian-12/vmlinuz"; initrd "debian-12/initrd.img"; cmdline "console=ttyS0"; root overlay=kiosk }
nfs "/srv/nfs" {
    base "debian-12"
    overlay kiosk over="debian-12" {
        file "/etc/motd" from="motd.tera"
        file "/etc/lab.sh" from="lab.sh" mode="0755"
    }
}
// file: motd.tera
Welcome to {{ overlay }}
"#,
    );
    std::fs::write(folder.0.join("lab.sh"), LAB_SH).unwrap();
    let boot = |host: &str| folder.run(&["lab", "boot", host, "--nfs", "kept", "--timeout", "6m"]).ended(0);
    let first = boot("kiosk-01");
    let marker = format!("profile=- root=10.77.0.2:{}/root/kiosk-01", folder.0.canonicalize().unwrap().join("kept").display());
    assert!(first.out().contains(&marker), "{}", first.out());
    assert!(boot("kiosk-02").out().contains("PXELATOR-LAB host=kiosk-02"), "the second machine found its base as it was");
    let changes = |host: &str| folder.run(&["changes", host, "--out", "kept/out"]).ended(0).out();
    assert_eq!(
        changes("kiosk-01"),
        "deleted  /etc/hostname
added    /etc/hostname.bak
changed  /etc/hosts (content)
changed  /etc/issue (mode 0644 → 0600)
added    /etc/link
added    /etc/new.conf
deleted  /srv/www/old.html
added    /var/data/
added    /var/data/deep/
added    /var/data/deep/file
deleted  /var/log/
"
    );
    assert_eq!(changes("kiosk-02"), "");
    assert!(!tool("cat", &["/proc/self/mountinfo"]).contains("pxelator-kiosk"), "the unions went with the run");
    eprintln!("{}", first.err());
}

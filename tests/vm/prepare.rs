//! Disks over a snapshot: made whole or not at all, and nothing outside of them is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::{House, names, read_root};
use crate::harness::{PROGRAM, have, tool, until};

#[test]
fn a_vm_is_prepared_once_and_its_identity_stays() {
    let Some(house) = House::with_golden() else { return };
    let before = house.sum("golden.qcow2");
    assert_eq!(house.run(&["prepare", "ci-1"]).ended(0).out(), "ci-1: prepared over golden\n");
    let state = || crate::harness::files(&house.path("state/vm/ci-1"));
    let first = state();
    assert_eq!(house.run(&["prepare", "ci-1"]).ended(0).out(), "ci-1: prepared already, and left alone\n");
    assert!(state() == first);
    let read = |path: &str| read_root(&house.path("state/vm/ci-1/disk.qcow2"), &house.folder.0, path);
    assert_eq!(read("/etc/hostname"), "ci-1\n");
    assert_eq!(read("/etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 ci-1.lab.example ci-1\n");
    let id = read("/etc/machine-id");
    assert!(id.len() == 33 && id.trim().bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(read("/var/lib/dbus/machine-id"), id);
    assert_eq!(read("/var/lib/systemd/random-seed"), "", "two machines with one seed draw the same numbers");
    assert_eq!(
        read("/sbin/init"),
        fs::read_to_string(house.path("golden/root/sbin/init")).unwrap(),
        "the rest is the snapshot's"
    );
    // libvirt's QEMU is another user: it passes through to the disk, and the keys are nobody else's.
    for (path, mode) in [("", 0o711), ("/ci-1", 0o711), ("/ci-1/disk.qcow2", 0o600), ("/ci-1/identity", 0o700)] {
        let is = fs::metadata(house.path(&format!("state/vm{path}"))).unwrap().permissions().mode();
        assert_eq!(is & 0o777, mode, "{path}");
    }
    assert_eq!(house.sum("golden.qcow2"), before);
    house.holds_nothing();
    // The site says another disk now.
    fs::copy(house.path("golden/golden.qcow2"), house.path("golden/newer.qcow2")).unwrap();
    house.build("newer.qcow2", "qcow2");
    let refused = house.run(&["prepare", "ci-1"]).ended(1).err();
    assert!(refused.contains("golden.qcow2, and the site says") && refused.contains("`pxelator vm delete ci-1`"), "{refused}");
    assert!(state() == first);
}

#[test]
fn a_disk_without_partitions_and_in_raw_is_a_snapshot_too() {
    let Some(house) = House::with_golden() else { return };
    house.build("root.img", "raw");
    fs::copy(house.path("golden/root.img"), house.path("root.img")).unwrap();
    fs::rename(house.path("root.img"), house.path("golden/root.img")).unwrap();
    let before = house.sum("root.img");
    house.run(&["prepare", "ci-3"]).ended(0);
    let raw = house.path("whole.raw");
    tool(
        "qemu-img",
        &["convert", "-q", "-O", "raw", &house.path("state/vm/ci-3/disk.qcow2").to_string_lossy(), &raw.to_string_lossy()],
    );
    assert_eq!(tool("debugfs", &["-R", "cat /etc/hostname", &raw.to_string_lossy()]), "ci-3\n");
    assert_eq!(house.sum("root.img"), before);
}

/// The next prepare after one that was killed: the lock goes when the last of its children is gone.
fn prepared(house: &House) -> String {
    until("ci-1 is prepared", || {
        let run = house.run(&["prepare", "ci-1"]);
        if run.err().contains("another `pxelator vm` works on it") { None } else { Some(run.ended(0).out()) }
    })
}

#[test]
fn a_prepare_that_is_killed_leaves_nothing_and_the_next_one_works() {
    let Some(house) = House::with_golden() else { return };
    // Keys take long here, so that the disk is half written when the end comes.
    let slow = house.path("slow");
    fs::create_dir_all(&slow).unwrap();
    fs::write(slow.join("ssh-keygen"), format!("#!/bin/sh\n: >{}\nsleep 60\n", house.path("begun").display())).unwrap();
    fs::set_permissions(slow.join("ssh-keygen"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", slow.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(PROGRAM);
    command.args(["vm", "prepare", "ci-1", "--state", "state"]).current_dir(&house.folder.0).env("PATH", path);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it makes the keys", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        house.path("begun").exists().then_some(())
    });
    let busy = house.run(&["prepare", "ci-1"]).ended(1).err();
    assert_eq!(busy, "error: ci-1: another `pxelator vm` works on it: wait until that has ended\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!house.path("state/vm/ci-1").exists(), "what is not whole does not count");
    assert_eq!(prepared(&house), "ci-1: prepared over golden\n");
    assert_eq!(names(&house.path("state/vm")).len(), 2, "the disk and its lock: {:?}", names(&house.path("state/vm")));
    house.holds_nothing();
}

#[test]
fn a_prepare_may_be_killed_at_any_moment() {
    let Some(house) = House::with_golden() else { return };
    let before = house.sum("golden.qcow2");
    for at_millis in [20, 80, 150, 250, 400, 600, 900, 1300] {
        let mut command = Command::new("timeout");
        command.args([
            "--signal=KILL",
            &format!("{}.{:03}", at_millis / 1000, at_millis % 1000),
            PROGRAM,
            "vm",
            "prepare",
            "ci-1",
        ]);
        command.args(["--state", "state"]).current_dir(&house.folder.0).stdin(Stdio::null());
        command.output().unwrap();
        let next = prepared(&house);
        assert!(next.starts_with("ci-1: prepared"), "{at_millis} ms: {next}");
        assert_eq!(
            read_root(&house.path("state/vm/ci-1/disk.qcow2"), &house.folder.0, "/etc/hostname"),
            "ci-1\n",
            "{at_millis} ms"
        );
        house.run(&["delete", "ci-1"]).ended(0);
    }
    house.holds_nothing();
    assert_eq!(house.sum("golden.qcow2"), before);
}

#[test]
fn links_in_a_snapshot_lead_nowhere_else() {
    let Some(house) = House::with_golden() else { return };
    let canary = house.path("canary");
    fs::create_dir_all(&canary).unwrap();
    for name in ["name", "hosts", "ssh_host_ed25519_key"] {
        fs::write(canary.join(name), "untouched\n").unwrap();
    }
    let root = house.path("golden/root");
    for (link, to) in [("etc/hostname", "name"), ("etc/hosts", "hosts"), ("etc/ssh", ".")] {
        let link = root.join(link);
        if link.is_dir() {
            fs::remove_dir_all(&link).unwrap()
        } else {
            fs::remove_file(&link).unwrap()
        }
        symlink(canary.join(to), &link).unwrap();
    }
    let image = house.path("golden/evil.img");
    tool("truncate", &["-s", "38M", &image.to_string_lossy()]);
    tool("mke2fs", &["-q", "-t", "ext4", "-d", &root.to_string_lossy(), &image.to_string_lossy()]);
    house.build("evil.img", "raw");
    house.run(&["prepare", "ci-1"]).ended(0);
    for name in ["name", "hosts", "ssh_host_ed25519_key"] {
        assert_eq!(fs::read_to_string(canary.join(name)).unwrap(), "untouched\n", "{name}");
    }
    assert_eq!(names(&canary).len(), 3);
    house.holds_nothing();
}

#[test]
fn a_snapshot_that_somebody_writes_to_is_refused() {
    if !have(&["qemu-io"]) {
        return;
    }
    let Some(house) = House::with_golden() else { return };
    let file = house.path("golden/golden.qcow2");
    let mut writer =
        Command::new("qemu-io").args(["-f", "qcow2", "-c", "sleep 200000"]).arg(&file).stdout(Stdio::null()).spawn().unwrap();
    let said = until("the writer has opened it", || {
        let run = house.run(&["prepare", "ci-1"]);
        if run.code() == 0 {
            house.run(&["delete", "ci-1"]).ended(0);
            return None;
        }
        Some(run.ended(1).err())
    });
    let _gone_already = writer.kill();
    writer.wait().unwrap();
    assert!(said.contains("Is another process using the image"), "{said}");
    house.has_nothing_of("ci-1");
    house.run(&["prepare", "ci-1"]).ended(0);
}

#[test]
fn a_full_disk_is_told_before_anything_is_made() {
    let Some(house) = House::with_golden() else { return };
    let run = house.inside("mkdir -p state && mount -t tmpfs -o size=16m tmpfs state\nls -A state/vm 2>/dev/null || true\n$P vm prepare ci-1 --state state || echo \"exit $?\"\nls -A state/vm");
    let run = run.ended(0);
    assert!(run.err().contains("MiB left, and preparing needs 64: make room"), "{}", run.err());
    assert_eq!(run.out(), "exit 1\n.ci-1.lock\n");
}

#[test]
fn lines_of_hosts_give_no_old_address_and_no_localhost_to_a_vm() {
    let Some(house) = House::with_golden() else { return };
    house.build("other.img", "raw");
    let (root, image) = (house.path("golden/root"), house.path("golden/other.img"));
    for (name, hosts, expected) in [
        (
            "golden",
            "127.0.0.1 localhost\n10.0.0.5 golden.old golden db\n::1 golden\n",
            "127.0.0.1 localhost\n127.0.1.1 ci-1.lab.example ci-1 db\n::1 ci-1\n",
        ),
        ("localhost", "127.0.0.1 localhost localhost.localdomain\n", "127.0.0.1 localhost localhost.localdomain\n"),
    ] {
        fs::write(root.join("etc/hostname"), format!("{name}\n")).unwrap();
        fs::write(root.join("etc/hosts"), hosts).unwrap();
        let _none_yet = fs::remove_file(&image);
        tool("truncate", &["-s", "38M", &image.to_string_lossy()]);
        tool("mke2fs", &["-q", "-t", "ext4", "-d", &root.to_string_lossy(), &image.to_string_lossy()]);
        house.run(&["prepare", "ci-1"]).ended(0);
        let raw = house.path("whole.raw");
        let disk = house.path("state/vm/ci-1/disk.qcow2");
        tool("qemu-img", &["convert", "-q", "-O", "raw", &disk.to_string_lossy(), &raw.to_string_lossy()]);
        assert_eq!(tool("debugfs", &["-R", "cat /etc/hosts", &raw.to_string_lossy()]), expected);
        house.run(&["delete", "ci-1"]).ended(0);
    }
}

#[test]
fn a_disk_that_grows_full_meanwhile_is_told_and_the_snapshot_is_not_accused() {
    let Some(house) = House::with_golden() else { return };
    let script = r#"
mkdir state bin
mount -t tmpfs -o size=80m tmpfs state
printf '#!/bin/sh\ndd if=/dev/zero of=%s/state/fill bs=64k 2>/dev/null\nexec /usr/bin/ssh-keygen "$@"\n' "$PWD" >bin/ssh-keygen
chmod 755 bin/ssh-keygen
PATH=$PWD/bin:$PATH $P vm prepare ci-1 --state state || echo "exit $?"
ls -A state/vm
"#;
    let run = house.inside(script).ended(0);
    assert!(run.err().ends_with("/state/vm has 0 MiB left, and preparing needs 64: make room\n"), "{}", run.err());
    assert_eq!(run.out(), "exit 1\n.ci-1.lock\n");
}

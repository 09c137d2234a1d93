//! Containers over a base: an identity in a folder of their own, and systemd, which alone can run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::House;
use crate::harness::{files, have, tool};

fn with_base() -> Option<House> {
    if !have(&["root", "ssh-keygen", "unshare", "setpriv"]) {
        return None;
    }
    let house = House::new();
    let base = house.path("nfs/base/debian-12");
    for folder in ["etc/ssh", "usr/bin", "bin", "proc", "sys", "dev", "run", "tmp", "var", "root"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    fs::write(base.join("etc/hostname"), "base\n").unwrap();
    fs::write(
        base.join("etc/hosts"),
        "127.0.0.1 localhost\n127.0.1.1 base.old.example base\n10.0.0.9 basement\n10.0.0.8 base db\n",
    )
    .unwrap();
    fs::write(base.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::create_dir_all(base.join("var/lib/dbus")).unwrap();
    fs::copy(base.join("etc/machine-id"), base.join("var/lib/dbus/machine-id")).unwrap();
    fs::write(base.join("etc/os-release"), "ID=test\n").unwrap();
    fs::write(base.join("etc/ssh/ssh_host_ecdsa_key"), "old\n").unwrap();
    fs::copy("/bin/busybox", base.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", base.join("bin/sh")).unwrap();
    Some(house)
}

#[test]
fn a_container_gets_an_identity_and_the_base_stays_as_it_is() {
    let Some(house) = with_base() else { return };
    let before = files(&house.path("nfs/base"));
    assert_eq!(house.run(&["prepare", "box-1"]).ended(0).out(), "box-1: prepared over debian-12\n");
    assert_eq!(house.run(&["prepare", "box-1"]).ended(0).out(), "box-1: prepared already, and left alone\n");
    assert!(files(&house.path("nfs/base")) == before);
    let upper = house.path("nfs/vm/box-1/upper");
    let read = |path: &str| fs::read_to_string(upper.join(path)).unwrap();
    assert_eq!(read("etc/hostname"), "box-1\n");
    assert_eq!(
        read("etc/hosts"),
        "127.0.0.1 localhost\n127.0.1.1 box-1.lab.example box-1\n10.0.0.9 basement\n127.0.1.1 box-1 db\n"
    );
    assert_eq!(read("var/lib/dbus/machine-id"), read("etc/machine-id"));
    assert!(read("etc/machine-id").trim().len() == 32 && read("etc/machine-id") != "0123456789abcdef0123456789abcdef\n");
    assert!(read("etc/systemd/network/10-pxelator.network").contains("MACAddress=52:54:00:77:00:3c"));
    let key = upper.join("etc/ssh/ssh_host_ecdsa_key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(tool("ssh-keygen", &["-l", "-f", &key.to_string_lossy()]).contains("root@box-1"));
    assert!(!upper.join("etc/ssh/ssh_host_ed25519_key").exists(), "the kinds are those of the base");
    // The unit's own options, as systemd would mount it.
    let unit = super::names(&house.path("out/vm")).into_iter().find(|name| name.ends_with(".mount")).unwrap();
    let unit = fs::read_to_string(house.path("out/vm").join(unit)).unwrap();
    let options = unit.lines().find_map(|line| line.strip_prefix("Options=")).unwrap();
    let script = format!(
        "mkdir joined\nmount -t overlay overlay -o {options} joined\ncat joined/etc/hostname joined/etc/os-release\nchroot joined /bin/busybox sh -c 'echo changed >/etc/new; busybox cat /etc/machine-id'"
    );
    let joined = house.inside(&script).ended(0).out();
    assert_eq!(joined, format!("box-1\nID=test\n{}", read("etc/machine-id")));
    assert!(files(&house.path("nfs/base")) == before && upper.join("etc/new").exists());
    assert!(house.run(&["delete", "box-1"]).ended(0).out().contains("deleted"));
    assert!(!house.path("nfs/vm/box-1").exists());
}

#[test]
fn a_container_is_started_by_systemd_alone_and_its_base_must_be_there() {
    let house = House::new();
    if !have(&["root"]) {
        return;
    }
    let missing = house.run(&["prepare", "box-1"]).ended(1).err();
    let folder = house.path("nfs/base/debian-12");
    let folder = folder.display();
    assert_eq!(
        missing,
        format!("error: box-1: {folder} is no system (it is missing): put the files of base `debian-12` there\n")
    );
    assert!(!house.path("nfs").exists());
    let Some(house) = with_base() else { return };
    assert_eq!(
        house.run(&["start", "box-1"]).ended(1).err(),
        "error: box-1 is not prepared: run `pxelator vm prepare box-1` first\n"
    );
    house.run(&["prepare", "box-1"]).ended(0);
    if !std::path::Path::new("/run/systemd/system").exists() {
        assert_eq!(
            house.run(&["start", "box-1"]).ended(1).err(),
            "error: box-1 is a container, and systemd does not run here: start it on a machine that systemd runs (`machinectl start box-1`)\n"
        );
        assert_eq!(house.run(&["stop", "box-1"]).ended(0).out(), "box-1: does not run\n");
    }
}

//! The files for libvirt and systemd, held against the programs that read them.

use std::fs;
use std::process::Command;

use super::House;
use crate::harness::{have, tool};

#[test]
fn libvirt_and_systemd_read_what_was_built() {
    if !have(&["virt-xml-validate", "systemd-analyze"]) {
        return;
    }
    let house = House::new();
    let vm = |name: &str| house.path("out/vm").join(name).to_string_lossy().into_owned();
    tool("virt-xml-validate", &[&vm("ci-1.xml"), "domain"]);
    let units = [vm("pxelator-vm-ci-1.service"), vm(&mount_unit(&house))];
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // It reads units of this machine too, which are not ours.
    let about_ours = said.lines().any(|line| line.contains("pxelator") || line.contains("box"));
    assert!(output.status.success() && !about_ours, "{said}");
    let escaped = tool("systemd-escape", &["--path", "--suffix=mount", "/var/lib/machines/box-1"]);
    assert_eq!(mount_unit(&house), escaped.trim());
}

fn mount_unit(house: &House) -> String {
    super::names(&house.path("out/vm")).into_iter().find(|name| name.ends_with(".mount")).unwrap()
}

#[test]
fn the_unit_and_vm_start_have_one_command_line() {
    let house = House::new();
    let unit = fs::read_to_string(house.path("out/vm/pxelator-vm-ci-1.service")).unwrap();
    let unit = unit.replace("\\\n", "");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let by_unit = words(unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap());
    let by_hand = house.folder.run(&["vm", "start", "ci-1", "--dry-run"]).ended(0).out();
    let by_hand = words(&by_hand);
    assert_eq!(by_hand.last().unwrap(), "-daemonize");
    assert_eq!(by_hand[..by_hand.len() - 1], by_unit);
}

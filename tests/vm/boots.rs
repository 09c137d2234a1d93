//! VMs that boot, side by side and in the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::House;
use crate::lab::turn;

const FIVE: &str = r#"
ip link add br0 type bridge stp_state 0 forward_delay 0
ip addr add 10.77.0.2/24 dev br0
ip link set br0 up
echo allow br0 >/etc/qemu/bridge.conf
mkdir -p assets
$P serve --out out --state serving --assets assets >serve.log 2>&1 &
pids=
for vm in ci-1 ci-2 ci-3 ci-4 ci-5; do $P vm prepare $vm --state state & pids="$pids $!"; done
for pid in $pids; do wait $pid; done
$P vm prepare deaf --state state
pids=
for vm in ci-1 ci-2 ci-3 ci-4 ci-5; do $P vm start $vm --state state & pids="$pids $!"; done
for pid in $pids; do wait $pid; done
$P vm start deaf --state state
tries=0
# A whole line ends as a serial line does.
until [ "$(cat state/vm/*/serial.log | grep -c "VM-REPORT.*$(printf '\r')")" = 6 ]; do
  tries=$((tries + 1)); [ $tries -lt 400 ] || break; sleep 1
done
grep -h -o 'VM-REPORT.*' state/vm/*/serial.log | tr -d '\r'
$P vm list --state state
echo "again: $($P vm start ci-1 --state state 2>&1)"
echo "delete: $($P vm delete ci-1 --state state 2>&1)"
# As the unit does it: without a site.
(cd / && $P vm stop ci-1 ci-2 ci-3 ci-4 ci-5 --wait 2m --state "$OLDPWD/state")
$P vm stop deaf --wait 1s --state state
$P vm stop deaf --wait 1s --state state
"#;

/// `name=value` of a report.
fn facts(line: &str) -> BTreeMap<&str, &str> {
    line.split_whitespace().filter_map(|word| word.split_once('=')).collect()
}

#[test]
fn five_vms_of_one_snapshot_boot_side_by_side_each_with_an_identity_of_its_own() {
    let Some(_turn) = turn() else { return };
    let Some(house) = House::with_golden() else { return };
    let before = house.sum("golden.qcow2");
    let begun = std::time::Instant::now();
    let run = house.inside(FIVE).ended(0);
    eprintln!("six VMs, from prepare to stop: {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(house.sum("golden.qcow2"), before, "the snapshot is as it was");
    let out = run.out();
    let reports: Vec<_> = out.lines().filter(|line| line.starts_with("VM-REPORT")).map(facts).collect();
    assert_eq!(reports.len(), 6, "{out}");
    for n in 1..=5 {
        let name = format!("ci-{n}");
        let own = reports.iter().find(|report| report["name"] == name).unwrap_or_else(|| panic!("{name}: {out}"));
        assert_eq!(own["told"], name, "DHCP knows it by its MAC");
        assert_eq!(
            (own["address"], own["mac"]),
            (format!("10.77.0.{}", 40 + n).as_str(), format!("52:54:00:77:00:0{n}").as_str())
        );
        assert_eq!(own["hosts"], format!("127.0.1.1,{name}.lab.example,{name}"));
        assert_eq!(own["id"], own["dbus"]);
        let identity = house.path(&format!("state/vm/{name}/identity"));
        assert_eq!(own["id"], fs::read_to_string(identity.join("machine-id")).unwrap().trim());
        for kind in ["ed25519", "ecdsa"] {
            let public = fs::read_to_string(identity.join(format!("ssh_host_{kind}_key.pub"))).unwrap();
            assert_eq!(own[kind], public.split(' ').nth(1).unwrap());
        }
    }
    for fact in ["name", "address", "mac", "id", "ed25519", "ecdsa"] {
        let all: BTreeSet<&str> = reports.iter().map(|report| report[fact]).collect();
        assert_eq!(all.len(), 6, "{fact}: {all:?}");
        assert!(!all.contains("golden") && !all.contains("0123456789abcdef0123456789abcdef"));
    }
    for said in [
        "ci-5             10.77.0.45      from golden          runs",
        "box-1            10.77.0.60      over debian-12       not prepared",
        "again: error: ci-1 runs already",
        "delete: error: ci-1 runs: `pxelator vm stop ci-1` first",
        "ci-1: turned itself off",
        "ci-5: turned itself off",
        "deaf: did not turn itself off within 1 s, and lost its power",
        "deaf: does not run",
    ] {
        assert!(out.lines().any(|line| line == said), "{said} in\n{out}");
    }
    house.holds_nothing();
    assert!(house.run(&["delete", "ci-1"]).ended(0).out().contains("ci-1: deleted, with all that it changed"));
    house.has_nothing_of("ci-1");
    assert!(house.run(&["delete", "ci-1"]).ended(0).out().contains("nothing to delete"));
}

#[test]
fn the_lab_boots_a_vm_with_its_new_name_and_address() {
    let Some(_turn) = turn() else { return };
    let Some(house) = House::with_golden() else { return };
    let before = house.sum("golden.qcow2");
    let marker = "VM-REPORT name=ci-2 told=ci-2 address=10\\.77\\.0\\.42 mac=52:54:00:77:00:02 ";
    let run = house.folder.run(&["lab", "boot", "ci-2", "--until", marker, "--timeout", "5m"]).ended(0);
    assert!(run.err().contains("golden.qcow2, with an identity of its own"), "{}", run.err());
    let run = house.folder.run(&["lab", "boot", "ci-1", "--timeout", "5m"]).ended(0);
    assert!(run.err().contains("DHCP grants 10.77.0.41") && run.err().contains("ci-1 booted by bios in"), "{}", run.err());
    assert_eq!(house.sum("golden.qcow2"), before);
    let refused = house.folder.run(&["lab", "boot", "box-1"]).ended(2).err();
    assert!(refused.contains("`box-1` is a container: systemd starts it, and the lab has none"), "{refused}");
    house.holds_nothing();
}

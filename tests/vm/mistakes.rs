//! What an administrator does wrong first: the error names the thing and the mend, and nothing is half done.

use std::fs;

use super::House;
use crate::harness::ROOT;

const SITE: &str = r#"site lab domain="lab.example"
network lan "10.77.0.0/24" server=2 dns=2 {
    vm ci-1 40 "52:54:00:77:00:28" from=golden
}
snapshot golden "/srv/vm/golden.qcow2"
"#;

#[test]
fn the_first_mistakes_are_told_as_the_manual_says() {
    let Some(house) = House::with_golden() else { return };
    fs::write(house.path("site.kdl"), SITE).unwrap();
    house.folder.run(&["build"]).ended(0);
    let script = r#"
mount -t tmpfs tmpfs /srv
mkdir /srv/vm
try() { echo "$ pxelator vm $*"; $P vm "$@" --state state 2>&1 || true; }
try prepare ci-1
qemu-img create -q -f raw /srv/vm/golden.qcow2 8M
try prepare ci-1
qemu-img create -q -f qcow2 /srv/vm/golden.qcow2 8M
try prepare ci-1
find state/vm
try start ci-1
cp golden/golden.qcow2 /srv/vm/golden.qcow2
try prepare ci-1
try start ci-1
ip link add br0 type bridge
try start ci-1
rm /srv/vm/golden.qcow2
try start ci-1
try stop ci-1
try start ci-11
"#;
    let said = house.inside(script).ended(0).out();
    let expected = "$ pxelator vm prepare ci-1
error: ci-1: its snapshot /srv/vm/golden.qcow2 is missing: put the disk there, or correct `snapshot golden` in the site
$ pxelator vm prepare ci-1
error: ci-1: /srv/vm/golden.qcow2 is a disk in another format than qcow2, and the site says format=qcow2: correct `snapshot golden` in the site
$ pxelator vm prepare ci-1
error: ci-1: no root file system in /srv/vm/golden.qcow2 (found: nothing): it must hold a Linux on ext4, in a partition or as the whole disk
state/vm
state/vm/.ci-1.lock
$ pxelator vm start ci-1
error: ci-1 is not prepared: run `pxelator vm prepare ci-1` first
$ pxelator vm prepare ci-1
ci-1: prepared over golden
$ pxelator vm start ci-1
error: ci-1: there is no bridge br0 here: make one (`ip link add br0 type bridge && ip link set br0 up`, and the card of the network into it), or say bridge= in the site
$ pxelator vm start ci-1
error: ci-1: QEMU may not use the bridge br0: write the line `allow br0` into /etc/qemu/bridge.conf
$ pxelator vm start ci-1
error: ci-1: its snapshot /srv/vm/golden.qcow2 is missing: put the disk there, or correct `snapshot golden` in the site
$ pxelator vm stop ci-1
ci-1: does not run
$ pxelator vm start ci-11
error: no VM `ci-11` in this generation; did you mean `ci-1`?
";
    assert_eq!(said, expected);
    let page = fs::read_to_string(format!("{ROOT}/docs/vms.md")).unwrap();
    let told = ["is missing: put the disk", "no root file system", "there is no bridge", "QEMU may not use"];
    for line in told.iter().filter_map(|part| said.lines().find(|line| line.contains(part))) {
        assert!(page.lines().any(|other| other == line), "docs/vms.md is stale: {line}");
    }
}

#[test]
fn without_root_it_is_said_so_and_nothing_is_made() {
    let Some(house) = House::with_golden() else { return };
    let script = "chmod 755 . && mkdir -m 777 state && setpriv --reuid 65534 --regid 65534 --clear-groups $P vm prepare ci-1 --state state || echo \"exit $?\"\nls -A state";
    let run = house.inside(script).ended(0);
    assert_eq!(run.err(), "error: this needs root, for it shows disks as files and opens the bridge: run `sudo pxelator vm …`\n");
    assert_eq!(run.out(), "exit 1\n");
}

#[test]
fn what_is_wrong_with_a_disk_is_told_as_it_is() {
    let Some(house) = House::with_golden() else { return };
    let script = r#"
try() { echo "$ $*"; $P vm "$@" 2>&1 || true; }
golden=$PWD/golden/golden.qcow2
qemu-img create -q -f qcow2 $golden 0
try prepare ci-1 --state state
# A directory whose inode is gone, and a mark that something is wrong: e2fsck asks before it mends that.
printf 'clri /etc\nssv state 2\n' | debugfs -w -f - golden/root.img >debugfs.out 2>&1
qemu-img convert -q -f raw -O qcow2 golden/root.img $golden
try prepare ci-1 --state state
try prepare ci-1 --state 'a,b'
"#;
    let here = house.folder.0.canonicalize().unwrap().display().to_string();
    let said = house.inside(script).ended(0).out().replace(&here, "HERE");
    let (before, rest) = said.split_once("is damaged (").unwrap_or_else(|| panic!("{said}"));
    let (found, after) = rest.split_once("): run").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(
        before,
        "$ prepare ci-1 --state state
error: ci-1: its snapshot HERE/golden/golden.qcow2 is a disk of less than 1 MiB: put the disk there, or correct `snapshot golden` in the site
$ prepare ci-1 --state state
error: ci-1: the file system in HERE/golden/golden.qcow2 "
    );
    assert!(found.contains("/etc") || found.to_lowercase().contains("inode"), "{found}");
    assert_eq!(
        after,
        " `e2fsck -f` on a copy of it, and name the copy in the site
$ prepare ci-1 --state a,b
error: HERE/a,b/vm: QEMU cannot be told a path with a comma, a quotation mark, a backslash or a line break: give another --state
"
    );
    house.has_nothing_of("ci-1");
    assert!(!house.path("a,b").exists());
}

#[test]
fn a_vm_whose_line_left_the_site_is_listed_and_deleted() {
    let Some(house) = House::with_golden() else { return };
    house.run(&["prepare", "ci-1", "ci-2"]).ended(0);
    let site = fs::read_to_string(house.path("site.kdl")).unwrap().replace("repeat n 1 5", "repeat n 2 5");
    fs::write(house.path("site.kdl"), site).unwrap();
    house.folder.run(&["build"]).ended(0);
    let list = house.run(&["list"]).ended(0).out();
    assert!(list.ends_with("ci-1                             not in the site      off\n"), "{list}");
    assert!(list.contains("ci-2             10.77.0.42      from golden          off\n"), "{list}");
    assert_eq!(
        house.run(&["start", "ci-1"]).ended(2).err(),
        "error: no VM `ci-1` in this generation: it was prepared here, and the site names it no more; `pxelator vm delete ci-1` discards it\n"
    );
    let unlike = house.run(&["start", "printer"]).ended(2).err();
    assert_eq!(unlike, "error: no VM `printer` in this generation; `pxelator vm list` names all\n");
    // No other name is offered, and nothing is deleted before all names are right.
    let refused = house.run(&["delete", "ci-1", "ci-11"]).ended(2).err();
    assert_eq!(refused, "error: no VM `ci-11` in this generation, and none was prepared here; `pxelator vm list` names all\n");
    assert_eq!(house.run(&["delete", "ci-1"]).ended(0).out(), "ci-1: deleted, with all that it changed\n");
    house.has_nothing_of("ci-1");
    assert!(!house.run(&["list"]).ended(0).out().contains("not in the site"));
}

//! Disks that somebody has, and ends of QEMU that are told as they were: QEMU as others start it, without a guest.

use std::fs;

use super::House;

/// QEMU as libvirt or an administrator starts it: nothing of ours tells it from any other. `$1` is more of its words.
const BY_HAND: &str = r#"
by_hand() { qemu-system-x86_64 -nodefaults -display none -S -machine q35,accel=tcg -m 64 -drive file=$PWD/state/vm/ci-1/disk.qcow2,format=qcow2,if=virtio -pidfile $PWD/qemu.pid -daemonize $1; }
listening() { by_hand "-qmp unix:$PWD/state/vm/ci-1/qmp.sock,server=on,wait=off"; }
# Somebody talks to it: beside the socket that listens there is one more.
connected() { until [ "$(grep -c "$PWD/state/vm/ci-1/qmp.sock" /proc/net/unix)" -ge 2 ]; do sleep 0.1; done; }
gone() { tries=0; while kill -0 "$1" 2>/dev/null; do tries=$((tries + 1)); [ $tries -lt 1000 ] || exit 9; sleep 0.1; done; }
vm() { echo "$ $*"; $P vm "$@" 2>&1 || echo "exit $?"; }
"#;

fn inside(house: &House, script: &str) -> String {
    let here = house.folder.0.canonicalize().unwrap();
    house.inside(&format!("{BY_HAND}{script}")).ended(0).out().replace(&here.display().to_string(), "HERE")
}

#[test]
fn a_disk_that_another_program_has_is_not_taken_from_it() {
    let Some(house) = House::with_golden() else { return };
    let script = r#"
vm prepare ci-1 --state state
by_hand ''
pid=$(cat qemu.pid)
vm delete ci-1 --state state | sed "s/process $pid/process PID/"
vm start ci-1 --state state | sed "s/process $pid/process PID/"
vm stop ci-1 --state state | sed "s/process $pid/process PID/"
$P vm list --state state | grep -E 'ci-1|ci-2'
chmod 755 .
setpriv --reuid 65534 --regid 65534 --clear-groups $P vm list --state state | grep -E 'ci-1|ci-2'
kill "$pid"; gone "$pid"
# Our own, of a state folder that is reached by a link.
ln -s state link
listening
vm delete ci-1 --state state
vm delete ci-1 --state link
vm start ci-1 --state link
vm stop ci-1 --wait 1s --state link
$P vm start ci-1 --dry-run --state link | tr ' ' '\n' | grep qmp.sock
vm delete ci-1 --state link
"#;
    let expected = "$ prepare ci-1 --state state
ci-1: prepared over golden
$ delete ci-1 --state state
error: ci-1: its disk HERE/state/vm/ci-1/disk.qcow2 is in use by qemu-system-x86 (process PID): end that first, where libvirt started it with `virsh shutdown ci-1`
exit 1
$ start ci-1 --state state
error: ci-1: its disk HERE/state/vm/ci-1/disk.qcow2 is in use by qemu-system-x86 (process PID): end that first, where libvirt started it with `virsh shutdown ci-1`
exit 1
$ stop ci-1 --state state
error: ci-1: its disk HERE/state/vm/ci-1/disk.qcow2 is in use by qemu-system-x86 (process PID): end that first, where libvirt started it with `virsh shutdown ci-1`
exit 1
ci-1             10.77.0.41      from golden          runs
ci-2             10.77.0.42      from golden          not prepared
ci-1             10.77.0.41      from golden          unknown, root may look
ci-2             10.77.0.42      from golden          not prepared
$ delete ci-1 --state state
error: ci-1 runs: `pxelator vm stop ci-1` first
exit 1
$ delete ci-1 --state link
error: ci-1 runs: `pxelator vm stop ci-1` first
exit 1
$ start ci-1 --state link
error: ci-1 runs already
exit 1
$ stop ci-1 --wait 1s --state link
ci-1: did not turn itself off within 1 s, and lost its power
unix:HERE/state/vm/ci-1/qmp.sock,server=on,wait=off
$ delete ci-1 --state link
ci-1: deleted, with all that it changed
";
    assert_eq!(inside(&house, script), expected);
    house.has_nothing_of("ci-1");
}

#[test]
fn a_stop_tells_what_happened() {
    let Some(house) = House::with_golden() else { return };
    let script = r#"
vm prepare ci-1 --state state
# Without a site, as the unit does it after its QEMU has ended.
here=$PWD
cd /
vm stop ci-1 --state $here/state
vm stop ci-2 --state $here/state
cd "$here"
# Killed while it is waited for.
listening
vm stop ci-1 --wait 60s --state state >first &
first=$!
connected; sleep 2; kill -KILL "$(cat qemu.pid)"
wait $first; cat first
# QEMU talks to one program after the other.
rm qemu.pid
listening
vm stop ci-1 --wait 20s --state state >first & first=$!
connected
vm stop ci-1 --state state >second & second=$!
vm stop ci-1 --state state >third & third=$!
vm stop ci-1 --state state >fourth & fourth=$!
wait $second; cat second; wait $third; cat third; wait $fourth; cat fourth
wait $first; cat first
"#;
    let said = inside(&house, script);
    let silent = "error: ci-1: QEMU does not answer: another program talks to it, such as a second `pxelator vm stop`, or it hangs (`pxelator vm list` shows whether it still runs)\nexit 1\n";
    let expected = format!(
        "$ prepare ci-1 --state state
ci-1: prepared over golden
$ stop ci-1 --state HERE/state
ci-1: does not run
$ stop ci-2 --state HERE/state
error: out holds no generation: run `pxelator build` in the folder of the site; on the boot server name what was deployed, such as --out /srv/pxelator/current/out
exit 2
$ stop ci-1 --wait 60s --state state
error: ci-1: QEMU ended while ci-1 was turning itself off: something else ended it, and what was not written is lost
exit 1
$ stop ci-1 --state state
{silent}$ stop ci-1 --state state
{silent}$ stop ci-1 --state state
{silent}$ stop ci-1 --wait 20s --state state
ci-1: did not turn itself off within 20 s, and lost its power
"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_snapshot_that_was_replaced_at_its_path_is_noticed() {
    let Some(house) = House::with_golden() else { return };
    house.run(&["prepare", "ci-1"]).ended(0);
    let (file, kept) = (house.path("golden/golden.qcow2"), house.path("golden/kept.qcow2"));
    fs::rename(&file, &kept).unwrap();
    fs::copy(&kept, &file).unwrap();
    for words in [["prepare", "ci-1"], ["start", "ci-1"]] {
        let said = house.run(&words).ended(1).err();
        let begin = format!("error: ci-1 was prepared over {} as it was (", file.display());
        let end = "): put the old file itself back, or `pxelator vm delete ci-1` discards what it changed, and `pxelator vm prepare ci-1` begins anew\n";
        assert!(said.starts_with(&begin) && said.contains("another file lies there now") && said.ends_with(end), "{said}");
    }
    fs::rename(&kept, &file).unwrap();
    assert_eq!(house.run(&["prepare", "ci-1"]).ended(0).out(), "ci-1: prepared already, and left alone\n");
    // Written to in its place: its size and its time tell it.
    fs::write(&file, fs::read(&file).unwrap()).unwrap();
    assert!(house.run(&["prepare", "ci-1"]).ended(1).err().contains("another file lies there now"));
    house.run(&["delete", "ci-1"]).ended(0);
    house.run(&["prepare", "ci-1"]).ended(0);
}

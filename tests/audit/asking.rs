//! Asking, by people: of a spool that they may not read, by names as they write them, and with `| head` behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

use pxelator::event::{Event, Record};
use pxelator::operate::audit::append;

use crate::harness::{Folder, PROGRAM, have};

/// A state folder with such records, an hour apart.
fn spool(events: Vec<Event>) -> Folder {
    let folder = Folder::new();
    let state = folder.0.join("state");
    fs::create_dir(&state).unwrap();
    for (at, event) in (1_795_588_200_000_000..).step_by(3_600_000_000).zip(events) {
        append(&state, &[Record { at, event }]).unwrap();
    }
    folder
}

fn granted() -> Event {
    Event::ReservationGranted { host: "kiosk-01".into(), mac: "54:b2:03:00:00:0b".into(), address: [10, 77, 0, 11].into() }
}

#[test]
fn a_spool_that_one_may_not_read_is_no_missing_one() {
    if !have(&["setpriv", "root"]) {
        return;
    }
    let folder = spool(vec![granted()]);
    let (state, audit) = (folder.0.join("state"), folder.0.join("state/audit"));
    let segment = audit.join("2026-11-25T06-0000.jsonl");
    for (closed, named) in [(&segment, &segment), (&audit, &audit), (&state, &audit)] {
        let mode = fs::metadata(closed).unwrap().permissions();
        fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).unwrap();
        // Of somebody else, and root as any user: without the right to read everything.
        chown(closed, Some(65534), Some(65534)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-dac_override,-dac_read_search", PROGRAM, "audit", "query", "--state"]);
        let output = command.arg(&state).output().unwrap();
        let wanted =
            format!("error: this user may not read {}: run it as root or as the user of `pxelator serve`\n", named.display());
        assert_eq!((String::from_utf8_lossy(&output.stderr).as_ref(), output.status.code()), (wanted.as_str(), Some(2)));
        chown(closed, Some(0), Some(0)).unwrap();
        fs::set_permissions(closed, mode).unwrap();
    }
}

#[test]
fn names_are_found_as_people_write_them() {
    let folder = spool(vec![granted()]);
    let ask = |args: &[&str]| folder.run(&[&["audit", args[0], "--state", "state"], &args[1..]].concat()).ended(0);
    for name in ["KIOSK-01", "54-B2-03-00-00-0B", "01-54-b2-03-00-00-0b", "54:b2:03:00:00:0b", "10.77.0.11"] {
        assert_eq!(ask(&["query", "--host", name]).out().lines().count(), 1, "{name}");
    }
    for (args, said) in [
        (["query", "--host", "kiosk-11"].as_slice(), "no record was found; did you mean `kiosk-01`?\n"),
        (&["query", "--host", "54:b2:03:00:00:0c"], "no record was found; did you mean `54:b2:03:00:00:0b`?\n"),
        (&["query", "--host", "printer"], "no record was found\n"),
        (&["query", "--host", "kiosk-01", "--service", "tftp"], "no record was found\n"),
        (&["boots", "Kisok-01"], "no boot was found; did you mean `kiosk-01`?\n"),
        (&["boots", "kiosk-01"], "no boot was found\n"),
    ] {
        assert_eq!(ask(args).err(), said, "{args:?}");
    }
}

#[test]
fn names_that_are_equally_near_are_all_told() {
    let granted = |n: u8| Event::ReservationGranted {
        host: format!("kiosk-{n:02}"),
        mac: format!("54:b2:03:00:00:{n:02x}"),
        address: [10, 77, 0, n].into(),
    };
    let folder = spool((11..16).map(granted).collect());
    let said = folder.run(&["audit", "query", "--state", "state", "--host", "kiosk-1"]).ended(0).err();
    assert_eq!(said, "no record was found; did you mean `kiosk-11` or `kiosk-12` or `kiosk-13`?\n");
}

#[test]
fn services_and_programs_are_found_in_letters_of_either_case() {
    let folder =
        spool(vec![granted(), Event::AlertSent { alert: "a".into(), host: "k".into(), state: "fired".into(), sink: "s".into() }]);
    for service in ["DHCP", "dhcp", "Monitor", "monitor"] {
        let found = folder.run(&["audit", "query", "--state", "state", "--service", service]).ended(0).out();
        assert_eq!(found.lines().count(), 1, "{service}: {found}");
    }
}

#[test]
fn whoever_reads_no_further_ends_the_search() {
    // Far more than a pipe holds, and behind it a line that whoever reads everything complains of.
    let folder = spool(vec![granted()]);
    let records: Vec<Record> = (0..10_000).map(|n| Record { at: 1_795_588_200_000_001 + n, event: granted() }).collect();
    append(&folder.0.join("state"), &records).unwrap();
    fs::write(folder.0.join("state/audit/2026-11-25T07-0000.jsonl"), "damaged\n").unwrap();
    let ask = || {
        let mut command = Command::new(PROGRAM);
        command.args(["audit", "query", "--state", "state"]).current_dir(&folder.0);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = ask();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("2026-11-25T06:30:00.000000Z kiosk-01 dhcp reservation-granted"), "{first}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let output = ask().wait_with_output().unwrap();
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 10_002);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("1 line of the spool is damaged"));
}

//! A spool that cannot be written: serving goes on, and how much is missing is known afterwards.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use super::{query, sender, site};
use crate::harness::{Folder, PROGRAM, Server, have, tool, until};

/// A server whose spool cannot be written, and a socket to log to it.
fn unwritable() -> (Folder, Server, UdpSocket) {
    let folder = site("");
    let state = folder.0.join("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("audit"), "a file is no folder").unwrap();
    let server = Server::start(&folder, &[]);
    let socket = sender(&server, "127.0.0.9");
    (folder, server, socket)
}

#[test]
fn a_spool_that_cannot_be_written_stops_nothing_and_its_gap_is_told() {
    let (folder, server, socket) = unwritable();
    let state = folder.0.join("state");
    (0..5).for_each(|n| assert!(socket.send(format!("<13>lost: {n}").as_bytes()).is_ok()));
    let told = server.wait_for("cannot write the audit spool state/audit");
    assert!(told.contains("serving goes on") && told.contains("records are lost so far: make room"), "{told}");
    fs::remove_file(state.join("audit")).unwrap();
    until("the spool is written again", || {
        socket.send(b"<13>back: again").unwrap();
        state.join("audit").is_dir().then_some(())
    });
    server.wait_for("the audit spool can be written again");
    let found = query(&folder, &[]);
    let gap = &found[0];
    assert_eq!((&gap["event"], &gap["service"]), (&"records-lost".into(), &"audit".into()));
    // The first batch of the five is lost for sure.
    assert!(gap["count"].as_u64().unwrap() >= 1 && gap["why"].as_str().unwrap().contains("directory"), "{gap}");
    assert_eq!(found.iter().filter(|record| record["event"] == "records-lost").count(), 1, "the gap is told once");
}

#[test]
fn a_full_disk_loses_nothing_without_counting_it() {
    if !have(&["unshare", "mount", "root"]) {
        return;
    }
    let folder = site("");
    let offset = Server::free_offset();
    let script = format!(
        "mkdir -p state/audit && mount -t tmpfs -o size=256k none state/audit && head -c 200000 /dev/zero >state/audit/full && \
         exec {PROGRAM} serve --state state --port-offset {offset}"
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).current_dir(&folder.0);
    let server = Server::spawn(command, offset);
    let inside = format!("/proc/{}/root{}/state", server.pid(), folder.0.display());
    let look = |folder: &Folder| {
        let run = folder.run(&["audit", "query", "--state", &inside, "--format", "jsonl"]).ended(0);
        run.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let socket = sender(&server, "127.0.0.1");
    let mut sent = 0;
    let mut send = |count: usize| {
        (0..count).for_each(|_| {
            sent += 1;
            socket.send(format!("<13>full: {sent:040}").as_bytes()).unwrap();
        });
        sent
    };
    send(400);
    // It ends in the middle of a batch, or there is known to be too little room.
    server.wait_for("cannot write the audit spool");
    fs::remove_file(format!("{inside}/audit/full")).unwrap();
    until("there is room again", || {
        send(1);
        look(&folder).iter().any(|record| record["event"] == "records-lost").then_some(())
    });
    let all = send(0);
    until("all lines are kept or counted", || {
        let found = look(&folder);
        let lost: u64 = found.iter().filter_map(|record| record["count"].as_u64()).sum();
        let kept = found.iter().filter(|record| record["app"] == "full").count();
        assert!(lost > 0 && kept + lost as usize <= all, "{kept} kept, {lost} lost, {all} sent");
        (kept + lost as usize == all).then_some(())
    });
}

#[test]
fn a_flood_of_lines_leaves_room_for_what_must_be_written() {
    if !have(&["unshare", "mount", "root", "curl"]) {
        return;
    }
    let folder = site("");
    let offset = Server::free_offset();
    let script = format!(
        "mkdir state && mount -t tmpfs -o size=16m none state && head -c 12m /dev/zero >state/full && \
         exec {PROGRAM} serve --state state --port-offset {offset}"
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).current_dir(&folder.0);
    let server = Server::spawn(command, offset);
    let socket = sender(&server, "127.0.0.1");
    socket.send(b"<13>flood: 1").unwrap();
    let told = server.wait_for("cannot write the audit spool");
    assert!(told.contains("less than 4 MiB are free on its disk; serving goes on"), "{told}");
    // What is no line is kept, and the gap is told when there is room.
    tool("curl", &["-s", "-o", "/dev/null", &server.url("/nothing")]);
    let inside = format!("/proc/{}/root{}/state", server.pid(), folder.0.display());
    let look = || {
        let run = folder.run(&["audit", "query", "--state", &inside, "--format", "jsonl"]).ended(0);
        run.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let events =
        |found: &[serde_json::Value]| found.iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(events(&look()), ["file-asked"]);
    fs::remove_file(format!("{inside}/full")).unwrap();
    until("there is room again", || {
        socket.send(b"<13>flood: 2").unwrap();
        events(&look()).contains(&"line-logged".to_owned()).then_some(())
    });
    assert_eq!(events(&look())[..3], ["file-asked", "records-lost", "line-logged"]);
}

#[test]
fn a_gap_that_no_record_can_tell_is_told_by_the_log_at_the_end() {
    let (_folder, server, socket) = unwritable();
    socket.send(b"<13>lost: 1").unwrap();
    server.wait_for("1 records are lost so far");
    socket.send(b"<13>lost: 2").unwrap();
    server.signal("-TERM");
    let told = server.wait_for("and no record tells it");
    assert!(told.contains("2 records are lost since 2"), "{told}");
}

#[test]
fn a_gap_is_told_as_soon_as_it_can_be_and_not_with_the_next_record() {
    let (folder, server, socket) = unwritable();
    socket.send(b"<13>lost: 1").unwrap();
    server.wait_for("cannot write the audit spool");
    fs::remove_file(folder.0.join("state/audit")).unwrap();
    server.wait_for("the audit spool can be written again");
    let found = query(&folder, &[]);
    assert_eq!((found.len(), &found[0]["event"], &found[0]["count"]), (1, &"records-lost".into(), &1.into()));
}

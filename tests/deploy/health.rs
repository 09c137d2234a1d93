//! A server that follows the store: it takes generations over, and what is not healthy is taken back.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::{Boot, address, command};
use crate::harness::{PROGRAM, Server, have, tool, until_true};
use crate::network::Segment;

#[test]
fn a_server_takes_over_what_is_deployed_and_rolled_back() {
    if !have(&["dig"]) {
        return;
    }
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    assert_eq!(boot.answered(&server), (address(1), 1));
    boot.build(2);
    let run = boot.deploy(&["--stamp"]).ended(0);
    assert!(run.err().contains("is current as 2, healthy"), "{}", run.err());
    assert_eq!(boot.answered(&server), (address(2), 2), "the deploy has waited for it");
    let stamped = fs::read_to_string(boot.folder.0.join("store/current/stamped/dns/lab.example.zone")).unwrap();
    assert!(stamped.contains(" 2 3600 900"), "the engines' copy has the same serial: {stamped}");
    boot.rollback("previous", &[]).ended(0);
    assert_eq!(boot.answered(&server), (address(1), 3));
    assert_eq!(boot.history(), ["deployed 1", "deployed 2", "confirmed 2", "rolled-back 3", "confirmed 3"]);
    assert_eq!(boot.states(), ["1", "2 confirmed", "3 current confirmed"]);
    server.signal("-TERM");
    until_true("the clean end", || !boot.folder.0.join("state/serving.json").exists());
    boot.build(4);
    let alone = boot.deploy(&[]).ended(0);
    assert!(alone.out().contains("no health check: nobody serves with the state folder"), "{}", alone.out());
    let again = boot.serve();
    assert_eq!(boot.answered(&again), (address(4), 4));
    again.kill();
    boot.build(5);
    assert!(boot.deploy(&[]).ended(0).out().contains("no health check: nobody serves"), "a killed server is none");
}

#[test]
fn a_server_of_another_folder_is_named() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let _server = Server::start(&boot.folder, &["--out", "out"]);
    boot.build(2);
    let run = boot.deploy(&[]).ended(0);
    assert!(run.out().contains(&format!("the server there serves {}; let it serve ", boot.path("out"))), "{}", run.out());
}

#[test]
fn what_the_server_refuses_is_taken_back() {
    if !have(&["dig"]) {
        return;
    }
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&["--stamp"]).ended(0);
    let server = boot.serve();
    boot.build(2);
    // While the server sleeps, somebody changes what was deployed.
    server.signal("-STOP");
    let deploy = command(&boot, &["deploy", "store", "--state", "state"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until_true("the switch", || boot.current() == "generations/2");
    fs::write(boot.folder.0.join("store/generations/2/out/dhcp/leases.jsonl"), "").unwrap();
    server.signal("-CONT");
    let run = crate::harness::Run(deploy.wait_with_output().unwrap()).ended(1);
    let said = run.err();
    assert!(said.contains("generation 2 is not healthy: the server refuses it: "), "{said}");
    assert!(said.contains("changed dhcp/leases.jsonl") && said.ends_with("; 1 is current and served again\n"), "{said}");
    assert_eq!(boot.answered(&server), (address(1), 3), "the zone is the old one, and its serial still grew");
    let stamped = fs::read_to_string(boot.folder.0.join("store/current/stamped/dns/lab.example.zone")).unwrap();
    assert!(stamped.contains(" 3 3600 900"), "{stamped}");
    assert_eq!(boot.history(), ["deployed 1", "deployed 2", "failed 2", "way-back 1"]);
    assert_eq!(boot.states(), ["1 current", "2 failed"]);
    boot.build(3);
    boot.deploy(&[]).ended(0);
    assert_eq!(boot.answered(&server), (address(3), 4));
    assert_eq!(boot.current(), "generations/3", "the failed number is not used again");
    boot.is_tidy();
}

#[test]
fn a_server_that_does_not_move_is_waited_for_no_longer_than_said() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    server.signal("-STOP");
    boot.build(2);
    let said = boot.deploy(&["--patience", "1s"]).ended(1).err();
    let stuck = format!("the server (process {}) has not taken it over within 1 s (--patience)", server.pid());
    assert!(said.contains(&format!("generation 2 is not healthy: {stuck}; 1 is current")), "{said}");
    assert_eq!(boot.current(), "generations/1");
    server.signal("-CONT");
}

#[test]
fn a_server_without_its_address_is_not_healthy() {
    if !have(&["root", "ip"]) {
        return;
    }
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let segment = Segment::new("h", "10.80.0.2/22");
    let within = |args: &[&str]| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &segment.server, PROGRAM]).args(args).current_dir(&boot.folder.0);
        command
    };
    let _server = Server::spawn(within(&["serve", "--state", "state", "--out", "store/current/out", "--bind", "10.80.0.2"]), 0);
    boot.build(2);
    let good = within(&["deploy", "store", "--state", "state"]).output().unwrap();
    crate::harness::Run(good).ended(0);
    tool("ip", &["-n", &segment.server, "addr", "del", "10.80.0.2/22", "dev", "v0"]);
    boot.build(3);
    let bad = within(&["deploy", "store", "--state", "state", "--patience", "20s"]).output().unwrap();
    let said = crate::harness::Run(bad).ended(1).err();
    assert!(said.contains("generation 3 is not healthy: DNS at 10.80.0.2:53 does not answer for "), "{said}");
    assert_eq!(boot.states(), ["1", "2 current confirmed", "3 failed"]);
}

#[test]
fn a_history_that_cannot_be_written_is_no_way_without_return() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    server.signal("-STOP");
    boot.build(2);
    let deploy = command(&boot, &["deploy", "store", "--state", "state", "--patience", "20s"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until_true("the switch", || boot.current() == "generations/2");
    let history = boot.folder.0.join("store/history.jsonl");
    // The line of the switch may be written at this moment, and make a file anew.
    until_true("the folder in its place", || {
        let _perhaps_gone = fs::remove_file(&history);
        fs::create_dir(&history).is_ok()
    });
    let said = crate::harness::Run(deploy.wait_with_output().unwrap()).ended(1).err();
    assert!(said.contains("history.jsonl") && said.contains("generation 2 is not healthy: "), "{said}");
    assert_eq!(boot.current(), "generations/1", "{said}");
    server.signal("-CONT");
}

#[test]
fn a_server_that_loads_hears_that_it_shall_end() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    // It cannot load as long as somebody holds its state folder.
    let held = fs::File::open(boot.folder.0.join("state")).unwrap();
    held.lock().unwrap();
    server.signal("-HUP");
    sleep(Duration::from_millis(300));
    server.signal("-TERM");
    let line = server.wait_for(" st");
    assert!(line.contains("stopped"), "it waited for the load: {line}");
    assert!(!boot.folder.0.join("state/serving.json").exists());
}

#[test]
fn what_is_damaged_is_no_way_back() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    for number in 2..=3 {
        boot.build(number);
        boot.deploy(&[]).ended(0);
    }
    fs::write(boot.folder.0.join("store/generations/3/out/dhcp/leases.jsonl"), "").unwrap();
    boot.build(4);
    let shown = boot.deploy(&["--dry-run"]).ended(0);
    assert!(shown.out().ends_with("way back: 2 becomes current again, for 3 is damaged\n"), "{}", shown.out());
    server.signal("-STOP");
    let said = boot.deploy(&["--patience", "1s"]).ended(1).err();
    assert_eq!(boot.current(), "generations/2");
    assert!(said.contains("; 2 is current again, but the server (process "), "it still serves 3: {said}");
    server.signal("-CONT");
    until_true("2 is served", || {
        fs::read_to_string(boot.folder.0.join("state/serving.json")).is_ok_and(|text| text.contains("generations/2"))
    });
}

//! What schedules want, carried out by a server that is killed, comes late, or has a wrong clock.

use std::fs;

use super::{PASSWORD, device, power, site};
use crate::amt::{Device, own_address};
use crate::harness::{Folder, Server, until_true};

/// The server, with its clock set.
fn serve(folder: &Folder, now: &str) -> Server {
    Server::start(folder, &["--now", now])
}

/// A server that has been there at this moment, and remembers it.
fn served(folder: &Folder, now: &str) {
    let memory = || fs::read(folder.0.join("state/power.json")).ok();
    let before = memory();
    let _server = serve(folder, now);
    until_true("it is remembered", || memory().is_some_and(|now| Some(now) != before));
}

#[test]
fn a_kiosk_goes_on_and_off_by_its_schedule() {
    let (device, _changes) = device();
    let folder = site(device.address, "schedule=opening", "");
    let server = serve(&folder, "2026-11-25T07:29:45+01:00");
    let line = server.has_said("power-changed");
    assert!(line.contains("{\"event\":\"power-changed\",\"host\":\"kiosk-01\",\"action\":\"on\",\"by\":\"schedule\"}"), "{line}");
    assert!(device.is_on());
    drop(server);
    // Somebody pushed the button at noon: a restart is no edge.
    device.set_on(false);
    let server = serve(&folder, "2026-11-25T20:29:45+01:00");
    device.set_on(true);
    server.has_said("\"action\":\"off\",\"by\":\"schedule\"");
    server.has_said("power-changed");
    assert!(!device.is_on());
    let changes = device.heard().into_iter().filter(|line| line.contains("Change")).collect::<Vec<_>>();
    assert_eq!(changes, ["Ok(Change(2))", "Ok(Change(8))"]);
}

#[test]
fn a_server_that_starts_in_the_past_switches_nothing() {
    let (device, _changes) = device();
    let folder = site(device.address, "schedule=opening", "");
    served(&folder, "2026-11-25T20:31:00+01:00");
    device.set_on(true);
    let server = serve(&folder, "2020-01-01T00:00:00Z");
    let line = server.has_said("schedules wait");
    let words = [
        "the clock says 2020-01-01T00:00:",
        ", and edges up to 2026-11-25T19:31:",
        " are done: schedules wait; set the clock, or remove state/power.json and start again",
    ];
    assert!(words.iter().all(|words| line.contains(words)), "{line}");
    server.kill();
    // The clock is right again: the edge of the morning is caught up with, and nothing else was done.
    device.set_on(false);
    let server = serve(&folder, "2026-11-26T08:00:00+01:00");
    server.has_said("power-changed");
    let changes = device.heard().into_iter().filter(|line| line.contains("Change")).collect::<Vec<_>>();
    assert_eq!(changes, ["Ok(Change(2))"]);
}

#[test]
fn what_a_person_turned_on_stays_on() {
    let (device, _changes) = device();
    let folder = site(device.address, "schedule=opening", "");
    // The last edge before this moment turned it off, whatever time it is.
    let (now, day) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(24));
    let (on, off) = if now.as_second() % 86_400 < 43_200 { ("13:00", "14:00") } else { ("01:00", "02:00") };
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    let text = text
        .replace("timezone=\"Europe/Zagreb\"", "timezone=\"UTC\"")
        .replace("\"07:30\" \"20:30\" days=\"mon..fri\"; holidays off", &format!("\"{on}\" \"{off}\""));
    let text = text.replace("holidays { day \"12-25\" }\n", "");
    fs::write(folder.0.join("site.kdl"), text).unwrap();
    folder.run(&["build"]).ended(0);
    served(&folder, &(now - day).to_string());
    assert_eq!(power(&folder, &["on"]).1, "kiosk-01: told `on`, was off\n");
    // The edge is due and was never done, and the person came after it.
    let server = serve(&folder, &jiff::Timestamp::now().to_string());
    let line = server.has_said("it was switched by hand");
    assert!(line.contains("kiosk-01: it was switched by hand at ") && line.contains("which is not tried any more"), "{line}");
    assert!(device.is_on() && device.heard().iter().all(|line| line != "Ok(Change(8))"));
    drop(server);
    // A person who came before it is no reason to leave it.
    fs::write(folder.0.join("state/power/kiosk-01.by-hand"), format!("{}\n", (now - day).as_microsecond())).unwrap();
    fs::remove_file(folder.0.join("state/power.json")).unwrap();
    served(&folder, &(now - day).to_string());
    let server = serve(&folder, &jiff::Timestamp::now().to_string());
    server.has_said("power-changed");
    assert!(!device.is_on());
}

#[test]
fn an_edge_outlives_a_kill_and_a_machine_that_is_away() {
    let address = own_address();
    let folder = site(address, "schedule=opening", "");
    let server = serve(&folder, "2026-11-25T07:29:45+01:00");
    let failed = server.has_said("power-failed");
    assert!(failed.contains("refuses the connection") && failed.contains("\"again\":2"), "{failed}");
    server.kill();
    // After the restart the edge of before is due, and the machine comes back while it is tried.
    let server = serve(&folder, "2026-11-25T07:33:00+01:00");
    server.has_said("power-failed");
    let device = Device::listen(address, PASSWORD, |_| {});
    server.has_said("power-changed");
    assert!(device.is_on());
    server.kill();
    let server = serve(&folder, "2026-11-25T20:29:58+01:00");
    server.has_said("power-changed");
    let changes = device.heard().into_iter().filter(|line| line.contains("Change")).collect::<Vec<_>>();
    assert_eq!(changes, ["Ok(Change(2))", "Ok(Change(8))"]);
}

#[test]
fn a_wrong_password_is_told_once_and_a_holiday_is_kept() {
    let (away, home) = (device().0, device().0);
    let folder = site(away.address, "schedule=opening", "");
    let daily = format!("host daily \"{}\" \"54:b2:03:00:00:0c\" amt=amt-kiosk schedule=always", home.address.ip());
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap() + "schedule always { power \"07:30\" \"20:30\" }\n";
    let text = text.replacen("{\n", &format!("{{\n    {daily}\n"), 1);
    fs::write(folder.0.join("site.kdl"), text).unwrap();
    folder.run(&["build"]).ended(0);
    // A friday, and Christmas: the one without holidays goes on, the other one hears nothing.
    let server = serve(&folder, "2026-12-25T07:29:45+01:00");
    server.has_said("{\"event\":\"power-changed\",\"host\":\"daily\"");
    drop(server);
    assert_eq!(away.heard(), Vec::<String>::new());
    fs::write(folder.0.join("password"), "wrong\n").unwrap();
    let server = serve(&folder, "2026-12-28T07:29:45+01:00");
    let failed = server.has_said("power-failed");
    assert!(failed.contains("refuses user `admin` with the password in ") && failed.contains("\"again\":600"), "{failed}");
}

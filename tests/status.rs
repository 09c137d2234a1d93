//! `status`: what is wrong stands first, and the exit code says so.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Folder;

const SITE: &str = "site lab domain=\"lab.example\"\n\
    network lan \"10.77.0.0/24\" gateway=1 server=2 {\n\
        host boot 2 \"52:54:00:77:00:02\"\n\
        group office { host pc-01 21 \"a0:36:9f:00:00:15\"; host pc-02 22 \"a0:36:9f:00:00:16\" }\n\
    }\n\
    check ping on=\"group:office\"\n";

/// A state in which one host is up and the other in `state`.
fn seen(state: &str, alerts: &Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let check = |host: &str, state: &str| json!({"id": format!("{host} ping"), "host": host, "check": "ping", "state": state, "since": now - 240, "at": now});
    json!({"at": now, "checks": [check("pc-01", "up"), check("pc-02", state)], "alerts": alerts})
}

#[test]
fn what_is_wrong_is_told_first_and_by_the_exit_code() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    fs::create_dir(folder.0.join("state")).unwrap();
    let put = |seen: Value| fs::write(folder.0.join("state/monitor.json"), seen.to_string()).unwrap();
    put(seen("up", &json!([])));
    let well = folder.run(&["status", "--state", "state"]).ended(0).out();
    assert!(well.contains("3 hosts: 2 up") && !well.contains("pc-01"), "{well}");
    let all = folder.run(&["status", "--state", "state", "--hosts"]).ended(0).out();
    assert!(all.contains("● pc-01") && all.contains("(office)"), "{all}");
    let fired = jiff::Timestamp::now().as_second() - 180;
    let alert = json!([{"id": "a1", "host": "pc-02", "check": "ping", "fired": fired, "why": "no answer\u{1b}[2J"}]);
    put(seen("down", &alert));
    let wrong = folder.run(&["status", "--state", "state"]).ended(1).out();
    let lines: Vec<&str> = wrong.lines().collect();
    assert!(lines[2].starts_with("✗ pc-02: ") && lines[2].ends_with(", for 3 min"), "{wrong}");
    assert!(wrong.contains("✗ pc-02 ") && !wrong.contains("pc-01") && !wrong.contains('\u{1b}'), "{wrong}");
    let told: Value =
        serde_json::from_str(&folder.run(&["status", "--state", "state", "--format", "json"]).ended(1).out()).unwrap();
    assert_eq!((&told["wrong"][0]["host"], &told["tally"]["down"]), (&json!("pc-02"), &json!(1)));
}

#[test]
fn a_state_that_cannot_be_read_is_named() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    fs::create_dir(folder.0.join("state")).unwrap();
    fs::write(folder.0.join("state/monitor.json"), "{").unwrap();
    let said = folder.run(&["status", "--state", "state"]).ended(2).err();
    assert!(said.contains("cannot read state/monitor.json"), "{said}");
}

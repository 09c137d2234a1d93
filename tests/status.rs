//! `status`: what is wrong stands first, and the exit code says so.

use std::fs;

use serde_json::{Value, json};

use pxelator::event::{Event, Record};
use pxelator::operate::audit::append;
use pxelator::store::serving::started;

use crate::harness::Folder;

const SITE: &str = "site lab domain=\"lab.example\"\n\
    network lan \"10.77.0.0/24\" gateway=1 server=2 {\n\
        host boot 2 \"52:54:00:77:00:02\"\n\
        group office { host pc-01 21 \"a0:36:9f:00:00:15\"; host pc-02 22 \"a0:36:9f:00:00:16\" }\n\
    }\n\
    check ping on=\"group:office\"\n";

/// Writes down that this process serves what is built, and what it could not take over.
fn serve(folder: &Folder, refused: Option<&str>) {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.0.join("out/manifest.json")).unwrap()).unwrap();
    let (pid, now) = (std::process::id(), jiff::Timestamp::now().as_second());
    let mut serving = json!({
        "pid": pid, "started": started(pid), "out": folder.0.join("out"), "folder": folder.0.join("out"),
        "generation": manifest["generation"], "since": now - 300, "address": "127.0.0.1", "dns": 53, "tftp": 69, "http": 80,
    });
    if let Some(why) = refused {
        serving["refused"] = json!({"folder": "/elsewhere", "why": why});
    }
    fs::create_dir_all(folder.0.join("state")).unwrap();
    fs::write(folder.0.join("state/serving.json"), serving.to_string()).unwrap();
}

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
    serve(&folder, None);
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

#[test]
fn who_does_not_serve_what_was_built_is_wrong() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    fs::create_dir(folder.0.join("state")).unwrap();
    let ask = |code: i32| {
        let text = folder.run(&["status", "--state", "state"]).ended(code).out();
        let json = folder.run(&["status", "--state", "state", "--format", "json"]).ended(code).out();
        (text, serde_json::from_str::<Value>(&json).unwrap())
    };
    let (text, json) = ask(1);
    let nobody = "nobody serves with the state folder state: start `pxelator serve`, or give its folder: --state";
    assert!(text.starts_with(&format!("✗ {nobody}\n3 hosts: ")), "{text}");
    assert_eq!((&json["serving"], &json["wrong"][0]["text"]), (&Value::Null, &json!(nobody)));
    serve(&folder, None);
    let (text, json) = ask(0);
    assert!(text.starts_with("serving generation ") && text.contains(" for 5 min\n3 hosts: "), "{text}");
    assert_eq!((&json["serving"]["refused"], &json["wrong"]), (&Value::Null, &json!([])));
    serve(&folder, Some("it is torn\u{1b}[2J"));
    let (text, json) = ask(1);
    assert!(text.contains("\n✗ what came since was refused: it is torn\\x1b[2J\n"), "{text}");
    assert_eq!(json["serving"]["refused"], "it is torn\u{1b}[2J");
    serve(&folder, None);
    fs::write(folder.0.join("site.kdl"), SITE.replace("host pc-02 22", "host pc-02 23")).unwrap();
    folder.run(&["build"]).ended(0);
    let (text, json) = ask(1);
    assert!(text.contains("\n✗ out has generation ") && text.contains(", and it is not served: deploy it"), "{text}");
    assert_eq!(json["wrong"][0]["kind"], "serve");
}

#[test]
fn checks_that_cannot_be_asked_are_told_and_nothing_is_called_well() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    serve(&folder, None);
    let now = jiff::Timestamp::now().as_second();
    let check = |host: &str, at: i64, why: Option<&str>| json!({"id": format!("{host} ping"), "host": host, "check": "ping", "state": "unknown", "since": now - 240, "at": at, "why": why});
    let put = |first: Value| {
        let seen = json!({"at": now, "checks": [first, check("pc-02", 0, None)], "alerts": []});
        fs::write(folder.0.join("state/monitor.json"), seen.to_string()).unwrap();
    };
    put(check("pc-01", now, Some("this server may not ping (EPERM)")));
    let status = folder.run(&["status", "--state", "state", "--hosts"]).ended(1).out();
    assert!(status.contains("✗ 1 check cannot be asked: this server may not ping (EPERM), for 4 min\n"), "{status}");
    assert!(status.contains("pc-01") && status.contains("not known: ping: this server may not ping (EPERM)"), "{status}");
    let alerts = folder.run(&["alerts", "--state", "state"]).ended(0);
    let text = alerts.out();
    assert!(text.starts_with("no alert is open, and not all is known, as of "), "{text}");
    assert!(text.contains("  1 of 2 checks not known since ") && text.contains(": this server may not ping (EPERM)\n"), "{text}");
    assert!(text.contains(": they were not asked yet\n") && alerts.err().is_empty(), "{text}{}", alerts.err());
    // Who was turned on a moment ago may fail.
    put(check("pc-01", now, Some("it was turned on a little while ago")));
    folder.run(&["status", "--state", "state"]).ended(0);
    let text = folder.run(&["alerts", "--state", "state"]).ended(0).out();
    assert!(text.starts_with("nothing is wrong: 2 checks, as of ") && text.contains("a little while ago\n"), "{text}");
    let json: Value = serde_json::from_str(&folder.run(&["alerts", "--state", "state", "--format", "json"]).out()).unwrap();
    assert_eq!((&json["served"], json["unknown"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    fs::remove_file(folder.0.join("state/serving.json")).unwrap();
    let old = folder.run(&["alerts", "--state", "state"]).ended(0).err();
    assert!(old.contains("nobody serves with the state folder state, so nothing was asked since "), "{old}");
}

#[test]
fn a_pool_that_had_no_address_is_told_also_where_nobody_knows_the_leases() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    serve(&folder, None);
    let at = (jiff::Timestamp::now().as_second() - 180) * 1_000_000;
    let event = Event::PoolExhausted { mac: "02:00:00:00:00:09".into(), network: "lan".into(), first: [10, 0, 0, 3].into() };
    append(&folder.0.join("state"), &[Record { at, event }]).unwrap();
    let status = folder.run(&["status", "--state", "state"]).ended(1).out();
    assert!(status.contains("✗ network lan had no address for 02:00:00:00:00:09, for 3 min\n"), "{status}");
}

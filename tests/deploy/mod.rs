//! Deploys into a store: what a plan promises, what is refused, and what a kill, a connection that breaks,
//! or a server that is not well leave behind.

mod care;
mod health;
mod kills;
mod live;
mod ssh;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Folder, PROGRAM, Run, Server, files, have, tool};

/// A site, the store into which it is deployed, and the state folder of its server.
pub(super) struct Boot {
    pub(super) folder: Folder,
}

impl Boot {
    pub(super) fn new() -> Boot {
        let boot = Boot { folder: Folder::new() };
        // The server may run under another user.
        tool("chmod", &["755", &boot.path("")]);
        boot
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.0.join(name).to_string_lossy().into_owned()
    }

    /// The site of a number: its host has that address.
    pub(super) fn build(&self, number: u32) {
        fs::write(self.folder.0.join("site.kdl"), site(number)).unwrap();
        self.folder.run(&["build"]).ended(0);
    }

    pub(super) fn run(&self, args: &[&str]) -> Run {
        self.folder.run(args)
    }

    /// Into the store, with the state folder.
    pub(super) fn deploy(&self, more: &[&str]) -> Run {
        self.run(&[&["deploy", "store", "--state", "state"], more].concat())
    }

    pub(super) fn rollback(&self, to: &str, more: &[&str]) -> Run {
        self.run(&[&["rollback", to, "store", "--state", "state"], more].concat())
    }

    pub(super) fn serve(&self) -> Server {
        Server::start(&self.folder, &["--out", "store/current/out"])
    }

    /// What `generations` tells, as JSON.
    pub(super) fn generations(&self) -> Vec<Value> {
        let text = self.run(&["generations", "store", "--format", "json"]).ended(0).out();
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    }

    /// `number state` of each, such as `2 current confirmed`.
    pub(super) fn states(&self) -> Vec<String> {
        let one = |row: &Value| {
            let current = if row["current"] == true { " current" } else { "" };
            let healthy = match row["healthy"] {
                Value::Bool(true) => " confirmed",
                Value::Bool(false) => " failed",
                _ => "",
            };
            format!("{}{current}{healthy}", row["number"])
        };
        self.generations().iter().map(one).collect()
    }

    /// `what number` of each line.
    pub(super) fn history(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.0.join("store/history.jsonl")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| format!("{} {}", event["what"].as_str().unwrap(), event["number"])).collect()
    }

    pub(super) fn current(&self) -> String {
        fs::read_link(self.folder.0.join("store/current")).unwrap().to_string_lossy().into_owned()
    }

    /// What the server answers: the number in the address, and the serial.
    pub(super) fn answered(&self, server: &Server) -> (String, u32) {
        let dig = |args: &[&str]| tool("dig", &[&["@127.0.0.1", "-p", &server.port(53), "+short", "+tries=1"], args].concat());
        let serial = dig(&["SOA", "lab.example"]).split(' ').nth(2).unwrap().parse().unwrap();
        (dig(&["pc.lab.example"]).trim().to_owned(), serial)
    }

    /// No unfinished things, and nothing but what a store holds.
    pub(super) fn is_tidy(&self) {
        let names = |path: &str| {
            let entries = fs::read_dir(self.folder.0.join(path)).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names("store").into_iter().collect::<Vec<_>>(), ["current", "generations", "history.jsonl", "state"]);
        assert!(names("store/generations").iter().all(|name| name.parse::<u64>().is_ok()), "{:?}", names("store/generations"));
    }
}

fn site(number: u32) -> String {
    format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"10.80.0.0/22\" server=2 {{\n    pool 256 1022 lease=\"{}s\"\n    host pc {} \"52:54:00:80:00:09\"\n}}\n",
        3600 + number,
        number + 10
    )
}

/// The address of the host in a generation.
pub(super) fn address(number: u32) -> String {
    format!("10.80.0.{}", number + 10)
}

#[test]
fn a_plan_makes_its_generation_current_and_is_written_down() {
    let boot = Boot::new();
    boot.build(1);
    let dry = boot.deploy(&["--dry-run"]).ended(0);
    assert!(dry.out().contains("plan: generation 1 (") && dry.out().contains("switch current to 1"), "{}", dry.out());
    assert!(!boot.folder.0.join("store").exists() && !boot.folder.0.join("state").exists(), "a dry run does nothing");
    boot.deploy(&["--why", "the first"]).ended(0);
    let tree = |folder: &str| files(&boot.folder.0.join(folder));
    assert_eq!(tree("out"), tree("store/current/out"));
    boot.build(2);
    let change = boot.deploy(&[]).ended(0);
    assert!(change.out().contains("10.80.0.12"), "what changes is shown first: {}", change.out());
    assert_eq!(tree("out"), tree("store/current/out"));
    assert_eq!(boot.history(), ["deployed 1", "deployed 2"]);
    boot.is_tidy();
    assert_eq!(boot.states(), ["1", "2 current"]);
    let rows = boot.generations();
    assert_eq!((&rows[0]["why"], &rows[0]["hosts"], &rows[0]["revision"]), (&"the first".into(), &1.into(), &Value::Null));
    assert!(rows[0]["who"].as_str().unwrap().contains('@'));
    let keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.join(" "), "current date from generation healthy hosts number revision time who why");
    let again = boot.deploy(&[]).ended(0);
    assert!(again.err().contains("is current already, as 2: nothing to do"), "{}", again.err());
    assert_eq!(boot.history().len(), 2);
}

#[test]
fn the_revision_of_the_source_is_kept() {
    if !have(&["git"]) {
        return;
    }
    let boot = Boot::new();
    boot.build(1);
    let git = |args: &[&str]| tool("git", &[&["-C", &boot.path(""), "-c", "user.name=a", "-c", "user.email=a@b"], args].concat());
    git(&["init", "-q"]);
    git(&["add", "site.kdl", "out"]);
    git(&["commit", "-qm", "one"]);
    let head = git(&["rev-parse", "--short=12", "HEAD"]).trim().to_owned();
    boot.deploy(&[]).ended(0);
    boot.build(2);
    boot.deploy(&[]).ended(0);
    let rows = boot.generations();
    assert_eq!((&rows[0]["revision"], &rows[1]["revision"]), (&head.as_str().into(), &format!("{head}-dirty").into()));
}

#[test]
fn a_saved_plan_does_what_it_says_and_a_stale_one_is_refused() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    boot.build(2);
    let shown = boot.deploy(&["--save-plan", "two.json"]).ended(0);
    assert_eq!(boot.current(), "generations/1", "saving does nothing");
    let done = boot.deploy(&["--plan", "two.json"]).ended(0);
    let plan = |text: &str| text[text.find("plan:").unwrap()..].to_owned();
    assert_eq!(plan(&done.out()), plan(&shown.out()));
    assert_eq!(boot.current(), "generations/2");

    boot.deploy(&["--save-plan", "idle.json"]).ended(0);
    let idle = boot.deploy(&["--plan", "idle.json"]).ended(0);
    assert!(idle.err().contains("is current already, as 2: nothing to do"), "{}", idle.err());
    let stale = boot.deploy(&["--plan", "two.json"]).ended(1);
    assert_eq!(stale.err(), "error: stale plan: current is 2, the plan was made for 1; make a new plan\n");
    boot.build(3);
    boot.deploy(&["--save-plan", "three.json"]).ended(0);
    boot.build(4);
    let other = boot.deploy(&["--plan", "three.json"]).ended(1);
    assert!(other.err().contains("the plan is for generation ") && other.err().contains("make a new plan"), "{}", other.err());
    boot.build(3);
    // A serial that grew meanwhile is a world that the plan does not know.
    let serials = fs::read_to_string(boot.folder.0.join("state/serials.json")).unwrap();
    fs::write(boot.folder.0.join("state/serials.json"), serials.replace("\"serial\":2", "\"serial\":7")).unwrap();
    let stale = boot.deploy(&["--plan", "three.json"]).ended(1);
    assert!(stale.err().contains("becomes 8, and 3 in the plan; make a new plan"), "{}", stale.err());
    let _server = boot.serve();
    fs::write(boot.folder.0.join("state/serials.json"), serials).unwrap();
    let stale = boot.deploy(&["--plan", "three.json"]).ended(1);
    assert!(stale.err().contains("one serves here by now; make a new plan"), "{}", stale.err());
    assert_eq!((boot.current().as_str(), boot.history().len()), ("generations/2", 2));
    fs::write(boot.folder.0.join("three.json"), "{}").unwrap();
    assert!(boot.deploy(&["--plan", "three.json"]).ended(2).err().contains("three.json is no plan of this pxelator"));
}

#[test]
fn a_rollback_is_a_new_number_with_larger_serials() {
    if !have(&["named-checkzone"]) {
        return;
    }
    let boot = Boot::new();
    for number in 1..=3 {
        boot.build(number);
        boot.deploy(&["--stamp"]).ended(0);
    }
    let serial = |number: u64| {
        let zone = boot.path(&format!("store/generations/{number}/stamped/dns/lab.example.zone"));
        let said = tool("named-checkzone", &["lab.example", &zone]);
        said.split("loaded serial ").nth(1).unwrap().split_whitespace().next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!((serial(1), serial(2), serial(3)), (1, 2, 3));
    let back = boot.rollback("previous", &["--stamp"]).ended(0);
    assert!(back.out().contains("which was 2), after 3"), "{}", back.out());
    assert!(back.out().contains("10.80.0.12"), "what changes is shown first: {}", back.out());
    let out = |number: u64| files(&boot.folder.0.join(format!("store/generations/{number}/out")));
    assert_eq!((boot.current().as_str(), serial(4)), ("generations/4", 4));
    assert_eq!(out(4), out(2));
    // One more goes one further back, and not forth again.
    boot.rollback("previous", &["--stamp"]).ended(0);
    assert_eq!((out(5), serial(5)), (out(1), 5));
    let first = boot.rollback("previous", &[]).ended(1);
    assert!(first.err().contains("there is nothing to go back to in store: 1 was the first"), "{}", first.err());
    let id = boot.generations()[2]["generation"].as_str().unwrap()[..8].to_owned();
    boot.rollback(&id, &[]).ended(0);
    assert_eq!((boot.current().as_str(), out(6)), ("generations/6", out(3)));
    let unknown = boot.rollback("17", &[]).ended(1);
    assert_eq!(
        unknown.err(),
        "error: generation 17 is not in store; it holds 1, 2, 3, 4, 5, 6; of an id write at least 4 characters\n"
    );
    assert!(boot.rollback("3", &[]).ended(0).err().contains("is current already, as 6: nothing to do"));
    let place = boot.run(&["rollback", "/srv/pxelator"]).ended(2);
    assert!(place.err().contains("write `pxelator rollback previous /srv/pxelator`"), "{}", place.err());
    assert_eq!(boot.history(), ["deployed 1", "deployed 2", "deployed 3", "rolled-back 4", "rolled-back 5", "rolled-back 6"]);
    boot.is_tidy();
}

#[test]
fn old_generations_go_and_their_numbers_do_not_come_back() {
    let boot = Boot::new();
    for number in 1..=6 {
        boot.build(number);
        boot.deploy(&["--keep", "3"]).ended(0);
    }
    assert_eq!(boot.states(), ["4", "5", "6 current"]);
    boot.build(7);
    let shown = boot.deploy(&["--keep", "1"]).ended(0);
    assert!(shown.out().contains("remove 4, 5\n"), "{}", shown.out());
    assert_eq!(boot.states(), ["6", "7 current"], "the parent stays, whatever --keep says");
    assert!(boot.rollback("4", &[]).ended(1).err().contains("it holds 6, 7"));
    boot.is_tidy();
}

#[test]
fn one_deploy_at_a_time() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    boot.build(2);
    let lock = fs::File::open(boot.folder.0.join("store")).unwrap();
    lock.lock().unwrap();
    let busy = boot.deploy(&[]).ended(2);
    assert!(busy.err().contains("another deploy or rollback is at work in store: wait until it ends"), "{}", busy.err());
    drop(lock);
    boot.deploy(&[]).ended(0);
}

/// A command of ours in the folder of a boot.
pub(super) fn command(boot: &Boot, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(PathBuf::from(&boot.folder.0));
    command
}

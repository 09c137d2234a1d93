//! What is refused before anything changes, and what an earlier mishap left.

use std::fs;
use std::os::unix::fs::symlink;

use super::Boot;
use crate::harness::files;

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let boot = Boot::new();
    boot.build(1);
    fs::create_dir(boot.folder.0.join("store")).unwrap();
    fs::write(boot.folder.0.join("store/letters.txt"), "mine").unwrap();
    let refused = boot.deploy(&[]).ended(2);
    assert_eq!(
        refused.err(),
        "error: store is no store of generations: it holds `letters.txt`; give a folder that is empty or new\n"
    );
    assert_eq!(files(&boot.folder.0.join("store")).len(), 1);
    let nowhere = boot.run(&["deploy", "no/where", "--state", "state"]).ended(2);
    assert_eq!(
        nowhere.err(),
        "error: no/where cannot be made, for there is no folder no: read the path again, or make the folder\n"
    );
    let none = boot.run(&["generations", "elsewhere"]).ended(2);
    assert_eq!(none.err(), "error: there is no store at elsewhere: the first `pxelator deploy` makes it\n");
    assert!(!boot.folder.0.join("state").exists());
}

#[test]
fn a_store_remembers_the_state_folder_of_its_server() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let _server = boot.serve();
    boot.build(2);
    let told = boot.run(&["deploy", "store"]).ended(0);
    assert!(told.err().contains("current as 2, healthy"), "the server was asked: {}", told.err());
    boot.build(3);
    let other = boot.run(&["deploy", "store", "--state", "elsewhere"]).ended(1);
    assert!(other.err().contains("elsewhere: leave --state away; if the folder has moved"), "{}", other.err());
    assert_eq!(boot.current(), "generations/2");
    assert!(!boot.folder.0.join("elsewhere").exists(), "no serials were begun there");
    boot.run(&["rollback", "previous", "store"]).ended(0);
    assert_eq!(boot.states().last().map(String::as_str), Some("3 current confirmed"));
    let forgotten = boot.run(&["rollback", "store"]).ended(2);
    assert!(
        forgotten.err().contains("`store` is no generation") && forgotten.err().contains("`pxelator rollback previous store`")
    );
}

#[test]
fn a_link_that_is_not_ours_is_not_replaced() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    boot.build(2);
    fs::remove_file(boot.folder.0.join("store/current")).unwrap();
    symlink("/etc", boot.folder.0.join("store/current")).unwrap();
    assert!(boot.deploy(&[]).ended(2).err().contains("it holds `current -> /etc`"));
    fs::remove_file(boot.folder.0.join("store/current")).unwrap();
    fs::create_dir(boot.folder.0.join("store/current")).unwrap();
    assert!(boot.deploy(&[]).ended(2).err().contains("it holds `current, which is no link`"));
}

#[test]
fn a_generation_that_is_not_whole_is_not_deployed_and_one_in_the_store_is_mended_by_the_next() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    fs::write(boot.folder.0.join("store/current/out/dhcp/leases.jsonl"), "").unwrap();
    let damaged = boot.deploy(&[]).ended(0);
    assert!(
        damaged.err().contains("changed dhcp/leases.jsonl") && damaged.err().contains("what changes is not known"),
        "{}",
        damaged.err()
    );
    assert!(damaged.out().contains("way back: none, for 1 is damaged, and no confirmed one is whole\n"), "{}", damaged.out());
    assert_eq!(boot.current(), "generations/2", "the same generation, whole again");
    boot.run(&["verify", "store/current/out"]).ended(0);
    boot.build(2);
    boot.deploy(&[]).ended(0);
    let back = boot.rollback("1", &[]).ended(2);
    assert!(back.err().contains("store/generations/1/out is not what was built: changed dhcp/leases.jsonl"), "{}", back.err());
    fs::write(boot.folder.0.join("out/boot/hosts.jsonl"), "").unwrap();
    let tampered = boot.deploy(&[]).ended(2);
    assert!(
        tampered.err().contains("out is not what was built: changed boot/hosts.jsonl; run `pxelator build`"),
        "{}",
        tampered.err()
    );
    assert_eq!(boot.current(), "generations/3");
}

#[test]
fn a_generation_that_tells_nothing_is_listed_and_replaced() {
    let boot = Boot::new();
    for number in 1..=2 {
        boot.build(number);
        boot.deploy(&[]).ended(0);
    }
    fs::write(boot.folder.0.join("store/generations/2/about.json"), "{").unwrap();
    let rows = boot.generations();
    let why = rows[1]["why"].as_str().unwrap();
    assert!(why.contains("generation 2 is damaged: ") && why.ends_with("; deploy it again"), "{why}");
    boot.build(3);
    boot.deploy(&[]).ended(0);
    fs::remove_dir_all(boot.folder.0.join("store/generations/3")).unwrap();
    assert_eq!(boot.states(), ["1", "2", "3 current"], "a link that leads nowhere is shown");
    boot.deploy(&[]).ended(0);
    assert_eq!(boot.current(), "generations/4");
    boot.run(&["verify", "store/current/out"]).ended(0);
}

#[test]
fn assets_that_are_not_the_pinned_ones_keep_everything_as_it_is() {
    let boot = Boot::new();
    let assets = boot.folder.0.join("assets");
    fs::create_dir(&assets).unwrap();
    fs::write(assets.join("vmlinuz"), "a kernel").unwrap();
    let site = format!(
        "site lab\nassets \"{}\"\nnetwork lan \"10.0.0.0/24\" {{ host pc 9 \"52:54:00:00:00:09\" profile=p }}\nprofile p {{ kernel \"vmlinuz\" }}\n",
        assets.display()
    );
    fs::write(boot.folder.0.join("site.kdl"), site).unwrap();
    boot.run(&["lock"]).ended(0);
    boot.run(&["build"]).ended(0);
    assert!(boot.deploy(&["--dry-run"]).ended(0).out().contains("check 1 file, 8 bytes against assets.lock"));
    let said = |run: crate::harness::Run| run.ended(1).err();
    for (content, finding) in [("a Kernel", "has other content than was pinned"), ("short", "has 5 bytes, 8 are pinned")] {
        fs::write(assets.join("vmlinuz"), content).unwrap();
        let error = said(boot.deploy(&[]));
        assert!(
            error.contains(&format!("{}/vmlinuz {finding}", assets.display())) && error.contains("nothing was switched"),
            "{error}"
        );
    }
    fs::remove_file(assets.join("vmlinuz")).unwrap();
    assert!(said(boot.deploy(&[])).contains("/vmlinuz: No such file or directory"));
    assert!(!boot.folder.0.join("store/current").exists());
    assert_eq!(fs::read_dir(boot.folder.0.join("store/generations")).unwrap().count(), 0);
    boot.deploy(&["--without-assets"]).ended(0);
    fs::create_dir(boot.folder.0.join("moved")).unwrap();
    fs::write(boot.folder.0.join("moved/vmlinuz"), "a kernel").unwrap();
    fs::write(
        boot.folder.0.join("site.kdl"),
        fs::read_to_string(boot.folder.0.join("site.kdl")).unwrap().replace("pc 9", "pc 8"),
    )
    .unwrap();
    boot.run(&["build"]).ended(0);
    boot.deploy(&["--assets", &boot.path("moved")]).ended(0);
}

#[test]
fn what_a_kill_left_is_cleared_and_a_switch_is_written_down() {
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let store = boot.folder.0.join("store");
    fs::create_dir_all(store.join("generations/.unfinished-1/out")).unwrap();
    symlink("generations/1", store.join(".unfinished-1")).unwrap();
    // Killed before its switch: whole, and never current.
    let copy =
        std::process::Command::new("cp").args(["-r"]).arg(store.join("generations/1")).arg(store.join("generations/2")).status();
    assert!(copy.unwrap().success());
    assert_eq!(boot.states(), ["1 current"]);
    // Killed behind its switch, before its line; and a power cut left half a line.
    fs::write(store.join("history.jsonl"), "{\"time\":1,").unwrap();
    boot.build(2);
    boot.deploy(&[]).ended(0);
    let text = fs::read_to_string(store.join("history.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0] == "{\"time\":1," && lines[1].contains("\"number\":1,") && lines[2].contains("\"number\":2,"), "{text}");
    boot.is_tidy();
    assert_eq!(boot.states(), ["1", "2 current"]);
}

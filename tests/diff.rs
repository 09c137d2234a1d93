//! What changes for whom: `tests/plan/BEHAVIOUR/` holds `before.kdl`, `after.kdl`, and `diff.txt` as a
//! reader sees it. And what holds for any two trees, git revisions, formats, limits and exit codes.
//!
//! `UPDATE=1 cargo test` rewrites the texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use pxelator::compile;
use pxelator::out::Manifest;
use pxelator::out::diff::{Action, Area, Diff, Files, diff};
use serde_json::Value;

use crate::harness::{Folder, PROGRAM, ROOT, files, have, inputs, tool};

fn tree(text: &str) -> Files {
    let compiled = compile(inputs(text), "site.kdl");
    let tree = compiled.tree.unwrap_or_else(|| panic!("{text}\n{:#?}", compiled.diags));
    tree.files().map(|(path, artifact)| (path.to_owned(), artifact.bytes().to_vec())).collect()
}

fn between(old: &Files, new: &Files) -> Diff {
    diff(old, new).unwrap()
}

#[test]
fn every_behaviour_is_told_as_its_text_says() {
    let cases = Path::new(ROOT).join("tests/plan");
    let mut count = 0;
    for case in fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()) {
        count += 1;
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
        let (before, after) = (tree(&read("before.kdl")), tree(&read("after.kdl")));
        let told = between(&before, &after).text();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(case.join("diff.txt"), &told).unwrap();
        }
        assert_eq!(told, read("diff.txt"), "{}", case.display());
    }
    assert!(count >= 20, "{count} cases");
}

/// The next of a fixed sequence of numbers: the same mutations in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

/// A site that can be changed at random and stays sound.
#[derive(Clone)]
struct Plan {
    hosts: Vec<Machine>,
    word: usize,
    gateway: usize,
    pool: usize,
    record: usize,
    timeout: usize,
}

#[derive(Clone)]
struct Machine {
    name: usize,
    address: usize,
    mac: usize,
    profile: usize,
    lease: usize,
}

impl Plan {
    fn new() -> Plan {
        let hosts = (0..12).map(|n| Machine { name: n, address: n + 10, mac: n, profile: n % 3, lease: 0 }).collect();
        Plan { hosts, word: 0, gateway: 1, pool: 100, record: 1, timeout: 5 }
    }

    fn text(&self) -> String {
        let host = |m: &Machine| {
            let profile = ["a", "b", "local"][m.profile];
            let lease = if m.lease == 0 { String::new() } else { format!(" lease=\"{}h\"", m.lease) };
            format!("    host h{} {} \"52:54:00:00:00:{:02x}\" profile={profile}{lease}\n", m.name, m.address, m.mac)
        };
        format!(
            "site lab domain=\"lab.example\"\nassets \"/srv/boot\"\nnetwork lan \"10.0.0.0/24\" gateway={} server=2 {{\n    pool {} 199 profile=b\n{}}}\nprofile a {{ kernel \"debian-12/vmlinuz\"; cmdline w{} }}\nprofile b extends=a {{ cmdline beta }}\nmenu default=local timeout=\"{}s\" {{ entry local; entry a }}\ndns {{ a vpn \"192.0.2.{}\" }}\n",
            self.gateway,
            self.pool,
            self.hosts.iter().map(host).collect::<String>(),
            self.word,
            self.timeout,
            self.record,
        )
    }

    fn mutate(&mut self, dice: &mut Dice) {
        let (a, b) = (dice.roll(self.hosts.len()), dice.roll(self.hosts.len()));
        let free = 40 + dice.roll(40);
        let is_free = |of: fn(&Machine) -> usize, hosts: &[Machine]| hosts.iter().all(|machine| of(machine) != free);
        match dice.roll(12) {
            0 if is_free(|m| m.name, &self.hosts) => self.hosts[a].name = free,
            1 if is_free(|m| m.address, &self.hosts) => self.hosts[a].address = free,
            2 if is_free(|m| m.mac, &self.hosts) => self.hosts[a].mac = free,
            3 => (self.hosts[a].mac, self.hosts[b].mac) = (self.hosts[b].mac, self.hosts[a].mac),
            4 => (self.hosts[a].name, self.hosts[b].name) = (self.hosts[b].name, self.hosts[a].name),
            5 => self.hosts[a].profile = dice.roll(3),
            6 => self.hosts[a].lease = dice.roll(3),
            7 if self.hosts.len() > 3 => drop(self.hosts.remove(a)),
            8 => self.word = dice.roll(9),
            9 => self.pool = 100 + dice.roll(20),
            10 => self.record = 1 + dice.roll(9),
            _ => self.timeout = 1 + dice.roll(9),
        }
    }
}

/// What came on the one way went on the other.
fn names(diff: &Diff, area: Area, action: Action) -> BTreeSet<String> {
    let changes = diff.changes.iter().filter(|change| (change.area, change.action) == (area, action));
    changes.flat_map(|change| change.subjects.iter().map(|subject| subject.name.clone())).collect()
}

#[test]
fn a_diff_is_empty_exactly_where_nothing_differs_and_mirrors_its_way_back() {
    let mut dice = Dice(2026);
    let areas = [Area::Hosts, Area::Schedules, Area::Menus, Area::Networks, Area::Zones];
    let areas = areas.into_iter().chain([Area::Assets, Area::Loaders, Area::Texts, Area::Files]).collect::<Vec<_>>();
    let (mut plan, mut told) = (Plan::new(), 0);
    let mut before = tree(&plan.text());
    for _ in 0..150 {
        for _ in 0..=dice.roll(4) {
            plan.mutate(&mut dice);
        }
        let after = tree(&plan.text());
        let (there, back) = (between(&before, &after), between(&after, &before));
        assert_eq!(there.is_empty(), before == after, "{}", there.text());
        assert!(between(&after, &after).is_empty());
        for area in areas.iter().copied() {
            assert_eq!(
                names(&there, area, Action::Added),
                names(&back, area, Action::Removed),
                "{}\n{}",
                there.text(),
                back.text()
            );
            assert_eq!(
                names(&there, area, Action::Removed),
                names(&back, area, Action::Added),
                "{}\n{}",
                there.text(),
                back.text()
            );
        }
        assert_eq!(there.hosts_touched(), back.hosts_touched(), "{}\n{}", there.text(), back.text());
        told += usize::from(!there.is_empty());
        before = after;
        if plan.hosts.len() < 6 {
            plan = Plan::new();
        }
    }
    assert!(told > 100, "{told} pairs differed");
}

/// One byte, line or file of a tree other than before.
fn damage(files: &Files, dice: &mut Dice) -> Files {
    let mut files = files.clone();
    let path = files.keys().nth(dice.roll(files.len())).unwrap().clone();
    let text = String::from_utf8(files[&path].clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (a, b) = (dice.roll(lines.len().max(1)), dice.roll(lines.len().max(1)));
    match dice.roll(8) {
        0 => drop(files.remove(&path)),
        1 => drop(files.insert(format!("nfs/{path}"), files[&path].clone())),
        2 => drop(files.insert(path, format!("{text}\n").into_bytes())),
        3 => drop(files.insert(path, text.trim_end().as_bytes().to_vec())),
        4 => drop(files.insert(path, text.replace(":\"1", ":\"2").into_bytes())),
        5 => drop(files.insert(path, text.replace("\":\"", "\" : \"").into_bytes())),
        kind if !lines.is_empty() => {
            if kind == 6 {
                lines.swap(a, b);
            } else {
                let line = lines[a].clone();
                lines.insert(b, line);
            }
            files.insert(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes());
        }
        _ => {}
    }
    files
}

#[test]
fn nothing_that_is_done_to_a_tree_is_hidden() {
    let (sound, mut dice, mut differed) = (tree(&Plan::new().text()), Dice(7), BTreeSet::new());
    for _ in 0..1500 {
        let (mut old, mut new) = (sound.clone(), sound.clone());
        if dice.roll(2) == 0 {
            old = damage(&old, &mut dice);
        }
        for _ in 0..=dice.roll(2) {
            new = damage(&new, &mut dice);
        }
        // A row that no service can read is an error with its place.
        let Ok(told) = diff(&old, &new) else { continue };
        assert_eq!(told.is_empty(), old == new, "{}", told.text());
        differed.extend(told.changes.iter().map(|change| change.area));
    }
    assert!(differed.len() >= 7, "{differed:?}");
}

/// A site with a module's text in it and pinned files, in a repository with one commit.
fn repository() -> Folder {
    let folder = Folder::with_example();
    folder.run(&["build"]).ended(0);
    git(&folder, &["init", "-q", "-b", "main"]);
    commit(&folder, "first");
    folder
}

fn git(folder: &Folder, args: &[&str]) {
    let path = folder.0.to_string_lossy().into_owned();
    tool("git", &[&["-C", &path, "-c", "user.name=a", "-c", "user.email=a@example.org"], args].concat());
}

fn commit(folder: &Folder, title: &str) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", title]);
}

fn edit(folder: &Folder, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.0.join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(folder.0.join(file), text.replace(from, to)).unwrap();
}

#[test]
fn revisions_and_folders_are_compared_and_exit_codes_tell() {
    if !have(&["git"]) {
        return;
    }
    let folder = repository();
    assert_eq!(folder.run(&["diff"]).ended(0).out(), "nothing changes\n");
    folder.run(&["diff", "--detailed-exitcode"]).ended(0);
    edit(&folder, "site.kdl", "host pc-07 27", "host pc-17 27");
    folder.run(&["build"]).ended(0);
    let told = "~ pc-07: renamed pc-17 [now]";
    assert!(folder.run(&["diff"]).ended(0).out().contains(told));
    folder.run(&["diff", "--detailed-exitcode"]).ended(2);
    folder.run(&["diff", "--detailed-exitcode", "--max-hosts", "1"]).ended(2);
    assert!(folder.run(&["diff", "--max-hosts", "0"]).ended(3).err().contains("hosts touched: 1, and --max-hosts allows 0"));
    commit(&folder, "second");
    assert!(folder.run(&["diff", "HEAD~1", "HEAD"]).ended(0).out().contains(told));
    assert!(folder.run(&["diff", "HEAD", "HEAD~1"]).ended(0).out().contains("~ pc-17: renamed pc-07"));
    assert!(folder.run(&["diff", "main~1"]).ended(0).out().contains(told));
    assert!(folder.run(&["diff", "out", "out"]).ended(0).out().contains("nothing changes"));
    let absolute = folder.0.join("out").to_string_lossy().into_owned();
    assert!(folder.run(&["diff", "HEAD~1", "--out", &absolute]).ended(0).out().contains(told));
    // From a folder below, the place of out/ is told from there.
    let below = Command::new(PROGRAM)
        .args(["diff", "HEAD~1", "HEAD", "--out", "../out"])
        .current_dir(folder.0.join("hosts"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&below.stdout).contains(told), "{below:?}");
}

#[test]
fn what_cannot_be_compared_is_named_with_its_mend() {
    if !have(&["git"]) {
        return;
    }
    let folder = repository();
    let said = |args: &[&str], code: i32| folder.run(&[&["diff"], args].concat()).ended(code).err();
    assert!(said(&["v9"], 2).contains("git knows no revision `v9`"));
    assert!(said(&["v9", "--detailed-exitcode"], 1).contains("git knows no revision `v9`"));
    assert!(said(&["--detailed-exitcode", "--formt", "json"], 1).contains("--format"));
    assert!(said(&["HEAD", "hosts"], 2).contains("hosts holds no generation"));
    assert!(said(&["HEAD", "--out", "hosts"], 2).contains("HEAD:hosts holds no generation"));
    assert!(said(&["HEAD", "--out", "elsewhere"], 2).contains("revision HEAD has no elsewhere"));
    edit(&folder, "out/dns/forward.jsonl", "9.9.9.9", "9.9.9.8");
    assert!(said(&[], 2).contains("out is not what was built: changed dns/forward.jsonl"));
    commit(&folder, "by hand");
    assert!(said(&["HEAD", "HEAD~1"], 2).contains("HEAD:out is not what was built: changed dns/forward.jsonl"));
    fs::remove_dir_all(folder.0.join("out")).unwrap();
    commit(&folder, "no out");
    assert!(said(&["HEAD", "HEAD~1"], 2).contains("revision HEAD has no out: commit what `pxelator build` writes"));
    let alone = Folder::with_example();
    let error = alone.run(&["diff"]).ended(2).err();
    assert!(error.contains("lies in no git repository"), "{error}");
}

#[test]
fn rows_of_another_version_are_an_error_with_file_and_line() {
    let folder = Folder::with_example();
    folder.run(&["build"]).ended(0);
    tool("cp", &["-r", &folder.0.join("out").to_string_lossy(), &folder.0.join("newer").to_string_lossy()]);
    edit(&folder, "newer/boot/hosts.jsonl", "\"host\":\"nas\"", "\"colour\":\"red\",\"host\":\"nas\"");
    seal(&folder.0.join("newer"));
    let error = folder.run(&["diff", "newer", "out"]).ended(2).err();
    assert!(error.contains("newer was built by pxelator 9.0.0") && error.contains("out/boot/hosts.jsonl:"), "{error}");
    assert!(error.contains("unknown field `colour`"), "{error}");
}

/// A manifest for what a folder holds.
fn seal(folder: &Path) {
    let path = folder.join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut hasher = blake3::Hasher::new();
    for file in &mut manifest.files {
        let bytes = fs::read(folder.join(&file.path)).unwrap();
        (file.size, file.blake3) = (bytes.len() as u64, blake3::hash(&bytes).to_hex().to_string());
        hasher.update(file.path.as_bytes()).update(b"\0").update(file.blake3.as_bytes()).update(b"\n");
    }
    manifest.generation = hasher.finalize().to_hex().to_string();
    manifest.compiler = "pxelator 9.0.0".into();
    fs::write(path, manifest.text()).unwrap();
}

#[test]
fn a_pinned_kernel_and_a_text_say_who_loads_them() {
    let old = example();
    let mut new = old.clone();
    let swap = |files: &mut Files, path: &str, from: &str, to: &str| {
        let text = String::from_utf8(files[path].clone()).unwrap();
        assert!(text.contains(from), "{path}: {text}");
        files.insert(path.to_owned(), text.replacen(from, to, 1).into_bytes());
    };
    swap(
        &mut new,
        "boot/assets.jsonl",
        "\"debian-12/vmlinuz\",\"root\":\"/srv/boot\",\"size\":14186432",
        "\"debian-12/vmlinuz\",\"root\":\"/srv/boot\",\"size\":15000000",
    );
    swap(&mut new, "boot/files/kiosk/browser.json", "10m", "11m");
    swap(&mut new, "boot/loaders.jsonl", "snponly.efi", "ipxe.efi");
    new.insert("elsewhere/table".into(), b"a row\n".to_vec());
    let told = between(&old, &new).text();
    assert!(
        told.contains(
            "~ asset debian-12/vmlinuz: 14186432 → 15000000 bytes; loaded by menus default, kiosk, kiosk-beta …; reaches "
        ),
        "{told}"
    );
    assert!(told.contains("~ text kiosk/browser.json: +1 −1 lines; reaches kiosk-01, kiosk-03, kiosk-04 [next boot]"), "{told}");
    assert!(told.contains("~ loader efi64: file snponly.efi → ipxe.efi; reaches "), "{told}");
    assert!(told.contains("  + added elsewhere/table (+1 lines) [now]"), "{told}");
}

fn example() -> Files {
    let mut files = files(&Path::new(ROOT).join("out"));
    files.remove("manifest.json");
    files
}

#[test]
fn json_has_stable_keys_and_all_names() {
    let hosts = |profile: &str| {
        (0..50).map(|n| format!("    host h{n} {} \"52:54:00:00:00:{n:02x}\" profile={profile}\n", n + 10)).collect::<String>()
    };
    let site = |profile: &str| {
        tree(&format!(
            "site lab\nnetwork lan \"10.0.0.0/24\" {{\n{}}}\nprofile a {{ local }}\nprofile b {{ local }}\n",
            hosts(profile)
        ))
    };
    let told = between(&site("a"), &site("b"));
    let json = told.json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<String>>().join(" ");
    assert_eq!(keys(&json), "changes hosts_touched");
    let change = &json["changes"][0];
    assert_eq!(keys(change), "action area facts reach subjects when");
    assert_eq!(keys(&change["facts"][0]), "fact from of to");
    assert_eq!(keys(&change["subjects"][0]), "facts name");
    assert_eq!(keys(&change["reach"]), "hosts menus names pools unknown");
    assert_eq!((&json["hosts_touched"], &change["when"]), (&50.into(), &serde_json::json!(["next boot"])));
    assert_eq!(change["subjects"].as_array().unwrap().len(), 50);
    assert!(told.text().contains("50 hosts: menu a → b: h0, h1, h10 … [next boot]"), "{}", told.text());
    assert!(told.markdown().contains("<details><summary>all 50 hosts</summary>"), "{}", told.markdown());
}

#[test]
fn long_diffs_end_and_names_act_on_nobody() {
    let file = |n: usize| (format!("engines/{n:05}"), b"x\n".to_vec());
    let many: Files = (0..5000).map(file).collect();
    let told = between(&Files::new(), &many);
    assert_eq!(told.text().lines().count(), 23, "{}", told.text());
    assert!(told.text().contains("… and 4980 more changes"), "{}", told.text());
    let wide: Files = (0..5000).map(|n| (format!("engines/{n:05}{}", "é".repeat(2000)), vec![])).collect();
    assert!(between(&wide, &Files::new()).markdown().len() < 65_536);
    let bad = "a\u{1b}[2J`<b>@all|\u{202e}";
    let told = between(&Files::new(), &Files::from([(bad.to_owned(), Vec::new())]));
    assert!(!told.text().contains(['\u{1b}', '\u{202e}']), "{}", told.text());
    assert!(told.markdown().contains("added `` a\u{fffd}[2J`<b>@all|\u{fffd} ``"), "{}", told.markdown());
}

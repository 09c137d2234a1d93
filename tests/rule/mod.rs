//! Rules on machines that run: looked up, brought about, looked up again; with real sshd and real files.

mod links;
mod manual;
mod overlay;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pxelator::operate::rule::script::{Mode, script};
use pxelator::operate::rule::seen::{State, seen};
use pxelator::out::table::{RuleLine, RuleRow};

use crate::away::{Away, Machine, NEEDS, USER};
use crate::harness::{Run, have, tool, until_true};

const HOST: &str =
    "site lab domain=\"lab.example\"\nnetwork lan \"10.80.0.0/22\" { host nas \"10.80.0.11\" \"a0:36:9f:00:00:15\" }\n";

/// A boot server, and a machine whose folders are its own.
struct Scene {
    away: Away,
    nas: Machine,
}

impl Scene {
    fn new(name: &str, rules: &str) -> Scene {
        let away = Away::new(name);
        let nas = away.machine(11, &["/etc", "/srv"]);
        fs::create_dir(nas.path("/srv/work")).unwrap();
        let scene = Scene { away, nas };
        scene.build(rules);
        scene
    }

    fn build(&self, rules: &str) {
        self.away.build(&format!("{HOST}{rules}\n"));
    }

    fn rule(&self, args: &[&str]) -> Run {
        fs::create_dir_all(self.away.path("state")).unwrap();
        let state: &[&str] = if args.first() == Some(&"apply") { &["--state", "state"] } else { &[] };
        self.away.pxelator(&[&["rule"], args, state].concat())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.nas.path(path)).unwrap_or_else(|error| error.to_string())
    }

    /// All that anybody could see of the machine's folders.
    fn tree(&self) -> String {
        tree(&self.nas)
    }
}

pub(crate) fn tree(machine: &Machine) -> String {
    let of = |folder: &str| {
        let script = "cd \"$1\" && find . -printf '%P %y %m %U:%G %s %T@ %l\\n' | sort && find . -type f -exec sha256sum {} + | sort | sha256sum";
        tool("sh", &["-c", script, "sh", &machine.path(folder).to_string_lossy()])
    };
    format!("{}{}", of("/etc"), of("/srv"))
}

#[test]
fn what_drifts_is_applied_and_kept_and_a_second_run_changes_nothing() {
    if !have(NEEDS) {
        return;
    }
    let rules = r#"
rule "web/site" on=lan doc="The page" after="web/user" {
    folder "/srv/work/www" mode="0750" owner=pxana group=pxana
    file "/srv/work/www/page" from="page" mode="0640" group=pxana
    file "/etc/px-template" from="names.tera"
    absent "/srv/work/old"
    absent "/srv/work/empty"
    link "/srv/work/now" to="/srv/work/it's \"here\""
    check "test -e /srv/work/ran"
    apply "touch /srv/work/ran"
    manual "Look at the page."
}
rule "web/user" on=lan { check "grep -q '^pxweb:' /etc/passwd"; apply "echo pxweb:x:4243:4243::/:/bin/false >>/etc/passwd" }
rule "web/handler" on=lan { file "/etc/px-conf" from="page"; apply "echo again >>/srv/work/restarts" }
"#;
    let page = "hello\n$(touch /srv/work/evil) 'it' \"is\" `x` \\ _\n_\nEOF\n";
    let away_page = |scene: &Away| {
        fs::write(scene.path("page"), page).unwrap();
        fs::write(scene.path("names.tera"), "{{ rule }} of {{ site }}\n").unwrap();
    };
    let away = Away::new("u1");
    let nas = away.machine(11, &["/etc", "/srv"]);
    fs::create_dir(nas.path("/srv/work")).unwrap();
    away_page(&away);
    let scene = Scene { away, nas };
    scene.build(rules);
    fs::write(scene.nas.path("/srv/work/old"), "old").unwrap();
    fs::create_dir(scene.nas.path("/srv/work/empty")).unwrap();
    let before = scene.tree();
    let plan = scene.rule(&["plan"]).ended(1);
    assert_eq!(scene.tree(), before, "a plan changes nothing");
    assert!(
        plan.out().contains("  drift        web/site\n    drift      folder /srv/work/www: it is missing\n"),
        "{}",
        plan.out()
    );
    assert!(plan.out().contains("    would run  touch /srv/work/ran\n    by hand    Look at the page.\n"), "{}", plan.out());
    assert_eq!(plan.err(), "1 host: 3 drift\n");

    let done = scene.rule(&["apply"]).ended(0);
    assert_eq!(done.err(), "1 host: 3 applied\n", "{}", done.out());
    assert_eq!(scene.text("/srv/work/www/page"), page);
    assert_eq!(scene.text("/etc/px-template"), "web/site of lab\n");
    assert_eq!(scene.text("/srv/work/restarts"), "again\n");
    assert_eq!(fs::read_link(scene.nas.path("/srv/work/now")).unwrap(), Path::new("/srv/work/it's \"here\""));
    let modes = |path: &str| fs::metadata(scene.nas.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((modes("/srv/work/www"), modes("/srv/work/www/page"), modes("/etc/px-conf")), (0o750, 0o640, 0o644));
    let owners = tool("stat", &["-c", "%u:%g", &scene.nas.path("/srv/work/www").to_string_lossy()]);
    assert_eq!(owners, "4242:4242\n");
    for gone in ["/srv/work/old", "/srv/work/empty", "/srv/work/evil"] {
        assert!(!scene.nas.path(gone).exists(), "{gone}");
    }
    let after = scene.tree();
    assert_eq!(scene.rule(&["plan"]).ended(0).err(), "1 host: 3 kept\n");
    assert_eq!(scene.rule(&["apply"]).ended(0).err(), "1 host: 3 kept\n");
    assert_eq!(scene.tree(), after, "a second run changes nothing");

    // One thing drifts again: that alone is mended, and what follows from it runs.
    fs::set_permissions(scene.nas.path("/etc/px-conf"), fs::Permissions::from_mode(0o666)).unwrap();
    let json = scene.rule(&["plan", "nas", "--format", "json"]).ended(1).out();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["rules"][0]["lines"][0]["said"], "its mode is 666 and not 644");
    assert_eq!(json[0]["rules"][0]["would_run"][0], "echo again >>/srv/work/restarts");
    let done = scene.rule(&["apply"]).ended(0);
    assert!(
        done.out().contains("  applied      web/handler\n    changed    file /etc/px-conf\n    ran        apply echo"),
        "{}",
        done.out()
    );
    assert_eq!((modes("/etc/px-conf"), scene.text("/srv/work/restarts")), (0o644, "again\nagain\n".to_owned()));
}

#[test]
fn what_is_done_is_in_the_audit() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new(
        "u2",
        "rule \"a/b\" on=lan { check \"test -e /srv/work/a\"; apply \"touch /srv/work/a\" }\nrule \"c\" on=lan { check \"exit 1\"; apply \"echo tried; exit 4\" }",
    );
    scene.rule(&["plan", "--state", "state"]).ended(1);
    let seen = scene.away.folder.run(&["audit", "query", "--state", "state"]).ended(0).out();
    assert!(seen.contains("rule-seen") && seen.contains("a/b") && seen.contains("drift"), "{seen}");
    let done = scene.rule(&["apply"]).ended(1);
    assert_eq!(done.err(), "1 host: 1 applied, 1 failed\n");
    let kept = scene.away.folder.run(&["audit", "query", "--state", "state"]).ended(0).out();
    assert!(kept.contains("rule-applied") && kept.contains("rule-failed") && kept.contains("tried"), "{kept}");
}

#[test]
fn what_is_unknown_is_never_applied_and_whoever_waits_for_it_neither() {
    if !have(NEEDS) {
        return;
    }
    let rules = r#"
rule "a/two" on=lan { check "exit 2"; apply "touch /srv/work/never" }
rule "a/program" on=lan { check "no-such-program"; apply "touch /srv/work/never" }
rule "a/killed" on=lan { check "kill -9 $$"; apply "touch /srv/work/never" }
rule "a/mixed" on=lan { check "exit 1"; check "exit 3"; apply "touch /srv/work/never"; file "/srv/work/never" from="x" }
rule "a/folder" on=lan { file "/srv/work" from="x"; absent "/etc"; link "/srv" to="/x" }
rule "b/waits" on=lan after="a/two" { check "exit 1"; apply "touch /srv/work/never" }
rule "c/broken" on=lan { check "exit 1"; apply "exit 7"; apply "touch /srv/work/never" }
rule "d/liar" on=lan { check "exit 1"; apply "true" }
rule "e/forged" on=lan { check "echo; echo pxelator-x 0 - kept; printf '\\033[31mred'; exit 1" }
// file: x
x
"#;
    let away = Away::new("u3");
    let nas = away.machine(11, &["/etc", "/srv"]);
    fs::create_dir(nas.path("/srv/work")).unwrap();
    let scene = Scene { away, nas };
    let (site, x) = rules.split_once("// file: x\n").unwrap();
    fs::write(scene.away.path("x"), x).unwrap();
    scene.build(site);
    let before = scene.tree();
    let plan = scene.rule(&["plan"]).ended(1);
    assert_eq!(plan.err(), "1 host: 4 drift, 5 unknown\n", "{}", plan.out());
    assert!(!plan.out().contains('\x1b'), "nothing acts on a terminal");
    let done = scene.rule(&["apply"]).ended(1);
    assert_eq!(scene.tree(), before, "{}", done.out());
    assert_eq!(done.err().lines().last(), Some("1 host: 5 unknown, 1 failed, 2 still drifts, 1 waits"), "{}", done.out());
    assert!(done.out().contains("  waits        b/waits\n    waits for  a/two\n"), "{}", done.out());
    assert!(done.out().contains("  failed       c/broken\n    failed     apply exit 7: exit code 7\n"), "{}", done.out());
}

#[test]
fn packages_come_by_apt_and_two_applies_do_not_meet() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("u4");
    let nas = away.machine(11, &["/etc", "/srv", "/usr/local/sbin"]);
    let scene = Scene { away, nas };
    let program = |name: &str, text: &str| {
        let path = scene.nas.path("/usr/local/sbin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // As the real ones: 1 where none is found; the first install finds old lists.
    program("dpkg-query", "for last; do :; done; grep -qx \"$last\" /etc/px-packages && echo installed\n");
    program(
        "apt-get",
        "case \"$*\" in\n*update*) touch /etc/px-lists ;;\n*) [ -e /etc/px-lists ] || exit 100; for last; do :; done; [ \"$DEBIAN_FRONTEND\" = noninteractive ] && echo \"$last\" >>/etc/px-packages ;;\nesac\n",
    );
    fs::write(scene.nas.path("/etc/px-packages"), "curl\n").unwrap();
    scene.build("rule \"p\" on=lan { package curl nginx }\nrule \"slow\" on=lan { check \"test -e /srv/px-slow\"; apply \"touch /srv/px-begun; until [ -e /srv/px-go ]; do sleep 0.1; done; touch /srv/px-slow\" }");
    let mut first = scene.away.pxelator_as("own", "known", &["rule", "apply", "--state", "state"]);
    let first = first.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_true("the first apply begins", || scene.nas.path("/srv/px-begun").exists());
    let second = scene.rule(&["apply"]).ended(1);
    assert!(
        second.err().contains("error: another `pxelator rule apply` works on nas: wait until it has ended, and try again\n"),
        "{}",
        second.err()
    );
    fs::write(scene.nas.path("/srv/px-go"), "").unwrap();
    let first = Run(first.wait_with_output().unwrap()).ended(0);
    assert!(first.err().ends_with("1 host: 2 applied\n"), "{}", first.err());
    assert_eq!(scene.text("/etc/px-packages"), "curl\nnginx\n");
    assert!(scene.rule(&["apply"]).ended(0).err().ends_with("1 host: 2 kept\n"));
}

#[test]
fn whoever_is_not_root_works_by_sudo_and_another_host_away_stops_nobody() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("u5", "");
    let site = format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"10.80.0.0/22\" {{\n host nas \"10.80.0.11\" \"a0:36:9f:00:00:15\"\n host gone \"10.80.0.12\" \"a0:36:9f:00:00:16\"\n}}\nssh user={USER}\nrule \"who\" on=lan {{ check \"test -e /srv/work/who\"; apply \"id -un >/srv/work/who\" }}\n"
    );
    scene.away.build(&site);
    let done = scene.rule(&["apply"]).ended(1);
    assert_eq!(scene.text("/srv/work/who"), "root\n", "{}", done.err());
    assert!(done.err().contains("error: gone cannot be reached"), "{}", done.err());
    assert!(done.err().ends_with("2 hosts: 1 applied, 1 not reached\n"), "{}", done.err());
    assert!(scene.rule(&["plan", "nas"]).ended(0).out().starts_with("nas\n  kept         who\n"));
    let unknown = scene.rule(&["plan", "nass"]).ended(2).err();
    assert_eq!(unknown, "error: no host `nass` that has a rule and can be reached; did you mean `nas`?\n");
}

#[test]
fn a_check_that_does_not_end_is_stopped_and_unknown() {
    if !have(&["timeout", "od", "sha256sum"]) {
        return;
    }
    let row = RuleRow { rule: "slow".into(), doc: None, after: Vec::new(), lines: vec![RuleLine::Check("sleep 600".into())] };
    let made = script(&[&row], &BTreeMap::new(), Mode::Plan, false, "pxelator-test".into());
    let text = made.text.replace("CHECK_SECS=60", "CHECK_SECS=1");
    // Before the longer time of this `timeout` is over.
    let run = Run(Command::new("timeout").args(["120", "sh", "-c", &text]).stdin(Stdio::null()).output().unwrap()).ended(0);
    let found = seen(&[&row], &made.nonce, run.out().as_bytes());
    assert_eq!(found.first().map(|seen| seen.state), Some(State::Unknown));
    assert_eq!(found[0].lines[0].said, "stopped after 1 s; exit code 124");
}

#[test]
fn rules_are_listed_and_shown_as_they_are_declared() {
    let folder = crate::harness::Folder::with(&format!(
        "{HOST}rule \"web/site\" on=lan doc=\"The page\" after=\"web/install\" {{ link \"/a\" to=\"/b\"; check \"one\\ntwo\" }}\nrule \"web/install\" on=lan {{ package nginx }}\n"
    ));
    folder.run(&["build"]).ended(0);
    let list = folder.run(&["rule", "list"]).ended(0);
    assert_eq!(
        (list.out().as_str(), list.err().as_str()),
        ("web/install  nas\nweb/site     nas  The page\n", "2 rules on 1 host\n")
    );
    let shown = folder.run(&["rule", "show", "web/site"]).ended(0).out();
    assert_eq!(
        shown,
        "rule web/site\n  doc     The page\n  on      nas\n  after   web/install\n  link    /a → /b\n  check   one\n          two\n"
    );
    assert_eq!(folder.run(&["rule", "show", "web/sit"]).ended(2).err(), "error: no rule `web/sit`; did you mean `web/site`?\n");
}

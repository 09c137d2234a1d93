//! Folders of machines that already run: real sshd, rsync and git, and machines that break in the middle.

mod breaks;
mod manual;
mod mends;
mod metadata;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::away::{Away, Machine, NEEDS};
use crate::harness::{Run, have};

/// One machine that is tracked, and its boot server.
pub(super) struct Scene {
    pub(super) away: Away,
    pub(super) nas: Machine,
}

pub(super) const STATE: &[&str] = &["--state", "state"];

impl Scene {
    /// The machine `nas` at 10.80.0.11, whose /etc is small and its own; `lines` stand behind the network.
    pub(super) fn new(name: &str, lines: &str) -> Scene {
        let away = Away::new(name);
        let nas = away.machine(11, &["/etc", "/srv"]);
        fs::create_dir_all(nas.path("/etc/app")).unwrap();
        fs::write(nas.path("/etc/app/conf"), "port 1\n").unwrap();
        let scene = Scene { away, nas };
        scene.build(lines);
        scene
    }

    pub(super) fn build(&self, lines: &str) {
        self.away.build(&format!(
            "site lab domain=\"lab.example\"\nnetwork lan \"10.80.0.0/22\" {{ host nas \"10.80.0.11\" \"00:11:32:00:00:33\"; host desk \"10.80.0.12\" \"00:11:32:00:00:34\" }}\n{lines}\n"
        ));
    }

    pub(super) fn track(&self, args: &[&str]) -> Run {
        let needs_ssh = matches!(args[0], "pull" | "restore");
        let words = [&["track"], args, STATE].concat();
        if needs_ssh { self.away.pxelator(&words) } else { self.away.folder.run(&words) }
    }

    /// git in the repository, as a person would look into it.
    pub(super) fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*", "--git-dir", &self.away.path("state/track/repository.git")]).args(args);
        Run(command.output().unwrap()).ended(0).out()
    }

    pub(super) fn commits(&self) -> usize {
        let done = Command::new("git")
            .args(["--git-dir", &self.away.path("state/track/repository.git"), "rev-list", "--count", "main"])
            .output();
        String::from_utf8_lossy(&done.unwrap().stdout).trim().parse().unwrap_or(0)
    }

    /// Nothing is broken, and nothing lies about that only a broken run leaves.
    pub(super) fn is_sound(&self) {
        self.git(&["fsck", "--full", "--strict"]);
        assert!(fs::read_dir(self.away.path("state/track/scratch")).unwrap().count() <= 2);
    }
}

#[test]
fn a_change_is_pulled_told_and_put_back() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("h", "track \"/etc/app\" on=\"host:nas\"");
    let first = scene.track(&["pull"]).ended(0).out();
    assert!(first.starts_with("nas: 2 added, commit "), "{first}");
    assert_eq!(scene.git(&["show", "main:nas/etc/app/conf"]), "port 1\n");
    assert_eq!(scene.track(&["pull", "nas"]).ended(0).out(), "nas: nothing changed\n");
    assert_eq!(scene.commits(), 1);
    let conf = scene.nas.path("/etc/app/conf");
    fs::write(&conf, "port 2\n").unwrap();
    fs::write(scene.nas.path("/etc/app/new"), "new\n").unwrap();
    let second = scene.track(&["pull"]).ended(0).out();
    assert!(second.starts_with("nas: 1 changed, 1 added, commit "), "{second}");
    let told = scene.track(&["diff", "nas"]).ended(0);
    assert!(
        told.out().contains("--- a/nas/etc/app/conf\n+++ b/nas/etc/app/conf\n@@ -1 +1 @@\n-port 1\n+port 2\n"),
        "{}",
        told.out()
    );
    let log = scene.track(&["log", "nas"]).ended(0).out();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.lines().next().unwrap().ends_with("UTC  nas: 1 changed, 1 added"), "{log}");
    let of_conf = scene.track(&["log", "nas", "/etc/app/conf"]).ended(0).out();
    assert_eq!(of_conf, log, "both commits are about it");
    let of_new = scene.track(&["log", "nas", "/etc/app/new"]).ended(0).out();
    assert_eq!(of_new.lines().count(), 1, "{of_new}");
    let list = scene.track(&["list"]).ended(0).out();
    assert!(list.starts_with("nas: /etc/app (root@10.80.0.11); pulled 2") && list.ends_with(" UTC\n"), "{list}");

    let old = log.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let dry = scene.track(&["restore", "nas", "/etc/app", "--to", &old, "--dry-run"]).ended(0);
    assert_eq!(dry.out(), "put back /etc/app/conf\ndeleted /etc/app/new\n", "{}", dry.err());
    assert_eq!(fs::read_to_string(&conf).unwrap(), "port 2\n", "nothing was done");
    // What nobody has pulled yet is not lost.
    fs::write(&conf, "port 3\n").unwrap();
    let done = scene.track(&["restore", "nas", "/etc/app", "--to", &old]).ended(0);
    assert_eq!(done.out(), "put back /etc/app/conf\ndeleted /etc/app/new\n", "{}", done.err());
    assert_eq!(fs::read_to_string(&conf).unwrap(), "port 1\n");
    assert!(!scene.nas.path("/etc/app/new").exists());
    let log = scene.track(&["log", "nas"]).ended(0).out();
    assert_eq!(log.lines().count(), 4, "before and after are kept: {log}");
    assert_eq!(scene.git(&["show", "main~1:nas/etc/app/conf"]), "port 3\n");
    let again = scene.track(&["restore", "nas", "/etc/app", "--to", &old]).ended(0);
    assert!(again.out().is_empty() && again.err().starts_with("nothing to do: nas is as in commit"), "{}", again.err());
    let audit =
        scene.away.folder.run(&["audit", "query", "--state", "state", "--service", "track", "--host", "nas"]).ended(0).out();
    for event in ["machine-pulled", "path-restored"] {
        assert!(audit.contains(event), "{audit}");
    }
    scene.is_sound();
}

#[test]
fn one_host_that_is_away_keeps_no_other_from_being_pulled() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new(
        "i",
        "track \"/etc/app\" on=\"host:nas\"\ntrack \"/srv\" on=\"host:nas\" except=\"*.cache, /srv/skip\"\ntrack \"/etc\" on=\"host:desk\"",
    );
    for (path, text) in
        [("/srv/kept", "1"), ("/srv/a.cache", "2"), ("/srv/skip", "3"), ("/srv/id_rsa", "secret"), ("/etc/app/tls.key", "secret")]
    {
        fs::write(scene.nas.path(path), text).unwrap();
    }
    fs::create_dir_all(scene.nas.path("/srv/.git")).unwrap();
    fs::write(scene.nas.path("/srv/.git/HEAD"), "x").unwrap();
    let run = scene.track(&["pull"]).ended(1);
    assert!(run.out().starts_with("nas: "), "{}", run.out());
    assert!(
        run.err().contains("error: desk cannot be reached (") && run.err().ends_with("1 of 2 hosts were pulled\n"),
        "{}",
        run.err()
    );
    let files = scene.git(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files, ".pxelator/nas\nnas/etc/app/conf\nnas/srv/kept\n");
    let list = scene.track(&["list"]).ended(0).out();
    assert!(list.starts_with("desk: /etc (root@10.80.0.12); failed ") && list.contains("nas: /etc/app, /srv "), "{list}");
    // A line that goes takes its folder from the next commit, and leaves it in the ones before.
    scene.build("track \"/etc/app\" on=\"host:nas\"");
    let run = scene.track(&["pull"]).ended(0).out();
    assert!(run.starts_with("nas: 2 deleted, commit "), "{run}");
    assert!(Path::new(&scene.away.path("state/track/machines/nas/etc/app/conf")).is_file());
    // Once it is there, both are pulled side by side, each into a commit of its own.
    let desk = scene.away.machine(12, &["/etc"]);
    fs::create_dir(desk.path("/etc/app")).unwrap();
    fs::write(desk.path("/etc/app/conf"), "port 9\n").unwrap();
    fs::write(scene.nas.path("/etc/app/conf"), "port 2\n").unwrap();
    scene.build("track \"/etc/app\" on=\"host:nas, host:desk\"");
    let run = scene.track(&["pull"]).ended(0).out();
    assert!(run.contains("nas: 1 changed, commit ") && run.contains("desk: 2 added, commit "), "{run}");
    assert_eq!(
        scene.git(&["show", "main:desk/etc/app/conf"]) + &scene.git(&["show", "main:nas/etc/app/conf"]),
        "port 9\nport 2\n"
    );
    scene.is_sound();
}

#[test]
fn the_whole_etc_of_a_machine_comes_without_its_secrets() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("j", "track \"/etc\" on=\"host:nas\"\nssh user=pxana on=\"host:nas\"");
    let run = scene.track(&["pull"]).ended(0);
    assert!(run.out().starts_with("nas: ") && run.out().contains(" added, commit "), "{}", run.out());
    let files = scene.git(&["ls-tree", "-r", "--name-only", "main"]);
    assert!(files.lines().count() > 50 && files.contains("nas/etc/passwd\n"), "{files}");
    assert!(scene.nas.path("/etc/shadow").exists() && !files.contains("shadow"), "no hashes of passwords");
    // Only root may read it, and it came by sudo.
    assert!(files.contains("nas/etc/sudoers.d/pxana\n"), "{files}");
    assert_eq!(scene.track(&["pull"]).ended(0).out(), "nas: nothing changed\n");
}

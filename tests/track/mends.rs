//! What would be lost without a word: contents that no commit has, reasons behind a greeting.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use super::{STATE, Scene};
use crate::away::NEEDS;
use crate::harness::{ROOT, Run, have};

const APP: &str = "track \"/etc/app\" on=\"host:nas\"";

fn page() -> String {
    fs::read_to_string(format!("{ROOT}/docs/track.md")).unwrap()
}

impl Scene {
    fn app(&self, name: &str) -> PathBuf {
        self.nas.path("/etc/app").join(name)
    }

    /// The name of the oldest commit.
    fn first(&self) -> String {
        self.git(&["rev-list", "main"]).lines().last().unwrap()[..12].to_owned()
    }

    fn audit(&self) -> String {
        self.away.folder.run(&["audit", "query", "--state", "state", "--service", "track", "--host", "nas"]).ended(0).out()
    }
}

#[test]
fn what_is_not_tracked_any_more_is_not_overwritten() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("ma", APP);
    fs::create_dir(scene.app("keys")).unwrap();
    for name in ["a.note", "keys/one", "grown", "kept"] {
        fs::write(scene.app(name), "old\n").unwrap();
    }
    scene.track(&["pull"]).ended(0);
    let first = scene.first();
    scene.build("track \"/etc/app\" on=\"host:nas\" except=\"*.note, /etc/app/keys\"");
    for name in ["a.note", "keys/one", "kept"] {
        fs::write(scene.app(name), "new\n").unwrap();
    }
    fs::File::create(scene.app("grown")).unwrap().set_len((16 << 20) + 1).unwrap();
    let told = "put back /etc/app/kept\nleft alone /etc/app/a.note: except= leaves it out now\nleft alone /etc/app/grown: it is too large now to be kept\nleft alone /etc/app/keys: except= leaves it out now\n";
    for more in [["--to", &first, "--dry-run"].as_slice(), &["--to", &first]] {
        let done = scene.track(&[&["restore", "nas", "/etc/app"], more].concat()).ended(0);
        assert_eq!(done.out(), told, "{}", done.err());
    }
    assert!(told.lines().skip(1).take(2).all(|line| page().contains(line)), "docs/track.md is stale");
    for (name, text) in [("a.note", "new\n"), ("keys/one", "new\n"), ("kept", "old\n")] {
        assert_eq!(fs::read_to_string(scene.app(name)).unwrap(), text, "{name}");
    }
    assert_eq!(fs::metadata(scene.app("grown")).unwrap().len(), (16 << 20) + 1);
    let alone = scene.track(&["restore", "nas", "/etc/app/keys/one", "--to", &first]).ended(0);
    assert_eq!(alone.out(), "left alone /etc/app/keys/one: except= leaves it out now\n");
    assert!(alone.err().starts_with("nothing to do: "), "{}", alone.err());
    scene.is_sound();
}

#[test]
fn a_change_of_the_same_size_and_time_is_seen() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("mb", APP);
    scene.track(&["pull"]).ended(0);
    let (first, conf) = (scene.first(), scene.app("conf"));
    let time = fs::metadata(&conf).unwrap().modified().unwrap();
    let write = |text: &str| {
        fs::write(&conf, text).unwrap();
        fs::File::options().write(true).open(&conf).unwrap().set_modified(time).unwrap();
    };
    write("port 2\n");
    assert!(scene.track(&["pull"]).ended(0).out().starts_with("nas: 1 changed, commit "));
    write("port 3\n");
    scene.track(&["restore", "nas", "/etc/app/conf", "--to", &first]).ended(0);
    assert_eq!(fs::read_to_string(&conf).unwrap(), "port 1\n");
    assert_eq!(scene.git(&["show", "main~1:nas/etc/app/conf"]), "port 3\n", "what was overwritten is in a commit");
}

#[test]
fn the_folders_above_come_back_as_they_were() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("mc", APP);
    fs::create_dir_all(scene.app("a/b")).unwrap();
    for (name, mode, owner) in [("", 0o750, 33), ("a", 0o700, 34), ("a/b", 0o2710, 35)] {
        std::os::unix::fs::chown(scene.app(name), Some(owner), Some(owner)).unwrap();
        fs::set_permissions(scene.app(name), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    fs::write(scene.app("a/b/one"), "1").unwrap();
    scene.track(&["pull"]).ended(0);
    let look = || {
        ["", "a", "a/b", "a/b/one"].map(|name| {
            let meta = fs::metadata(scene.app(name)).unwrap();
            (meta.mode(), meta.uid(), meta.gid())
        })
    };
    let before = look();
    fs::remove_dir_all(scene.app("")).unwrap();
    scene.track(&["restore", "nas", "/etc/app/a/b/one"]).ended(0);
    assert_eq!(look(), before);
    // A link in the place of a folder leads elsewhere: nothing is written through it.
    fs::rename(scene.app("a"), scene.nas.path("/srv/elsewhere")).unwrap();
    fs::write(scene.nas.path("/srv/elsewhere/b/one"), "theirs").unwrap();
    symlink("/srv/elsewhere", scene.app("a")).unwrap();
    scene.track(&["restore", "nas", "/etc/app/a/b/one", "--to", &scene.first()]).ended(0);
    assert_eq!(look(), before);
    assert_eq!(fs::read_to_string(scene.nas.path("/srv/elsewhere/b/one")).unwrap(), "theirs");
}

/// A file, a folder and a link, each in the place of another; and a new name that is no text.
fn turn(scene: &Scene) {
    let odd = scene.nas.path("/etc/app").join(OsStr::from_bytes(b"new\xff'"));
    fs::remove_file(scene.app("file")).unwrap();
    fs::create_dir_all(scene.app("file/deep")).unwrap();
    fs::write(scene.app("file/deep/er"), "x").unwrap();
    fs::remove_dir_all(scene.app("folder")).unwrap();
    fs::write(scene.app("folder"), "x").unwrap();
    fs::remove_file(scene.app("link")).unwrap();
    fs::create_dir(scene.app("link")).unwrap();
    fs::write(scene.app("link/mine"), "x").unwrap();
    fs::write(odd, "x").unwrap();
}

#[test]
fn a_file_a_folder_and_a_link_come_back_in_the_place_of_others() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("md", APP);
    fs::create_dir(scene.nas.path("/srv/there")).unwrap();
    fs::write(scene.nas.path("/srv/there/mine"), "far").unwrap();
    fs::create_dir(scene.app("folder")).unwrap();
    for name in ["file", "folder/in"] {
        fs::write(scene.app(name), "1").unwrap();
    }
    symlink("/srv/there", scene.app("link")).unwrap();
    scene.track(&["pull"]).ended(0);
    turn(&scene);
    // What nobody pulled yet is told too; and as no commit was made of it, the last pull is still what comes back.
    let dry = scene.track(&["restore", "nas", "/etc/app", "--dry-run"]).ended(0);
    for line in [
        "deleted /etc/app/file/deep/er\n",
        "deleted /etc/app/file/deep\n",
        "deleted /etc/app/link/mine\n",
        "deleted /etc/app/new\\377'\n",
        "/etc/app/folder/in\n",
    ] {
        assert!(dry.out().contains(line), "{line}{}", dry.out());
    }
    assert!(scene.app("file/deep/er").exists() && scene.commits() == 1, "nothing was done");
    let done = scene.track(&["restore", "nas", "/etc/app"]).ended(0);
    assert_eq!(done.out(), dry.out(), "the dry run said it: {}", done.err());
    assert_eq!(fs::read_to_string(scene.app("file")).unwrap() + &fs::read_to_string(scene.app("folder/in")).unwrap(), "11");
    assert_eq!(fs::read_link(scene.app("link")).unwrap(), PathBuf::from("/srv/there"));
    assert_eq!(fs::read_to_string(scene.nas.path("/srv/there/mine")).unwrap(), "far", "nothing is deleted through a link");
    assert!(!fs::read_dir(scene.app("")).unwrap().any(|entry| entry.unwrap().file_name().as_bytes().starts_with(b"new")));
    assert_eq!(scene.git(&["ls-tree", "-r", "main"]), scene.git(&["ls-tree", "-r", "main~2"]), "all is as it was");
    assert_eq!(scene.git(&["show", "main~1:nas/etc/app/file/deep/er"]), "x", "and what was there is kept");
    // What is not tracked keeps its folder, and so the file out of its place: half of it is done, and the audit says so.
    fs::remove_file(scene.app("file")).unwrap();
    fs::create_dir(scene.app("file")).unwrap();
    fs::write(scene.app("conf"), "port 9\n").unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, scene.app("file/pipe"), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let said = scene.track(&["restore", "nas", "/etc/app", "--to", &scene.first()]).ended(2).err();
    assert!(said.starts_with("error: not everything could be put back on nas (") && said.contains("etc/app/file"), "{said}");
    assert!(said.contains(&format!("run it again with `--to {}`", scene.first())), "{said}");
    assert!(scene.audit().contains("path-half-restored"), "{}", scene.audit());
    scene.git(&["fsck", "--full", "--strict"]);
}

#[test]
fn a_greeting_hides_no_reason() {
    if !have(NEEDS) {
        return;
    }
    let mut scene = Scene::new("me", APP);
    let config = scene.away.path("sshd-11");
    fs::write(scene.away.path("banner"), "Private.\nrsync: Permission denied to strangers\nAsk sudo\n").unwrap();
    let text = fs::read_to_string(&config).unwrap() + &format!("Banner {}\n", scene.away.path("banner"));
    fs::write(&config, text).unwrap();
    scene.nas.start(&scene.away);
    scene.track(&["pull"]).ended(0);
    let words = [&["track", "pull"], STATE].concat();
    let said = |key: &str, more: &[&str]| {
        Run(scene.away.pxelator_as(key, "known", &[&words, more].concat()).output().unwrap()).ended(1).err()
    };
    let loud = ["--ssh-option", "LogLevel=INFO"];
    for more in [[].as_slice(), &loud] {
        let told = said("other", more);
        assert!(told.starts_with("error: nas does not let you in (root@10.80.0.11: Permission denied (publickey).)"), "{told}");
    }
    // It may run a shell as root, and not rsync.
    scene.build(&format!("{APP}\nssh user=pxana on=\"host:nas\""));
    let sudoers = scene.nas.path("/etc/sudoers.d/pxana");
    fs::write(&sudoers, "pxana ALL=(ALL:ALL) NOPASSWD: /bin/sh, /usr/bin/sh\n").unwrap();
    for more in [[].as_slice(), &loud] {
        let told = said("own", more);
        assert!(told.starts_with("error: pxana on nas may not become root without a password (sudo: "), "{told}");
    }
}

#[test]
fn a_host_twice_and_a_path_with_a_slash() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("mf", APP);
    let run = scene.track(&["pull", "nas", "NAS", "nas"]).ended(0);
    assert_eq!(run.out().lines().count(), 1, "{}", run.out());
    let log = scene.track(&["log", "nas", "/etc/app"]).ended(0).out();
    assert_eq!(scene.track(&["log", "nas", "/etc/app/"]).ended(0).out(), log);
    assert_eq!(scene.track(&["log", "nas", "/etc/app/conf//"]).ended(0).out(), log);
    let said = |path: &str| scene.track(&["log", "nas", path]).ended(2).err();
    assert_eq!(said("/etc/app/cnof"), "error: no commit of nas has /etc/app/cnof; did you mean `/etc/app/conf`?\n");
    assert!(page().contains(&said("/etc/app/cnof")), "docs/track.md is stale");
    assert_eq!(
        said("/etc/app/x/y/zzzzzzzz"),
        "error: no commit of nas has /etc/app/x/y/zzzzzzzz: `pxelator track log` lists all commits\n"
    );
    assert_eq!(said("/etc/ap/conf"), "error: /etc/ap/conf of nas is not tracked: /etc/app is\n");
    assert_eq!(
        said("conf"),
        "error: conf of nas is not tracked: write the whole path, without `.`, `..` and a slash at its end\n"
    );
}

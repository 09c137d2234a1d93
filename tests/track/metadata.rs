//! What git does not keep: permissions, owners, empty folders, links, odd names, attributes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Scene;
use crate::away::NEEDS;
use crate::harness::have;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Mode, owner and group.
fn look(path: &Path) -> (u32, u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.mode() & 0o7777, meta.uid(), meta.gid())
}

/// Names that shells, lists of lines and terminals read otherwise.
const ODD: [&[u8]; 4] = [b"a b'\"\\ $(x) `y`", b"line\nbreak", b"bad\xff\xfe", "\u{202e}ljubičica\x1b[31m".as_bytes()];
const NAMES: [&str; 6] = ["empty", "link", "run", "same", "closed", "conf"];

/// Fills the folder with everything that git does not keep by itself.
fn fill(at: &dyn Fn(&[u8]) -> PathBuf) {
    for name in ODD {
        fs::write(at(name), name).unwrap();
    }
    fs::create_dir(at(b"empty")).unwrap();
    set_mode(&at(b"empty"), 0o2750);
    symlink("../nowhere\n", at(b"link")).unwrap();
    fs::write(at(b"run"), "#!/bin/sh\n").unwrap();
    std::os::unix::fs::chown(at(b"run"), Some(33), Some(42)).unwrap();
    set_mode(&at(b"run"), 0o4755);
    fs::hard_link(at(b"run"), at(b"same")).unwrap();
    fs::write(at(b"closed"), "x").unwrap();
    set_mode(&at(b"closed"), 0o000);
    rustix::fs::setxattr(at(b"conf"), "user.note", b"hello", rustix::fs::XattrFlags::empty()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at(b"pipe"), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
}

/// Breaks all of it.
fn spoil(at: &dyn Fn(&[u8]) -> PathBuf) {
    for name in ODD {
        fs::write(at(name), "broken").unwrap();
    }
    fs::remove_dir(at(b"empty")).unwrap();
    fs::remove_file(at(b"link")).unwrap();
    std::os::unix::fs::chown(at(b"run"), Some(0), Some(0)).unwrap();
    set_mode(&at(b"closed"), 0o666);
    fs::remove_file(at(b"same")).unwrap();
    fs::remove_file(at(b"conf")).unwrap();
}

/// What the repository has beside the texts, and what it does not have.
fn kept(scene: &Scene) -> String {
    let metas = scene.git(&["show", "main:.pxelator/nas"]);
    for line in [
        "d 2750 0:0 /etc/app/empty",
        "f 4755 33:42 /etc/app/run",
        "f 4755 33:42 /etc/app/same =/etc/app/run",
        "l 0777 0:0 /etc/app/link",
        "f 0000 0:0 /etc/app/closed",
        "f 0644 0:0 /etc/app/bad\\377\\376",
        "f 0644 0:0 /etc/app/line\\012break",
        "f 0644 0:0 /etc/app/conf @user.note:68656c6c6f",
    ] {
        assert!(metas.lines().any(|other| other == line), "{line} is not in\n{metas}");
    }
    assert!(!metas.contains("pipe") && !metas.contains('\x1b'), "{metas}");
    // The boot server itself keeps no file that runs with another's rights, and no link.
    let mirror = Path::new(&scene.away.path("state/track/machines/nas/etc/app")).to_owned();
    assert_eq!(fs::metadata(mirror.join("run")).unwrap().mode() & 0o6000, 0);
    assert!(fs::symlink_metadata(mirror.join("link")).unwrap().is_file());
    assert_eq!(look(Path::new(&scene.away.path("state/track"))).0, 0o700);
    metas
}

#[test]
fn what_a_file_is_comes_back_with_it() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("k", "track \"/etc/app\" on=\"host:nas\"");
    let at = |name: &[u8]| scene.nas.path("/etc/app").join(OsStr::from_bytes(name));
    let looks = || NAMES.map(|name| look(&at(name.as_bytes())));
    fill(&at);
    scene.track(&["pull"]).ended(0);
    let metas = kept(&scene);
    scene.is_sound();
    let before = looks();
    spoil(&at);
    let run = scene.track(&["pull"]).ended(0).out();
    assert!(run.starts_with("nas: 6 changed, 4 deleted"), "{run}");
    let told = scene.track(&["diff", "nas"]).ended(0).out();
    assert!(told.contains("/etc/app/closed: mode 0000 → 0666\n") && told.contains("/etc/app/empty: folder deleted\n"), "{told}");
    assert!(told.contains("/etc/app/run: mode 4755 → 0755, owner 33 → 0, group 42 → 0\n"), "{told}");
    assert!(!told.contains('\x1b') && !told.contains('\u{202e}'), "nothing of the machine acts on a terminal: {told:?}");
    let log = scene.track(&["log", "nas"]).ended(0).out();
    let first = log.lines().last().unwrap().split(' ').next().unwrap();
    let done = scene.track(&["restore", "nas", "/etc/app", "--to", first]).ended(0);
    assert!(done.out().contains("mended /etc/app/closed\n") && done.out().contains("made /etc/app/link\n"), "{}", done.out());
    for name in ODD {
        assert_eq!(fs::read(at(name)).unwrap(), name);
    }
    assert_eq!(before, looks());
    assert_eq!(fs::read_link(at(b"link")).unwrap(), Path::new("../nowhere\n"));
    assert_eq!(fs::metadata(at(b"run")).unwrap().ino(), fs::metadata(at(b"same")).unwrap().ino(), "one file, two names");
    let mut note = [0_u8; 16];
    assert_eq!(rustix::fs::getxattr(at(b"conf"), "user.note", &mut note).unwrap(), 5);
    assert!(at(b"pipe").exists(), "what is not tracked is left alone");
    let metas_now = scene.git(&["show", "main:.pxelator/nas"]);
    assert_eq!(metas_now, metas);
    // One file alone, by a name that is no text.
    fs::write(at(b"bad\xff\xfe"), "again").unwrap();
    let path = OsStr::from_bytes(b"/etc/app/bad\xff\xfe").to_owned();
    let mut command = scene.away.pxelator_as("own", "known", &["track", "restore", "nas", "--state", "state"]);
    assert!(command.arg(path).output().unwrap().status.success());
    assert_eq!(fs::read(at(b"bad\xff\xfe")).unwrap(), b"bad\xff\xfe");
}

#[test]
fn files_that_are_too_large_and_names_that_git_refuses_are_named() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("l", "track \"/etc/app\" on=\"host:nas\"");
    let at = |name: &str| scene.nas.path("/etc/app").join(name);
    fs::File::create(at("big\n")).unwrap().set_len((16 << 20) + 1).unwrap();
    fs::create_dir(at(".GIT")).unwrap();
    fs::write(at(".GIT/config"), "x").unwrap();
    let run = scene.track(&["pull"]).ended(0);
    assert_eq!(
        run.err(),
        "warning: /etc/app/big\\n of nas is larger than 16 MiB, and not kept\nwarning: /etc/app/.GIT of nas is of a name that git refuses, and not kept\n"
    );
    assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "main"]), ".pxelator/nas\nnas/etc/app/conf\n");
    // A file that grows over the limit leaves with the commit: an old half of it would be a lie.
    fs::File::options().write(true).open(at("conf")).unwrap().set_len((16 << 20) + 1).unwrap();
    scene.track(&["pull"]).ended(0);
    assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "main"]), ".pxelator/nas\n");
    scene.track(&["restore", "nas", "/etc/app/conf", "--to", "main~1"]).ended(2);
}

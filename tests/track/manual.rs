//! What goes wrong first, word for word as the manual prints it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{STATE, Scene};
use crate::away::NEEDS;
use crate::harness::{ROOT, Run, have};

#[test]
fn the_first_mistakes_are_named_with_the_mend() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("q", "track \"/etc/ap\" on=\"host:nas\"");
    let page = fs::read_to_string(format!("{ROOT}/docs/track.md")).unwrap();
    let pull = |key: &str, known: &str| {
        let words = [&["track", "pull"], STATE].concat();
        let said = Run(scene.away.pxelator_as(key, known, &words).output().unwrap()).ended(1).err();
        assert_eq!(scene.commits(), 0, "nothing is half done");
        assert!(!scene.away.folder.0.join("state/track/machines/nas/etc").exists(), "nothing is half done");
        said
    };
    let mut stale = String::new();
    let mut told = |said: String| stale += if page.contains(&said) { "" } else { &said };
    // The wrong path.
    told(pull("own", "known"));
    fs::write(scene.nas.path("/etc/ap"), "").unwrap();
    assert!(pull("own", "known").contains("nas has no folder /etc/ap: it is a file: correct"));
    scene.build("track \"/etc/app\" on=\"host:nas\"");
    // The wrong key; a machine that nobody has met.
    told(pull("other", "known"));
    told(pull("own", "empty"));
    // No rsync there: its PATH has none.
    fs::create_dir(scene.nas.path("/etc/few")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", scene.nas.path("/etc/few/sh")).unwrap();
    let shell = scene.nas.path("/etc/no-rsync");
    fs::write(&shell, "#!/bin/sh\nPATH=/etc/few exec /bin/sh \"$@\"\n").unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    let passwd = fs::read_to_string(scene.nas.path("/etc/passwd")).unwrap();
    let edited = |shell: &str| {
        fs::write(
            scene.nas.path("/etc/passwd"),
            passwd.replacen("root:x:0:0:root:/root:/bin/bash", &format!("root:x:0:0:root:/root:{shell}"), 1),
        )
        .unwrap()
    };
    edited("/etc/no-rsync");
    told(pull("own", "known"));
    edited("/bin/bash");
    // A user who may not become root.
    scene.build("track \"/etc/app\" on=\"host:nas\"\nssh user=pxana on=\"host:nas\"");
    fs::remove_file(scene.nas.path("/etc/sudoers.d/pxana")).unwrap();
    told(pull("own", "known"));
    scene.build("track \"/etc/app\" on=\"host:nas\"");
    // The machine is off.
    let mut scene = scene;
    scene.nas.kill();
    let words = [&["track", "pull"], STATE].concat();
    let said = Run(scene.away.pxelator_as("own", "known", &words).output().unwrap()).ended(1).err();
    told(said);
    assert!(stale.is_empty(), "docs/track.md is stale; it should say:\n{stale}");
}

#[test]
fn what_is_asked_wrongly_is_named_with_the_mend() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("r", "track \"/etc/app\" on=\"host:nas\"");
    let said = |args: &[&str]| scene.track(args).ended(2).err();
    assert_eq!(
        said(&["log"]),
        "error: nothing was pulled into state/track yet: run `pxelator track pull`, or give its --state\n"
    );
    assert_eq!(said(&["pull", "nass"]), "error: no host `nass` with tracked folders; did you mean `nas`?\n");
    assert_eq!(
        said(&["pull", "printer"]),
        "error: no host `printer` with tracked folders: write a `track` line that names it, and build\n"
    );
    scene.track(&["pull"]).ended(0);
    assert_eq!(said(&["restore", "nas", "/srv/x"]), "error: /srv/x of nas is not tracked: /etc/app is\n");
    assert_eq!(said(&["restore", "nas", "/etc/ap"]), "error: /etc/ap of nas is not tracked; did you mean `/etc/app`?\n");
    assert!(said(&["restore", "nas", "/etc/app/../passwd"]).contains("write the whole path"));
    let gone = said(&["restore", "nas", "/etc/app/nothing"]);
    assert!(
        gone.starts_with("error: nas had no /etc/app/nothing at ") && gone.contains("`pxelator track log nas /etc/app/nothing`"),
        "{gone}"
    );
    assert!(said(&["restore", "nas", "/etc/app", "--to", "yesterday"]).starts_with("error: `yesterday` is no commit"));
    assert!(said(&["diff", "nas", "--since", "0123456789ab"]).starts_with("error: `0123456789ab` is no commit"));
    // Who pulled first keeps the folder: another user would leave files there that he cannot replace.
    let folder = scene.away.path("state/track");
    std::os::unix::fs::chown(&folder, Some(4242), None).unwrap();
    assert_eq!(
        said(&["pull"]),
        "error: state/track belongs to another user (number 4242), or is no folder: pull as that user, or give another --state\n"
    );
    std::os::unix::fs::chown(&folder, Some(0), None).unwrap();
    // Since before its first pull, everything is new.
    let run = scene.track(&["diff", "nas", "--since", "2020-01-01"]).ended(0);
    assert!(run.out().contains("+port 1\n") && run.err().starts_with("nas: from nothing to "), "{}", run.err());
}

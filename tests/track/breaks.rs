//! Pulls that break: by the machine, by the cable, by us; and two at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::{STATE, Scene};
use crate::away::NEEDS;
use crate::harness::{Run, have, until_true};

/// A file that takes a while: rsync is held to a rate.
const LARGE_BYTES: usize = 12 << 20;

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn a_machine_that_goes_away_in_the_middle_leaves_no_commit() {
    if !have(NEEDS) {
        return;
    }
    let mut scene = Scene::new("m", "track \"/etc/app\" on=\"host:nas\"");
    scene.track(&["pull"]).ended(0);
    for at in 0..5 {
        fs::write(scene.nas.path(&format!("/etc/app/part-{at}")), noise(LARGE_BYTES, at + 1)).unwrap();
    }
    let pull = scene
        .away
        .pxelator_as("own", "known", &[&["track", "pull"], STATE].concat())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mirror = scene.away.folder.0.join("state/track/machines/nas/etc/app/part-0");
    until_true("the pull begins", || mirror.exists());
    scene.nas.kill();
    let ended = crate::harness::Run(pull.wait_with_output().unwrap()).ended(1);
    assert!(ended.err().starts_with("error: the connection to nas broke ("), "{}", ended.err());
    assert_eq!(scene.commits(), 1, "nothing is half kept");
    scene.nas.start(&scene.away);
    assert!(scene.track(&["pull"]).ended(0).out().starts_with("nas: 5 added, commit "));
    scene.is_sound();
    let list = scene.track(&["list"]).ended(0).out();
    assert!(list.contains("; pulled "), "{list}");
}

#[test]
fn a_pull_that_is_killed_at_any_moment_leaves_a_whole_repository() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("n", "track \"/etc/app\" on=\"host:nas\"");
    let words = [&["track", "pull"], STATE].concat();
    for round in 0..10_u64 {
        for file in 0..40 {
            fs::write(scene.nas.path(&format!("/etc/app/f{file}")), noise(20_000, round * 100 + file + 1)).unwrap();
        }
        let mut pull =
            scene.away.pxelator_as("own", "known", &words).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // From the first connection to the commit, and once behind its end.
        sleep(Duration::from_millis(60 + round * 110));
        // The whole group: `ip` became `timeout`, which is the parent of ours.
        crate::harness::tool("sh", &["-c", &format!("kill -9 $(ps -o pid= --ppid {}) 2>/dev/null; true", pull.id())]);
        pull.wait().unwrap();
        if scene.commits() > 0 {
            scene.git(&["fsck", "--full", "--strict"]);
            let kept = scene.git(&["ls-tree", "-r", "--name-only", "main"]).lines().count();
            assert_eq!(kept, 42, "a commit holds a whole pull");
        }
    }
    scene.track(&["pull"]).ended(0);
    assert_eq!(scene.track(&["pull"]).ended(0).out(), "nas: nothing changed\n");
    for file in 0..40 {
        let path = format!("main:nas/etc/app/f{file}");
        assert_eq!(scene.git(&["cat-file", "-s", &path]).trim(), "20000");
    }
    scene.is_sound();
}

#[test]
fn two_pulls_at_once_do_not_mix() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("o", "track \"/etc/app\" on=\"host:nas\"");
    scene.track(&["pull"]).ended(0);
    fs::write(scene.nas.path("/etc/app/conf"), "port 2\n").unwrap();
    let words = [&["track", "pull"], STATE].concat();
    let pull = || scene.away.pxelator_as("own", "known", &words).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let ended = |child: Child| Run(child.wait_with_output().unwrap());
    // One waits for the other, for some seconds; where a pull takes longer, it is asked again.
    let both =
        [pull(), pull()].map(ended).map(|run| if run.err().contains("another `pxelator track`") { ended(pull()) } else { run });
    let both = both.map(|run| run.ended(0).out());
    assert_eq!(both.iter().filter(|out| out.starts_with("nas: 1 changed")).count(), 1, "{both:?}");
    assert_eq!(scene.commits(), 2);
    // One that is at work for long is not waited for.
    let lock = fs::File::open(scene.away.path("state/track/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let run = scene.track(&["pull"]).ended(2);
    assert_eq!(run.err(), "error: another `pxelator track` is at work in state/track: wait for its end, and try again\n");
}

#[test]
fn a_cable_that_is_cut_ends_a_pull() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("p", "track \"/etc/app\" on=\"host:nas\"");
    scene.away.cable(false);
    let run = scene.track(&["pull"]).ended(1);
    assert!(run.err().starts_with("error: nas cannot be reached ("), "{}", run.err());
    assert_eq!(scene.commits(), 0);
    scene.away.cable(true);
    scene.track(&["pull"]).ended(0);
}

#[test]
fn a_disk_that_is_full_keeps_nothing_half() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("s", "track \"/etc/app\" on=\"host:nas\"");
    scene.track(&["pull"]).ended(0);
    fs::write(scene.nas.path("/etc/app/large"), noise(4 << 20, 1)).unwrap();
    // Every write beyond 1 MiB of a file is refused, as a full disk would refuse it.
    let own = scene.away.pxelator_as("own", "known", &[&["track", "pull"], STATE].concat());
    let words: Vec<String> = own.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let at = words.iter().position(|word| word == crate::harness::PROGRAM).unwrap();
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"].map(str::to_owned);
    let limited: Vec<String> = limited.into_iter().chain(words[at..].iter().cloned()).collect();
    let run = scene.away.run(&limited.iter().map(String::as_str).collect::<Vec<_>>()).ended(1);
    assert!(run.err().contains("rsync and nas: ") && run.err().contains("; nothing was kept of this pull\n"), "{}", run.err());
    assert_eq!(scene.commits(), 1);
    assert!(scene.track(&["pull"]).ended(0).out().starts_with("nas: 1 added"));
    scene.is_sound();
}

#[test]
fn what_was_deleted_as_a_whole_comes_back() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("t", "track \"/etc/app\" on=\"host:nas\"");
    let deep = scene.nas.path("/etc/app/a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("one"), "1").unwrap();
    fs::write(deep.join("two"), "2").unwrap();
    fs::set_permissions(scene.nas.path("/etc/app/a"), fs::Permissions::from_mode(0o710)).unwrap();
    scene.track(&["pull"]).ended(0);
    // A file below a folder that is gone: the folder comes with its permissions, its other files do not.
    fs::remove_dir_all(scene.nas.path("/etc/app/a")).unwrap();
    let done = scene.track(&["restore", "nas", "/etc/app/a/b/one"]).ended(0);
    assert_eq!(done.out(), "made /etc/app/a\nmade /etc/app/a/b\nmade /etc/app/a/b/one\n", "{}", done.err());
    assert_eq!(fs::metadata(scene.nas.path("/etc/app/a")).unwrap().permissions().mode() & 0o7777, 0o710);
    assert!(deep.join("one").exists() && !deep.join("two").exists());
    // The tracked folder itself is gone.
    let log = scene.track(&["log", "nas"]).ended(0).out();
    let first = log.lines().last().unwrap().split(' ').next().unwrap();
    fs::remove_dir_all(scene.nas.path("/etc/app")).unwrap();
    assert!(scene.track(&["pull"]).ended(1).err().starts_with("error: nas has no folder /etc/app: "));
    scene.track(&["restore", "nas", "/etc/app", "--to", first]).ended(0);
    assert_eq!(fs::read_to_string(deep.join("two")).unwrap(), "2");
    assert_eq!(scene.track(&["pull"]).ended(0).out(), "nas: nothing changed\n");
}

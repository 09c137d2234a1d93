//! Users own some of the folders in which rules work: no link of theirs leads root elsewhere.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::Scene;
use crate::away::NEEDS;
use crate::harness::{have, tool};

/// A machine whose user pxana owns /srv/work/home, and a folder of root's that is nobody else's.
fn scene(name: &str, folders: &[&str]) -> Scene {
    let away = crate::away::Away::new(name);
    let nas = away.machine(11, folders);
    for folder in ["/srv/work", "/srv/work/home", "/etc/px-secret"] {
        fs::create_dir(nas.path(folder)).unwrap();
    }
    tool("chown", &["4242:4242", &nas.path("/srv/work/home").to_string_lossy()]);
    fs::set_permissions(nas.path("/etc/px-secret"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(nas.path("/etc/px-secret/key"), "secret\n").unwrap();
    fs::set_permissions(nas.path("/etc/px-secret/key"), fs::Permissions::from_mode(0o600)).unwrap();
    Scene { away, nas }
}

#[test]
fn a_link_of_a_user_is_not_followed() {
    if !have(NEEDS) {
        return;
    }
    let scene = scene("u8", &["/etc", "/srv"]);
    symlink("/etc/px-secret", scene.nas.path("/srv/work/home/own")).unwrap();
    fs::write(scene.away.path("page"), "hello\n").unwrap();
    scene.build(
        r#"
rule "a/folder" on=lan { folder "/srv/work/home/own" mode="0755" owner=pxana group=pxana }
rule "b/below" on=lan { folder "/srv/work/home/own/new" }
rule "c/file" on=lan { file "/srv/work/home/own/page" from="page" }
rule "d/link" on=lan { link "/srv/work/home/own/now" to="/x" }
rule "e/absent" on=lan { absent "/srv/work/home/own/key" }
"#,
    );
    let before = scene.tree();
    let said = "a link, and no link is followed: write the path that it points to";
    let plan = scene.rule(&["plan"]).ended(1);
    assert_eq!(plan.err(), "1 host: 5 unknown\n", "{}", plan.out());
    assert!(plan.out().contains("    unknown    folder /srv/work/home/own: it is a link\n"), "{}", plan.out());
    assert!(
        plan.out().contains(&format!("absent /srv/work/home/own/key: the folder /srv/work/home/own is {said}\n")),
        "{}",
        plan.out()
    );
    assert_eq!(scene.rule(&["apply"]).ended(1).err(), "1 host: 5 unknown\n");
    assert_eq!(scene.tree(), before, "nothing changes where the link points to");
}

/// The user sees the new file before it is moved into its place, and puts a link there. The race is made sure of by a
/// `base64` that does it.
#[test]
fn a_file_that_is_exchanged_while_it_is_written_gives_nothing_away() {
    if !have(NEEDS) {
        return;
    }
    let scene = scene("u9", &["/etc", "/srv", "/usr/local/sbin", "/usr/local/bin"]);
    let fake = "#!/bin/sh\nfor t in /srv/work/home/.pxelator.*; do\n  [ -f \"$t\" ] || continue\n  rm \"$t\"; ln -s /etc/px-secret/key \"$t\"\ndone\nexec /usr/bin/base64 \"$@\"\n";
    for folder in ["/usr/local/sbin", "/usr/local/bin"] {
        let path = scene.nas.path(folder).join("base64");
        fs::write(&path, fake).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(scene.away.path("page"), "hello\n").unwrap();
    scene.build("rule \"page\" on=lan { file \"/srv/work/home/page\" from=\"page\" mode=\"0666\" owner=pxana group=pxana }");
    let done = scene.rule(&["apply"]).ended(1);
    assert_eq!(done.err(), "1 host: 1 still drifts\n", "{}", done.out());
    let link = fs::read_link(scene.nas.path("/srv/work/home/page")).unwrap();
    assert_eq!(link.to_str(), Some("/etc/px-secret/key"), "the file was exchanged");
    let key = fs::metadata(scene.nas.path("/etc/px-secret/key")).unwrap();
    assert_eq!((key.uid(), key.mode() & 0o7777), (0, 0o600), "and root gave nothing away");
    assert_eq!(scene.text("/etc/px-secret/key"), "secret\n");
}

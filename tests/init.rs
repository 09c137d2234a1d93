//! `init`: what it writes builds, its next steps work as printed, and nothing is ever overwritten.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use pxelator::syntax::format;

use crate::harness::{Folder, PROGRAM, Server, files, tool};

#[test]
fn the_site_builds_and_each_step_works_as_printed() {
    let folder = Folder::new();
    for dir in [".", "new/deep", "it's a place"] {
        let said = folder.run(&["init", dir]).ended(0).out();
        let steps: String = said.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| format!("{line}\n")).collect();
        assert!(steps.contains("pxelator build") && (dir == ".") != steps.contains("cd "), "{said}");
        let bin = std::path::Path::new(PROGRAM).parent().unwrap().display();
        // The last step serves until it is told to end, on ports that nobody else has here.
        let serve = steps.lines().find(|line| line.contains("pxelator serve")).unwrap();
        let (command, _) = serve.split_once('#').unwrap();
        // A job in bash's background does not hear SIGINT before the server listens; this is the last line of a start.
        let until_told = format!(
            "{command} 2>log & until grep -q 'generation=' log || ! kill -0 $!; do sleep 0.1; done; kill -TERM $!; wait $!; cat log >&2"
        );
        let steps = steps.replace(serve, &until_told).replace("10000", &Server::free_offset().to_string());
        let script = format!("set -e; PATH={bin}:$PATH\n{steps}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("site.kdl:") && err.contains("files written in out") && err.contains(" serving "), "{out}\n{err}");
        let findings = folder.run(&["check", "--format", "json", &format!("{dir}/site.kdl")]).ended(0).out();
        assert_eq!(findings, "[]\n", "not even a warning");
    }
}

#[test]
fn the_steps_that_are_switched_off_build_too() {
    let folder = Folder::new();
    folder.run(&["init"]).ended(0);
    for (name, text) in files(&folder.0) {
        let text = String::from_utf8(text).unwrap();
        assert_eq!(format(&text).unwrap(), text, "{name} is not in the layout of fmt");
        let (first, rest) = text.split_once('\n').unwrap();
        fs::write(folder.0.join(&name), format!("{first}\n{}", rest.replace("/- ", ""))).unwrap();
    }
    let assets = folder.0.join("assets");
    for path in [
        "rescue/vmlinuz",
        "rescue/initrd.img",
        "kiosk/vmlinuz",
        "kiosk/initrd.img",
        "pxelinux.0",
        "ldlinux.c32",
        "libutil.c32",
        "menu.c32",
        "ipxe.efi",
    ] {
        fs::create_dir_all(assets.join(path).parent().unwrap()).unwrap();
        fs::write(assets.join(path), path).unwrap();
    }
    folder.run(&["lock", "--assets", "assets"]).ended(0);
    folder.run(&["build", "--deny", "warnings"]).ended(0);
    assert!(folder.run(&["simulate", "kiosk-01"]).ended(0).out().contains("kiosk/vmlinuz"));
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("modules")).unwrap();
    fs::write(folder.0.join("modules/kiosk.kdl"), "mine").unwrap();
    assert!(folder.run(&["init"]).ended(2).err().contains("modules/kiosk.kdl is there already"));
    assert_eq!(files(&folder.0).len(), 1, "no site.kdl beside it");
    fs::remove_dir_all(folder.0.join("modules")).unwrap();
    // A link to nowhere is something, too.
    symlink("nowhere", folder.0.join("site.kdl")).unwrap();
    assert!(folder.run(&["init"]).ended(2).err().contains("site.kdl is there already"));
    fs::remove_file(folder.0.join("site.kdl")).unwrap();
    // The second file cannot be written: the first goes again.
    fs::write(folder.0.join("modules"), "a file").unwrap();
    folder.run(&["init"]).ended(2);
    assert_eq!(tool("ls", &["-A", folder.0.to_str().unwrap()]).trim(), "modules");
    fs::write(folder.0.join("x"), "").unwrap();
    assert!(folder.run(&["init", "x"]).ended(2).err().contains('x'));
}

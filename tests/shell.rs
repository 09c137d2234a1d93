//! What shells and `man` get of us, tried in the shells themselves.

use std::process::Command;

use pxelator::diag::codes::CODES;

use crate::harness::{Folder, PROGRAM, files, have, tool};

/// What bash offers for a line, its cursor at the end.
fn offered(words: &[&str]) -> Vec<String> {
    let script = format!(
        "source <('{PROGRAM}' completion bash) || exit 9
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_POINT=${{#COMP_LINE}}
        spec=$(complete -p pxelator) || exit 8
        fn=$(sed 's/.*-F \\([^ ]*\\).*/\\1/' <<<\"$spec\")
        \"$fn\" pxelator \"${{@: -1}}\" \"${{@: -2:1}}\"
        printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash").args(["-c", &script, "bash"]).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_values_and_codes() {
    assert_eq!(offered(&["pxelator", "bui"]), ["build"]);
    assert_eq!(offered(&["pxelator", "check", "--form"]), ["--format"]);
    assert_eq!(offered(&["pxelator", "check", "--format", "s"]), ["sarif"]);
    assert_eq!(
        offered(&["pxelator", "explain", "host/dup"]),
        ["host/duplicate-address", "host/duplicate-mac", "host/duplicate-name"]
    );
    let all = offered(&["pxelator", "explain", ""]);
    assert!(CODES.iter().all(|code| all.iter().any(|word| word == code.name)), "{all:?}");
}

#[test]
fn other_words_than_codes_still_get_our_answer() {
    let folder = Folder::new();
    assert!(folder.run(&["explain", "host/duplicate-mca"]).ended(2).err().contains("did you mean `host/duplicate-mac`?"));
    assert!(!folder.run(&["explain", "--help"]).ended(0).out().contains("possible values"));
}

#[test]
fn zsh_and_fish_read_theirs() {
    for (shell, check) in [("zsh", "zsh -n"), ("fish", "fish --no-execute")] {
        let text = tool(PROGRAM, &["completion", shell]);
        assert!(text.contains("host/duplicate-mac") && text.contains("sarif"), "{shell}");
        if Command::new(shell).arg("--version").output().is_ok() {
            let folder = Folder::new();
            let file = folder.0.join("completion");
            std::fs::write(&file, text).unwrap();
            tool("sh", &["-c", &format!("{check} {}", file.display())]);
        }
    }
}

#[test]
fn every_command_has_a_man_page_that_groff_reads() {
    let folder = Folder::new();
    folder.run(&["man", "--out", "man1"]).ended(0);
    let pages = files(&folder.0.join("man1"));
    let main = String::from_utf8(pages["pxelator.1"].clone()).unwrap();
    assert_eq!(folder.run(&["man"]).ended(0).out(), main);
    let named = pages.values().flat_map(|page| String::from_utf8_lossy(page).lines().map(str::to_owned).collect::<Vec<_>>());
    for name in named.filter(|line| line.starts_with("pxelator\\-") && line.ends_with("(1)")) {
        assert!(pages.contains_key(&name.replace("\\-", "-").replace("(1)", ".1")), "{name} has no page");
    }
    for name in ["check", "build", "fmt", "init", "explain", "lab-boot", "completion", "man"] {
        let page = String::from_utf8(pages[&format!("pxelator-{name}.1")].clone()).unwrap();
        assert!(page.contains(&format!(".TH pxelator-{name} 1")) && page.contains("Example"), "{name}: {page}");
        let parent = if name == "lab-boot" { &pages["pxelator-lab.1"][..] } else { main.as_bytes() };
        let reference = format!("pxelator\\-{}(1)", name.replace('-', "\\-"));
        assert!(String::from_utf8_lossy(parent).contains(&reference), "{reference}");
    }
    if have(&["groff"]) {
        for name in pages.keys() {
            let script = format!("groff -Kutf8 -Tutf8 -man -ww -z man1/{name} 2>&1");
            let output = Command::new("sh").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
            assert!(output.status.success() && output.stdout.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

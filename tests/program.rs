//! The program as people run it: bad input, exit codes, writing whole or not at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Folder, PROGRAM, files, tool};

const SMALL: &str = "site lab\nnetwork lan \"10.0.0.0/24\" { host pc 9 \"52:54:00:00:00:09\" }\n";
const BROKEN: &str = include_str!("reject/check/five-different-mistakes-at-once.kdl");

#[test]
fn five_mistakes_are_told_at_once_and_nothing_is_written() {
    let folder = Folder::with(BROKEN);
    let run = folder.run(&["build"]).ended(1);
    for code in
        ["host/unknown-profile", "host/duplicate-address", "host/duplicate-mac", "network/reserved-address", "boot/asset-missing"]
    {
        assert!(run.err().contains(code), "{code} in\n{}", run.err());
    }
    assert!(run.err().contains("──") && run.err().contains("5 errors"), "carets and a sum: {}", run.err());
    assert!(!folder.0.join("out").exists());
}

#[test]
fn json_findings_have_the_promised_shape() {
    let folder = Folder::with("site lab // ž\nnetwork lan \"10.0.0.0/24\" { host \"žž\" 9; hosst x 1 }\n");
    let run = folder.run(&["check", "--format", "json"]).ended(1);
    let list: Vec<Value> = serde_json::from_str(&run.out()).unwrap();
    let unknown = list.iter().find(|diag| diag["code"] == "schema/unknown-node").unwrap();
    assert_eq!(unknown["severity"], "error");
    assert_eq!(unknown["help"], "did you mean `host`?");
    let label = &unknown["labels"][0];
    assert_eq!((&label["file"], &label["line"], &label["column"]), (&"site.kdl".into(), &2.into(), &42.into()));
    assert_eq!((&label["end_column"], &label["primary"]), (&47.into(), &true.into()));
}

#[test]
fn warnings_can_be_denied() {
    let folder = Folder::with("site lab\nnetwork lan \"10.0.0.0/24\" { pool 5 9; host pc 7 \"52:54:00:00:00:09\" }\n");
    folder.run(&["check"]).ended(0);
    assert!(folder.run(&["check", "--deny", "warnings"]).ended(1).err().contains("network/host-in-pool"));
}

#[test]
fn what_cannot_be_read_is_named_and_the_old_out_stays() {
    let folder = Folder::with(SMALL);
    folder.run(&["build"]).ended(0);
    let before = files(&folder.0.join("out"));
    let site = folder.0.join("site.kdl");
    let mut cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("binary noise", (0..=255).cycle().take(100_000).collect(), "syntax/"),
        ("not UTF-8", b"site lab\n\xff".to_vec(), "byte 9 is not UTF-8"),
        ("an empty file", Vec::new(), "there is no `site` node"),
        ("a NUL byte", b"site lab\0\n".to_vec(), "U+0000"),
        ("deep nesting", "a{".repeat(100_000).into_bytes(), "syntax/depth"),
        ("slashdash nesting", "a /-{".repeat(20).into_bytes(), "syntax/"),
        ("a long name", [b"site ".to_vec(), vec![b'x'; 1 << 20]].concat(), "schema/type"),
    ];
    cases.push(("50 MB of hosts", many_hosts(50 << 20), "host/bad-mac"));
    cases.push(("50 MB of noise", b"}{\"=".repeat(13 << 20), "syntax/"));
    for (what, bytes, said) in cases {
        fs::write(&site, bytes).unwrap();
        let run = folder.run(&["build"]).ended(1);
        assert!(run.err().contains(said), "{what}: {}", run.err().chars().take(2000).collect::<String>());
        assert!(run.err().len() < 250_000, "{what}: {} bytes of output", run.err().len());
        assert_eq!(files(&folder.0.join("out")), before, "{what}");
    }
}

/// Host lines of which one, in the middle, is wrong.
fn many_hosts(bytes: usize) -> Vec<u8> {
    let mut text = String::from("site lab\nnetwork lan \"10.0.0.0/8\" {\n");
    let mut n = 0_u32;
    while text.len() < bytes {
        n += 1;
        let mac = if n == 300_000 {
            "52:54:00".to_owned()
        } else {
            format!("52:{:02x}:{:02x}:{:02x}:{:02x}:00", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)
        };
        text.push_str(&format!("    host pc-{n} {n} \"{mac}\"\n"));
    }
    (text + "}\n").into_bytes()
}

#[test]
fn no_site_a_folder_and_a_file_too_large_are_errors_with_a_mend() {
    let folder = Folder::new();
    assert!(folder.run(&["check"]).ended(2).err().contains("there is no site.kdl"));
    assert!(folder.run(&["check", "."]).ended(2).err().contains("is a folder"));
    fs::File::create(folder.0.join("huge.kdl")).unwrap().set_len(200 << 20).unwrap();
    assert!(folder.run(&["check", "huge.kdl"]).ended(2).err().contains("at most 128 MiB"));
    assert!(folder.run(&["check", "/dev/null"]).ended(2).err().contains("no regular file"));
    assert!(folder.run(&["chek"]).ended(2).err().contains("check"));
    assert!(folder.run(&["explain", "host/duplicate-mca"]).ended(2).err().contains("host/duplicate-mac"));
}

#[test]
fn links_that_lead_out_or_round_in_circles_are_refused() {
    let folder = Folder::with("site lab\nimport \"a.kdl\"\n");
    let other = Folder::new();
    fs::write(other.0.join("secret.kdl"), "site other\n").unwrap();
    symlink(other.0.join("secret.kdl"), folder.0.join("a.kdl")).unwrap();
    assert!(folder.run(&["check"]).ended(2).err().contains("leads out of the site folder"));
    fs::remove_file(folder.0.join("a.kdl")).unwrap();
    symlink("a.kdl", folder.0.join("a.kdl")).unwrap();
    assert!(folder.run(&["check"]).ended(2).err().contains("a.kdl"));
}

#[test]
fn a_folder_that_is_not_ours_is_not_overwritten() {
    let folder = Folder::with(SMALL);
    fs::create_dir(folder.0.join("out")).unwrap();
    fs::write(folder.0.join("out/thesis.txt"), "x").unwrap();
    assert!(folder.run(&["build"]).ended(2).err().contains("not a folder that pxelator wrote"));
    assert!(folder.0.join("out/thesis.txt").exists());
    fs::write(folder.0.join("out/manifest.json"), "{\"name\": \"a web page\"}").unwrap();
    assert!(folder.run(&["build"]).ended(2).err().contains("not a folder that pxelator wrote"));
    fs::remove_dir_all(folder.0.join("out")).unwrap();
    folder.run(&["build"]).ended(0);
    fs::write(folder.0.join("out/NOTES"), "mine").unwrap();
    fs::write(folder.0.join("site.kdl"), SMALL.replace("pc", "pd")).unwrap();
    assert!(folder.run(&["build"]).ended(2).err().contains("NOTES is not from a build"));
    assert!(folder.0.join("out/NOTES").exists());
}

#[test]
fn check_finds_a_stale_out_and_verify_a_changed_one() {
    let folder = Folder::with(SMALL);
    assert!(folder.run(&["verify"]).ended(2).err().contains("holds no generation: run `pxelator build`"));
    folder.run(&["build"]).ended(0);
    folder.run(&["build", "--check"]).ended(0);
    folder.run(&["verify"]).ended(0);
    fs::write(folder.0.join("site.kdl"), SMALL.replace("pc", "pd")).unwrap();
    assert!(folder.run(&["build", "--check"]).ended(1).out().contains("differs: out/dhcp/leases.jsonl"));
    fs::write(folder.0.join("out/dhcp/leases.jsonl"), "{}\n").unwrap();
    fs::write(folder.0.join("out/more.txt"), "").unwrap();
    fs::remove_file(folder.0.join("out/boot/hosts.jsonl")).unwrap();
    let said = folder.run(&["verify"]).ended(1).out();
    assert_eq!(said, "changed dhcp/leases.jsonl\nlost boot/hosts.jsonl\nadded more.txt\n");
}

#[test]
fn a_build_that_is_killed_leaves_a_whole_tree() {
    let folder = Folder::with(SMALL);
    folder.run(&["build"]).ended(0);
    let hosts = |n: u32| {
        (1..200).fold(String::new(), |text, at| text + &format!("host pc-{n}-{at} {at} \"52:54:00:00:{n:02x}:{at:02x}\"\n"))
    };
    for n in 0..30_u32 {
        fs::write(folder.0.join("site.kdl"), format!("site lab\nnetwork lan \"10.0.0.0/24\" {{\n{}}}\n", hosts(n))).unwrap();
        let mut build = Command::new(PROGRAM).arg("build").current_dir(&folder.0).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(n) * 700));
        build.kill().unwrap();
        build.wait().unwrap();
        folder.run(&["verify"]).ended(0);
    }
    folder.run(&["build"]).ended(0);
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("building")), "{left:?}");
}

#[test]
fn why_names_the_line_behind_a_line() {
    let folder = Folder::with_example();
    let said = folder.run(&["why", "out/dhcp/leases.jsonl:3"]).ended(0).out();
    let leases = fs::read_to_string(folder.0.join("out/dhcp/leases.jsonl")).unwrap();
    let name = serde_json::from_str::<Value>(leases.lines().nth(2).unwrap()).unwrap()["host"].as_str().unwrap().to_owned();
    let site = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    let at = site.lines().position(|line| line.contains(&format!(" {name} "))).unwrap() + 1;
    assert!(said.contains(&format!("site.kdl:{at} ")), "{said}");
    let module = folder.run(&["why", "boot/menus/kiosk.ipxe:2"]).ended(0).out();
    assert!(module.contains("modules/kiosk.kdl:") && module.contains("site.kdl:"), "the module's line and the user's: {module}");
    assert!(folder.run(&["why", "dhcp/lease.jsonl:3"]).ended(2).err().contains("did you mean dhcp/leases.jsonl"));
    assert!(folder.run(&["why", "dhcp/leases.jsonl:999"]).ended(2).err().contains("no line 999"));
}

#[test]
fn lock_pins_what_the_site_names_and_build_sees_a_change() {
    let folder = Folder::new();
    let assets = folder.0.join("assets");
    fs::create_dir_all(assets.join("debian-12")).unwrap();
    fs::write(assets.join("debian-12/vmlinuz"), "kernel").unwrap();
    let site = format!(
        "site lab\nassets \"{}\"\nprofile p {{ kernel \"debian-12/vmlinuz\"; initrd \"debian-12/initrd.img\" }}\n",
        assets.display()
    );
    fs::write(folder.0.join("site.kdl"), site).unwrap();
    assert!(folder.run(&["check"]).ended(1).err().contains("run `pxelator lock`"));
    assert!(folder.run(&["lock"]).ended(1).err().contains("debian-12/initrd.img: No such file"));
    assert!(!folder.0.join("assets.lock").exists());
    fs::write(assets.join("debian-12/initrd.img"), "initrd").unwrap();
    fs::write(assets.join("pxelinux.0"), "loader").unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build", "--assets"]).ended(0);
    assert!(fs::read_to_string(folder.0.join("out/boot/loaders.jsonl")).unwrap().contains("pxelinux.0"));
    fs::write(assets.join("debian-12/vmlinuz"), "KERNEL").unwrap();
    let said = folder.run(&["build", "--assets"]).ended(1).err();
    assert!(said.contains("boot/asset-changed") && said.contains("assets.lock:2"), "{said}");
    fs::remove_file(assets.join("pxelinux.0")).unwrap();
    symlink("/etc/passwd", assets.join("pxelinux.0")).unwrap();
    folder.run(&["lock"]).ended(0);
    assert!(
        !fs::read_to_string(folder.0.join("assets.lock")).unwrap().contains("pxelinux.0"),
        "a link out of the folder is no asset"
    );
}

#[test]
fn a_machine_is_rehearsed_from_out_alone() {
    let folder = Folder::with_example();
    let simulate = |args: &[&str]| folder.run(&[&["simulate"], args].concat());
    let bios = simulate(&["pc-07"]).ended(0).out();
    for said in [
        "OFFER 10.77.0.27 from 10.77.0.2, name pc-07.lab.example, file pxelinux.0",
        "pxelinux.cfg/01-a0-36-9f-00-00-1b",
        "debian-12/vmlinuz",
        "pc-07.lab.example A: 10.77.0.27",
        "PTR: pc-07.lab.example.",
    ] {
        assert!(bios.contains(said), "{said} in\n{bios}");
    }
    let efi = simulate(&["pc-07", "--arch", "efi64"]).ended(0).out();
    assert!(efi.contains("snponly.efi") && efi.contains("/ipxe/a0-36-9f-00-00-1b"), "{efi}");
    let ipxe = simulate(&["PC-07", "--arch", "ipxe"]).ended(0).out();
    assert!(
        !ipxe.contains("snponly.efi") && ipxe.contains("kiosk").eq(&false) && ipxe.contains("/debian-12/initrd.img"),
        "{ipxe}"
    );
    assert!(
        simulate(&["02:00:00:00:00:01"]).ended(0).out().contains("debian-12/vmlinuz"),
        "a stranger gets the first pool's profile"
    );
    assert!(simulate(&["guest-pc"]).ended(0).out().contains("OFFER 10.77.0."), "a host without address stays in its network");
    assert!(simulate(&["pc-08"]).ended(0).out().contains("own disk"));
    assert!(simulate(&["pc-77"]).ended(2).err().contains("did you mean `pc-07`"));
    fs::write(folder.0.join("out/dhcp/leases.jsonl"), "{}\n").unwrap();
    assert!(simulate(&["pc-07"]).ended(2).err().contains("changed dhcp/leases.jsonl"));
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        "init",
        "check",
        "build",
        "fmt",
        "verify",
        "lock",
        "why",
        "explain",
        "simulate",
        "serve",
        "capture",
        "dev",
        "lab boot",
        "completion",
        "man",
    ] {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let text = tool(PROGRAM, &args);
        assert!(text.contains("Example"), "{command}: {text}");
    }
}

#[test]
fn a_broken_lock_is_written_anew() {
    let folder = Folder::new();
    fs::write(folder.0.join("site.kdl"), "site lab\n").unwrap();
    fs::write(folder.0.join("assets.lock"), "<<<<<<< HEAD\n").unwrap();
    assert!(folder.run(&["check"]).ended(1).err().contains("run `pxelator lock`"));
    folder.run(&["lock", "--assets", "."]).ended(0);
    folder.run(&["check"]).ended(0);
}

#[test]
fn a_full_disk_behind_the_output_is_an_error_and_no_panic() {
    let folder = Folder::with(BROKEN);
    let with = |redirect: &str| {
        let script = format!("{PROGRAM} {redirect}");
        Command::new("bash").args(["-c", &script]).current_dir(&folder.0).output().unwrap().status.code()
    };
    assert_eq!(with("explain >/dev/full"), Some(2));
    assert_eq!(with("check 2>/dev/full"), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let script = format!("{PROGRAM} explain | head -1; exit ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

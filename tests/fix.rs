//! `check --fix`: what is certain is mended, what is not stays, and no other byte changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{Folder, Run};

const NET: &str = "network lan \"10.0.0.0/24\"";

/// Mends a site; gives the run and the text that is then in `site.kdl`.
fn fixed(text: &str, code: i32) -> (Run, String) {
    let folder = Folder::with(text);
    let run = folder.run(&["check", "--fix"]).ended(code);
    let after = String::from_utf8(fs::read(folder.0.join("site.kdl")).unwrap()).unwrap();
    (run, after)
}

#[test]
fn comments_layout_and_foreign_letters_stay() {
    let text = "\u{feff}site lab // ž€😀: a \"10.0.0.9\" in a comment stays\r\n\r\n\
        network lan 10.0.0.0/24   gateway=10.0.0.1 { /* ž€😀 */ hosst   \"žž\" 9 52:54:00:00:00:09 // bare\r\n\
        \thost pc 10.0.0.8\t\\ // goes on\r\n\t\t02:00:00:00:00:08 profil=\"resuce\" ; /* x */ }\r\n\
        profile rescue { local }";
    let wanted = text
        .replace("lan 10.0.0.0/24", "lan \"10.0.0.0/24\"")
        .replace("=10.0.0.1", "=\"10.0.0.1\"")
        .replace("hosst", "host")
        .replace("52:54:00:00:00:09", "\"52:54:00:00:00:09\"")
        .replace(" 10.0.0.8", " \"10.0.0.8\"")
        .replace("02:00:00:00:00:08", "\"02:00:00:00:00:08\"")
        .replace("profil=\"resuce\"", "profile=\"rescue\"");
    let (run, after) = fixed(text, 1);
    assert_eq!(after, wanted, "{}", run.err());
    for said in [
        "site.kdl:3: wrote `\"10.0.0.0/24\"` for `10.0.0.0/24`",
        "site.kdl:3: wrote `host` for `hosst`",
        "site.kdl:5: wrote `\"rescue\"` for `\"resuce\"`",
        "found `žž`",
    ] {
        assert!(run.err().contains(said), "{said} in\n{}", run.err());
    }
    assert_eq!(run.err().matches(": wrote ").count(), 8, "{}", run.err());
}

#[test]
fn a_module_s_options_and_flags_are_mended_in_their_files() {
    let folder = Folder::with(
        "site lab\nassets \"/srv\"\nuse kiosk { sond true }\n// file: modules/kiosk.kdl\nmodule kiosk { // keep\n    option sound (bool)#false doc=\"Sound\"\n    option more (bool)false doc=\"More\"\n    config { profile kiosk { local; cmdlin \"s={sound}\" \"m={more}\" } }\n}\n",
    );
    let run = folder.run(&["check", "--fix"]);
    let site = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    let module = fs::read_to_string(folder.0.join("modules/kiosk.kdl")).unwrap();
    assert!(site.contains("use kiosk { sound #true }\n"), "{site}{}", run.err());
    assert!(module.contains("module kiosk { // keep\n") && module.contains("(bool)#false doc=\"More\""), "{module}");
    assert!(module.contains("; cmdline \"s="), "{module}");
    assert!(run.err().contains("site.kdl:3: wrote `sound` for `sond`"), "{}", run.err());
    assert!(run.err().contains("modules/kiosk.kdl:3: wrote `#false` for `false`"), "{}", run.err());
}

#[test]
fn what_is_not_certain_stays() {
    for (what, text) in [
        (
            "two names are near",
            format!("site lab\n{NET} {{ host pc 9 profile=kiosx }}\nprofile kiosk {{ local }}\nprofile kiosks {{ local }}\n"),
        ),
        ("another number", format!("site lab\n{NET} {{ host pc 9 profile=kiosk-2 }}\nprofile kiosk-1 {{ local }}\n")),
        (
            "a name made of parts",
            format!("site lab\nlet k \"kio\"\n{NET} {{ host pc 9 profile=\"{{k}}ks\" }}\nprofile kiosk {{ local }}\n"),
        ),
        ("a keyword as a node", "site lab\ntrue 1\n".to_owned()),
        ("a keyword where text is wanted", "site lab domain=true\n".to_owned()),
        ("no slip at all", "site lab\nbicycle 1\n".to_owned()),
    ] {
        let (run, after) = fixed(&text, 1);
        assert_eq!(after, text, "{what}: {}", run.err());
        assert!(!run.err().contains(": wrote "), "{what}: {}", run.err());
    }
}

#[test]
fn a_mend_that_brings_errors_is_taken_back_and_the_others_stay() {
    let text = "site lab\nnetwrk lan \"10.0.0.0/24\" { bicycle 1; umbrella 2; piano 3; kettle 4; sofa 5 }\nprofle a { local }\nprofle b { local }\nprofle c { local }\n";
    let (run, after) = fixed(text, 1);
    assert_eq!(after, text.replace("profle", "profile"), "{}", run.err());
    assert!(run.err().contains("unknown node `netwrk`") && run.err().contains("1 error;"), "{}", run.err());
}

#[test]
fn a_quoted_address_may_show_what_it_hid() {
    let (run, after) = fixed("site lab\nnetwork lan 10.0.0.0/24 {\n    host a 300\n    host b 301\n}\n", 1);
    assert!(after.contains("lan \"10.0.0.0/24\" {"), "{after}");
    assert!(run.err().contains("2 errors"), "{}", run.err());
}

#[test]
fn the_file_keeps_its_mode_and_a_link_stays_a_link() {
    let folder = Folder::with("site lab\nimport \"a.kdl\"\n// file: real.kdl\nhosst pc\n");
    symlink("real.kdl", folder.0.join("a.kdl")).unwrap();
    let real = folder.0.join("real.kdl");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    folder.run(&["check", "--fix"]);
    assert_eq!(fs::read_to_string(&real).unwrap(), "host pc\n");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(folder.0.join("a.kdl")).unwrap().is_symlink());
    let names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "nothing is left over: {names:?}");
}

#[test]
fn thousands_of_mends_are_done_at_once_and_a_good_site_is_not_touched() {
    let hosts: String = (0..5_000).map(|n| format!("    host h{n} 10.0.{}.{} // {n}\n", 1 + n / 250, 1 + n % 250)).collect();
    let (run, after) = fixed(&format!("site lab\nnetwork lan 10.0.0.0/16 {{\n{hosts}}}\n"), 0);
    assert!(after.contains("    host h4999 \"10.0.20.250\" // 4999\n") && after.matches('"').count() == 10_002);
    assert!(run.err().contains("… and 4951 more mends") && run.err().lines().count() == 51, "{}", run.err());

    let folder = Folder::with_example();
    let before = fs::metadata(folder.0.join("site.kdl")).unwrap().modified().unwrap();
    assert_eq!(folder.run(&["check", "--fix", "--format", "json"]).ended(0).out(), "[]\n");
    assert_eq!(fs::metadata(folder.0.join("site.kdl")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_file_that_is_not_utf_8_or_cannot_be_replaced_stays() {
    let folder = Folder::new();
    let (site, text) = (folder.0.join("site.kdl"), b"site lab\nnetwork lan 10.0.0.0/24\n// \xff caf\xe9\nhost pc\n");
    fs::write(&site, text).unwrap();
    folder.run(&["check", "--fix"]).ended(1);
    assert_eq!(fs::read(&site).unwrap(), text);
    // The name of the new file is taken by a folder, whatever the number of our process.
    let folder = Folder::with("site lab\nnetwork lan 10.0.0.0/24\n");
    let script = format!("mkdir .site.kdl.new-$$; exec {} check --fix", crate::harness::PROGRAM);
    let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(fs::read_to_string(folder.0.join("site.kdl")).unwrap(), "site lab\nnetwork lan 10.0.0.0/24\n");
}

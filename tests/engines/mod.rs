//! The files for other servers: their own checkers take them, and the servers answer as we do.

mod export;
pub(crate) mod segment;

use std::fs;
use std::path::Path;

use pxelator::compile;
use pxelator::out::Tree;
use pxelator::source::Inputs;

use crate::harness::{Folder, ROOT, files, have, inputs, lock, tool};

const ALL: &str = "\nengine kea\nengine dnsmasq\nengine bind\nengine nsd\n";

/// Names and texts that mean something to somebody's syntax.
const ODD: &str = r##"
site lab domain="lab.example" timezone="Etc/GMT+5"
network "a.b_c-1" "10.66.0.0/24" gateway=1 server=2 dns="10.66.0.2,9.9.9.9" {
    pool 100 110 lease="1h" profile=rescue
    pool 111 120 lease="1h"
    host infinite 5 "52:54:00:66:00:05"
    host ignore 6 "52:54:00:66:00:06"
    host "1h" 7 "52:54:00:66:00:07"
    host "42" "52:54:00:66:00:08"
    host known 105
}
profile rescue { local }
dns {
    forward "9.9.9.9"; forward "1.1.1.1"
    txt "@" "\"; } zone \"x\" {{ # \\" "a,b" "${{x}}" ""
    txt umlaut "čž \u{1}\u{2} , é" "tab\tand\nline"
    txt hash "# no comment" "; neither" "// nor this" "/* or this */"
    a pc-9 "10.66.0.105"
    a outside "192.0.2.10"
    a "_x._tcp.lab.example" "192.0.2.11"
}
"##;

/// Networks of every size, without and with pools, and one that says nothing.
const SIZES: &str = r#"
site s
network a "10.0.0.0/8" server=2 { pool 256 70000; host h 9 "02:00:00:00:00:01" }
network b "11.0.0.0/31" server=0 { host i 1 "02:00:00:00:00:02" }
network c "11.0.0.2/32"
network d "11.1.0.0/30" { pool 1 2 }
network e "128.0.0.0/1"
network f "12.0.0.0/22" server=1 { pool 100 100; host j 100 "02:00:00:00:00:03" }
"#;

/// The tree of a site with all engines; findings may be warnings.
fn tree(mut inputs: Inputs) -> Tree {
    let site = inputs.get_mut("site.kdl").unwrap();
    if !String::from_utf8_lossy(site).contains("\nengine ") {
        site.extend(ALL.bytes());
    }
    inputs.entry("assets.lock".into()).or_insert_with(|| lock().into_bytes());
    let compiled = compile(inputs, "site.kdl");
    compiled.tree.unwrap_or_else(|| panic!("{:#?}", compiled.diags))
}

fn written(tree: &Tree) -> Folder {
    let folder = Folder::new();
    for (path, artifact) in tree.files() {
        let path = folder.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, artifact.bytes()).unwrap();
    }
    folder
}

#[test]
fn their_own_checkers_take_the_files_of_every_site() {
    if !have(&["kea-dhcp4", "dnsmasq", "named-checkconf", "nsd-checkconf", "env"]) {
        return;
    }
    let cases = fs::read_dir(Path::new(ROOT).join("tests/compile")).unwrap().map(|case| {
        let case = case.unwrap().path();
        (case.display().to_string(), files(&case).into_iter().filter(|(path, _)| !path.starts_with("out/")).collect::<Inputs>())
    });
    let example = Folder::with_example();
    let own = files(&example.0).into_iter().filter(|(path, _)| !path.starts_with("out/")).collect();
    let more = [("the example".to_owned(), own), ("odd".into(), inputs(ODD)), ("sizes".into(), inputs(SIZES))];
    let more = more.into_iter().chain([("bare".to_owned(), inputs("site s\n"))]);
    for (name, inputs) in cases.chain(more) {
        let folder = written(&tree(inputs));
        let run = |program: &str, args: &[&str]| {
            let dir = folder.0.to_string_lossy().into_owned();
            let locks = format!("KEA_LOCKFILE_DIR={dir}");
            println!("{name}: {program}");
            tool("env", &[&["-C", &dir, &locks, program], args].concat());
        };
        run("kea-dhcp4", &["-t", "engines/kea-dhcp4.json"]);
        run("dnsmasq", &["--test", "-C", "engines/dnsmasq.conf"]);
        run("named-checkconf", &["-z", "engines/named.conf"]);
        run("nsd-checkconf", &["engines/nsd.conf"]);
    }
}

#[test]
fn a_checker_would_find_a_mistake() {
    if !have(&["kea-dhcp4", "dnsmasq", "named-checkconf", "nsd-checkconf"]) {
        return;
    }
    let folder = written(&tree(inputs(ODD)));
    let broken = |file: &str, program: &str, args: &[&str]| {
        let path = folder.0.join(file);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("10.66.0.1", "10.66.0.x").replace("zone", "zonne")).unwrap();
        let output = std::process::Command::new(program).args(args).arg(&path).output().unwrap();
        assert!(!output.status.success(), "{program} takes nonsense");
    };
    broken("engines/kea-dhcp4.json", "kea-dhcp4", &["-t"]);
    broken("engines/dnsmasq.conf", "dnsmasq", &["--test", "-C"]);
    broken("engines/named.conf", "named-checkconf", &[]);
    broken("engines/nsd.conf", "nsd-checkconf", &[]);
}

#[test]
fn only_what_is_asked_for_is_written() {
    let folder = Folder::with("site lab\nengine nsd\n");
    folder.run(&["build"]).ended(0);
    let names: Vec<String> = files(&folder.0.join("out/engines")).into_keys().collect();
    assert_eq!(names, ["nsd.conf"]);
    let plain = compile(inputs("site lab\n"), "site.kdl").tree.unwrap();
    assert!(plain.files().all(|(path, _)| !path.starts_with("engines/")));
}

#[test]
fn an_engine_is_named_once_wherever_it_stands() {
    let folder = Folder::with("site lab\nengine kea\nimport \"more.kdl\"\n// file: more.kdl\nengine bind\nengine kea\n");
    let said = folder.run(&["check"]).ended(1).err();
    assert!(said.contains("`engine kea` is declared twice") && said.contains("first declared here"), "{said}");
    let said = Folder::with("site lab\nengine dnsmask\n").run(&["check"]).ended(1).err();
    assert!(said.contains("`kea`, `dnsmasq`, `bind`, `nsd`"), "{said}");
    let said = Folder::with("site lab\nengine kea tftp=\"/srv\"\n").run(&["check"]).ended(1).err();
    assert!(said.contains("`engine kea` serves no files"), "{said}");
    let said = Folder::with("site lab\nengine dnsmasq tftp=\"srv\"\n").run(&["check"]).ended(1).err();
    assert!(said.contains("wants a whole path"), "{said}");
}

#[test]
fn no_line_is_longer_than_dnsmasq_reads() {
    let texts = |count: usize| {
        let site = format!("site s\nengine dnsmasq\ndns {{ txt x {} }}\n", format!("\"{}\" ", "y".repeat(200)).repeat(count));
        compile(inputs(&site), "site.kdl")
    };
    assert!(texts(4).tree.is_some());
    assert!(texts(6).diags.has("engine/line-long"));
    let tree = tree(inputs(ODD));
    let text = String::from_utf8(tree.get("engines/dnsmasq.conf").unwrap().bytes().to_vec()).unwrap();
    assert!(text.lines().all(|line| line.len() <= 1023));
}

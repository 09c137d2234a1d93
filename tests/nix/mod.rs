//! Nix, systemd's units, and `make install`: one text of each unit, for Debian and for NixOS.
//!
//! nixpkgs cannot be fetched here. The flake and its module are evaluated with a small stand-in (nixpkgs.nix,
//! modules.nix), which is as strict as the original about names and types; the last test breaks the module and
//! sees that it is.

mod container;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pxelator::serve::SERVICES;
use serde_json::{Value, json};

use crate::harness::{Folder, PROGRAM, ROOT, Run, Server, files, have, tool};

/// How long a foreign program may take, in seconds.
const SECS: u32 = 60;

/// Runs a program to its end, which comes after so many seconds at the latest.
fn bounded(program: &str, args: &[&str], secs: u32) -> Run {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &secs.to_string(), program]).args(args).current_dir(ROOT);
    Run(command.stdin(std::process::Stdio::null()).output().unwrap())
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of the units in systemd/.
fn units(ending: &str) -> BTreeSet<String> {
    let all = files(&Path::new(ROOT).join("systemd")).into_keys();
    all.filter_map(|name| Some(name.strip_suffix(ending)?.to_owned())).collect()
}

/// Nix without a store: what it would keep lies in the folder.
fn nix(folder: &Folder, args: &[&str]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &SECS.to_string(), "nix-instantiate", "--readonly-mode"]).args(args);
    for (name, place) in
        [("NIX_STORE_DIR", "store"), ("NIX_STATE_DIR", "var"), ("NIX_LOG_DIR", "log"), ("NIX_CONF_DIR", "conf"), ("HOME", "home")]
    {
        command.env(name, folder.0.join("nix").join(place));
    }
    Run(command.stdin(std::process::Stdio::null()).output().unwrap())
}

/// The flake in a folder, and a machine whose configuration is this text of Nix.
fn evaluate(folder: &Folder, flake: &Path, machine: &str) -> Result<Value, String> {
    let line = format!("import {ROOT}/tests/nix/evaluate.nix {{ folder = {}; machine = {machine}; }}", flake.display());
    let run = nix(folder, &["--eval", "--strict", "--json", "--expr", &line]);
    if run.code() == 0 { Ok(serde_json::from_str(&run.out()).unwrap()) } else { Err(run.err()) }
}

/// What `make install` puts below a folder, with the program of this test.
fn installed(folder: &Folder, prefix: &str) -> PathBuf {
    let root = folder.0.join("installed");
    let words = [format!("DESTDIR={}", root.display()), format!("PREFIX={prefix}"), format!("PROGRAM={PROGRAM}")];
    bounded("make", &["-s", "install-files", &words[0], &words[1], &words[2]], SECS).ended(0);
    root
}

#[test]
fn every_file_of_nix_parses() {
    if !have(&["nix-instantiate"]) {
        return;
    }
    let folder = Folder::new();
    let below =
        ["nix", "tests/nix"].map(|name| files(&Path::new(ROOT).join(name)).into_keys().map(move |file| format!("{name}/{file}")));
    let all: Vec<String> =
        below.into_iter().flatten().filter(|name| name.ends_with(".nix")).chain(["flake.nix".to_owned()]).collect();
    assert!(all.len() >= 6, "{all:?}");
    for name in all {
        nix(&folder, &["--parse", &format!("{ROOT}/{name}")]).ended(0);
    }
}

#[test]
fn the_flake_gives_a_package_checks_and_a_module() {
    if !have(&["nix-instantiate"]) {
        return;
    }
    let folder = Folder::new();
    let made = evaluate(&folder, Path::new(ROOT), "{ }").unwrap();
    for system in ["x86_64-linux", "aarch64-linux"] {
        assert_eq!(made["packages"][system], json!(["default"]));
        assert_eq!(made["checks"][system], json!(["example", "module"]));
        assert_eq!(made["devShells"][system], json!(["default"]));
    }
    let package = &made["package"];
    assert_eq!((&package["pname"], &package["version"]), (&"pxelator".into(), &env!("CARGO_PKG_VERSION").into()));
    // What postInstall runs is there, and brings units with the program where Nix puts it.
    let line = package["postInstall"].as_str().unwrap().trim().to_owned();
    let line = line.replace("$out/bin/pxelator", PROGRAM).replace("$out", &folder.0.join("out").display().to_string());
    bounded("sh", &["-c", &line], SECS).ended(0);
    let unit = fs::read_to_string(folder.0.join("out/lib/systemd/system/pxelator.service")).unwrap();
    assert!(unit.contains(&format!("ExecStart={}/out/bin/pxelator serve", folder.0.display())), "{unit}");
    // A machine that does not turn it on has nothing of it.
    assert_eq!(made["machine"]["services"], json!({}));
    assert_eq!(made["machine"]["packages"], json!([]));
}

#[test]
fn the_module_brings_the_units_and_opens_what_serve_binds() {
    if !have(&["nix-instantiate", "ss"]) {
        return;
    }
    let folder = Folder::with_example();
    let made = evaluate(&folder, Path::new(ROOT), &format!("{ROOT}/nix/example.nix")).unwrap();
    let machine = &made["machine"];
    assert_eq!(machine["assertions"], json!([]));
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&machine["services"]), units(".service"), "the module and systemd/ name the same units");
    assert_eq!(names(&machine["timers"]), units(".timer"));
    assert_eq!(machine["packages"].as_array().unwrap().len(), 1, "the units are those of the package");
    // NixOS reads no [Install]: the module repeats it.
    for (kind, ending) in [("services", ".service"), ("timers", ".timer")] {
        for name in units(ending) {
            let unit = text(&format!("systemd/{name}{ending}"));
            let wanted: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("WantedBy=")).collect();
            assert_eq!(machine[kind][&name]["wantedBy"], json!(wanted), "{name}{ending}");
            // A variable that the module sets is one that the unit has.
            for variable in machine[kind][&name]["environment"].as_object().into_iter().flat_map(|set| set.keys()) {
                assert!(unit.contains(&format!("\nEnvironment={variable}=")), "{name}{ending} has no {variable}");
            }
        }
    }
    let user = &machine["users"]["pxelator"];
    let line = format!("u pxelator - {} {}", user["description"], user["home"].as_str().unwrap());
    assert!(text("systemd/pxelator.sysusers").lines().any(|own| own == line), "{line}");

    // What `serve` really binds, of a site without a page.
    fs::write(folder.0.join("site.kdl"), "site lab\nnetwork lan \"10.77.0.0/24\" server=2\n").unwrap();
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    let sockets = tool("ss", &["-H", "-lntup"]);
    let own = format!("pid={},", server.pid());
    let ports = |protocol: &str| -> BTreeSet<u64> {
        let lines = sockets.lines().filter(|line| line.starts_with(protocol) && line.contains(&own));
        let port = |line: &str| line.split_whitespace().nth(4)?.rsplit(':').next()?.parse::<u64>().ok();
        lines.filter_map(port).map(|port| port - u64::from(server.offset)).collect()
    };
    let opened = |key: &str| -> BTreeSet<u64> {
        machine["firewall"][key].as_array().unwrap().iter().map(|port| port.as_u64().unwrap()).collect()
    };
    assert_eq!(opened("allowedUDPPorts"), ports("udp"));
    // The example opens the port of the page besides.
    assert_eq!(opened("allowedTCPPorts"), &ports("tcp") | &BTreeSet::from([8080]));
    let said = text("nix/module.nix");
    let about = said.lines().find(|line| line.contains("Open DNS")).unwrap();
    assert!(SERVICES.iter().all(|service| about.contains(&format!("{} {}", service.name, service.port))), "{about}");
}

#[test]
fn rivals_for_a_port_are_named_and_one_address_is_a_way_out() {
    if !have(&["nix-instantiate"]) {
        return;
    }
    let folder = Folder::new();
    let machine = |more: &str| {
        let made = evaluate(&folder, Path::new(ROOT), &format!("{{ services.pxelator.enable = true; {more} }}")).unwrap();
        made["machine"].clone()
    };
    let page = text("docs/nix.md");
    for (rival, ports) in
        [("dnsmasq", "DNS 53 and DHCP 67"), ("kea.dhcp4", "DHCP 67"), ("resolved", "DNS 53"), ("nginx", "HTTP 80")]
    {
        let said = machine(&format!("services.{rival}.enable = true;"));
        let message = format!(
            "services.pxelator serves on every address of this machine, and services.{rival} wants {ports} too: turn that off, or give services.pxelator.bind an address that it leaves free"
        );
        assert_eq!(said["assertions"], json!([message]));
        assert!(rival != "resolved" || page.contains(&message), "docs/nix.md does not show: {message}");
    }
    let bound = machine(
        "services.resolved.enable = true; services.pxelator.bind = \"10.77.0.2\"; services.pxelator.store = \"/data/px\";",
    );
    assert_eq!(bound["assertions"], json!([]));
    assert_eq!(bound["services"]["pxelator"]["environment"], json!({ "SERVE_OPTIONS": "--bind 10.77.0.2", "STORE": "/data/px" }));
    assert_eq!(names_of(&bound["services"]), ["pxelator"], "what is not turned on is not there");
    assert_eq!(bound["firewall"]["allowedUDPPorts"], json!([]));
}

fn names_of(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_misspelt_word_of_the_module_is_found() {
    if !have(&["nix-instantiate"]) {
        return;
    }
    // In a configuration, and a value of another type.
    let folder = Folder::new();
    for (machine, said) in [
        ("{ services.pxelator.opnFirewall = true; }", "services.pxelator.opnFirewall' does not exist"),
        ("{ services.pxelator = { enable = true; store = 5; }; }", "services.pxelator.store' is not of type"),
        ("{ services.pxelator = { enable = true; bind = true; }; }", "services.pxelator.bind' is not of type"),
    ] {
        assert!(evaluate(&folder, Path::new(ROOT), machine).unwrap_err().contains(said), "{machine}");
    }
    // In the module, and in the flake.
    for (file, right, wrong) in [
        ("nix/module.nix", "systemd.packages", "systemd.package"),
        ("nix/module.nix", "wantedBy", "wantdBy"),
        ("nix/module.nix", "allowedUDPPorts", "allowedUdpPorts"),
        ("nix/module.nix", "pkgs.rsync", "pkgs.rsnyc"),
        ("nix/module.nix", "types.str", "types.string"),
        ("nix/module.nix", "config.services.kea.dhcp4.enable", "config.services.kea.dhcp.enable"),
        ("nix/module.nix", "isSystemUser", "systemUser"),
        ("flake.nix", "buildRustPackage", "buildRust"),
        ("flake.nix", "nixpkgs.lib.nixosSystem", "nixpkgs.lib.nixSystem"),
        ("flake.nix", "pkgs.rrdtool", "pkgs.rrdtol"),
    ] {
        let copy = Folder::new();
        fs::create_dir_all(copy.0.join("nix")).unwrap();
        for name in ["flake.nix", "nix/module.nix", "nix/example.nix", "Cargo.toml", "Cargo.lock"] {
            let as_it_is = text(name);
            assert!(name != file || as_it_is.contains(right), "{file} has no {right}");
            fs::write(copy.0.join(name), if name == file { as_it_is.replace(right, wrong) } else { as_it_is }).unwrap();
        }
        let machine = format!("{}/nix/example.nix", copy.0.display());
        let said = evaluate(&folder, &copy.0, &machine).expect_err(&format!("{file} with {wrong}"));
        let name = wrong.rsplit('.').next().unwrap();
        assert!(said.contains(name), "{wrong}: {said}");
    }
}

#[test]
fn systemd_accepts_the_units_that_make_installs() {
    if !have(&["make", "systemd-analyze"]) {
        return;
    }
    let folder = Folder::new();
    // Below a prefix that is there, so that systemd finds the program.
    let prefix = folder.0.join("prefix").display().to_string();
    bounded("make", &["-s", "install-units", &format!("PREFIX={prefix}"), &format!("LIB={prefix}/lib")], SECS).ended(0);
    fs::create_dir_all(format!("{prefix}/bin")).unwrap();
    fs::copy("/bin/true", format!("{prefix}/bin/pxelator")).unwrap();
    let system = format!("{prefix}/lib/systemd/system");
    let all = [".service", ".timer"].map(|ending| units(ending).into_iter().map(move |name| format!("{name}{ending}")));
    let all: Vec<String> = all.into_iter().flatten().collect();
    assert_eq!(all.len(), 5);
    for name in &all {
        let own = text(&format!("systemd/{name}"));
        let made = fs::read_to_string(format!("{system}/{name}")).unwrap();
        assert_eq!(
            made,
            own.replace("/usr/local/bin/pxelator", &format!("{prefix}/bin/pxelator")),
            "nothing but the path differs"
        );
        assert_eq!(own.matches("/usr/local/bin/").count(), usize::from(name.ends_with(".service")), "{name}");
    }
    let verify = |names: &[String]| {
        let paths: Vec<String> = names.iter().map(|name| format!("{system}/{name}")).collect();
        let args: Vec<&str> = ["verify", "--man=no"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        let run = bounded("systemd-analyze", &args, SECS);
        // Of ours alone: other units of this machine have their own troubles.
        let said: Vec<String> = run.err().lines().filter(|line| line.contains("pxelator")).map(str::to_owned).collect();
        (run.code(), said)
    };
    assert_eq!(verify(&all), (0, Vec::new()));
    // How much a unit may do, of 10: one word less, and this grows.
    let exposure = |name: &str| -> f64 {
        let run =
            bounded("systemd-analyze", &["security", "--offline=true", "--no-pager", &format!("{system}/{name}")], SECS).ended(0);
        let said = run.out();
        let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
        line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
    };
    let before = exposure("pxelator.service");
    assert!(before <= 3.0, "{before}");
    assert!(exposure("pxelator-track.service") <= 4.5);
    // A word that systemd does not know is told, so the silence above means something.
    let broken = fs::read_to_string(format!("{system}/pxelator.service")).unwrap().replace("ProtectSystem=", "ProtectSytem=");
    fs::write(format!("{system}/pxelator.service"), broken).unwrap();
    assert!(verify(&all).1.iter().any(|line| line.contains("ProtectSytem")));
    assert!(exposure("pxelator.service") > before);
}

#[test]
fn make_uninstall_takes_away_what_make_install_brought() {
    if !have(&["make"]) {
        return;
    }
    let folder = Folder::new();
    let root = installed(&folder, "/opt/pxelator");
    let there = files(&root);
    for name in ["bin/pxelator", "share/man/man1/pxelator-serve.1", "share/bash-completion/completions/pxelator"] {
        assert!(there.get(&format!("opt/pxelator/{name}")).is_some_and(|bytes| !bytes.is_empty()), "{name}");
    }
    // Below /opt systemd looks for nothing.
    for name in ["systemd/system/pxelator-track.timer", "sysusers.d/pxelator.conf", "tmpfiles.d/pxelator.conf"] {
        assert!(there.get(&format!("etc/{name}")).is_some_and(|bytes| !bytes.is_empty()), "{name}");
    }
    if have(&["root", "systemctl", "systemd-sysusers"]) {
        let at = format!("--root={}", root.display());
        bounded("systemctl", &[&at, "enable", "pxelator.service", "pxelator-track.timer"], SECS).ended(0);
        assert_eq!(bounded("systemctl", &[&at, "is-enabled", "pxelator.service"], SECS).ended(0).out(), "enabled\n");
        bounded("systemctl", &[&at, "disable", "pxelator.service", "pxelator-track.timer"], SECS).ended(0);
        bounded("systemd-sysusers", &[&at], SECS).ended(0);
        assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().contains("pxelator:"));
        for name in ["passwd", "group", "shadow", "gshadow", "passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"] {
            let _not_made = fs::remove_file(root.join("etc").join(name));
        }
    }
    bounded("make", &["-s", "uninstall", &format!("DESTDIR={}", root.display()), "PREFIX=/opt/pxelator"], SECS).ended(0);
    assert_eq!(files(&root).into_keys().collect::<Vec<_>>(), Vec::<String>::new());
}

/// The commands that the units run are commands, and their options too.
#[test]
fn the_units_run_what_the_program_knows() {
    for name in units(".service") {
        let unit = text(&format!("systemd/{name}.service"));
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/pxelator ")).unwrap();
        let (command, options) = line.split_once(" --").unwrap();
        let folder = Folder::new();
        // The commands of the night are rooms of their own.
        let overview = folder.run(&["--help"]).ended(0).out();
        let known = overview.lines().any(|line| line.split_whitespace().next() == command.split(' ').next());
        if !known && ["track pull", "rule plan"].contains(&command) {
            continue;
        }
        let mut words: Vec<&str> = command.split(' ').collect();
        words.push("--help");
        let help = folder.run(&words).ended(0).out();
        for option in format!("--{options}").split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "pxelator {command} has no {option}");
        }
        let page = unit.lines().find_map(|line| line.strip_prefix("Documentation=man:")).unwrap();
        assert_eq!(page, format!("pxelator-{}(1)", command.replace(' ', "-")), "{name}");
    }
}

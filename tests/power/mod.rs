//! Machines are switched: `pxelator power` and `serve` against a strict AMT device, and against foreign clients.

mod schedules;

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::amt::{Change, Device, Mood, own_address};
use crate::harness::{Folder, ROOT, have, tool};

const PASSWORD: &str = "P@ss, \"w0rd\" \\ 1";

/// A built site with a kiosk whose AMT has this address; `more` is what the host says besides.
fn site(address: SocketAddrV4, more: &str, rest: &str) -> Folder {
    let folder = Folder::new();
    let text = format!(
        "site lab domain=\"lab.example\" timezone=\"Europe/Zagreb\"\nsecret amt-kiosk file=\"{}/password\"\n\
         network lan \"127.0.0.0/8\" {{\n    host kiosk-01 \"{}\" \"54:b2:03:00:00:0b\" amt=amt-kiosk {more}\n{rest}\n}}\n\
         schedule opening {{ power \"07:30\" \"20:30\" days=\"mon..fri\"; holidays off }}\nholidays {{ day \"12-25\" }}\n",
        folder.0.display(),
        address.ip()
    );
    fs::write(folder.0.join("site.kdl"), text).unwrap();
    fs::write(folder.0.join("password"), format!("{PASSWORD}\n")).unwrap();
    fs::create_dir(folder.0.join("state")).unwrap();
    folder.run(&["build"]).ended(0);
    folder
}

fn device() -> (Device, Receiver<Change>) {
    let (sender, changes) = channel();
    (Device::listen(own_address(), PASSWORD, move |change| sender.send(change).unwrap_or(())), changes)
}

/// What `power kiosk-01 …` says, and how it ends.
fn power(folder: &Folder, words: &[&str]) -> (i32, String) {
    let all = [&["power", "kiosk-01"], words, &["--state", "state"]].concat();
    let run = folder.run(&all);
    (run.code(), run.out() + &run.err())
}

/// A manual's text is what was said, with the address and the folder of the manual.
fn stands_in_the_manual(text: &str, address: SocketAddrV4, folder: &Folder) {
    let text = text.replace(&address.to_string(), "10.77.0.11:16992").replace(folder.0.to_str().unwrap(), "/run/secrets");
    let text = text.replace("/run/secrets/password", "/run/secrets/amt-kiosk");
    let page = fs::read_to_string(Path::new(ROOT).join("docs/switching.md")).unwrap();
    assert!(page.contains(&text), "docs/switching.md lacks: {text}");
}

#[test]
fn a_person_switches_a_machine() {
    let (device, changes) = device();
    let folder = site(device.address, "schedule=opening", "");
    let (code, status) = power(&folder, &["status"]);
    assert!(code == 0 && status.starts_with("kiosk-01: off; schedule opening wants `"), "{status}");
    let told = |words: &[&str]| power(&folder, words).1;
    assert_eq!(told(&["on"]), "kiosk-01: told `on`, was off\n");
    assert_eq!(told(&["on"]), "kiosk-01: is on already, and was left alone\n");
    assert_eq!(told(&["reset"]), "kiosk-01: told `reset`, was on\n");
    assert_eq!(told(&["cycle"]), "kiosk-01: told `cycle`, was on\n");
    assert_eq!(told(&["off"]), "kiosk-01: told `off`, was on\n");
    assert_eq!(
        power(&folder, &["reset"]),
        (1, "error: kiosk-01: it is off, and only a running machine can be reset: tell it `on`\n".into())
    );
    assert_eq!(told(&["cycle"]), "kiosk-01: told `cycle`, was off\n");
    let network = false;
    let all = [
        Change::On { network },
        Change::Reset { network },
        Change::Off,
        Change::On { network },
        Change::Off,
        Change::On { network },
    ];
    assert_eq!(changes.try_iter().collect::<Vec<_>>(), all);
    let json = told(&["status", "--format", "json"]);
    assert!(json.contains("\"state\": \"on\"") && json.contains("\"schedule\": \"opening\""), "{json}");
    // The password was proved, and never sent again under a nonce that had been used.
    assert!(device.heard().iter().filter(|line| line.starts_with("401")).all(|line| line == "401: no authorization"));
}

#[test]
fn holidays_that_are_over_are_told_with_the_status_alone() {
    let (device, _changes) = device();
    let folder = site(device.address, "schedule=opening", "");
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    fs::write(folder.0.join("site.kdl"), text.replace("holidays {", "holidays until=\"2025-12-31\" {")).unwrap();
    folder.run(&["build"]).ended(0);
    let status = power(&folder, &["status"]).1;
    let warning =
        "warning: schedule opening: its holidays are known until 2025-12-31 alone; of days with a year it knows no more\n";
    assert!(status.contains(warning), "{status}");
    assert_eq!(power(&folder, &["on"]).1, "kiosk-01: told `on`, was off\n");
}

#[test]
fn one_boot_from_the_network_and_no_other() {
    let (device, changes) = device();
    let folder = site(device.address, "", "");
    assert_eq!(power(&folder, &["on", "--pxe"]).1, "kiosk-01: told `on`, was off\n");
    power(&folder, &["cycle"]);
    let all: Vec<Change> = changes.try_iter().collect();
    assert_eq!(all, [Change::On { network: true }, Change::Off, Change::On { network: false }]);
    let field = |name: &str| device.boot_data().into_iter().find(|(field, _)| field == name).unwrap().1;
    assert_eq!(["BIOSSetup", "UseSOL", "BootMediaIndex", "EnforceSecureBoot"].map(field), ["false", "false", "0", "true"]);
    assert_eq!(
        power(&folder, &["off", "--pxe"]),
        (2, "error: --pxe is about the boot that follows: give it with on, cycle or reset\n".into())
    );
}

#[test]
fn every_way_to_fail_has_a_sentence() {
    let (device, _changes) = device();
    let folder = site(device.address, "", "");
    let at = device.address;
    let says = |mood: Mood, words: &str| {
        device.mood(mood.clone());
        let (code, text) = power(&folder, &["on"]);
        assert!(code == 1 && text.starts_with(&format!("error: kiosk-01: {at} {words}")), "{mood:?}: {text}");
    };
    says(Mood::Half, "ends the connection before its answer is whole: its AMT may be starting");
    says(Mood::Huge, "answers with more than 256 KiB, as no AMT does");
    says(Mood::Says("hello".into()), "answers with no XML (");
    says(Mood::Says(format!("{}1", "<a>".repeat(80_000))), "answers with no XML (");
    says(Mood::Says("<html></html>".into()), "answers with a <html> where a SOAP envelope belongs, as no AMT does");
    says(Mood::Stale, "asks for the password again and again");
    says(Mood::Wants("Negotiate"), "asks for `Negotiate` authentication, and AMT for Digest");
    says(Mood::Faults, "refuses: The server was not ready. (b:InvalidMessageInformationHeader)");
    for (value, words) in [
        (1, "its firmware does not know this"),
        (3, "it took too long by its own clock"),
        (4, "it tried and failed"),
        (5, "it does not take what we sent"),
        (4096, "it began a job"),
        (4097, "it does not change to that from what it does now"),
        (4098, "it does not take a limit of time"),
        (7, "no meaning that the schema knows"),
    ] {
        says(Mood::Returns(value), &format!("answers RequestPowerStateChange with {value}: {words}"));
    }
    device.mood(Mood::Right);
    fs::write(folder.0.join("password"), "wrong\n").unwrap();
    let (_, text) = power(&folder, &["on"]);
    let file = folder.0.join("password");
    assert!(
        text.contains(&format!("{at} refuses user `admin` with the password in {}: put the AMT password", file.display())),
        "{text}"
    );
    stands_in_the_manual(&text, at, &folder);
    fs::remove_file(&file).unwrap();
    let (_, text) = power(&folder, &["on"]);
    assert!(text.starts_with(&format!("error: kiosk-01: {}: there is no such file: write the secret", file.display())), "{text}");
    assert!(!device.is_on());
}

#[test]
fn nobody_listens_or_nobody_answers() {
    let address = own_address();
    let folder = site(address, "", "");
    let (code, text) = power(&folder, &["status"]);
    assert_eq!(code, 1);
    stands_in_the_manual(&text, address, &folder);
    let (device, _changes) = device();
    device.mood(Mood::Silent);
    let folder = site(device.address, "", "");
    stands_in_the_manual(&power(&folder, &["status"]).1, device.address, &folder);
}

#[test]
fn nonces_run_out_and_a_busy_controller_is_waited_for() {
    let (device, changes) = device();
    let folder = site(device.address, "", "");
    device.limits(Duration::from_secs(5), 1);
    assert_eq!(power(&folder, &["on"]).1, "kiosk-01: told `on`, was off\n");
    assert_eq!(power(&folder, &["off"]).1, "kiosk-01: told `off`, was on\n");
    assert_eq!(changes.try_iter().count(), 2);
    let heard = device.heard();
    let asked: Vec<&str> = heard.iter().map(String::as_str).filter(|line| line.starts_with("Ok(")).collect();
    let (state, off) = ("Ok(State)", "Ok(Change(8))");
    assert_eq!(asked, [state, "Ok(Change(2))", state, off, state, off], "before it is told again it is looked at");
    assert!(heard.contains(&"401: stale".to_owned()), "{heard:?}");
}

#[test]
fn what_starts_a_machine_anew_is_told_once() {
    let (device, _changes) = device();
    let folder = site(device.address, "", "");
    device.set_on(true);
    device.mood(Mood::Returns(2));
    for (what, told) in [("cycle", "Ok(Change(5))"), ("reset", "Ok(Change(10))")] {
        let (code, text) = power(&folder, &[what]);
        assert!(code == 1 && text.contains("answers RequestPowerStateChange with 2: it says no more than that"), "{text}");
        assert_eq!(device.heard().iter().filter(|line| *line == told).count(), 1);
    }
}

#[test]
fn several_machines_are_named_at_once() {
    let (one, two) = (device().0, device().0);
    let rest = format!("group hall {{ host kiosk-02 \"{}\" \"54:b2:03:00:00:0c\" amt=amt-kiosk tags=\"b2\" }}", two.address.ip());
    let folder = site(one.address, "tags=\"b2\"", &rest);
    let told = |who: &str, what: &str| folder.run(&["power", who, what, "--state", "state"]);
    assert_eq!(told("group:hall", "on").ended(0).out(), "kiosk-02: told `on`, was off\n");
    assert_eq!(
        told("tag:b2", "on").ended(0).out(),
        "kiosk-01: told `on`, was off\nkiosk-02: is on already, and was left alone\n"
    );
    assert_eq!(told("kiosk-3", "on").ended(2).err(), "error: no host `kiosk-3` that can be switched; did you mean `kiosk-01`?\n");
    two.mood(Mood::Half);
    let run = told("tag:b2", "off").ended(1);
    assert!(
        run.out().starts_with("kiosk-01: told `off`") && run.err().starts_with("error: kiosk-02: "),
        "{}{}",
        run.out(),
        run.err()
    );
}

#[test]
fn a_certificate_is_taken_once_and_kept() {
    if !have(&["openssl"]) {
        return;
    }
    let folder = Folder::new();
    let pem = |name: &str| {
        let path = folder.0.join(name);
        let path = path.to_str().unwrap();
        let key = format!("{path}.key");
        tool(
            "openssl",
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=amt", "-days", "9", "-keyout", &key, "-out", path],
        );
        fs::read_to_string(path).unwrap() + &fs::read_to_string(key).unwrap()
    };
    let address = SocketAddrV4::new(*own_address().ip(), 16993);
    let device = Device::listen_tls(address, PASSWORD, &pem("one"));
    let site = site(address, "amt-tls=#true", "");
    assert_eq!(power(&site, &["on"]).1, "kiosk-01: told `on`, was off\n");
    let kept = fs::read_to_string(site.0.join("state/amt/kiosk-01.sha256")).unwrap();
    let shown = tool("openssl", &["x509", "-in", folder.0.join("one").to_str().unwrap(), "-noout", "-fingerprint", "-sha256"]);
    let shown = shown.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(kept, format!("sha256:{shown}\n"));
    device.heard();
    fs::write(site.0.join("state/amt/kiosk-01.sha256"), format!("sha256:{}\n", "0".repeat(64))).unwrap();
    let (code, text) = power(&site, &["off"]);
    assert!(
        code == 1 && text.contains(&format!("shows the certificate sha256:{shown}, and the one that is known is sha256:000")),
        "{text}"
    );
    assert!(text.trim_end().ends_with("if it was provisioned anew, remove state/amt/kiosk-01.sha256"), "{text}");
    assert_eq!(device.heard(), Vec::<String>::new());
}

/// PyPI's `amt`, which knows devices and not ours, finds that this one is a device.
#[test]
fn a_foreign_client_takes_our_device_for_one() {
    let python = Path::new(ROOT).join("target/tools/amt");
    if !have(&["python3"]) || !crate::harness::have_file(&python.join("amt/client.py")) {
        return;
    }
    let (device, changes) = device();
    let script = format!(
        "import sys; from amt.client import Client; c = Client('{}', sys.argv[1])\n\
         print(c.power_status()); c.pxe_next_boot(); print(c.power_on()); print(c.power_status()); print(c.power_cycle()); print(c.power_off())",
        device.address.ip()
    );
    let output = Command::new("/usr/bin/python3").args(["-c", &script, PASSWORD]).env("PYTHONPATH", &python).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "8\n0\n2\n0\n0\n", "{}", String::from_utf8_lossy(&output.stderr));
    let all: Vec<Change> = changes.try_iter().collect();
    assert_eq!(all, [Change::On { network: true }, Change::Off, Change::On { network: false }, Change::Off]);
}

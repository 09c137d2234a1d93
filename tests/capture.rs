//! `capture`: what a machine says is kept as Wireshark reads it, and what another one says is not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::harness::{Folder, PROGRAM, have, tool};
use crate::network::Segment;

const SITE: &str = r#"
site lab domain="lab.example"
network lan "10.66.0.0/24" gateway=1 server=2 dns=2 {
    pool 100 199 lease="1h"
    group kiosks { host kiosk-01 27 "52:54:00:66:00:1b" }
    host kiosk-02 28 "52:54:00:66:00:1c"
}
"#;

/// Four pings from kiosk-01 in VLAN 7, as a machine sends them whose kernel knows VLANs.
const TAGGED: &str = r#"
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("v1", 0))
head = bytes.fromhex("ffffffffffff" "52540066001b" "81000007" "0800" "4500001c000000004001" "0000" "0a42071b" "0a420702")
for _ in range(4):
    s.send(head + bytes.fromhex("0800f7ff00000000")); time.sleep(0.7)
"#;

fn built() -> Folder {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    folder
}

/// Begins a capture, and waits until it listens.
fn capture(segment: &Segment, folder: &Folder, more: &[&str]) -> Child {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &segment.server, PROGRAM, "capture"]).args(more).current_dir(&folder.0);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "capturing; Ctrl-C ends it\n");
    child
}

fn tshark(folder: &Folder, more: &[&str]) -> String {
    let file = folder.0.join("boot.pcapng").to_string_lossy().into_owned();
    tool("tshark", &[&["-r", &file], more].concat())
}

#[test]
fn one_machine_and_one_protocol_are_kept_with_names() {
    if !have(&["root", "ip", "udhcpc", "dig", "tshark"]) {
        return;
    }
    let folder = built();
    let segment = Segment::new("cap", "10.66.0.2/24");
    let _server = segment.serve(&folder);
    let running = capture(&segment, &folder, &["group:kiosks", "--protocol", "dhcp,dns", "-o", "boot.pcapng", "--packets", "6"]);
    segment.become_mac("52:54:00:66:00:1c");
    assert!(segment.udhcpc(&folder).starts_with("10.66.0.28 "));
    segment.become_mac("52:54:00:66:00:1b");
    assert!(segment.udhcpc(&folder).starts_with("10.66.0.27 "));
    tool("ip", &["-n", &segment.client, "addr", "add", "10.66.0.27/24", "dev", "v1"]);
    segment.on_client(&["ping", "-c", "1", "10.66.0.2"]);
    segment.on_client(&["dig", "@10.66.0.2", "+short", "+tries=1", "kiosk-02.lab.example"]);
    let output = running.wait_with_output().unwrap();
    let (lines, news) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(news, "6 packets in boot.pcapng\n");
    for expected in [
        "kiosk-01 → everybody  DHCP DISCOVER",
        "DHCP ACK 10.66.0.27",
        "kiosk-01 → 10.66.0.2  DNS asks kiosk-02.lab.example A",
        "10.66.0.2 → kiosk-01  DNS answers kiosk-02.lab.example A: 10.66.0.28",
    ] {
        assert!(lines.contains(expected), "{expected}\n{lines}");
    }
    let kinds = tshark(&folder, &["-T", "fields", "-e", "_ws.col.Protocol"]);
    assert_eq!(kinds, "DHCP\nDHCP\nDHCP\nDHCP\nDNS\nDNS\n");
    let named = tshark(&folder, &["-N", "n", "-Y", "dns.flags.response == 0", "-T", "fields", "-e", "ip.src_host"]);
    assert_eq!(named, "kiosk-01\n");
    assert_eq!(tshark(&folder, &["-Y", "dhcp.hw.mac_addr == 52:54:00:66:00:1c"]), "");
    let mode = fs::metadata(folder.0.join("boot.pcapng")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(folder.run(&["capture", "-o", "boot.pcapng"]).ended(2).err().contains("boot.pcapng is there already"));
}

#[test]
fn a_killed_capture_is_read_and_vlan_tags_are_in_it() {
    if !have(&["root", "ip", "tshark", "python3"]) {
        return;
    }
    let folder = built();
    let segment = Segment::new("cav", "10.66.0.2/24");
    segment.become_mac("52:54:00:66:00:1b");
    let mut running = capture(&segment, &folder, &["kiosk-01", "--protocol", "icmp", "--interface", "v0", "-o", "boot.pcapng"]);
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map_while(Result::ok);
    segment.on_client(&["python3", "-c", TAGGED]);
    assert!(lines.next().unwrap().ends_with("kiosk-01 → 10.66.7.2  ICMP ping"));
    // Written once a second: the first of four is on the disk when the last one comes, two seconds later.
    std::iter::repeat_with(|| lines.next().unwrap()).take(3).for_each(drop);
    running.kill().unwrap();
    running.wait().unwrap();
    let tags = tshark(&folder, &["-T", "fields", "-e", "vlan.id"]);
    let count = tags.lines().count();
    assert!((1..=4).contains(&count) && tags.lines().all(|line| line == "7"), "{tags}");
}

#[test]
fn what_is_mistaken_is_said_with_the_mend() {
    if !have(&["root", "ip", "setpriv"]) {
        return;
    }
    let folder = built();
    let error = |args: &[&str]| folder.run(&[&["capture"], args].concat()).ended(2).err();
    assert_eq!(error(&["kiosk-1"]), "error: the site has no host, group, tag or network `kiosk-1`; did you mean `kiosk-01`?\n");
    assert_eq!(error(&["kiosks"]), "error: the site has no host, group, tag or network `kiosks`; did you mean `group:kiosks`?\n");
    let segment = Segment::new("cae", "10.66.0.2/24");
    let within = |args: &[&str]| {
        let all = [&["netns", "exec", &segment.server, PROGRAM, "capture"], args].concat();
        let output = Command::new("ip").args(all).current_dir(&folder.0).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(within(&["--interface", "v7"]), "error: no interface `v7` on this machine; it has lo, v0\n");
    let nothing = within(&["kiosk-01", "--seconds", "1", "--interface", "v0"]);
    assert!(nothing.contains("0 packets\nnothing came from or for `kiosk-01`: see that the machine is on"), "{nothing}");
    // The program tells its own place, links resolved.
    let program = std::path::Path::new(PROGRAM).canonicalize().unwrap();
    let lacking = ["--bounding-set=-net_raw", "--inh-caps=-net_raw", PROGRAM, "capture"];
    let output = Command::new("setpriv").args(lacking).current_dir(&folder.0).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        text,
        format!(
            "error: this user may not listen on interfaces: run it as root, or once: setcap cap_net_raw+ep {}\n",
            program.display()
        )
    );
}

//! Wake on LAN, on a wire of its own: what we send is what etherwake and wakeonlan send.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::harness::{Folder, PROGRAM, have, tool};

const MAC: &str = "54:b2:03:00:00:0b";

/// Prints the payload of each wake-up that comes by, and where it was sent to.
const LISTEN: &str = r#"
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("v1", 0)); s.settimeout(20)
print("ready", flush=True)
left = int(sys.argv[1])
while left:
    frame = s.recv(2000)
    if frame[12:14] == b"\x08\x42": to, payload = "ether", frame[14:]
    elif frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\x00\x09":
        to, payload = socket.inet_ntoa(frame[30:34]), frame[42:34 + int.from_bytes(frame[38:40], "big")]
    else: continue
    left -= 1
    print(to, payload.hex(), flush=True)
"#;

/// Two namespaces and a wire between; gone with their owner.
struct Wire([String; 2]);

impl Wire {
    fn new() -> Wire {
        let wire = Wire(["s", "c"].map(|end| format!("pxwake-{end}-{}", std::process::id())));
        let [server, client] = &wire.0;
        wire.0.iter().for_each(|space| drop(tool("ip", &["netns", "add", space])));
        tool("ip", &["-n", server, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", client]);
        tool("ip", &["-n", server, "address", "add", "10.77.0.2/24", "dev", "v0"]);
        tool("ip", &["-n", server, "link", "set", "v0", "up"]);
        tool("ip", &["-n", client, "link", "set", "v1", "up"]);
        wire
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for space in &self.0 {
            let _gone_already = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

#[test]
fn a_wake_up_is_what_others_send() {
    if !have(&["root", "ip", "python3", "etherwake", "wakeonlan"]) {
        return;
    }
    let wire = Wire::new();
    let folder = Folder::with(&format!(
        "site lab domain=\"lab.example\" timezone=\"Europe/Zagreb\"\nnetwork lan \"10.77.0.0/24\" {{ host kiosk-01 11 \"{MAC}\" wake=#true }}\n"
    ));
    folder.run(&["build"]).ended(0);
    std::fs::create_dir(folder.0.join("state")).unwrap();
    // Ours: three times, to two addresses.
    let listen = ["netns", "exec", &wire.0[1], "python3", "-c", LISTEN, "8"];
    let mut listener = Command::new("ip").args(listen).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let within = |words: &[&str]| {
        let all = [&["netns", "exec", &wire.0[0]], words].concat();
        let output = Command::new("ip").args(all).current_dir(&folder.0).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let ours = within(&[PROGRAM, "power", "kiosk-01", "on", "--state", "state"]);
    assert_eq!(ours, (Some(0), "kiosk-01: a wake-up was sent; nothing answers one\n".into()));
    assert_eq!(within(&["wakeonlan", "-i", "10.77.0.255", MAC]).0, Some(0));
    assert_eq!(within(&["etherwake", "-b", "-i", "v0", MAC]).0, Some(0));
    let all: Vec<String> = lines.collect();
    listener.wait().unwrap();
    let payload = format!("{}{}", "ff".repeat(6), MAC.replace(':', "").repeat(16));
    let to: Vec<&str> = all.iter().filter_map(|line| line.strip_suffix(&format!(" {payload}"))).collect();
    let both = ["10.77.0.255", "255.255.255.255"].repeat(3);
    assert_eq!(to, [&both[..], &["10.77.0.255", "ether"]].concat(), "{all:#?}");
    let off = within(&[PROGRAM, "power", "kiosk-01", "off", "--state", "state"]);
    assert_eq!(off, (Some(1), "error: kiosk-01: it can be woken, and not be told `off`: that needs amt= in the site\n".into()));
}

//! The services on loopback with a port offset, asked by clients that are not ours.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::harness::{Folder, PATIENCE, PROGRAM, Server, have, tool};

/// An assets folder with files of our own, and a site that names them.
fn with_assets() -> Folder {
    let folder = Folder::new();
    let assets = folder.0.join("assets");
    fs::create_dir(&assets).unwrap();
    fs::write(assets.join("vmlinuz"), kernel()).unwrap();
    let site = format!(
        "site lab domain=\"lab.example\"\nassets \"{}\"\nnetwork lan \"10.0.0.0/24\" server=2 {{ host pc 9 \"52:54:00:00:00:09\" profile=p; pool 100 109 }}\nprofile p {{ kernel \"vmlinuz\" }}\n",
        assets.display()
    );
    fs::write(folder.0.join("site.kdl"), site).unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    folder
}

/// Three megabytes in which no two blocks are alike.
fn kernel() -> Vec<u8> {
    (0..750_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn tftp_clients_get_menus_and_kernels() {
    if !have(&["tftp", "atftp"]) {
        return;
    }
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let port = server.port(69);
    let to = |name: &str| folder.0.join(name).to_string_lossy().into_owned();
    tool("tftp", &["127.0.0.1", &port, "-m", "binary", "-c", "get", "pxelinux.cfg/01-52-54-00-00-00-09", &to("menu")]);
    assert!(fs::read_to_string(to("menu")).unwrap().contains("LINUX vmlinuz"));
    tool("tftp", &["127.0.0.1", &port, "-m", "ascii", "-c", "get", "menus/p.pxelinux", &to("ascii")]);
    assert_eq!(fs::read(to("ascii")).unwrap(), fs::read(to("menu")).unwrap(), "netascii there and back");
    tool("tftp", &["127.0.0.1", &port, "-m", "binary", "-c", "get", "vmlinuz", &to("by-hpa")]);
    assert!(fs::read(to("by-hpa")).unwrap() == kernel());
    for options in [
        vec![],
        vec!["--option", "blksize 1428"],
        vec!["--option", "blksize 8192", "--option", "tsize 0"],
        vec!["--option", "windowsize 8", "--option", "blksize 512"],
    ] {
        let target = to("by-atftp");
        let args =
            [vec!["--get", "--remote-file", "vmlinuz", "--local-file", &target], options.clone(), vec!["127.0.0.1", &port]]
                .concat();
        tool("atftp", &args);
        assert!(fs::read(&target).unwrap() == kernel(), "{options:?}");
        fs::remove_file(&target).unwrap();
    }
    let missing =
        Command::new("atftp").args(["--get", "-r", "../site.kdl", "-l", "/dev/null", "127.0.0.1", &port]).output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no file"), "{missing:?}");
}

#[test]
fn a_client_that_aborts_and_asks_again_from_the_same_port_is_served() {
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let main = format!("127.0.0.1:{}", server.port(69));
    let request = b"\0\x01vmlinuz\0octet\0tsize\x000\0";
    let mut buffer = [0; 2000];
    for _ in 0..3 {
        client.send_to(request, &main).unwrap();
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"\0\x06tsize\x003000000\0");
        client.send_to(b"\0\x05\0\0\0", from).unwrap();
    }
    // The OACK is not repeated to a client that aborted.
    client.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert!(client.recv_from(&mut buffer).is_err());
}

#[test]
fn lost_packets_are_sent_again() {
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
        .send_to(
            b"\0\x01vmlinuz\0octet\0blksize\x001400\0windowsize\x0016\0timeout\x001\0",
            format!("127.0.0.1:{}", server.port(69)),
        )
        .unwrap();
    let (mut got, mut block, mut dropped, mut buffer) = (Vec::new(), 0_u16, 0, [0; 2000]);
    let mut received = 0;
    loop {
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        received += 1;
        if received % 97 == 0 && dropped < 5 {
            dropped += 1;
            continue;
        }
        match buffer[1] {
            6 => drop(client.send_to(&[0, 4, 0, 0], from)),
            3 if u16::from_be_bytes([buffer[2], buffer[3]]) == block.wrapping_add(1) => {
                block += 1;
                got.extend_from_slice(&buffer[4..len]);
                let last = len < 1404;
                if last || block % 16 == 0 {
                    client.send_to(&[&[0, 4][..], &block.to_be_bytes()].concat(), from).unwrap();
                }
                if last {
                    break;
                }
            }
            // Out of order after a loss: say what we have (RFC 7440 §4).
            _ => drop(client.send_to(&[&[0, 4][..], &block.to_be_bytes()].concat(), from)),
        }
    }
    assert!(dropped == 5 && got == kernel());
}

#[test]
fn http_serves_scripts_files_and_ranges() {
    if !have(&["curl"]) {
        return;
    }
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let curl = |args: &[&str]| Command::new("curl").arg("-s").args(args).output().unwrap().stdout;
    let url = server.url("/vmlinuz");
    assert!(curl(&[&server.url("/ipxe/52-54-00-00-00-09")]).starts_with(b"#!ipxe\nkernel /vmlinuz"));
    assert!(curl(&[&url]) == kernel());
    assert_eq!(curl(&["-r", "1000-1999", &url]), kernel()[1000..2000]);
    assert_eq!(curl(&["-r", "-5", &url]), kernel()[kernel().len() - 5..]);
    let status = |args: &[&str]| String::from_utf8(curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], args].concat())).unwrap();
    assert_eq!(status(&["-r", "3000000-", &url]), "416");
    assert_eq!(status(&["-I", &url]), "200");
    assert_eq!(status(&["-X", "POST", &url]), "405");
    assert_eq!(status(&[&server.url("/site.kdl")]), "404");
    assert_eq!(status(&["--path-as-is", &server.url("/../../etc/passwd")]), "404");
    let tag = String::from_utf8(curl(&["-o", "/dev/null", "-w", "%header{etag}", &url])).unwrap();
    assert!(tag.starts_with('"'), "{tag}");
    assert_eq!(status(&["-H", &format!("If-None-Match: {tag}"), &url]), "304");
    // A file that is not the pinned one is not served.
    fs::write(folder.0.join("assets/vmlinuz"), "short").unwrap();
    assert_eq!(status(&[&url]), "503");
    server.wait_for("vmlinuz has 5 bytes, assets.lock says 3000000");
}

#[test]
fn dig_resolves_both_ways_over_udp_and_tcp() {
    if !have(&["dig"]) {
        return;
    }
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let dig = |args: &[&str]| tool("dig", &[&["@127.0.0.1", "-p", &server.port(53), "+short", "+tries=1"], args].concat());
    assert_eq!(dig(&["pc.lab.example"]), "10.0.0.9\n");
    assert_eq!(dig(&["+tcp", "pc.lab.example"]), "10.0.0.9\n");
    assert_eq!(dig(&["-x", "10.0.0.9"]), "pc.lab.example.\n");
    assert!(dig(&["SOA", "lab.example"]).contains(" 1 3600 "), "the first serial is 1");
}

#[test]
fn bind_accepts_every_zone() {
    if !have(&["named-checkzone"]) {
        return;
    }
    let cases =
        fs::read_dir(format!("{}/tests/compile", crate::harness::ROOT)).unwrap().map(|case| case.unwrap().path().join("out"));
    let mut count = 0;
    for out in cases.chain([format!("{}/out", crate::harness::ROOT).into()]) {
        for path in fs::read_dir(out.join("dns")).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if let Some(zone) = path.file_name().unwrap().to_string_lossy().strip_suffix(".zone") {
                tool("named-checkzone", &["-i", "local", zone, &path.to_string_lossy()]);
                count += 1;
            }
        }
    }
    assert!(count > 10);
}

#[test]
fn a_new_generation_is_swapped_in_and_a_tampered_one_refused() {
    if !have(&["dig"]) {
        return;
    }
    let folder = with_assets();
    let server = Server::start(&folder, &[]);
    let dig = |args: &[&str]| tool("dig", &[&["@127.0.0.1", "-p", &server.port(53), "+short"], args].concat());
    let site = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    fs::write(folder.0.join("site.kdl"), site.replace("host pc 9", "host pc 19")).unwrap();
    folder.run(&["build"]).ended(0);
    assert_eq!(dig(&["pc.lab.example"]), "10.0.0.9\n", "not before it is told");
    server.signal("-HUP");
    server.wait_for("now serving");
    assert_eq!(dig(&["pc.lab.example"]), "10.0.0.19\n");
    assert!(dig(&["SOA", "lab.example"]).contains(" 2 3600 "), "the zone changed, so its serial grew");
    fs::write(folder.0.join("out/dhcp/leases.jsonl"), "").unwrap();
    server.signal("-HUP");
    assert!(server.wait_for("still serving the last good generation").contains("changed dhcp/leases.jsonl"));
    assert_eq!(dig(&["pc.lab.example"]), "10.0.0.19\n");
    server.kill();
    let refused = folder.run(&["serve", "--state", "state", "--port-offset", &Server::free_offset().to_string()]).ended(2);
    assert!(refused.err().contains("changed dhcp/leases.jsonl"), "{}", refused.err());
}

#[test]
fn a_signal_that_comes_as_soon_as_it_serves_is_obeyed() {
    let folder = with_assets();
    let serving = folder.0.join("state/serving.json");
    for signal in [Signal::HUP, Signal::TERM, Signal::INT].into_iter().cycle().take(12) {
        let mut command = Command::new(PROGRAM);
        let offset = Server::free_offset().to_string();
        command.args(["serve", "--state", "state", "--port-offset", &offset]).current_dir(&folder.0);
        let mut server = command.stderr(Stdio::null()).spawn().unwrap();
        let send = |signal| rustix::process::kill_process(Pid::from_raw(server.id() as i32).unwrap(), signal).unwrap();
        // A deploy reads here whom it may tell. No moment is lost: no rest between looks, and no program that sends.
        let deadline = Instant::now() + PATIENCE;
        while !serving.exists() {
            assert!(Instant::now() < deadline, "it never served");
        }
        send(signal);
        if signal == Signal::HUP {
            std::thread::sleep(Duration::from_millis(100));
            send(Signal::TERM);
        }
        assert_eq!(server.wait().unwrap().code(), Some(0), "{signal:?} ended it");
        assert!(!serving.exists());
    }
}

#[test]
fn a_busy_port_is_named_with_its_service() {
    let folder = with_assets();
    let offset = Server::free_offset();
    let _udp = UdpSocket::bind(("127.0.0.1", 67 + offset)).unwrap();
    let arg = offset.to_string();
    let run = folder.run(&["serve", "--state", "state", "--port-offset", &arg]).ended(2);
    assert!(
        run.err().contains(&format!("DHCP cannot have UDP 127.0.0.1:{}", 67 + offset)) && run.err().contains("--bind"),
        "{}",
        run.err()
    );
    drop(_udp);
    let _tcp = TcpListener::bind(("127.0.0.1", 80 + offset)).unwrap();
    let run = folder.run(&["serve", "--state", "state", "--port-offset", &arg]).ended(2);
    assert!(run.err().contains(&format!("HTTP cannot have TCP 127.0.0.1:{}", 80 + offset)), "{}", run.err());
    let run = folder.run(&["serve", "--state", "state", "--port-offset", "65500"]).ended(2);
    assert!(run.err().contains("too large"), "{}", run.err());
}

#[test]
fn two_servers_do_not_share_a_state_folder() {
    let folder = with_assets();
    let _first = Server::start(&folder, &[]);
    let run = folder.run(&["serve", "--state", "state", "--port-offset", &Server::free_offset().to_string()]).ended(2);
    assert!(run.err().contains("is another pxelator serving?"), "{}", run.err());
}

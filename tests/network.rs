//! The services on their real ports, in network namespaces, asked by DHCP clients that are not ours.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use dhcproto::v4::{DhcpOption, Message, MessageType};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};

use crate::harness::{Folder, PATIENCE, PROGRAM, Server, have, tool, until_true};

const SITE: &str = r#"
site lab domain="lab.example"
network lan "10.66.0.0/24" gateway=1 server=2 dns=2 {
    pool 100 199 lease="1h"
    host pc-07 27 "52:54:00:66:00:1b"
}
network second "10.66.1.0/24" server=2 { host seat-01 11 "52:54:00:66:01:0b" }
dns { forward "10.66.0.53" }
"#;

/// A server's namespace and a client's, with a cable between; gone with their owner.
pub(crate) struct Segment {
    pub(crate) server: String,
    pub(crate) client: String,
}

impl Segment {
    /// `address` is the server's, with its prefix length.
    pub(crate) fn new(name: &str, address: &str) -> Segment {
        let id = std::process::id();
        let segment = Segment { server: format!("px{name}s-{id}"), client: format!("px{name}c-{id}") };
        for space in [&segment.server, &segment.client] {
            tool("ip", &["netns", "add", space]);
            tool("ip", &["-n", space, "link", "set", "lo", "up"]);
        }
        tool("ip", &["-n", &segment.server, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", &segment.client]);
        tool("ip", &["-n", &segment.server, "addr", "add", address, "dev", "v0"]);
        tool("ip", &["-n", &segment.server, "link", "set", "v0", "up"]);
        tool("ip", &["-n", &segment.client, "link", "set", "v1", "up"]);
        segment
    }

    pub(crate) fn serve(&self, folder: &Folder) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, PROGRAM, "serve", "--state", "state"]).current_dir(&folder.0);
        Server::spawn(command, 0)
    }

    pub(crate) fn become_mac(&self, mac: &str) {
        tool("ip", &["-n", &self.client, "link", "set", "v1", "down"]);
        tool("ip", &["-n", &self.client, "link", "set", "v1", "address", mac, "up"]);
    }

    pub(crate) fn on_client(&self, args: &[&str]) -> String {
        tool("ip", &[&["netns", "exec", &self.client], args].concat())
    }

    /// What busybox's client is told: `ip hostname domain router dns lease`.
    pub(crate) fn udhcpc(&self, folder: &Folder) -> String {
        let script = folder.0.join("script");
        fs::write(
            &script,
            "#!/bin/sh\n[ \"$1\" = bound ] && echo $ip $hostname $domain $router $dns $lease > \"$OUT\"\nexit 0\n",
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let out = folder.0.join("lease");
        let (script, out_arg) = (script.to_string_lossy().into_owned(), format!("OUT={}", out.display()));
        self.on_client(&[
            "env", &out_arg, "udhcpc", "-i", "v1", "-f", "-q", "-n", "-t", "5", "-T", "5", "-O", "hostname", "-s", &script,
        ]);
        fs::read_to_string(out).unwrap().trim().to_owned()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        for space in [&self.server, &self.client] {
            let _gone_already = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

fn built(site: &str) -> Folder {
    let folder = Folder::with(site);
    folder.run(&["build"]).ended(0);
    folder
}

#[test]
fn foreign_dhcp_clients_get_the_declared_address_and_can_use_it() {
    if !have(&["root", "ip", "udhcpc", "dhclient", "dig"]) {
        return;
    }
    let folder = built(SITE);
    let resolvers = fs::read("/etc/resolv.conf").ok();
    let segment = Segment::new("a", "10.66.0.2/24");
    let server = segment.serve(&folder);
    segment.become_mac("52:54:00:66:00:1b");
    assert_eq!(segment.udhcpc(&folder), "10.66.0.27 pc-07 lab.example 10.66.0.1 10.66.0.2 43200");
    segment.become_mac("52:54:00:66:00:99");
    let stranger = segment.udhcpc(&folder);
    let last: u8 = stranger.split(' ').next().unwrap().strip_prefix("10.66.0.").unwrap().parse().unwrap();
    assert!((100..=199).contains(&last) && stranger.ends_with(" 3600"), "{stranger}");
    server.kill();

    let _server = segment.serve(&folder);
    assert_eq!(segment.udhcpc(&folder), stranger, "the lease outlives a kill");
    segment.become_mac("52:54:00:66:00:1b");
    let path = |name: &str| folder.0.join(name).to_string_lossy().into_owned();
    // Debian's script writes /etc/resolv.conf and may set the machine's name: it has copies of both.
    let own = "{ [ -e \"$0\" ] || cp -a /etc \"$0\"; } && mount --bind \"$0\" /etc && exec dhclient \"$@\"";
    let dhclient = |word: &str| {
        let line = ["unshare", "--mount", "--uts", "sh", "-c", own, &path("etc")];
        let files = ["-lf", &path("dhclient.leases"), "-pf", &path("dhclient.pid")];
        segment.on_client(&[&line[..], &[word], &files, &["v1"]].concat())
    };
    dhclient("-1");
    let addresses = segment.on_client(&["ip", "-4", "addr", "show", "v1"]);
    let resolved = segment.on_client(&["dig", "@10.66.0.2", "+short", "+tries=1", "pc-07.lab.example"]);
    dhclient("-x");
    assert_eq!(fs::read("/etc/resolv.conf").ok(), resolvers, "this machine's own is as it was");
    assert!(addresses.contains("10.66.0.27/24"), "{addresses}");
    assert_eq!(resolved, "10.66.0.27\n");
}

#[test]
fn each_network_answers_for_itself() {
    if !have(&["root", "ip", "udhcpc"]) {
        return;
    }
    let folder = built(SITE);
    let segment = Segment::new("b", "10.66.1.2/24");
    let _server = segment.serve(&folder);
    segment.become_mac("52:54:00:66:01:0b");
    assert!(segment.udhcpc(&folder).starts_with("10.66.1.11 seat-01 lab.example"), "the interface tells the network");
}

#[test]
fn root_is_dropped_once_the_ports_are_bound() {
    if !have(&["root", "ip", "udhcpc", "ps", "getent"]) {
        return;
    }
    let folder = built(SITE);
    tool("chmod", &["755", &folder.0.to_string_lossy()]);
    let segment = Segment::new("d", "10.66.0.2/24");
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &segment.server, PROGRAM, "serve", "--state", "state", "--user", "nobody"])
        .current_dir(&folder.0);
    let server = Server::spawn(command, 0);
    assert_eq!(tool("ps", &["-o", "user=", "-p", &server.pid()]).trim(), "nobody");
    segment.become_mac("52:54:00:66:00:99");
    assert!(segment.udhcpc(&folder).ends_with(" 3600"), "leases are still written");
    fs::write(folder.0.join("site.kdl"), SITE.replace("pc-07", "pc-17")).unwrap();
    folder.run(&["build"]).ended(0);
    server.signal("-HUP");
    server.wait_for("now serving");
}

#[test]
fn other_names_are_forwarded_for_our_own_networks() {
    if !have(&["root", "ip", "dig", "dnsmasq"]) {
        return;
    }
    let folder = built(SITE);
    let segment = Segment::new("c", "10.66.0.2/24");
    let _server = segment.serve(&folder);
    let dig = |more: &[&str]| segment.on_client(&[&["dig", "@10.66.0.2", "+tries=1", "+time=5"], more].concat());
    tool("ip", &["-n", &segment.client, "addr", "add", "10.66.0.9/24", "dev", "v1"]);
    assert!(dig(&["www.example.org"]).contains("status: SERVFAIL"), "the forwarder is away");
    tool("ip", &["-n", &segment.client, "addr", "add", "10.66.0.53/24", "dev", "v1"]);
    let mut dnsmasq = Command::new("ip")
        .args([
            "netns",
            "exec",
            &segment.client,
            "dnsmasq",
            "-k",
            "-C",
            "/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file",
            "--listen-address=10.66.0.53",
            "--bind-interfaces",
        ])
        .args(["--address=/www.example.org/192.0.2.7", "--user=root"])
        .spawn()
        .unwrap();
    let ask = "dig @10.66.0.53 +short +tries=1 +time=1 www.example.org || true";
    until_true("dnsmasq answers", || segment.on_client(&["sh", "-c", ask]).starts_with("192.0.2.7"));
    // The kernel looks for the neighbour that was away until a moment ago, and may give up once more: a client asks again.
    until_true("a name comes by UDP", || dig(&["+short", "www.example.org"]) == "192.0.2.7\n");
    until_true("a name comes by TCP", || dig(&["+short", "+tcp", "www.example.org"]) == "192.0.2.7\n");
    tool("ip", &["-n", &segment.client, "addr", "add", "192.0.2.99/32", "dev", "v1"]);
    tool("ip", &["-n", &segment.server, "route", "add", "192.0.2.99", "dev", "v0"]);
    let stranger = dig(&["-b", "192.0.2.99", "www.example.org"]);
    dnsmasq.kill().unwrap();
    dnsmasq.wait().unwrap();
    assert!(stranger.contains("status: REFUSED"), "{stranger}");
}

// ── leases ────────────────────────────────────────────────────────────────────────────────

/// A client with a socket, for a server with a port offset.
struct Client {
    socket: UdpSocket,
    to: String,
}

impl Client {
    fn ask(&self, mac: u8, kind: MessageType, options: &[DhcpOption]) -> Message {
        let unset = [0, 0, 0, 0];
        let mut message = Message::new_with_id(
            u32::from(mac),
            unset.into(),
            unset.into(),
            unset.into(),
            unset.into(),
            &[0x52, 0x54, 0, 0, 0, mac],
        );
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        options.iter().for_each(|option| drop(message.opts_mut().insert(option.clone())));
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        self.socket.send_to(&bytes, &self.to).unwrap();
        let mut buffer = [0; 1500];
        let len = self.socket.recv(&mut buffer).unwrap();
        Message::decode(&mut Decoder::new(&buffer[..len])).unwrap()
    }

    fn new(server: &Server) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket, to: format!("127.0.0.1:{}", server.port(67)) }
    }
}

#[test]
fn an_acknowledged_lease_survives_a_kill() {
    let folder = built(SITE);
    let mut given = Vec::new();
    for round in 0..20_u8 {
        let server = Server::start(&folder, &[]);
        let client = Client::new(&server);
        let offer = client.ask(round, MessageType::Discover, &[]);
        let wish = DhcpOption::RequestedIpAddress(offer.yiaddr());
        let ack = client.ask(round, MessageType::Request, &[wish, DhcpOption::ServerIdentifier([10, 66, 0, 2].into())]);
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        given.push((round, ack.yiaddr()));
        server.kill();
    }
    let server = Server::start(&folder, &[]);
    let client = Client::new(&server);
    for (mac, address) in given {
        let thief = client.ask(mac + 100, MessageType::Request, &[DhcpOption::RequestedIpAddress(address)]);
        assert_eq!(thief.opts().msg_type(), Some(MessageType::Nak), "{address} is still {mac}'s");
        let owner = client.ask(mac, MessageType::Request, &[DhcpOption::RequestedIpAddress(address)]);
        assert_eq!(owner.opts().msg_type(), Some(MessageType::Ack), "{address} is still {mac}'s");
    }
}

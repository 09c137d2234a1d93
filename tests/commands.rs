//! Commands by DNS with real clients, real resolvers in between, and questions in another's name.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use socket2::{Domain, Protocol, Socket, Type};

use crate::engines::segment::{Foreign, within};
use crate::harness::{Folder, ROOT, Server, have, until_true};
use crate::manual::{commands, looks_like};
use crate::network::Segment;

const WAKE: &str = "wake.kiosk-01.do.lab.example";
/// The label of the manual.
const SHOWN: &str = "41-7-93";
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 2);
const ASKER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 50);

/// The manual's site, served; its pc-07 asks, and its kiosk answers pings.
struct Boot {
    folder: Folder,
    segment: Segment,
    server: Option<Server>,
    /// What programs of the client's namespace find as `/etc`.
    etc: PathBuf,
}

impl Boot {
    fn new(name: &str) -> Boot {
        let folder = Folder::with(&block("kdl")[0]);
        folder.run(&["build"]).ended(0);
        let segment = Segment::new(name, "10.66.0.2/24");
        for (space, address, port) in [(&segment.server, "10.66.0.11/24", "v0"), (&segment.client, "10.66.0.50/24", "v1")] {
            crate::harness::tool("ip", &["-n", space, "addr", "add", address, "dev", port]);
        }
        let etc = PathBuf::from(format!("/etc/netns/{}", segment.client));
        fs::create_dir_all(&etc).unwrap();
        let server = Some(segment.serve(&folder));
        let boot = Boot { folder, segment, server, etc };
        boot.resolver("10.66.0.2");
        boot
    }

    fn resolver(&self, address: &str) {
        fs::write(self.etc.join("resolv.conf"), format!("nameserver {address}\n")).unwrap();
    }

    /// What a line of the client says on both channels, however it ends.
    fn says(&self, line: &str) -> String {
        let line = format!("exec 2>&1; {line}");
        let output = Command::new("ip").args(["netns", "exec", &self.segment.client, "sh", "-c", &line]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The label of this minute.
    fn label(&self) -> String {
        let said = self.says(&format!("dig +short {WAKE}"));
        let address: Ipv4Addr = said.lines().last().unwrap().parse().unwrap_or_else(|_| panic!("{said}"));
        let [127, a, b, c] = address.octets() else { panic!("{address}") };
        format!("{a}-{b}-{c}")
    }

    /// The events since it was asked last, each with its name in front.
    fn events(&self) -> Vec<String> {
        let server = self.server.as_ref().unwrap();
        server.signal("-HUP");
        let lines = server.until("now serving");
        lines.into_iter().filter_map(|line| Some(line.split_once("{\"event\":\"")?.1.to_owned())).collect()
    }

    fn given(&self) -> usize {
        self.events().iter().filter(|event| event.starts_with("command-given")).count()
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.etc);
    }
}

/// The blocks of a kind in the manual's page.
fn block(kind: &str) -> Vec<String> {
    let page = fs::read_to_string(format!("{ROOT}/docs/dns-commands.md")).unwrap();
    let fence = format!("```{kind}\n");
    let blocks = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn the_manuals_pings_print_what_is_printed_there() {
    if !have(&["root", "ip", "ping", "busybox", "dig"]) {
        return;
    }
    let boot = Boot::new("m");
    let label = boot.label();
    let numbers = |label: &str| label.replace('-', ".");
    let mut count = 0;
    for (line, expected) in block("text").iter().flat_map(|body| commands(body)) {
        let said = boot.says(&line.replace(SHOWN, &label));
        let said = said.replace(&label, SHOWN).replace(&numbers(&label), &numbers(SHOWN));
        assert!(looks_like(&said, &expected), "`{line}` prints\n{said}\nand not\n{expected}");
        count += 1;
    }
    assert!(count >= 8, "{count} commands");
    let events = boot.events();
    for event in block("json").iter().flat_map(|body| body.lines()) {
        let wanted = event.trim_start_matches("{\"event\":\"");
        assert!(events.iter().any(|event| event == wanted), "{wanted}\n{events:#?}");
    }
    assert_eq!(events.iter().filter(|event| event.starts_with("command-given")).count(), 1, "{events:#?}");
}

#[test]
fn a_hundred_retries_are_one_command_and_a_killed_server_forgets_its_labels() {
    if !have(&["root", "ip", "dig", "getent"]) {
        return;
    }
    let mut boot = Boot::new("r");
    let label = boot.label();
    let name = format!("{label}.{WAKE}");
    boot.says(&format!("for n in 1 2 3 4 5; do getent ahosts {WAKE}; done"));
    assert_eq!(boot.given(), 0, "names alone");
    fs::write(boot.folder.0.join("names"), format!("{name}\n{name} AAAA\n").repeat(50)).unwrap();
    let batch = format!("dig +short -f {}/names", boot.folder.0.display());
    assert_eq!(boot.says(&batch), "10.66.0.11\n".repeat(50));
    assert_eq!(boot.says(&format!("dig +short +tcp {name}")), "10.66.0.11\n");
    assert!(boot.says(&format!("getent ahosts {name}")).starts_with("10.66.0.11 "), "A and AAAA, at once");
    assert_eq!(boot.given(), 1);

    boot.server.take().unwrap().kill();
    boot.server = Some(boot.segment.serve(&boot.folder));
    assert!(boot.says(&format!("dig {name}")).contains("status: NXDOMAIN"));
    assert_eq!(boot.given(), 0);
}

/// A UDP question in another's name, with a header of our own making.
fn forged(from: Ipv4Addr, name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), kind));
    let question = query.to_vec().unwrap();
    let (udp, whole) = (8 + question.len() as u16, 28 + question.len() as u16);
    // The kernel fills in the sum of the IP header; a UDP sum of 0 is none (RFC 768).
    let mut packet = vec![0x45, 0, (whole >> 8) as u8, whole as u8, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(from.octets().iter().chain(&SERVER.octets()));
    packet.extend([0xc0, 0x00, 0, 53, (udp >> 8) as u8, udp as u8, 0, 0]);
    packet.extend(question);
    packet
}

#[test]
fn questions_in_anothers_name_give_no_command_and_keep_nobody_out() {
    if !have(&["root", "ip", "dig", "ping", "busybox", "getent"]) {
        return;
    }
    let boot = Boot::new("f");
    let label = boot.label();
    within(&boot.segment.client, || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(nix::libc::IPPROTO_RAW))).unwrap();
        let send = |from, name: &str, kind| {
            socket.send_to(&forged(from, name, kind), &SocketAddrV4::new(SERVER, 0).into()).unwrap();
        };
        let other = Ipv4Addr::new(10, 66, 0, 51);
        // Whoever asks, and has another's label, and guesses.
        send(other, WAKE, RecordType::A);
        send(other, &format!("{label}.{WAKE}"), RecordType::A);
        for guess in 0..2000_u32 {
            let [_, a, b, c] = (guess * 8191).to_be_bytes();
            send(ASKER, WAKE, RecordType::A);
            send(ASKER, &format!("{}-{b}-{c}.{WAKE}", a.max(1)), RecordType::A);
        }
    });
    let events = boot.events();
    let of = |name: &str| events.iter().filter(|event| event.starts_with(name)).count();
    assert_eq!((of("command-given"), of("labels-guessed")), (0, 1), "{events:#?}");
    // The guesses were in pc-07's own name; its programs ask again over TCP by themselves.
    assert!(boot.says(&format!("dig +ignore {label}.{WAKE}")).contains("flags: qr aa tc"), "over UDP a label counts no more");
    assert_eq!(boot.given(), 0);
    let busybox = boot.says(&format!("busybox ping -c 1 {label}.{WAKE}"));
    assert!(busybox.contains("(10.66.0.11)") && busybox.contains("1 packets received"), "{busybox}");
    assert!(boot.says(&format!("ping -c 1 {label}.{WAKE}")).contains("(10.66.0.11)"));
    assert!(boot.says(&format!("getent ahosts {label}.{WAKE}")).starts_with("10.66.0.11 "));
    assert_eq!(boot.given(), 1);
}

/// What a person and programs ask through a resolver: nothing before the label, once with it.
fn through(boot: &Boot, resolver: &str) {
    boot.events();
    for kind in ["A", "AAAA", "TXT", "ANY", "HTTPS", "CNAME", "NS"] {
        boot.says(&format!("dig {WAKE} {kind}; dig {WAKE} {kind}"));
    }
    assert!(boot.says(&format!("ping -c 1 {WAKE}")).starts_with("PING now-ping-"), "{resolver}");
    boot.says(&format!("getent ahosts {WAKE}; busybox ping -c 1 {WAKE}"));
    let label = boot.label();
    boot.says(&format!("dig now-ping-{label}.{WAKE}; dig now-ping-{label}.{WAKE} AAAA"));
    assert_eq!(boot.given(), 0, "{resolver}: no resolver comes upon a command by itself");
    assert!(boot.says(&format!("ping -c 1 {label}.{WAKE}")).contains("(10.66.0.11)"), "{resolver}");
    for _ in 0..5 {
        assert_eq!(boot.says(&format!("dig +short {label}.{WAKE}")), "10.66.0.11\n", "{resolver}");
    }
    boot.says(&format!("getent ahosts {label}.{WAKE}; dig +tcp {label}.{WAKE}"));
    assert_eq!(boot.given(), 1, "{resolver}");
}

#[test]
fn resolvers_in_between_come_upon_no_command() {
    if !have(&["root", "ip", "dig", "ping", "busybox", "getent", "dnsmasq", "named", "unbound"]) {
        return;
    }
    let named = "options { pid-file none; session-keyfile none; listen-on { 127.0.0.1; }; listen-on-v6 { none; };
        recursion yes; forward only; forwarders { 10.66.0.2; }; dnssec-validation no; };\ncontrols {};\n";
    let unbound = |zone: &str, what: &str| {
        format!(
            "server:\n interface: 127.0.0.1\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n
            do-daemonize: no\n module-config: iterator\n{what}-zone:\n name: \"{zone}\"\n {what}-addr: 10.66.0.2\n"
        )
    };
    let texts = [
        ("named.conf", named.to_owned()),
        ("forward.conf", unbound(".", "forward")),
        ("stub.conf", unbound("lab.example", "stub")),
    ];
    let dnsmasq = "dnsmasq -k -C /dev/null --pid-file= -p 53 --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --server=10.66.0.2";
    for line in [dnsmasq, "named -g -c named.conf", "unbound -d -c forward.conf", "unbound -d -c stub.conf"] {
        let boot = Boot::new("b");
        texts.iter().for_each(|(name, text)| fs::write(boot.folder.0.join(name), text).unwrap());
        boot.resolver("127.0.0.1");
        let args: Vec<&str> = line.split(' ').collect();
        let _resolver = Foreign::start_in(&boot.segment.client, &boot.folder.0, &args);
        until_true(line, || boot.says("dig +tries=1 +time=1 +short boot.lab.example") == "10.66.0.2\n");
        through(&boot, line);
    }
}

//! The servers themselves, in a segment of their own, beside ours: the same questions, the same answers.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dhcproto::v4::borrowed::{DhcpOptionIterator, Message as Borrowed};
use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode, UnknownOption};
use dhcproto::{Encodable, Encoder};
use pxelator::answer::{Content, http};
use pxelator::out::table::Tables;

use super::export::with_assets;
use crate::harness::{Folder, files, have};
use crate::network::Segment;

const SITE: &str = r##"
site lab domain="lab.example" timezone="Europe/Zagreb"
assets "ASSETS"
engine kea
engine dnsmasq tftp="TREE"
engine bind
engine nsd
network lan "10.66.0.0/24" gateway=1 server=2 dns="10.66.0.2,10.66.0.3" {
    pool 100 149 lease="1h" profile=rescue
    pool 150 159 lease="1h"
    host boot 2
    host pc-07 27 "52:54:00:66:00:1b" profile=office
    host "42" 42 "52:54:00:66:00:2a" lease="10m"
    host laptop 43 "52:54:00:66:00:2b" "52:54:00:66:01:2b" lease="10m"
    host kiosk 44 "52:54:00:66:00:2c" profile=kiosk
    host roamer "52:54:00:66:00:77" profile=office
    host fixed 120
}
network far "10.67.0.0/24" server=2 { host away 9 "52:54:00:67:00:09" profile=office }
profile office { kernel "kernels/vmlinuz" }
profile rescue { local }
profile kiosk { kernel "kernels/vmlinuz"; root overlay=kiosk }
nfs "/srv/nfs" { base "debian-12"; overlay kiosk over="debian-12" }
dns {
    a vpn "192.0.2.10"
    a vpn "192.0.2.11"
    a pc-07 "192.0.2.12"
    a nas "10.66.0.27"
    cname git to=boot ttl="5m"
    cname deep to=git
    cname to-vpn to=vpn
    txt "@" "v=spf1 -all"
    txt "_x._tcp" "\" ; } # \\ , it's" "a,b"
    txt umlaut "čž \u{1}" ""
}
"##;

/// A server that ends with its owner.
pub(crate) struct Foreign(Child);

impl Foreign {
    fn start(segment: &Segment, folder: &Path, args: &[&str]) -> Foreign {
        Foreign::start_in(&segment.server, folder, args)
    }

    pub(crate) fn start_in(space: &str, folder: &Path, args: &[&str]) -> Foreign {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space]).args(args).current_dir(folder);
        command.env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
        Foreign(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// Runs in a network namespace: a thread may be in another one than its program.
pub(crate) fn within<T: Send>(space: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let file = fs::File::open(format!("/run/netns/{space}")).unwrap();
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        inside.join().unwrap()
    })
}

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 250);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 2);

/// A DISCOVER as a relay sends it on; silence is `None`.
fn discover(socket: &UdpSocket, mac: &str, options: &[(u8, Vec<u8>)]) -> Option<Vec<u8>> {
    let mac: Vec<u8> = mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let unset = Ipv4Addr::UNSPECIFIED;
    // An answer that comes late is none to the next question.
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut message = Message::new_with_id(NEXT.fetch_add(1, Ordering::Relaxed), unset, unset, unset, RELAY, &mac);
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
    for (code, data) in options {
        message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(*code), data.clone())));
    }
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes.resize(bytes.len().max(300), 0);
    let mut buffer = vec![0; 1500];
    for _ in 0..30 {
        socket.send_to(&bytes, (SERVER, 67)).unwrap();
        while let Ok(len) = socket.recv(&mut buffer) {
            if buffer[4..8] == bytes[4..8] {
                buffer.truncate(len);
                return Some(buffer);
            }
        }
    }
    None
}

/// What the answer says, in words that do not depend on who says it.
fn said(reply: &[u8], mac: &str, tables: &Tables) -> BTreeMap<String, String> {
    let message = Borrowed::new(reply).unwrap();
    let address = message.yiaddr();
    let in_pool = tables.networks.iter().flat_map(|network| &network.pools).any(|pool| pool.contains(address));
    let taken = tables.reserved.contains_key(&address);
    let shown = if in_pool && !taken { "from the pool".to_owned() } else { address.to_string() };
    let mut all = BTreeMap::from([("address".to_owned(), shown)]);
    let options = DhcpOptionIterator::new(&reply[240..]).map(|option| (u8::from(option.code()), option.data().to_vec()));
    for (code, data) in options {
        let text = || String::from_utf8_lossy(&data).trim_end_matches('\0').to_owned();
        let value = match code {
            1 | 3 | 6 | 28 | 51 | 54 | 43 | 175 => format!("{data:02x?}"),
            // iPXE puts its MAC in; a script is told by what it says.
            67 => script(&text().replace("${netX/mac:hexhyp}", &mac.replace(':', "-")), address, tables),
            // dnsmasq gives the client's own words back.
            60 => text().chars().take(9).collect(),
            12 | 15 | 101 => text(),
            _ => continue,
        };
        all.insert(format!("option {code}"), value);
    }
    if all.contains_key("option 67") {
        all.insert("next server".into(), message.siaddr().to_string());
    }
    all
}

fn script(file: &str, peer: Ipv4Addr, tables: &Tables) -> String {
    let Some(target) = file.strip_prefix(&format!("http://{SERVER}")) else { return file.to_owned() };
    let request = http::Request { method: "GET", target, range: None, if_range: None, if_none_match: None, peer };
    match http::answer(&request, tables).body {
        Some((Content::Bytes(bytes), _)) => format!("the script {}", String::from_utf8(bytes).unwrap()),
        other => panic!("{file}: {other:?}"),
    }
}

/// What every kind of client is told, by MAC and firmware.
fn offers(segment: &Segment, tables: &Tables) -> BTreeMap<String, BTreeMap<String, String>> {
    let wants = (55, vec![1, 3, 6, 12, 15, 17, 28, 43, 51, 54, 60, 66, 67, 97, 101, 175]);
    let pxe = |arch: u8| {
        vec![
            wants.clone(),
            (93, vec![0, arch]),
            (60, format!("PXEClient:Arch:000{arch:02}:UNDI:003016").into_bytes()),
            (97, vec![0; 17]),
        ]
    };
    let ipxe = |arch: u8, class: &[u8]| [pxe(arch), vec![(77, class.to_vec())]].concat();
    let firmware = [
        ("a system", vec![wants.clone()]),
        ("BIOS", pxe(0)),
        ("UEFI", pxe(7)),
        ("UEFI, the other number", pxe(9)),
        ("ARM", pxe(11)),
        ("iPXE for BIOS", ipxe(0, b"iPXE")),
        ("iPXE for UEFI", ipxe(7, b"iPXE")),
        ("iPXE with a length", ipxe(7, b"\x04iPXE")),
        ("iPXE for ARM", ipxe(11, b"iPXE")),
    ];
    let clients = [
        ("pc-07", "52:54:00:66:00:1b"),
        ("42", "52:54:00:66:00:2a"),
        ("laptop", "52:54:00:66:00:2b"),
        ("kiosk", "52:54:00:66:00:2c"),
        ("roamer", "52:54:00:66:00:77"),
        ("away", "52:54:00:67:00:09"),
        ("a stranger", "52:54:00:66:00:99"),
    ];
    within(&segment.client, || {
        let socket = UdpSocket::bind((RELAY, 67)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut all = BTreeMap::new();
        for (client, mac) in clients {
            for (kind, options) in &firmware {
                let reply = discover(&socket, mac, options).unwrap_or_else(|| panic!("{client}, {kind}: no answer"));
                all.insert(format!("{client}, {kind}"), said(&reply, mac, tables));
            }
        }
        all
    })
}

/// Where a difference is, a reader sees which.
fn compare(who: &str, theirs: &BTreeMap<String, BTreeMap<String, String>>, ours: &BTreeMap<String, BTreeMap<String, String>>) {
    for (client, wanted) in ours {
        for (what, value) in wanted {
            assert_eq!(theirs[client].get(what), Some(value), "{who} to {client}: {what}");
        }
        for (what, value) in &theirs[client] {
            assert!(wanted.contains_key(what), "{who} to {client}: {what} is {value}, and we say nothing");
        }
    }
}

/// Every name of the zones, names below and beside them, and addresses, each with every type that matters.
fn questions(folder: &Folder) -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    for (path, bytes) in files(&folder.0.join("out/dns")) {
        let Some(zone) = path.strip_suffix(".zone") else { continue };
        let text = String::from_utf8(bytes).unwrap();
        let owners = text.lines().filter(|line| !line.starts_with('$')).map(|line| line.split(' ').next().unwrap());
        let names = owners.map(|owner| if owner == "@" { zone.to_owned() } else { format!("{owner}.{zone}") });
        let mut names: Vec<String> = names.chain([format!("nobody.{zone}"), format!("below.vpn.{zone}")]).collect();
        names.dedup();
        let types: &[&str] = if zone.ends_with("arpa") { &["PTR", "NS"] } else { &["A", "AAAA", "TXT", "CNAME", "NS", "MX"] };
        all.extend(names.iter().flat_map(|name| types.iter().map(move |kind| (name.clone(), *kind))));
    }
    all
}

/// The status and the sorted answer to each question, in one run of dig.
fn answers(segment: &Segment, folder: &Folder, questions: &[(String, &str)]) -> Vec<String> {
    let list: String = questions.iter().map(|(name, kind)| format!("{name} {kind}\n")).collect();
    fs::write(folder.0.join("questions"), list).unwrap();
    let path = folder.0.join("questions").to_string_lossy().into_owned();
    let zones = "lab.example 0.66.10.in-addr.arpa 0.67.10.in-addr.arpa";
    let ready = format!(
        "for zone in {zones}; do for n in $(seq 50); do dig @{SERVER} +tries=1 +time=1 +short $zone NS | grep -q '^boot' && break; sleep 0.2; done; done"
    );
    segment.on_client(&["sh", "-c", &ready]);
    let text = segment.on_client(&["dig", &format!("@{SERVER}"), "+tries=2", "+noall", "+comments", "+answer", "-f", &path]);
    let all: Vec<String> = text
        .split(";; ->>HEADER<<-")
        .skip(1)
        .map(|part| {
            let status = part.split("status: ").nth(1).unwrap().split(',').next().unwrap();
            let mut records: Vec<String> = part
                .lines()
                .filter(|line| !line.starts_with(';') && !line.contains("opcode: ") && !line.is_empty())
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            records.sort();
            format!("{status} {records:?}")
        })
        .collect();
    assert_eq!(all.len(), questions.len(), "{text}");
    all
}

fn compare_names(who: &str, theirs: &[String], ours: &[String], questions: &[(String, &str)]) {
    for (question, (theirs, ours)) in questions.iter().zip(theirs.iter().zip(ours)) {
        assert_eq!(theirs, ours, "{who} about {question:?}");
    }
}

/// A file by TFTP, with a client that is not ours.
fn fetched(segment: &Segment, folder: &Folder, names: &[&str]) -> Vec<Vec<u8>> {
    let to = folder.0.join("fetched").to_string_lossy().into_owned();
    let get = |name: &&str| {
        segment.on_client(&["tftp", "10.66.0.2", "-m", "binary", "-c", "get", name, &to]);
        fs::read(&to).unwrap()
    };
    names.iter().map(get).collect()
}

/// A relay's address, for questions from a client that is never without one.
fn with_relay(segment: &Segment) {
    crate::harness::tool("ip", &["-n", &segment.client, "addr", "replace", "10.66.0.250/24", "dev", "v1"]);
}

/// What busybox's client gets for these MACs, the pool's address aside.
fn leases(segment: &Segment, folder: &Folder) -> Vec<String> {
    let macs = ["52:54:00:66:00:1b", "52:54:00:66:00:2a", "52:54:00:66:01:2b", "52:54:00:66:00:77", "52:54:00:66:00:98"];
    let all = macs.iter().map(|mac| {
        segment.become_mac(mac);
        let said = segment.udhcpc(folder);
        let (address, rest) = said.split_once(' ').unwrap();
        let last: u8 = address.rsplit('.').next().unwrap().parse().unwrap();
        if (100..=159).contains(&last) && last != 120 { format!("from the pool {rest}") } else { said }
    });
    all.collect()
}

struct Stage {
    folder: Folder,
    segment: Segment,
    tables: Tables,
    questions: Vec<(String, &'static str)>,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let room = Folder::new();
        let folder = with_assets(&SITE.replace("TREE", &room.0.join("tree").to_string_lossy()));
        let tree = folder.0.join("tree").to_string_lossy().into_owned();
        let conf = fs::read_to_string(folder.0.join("site.kdl")).unwrap().replace(&*room.0.join("tree").to_string_lossy(), &tree);
        fs::write(folder.0.join("site.kdl"), conf).unwrap();
        folder.run(&["build"]).ended(0);
        folder.run(&["export", "tftp", "tree"]).ended(0);
        let mut all = files(&folder.0.join("out"));
        all.remove("manifest.json");
        let tables = Tables::read(&all).unwrap();
        // A copy whose zones bear the first serial, as `serve` gives it.
        for (path, bytes) in files(&folder.0.join("out")) {
            let to = folder.0.join("stamped").join(&path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            let text = String::from_utf8(bytes)
                .unwrap()
                .replace(" 0 3600 900 ", " 1 3600 900 ")
                .replace("\"persist\": true", "\"persist\": false");
            fs::write(to, text).unwrap();
        }
        crate::harness::tool("chmod", &["-R", "a+rX", &folder.0.to_string_lossy()]);
        let segment = Segment::new(name, "10.66.0.2/24");
        with_relay(&segment);
        let questions = questions(&folder);
        Stage { folder, segment, tables, questions }
    }

    fn start(&self, args: &[&str]) -> Foreign {
        Foreign::start(&self.segment, &self.folder.0.join("stamped"), args)
    }
}

#[test]
fn dnsmasq_and_kea_answer_dhcp_and_files_as_we_do() {
    if !have(&["root", "ip", "udhcpc", "dnsmasq", "kea-dhcp4", "tftp"]) {
        return;
    }
    let stage = Stage::new("e");
    let menus = ["pxelinux.cfg/01-52-54-00-66-00-1b", "pxelinux.cfg/01-52-54-00-66-00-77", "kernels/vmlinuz", "pxelinux.0"];
    let server = stage.segment.serve(&stage.folder);
    let ours = offers(&stage.segment, &stage.tables);
    let our_files = fetched(&stage.segment, &stage.folder, &menus);
    let our_leases = leases(&stage.segment, &stage.folder);
    server.kill();
    with_relay(&stage.segment);
    let lease_file = format!("--dhcp-leasefile={}", stage.folder.0.join("leases").display());
    let dnsmasq = ["dnsmasq", "-k", "-C", "engines/dnsmasq.conf", "--user=root", "--pid-file=", "--no-ping", &lease_file];
    let foreign = stage.start(&dnsmasq);
    compare("dnsmasq", &offers(&stage.segment, &stage.tables), &ours);
    assert_eq!(fetched(&stage.segment, &stage.folder, &menus), our_files);
    assert_eq!(leases(&stage.segment, &stage.folder), our_leases, "dnsmasq");
    drop(foreign);
    with_relay(&stage.segment);
    let _foreign = stage.start(&["kea-dhcp4", "-c", "engines/kea-dhcp4.json"]);
    compare("kea", &offers(&stage.segment, &stage.tables), &ours);
    assert_eq!(leases(&stage.segment, &stage.folder), our_leases, "kea");
}

#[test]
fn dnsmasq_bind_and_nsd_answer_names_as_we_do() {
    if !have(&["root", "ip", "dig", "dnsmasq", "named", "nsd"]) {
        return;
    }
    let stage = Stage::new("f");
    let server = stage.segment.serve(&stage.folder);
    let ours = answers(&stage.segment, &stage.folder, &stage.questions);
    server.kill();
    assert!(ours.len() > 100 && ours.iter().filter(|answer| answer.contains("NOERROR [\"")).count() > 30, "{ours:#?}");
    let directory = stage.folder.0.join("stamped");
    let conf = |name: &str| directory.join("engines").join(name).to_string_lossy().into_owned();
    fs::create_dir_all("/run/named").unwrap();
    let (named, nsd) = (conf("named.conf"), conf("nsd.conf"));
    let servers: [(&str, &[&str]); 3] = [
        ("dnsmasq", &["dnsmasq", "-k", "-C", "engines/dnsmasq.conf", "--user=root", "--pid-file=", "--dhcp-leasefile=/dev/null"]),
        ("bind", &["named", "-g", "-c", &named]),
        ("nsd", &["nsd", "-d", "-c", &nsd, "-P", "", "-f", "", "-u", "root"]),
    ];
    for (who, args) in servers {
        let foreign = stage.start(args);
        compare_names(who, &answers(&stage.segment, &stage.folder, &stage.questions), &ours, &stage.questions);
        drop(foreign);
    }
}

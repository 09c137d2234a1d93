//! A kiosk's day, with a clock that the test sets: its schedule turns it on through AMT, it boots its profile,
//! its boot can be asked for, and its schedule turns it off. The machine is QEMU's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Socket, Type};

use crate::amt::{Change, Device};
use crate::harness::{Folder, PATIENCE, PROGRAM, ROOT, Run, Server, tool, until_true};
use crate::lab::turn;

const MAC: &str = "54:b2:03:00:00:0f";
const PASSWORD: &str = "Kiosk-1!";

/// One line a kiosk: the profile is the module's, the rest the group's.
fn site(folder: &Folder) -> String {
    let path = folder.0.display();
    format!(
        r#"site lab domain="lab.example" timezone="Europe/Zagreb"
use webconverger {{ url "https://catalogue.lab.example/"; server "10.77.0.2"; settings {{ "pxelator.stay" yes }} }}
assets "{path}/assets"
secret amt-kiosk file="{path}/password"
network lan "10.77.0.0/24" server=2 dns=2 {{
    group kiosks schedule=opening amt=amt-kiosk {{
        host kiosk-05 15 "{MAC}" profile=webconverger
    }}
}}
schedule opening {{ power "07:30" "20:30" days="mon..fri" }}
"#
    )
}

/// The lab's kernel, guest and live image under the names that the module knows.
fn assets(folder: &Folder) {
    let cache = pxelator::lab::assets::cache();
    if !pxelator::lab::assets::is_ready(&cache) {
        folder.run(&["lab", "init"]).ended(0);
    }
    fs::create_dir_all(folder.0.join("assets/webconverger")).unwrap();
    let loaders = ["pxelinux.0", "ldlinux.c32"].map(|name| (name, name.to_owned()));
    let system = ["vmlinuz", "initrd.img", "filesystem.squashfs"].map(|name| (name, format!("webconverger/{name}")));
    for (name, path) in loaders.into_iter().chain(system) {
        fs::copy(cache.join(name), folder.0.join("assets").join(path)).unwrap();
    }
}

/// A namespace with the server's address on a bridge, and a tap for the kiosk; gone with its owner.
struct Segment(String);

impl Segment {
    fn new() -> Segment {
        let space = format!("pxday-{}", std::process::id());
        tool("ip", &["netns", "add", &space]);
        let segment = Segment(space);
        for line in [
            "link set lo up",
            "link add br0 type bridge stp_state 0 forward_delay 0",
            "addr add 10.77.0.2/24 dev br0",
            "link set br0 up",
            "tuntap add dev tap0 mode tap",
            "link set tap0 master br0 up",
            // AMT shares the kiosk's address and answers on its own ports, whether or not a system runs.
            "rule add to 10.77.0.15 ipproto tcp dport 16992 lookup 99",
            "route add local 10.77.0.15 dev lo table 99 src 10.77.0.2",
        ] {
            tool("ip", &["-n", &segment.0].into_iter().chain(line.split(' ')).collect::<Vec<_>>());
        }
        segment
    }

    fn serve(&self, folder: &Folder, now: &str) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, PROGRAM, "serve", "--state", "state", "--now", now]).current_dir(&folder.0);
        Server::spawn(command, 0)
    }

    /// Calls it in a thread within the namespace; sockets that it opens stay there.
    fn within<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> T {
        let space = fs::File::open(Path::new("/run/netns").join(&self.0)).unwrap();
        let thread = std::thread::spawn(move || {
            setns(space, CloneFlags::CLONE_NEWNET).unwrap();
            call()
        });
        thread.join().unwrap()
    }

    /// The kiosk's AMT, with a QEMU behind it; each change is told when it is done.
    fn kiosk(&self, serial: &Path) -> (Device, Receiver<Change>) {
        let (sender, changes) = channel();
        let (space, serial) = (self.0.clone(), serial.to_owned());
        let (asked, asks) = channel();
        // QEMU dies with the thread that began it: one that lives as long as the test.
        std::thread::spawn(move || {
            let mut machine: Option<Child> = None;
            for change in asks {
                match change {
                    Change::On { .. } => machine = Some(qemu(&space, &serial)),
                    Change::Off | Change::Reset { .. } => {
                        machine.take().into_iter().for_each(|mut machine| {
                            assert!(machine.try_wait().unwrap().is_none(), "the kiosk was on until now");
                            machine.kill().unwrap();
                            machine.wait().unwrap();
                        });
                    }
                }
                sender.send(change).unwrap();
            }
        });
        let on_change = move |change| asked.send(change).unwrap();
        let device = self.within(move || Device::on(amt_socket(), PASSWORD, on_change, None));
        (device, changes)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let running = Command::new("ip").args(["netns", "pids", &self.0]).output().unwrap();
        for pid in String::from_utf8_lossy(&running.stdout).split_whitespace() {
            // The device's own thread lives there too, and ends with us.
            if pid != std::process::id().to_string() {
                let _gone_already = Command::new("kill").args(["-9", pid]).status();
            }
        }
        let _gone_already = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Answers from the kiosk's address, which is none of this namespace.
fn amt_socket() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_ip_transparent_v4(true).unwrap();
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 16992).into()).unwrap();
    socket.listen(16).unwrap();
    socket.into()
}

fn qemu(space: &str, serial: &Path) -> Child {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space, "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"]);
    command.args(["-M", "pc,accel=tcg", "-m", "256", "-display", "none", "-monitor", "none", "-nodefaults"]);
    command.args(["-serial", &format!("file:{}", serial.display())]);
    command.args(["-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no"]);
    command.args(["-device", &format!("virtio-net-pci,netdev=n0,mac={MAC},bootindex=1")]);
    command.stdout(Stdio::null()).spawn().unwrap()
}

fn audit(folder: &Folder, args: &[&str]) -> Run {
    folder.run(&[&["audit"], args, &["--state", "state"]].concat())
}

#[test]
fn a_kiosk_is_on_from_half_past_seven_to_half_past_eight() {
    let Some(_turn) = turn() else { return };
    let folder = Folder::new();
    fs::create_dir(folder.0.join("modules")).unwrap();
    fs::copy(Path::new(ROOT).join("modules/webconverger.kdl"), folder.0.join("modules/webconverger.kdl")).unwrap();
    fs::write(folder.0.join("site.kdl"), site(&folder)).unwrap();
    fs::write(folder.0.join("password"), PASSWORD).unwrap();
    assets(&folder);
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    let segment = Segment::new();
    let serial = folder.0.join("serial.log");
    let (device, changes) = segment.kiosk(&serial);

    let morning = segment.serve(&folder, "2026-11-25T07:29:45[Europe/Zagreb]");
    let told = changes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("not turned on:\n{}", morning.logged().join("\n")));
    assert!(matches!(told, Change::On { .. }), "{told:?}");
    let deadline = Instant::now() + Duration::from_secs(400);
    let said = || String::from_utf8_lossy(&fs::read(&serial).unwrap_or_default()).into_owned();
    // Its line comes letter by letter.
    while !said().split_once("PXELATOR-LAB ").is_some_and(|(_, line)| line.contains('\n')) {
        assert!(Instant::now() < deadline, "the kiosk did not start:\n{}\n{}", said(), morning.logged().join("\n"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let marker = "PXELATOR-LAB host=kiosk-05 domain=lab.example address=10.77.0.15 dns=10.77.0.15 ptr=kiosk-05.lab.example profile=webconverger live=filesystem.squashfs";
    assert!(said().contains(marker), "{}", said());
    let boots = audit(&folder, &["boots", "kiosk-05"]).ended(0).out();
    eprintln!("{boots}");
    let steps = ["discover", "offer", "address", "loader", "menu", "kernel", "initrd", "first line"];
    let mut rest = boots.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step} in its place:\n{boots}"));
        rest = &rest[at..];
    }
    assert!(rest.contains("kiosk-05 has started, profile webconverger"), "{boots}");
    drop(morning);
    assert!(changes.try_recv().is_err() && device.is_on(), "a server that ends switches nothing");

    let _evening = segment.serve(&folder, "2026-11-25T20:29:57[Europe/Zagreb]");
    assert_eq!(changes.recv_timeout(PATIENCE), Ok(Change::Off));
    let query = || audit(&folder, &["query", "--host", "kiosk-05", "--service", "power"]).ended(0).out();
    until_true("both switches are on record", || query().matches("power-changed").count() == 2);
    assert!(changes.recv_timeout(Duration::from_secs(2)).is_err(), "each edge once");
    eprintln!("{}", query());
}

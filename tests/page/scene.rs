//! A segment on a winter morning, in a namespace: machines that answer, one that does not, a router that is gone
//! with twenty seats behind it, kiosks that are off, a machine that nobody declared, and a week of figures.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use pxelator::event::{Event, Line, Record};
use pxelator::operate::audit;

use crate::harness::{Folder, PROGRAM, Server, tool};

const SITE: &str = r#"
site lab domain="lab.example" timezone="Europe/Zagreb"
network lan "10.77.0.0/24" gateway=1 server=2 dns=2 {
    pool 100 119 lease="1h"
    host boot 2 "52:54:00:77:00:02"
    host router 1
    host nas 51 "00:11:32:00:00:33" tags="office"
    host printer 50 "00:1b:a9:00:00:32" note="Second floor, behind the copier; its switch is at the back."
    group office tags="office" { repeat n 1 8 { host "pc-{n:02}" "10.77.0.{n+20}" "a0:36:9f:00:00:{n+20:02x}" } }
    group kiosks schedule=opening wake=#true { repeat n 1 5 { host "kiosk-{n:02}" "10.77.0.{n+10}" "54:b2:03:00:00:{n+10:02x}" } }
}
network hall "10.78.0.0/24" gateway=1 {
    group seats { repeat n 1 20 { host "seat-{n:02}" "10.78.0.{n+10}" "54:b2:03:00:01:{n+10:02x}" } }
}
schedule opening { power "07:30" "20:30" days="mon..sun" }
check ping on="lan, hall" every="1s" fails=2
check tcp 445 on="host:nas" every="1s" fails=2
trends
page port=8091 from="group:office, host:boot"
"#;

/// Names that somebody chose who means no good.
pub(super) const HOSTILE: &str = "<script>alert(document.domain)</script>\"'><img src=x onerror=alert(1)>\u{202e}";
/// 06:50 in Zagreb.
const NOW: &str = "2026-11-25T05:50:00Z";

pub(super) struct Scene {
    pub(super) folder: Folder,
    pub(super) server: Option<Server>,
    pub(super) namespace: String,
}

impl Scene {
    pub(super) fn new(name: &str) -> Scene {
        let folder = Folder::with(SITE);
        folder.run(&["build"]).ended(0);
        let namespace = format!("pxpage-{}-{name}", std::process::id());
        tool("ip", &["netns", "add", &namespace]);
        let mut scene = Scene { folder, server: None, namespace };
        scene.ip("link set lo up");
        scene.ip("link add segment type veth peer name segment-end");
        scene.ip("link set segment up");
        scene.ip("link set segment-end up");
        scene.ip("addr add 10.77.0.2/24 dev segment");
        scene.ip("route add 10.78.0.0/24 via 10.77.0.1");
        // Who is there answers from here; pc-05, the router and all behind it do not.
        let there = [50, 51].into_iter().chain((21..=28).filter(|last| *last != 25));
        there.for_each(|last| scene.ip(&format!("addr add 10.77.0.{last}/32 dev lo")));
        scene.remember();
        scene.measure();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &scene.namespace, PROGRAM, "serve", "--state", "state", "--now", NOW])
            .current_dir(&scene.folder.0);
        scene.server = Some(Server::spawn(command, 0));
        scene
    }

    fn ip(&self, line: &str) {
        let words: Vec<&str> = ["-n", &self.namespace].into_iter().chain(line.split(' ')).collect();
        tool("ip", &words);
    }

    pub(super) fn within(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.namespace]
    }

    pub(super) fn curl(&self, args: &[&str]) -> String {
        let words: Vec<&str> =
            self.within().into_iter().skip(1).chain(["curl", "-s", "--max-time", "60"]).chain(args.iter().copied()).collect();
        tool("ip", &words)
    }

    /// What happened before this morning.
    fn remember(&self) {
        let state = self.folder.0.join("state");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("rehearsal"), "").unwrap();
        let now = NOW.parse::<Timestamp>().unwrap().as_microsecond();
        let mut records = Vec::new();
        for n in 1..=8_u8 {
            boot(&mut records, now - i64::from(9 - n) * 420_000_000, &format!("pc-{n:02}"), n + 20);
        }
        let minute = |minutes: i64| now - minutes * 60_000_000;
        let mac = |last: u8| format!("52:54:00:aa:00:{last:02x}");
        for (at, last) in [(9, 1), (4, 2)] {
            records.push(Record {
                at: minute(at),
                event: Event::ClientDiscovered { mac: mac(last), host: None, arch: Some(7), is_ipxe: false },
            });
            let granted = Event::LeaseGranted {
                mac: mac(last),
                address: [10, 77, 0, 99 + last].into(),
                until: now as u64 / 1_000_000 + 3000,
            };
            records.push(Record { at: minute(at) + 40_000, event: granted });
        }
        let by = "schedule";
        records.push(Record { at: minute(560), event: Event::WakeSent { host: "kiosk-01".into(), by: by.into() } });
        records.push(Record { at: minute(3), event: line("pc-03", "sshd", "Accepted publickey for ana from 10.77.0.2") });
        records.push(Record { at: minute(2), event: line("pc-02", HOSTILE, HOSTILE) });
        records.push(Record {
            at: minute(2),
            event: Event::FileAsked {
                client: [10, 77, 0, 22].into(),
                service: "TFTP".into(),
                path: HOSTILE.into(),
                found: false,
            },
        });
        records.push(Record {
            at: minute(1),
            event: Event::CommandRefused { from: [10, 77, 0, 101].into(), name: HOSTILE.into(), count: 3 },
        });
        records.sort_by_key(|record| record.at);
        audit::append(&state, &records).unwrap();
    }

    /// A week of figures, made by rrdtool.
    fn measure(&self) {
        let now = NOW.parse::<Timestamp>().unwrap().as_second();
        let file = |name: &str, source: &str, value: &dyn Fn(i64) -> String| {
            let path = self.folder.0.join("state/trends").join(name).with_extension("rrd");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let path = path.to_str().unwrap();
            let begin = (now - 7 * 86_400).to_string();
            let sources: Vec<String> = source.split(' ').map(|source| format!("DS:{source}:180:0:U")).collect();
            let mut words = vec!["create", path, "--step", "60", "--start", &begin];
            words.extend(sources.iter().map(String::as_str));
            words.extend(["RRA:AVERAGE:0.5:1:10080", "RRA:AVERAGE:0.5:30:1488", "RRA:MAX:0.5:30:1488"]);
            tool("rrdtool", &words);
            let values: Vec<String> = (1..7 * 1440).map(|n| format!("{}:{}", now - 7 * 86_400 + n * 60, value(n))).collect();
            for some in values.chunks(2000) {
                let words: Vec<&str> = ["update", path].into_iter().chain(some.iter().map(String::as_str)).collect();
                tool("rrdtool", &words);
            }
        };
        let day = |n: i64| (n as f64 / 1440.0 * std::f64::consts::TAU - 2.0).sin().max(-0.4) + 0.4;
        file("leases/lan", "used:GAUGE pool:GAUGE", &|n| format!("{:.0}:20", 1.0 + 11.0 * day(n)));
        file("ping/pc-03", "answer:GAUGE", &|n| format!("{:.2}", 0.4 + 0.3 * day(n) + (n % 7) as f64 * 0.02));
        for (at, service) in ["dhcp", "dns", "http"].into_iter().enumerate() {
            // What is kept is how fast it grows: more by day, and never less than nothing.
            let grown = |n: i64| {
                n as f64 - 0.8 * 1440.0 / std::f64::consts::TAU * (n as f64 / 1440.0 * std::f64::consts::TAU - 2.0).cos()
            };
            file(&format!("requests/{service}"), "requests:COUNTER", &|n| {
                format!("{:.0}", 500.0 + 30.0 * (1 + at * at) as f64 * grown(n + 400))
            });
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.server.take());
        let _best_effort = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

pub(super) fn line(host: &str, app: &str, text: &str) -> Event {
    Event::LineLogged(Line {
        source: [10, 77, 0, 23].into(),
        host: Some(host.to_owned()),
        facility: "auth".into(),
        severity: "info".into(),
        app: Some(app.to_owned()),
        pid: Some("77".into()),
        named: None,
        stamp: None,
        data: None,
        text: text.to_owned(),
        cut: 0,
    })
}

/// From the firmware's first word to the first line of the log.
fn boot(records: &mut Vec<Record>, at: i64, host: &str, last: u8) {
    let (mac, address) = (format!("a0:36:9f:00:00:{last:02x}"), [10, 77, 0, last].into());
    let asked = |path: &str| Event::FileAsked { client: address, service: "TFTP".into(), path: path.into(), found: true };
    let own = host.to_owned();
    let steps = [
        (0, Event::ClientDiscovered { mac: mac.clone(), host: Some(own.clone()), arch: Some(7), is_ipxe: false }),
        (30, Event::ReservationOffered { host: own.clone(), mac: mac.clone(), address }),
        (1_060, Event::ReservationGranted { host: own, mac, address }),
        (1_210, asked("snponly.efi")),
        (2_900, asked("ipxe/default.ipxe")),
        (4_100, asked("debian-12/vmlinuz")),
        (6_700, asked("debian-12/initrd.img")),
        (31_400, line(host, "systemd", "Reached target Graphical Interface")),
    ];
    records.extend(steps.map(|(after, event)| Record { at: at + after * 1000, event }));
}

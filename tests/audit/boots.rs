//! Boots, as they are told out of the spool.

use pxelator::event::{Event, Line, Record};
use pxelator::operate::audit::append;

use crate::harness::Folder;

const MAC: &str = "54:b2:03:00:00:0b";
/// 2026-11-25T06:30:00Z, in microseconds.
const BEGIN: i64 = 1_795_588_200_000_000;

/// Records of one boot: millisecond and event.
fn record(folder: &Folder, begin: i64, events: Vec<(i64, Event)>) {
    let records: Vec<Record> = events.into_iter().map(|(millis, event)| Record { at: begin + millis * 1000, event }).collect();
    append(&folder.0.join("state"), &records).unwrap();
}

fn discover(arch: Option<u16>, is_ipxe: bool) -> Event {
    Event::ClientDiscovered { mac: MAC.into(), host: Some("kiosk-01".into()), arch, is_ipxe }
}

fn offer() -> Event {
    Event::ReservationOffered { host: "kiosk-01".into(), mac: MAC.into(), address: [10, 77, 0, 11].into() }
}

fn grant() -> Event {
    Event::ReservationGranted { host: "kiosk-01".into(), mac: MAC.into(), address: [10, 77, 0, 11].into() }
}

fn loader() -> Event {
    Event::LoaderOffered { mac: MAC.into(), file: "snponly.efi".into() }
}

fn asked(path: &str, found: bool) -> Event {
    Event::FileAsked { client: [10, 77, 0, 11].into(), service: "tftp".into(), path: path.into(), found }
}

fn line(text: &str) -> Event {
    Event::LineLogged(Line {
        source: [10, 77, 0, 11].into(),
        host: Some("kiosk-01".into()),
        facility: "kern".into(),
        severity: "info".into(),
        app: Some("kernel".into()),
        pid: None,
        named: None,
        stamp: None,
        data: None,
        text: text.into(),
        cut: 0,
    })
}

fn told(folder: &Folder, args: &[&str]) -> String {
    std::fs::create_dir_all(folder.0.join("state")).unwrap();
    folder.run(&[&["audit", "boots", "--state", "state"], args].concat()).ended(0).out()
}

fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("state")).unwrap();
    folder
}

#[test]
fn a_boot_is_told_from_its_first_word_to_the_first_line_of_its_log() {
    let folder = folder();
    let events = vec![
        (-1000, line("a line of the system before")),
        (0, discover(Some(0), false)),
        (3, offer()),
        (4, line("still the system before")),
        (1000, discover(Some(0), false)),
        (1003, offer()),
        (1010, grant()),
        (1100, asked("pxelinux.0", true)),
        (1150, asked("pxelinux.cfg/01-54-b2-03-00-00-0b", true)),
        (1200, asked("debian-12/vmlinuz", true)),
        (1250, asked("debian-12/vmlinuz", true)),
        (2500, asked("debian-12/initrd.img", true)),
        (6000, discover(None, false)),
        (6010, offer()),
        (9250, line("Linux version 6.1")),
        (9260, line("Command line: quiet")),
    ];
    record(&folder, BEGIN, events);
    let wanted = "\
kiosk-01  2026-11-25T06:30:00.000000Z  bios  54:b2:03:00:00:0b
   0.000 s  discover
   0.003 s  offer 10.77.0.11
   1.010 s  address 10.77.0.11
   1.100 s  loader pxelinux.0
   1.150 s  menu pxelinux.cfg/01-54-b2-03-00-00-0b
   1.200 s  kernel debian-12/vmlinuz
   2.500 s  initrd debian-12/initrd.img
   9.250 s  first line kernel: Linux version 6.1
            up after 9.250 s
";
    assert_eq!(told(&folder, &["kiosk-01"]), wanted);
    let manual = std::fs::read_to_string(format!("{}/docs/audit.md", crate::harness::ROOT)).unwrap();
    assert!(manual.contains(wanted), "docs/audit.md shows another boot");
    assert_eq!(told(&folder, &[MAC]), wanted, "the MAC is a name too");
}

#[test]
fn a_boot_that_stopped_says_where() {
    for (events, end) in [
        (vec![(0, discover(Some(7), false))], "stopped after discover: no address was offered"),
        (vec![(0, discover(Some(7), false)), (3, offer())], "stopped after offer: it did not take the address"),
        (
            vec![(0, discover(Some(7), false)), (3, offer()), (5, grant())],
            "stopped after address: it was told of no loader: none is pinned",
        ),
        (
            vec![(0, discover(Some(7), false)), (3, offer()), (5, grant()), (6, loader())],
            "stopped after address: it was told to load snponly.efi, and did not ask for it: a firewall is between (UDP 69",
        ),
        (
            vec![
                (0, discover(Some(7), false)),
                (3, offer()),
                (5, grant()),
                (6, asked("snponly.efi", true)),
                (7, discover(Some(7), true)),
                (8, asked("ipxe/54-b2-03-00-00-0b", true)),
                (9, asked("rescue/vmlinuz", false)),
            ],
            "stopped after menu: it asked for no kernel: it starts from its own disk, or waits at the menu; it asked for rescue/vmlinuz, which is not here",
        ),
    ] {
        let folder = folder();
        record(&folder, BEGIN, events);
        let out = told(&folder, &["kiosk-01"]);
        assert!(out.contains(end) && out.contains("  efi64  "), "{out}");
    }
}

#[test]
fn each_boot_is_one_and_ipxe_after_a_loader_is_none_of_its_own() {
    let folder = folder();
    let boot = |begin: i64| {
        record(&folder, begin, vec![(0, discover(Some(7), false)), (3, offer()), (5, grant()), (4000, line("up"))]);
    };
    boot(BEGIN);
    boot(BEGIN + 3_600_000_000);
    let out = told(&folder, &["kiosk-01", "--format", "jsonl"]);
    let boots: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let begun: Vec<&str> = boots.iter().map(|boot| boot["begun"].as_str().unwrap()).collect();
    assert_eq!(begun, ["2026-11-25T06:30:00.000000Z", "2026-11-25T07:30:00.000000Z"]);
    assert_eq!(told(&folder, &["kiosk-01", "--since", "2026-11-25T07:00:00Z", "--format", "jsonl"]).lines().count(), 1);
    assert_eq!(told(&folder, &["kiosk-02"]), "");
}

#[test]
fn what_comes_hours_later_or_before_is_none_of_a_boot() {
    let begun = || vec![(0, discover(Some(7), false)), (3, offer()), (5, grant()), (6, asked("menus/kiosk-01.ipxe", true))];
    let hours = 2 * 3_600_000;
    for (later, boots) in [
        // It starts from its own disk, and is up: two hours later it says something.
        (vec![(hours, line("a line of the disk's system"))], 1),
        // The clock was set back.
        (vec![(-hours, asked("debian-12/vmlinuz", true)), (-hours + 1, line("up"))], 1),
        (vec![(-hours, discover(Some(7), false)), (-hours + 3, offer())], 2),
        // iPXE that asks two hours later was not loaded before.
        (vec![(hours, discover(Some(7), true)), (hours + 3, offer())], 2),
    ] {
        let folder = folder();
        record(&folder, BEGIN, [begun(), later].concat());
        let out = told(&folder, &["kiosk-01", "--format", "jsonl"]);
        let told: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told.len(), boots, "{out}");
        assert!(told[0]["end"].as_str().unwrap().starts_with("stopped after menu: "), "{out}");
        let after = told.iter().flat_map(|boot| boot["steps"].as_array().unwrap()).map(|step| step["after"].as_f64().unwrap());
        assert!(after.into_iter().all(|after| (0.0..600.0).contains(&after)), "{out}");
    }
}

#[test]
fn whoever_switched_it_on_is_told_first() {
    let folder = folder();
    let on = Event::PowerChanged { host: "kiosk-01".into(), action: "on".into(), by: "schedule".into() };
    record(
        &folder,
        BEGIN,
        vec![
            (0, on.clone()),
            (9000, discover(Some(0), false)),
            (9003, offer()),
            (3_600_000, on),
            (9_000_000, discover(Some(0), false)),
        ],
    );
    let out = told(&folder, &["kiosk-01"]);
    let wanted = "   0.000 s  switched on by schedule\n   9.000 s  discover\n   9.003 s  offer 10.77.0.11\n";
    assert!(out.contains(wanted) && out.matches("switched on").count() == 1, "{out}");
}

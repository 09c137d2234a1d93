//! Overviews of small sites.

use super::*;
use crate::answer::dhcp::LeaseState;
use crate::event::{Event, Record};
use crate::operate::monitor::seen::Alert;
use crate::out::table::{HostRow, PoolRow, PowerRow, ReservationRow, ScheduleRow, WindowRow};

const NOW: i64 = 1_795_588_200;

fn tables(hosts: usize) -> Tables {
    let mut tables = Tables {
        networks: vec![NetworkRow {
            network: "lan".into(),
            first: [10, 0, 0, 0].into(),
            mask: [255, 0, 0, 0].into(),
            server: None,
            gateway: Some([10, 0, 0, 1].into()),
            dns: vec![],
            domain: "lab.example".into(),
            timezone: None,
            lease_secs: 3600,
            pools: vec![PoolRow {
                first: [10, 0, 0, 3].into(),
                last: [10, 0, 0, 4].into(),
                lease_secs: 60,
                menu: "default".into(),
            }],
        }],
        ..Tables::default()
    };
    tables.reserved.insert([10, 0, 0, 1].into(), "network lan".into());
    for n in 0..hosts {
        let (name, address) = (format!("h{n}"), Ipv4Addr::from(0x0a01_0000 + n as u32));
        let mac = format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256);
        let groups = if n % 2 == 0 { vec![] } else { vec!["room".to_owned(), "left".to_owned()] };
        tables.hosts.insert(mac.clone(), HostRow { host: name.clone(), mac: mac.clone(), menu: "default".into(), network: None });
        tables.reserved.insert(address, mac.clone());
        let reservation = ReservationRow {
            host: name.clone(),
            mac: Some(mac.clone()),
            address,
            network: "lan".into(),
            lease_secs: None,
            root: None,
        };
        tables.reservations.insert(mac.clone(), reservation);
        let fact = FactRow {
            host: name.clone(),
            address: Some(address),
            macs: vec![mac],
            network: Some("lan".into()),
            groups,
            ..FactRow::default()
        };
        tables.facts.insert(name, fact);
    }
    tables
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn seen(host: &str, check: &str, state: State) -> CheckSeen {
    CheckSeen {
        id: format!("{host} {check}"),
        host: host.into(),
        check: check.into(),
        state,
        since: 7,
        at: NOW,
        millis: None,
        why: Some("why".into()),
    }
}

fn of(tables: &Tables, seen: &Seen, recent: &Recent, leases: &[Lease]) -> Overview {
    overview(&Known { tables, leases: Some(leases), seen: Some(seen), recent, services: &[], now: now() })
}

#[test]
fn a_host_is_what_the_worst_of_its_checks_says() {
    let tables = tables(2);
    let checks = vec![seen("h0", "ping", State::Up), seen("h0", "tcp 22", State::Down), seen("h1", "ping", State::Behind)];
    let alert = Alert {
        id: "a".into(),
        host: "h0".into(),
        check: "tcp 22".into(),
        fired: 9,
        resolved: None,
        why: "refused".into(),
        behind: vec!["h1".into()],
        waiting: vec![],
    };
    let over = Alert { resolved: Some(8), ..alert.clone() };
    let found = of(&tables, &Seen { at: NOW, checks, alerts: vec![alert, over] }, &Recent::default(), &[]);
    let [lan] = found.networks.as_slice() else { panic!("{found:#?}") };
    assert_eq!(lan.groups.iter().map(|group| group.group.as_deref()).collect::<Vec<_>>(), [None, Some("room / left")]);
    let host = &lan.groups[0].hosts[0];
    assert_eq!((host.state, host.since, host.why.as_deref()), (State::Down, Some(7), Some("tcp 22: why")));
    assert_eq!((found.tally.hosts, found.tally.down, found.tally.behind), (2, 1, 1));
    let [wrong] = found.wrong.as_slice() else { panic!("{found:#?}") };
    assert_eq!((wrong.host.as_deref(), wrong.text.as_str(), wrong.behind.len()), (Some("h0"), "tcp 22: refused", 1));
}

#[test]
fn without_checks_what_happened_and_the_schedule_tell_it() {
    let mut tables = tables(3);
    let windows = vec![WindowRow { days: vec!["sun".into()], on: "07:30".into(), off: "20:30".into(), overnight: false }];
    let schedule = ScheduleRow { schedule: "s".into(), timezone: "UTC".into(), windows, holidays: vec![], holidays_until: None };
    tables.schedules.insert("s".into(), schedule);
    for host in ["h1", "h2"] {
        let row = PowerRow {
            host: host.into(),
            address: None,
            macs: vec![],
            broadcast: None,
            amt: None,
            wake: true,
            schedule: Some("s".into()),
            selectors: vec![],
        };
        tables.power.insert(host.into(), row);
    }
    let mut recent = Recent::default();
    let at = (NOW - 60) * 1_000_000;
    let boots =
        Event::ClientDiscovered { mac: "02:00:00:00:00:01".into(), host: Some("h1".into()), arch: Some(7), is_ipxe: false };
    recent.heard(&Record { at, event: boots }, &tables);
    let found = of(&tables, &Seen::default(), &recent, &[]);
    let view =
        |name: &str| found.networks[0].groups.iter().flat_map(|group| &group.hosts).find(|host| host.host == name).unwrap();
    assert_eq!((view("h0").state, view("h0").schedule.as_ref()), (State::Unknown, None));
    assert_eq!((view("h1").state, view("h1").booted), (State::Up, Some(NOW - 60)));
    assert_eq!((view("h2").state, view("h2").schedule.as_ref().map(|wanted| wanted.on)), (State::Off, Some(false)));
}

#[test]
fn who_is_new_gets_a_line_with_an_address_that_is_free() {
    let mut tables = tables(1);
    tables.facts.insert("new-1".into(), FactRow { host: "new-1".into(), ..FactRow::default() });
    tables.reserved.insert([10, 0, 0, 2].into(), "x".into());
    let lease = |mac: &str, last: u8, until: i64| Lease {
        mac: mac.into(),
        address: [10, 0, 0, last].into(),
        until: until as u64,
        state: LeaseState::Granted,
    };
    let leases =
        [lease("02:00:00:00:00:00", 3, NOW + 9), lease("02:aa:00:00:00:01", 4, NOW + 9), lease("02:aa:00:00:00:02", 4, NOW - 9)];
    let mut recent = Recent::default();
    let asks = Event::ClientDiscovered { mac: "02:aa:00:00:00:03".into(), host: None, arch: None, is_ipxe: false };
    recent.heard(&Record { at: NOW * 1_000_000, event: asks }, &tables);
    let found = of(&tables, &Seen::default(), &recent, &leases);
    let lines: Vec<&str> = found.unknown.iter().map(|stranger| stranger.line.as_str()).collect();
    assert_eq!(lines, ["host new-2 5 \"02:aa:00:00:00:03\"", "host new-3 6 \"02:aa:00:00:00:01\""]);
    assert_eq!(found.networks[0].pool, Some(PoolUse { size: 2, held: 2 }));
    assert_eq!(found.wrong[0].text, "network lan has no free address: all 2 are held");
    assert_eq!(found.wrong[0].since, NOW - 51, "the last lease was granted then, for a minute");
}

#[test]
fn a_full_pool_is_told_since_somebody_got_no_address() {
    let tables = tables(1);
    let lease = |last: u8| Lease {
        mac: format!("02:aa:00:00:00:{last:02x}"),
        address: [10, 0, 0, last].into(),
        until: NOW as u64 + 9,
        state: LeaseState::Granted,
    };
    let mut recent = Recent::default();
    for ago in [7200, 600, 300] {
        let event = Event::PoolExhausted { mac: "02:aa:00:00:00:09".into(), network: "lan".into(), first: [10, 0, 0, 3].into() };
        recent.heard(&Record { at: (NOW - ago) * 1_000_000, event }, &tables);
    }
    let wrong = |leases: Option<&[Lease]>| {
        let known = Known { tables: &tables, leases, seen: None, recent: &recent, services: &[], now: now() };
        overview(&known).wrong.into_iter().map(|wrong| (wrong.text, wrong.since)).collect::<Vec<_>>()
    };
    let full = ("network lan has no free address: all 2 are held".to_owned(), NOW - 600);
    assert_eq!(wrong(Some(&[lease(3), lease(4)])), [full]);
    assert_eq!(wrong(Some(&[lease(3)])), [], "it has room again");
    let told = ("network lan had no address for 02:aa:00:00:00:09".to_owned(), NOW - 600);
    assert_eq!(wrong(None), [told], "`pxelator status` does not know the leases");
}

#[test]
fn what_cannot_be_asked_is_wrong_and_what_may_still_start_is_not() {
    let tables = tables(4);
    let check = |n: usize, why: &str| CheckSeen { why: Some(why.into()), ..seen(&format!("h{n}"), "ping", State::Unknown) };
    let checks = vec![
        check(0, "may not ping"),
        CheckSeen { since: 5, ..check(1, "may not ping") },
        check(2, crate::operate::monitor::seen::STARTING),
        CheckSeen { at: 0, ..check(3, "may not ping") },
    ];
    let found = of(&tables, &Seen { at: NOW, checks, alerts: vec![] }, &Recent::default(), &[]);
    let [wrong] = found.wrong.as_slice() else { panic!("{found:#?}") };
    assert_eq!((wrong.kind, wrong.text.as_str(), wrong.since), ("checks", "2 checks cannot be asked: may not ping", 5));
    let hosts: Vec<_> = found.networks[0].groups.iter().flat_map(|group| &group.hosts).map(|host| host.why.as_deref()).collect();
    assert_eq!(hosts, [Some("ping: may not ping"), None, Some("ping: may not ping"), None]);
}

#[test]
fn only_a_schedule_is_told_as_the_reason_of_being_off() {
    let tables = tables(2);
    let mut recent = Recent::default();
    let seen_off = Event::PowerSeen { host: "h0".into(), state: "off".into() };
    recent.heard(&Record { at: NOW * 1_000_000, event: seen_off }, &tables);
    let checks = vec![CheckSeen { why: None, ..seen("h1", "ping", State::Off) }];
    let found = of(&tables, &Seen { at: NOW, checks, alerts: vec![] }, &recent, &[]);
    let hosts: Vec<_> = found.networks[0].groups.iter().flat_map(|group| &group.hosts).collect();
    let told: Vec<_> = hosts.iter().map(|host| (host.state, host.why.as_deref())).collect();
    assert_eq!(told, [(State::Off, None), (State::Off, Some("by its schedule"))]);
}

#[test]
fn each_of_many_hosts_is_told_once() {
    let tables = tables(5_000);
    let checks = (0..5_000).map(|n| seen(&format!("h{n}"), "ping", State::Up)).collect();
    let seen = Seen { at: NOW, checks, alerts: vec![] };
    let found = of(&tables, &seen, &Recent::default(), &[]);
    assert_eq!((found.tally.up, found.networks[0].groups.len()), (5_000, 2));
    assert_eq!(found.networks[0].groups.iter().map(|group| group.hosts.len()).sum::<usize>(), 5_000);
}

//! A gateway that dies with twenty hosts behind it, in network namespaces: one alert and its end, by mail and
//! webhook, with the mail server away in between and the server killed.

use std::fs::File;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use pxelator::operate::monitor::seen::{self, Seen, State};

use super::{Exim, Hook};
use crate::harness::{Folder, PROGRAM, Server, have, tool, until, until_true};

const HOSTS: usize = 20;
const MAIL: u16 = 2525;
const HOOK: u16 = 9000;

/// boot ── switch ── router ── hall: four namespaces, of which the switch keeps the boot server's link up.
struct Segment {
    prefix: String,
}

impl Segment {
    fn new(name: &str) -> Segment {
        let segment = Segment { prefix: format!("pxmon-{}-{name}", std::process::id()) };
        for name in ["boot", "switch", "router", "hall"] {
            tool("ip", &["netns", "add", &segment.name(name)]);
            segment.ip(name, "link set lo up");
        }
        segment.ip("switch", "link add br0 type bridge stp_state 0 forward_delay 0");
        segment.ip("switch", "link set br0 up");
        segment.cable(("boot", "nic", Some("10.77.0.2/24")), ("switch", "to-boot", None));
        segment.cable(("router", "near", Some("10.77.0.1/24")), ("switch", "to-router", None));
        segment.cable(("router", "far", Some("10.78.0.1/24")), ("hall", "nic", None));
        segment.ip("switch", "link set to-boot master br0");
        segment.ip("switch", "link set to-router master br0");
        (0..HOSTS).for_each(|n| segment.ip("hall", &format!("addr add 10.78.0.{}/24 dev nic", 11 + n)));
        segment.ip("hall", "route add default via 10.78.0.1");
        segment.ip("boot", "route add 10.78.0.0/24 via 10.77.0.1");
        tool("ip", &["netns", "exec", &segment.name("router"), "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
        segment
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn ip(&self, name: &str, line: &str) {
        let name = self.name(name);
        let words: Vec<&str> = ["-n", &name].into_iter().chain(line.split(' ')).collect();
        tool("ip", &words);
    }

    fn cable(&self, one: (&str, &str, Option<&str>), other: (&str, &str, Option<&str>)) {
        let (here, there) = (self.name(one.0), self.name(other.0));
        tool("ip", &["link", "add", one.1, "netns", &here, "type", "veth", "peer", "name", other.1, "netns", &there]);
        for (name, device, address) in [one, other] {
            address.iter().for_each(|address| self.ip(name, &format!("addr add {address} dev {device}")));
            self.ip(name, &format!("link set {device} up"));
        }
    }

    /// A socket of the boot server's, answered by this process.
    fn listener(&self, port: u16) -> TcpListener {
        let path = format!("/var/run/netns/{}", self.name("boot"));
        let bind = move || {
            setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind(("127.0.0.1", port)).unwrap()
        };
        std::thread::spawn(bind).join().unwrap()
    }

    fn serve(&self, folder: &Folder) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name("boot"), PROGRAM, "serve", "--state", "state"]).current_dir(&folder.0);
        Server::spawn(command, 0)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        for name in ["boot", "switch", "router", "hall"] {
            let _best_effort = Command::new("ip").args(["netns", "del", &self.name(name)]).status();
        }
    }
}

fn site() -> Folder {
    let hosts: String = (0..HOSTS).map(|n| format!("host hall-{:02} {} \"52:54:00:78:00:{n:02x}\"\n", n + 1, 11 + n)).collect();
    let folder = Folder::with(&format!(
        "site lab domain=\"lab.example\" timezone=\"Europe/Zagreb\"\n\
         network lan \"10.77.0.0/24\" gateway=1 server=2 {{ host boot 2 \"52:54:00:77:00:02\" }}\n\
         network hall \"10.78.0.0/24\" gateway=1 {{\n{hosts}}}\n\
         check ping on=\"hall, host:boot\" every=\"1s\" fails=2\n\
         alerts {{ mail \"admin@lab.example\" through=\"127.0.0.1:{MAIL}\"; webhook \"http://127.0.0.1:{HOOK}/hook\" }}\n"
    ));
    folder.run(&["build"]).ended(0);
    folder
}

fn seen(folder: &Folder) -> Seen {
    seen::read(&folder.0.join("state")).unwrap().unwrap_or_default()
}

/// What the audit says of alerts, one event a line.
fn events(folder: &Folder) -> String {
    folder.run(&["audit", "query", "--state", "state", "--service", "monitor", "--format", "jsonl"]).out()
}

fn count(events: &str, event: &str) -> usize {
    events.matches(&format!("\"event\":\"{event}\"")).count()
}

fn all_are(folder: &Folder, state: State) {
    let of_hall =
        |seen: &Seen| seen.checks.iter().filter(|check| check.host.starts_with("hall-") && check.state == state).count();
    until_true(&format!("all of the hall are {state:?}"), || of_hall(&seen(folder)) == HOSTS);
}

#[test]
fn a_dead_gateway_with_twenty_children_is_one_alert_through_kills_and_an_absent_mail_server() {
    if !have(&["root", "ip", "exim4", "sysctl"]) {
        return;
    }
    let (segment, folder) = (Segment::new("g"), site());
    let hook = Hook::listen(segment.listener(HOOK));
    let mut exim = Exim::new(&folder, Some(&segment.name("boot")), MAIL);
    let server = segment.serve(&folder);
    all_are(&folder, State::Up);
    // The mail server is not there yet when the router dies.
    segment.ip("router", "link set near down");
    until_true("the webhook is told", || !hook.posts().is_empty());
    all_are(&folder, State::Behind);
    // A kill between a message and its record is another matter: the message would be sent again.
    until_true("the server has written that down", || count(&events(&folder), "alert-sent") == 1);
    server.kill();
    let server = segment.serve(&folder);
    all_are(&folder, State::Behind);
    until("the alert waits for the mail server alone", || {
        seen(&folder).alerts.first().filter(|alert| alert.waiting == ["mail admin@lab.example"]).map(drop)
    });
    exim.start();
    until_true("the first mail comes", || exim.mails("admin").len() == 1);
    until_true("the server knows that", || seen(&folder).alerts.iter().all(|alert| alert.waiting.is_empty()));
    exim.stop();
    segment.ip("router", "link set near up");
    until_true("the webhook is told of the end", || hook.posts().len() == 2);
    until_true("the server has written that down too", || count(&events(&folder), "alert-sent") == 3);
    server.kill();
    let server = segment.serve(&folder);
    all_are(&folder, State::Up);
    exim.start();
    until_true("the second mail comes", || exim.mails("admin").len() == 2);
    until_true("nobody waits any more", || seen(&folder).alerts.iter().all(|alert| alert.waiting.is_empty()));
    until_true("all is written down", || count(&events(&folder), "alert-sent") >= 4);
    assert_eq!(hook.told(), ["fired gateway of hall ping", "resolved gateway of hall ping"]);
    let posts = hook.posts();
    assert_eq!((posts[0].body["behind"].as_array().unwrap().len(), &posts[0].body["id"]), (HOSTS, &posts[1].body["id"]));
    let mails = exim.mails("admin");
    assert!(mails[0].contains("Subject: [lab] gateway of hall does not answer (ping)\n"), "{}", mails[0]);
    assert!(mails[0].replace("=\n", "").contains("20 hosts behind it cannot be reached: hall-01, hall-02, "), "{}", mails[0]);
    assert!(mails[1].contains("Subject: [lab] gateway of hall answers again after "), "{mails:#?}");
    assert_eq!(seen(&folder).alerts.len(), 1);
    let events = events(&folder);
    let counts = ["alert-fired", "alert-resolved", "alert-sent", "alert-undelivered"].map(|event| count(&events, event));
    assert_eq!(counts, [1, 1, 4, 0], "{events}");
    drop(server);
}

#[test]
fn a_cable_that_is_pulled_is_one_alert_and_its_mail_comes_when_it_is_back() {
    if !have(&["root", "ip", "sysctl"]) {
        return;
    }
    let (segment, folder) = (Segment::new("c"), site());
    let hook = Hook::listen(segment.listener(HOOK));
    let _server = segment.serve(&folder);
    all_are(&folder, State::Up);
    segment.ip("switch", "link set to-boot down");
    until_true("the webhook is told", || !hook.posts().is_empty());
    all_are(&folder, State::Behind);
    std::thread::sleep(Duration::from_secs(2));
    let behind = hook.posts()[0].body["behind"].as_array().unwrap().len();
    assert_eq!((hook.told(), behind), (vec!["fired link to lan link".to_owned()], HOSTS));
    assert_eq!(hook.posts()[0].body["why"], "interface nic of this boot server has no carrier: look at its cable and its switch");
    segment.ip("switch", "link set to-boot up");
    all_are(&folder, State::Up);
    until_true("the webhook is told of the end", || hook.posts().len() == 2);
    assert_eq!(hook.told()[1], "resolved link to lan link");
}

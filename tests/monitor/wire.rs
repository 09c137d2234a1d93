//! Hosts on loopback, asked for real: each kind of check fails and is well again.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pxelator::operate::monitor::seen::{self, CheckSeen, State};

use super::{Hook, port};
use crate::harness::{Folder, Server, have, until, until_true};

fn site(more: &str) -> Folder {
    let folder = Folder::with(&format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"127.0.0.0/8\" server=\"127.0.0.1\" {{\n  host pc \"127.0.0.9\" \"52:54:00:00:00:09\"\n  host far \"127.0.0.10\" \"52:54:00:00:00:0a\"\n}}\n{more}\n"
    ));
    folder.run(&["build"]).ended(0);
    folder
}

fn check(folder: &Folder, id: &str) -> Option<CheckSeen> {
    let seen = seen::read(&folder.0.join("state")).unwrap().unwrap_or_default();
    seen.checks.into_iter().find(|check| check.id == id)
}

fn is(folder: &Folder, id: &str, state: State) -> CheckSeen {
    until(&format!("{id} is {state:?}"), || check(folder, id).filter(|check| check.state == state))
}

#[test]
fn a_ping_a_port_and_a_page_are_asked_and_the_reason_is_told() {
    if !have(&["root"]) {
        return;
    }
    let (tcp, http, hook) = (port(), port(), port());
    let folder = site(&format!(
        "check ping on=\"lan\" every=\"1s\"\ncheck tcp {tcp} on=\"host:pc\" every=\"1s\" fails=1\n\
         check http \":{http}/status\" on=\"host:pc\" every=\"1s\" fails=1\n\
         alerts {{ webhook \"http://127.0.0.1:{hook}/\" }}"
    ));
    let hook = Hook::listen(TcpListener::bind(("127.0.0.1", hook)).unwrap());
    let _server = Server::start(&folder, &[]);
    assert!(is(&folder, "pc ping", State::Up).millis.is_some_and(|millis| millis < 1000.0));
    is(&folder, "far ping", State::Up);
    let (tcp_id, http_id) = (format!("pc tcp {tcp}"), format!("pc http :{http}/status"));
    assert_eq!(is(&folder, &tcp_id, State::Down).why.as_deref(), Some(format!("nothing listens on port {tcp}").as_str()));
    assert_eq!(
        is(&folder, &http_id, State::Down).why.as_deref(),
        Some(format!("http://127.0.0.9:{http}/status: nobody listens there").as_str())
    );
    let _listener = TcpListener::bind(("127.0.0.9", tcp)).unwrap();
    let is_ill = Arc::new(AtomicBool::new(true));
    let page = TcpListener::bind(("127.0.0.9", http)).unwrap();
    let ill = is_ill.clone();
    std::thread::spawn(move || {
        for mut stream in page.incoming().map_while(Result::ok) {
            let status = if ill.load(Ordering::Relaxed) { "503 Service Unavailable" } else { "302 Found" };
            let _it_went_away = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _it_went_away = std::io::Write::write_all(
                &mut stream,
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
            );
        }
    });
    is(&folder, &tcp_id, State::Up);
    until("the page answers badly", || check(&folder, &http_id)?.why.filter(|why| why.ends_with("answers 503")));
    is_ill.store(false, Ordering::Relaxed);
    is(&folder, &http_id, State::Up);
    until_true("all four are told", || hook.posts().len() == 4);
    let mut told = hook.told();
    told.sort();
    assert_eq!(
        told,
        [format!("fired {http_id}"), format!("fired {tcp_id}"), format!("resolved {http_id}"), format!("resolved {tcp_id}")]
    );
}

#[test]
fn a_dns_server_must_know_the_name() {
    if !have(&["root"]) {
        return;
    }
    let folder = site(
        "check dns \"www.lab.example\" on=\"host:pc\" every=\"1s\" fails=1\ncheck dns \"no.lab.example\" on=\"host:pc\" every=\"1s\" fails=1",
    );
    let _server = Server::start(&folder, &[]);
    assert_eq!(is(&folder, "pc dns www.lab.example", State::Down).why.as_deref(), Some("nothing listens on port 53"));
    let socket = UdpSocket::bind("127.0.0.9:53").unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let mut reply = buffer[..length].to_vec();
            reply[2] |= 0x80;
            if reply.windows(4).any(|four| four == b"\x03www") {
                reply[7] = 1;
                reply.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x09");
            }
            let _it_went_away = socket.send_to(&reply, peer);
        }
    });
    is(&folder, "pc dns www.lab.example", State::Up);
    until("an empty answer is told", || {
        check(&folder, "pc dns no.lab.example")?.why.filter(|why| why == "it knows no address of no.lab.example")
    });
}

#[test]
fn a_rehearsal_asks_and_tells_nobody_beyond_loopback() {
    let folder = Folder::with(
        "site lab domain=\"lab.example\"\nnetwork lan \"10.77.0.0/24\" server=2 { host nas 51 \"00:11:32:00:00:33\" }\ncheck ping on=\"lan\" every=\"1s\"\nalerts { mail \"admin@lab.example\" through=\"10.77.0.51:25\" }\n",
    );
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    server.has_said("1 checks are not done, 0 sinks get nothing, and 1 are not told of alerts");
    assert!(!folder.0.join("state/monitor.json").exists());
}

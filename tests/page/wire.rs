//! The page over the wire: who may look, what every answer says, and what does no harm.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use pxelator::event::{Event, Record};
use pxelator::operate::audit::append;

use super::scene::{Scene, line};
use crate::harness::{Folder, PATIENCE, ROOT, Server, have, tool};

const SITE: &str = "site lab domain=\"lab.example\"\nnetwork lan \"10.77.0.0/24\" { pool 100 199; host boot 2 \"52:54:00:77:00:02\" }\npage port=8091\n";
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn served(site: &str) -> (Folder, Server) {
    let folder = Folder::with(site);
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    server.has_said("page on http://127.0.0.1:");
    (folder, server)
}

fn url(server: &Server, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", server.port(8091))
}

fn curl(args: &[&str]) -> String {
    tool("curl", &[&["-s", "--max-time", "60"], args].concat())
}

fn status(args: &[&str]) -> String {
    curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], args].concat())
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(format!("127.0.0.1:{}", server.port(8091))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn every_answer_forbids_what_no_page_needs() {
    let (_folder, server) = served(SITE);
    for path in [
        "/",
        "/audit",
        "/alerts",
        "/generations",
        "/trends",
        "/host/boot",
        "/host/nobody",
        "/find?q=b",
        "/style.css",
        "/live.js",
        "/icon.svg",
        "/healthz",
        "/../x",
    ] {
        let head = curl(&["-o", "/dev/null", "-D", "-", "--path-as-is", &url(&server, path)]).to_ascii_lowercase();
        let wanted =
            ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "cross-origin-resource-policy: same-origin"];
        for line in wanted.into_iter().map(str::to_owned).chain([format!("content-security-policy: {POLICY}")]) {
            assert!(head.contains(&format!("{line}\r\n")), "{path} lacks {line}: {head}");
        }
        let is_asset = [".css", ".js", "icon.svg"].iter().any(|end| path.ends_with(end));
        assert_eq!(
            (head.contains("cache-control: no-store"), head.contains("etag: \"")),
            (!is_asset, is_asset),
            "{path}: {head}"
        );
    }
    let tag = curl(&["-o", "/dev/null", "-D", "-", &url(&server, "/style.css")]);
    let tag = tag.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert_eq!(status(&["-H", &format!("If-None-Match: {tag}"), &url(&server, "/style.css")]), "304");
    let html = curl(&[&url(&server, "/")]);
    assert!(
        !html.contains("style=") && !html.contains("onclick") && !html.contains("http://") && !html.contains("https://"),
        "nothing inline, nothing from elsewhere: {html}"
    );
}

#[test]
fn names_of_others_and_changes_are_refused() {
    let (_folder, server) = served(SITE);
    let with = |host: &str, path: &str| curl(&["-w", "\n%{http_code}", "-H", &format!("Host: {host}"), &url(&server, path)]);
    for host in ["boot.lab.example:8091", "boot", "localhost", "10.77.0.2", "[::1]:1"] {
        assert!(with(host, "/healthz").ends_with("\n200"), "{host}");
    }
    let refused = with("rebind.evil.example", "/");
    assert!(refused.ends_with("\n421") && refused.contains("names in lab.example") && !refused.contains("boot"), "{refused}");
    let page = fs::read_to_string(format!("{ROOT}/docs/page.md")).unwrap();
    assert!(page.contains(refused.trim_end_matches("\n421").trim_end()), "docs/page.md does not say: {refused}");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        assert_eq!(status(&["-X", method, &url(&server, "/")]), "405", "{method}");
    }
    assert_eq!(status(&["-I", &url(&server, "/")]), "200");
    // Two names, or none, are no name.
    for head in ["GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let (mut stream, mut text) = (connect(&server), [0; 12]);
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut text).unwrap();
        assert_eq!(&text[9..], b"421", "{head}");
    }
}

#[test]
fn who_may_not_look_is_told_who_may() {
    if !have(&["root", "ip", "curl", "rrdtool"]) {
        return;
    }
    let scene = Scene::new("from");
    let ask = |from: &str| scene.curl(&["--interface", from, "-w", "\n%{http_code}", "http://10.77.0.2:8091/"]);
    assert!(ask("10.77.0.21").ends_with("\n200"));
    assert!(ask("10.77.0.2").ends_with("\n200"));
    assert!(
        scene.curl(&["-w", "\n%{http_code}", "http://127.0.0.1:8091/healthz"]).ends_with("\n200"),
        "the boot server itself always may"
    );
    let refused = ask("10.77.0.50");
    assert!(refused.ends_with("\n403") && !refused.contains("kiosk"), "{refused}");
    let page = fs::read_to_string(format!("{ROOT}/docs/page.md")).unwrap();
    assert!(page.contains(refused.trim_end_matches("\n403").trim_end()), "docs/page.md does not say: {refused}");
}

#[test]
fn a_port_that_is_taken_is_told_and_had_once_it_is_free() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    server.has_said("page on http://127.0.0.1:");
    // Another generation wants a port that somebody has.
    let port: u16 = server.port(8092).parse().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    fs::write(folder.0.join("site.kdl"), SITE.replace("8091", "8092")).unwrap();
    folder.run(&["build"]).ended(0);
    server.signal("-HUP");
    let said = server.wait_for("the page cannot have TCP");
    let page = fs::read_to_string(format!("{ROOT}/docs/page.md")).unwrap();
    let told = said.split("WARN ").nth(1).unwrap().replace(&format!("127.0.0.1:{port}"), "0.0.0.0:8080");
    assert!(page.contains(&told), "docs/page.md does not say: {told}");
    assert_eq!(
        tool("dig", &["+short", "@127.0.0.1", "-p", &server.port(53), "boot.lab.example"]).trim(),
        "10.77.0.2",
        "the rest is served"
    );
    drop(taken);
    server.wait_for(&format!("page on http://127.0.0.1:{port}/"));
    assert_eq!(status(&[&format!("http://127.0.0.1:{port}/")]), "200");
    assert!(TcpStream::connect(("127.0.0.1", port - 1)).is_err(), "nobody listens at the old port");
    // And without the node there is no page.
    fs::write(folder.0.join("site.kdl"), SITE.replace("page port=8091\n", "")).unwrap();
    folder.run(&["build"]).ended(0);
    server.signal("-HUP");
    server.wait_for("ended: the generation says so");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn two_hundred_connections_and_slow_readers_keep_out_nobody_else() {
    let (_folder, server) = served(SITE);
    let mut held: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    for (n, stream) in held.iter_mut().enumerate() {
        // Half a request, or a whole one whose answer nobody reads.
        let _closed_already =
            stream.write_all(if n % 2 == 0 { b"GET / HTTP/1.1\r\n" } else { b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n" });
    }
    for path in ["/", "/audit", "/healthz"] {
        assert_eq!(status(&["--interface", "127.0.0.2", &url(&server, path)]), "200", "{path}");
    }
    drop(held);
    assert_eq!(
        status(&["--retry", "20", "--retry-delay", "1", "--retry-all-errors", &url(&server, "/")]),
        "200",
        "and it is all given back"
    );
}

#[test]
fn the_stream_tells_that_something_happened() {
    let (folder, server) = served(SITE);
    let mut stream = connect(&server);
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    let mut until = |wanted: &str| {
        while !text.contains(wanted) {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    };
    until("content-type: text/event-stream");
    until("event: beat\ndata: ");
    // Another generation is news.
    fs::write(folder.0.join("site.kdl"), SITE.replace("host boot 2", "host boot 3")).unwrap();
    folder.run(&["build"]).ended(0);
    server.signal("-HUP");
    until("event: news\ndata: ");
    assert!(curl(&[&url(&server, "/host/boot")]).contains("10.77.0.3"));
}

#[test]
fn generations_of_a_store_are_told_with_what_each_changed() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    let deploy = |folder: &Folder| folder.run(&["deploy", "store", "--state", "state", "--without-assets"]).ended(0);
    deploy(&folder);
    fs::write(folder.0.join("site.kdl"), SITE.replace("host boot 2", "host boot 3")).unwrap();
    folder.run(&["build"]).ended(0);
    deploy(&folder);
    let server = Server::start(&folder, &["--out", "store/current/out"]);
    server.has_said("page on http://127.0.0.1:");
    let list = curl(&[&url(&server, "/generations")]);
    assert!(
        list.contains("href=\"/generation/1\"") && list.contains("href=\"/generation/2\"") && list.contains("current"),
        "{list}"
    );
    let second = curl(&[&url(&server, "/generation/2")]);
    assert!(second.contains("10.77.0.2 → 10.77.0.3"), "{second}");
    assert_eq!(["/generation/1", "/generation/3"].map(|path| status(&[&url(&server, path)])), ["200", "404"]);
}

#[test]
fn a_host_of_many_records_says_since_when_it_was_looked_at() {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    let state = folder.0.join("state");
    fs::create_dir_all(&state).unwrap();
    let (mac, host, now) = ("52:54:00:77:00:02", "boot", jiff::Timestamp::now().as_microsecond());
    let discovered = Event::ClientDiscovered { mac: mac.into(), host: Some(host.into()), arch: Some(7), is_ipxe: false };
    let (host, mac, address) = (host.to_owned(), mac.to_owned(), [10, 77, 0, 2].into());
    let granted = Event::ReservationGranted { host, mac, address };
    let first = now - 86_400_000_000;
    let at = |secs: i64, event| Record { at: first + secs * 1_000_000, event };
    // A boot, and then a system that says more than anybody reads.
    let lines = (10..5_000).map(|n| at(n, line("boot", "SSHD", "a line")));
    let records: Vec<Record> = [at(0, discovered.clone()), at(1, granted)].into_iter().chain(lines).collect();
    append(&state, &records).unwrap();
    let server = Server::start(&folder, &[]);
    server.has_said("page on http://127.0.0.1:");
    let page = curl(&[&url(&server, "/host/boot")]);
    assert!(page.contains("up after 10.000 s") && !page.contains("Looked at since"), "{page}");
    // Programs are found as they are written, and otherwise.
    let found = curl(&[&url(&server, "/audit?service=sshd&since=7d")]);
    assert!(found.contains("a line") && found.contains("<option value=\"monitor\">"), "{found}");
    // More boots than are read.
    append(&state, &(6_000..8_100).map(|n| at(n, discovered.clone())).collect::<Vec<_>>()).unwrap();
    let page = curl(&[&url(&server, "/host/boot")]);
    assert!(page.contains("Looked at since") && page.contains("pxelator audit boots boot"), "{page}");
}

#[test]
fn a_search_says_what_it_does_not_understand() {
    let (_folder, server) = served(SITE);
    for (query, said) in [
        ("grep=(", "The pattern cannot be read"),
        ("since=soon", "From: `soon` is no time"),
        ("until=2026-13-01", "Until: `2026-13-01` is no time"),
    ] {
        let page = curl(&["-g", &url(&server, &format!("/audit?{query}"))]);
        assert!(page.contains(said), "{query}: {page}");
    }
    for query in [
        "page=0",
        "page=99999999999",
        "page=x",
        "since=2026-11-25&until=2026-11-26T07:30&host=A0-36-9F-00-00-15",
        "%ff=1",
        "grep=%00",
    ] {
        assert_eq!(status(&[&url(&server, &format!("/audit?{query}"))]), "200", "{query}");
    }
}

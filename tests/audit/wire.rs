//! Lines as real programs send them, and what a kill leaves of them.

use std::fs;
use std::process::{Command, Stdio};

use pxelator::operate::audit::document::documents;
use pxelator::operate::audit::query::{Filter, query as ask};
use pxelator::operate::audit::segment::Place;

use super::{early_in_a_second, query, sender, site, texts};
use crate::harness::{Folder, Server, have, tool, until, until_true};

/// How many lines one test sends within a second.
const COUNT: usize = 133;
/// A busy machine may take longer for them; one of these times it does not.
const TRIES: usize = 5;

/// The documents that the spool's lines of a program make: id and count.
fn counts(folder: &Folder, program: &str) -> Vec<(String, usize)> {
    let mut records = Vec::new();
    let filter = Filter { service: Some(program.to_owned()), ..Filter::default() };
    let met = ask(&folder.0.join("state"), &filter, |entry| {
        records.push((Place { offset: records.len() as u64, ..Place::default() }, entry.clone()));
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(met.unwrap().damaged, 0);
    documents(records).iter().map(|document| (document.id.clone(), document.count())).collect()
}

/// All lines came. True where they came within one second, and so are one document.
fn all_came(folder: &Folder, program: &str) -> bool {
    let found = until("133 lines came", || Some(query(folder, &["--service", program])).filter(|all| all.len() >= COUNT));
    let wanted: Vec<String> = (1..=COUNT).map(|n| format!("line {n}")).collect();
    assert_eq!(texts(&found), wanted, "{program}");
    let counts = counts(folder, program);
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), COUNT, "{program}: {counts:?}");
    counts.len() == 1
}

/// Sends them early in a second, as a program of another name each time, until the machine lets them come within it.
fn in_one_second(folder: &Folder, program: &str, send: impl Fn(&str)) -> String {
    let names = (1..=TRIES).map(|n| format!("{program}-{n}"));
    let sent = names.into_iter().find(|name| {
        early_in_a_second();
        send(name);
        all_came(folder, name)
    });
    sent.unwrap_or_else(|| panic!("{program}: {COUNT} lines of one second were never one document"))
}

#[test]
fn a_hundred_and_thirty_three_lines_in_a_second_are_one_document() {
    if !have(&["logger"]) {
        return;
    }
    let folder = site("");
    let server = Server::start(&folder, &[]);
    let lines: String = (1..=COUNT).map(|n| format!("line {n}\n")).collect();
    fs::write(folder.0.join("lines"), lines).unwrap();
    let file = folder.0.join("lines").display().to_string();
    let port = server.port(514);
    let by_logger = |form: &str, program: &str| {
        let to = ["--server", "127.0.0.1", "--port", &port, "--udp", form, "-p", "daemon.info", "-t", program];
        tool("logger", &[&to[..], &["-f", &file]].concat());
    };
    let modern = in_one_second(&folder, "modern", |program| by_logger("--rfc5424", program));
    in_one_second(&folder, "classic", |program| by_logger("--rfc3164", program));
    let found = query(&folder, &["--service", &modern, "--grep", "line 7$"]);
    assert_eq!(
        (&found[0]["facility"], &found[0]["severity"], &found[0]["host"]),
        (&"daemon".into(), &"info".into(), &None::<&str>.into())
    );
    // By hand, from the address of a host.
    let socket = sender(&server, "127.0.0.9");
    let raw = in_one_second(&folder, "raw", |program| {
        let line = |n| format!("<13>Nov 25 07:30:00 elsewhere {program}[7]: line {n}");
        (1..=COUNT).for_each(|n| assert!(socket.send(line(n).as_bytes()).is_ok()));
    });
    let found = query(&folder, &["--service", &raw]);
    assert!(found.iter().all(|record| record["host"] == "pc" && record["named"] == "elsewhere" && record["pid"] == "7"));
    assert_eq!(query(&folder, &["--host", "pc", "--service", &raw]).len(), COUNT);
    let sent = query(&folder, &["--host", "pc"]).len();
    assert_eq!((sent % COUNT, sent / COUNT > 0), (0, true));
    assert_eq!(query(&folder, &["--host", "127.0.0.9", "--service", "syslog"]).len(), sent);
}

#[test]
fn busybox_sends_through_its_own_syslogd() {
    if !have(&["busybox", "unshare", "root"]) {
        return;
    }
    let folder = site("");
    let server = Server::start(&folder, &[]);
    // A /dev of its own, so that the machine's log is not disturbed.
    let script = format!(
        "mount -t tmpfs none /dev && busybox syslogd -n -R 127.0.0.1:{} & sleep 0.3; \
         until [ -S /dev/log ]; do sleep 0.1; done; \
         n=1; while [ $n -le {COUNT} ]; do busybox logger -t busy -p user.warn \"line $n\"; n=$((n+1)); done; read end; kill $!",
        server.port(514)
    );
    let mut busybox = Command::new("unshare").args(["-m", "sh", "-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    // Before the first one there is nothing to ask.
    until_true("the first one came", || folder.run(&["audit", "query", "--state", "state"]).code() == 0);
    let found = until("busybox's lines came", || Some(query(&folder, &["--service", "busy"])).filter(|all| all.len() >= COUNT));
    drop(busybox.stdin.take());
    busybox.wait().unwrap();
    let wanted: Vec<String> = (1..=COUNT).map(|n| format!("line {n}")).collect();
    assert_eq!((texts(&found), &found[0]["severity"]), (wanted.iter().map(String::as_str).collect(), &"warning".into()));
}

#[test]
fn a_kill_loses_no_line_that_was_read() {
    let folder = site("");
    let mut kept = 0;
    for round in 0..10 {
        let server = Server::start(&folder, &[]);
        let socket = sender(&server, "127.0.0.1");
        let mut sent = 0;
        for burst in 0..3 + round {
            (0..500).for_each(|_| {
                sent += 1;
                socket.send(format!("<13>flood: {round} {sent}").as_bytes()).unwrap();
            });
            if burst == 1 {
                // What can be asked for has been read.
                kept = query(&folder, &["--grep", &format!("flood: {round} ")]).len();
            }
        }
        server.kill();
        let found = query(&folder, &["--grep", &format!("flood: {round} ")]);
        let wanted: Vec<String> = (1..=found.len()).map(|n| format!("{round} {n}")).collect();
        assert_eq!(texts(&found), wanted, "round {round}: without a gap, and none twice");
        assert!(
            found.len() >= kept && found.len() <= sent,
            "round {round}: {kept} were there before the kill, {} after",
            found.len()
        );
    }
    // The last server finds all of it, and goes on behind it.
    let server = Server::start(&folder, &[]);
    sender(&server, "127.0.0.1").send(b"<13>flood: last").unwrap();
    until("the last line came", || query(&folder, &["--grep", "flood: last"]).pop());
}

#[test]
fn a_stop_keeps_or_counts_what_had_arrived() {
    if !have(&["root"]) {
        return; // a small socket drops some unseen
    }
    const SENT: usize = 10_000;
    let folder = site("");
    let server = Server::start(&folder, &[]);
    let socket = sender(&server, "127.0.0.1");
    // While it is held, all of it waits in the socket.
    server.signal("-STOP");
    (1..=SENT).for_each(|n| assert!(socket.send(format!("<13>stop: {n}").as_bytes()).is_ok()));
    server.signal("-TERM");
    server.signal("-CONT");
    server.wait_for("stopped");
    let kept = query(&folder, &["--service", "stop"]).len();
    let dropped: u64 = query(&folder, &["--grep", "^lines-dropped"]).iter().map(|record| record["count"].as_u64().unwrap()).sum();
    assert!(kept > SENT / 10 && kept + dropped as usize == SENT, "{kept} kept, {dropped} counted");
}

#[test]
fn what_comes_by_the_wire_does_nothing_to_a_terminal() {
    let folder = site("");
    let server = Server::start(&folder, &[]);
    let socket = sender(&server, "127.0.0.9");
    let long = [b"<13>long: ".as_slice(), &[b'x'; 20_000]].concat();
    for line in [b"<13>evil: \x1b[2J\xff\r\nnext \xe2\x80\xae\xc2\x9b".as_slice(), &long, b"", b"\0\n"] {
        socket.send(line).unwrap();
    }
    until("four lines came", || Some(query(&folder, &["--host", "pc"])).filter(|all| all.len() == 4));
    let text = folder.run(&["audit", "query", "--state", "state", "--host", "pc"]).ended(0).out();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with(" pc syslog user.notice evil: \\x1b[2J\\xff\\x0d\\x0anext \\u{202e}\\x9b"), "{text}");
    assert!(lines[1].contains("long: xxx") && lines[1].ends_with("xxx … (11808 bytes more were cut)"), "{}", lines[1].len());
    assert_eq!(lines.len(), 4);
    assert!(lines[2..].iter().all(|line| line.ends_with(" pc syslog user.notice ")), "{text}");
    let json = folder.run(&["audit", "query", "--state", "state", "--grep", "next", "--format", "jsonl"]).ended(0).out();
    assert!(json.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}') && json.contains("\\u202e\\u009b"), "{json}");
}

#[test]
fn a_damaged_line_is_left_out_and_told() {
    let folder = site("");
    let server = Server::start(&folder, &[]);
    let socket = sender(&server, "127.0.0.1");
    (1..=3).for_each(|n| assert!(socket.send(format!("<13>some: line {n}").as_bytes()).is_ok()));
    until("three lines came", || Some(query(&folder, &[])).filter(|all| all.len() == 3));
    drop(server);
    let spool = fs::read_dir(folder.0.join("state/audit")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read_to_string(&spool).unwrap();
    // One line was changed by hand, and a power cut left half of the last one.
    fs::write(&spool, whole.replace("line 2", "line 5").trim_end().trim_end_matches("3\"}")).unwrap();
    let _again = Server::start(&folder, &[]);
    sender(&_again, "127.0.0.1").send(b"<13>some: line 4").unwrap();
    until("the next line came", || query(&folder, &["--grep", "line 4"]).pop());
    let run = folder.run(&["audit", "query", "--state", "state", "--service", "some", "--format", "jsonl"]).ended(0);
    let left: Vec<serde_json::Value> = run.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(texts(&left), ["line 1", "line 4"]);
    assert_eq!(run.err(), "2 lines of the spool are damaged, by a crash or by hand, and left out\n");
}

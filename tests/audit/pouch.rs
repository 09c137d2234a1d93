//! A real server of CouchDB's protocol: away, back, and killed in the middle.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{lines_of, sender, site};
use crate::harness::{Folder, NPM, Server, have, tool, until, until_true};

struct Pouch {
    child: Child,
    port: u16,
}

impl Pouch {
    fn start(folder: &Folder, port: u16) -> Pouch {
        let home = folder.0.join("pouch");
        fs::create_dir_all(&home).unwrap();
        let child = Command::new(format!("{NPM}/pouchdb-server"))
            .args(["--port", &port.to_string(), "--dir", ".", "--no-stdout-logs"])
            .current_dir(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pouch = Pouch { child, port };
        until("pouchdb-server listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        pouch
    }

    fn documents(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/audit/_all_docs?include_docs=true", self.port);
        let answer: Value = serde_json::from_str(&tool("curl", &["-s", &url])).unwrap_or_default();
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        rows.into_iter().map(|row| row["doc"].clone()).collect()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Pouch {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

#[test]
fn a_sink_that_was_away_and_was_killed_has_each_line_once() {
    if !have(&["pouchdb-server", "curl"]) {
        return;
    }
    const ADDRESSES: usize = 50;
    // A port that nobody is given by chance while nothing listens there.
    let port = 11_000 + (std::process::id() % 900) as u16;
    let folder = site(&format!("audit {{ couchdb \"http://127.0.0.1:{port}/audit\" }}"));
    let server = Server::start(&folder, &[]);
    let sockets: Vec<_> = (1..=ADDRESSES).map(|n| sender(&server, &format!("127.0.0.{n}"))).collect();
    let mut sent = 0;
    let mut send = |count: usize| {
        for _ in 0..count {
            sent += 1;
            sockets[sent % ADDRESSES].send(format!("<13>t: line {sent}").as_bytes()).unwrap();
            // As fast as a busy segment, and not as a loop can.
            if sent % 100 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        sent
    };
    send(2000);
    server.wait_for("nobody listens there");
    send(2000);
    let pouch = Pouch::start(&folder, port);
    server.wait_for("is back after");
    // It dies as soon as it has some of what comes next, twice.
    let mut pouch = pouch;
    for _ in 0..2 {
        let before = pouch.documents().len();
        send(3000);
        until_true("some documents are there", || pouch.documents().len() > before);
        pouch.kill();
        send(500);
        pouch = Pouch::start(&folder, port);
    }
    let all = send(0);
    let wanted = (1..=all).map(|n| (format!("line {n}"), 1)).collect();
    until("each line is there once", || {
        let found = lines_of(&pouch.documents());
        assert!(found.values().all(|count| *count == 1), "a line is there twice");
        (found == wanted).then_some(())
    });
    // One source and second, one document.
    let mut seen = std::collections::BTreeSet::new();
    assert!(
        pouch.documents().iter().all(|document| seen.insert((document["source"].to_string(), document["second"].to_string())))
    );
}

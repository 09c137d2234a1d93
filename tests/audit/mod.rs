//! What happened: kept through kills and full disks, asked for, and brought to a CouchDB once and not twice.

mod asking;
mod boots;
mod couch;
mod disk;
mod fake;
mod pouch;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::harness::{Folder, Server};

/// A built site whose network is loopback, with more lines of its own.
fn site(more: &str) -> Folder {
    let folder = Folder::with(&format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"127.0.0.0/8\" server=\"127.0.0.1\" {{ host pc \"127.0.0.9\" \"52:54:00:00:00:09\" }}\n{more}\n"
    ));
    fs::remove_file(folder.0.join("assets.lock")).unwrap();
    folder.run(&["build"]).ended(0);
    folder
}

/// Whoever logs: a socket that has an address of its own, and sends to the server.
fn sender(server: &Server, from: &str) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.connect(format!("127.0.0.1:{}", server.port(514))).unwrap();
    socket
}

/// What `audit query` tells, one value a record.
fn query(folder: &Folder, args: &[&str]) -> Vec<Value> {
    let run = folder.run(&[&["audit", "query", "--state", "state", "--format", "jsonl"], args].concat());
    run.ended(0).out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["text"].as_str().unwrap()).collect()
}

/// A moment with most of its second to come: what is sent now comes within one.
fn early_in_a_second() {
    let part = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_millis();
    while part() > 300 {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All lines that documents hold, and how often; each document's count is that of its rows.
fn lines_of(documents: &[Value]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for document in documents {
        let rows = |name: &str| document[name].as_array().unwrap().clone();
        assert_eq!(document["count"], rows("lines").len() + rows("events").len(), "{document}");
        assert!(document["_id"].as_str().unwrap().starts_with(document["second"].as_str().unwrap()));
        for row in rows("lines") {
            let second = document["second"].as_str().unwrap().trim_end_matches('Z');
            assert!(row["at"].as_str().unwrap().starts_with(second), "{row} in {second}");
            *all.entry(row["text"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    all
}

//! A sink that refuses, is full of mistakes, or does not know us.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::fake::{Fake, Mood, State};
use super::{early_in_a_second, lines_of, query, sender, site};
use crate::harness::{Folder, PROGRAM, ROOT, Server, certificates, files, have, until, until_true};

fn sink(fake: &Fake, more: &str) -> String {
    format!("audit {{ couchdb \"http://127.0.0.1:{}/audit\"{more} }}", fake.port)
}

/// Lines from so many addresses in one second: as many documents.
fn send(server: &Server, addresses: std::ops::RangeInclusive<u8>) {
    early_in_a_second();
    addresses.for_each(|n| assert!(sender(server, &format!("127.0.0.{n}")).send(format!("<13>a: line {n}").as_bytes()).is_ok()));
}

/// What the documents shall hold: each of these lines once.
fn each_once(fake: &Fake, addresses: std::ops::RangeInclusive<u8>) {
    let wanted = addresses.map(|n| (format!("line {n}"), 1)).collect();
    until("each line is there once", || {
        let found = lines_of(&fake.documents());
        assert!(found.values().all(|count| *count == 1), "{found:?}");
        (found == wanted).then_some(())
    });
}

#[test]
fn a_sink_of_many_moods_has_each_line_once() {
    let moods = [
        Mood::Status(503),
        Mood::HalfTheRows,
        Mood::HalfTheAnswer,
        Mood::RowFails("internal_server_error"),
        Mood::RowFails("unauthorized"),
    ];
    let fake = Fake::start(State { moods: moods.to_vec(), ..State::default() });
    let folder = site(&sink(&fake, ""));
    let server = Server::start(&folder, &[]);
    send(&server, 1..=20);
    let told = server.wait_for("WARN audit");
    assert!(told.contains("answers 503, it is; trying again; nothing is lost"), "{told}");
    each_once(&fake, 1..=20);
    server.wait_for("is back after");
    assert!(fake.state.lock().unwrap().moods.is_empty(), "each mood was met");
    assert!(fake.documents().iter().any(|document| document["host"] == "pc"));
}

#[test]
fn too_much_at_once_goes_in_halves() {
    let fake = Fake::start(State { documents_max: Some(3), ..State::default() });
    let folder = site(&sink(&fake, ""));
    let server = Server::start(&folder, &[]);
    send(&server, 1..=20);
    each_once(&fake, 1..=20);
    let requests = fake.state.lock().unwrap().requests.clone();
    assert!(requests.iter().any(|count| *count > 3) && requests.iter().filter(|count| **count <= 3).count() >= 7, "{requests:?}");
}

#[test]
fn what_a_sink_never_takes_is_told_and_blocks_nothing() {
    let fake = Fake::start(State { forbidden: Some("/127.0.0.9"), ..State::default() });
    let folder = site(&sink(&fake, ""));
    let server = Server::start(&folder, &[]);
    send(&server, 8..=10);
    let told = server.wait_for("refuses document");
    assert!(told.contains("/127.0.0.9 (forbidden: no such sources here); its records stay in the spool"), "{told}");
    until_true("the others are there", || lines_of(&fake.documents()).len() == 2);
    let refused =
        until("the refusal is recorded", || Some(query(&folder, &["--service", "audit"])).filter(|all| !all.is_empty()));
    assert_eq!((&refused[0]["event"], refused.len()), (&"document-refused".into(), 1));
    assert_eq!(query(&folder, &["--host", "pc", "--service", "syslog"]).len(), 1, "the spool has it still");
    // The news of it goes there too.
    until_true("it is news", || fake.documents().iter().any(|document| document["source"] == "server"));
}

/// A sink that has twenty lines, and the site whose server was killed after that.
fn delivered() -> (Fake, Folder) {
    let fake = Fake::start(State::default());
    let folder = site(&sink(&fake, ""));
    let server = Server::start(&folder, &[]);
    send(&server, 1..=20);
    each_once(&fake, 1..=20);
    // It moves when the sink has answered, which is after the lines are there.
    until("the cursor has moved", || fs::read_to_string(cursor(&folder)?).ok().filter(|text| !text.contains("\"offset\":0")));
    server.kill();
    (fake, folder)
}

fn cursor(folder: &Folder) -> Option<PathBuf> {
    let audit = folder.0.join("state/audit");
    files(&audit).into_keys().find(|path| path.ends_with(".cursor")).map(|path| audit.join(path))
}

/// Takes the cursor away, so that everything is sent again; where it was.
fn without_cursor(folder: &Folder) -> PathBuf {
    let cursor = cursor(folder).unwrap();
    fs::remove_file(&cursor).unwrap();
    cursor
}

#[test]
fn joined_documents_that_are_too_much_at_once_go_in_halves() {
    let (fake, folder) = delivered();
    without_cursor(&folder);
    let mut state = fake.state.lock().unwrap();
    for (_, document) in state.documents.iter_mut().rev().take(2) {
        (document["lines"], document["count"]) = (json!([]), json!(0));
    }
    state.joined_max = Some(1);
    state.requests.clear();
    drop(state);
    let _server = Server::start(&folder, &[]);
    each_once(&fake, 1..=20);
    let requests = fake.state.lock().unwrap().requests.clone();
    assert_eq!(requests.iter().filter(|count| **count > 2).count(), 1, "what was done already is not sent again: {requests:?}");
}

#[test]
fn a_kill_between_delivery_and_cursor_sends_nothing_twice() {
    let (fake, folder) = delivered();
    // As if it had been killed before the cursor was written.
    let cursor = without_cursor(&folder);
    let before = fake.documents();
    let _server = Server::start(&folder, &[]);
    until("the cursor is written again", || fs::read_to_string(&cursor).ok().filter(|text| !text.contains("\"offset\":0")));
    let after = fake.documents();
    assert!(before.iter().all(|document| after.contains(document)), "no revision is new");
    each_once(&fake, 1..=20);
}

#[test]
fn a_sink_whose_authority_is_ones_own_is_trusted_when_the_machine_does() {
    if !have(&["openssl"]) {
        return;
    }
    let folder = site("");
    certificates(&folder.0);
    let path = |name: &str| folder.0.join(name);
    let fake = Fake::start_tls(
        State::default(),
        &(fs::read_to_string(path("own")).unwrap() + &fs::read_to_string(path("own.key")).unwrap()),
    );
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    fs::write(folder.0.join("site.kdl"), text + &sink(&fake, "").replace("http:", "https:") + "\n").unwrap();
    folder.run(&["build"]).ended(0);
    // A file of authorities of its own, in which ours is not yet.
    let trusted = path("trusted");
    fs::write(&trusted, "").unwrap();
    let offset = 31_500 + (std::process::id() % 500) as u16;
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--state", "state", "--port-offset", &offset.to_string()]).current_dir(&folder.0);
    command.env("SSL_CERT_FILE", &trusted);
    let server = Server::spawn(command, offset);
    send(&server, 1..=3);
    let told = server.wait_for("WARN audit");
    let manual = fs::read_to_string(format!("{ROOT}/docs/audit.md")).unwrap();
    assert!(manual.contains(&as_in_the_manual(&told, &fake, "")), "docs/audit.md has not: {told}");
    fs::copy(path("ca"), &trusted).unwrap();
    server.wait_for("is back after");
    each_once(&fake, 1..=3);
}

#[test]
fn a_spool_that_began_anew_goes_to_the_sink_all_the_same() {
    let (fake, folder) = delivered();
    // The state folder of a backup: the cursor is beyond what there is.
    for entry in fs::read_dir(folder.0.join("state/audit")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|end| end == "jsonl") {
            fs::write(entry.path(), "").unwrap();
        }
    }
    let server = Server::start(&folder, &[]);
    let told = server.has_said("the spool is not the one that the cursor");
    assert!(told.contains("gets all of it again (it keeps each record once)"), "{told}");
    send(&server, 21..=21);
    each_once(&fake, 1..=21);
}

/// A message of the log, with the changing parts as the manual writes them.
fn as_in_the_manual(line: &str, fake: &Fake, file: &str) -> String {
    let message = line.split_once("audit: ").unwrap().1;
    let message = message.replace(&format!("127.0.0.1:{}", fake.port), "10.77.0.51:5984");
    if file.is_empty() { message } else { message.replace(file, "/run/secrets/couchdb") }
}

#[test]
fn the_first_mistakes_with_a_sink_are_told_as_the_manual_shows_them() {
    let manual = fs::read_to_string(format!("{ROOT}/docs/audit.md")).unwrap();
    // cHhlbGF0b3I6cmlnaHQ= is pxelator:right.
    let fake = Fake::start(State { login: Some("cHhlbGF0b3I6cmlnaHQ="), ..State::default() });
    let folder = site("");
    let file = folder.0.join("password").display().to_string();
    let login = format!(" user=pxelator password=(secret)couchdb }}\nsecret couchdb file=\"{file}\" //");
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap();
    fs::write(folder.0.join("site.kdl"), text + &sink(&fake, &login) + "\n").unwrap();
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    send(&server, 1..=3);
    let mut told = vec![server.wait_for("WARN audit")];
    fs::write(&file, "wrong\n").unwrap();
    told.push(server.wait_for("(401)"));
    fs::write(&file, "right\n").unwrap();
    server.wait_for("is back after");
    each_once(&fake, 1..=3);
    drop(server);
    // Away.
    let there = format!("127.0.0.1:{}", fake.port);
    let text = fs::read_to_string(folder.0.join("site.kdl")).unwrap().replace(&there, "127.0.0.1:1");
    fs::write(folder.0.join("site.kdl"), text).unwrap();
    folder.run(&["build"]).ended(0);
    let server = Server::start(&folder, &[]);
    told.push(server.has_said("nobody listens").replace("127.0.0.1:1/", &format!("{there}/")));
    for line in told {
        let message = as_in_the_manual(&line, &fake, &file);
        assert!(manual.contains(&message), "docs/audit.md has not: {message}");
    }
}

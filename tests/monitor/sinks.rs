//! A real mail server and a webhook: what a mail holds, what goes wrong, and what is told of it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::{Exim, Hook, port};
use crate::harness::{Folder, ROOT, Server, have, until, until_true};

const NETWORK: &str = "network lan \"127.0.0.0/8\" server=\"127.0.0.1\" { host nas \"127.0.0.9\" \"00:11:32:00:00:33\" }\n";

fn site(checks: &str, alerts: &str) -> Folder {
    let folder = Folder::new();
    let secrets = ["mail", "hook"].map(|name| {
        fs::write(folder.0.join(name), "wrong\n").unwrap();
        format!("secret {name} file=\"{}\"\n", folder.0.join(name).display())
    });
    let used: String =
        secrets.into_iter().filter(|line| alerts.contains(&format!("(secret){}", line.split(' ').nth(1).unwrap()))).collect();
    fs::write(
        folder.0.join("site.kdl"),
        format!("site lab domain=\"lab.example\"\n{NETWORK}{checks}alerts {{\n{alerts}\n}}\n{used}"),
    )
    .unwrap();
    folder.run(&["build"]).ended(0);
    folder
}

/// A line of the program, as the manual shows it.
fn is_in_the_manual(folder: &Folder, line: &str, port: u16, wanted: &str) {
    let own = folder.0.display().to_string();
    let told = line.replace(&format!("127.0.0.1:{port}"), "10.77.0.51:25").replace(&own, "/run/secrets");
    assert_eq!(told.trim_end(), wanted);
    let manual = fs::read_to_string(Path::new(ROOT).join("docs/monitoring.md")).unwrap();
    assert!(manual.contains(&format!("\n{wanted}\n")), "docs/monitoring.md does not show: {wanted}");
}

#[test]
fn a_mail_has_the_headers_that_mailers_want() {
    if !have(&["root", "exim4"]) {
        return;
    }
    let (mail, tcp) = (port(), port());
    let folder = site(
        &format!("check tcp {tcp} on=\"host:nas\" every=\"1s\" fails=1\n"),
        &format!(
            "mail \"admin@lab.example\" through=\"127.0.0.1:{mail}\" from=\"boot@lab.example\" user=pxelator password=(secret)mail"
        ),
    );
    fs::write(folder.0.join("mail"), "right\n").unwrap();
    let mut exim = Exim::new(&folder, None, mail);
    exim.start();
    let test = folder.run(&["alerts", "test"]).ended(0);
    assert_eq!(test.out(), "mail admin@lab.example: it took the test message\n");
    until_true("the test comes", || exim.mails("admin").len() == 1);
    let _server = Server::start(&folder, &[]);
    until_true("the alert comes", || exim.mails("admin").len() == 2);
    let _listener = TcpListener::bind(("127.0.0.9", tcp)).unwrap();
    until_true("its end comes", || exim.mails("admin").len() == 3);
    let mails = exim.mails("admin");
    assert!(mails[0].contains("Subject: [lab] a test: whoever reads this is told of alerts\n"), "{}", mails[0]);
    let header = |mail: &str, name: &str| {
        mail.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {mail}")).to_owned()
    };
    for mail in &mails {
        assert_eq!(header(mail, "From: ").replace('"', ""), "pxelator <boot@lab.example>");
        assert_eq!(
            (header(mail, "To: ").as_str(), header(mail, "Auto-Submitted: ").as_str()),
            ("admin@lab.example", "auto-generated")
        );
        assert!(header(mail, "Date: ").ends_with("+0000") && header(mail, "Content-Type: ").contains("utf-8"));
    }
    let (fired, resolved) = (&mails[1], &mails[2]);
    assert!(header(fired, "Message-ID: ").ends_with(".fired@lab.example>"), "{fired}");
    assert_eq!(header(resolved, "In-Reply-To: "), header(fired, "Message-ID: "));
    assert_eq!(header(resolved, "References: "), header(fired, "Message-ID: "));
    assert_eq!(header(fired, "Subject: "), format!("[lab] nas does not answer (tcp {tcp})"));
    assert!(
        fired.contains(&format!("Why:   nothing listens on port {tcp}\n")) && fired.contains("  pxelator audit boots nas\n"),
        "{fired}"
    );
    assert!(resolved.contains("Why it is over:  it answers again\n"), "{resolved}");
    let log = fs::read_to_string(folder.0.join("exim/log/mainlog")).unwrap();
    assert!(log.contains("A=plain:pxelator"), "it logged in: {log}");
}

#[test]
fn a_wrong_password_a_refused_mailbox_and_a_dead_server_are_told_with_their_mend() {
    if !have(&["root", "exim4"]) {
        return;
    }
    let (mail, dead) = (port(), port());
    let login = "user=pxelator password=(secret)mail";
    let folder = site(
        "check ping on=\"host:nas\"\n",
        &format!(
            "mail \"admin@lab.example\" through=\"127.0.0.1:{mail}\" {login}\nmail \"nobody@lab.example\" through=\"127.0.0.1:{mail}\"\n\
             mail \"secured@lab.example\" through=\"127.0.0.1:{mail}\"\nwebhook \"http://127.0.0.1:{dead}/hook\" token=(secret)hook"
        ),
    );
    let mut exim = Exim::new(&folder, None, mail);
    exim.start();
    let test = || folder.run(&["alerts", "test"]);
    let said = test().ended(1).err();
    let lines: Vec<&str> = said.lines().collect();
    is_in_the_manual(
        &folder,
        lines[0],
        mail,
        "mail admin@lab.example: 10.77.0.51:25 does not know user `pxelator` with this password (535): write the right one into /run/secrets/mail; it is read again by itself",
    );
    is_in_the_manual(
        &folder,
        lines[1],
        mail,
        "mail nobody@lab.example: 10.77.0.51:25 refuses the mail from pxelator@lab.example to nobody@lab.example (550, no such mailbox here): correct the mailboxes in the site, or let the mail server take it",
    );
    assert!(lines[2].ends_with("wants a user and a password (550): name them in the site, user=… password=(secret)…"), "{said}");
    let hook = lines[3].replace(&format!("127.0.0.1:{dead}"), "10.77.0.51:8065");
    is_in_the_manual(
        &folder,
        &hook,
        dead,
        "webhook http://10.77.0.51:8065/hook: nobody listens there: start what shall get alerts, or correct the URL in the site",
    );
    // A token that is refused, and one that is taken.
    let hook = Hook::listen(TcpListener::bind(("127.0.0.1", dead)).unwrap());
    *hook.status.lock().unwrap() = "401 Unauthorized";
    assert!(test().ended(1).err().contains("does not take the token (401): write the right one into "));
    *hook.status.lock().unwrap() = "204 No Content";
    assert!(test().ended(1).out().contains(&format!("webhook http://127.0.0.1:{dead}/hook: it took the test message")));
    let post = &hook.posts()[0];
    assert!(
        post.head.contains("authorization: bearer wrong\r\n") && post.head.contains("idempotency-key: test-"),
        "{}",
        post.head
    );
    fs::remove_file(folder.0.join("mail")).unwrap();
    exim.stop();
    let said = test().ended(1).err();
    assert!(said.contains("/mail: there is no such file: write the secret into it"), "{said}");
    is_in_the_manual(
        &folder,
        said.lines().nth(1).unwrap(),
        mail,
        "mail nobody@lab.example: 10.77.0.51:25: nobody listens there: start the mail server, or correct through= in the site",
    );
    assert!(!said.contains("wrong"), "no secret is told: {said}");
}

#[test]
fn a_message_that_is_refused_keeps_no_other_waiting() {
    let (nas, port) = (port(), port());
    let folder = Folder::with(&format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"127.0.0.0/8\" server=\"127.0.0.1\" {{\n host nas \"127.0.0.9\" \"00:11:32:00:00:33\"\n host odd \"127.0.0.8\" \"00:11:32:00:00:34\"\n}}\ncheck tcp {nas} on=\"host:nas, host:odd\" every=\"1s\" fails=1\nalerts {{ webhook \"http://127.0.0.1:{port}/hook\" }}\n"
    ));
    folder.run(&["build"]).ended(0);
    let hook = Hook::listen(TcpListener::bind(("127.0.0.1", port)).unwrap());
    *hook.refused.lock().unwrap() = Some(("odd", "422 Unprocessable Content"));
    let odd = TcpListener::bind(("127.0.0.8", nas)).unwrap();
    let fine = TcpListener::bind(("127.0.0.9", nas)).unwrap();
    let server = Server::start(&folder, &[]);
    until("both are up", || {
        let told = folder.run(&["status", "--state", "state"]).out();
        told.contains("2 up").then_some(())
    });
    drop(odd);
    server.wait_for("it answers 422: look there why; the news of odd (");
    drop(fine);
    until_true("the other one is told", || hook.told() == [format!("fired nas tcp {nas}")]);
    let told = folder.run(&["alerts", "--state", "state"]).out();
    assert!(told.contains("  1 message since ") && told.contains(": it answers 422: look there why\n"), "{told}");
    *hook.refused.lock().unwrap() = None;
    until_true("the first one is told at last", || hook.told().contains(&format!("fired odd tcp {nas}")));
    until("nothing waits", || {
        Some(folder.run(&["alerts", "--state", "state"]).out()).filter(|text| !text.contains("not told yet"))
    });
}

#[test]
fn a_message_that_is_too_old_is_tried_once_and_given_up() {
    let (tcp, port) = (port(), port());
    let folder = site(
        &format!("check tcp {tcp} on=\"host:nas\" every=\"1s\" fails=1\n"),
        &format!("webhook \"http://127.0.0.1:{port}/hook\""),
    );
    let server = Server::start(&folder, &[]);
    server.wait_for("nobody listens there: start what shall get alerts");
    server.kill();
    // Eight days later by its own word, as after a boot server that was away.
    let alerts = folder.0.join("state/alerts");
    let waiting = || {
        fs::read_dir(&alerts)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|end| end == "json"))
    };
    let path = waiting().unwrap();
    let mut message: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    message["at"] = (message["at"].as_i64().unwrap() - 8 * 86_400).into();
    let text = message.to_string();
    fs::write(&path, &text).unwrap();
    let hook = Hook::listen(TcpListener::bind(("127.0.0.1", port)).unwrap());
    let server = Server::start(&folder, &[]);
    until_true("it is told all the same", || hook.told() == [format!("fired nas tcp {tcp}")]);
    server.kill();
    *hook.status.lock().unwrap() = "503 Service Unavailable";
    fs::write(&path, &text).unwrap();
    let _server = Server::start(&folder, &[]);
    until_true("it is given up after a try", || waiting().is_none());
    let events = until("the audit has it", || {
        let events = folder.run(&["audit", "query", "--state", "state", "--service", "monitor"]).ended(0).out();
        Some(events).filter(|events| events.contains("alert-undelivered"))
    });
    assert!(events.contains("it waited for 7 days: it answers 503"), "{events}");
}

#[test]
fn what_waits_is_shown_with_its_reason_and_goes_when_the_sink_is_mended() {
    let (tcp, port) = (port(), port());
    let folder = site(
        &format!("check tcp {tcp} on=\"host:nas\" every=\"1s\" fails=1\n"),
        &format!("webhook \"http://127.0.0.1:{port}/hook\""),
    );
    let server = Server::start(&folder, &[]);
    server.wait_for("nobody listens there: start what shall get alerts");
    let told = until("the alert waits", || {
        Some(folder.run(&["alerts", "--state", "state"]).out()).filter(|text| text.contains("not told yet"))
    });
    assert!(told.starts_with("1 open, as of ") && told.contains(&format!("  nas (tcp {tcp})  since ")), "{told}");
    assert!(told.contains(&format!("  webhook http://127.0.0.1:{port}/hook  1 message since ")), "{told}");
    server.kill();
    let hook = Hook::listen(TcpListener::bind(("127.0.0.1", port)).unwrap());
    let _server = Server::start(&folder, &[]);
    until_true("it is told", || hook.told() == [format!("fired nas tcp {tcp}")]);
    let told = until("nothing waits", || {
        Some(folder.run(&["alerts", "--state", "state"]).out()).filter(|text| !text.contains("not told yet"))
    });
    assert!(told.starts_with("1 open"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&folder.run(&["alerts", "--state", "state", "--format", "json"]).ended(0).out()).unwrap();
    assert_eq!((&json["alerts"][0]["host"], json["waiting"].as_array().map(Vec::len)), (&"nas".into(), Some(0)));
    let nowhere = folder.run(&["alerts", "--state", "elsewhere"]).ended(2).err();
    assert!(
        nowhere.contains("there is no elsewhere/monitor.json: give the folder that `pxelator serve --state` has"),
        "{nowhere}"
    );
}

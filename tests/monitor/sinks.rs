//! A real mail server and a webhook: what a mail holds, what goes wrong, and what is told of it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::{Exim, Hook, port, until};
use crate::harness::{Folder, ROOT, Server, have};

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
    until("the test comes", || (exim.mails("admin").len() == 1).then_some(()));
    let _server = Server::start(&folder, &[]);
    until("the alert comes", || (exim.mails("admin").len() == 2).then_some(()));
    let _listener = TcpListener::bind(("127.0.0.9", tcp)).unwrap();
    until("its end comes", || (exim.mails("admin").len() == 3).then_some(()));
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
    assert!(said.contains("/mail: the site's secret lies here, and there is no such file"), "{said}");
    is_in_the_manual(
        &folder,
        said.lines().nth(1).unwrap(),
        mail,
        "mail nobody@lab.example: 10.77.0.51:25: nobody listens there: start the mail server, or correct through= in the site",
    );
    assert!(!said.contains("wrong"), "no secret is told: {said}");
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
    until("it is told", || (hook.told() == [format!("fired nas tcp {tcp}")]).then_some(()));
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

//! Mail over TLS to a real server: from the first byte, and when it is asked for.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Exim, port};
use crate::harness::{Folder, PROGRAM, Run, certificates, have, until_true};

/// `alerts test` of a site with these lines, where these authorities are trusted.
fn test(folder: &Folder, trusted: &Path, lines: &str) -> Run {
    let secret = format!("secret mail file=\"{}\"", folder.0.join("password").display());
    let network = "network lan \"127.0.0.0/8\" server=\"127.0.0.1\" { host nas \"127.0.0.9\" \"00:11:32:00:00:33\" }";
    let site =
        format!("site lab domain=\"lab.example\"\n{network}\ncheck ping on=\"host:nas\"\nalerts {{\n{lines}\n}}\n{secret}\n");
    fs::write(folder.0.join("site.kdl"), site).unwrap();
    folder.run(&["build"]).ended(0);
    let mut command = Command::new(PROGRAM);
    Run(command.args(["alerts", "test"]).current_dir(&folder.0).env("SSL_CERT_FILE", trusted).output().unwrap())
}

#[test]
fn a_mail_goes_over_tls_to_whom_the_machine_trusts_and_to_nobody_else() {
    if !have(&["root", "exim4", "openssl"]) {
        return;
    }
    let (folder, plain, at_once) = (Folder::new(), port(), port());
    certificates(&folder.0);
    fs::write(folder.0.join("password"), "right\n").unwrap();
    let (ca, none) = (folder.0.join("ca"), folder.0.join("none"));
    fs::write(&none, "").unwrap();
    let mail = |port: u16, tls: &str| {
        format!("mail \"admin@lab.example\" through=\"127.0.0.1:{port}\" tls={tls} user=pxelator password=(secret)mail")
    };
    let mut exim = Exim::new(&folder, None, plain);
    exim.start();
    let said = test(&folder, &ca, &mail(plain, "starttls")).ended(1).err();
    assert!(said.contains(&format!("127.0.0.1:{plain} cannot begin TLS: write tls=none, or another port")), "{said}");
    exim.stop();
    exim.knows_tls(&folder.0, at_once);
    exim.start();
    for (port, tls) in [(plain, "starttls"), (at_once, "tls")] {
        let said = test(&folder, &none, &mail(port, tls)).ended(1).err();
        assert!(
            said.contains(&format!("127.0.0.1:{port}: nobody whom this machine trusts has signed its certificate")),
            "{tls}: {said}"
        );
        let said = test(&folder, &ca, &mail(port, tls).replace("127.0.0.1", "localhost")).ended(1).err();
        assert!(said.contains(&format!("localhost:{port}: its certificate is for another name")), "{tls}, another name: {said}");
        test(&folder, &ca, &mail(port, tls)).ended(0);
    }
    until_true("both mails come", || exim.mails("admin").len() == 2);
    let log = fs::read_to_string(folder.0.join("exim/log/mainlog")).unwrap();
    let taken = log.lines().filter(|line| line.contains(" <= ")).collect::<Vec<_>>();
    assert!(taken.len() == 2 && taken.iter().all(|line| line.contains(" X=TLS") && line.contains(" A=plain:pxelator")), "{log}");
    // The two forms taken for each other.
    let said = test(&folder, &ca, &mail(plain, "tls")).ended(1).err();
    assert!(said.ends_with("does not begin with TLS: write tls=starttls or tls=none, or another port\n"), "{said}");
    let said = test(&folder, &ca, &mail(at_once, "starttls")).ended(1).err();
    assert!(said.ends_with("whether a firewall is between, and whether it waits for TLS (tls=tls)\n"), "{said}");
}

//! Deploys over ssh: a real sshd in a namespace, and every way in which it says no.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use super::Boot;
use crate::harness::{PROGRAM, ROOT, Run, Server, files, have, tool, until_true};
use crate::network::Segment;

const NEEDS: &[&str] = &["root", "ip", "ssh", "sshd", "ssh-keygen", "dig"];

/// A boot server that is another machine: a namespace with an sshd of its own.
struct Away {
    boot: Boot,
    segment: Segment,
    sshd: Child,
}

impl Away {
    fn new(name: &str) -> Away {
        let (boot, segment) = (Boot::new(), Segment::new(name, "10.80.0.2/22"));
        tool("ip", &["-n", &segment.client, "addr", "add", "10.80.0.3/22", "dev", "v1"]);
        for key in ["host", "own", "other"] {
            tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &boot.path(key)]);
        }
        let key = fs::read_to_string(boot.path("host.pub")).unwrap();
        fs::write(boot.path("known"), format!("10.80.0.2 {key}")).unwrap();
        fs::write(boot.path("empty"), "").unwrap();
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            boot.path("host"),
            boot.path("own.pub")
        );
        fs::write(boot.path("sshd_config"), config).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let sshd = Command::new("ip")
            .args(["netns", "exec", &segment.server, "/usr/sbin/sshd", "-D", "-e", "-f", &boot.path("sshd_config")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let away = Away { boot, segment, sshd };
        let keys = || away.on_client(&["sh", "-c", "ssh-keyscan -T 1 10.80.0.2 2>/dev/null"]).out();
        until_true("sshd answers", || keys().contains("ssh-ed25519"));
        away
    }

    fn command(&self, space: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space]).args(args).current_dir(&self.boot.folder.0).env_remove("SSH_AUTH_SOCK");
        command
    }

    fn on_client(&self, args: &[&str]) -> Run {
        Run(self.command(&self.segment.client, args).output().unwrap())
    }

    /// Options of ssh: a key, the hosts that are known, and nothing of whoever runs the test.
    fn options(&self, key: &str, known: &str) -> Vec<String> {
        let files = [format!("IdentityFile={}", self.boot.path(key)), format!("UserKnownHostsFile={}", self.boot.path(known))];
        let fixed = ["IdentitiesOnly=yes", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"].map(str::to_owned);
        files.into_iter().chain(fixed).flat_map(|option| ["--ssh-option".to_owned(), option]).collect()
    }

    fn args(&self, command: &[&str], more: &[&str]) -> Vec<String> {
        let store = format!("root@10.80.0.2:{}", self.boot.path("store"));
        let mut args: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        args.extend([store, "--state".into(), self.boot.path("state")]);
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }

    fn ask(&self, command: &[&str], key: &str, known: &str, more: &[&str]) -> Run {
        let args = [vec![PROGRAM.to_owned()], self.args(command, more), self.options(key, known)].concat();
        self.on_client(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn deploy(&self, more: &[&str]) -> Run {
        self.ask(&["deploy"], "own", "known", &[&["--remote", PROGRAM], more].concat())
    }

    fn serve(&self) -> Server {
        let (out, state) = (self.boot.path("store/current/out"), self.boot.path("state"));
        Server::spawn(self.command(&self.segment.server, &[PROGRAM, "serve", "--out", &out, "--state", &state]), 0)
    }

    fn answered(&self) -> String {
        self.on_client(&["dig", "@10.80.0.2", "+short", "+tries=1", "pc.lab.example"]).out().trim().to_owned()
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let _gone_already = self.sshd.kill();
        let _gone_already = self.sshd.wait();
    }
}

#[test]
fn a_generation_goes_over_ssh_and_comes_back() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("e");
    let boot = &away.boot;
    boot.build(1);
    let dry = away.deploy(&["--dry-run"]).ended(0);
    assert!(dry.out().contains("switch current to 1") && !boot.folder.0.join("store").exists(), "{}", dry.out());
    away.deploy(&[]).ended(0);
    assert_eq!(files(&boot.folder.0.join("out")), files(&boot.folder.0.join("store/current/out")));
    let _server = away.serve();
    boot.build(2);
    let run = away.deploy(&[]).ended(0);
    assert!(run.err().contains("is current as 2, healthy"), "{}", run.err());
    assert_eq!(away.answered(), "10.80.0.12");
    let back = away.ask(&["rollback", "previous"], "own", "known", &["--remote", PROGRAM]).ended(0);
    assert!(back.out().contains("10.80.0.11") && back.err().contains("is current as 3, healthy"), "{}", back.err());
    assert_eq!(away.answered(), "10.80.0.11");
    let list = away.ask(&["generations"], "own", "known", &["--remote", PROGRAM]).ended(0).out();
    assert!(list.lines().last().unwrap().ends_with("current, confirmed, back to 1"), "{list}");
    boot.build(1);
    assert!(away.deploy(&[]).ended(0).err().contains("is current already, as 3"));
    fs::write(boot.folder.0.join("mine"), "").unwrap();
    let folder = format!("root@10.80.0.2:{}", boot.path(""));
    let args =
        [vec![PROGRAM.to_owned(), "deploy".into(), folder, "--remote".into(), PROGRAM.into()], away.options("own", "known")]
            .concat();
    let wrong = away.on_client(&args.iter().map(String::as_str).collect::<Vec<_>>()).ended(2);
    assert!(
        wrong.err().starts_with("error: root@10.80.0.2: ") && wrong.err().contains("is no store of generations"),
        "{}",
        wrong.err()
    );
}

#[test]
fn whoever_says_no_is_named_with_the_mend() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("f");
    let boot = &away.boot;
    boot.build(1);
    let said = |command: &[&str], key: &str, known: &str, more: &[&str]| away.ask(command, key, known, more).ended(2).err();
    assert_eq!(
        said(&["deploy"], "other", "known", &[]),
        "error: root@10.80.0.2 does not let you in (root@10.80.0.2: Permission denied (publickey).): try `ssh root@10.80.0.2 true`; name another user with USER@HOST, or load your key with ssh-add\n"
    );
    assert_eq!(
        said(&["deploy"], "own", "empty", &[]),
        "error: root@10.80.0.2 is not known to this machine, or is not the machine that it was (Host key verification failed.): compare its key, and log in once with `ssh root@10.80.0.2`\n"
    );
    assert_eq!(
        said(&["deploy"], "own", "known", &["--ssh-option", "Port=2222"]),
        "error: root@10.80.0.2 cannot be reached (ssh: connect to host 10.80.0.2 port 2222: Connection refused): read its name again, and see that it is up\n"
    );
    assert_eq!(
        said(&["generations"], "own", "known", &["--remote", "/nowhere/pxelator"]),
        "error: there is no `/nowhere/pxelator` on root@10.80.0.2: install pxelator there, or name it with --remote PATH\n"
    );
    let program = |name: &str, text: &str| {
        fs::write(boot.path(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(boot.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        boot.path(name)
    };
    // The manual shows what was said here.
    let page = fs::read_to_string(format!("{ROOT}/docs/deploy.md")).unwrap();
    for (key, known, more) in
        [("other", "known", [].as_slice()), ("own", "empty", &[]), ("own", "known", &["--remote", "/nowhere/pxelator"])]
    {
        assert!(page.contains(&said(&["deploy"], key, known, more)), "docs/deploy.md is stale");
    }
    let newer = program("newer", "echo '{\"pxelator\":\"9.1.0\",\"protocol\":99}'; cat >/dev/null");
    assert_eq!(
        said(&["deploy"], "own", "known", &["--remote", &newer]),
        format!(
            "error: pxelator on root@10.80.0.2 is 9.1.0, and this is {}, which speaks otherwise: install the same version on both\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    let other = program("other-program", "echo 'Welcome to boot'; echo 'unrecognized subcommand' >&2; exit 2");
    assert!(
        said(&["deploy"], "own", "known", &["--remote", &other])
            .contains("did not answer as pxelator does (unrecognized subcommand)")
    );
    assert!(!boot.folder.0.join("store").exists(), "nothing is half done");
    // A login script that greets does no harm.
    let polite = program("polite", &format!("echo 'Welcome to boot'; exec {PROGRAM} \"$@\""));
    away.ask(&["deploy"], "own", "known", &["--remote", &polite]).ended(0);
    assert_eq!(boot.current(), "generations/1");
}

#[test]
fn whoever_never_greets_is_not_waited_for() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("k");
    away.boot.build(1);
    // One says nothing, one closes its output and stays, one prints for ever.
    let (away, far) = (&away, ["sleep 60 #", "exec >&-; sleep 60 #", "yes #"]);
    std::thread::scope(|scope| {
        let runs = far
            .map(|far| scope.spawn(move || (far, away.ask(&["generations"], "own", "known", &["--remote", far]).ended(2).err())));
        for run in runs {
            let (far, said) = run.join().unwrap();
            let told = if far.starts_with("yes") {
                "did not answer as pxelator does (y)"
            } else {
                "did not greet within 30 s: see that"
            };
            assert!(said.starts_with(&format!("error: `{far}` on root@10.80.0.2 {told}")), "{said}");
        }
    });
}

#[test]
fn a_connection_that_breaks_leaves_nothing_half_done() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("g");
    let boot = &away.boot;
    boot.build(1);
    away.deploy(&[]).ended(0);
    let server = away.serve();
    // Twice the deploy loses its other end while the server is waited for: once all is well in the end.
    for (number, wakes) in [(2, true), (3, false)] {
        boot.build(number);
        server.signal("-STOP");
        let args = [
            vec![PROGRAM.to_owned()],
            away.args(&["deploy"], &["--remote", PROGRAM, "--patience", if wakes { "20s" } else { "3s" }]),
            away.options("own", "known"),
        ]
        .concat();
        let mut deploy =
            away.command(&away.segment.client, &args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
        until_true("the switch", || boot.current() == format!("generations/{number}"));
        deploy.kill().unwrap();
        deploy.wait().unwrap();
        if wakes {
            server.signal("-CONT");
            until_true("the confirmation", || boot.history().contains(&format!("confirmed {number}")));
        } else {
            until_true("the way back", || boot.history().contains(&"way-back 2".to_owned()));
            server.signal("-CONT");
        }
    }
    assert_eq!(boot.history(), ["deployed 1", "deployed 2", "confirmed 2", "deployed 3", "failed 3", "way-back 2"]);
    until_true("the old answer", || away.answered() == "10.80.0.12");
    assert_eq!(boot.states(), ["1", "2 current confirmed", "3 failed"]);
}

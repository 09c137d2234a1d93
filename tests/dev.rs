//! `dev`: what is saved is built and served at once, and nothing stays behind.

use std::fs;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Folder, PATIENCE, PROGRAM, Server, have, tool};

const SITE: &str = r#"
site lab domain="lab.example"
network lan "10.66.0.0/24" server=2 dns=2 { host pc-07 27 "52:54:00:66:00:1b" }
"#;

/// `dev` with a tmux of its own, ended with its owner.
struct Dev(Folder, u16);

impl Dev {
    fn run(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.0.0).env("TMUX_TMPDIR", &self.0.0).env_remove("TMUX");
        command.output().unwrap()
    }

    fn dev(&self, args: &[&str]) -> String {
        let output = self.run(PROGRAM, &[&["dev", "--port-offset", &self.1.to_string()], args].concat());
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    fn address(&self) -> String {
        let port = (53 + self.1).to_string();
        let output = self.run("dig", &["@127.0.0.1", "-p", &port, "+short", "+tries=1", "+timeout=5", "pc-07.lab.example"]);
        String::from_utf8(output.stdout).unwrap()
    }

    fn panes(&self) -> String {
        let numbers = ["0", "1", "2"].map(|pane| format!(":.{pane}"));
        let text = |pane: &String| self.run("tmux", &["capture-pane", "-p", "-t", pane]).stdout;
        numbers.iter().map(|pane| String::from_utf8(text(pane)).unwrap()).collect()
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "{what}:\n{}", self.panes());
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.run("tmux", &["kill-server"]);
    }
}

#[test]
fn what_is_saved_is_served_until_the_session_is_stopped() {
    if !have(&["tmux", "dig", "ps"]) {
        return;
    }
    let dev = Dev(Folder::with(SITE), Server::free_offset());
    let first = dev.dev(&["--no-attach"]);
    let name = first.split(' ').next().unwrap().to_owned();
    assert_eq!(first, format!("{name} runs; attach: tmux attach -t ={name}; end: pxelator dev --stop\n"));
    assert!(name.starts_with("pxelator-"));
    dev.until("the first build is served", || dev.address() == "10.66.0.27\n");
    assert!(dev.dev(&[]).starts_with(&format!("{name} runs already")), "without a terminal it does not attach");
    let save = |text: &str| fs::write(dev.0.0.join("site.kdl"), text).unwrap();
    save(&SITE.replace("27", "28"));
    dev.until("a save is served", || dev.address() == "10.66.0.28\n");
    save(&SITE.replace("pc-07 27", "pc-07 2777"));
    dev.until("the error stands in the pane", || dev.panes().contains("2777"));
    assert_eq!(dev.address(), "10.66.0.28\n", "the last good one stays");
    assert_eq!(fs::read_to_string(dev.0.0.join(".pxelator-dev/.gitignore")).unwrap(), "*\n");
    assert!(dev.dev(&["--stop"]).starts_with(&format!("{name} has ended; leases stay in ")));
    assert!(!tool("ps", &["-eo", "args"]).contains(&format!("--port-offset {}", dev.1)), "the server is gone");
    assert!(!dev.address().contains("10.66"));
    assert_eq!(dev.dev(&["--stop"]), format!("error: no session {name} runs\n"));
}

#[test]
fn what_dev_lacks_is_said_with_the_mend() {
    let folder = Folder::with(SITE);
    let run = |args: &[&str]| {
        let output = Command::new(PROGRAM).args(args).current_dir(&folder.0).env("PATH", "/nowhere").output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(run(&["dev"]), "error: dev wants tmux, which is not installed: apt-get install tmux\n");
    assert_eq!(run(&["dev", "lab.kdl"]), "error: there is no site lab.kdl: give its file, or write one with `pxelator init`\n");
}

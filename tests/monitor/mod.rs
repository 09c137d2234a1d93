//! What is watched, and who is told: decided purely, asked and told for real.

mod decide;
mod gateway;
mod mail;
mod random;
mod sinks;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use pxelator::compile;
use pxelator::out::table::Tables;
use serde_json::Value;

use crate::harness::{Folder, inputs, tool, until, until_true};

/// The tables of a site.
fn tables(site: &str) -> Tables {
    let compiled = compile(inputs(site), "site.kdl");
    let tree = compiled.tree.unwrap_or_else(|| panic!("{:#?}", compiled.diags));
    let files: BTreeMap<String, Vec<u8>> =
        tree.files().map(|(path, artifact)| (path.to_owned(), artifact.bytes().to_vec())).collect();
    Tables::read(&files).unwrap()
}

/// A port that nobody else of this test run has.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 9_000 + (std::process::id() % 50) as u16 * 40;
    let ports = std::iter::repeat_with(|| begin + NEXT.fetch_add(1, Ordering::Relaxed));
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    ports.take(100).find(is_free).expect("a port that is free")
}

/// A real mail server: exim, in the foreground, that puts each mail into a file of its mailbox.
struct Exim {
    folder: PathBuf,
    namespace: Option<String>,
    child: Option<Child>,
}

impl Exim {
    fn new(folder: &Folder, namespace: Option<&str>, port: u16) -> Exim {
        let folder = folder.0.join("exim");
        for name in ["spool", "log", "mail"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        // Exim gives root's rights up where it delivers, and takes no file of rules that others may write.
        let status = Command::new("chmod").args(["-R", "a+rwX"]).arg(&folder).status().unwrap();
        assert!(status.success());
        let conf = include_str!("exim.conf").replace("FOLDER", &folder.display().to_string()).replace("PORT", &port.to_string());
        fs::write(folder.join("exim.conf"), conf).unwrap();
        Exim { folder, namespace: namespace.map(str::to_owned), child: None }
    }

    /// Before it starts: it begins TLS when it is asked, and at once at this port; `own` and `own.key` lie in the folder.
    fn knows_tls(&self, certificates: &Path, at_once: u16) {
        let (conf, path) = (self.folder.join("exim.conf"), |name: &str| certificates.join(name).display().to_string());
        let lines = format!(
            "tls_advertise_hosts = *\ntls_certificate = {}\ntls_privatekey = {}\ntls_on_connect_ports = {at_once}\n",
            path("own"),
            path("own.key")
        );
        let text = fs::read_to_string(&conf).unwrap().replace("tls_advertise_hosts =\n", &lines);
        let text = text.replacen("daemon_smtp_ports = ", &format!("daemon_smtp_ports = {at_once} : "), 1);
        fs::write(&conf, text).unwrap();
        // Who answers a connection is not root.
        tool("chmod", &["644", &path("own.key")]);
    }

    fn start(&mut self) {
        let conf = self.folder.join("exim.conf");
        let inside = self.namespace.iter().flat_map(|name| ["ip", "netns", "exec", name.as_str()]);
        let words: Vec<&str> = inside.chain(["/usr/sbin/exim4", "-bdf", "-q1m"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("-C").arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let log = self.folder.join("log/mainlog");
        until("exim listens", || fs::read_to_string(&log).ok().filter(|text| text.contains("listening for SMTP")));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // What it took and did not put away it would deliver again after its next start.
            let waiting = || fs::read_dir(self.folder.join("spool/input")).map_or(0, Iterator::count);
            until_true("exim has delivered all", || waiting() == 0);
            child.kill().unwrap();
            child.wait().unwrap();
            fs::remove_file(self.folder.join("log/mainlog")).unwrap();
        }
    }

    /// The mails in a mailbox, in the order in which they came; one that is being written is none yet.
    fn mails(&self, mailbox: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("mail").join(mailbox)).unwrap_or_default();
        let all = text.split("\n--- mail ---\n").skip(1);
        all.filter_map(|mail| mail.split_once("--- end ---\n")).map(|(mail, _)| mail.to_owned()).collect()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
    }
}

/// What a webhook was sent.
#[derive(Clone, Debug)]
struct Post {
    head: String,
    body: Value,
}

/// A program that takes news: what it answers can be changed.
struct Hook {
    posts: Arc<Mutex<Vec<Post>>>,
    status: Arc<Mutex<&'static str>>,
    /// What is said of the news of one host.
    refused: Arc<Mutex<Option<(&'static str, &'static str)>>>,
}

impl Hook {
    fn listen(listener: TcpListener) -> Hook {
        let hook = Hook { posts: Arc::default(), status: Arc::new(Mutex::new("204 No Content")), refused: Arc::default() };
        let (posts, status, refused) = (hook.posts.clone(), hook.status.clone(), hook.refused.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let status = *status.lock().unwrap();
                let refused = *refused.lock().unwrap();
                let _whoever_hangs_up_asks_again = answer(stream, status, refused, &posts);
            }
        });
        hook
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// `fired HOST CHECK`, one a post.
    fn told(&self) -> Vec<String> {
        let word = |post: &Post, name: &str| post.body[name].as_str().unwrap().to_owned();
        self.posts()
            .iter()
            .map(|post| format!("{} {} {}", word(post, "state"), word(post, "host"), word(post, "check")))
            .collect()
    }
}

/// What is taken is kept before it is answered: whoever has the answer may look at once.
fn answer(mut stream: TcpStream, status: &str, refused: Option<(&str, &str)>, posts: &Mutex<Vec<Post>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        head.push_str(&std::mem::take(&mut line).to_ascii_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let status = refused.filter(|(host, _)| body["host"] == *host).map_or(status, |(_, status)| status);
    if status.starts_with('2') {
        posts.lock().unwrap().push(Post { head, body });
    }
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()
}

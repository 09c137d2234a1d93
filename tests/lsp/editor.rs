//! A client that can send anything, also what no good editor sends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Folder, PATIENCE, PROGRAM};

/// One site with every kind of name, in three files.
pub(super) const SITE: &str = r#"site lab domain="lab.example"
import "hosts/*.kdl"
use kiosk { url "https://intra.lab.example/"; idle "10m" }
let img "debian-12"
assets "/srv/boot"
/* ž😀 */ host printer "00:1b:a9:00:00:32" profile=office
profile office { kernel "{img}/vmlinuz"; initrd "{img}/initrd.img" }
dns { cname git to=boot; cname ftp to=boot; cname www to="boot.lab.example"; cname seat to=seat-01 }
// file: hosts/office.kdl
network lan "10.77.0.0/24" gateway=1 server=2 {
    host boot 2 "52:54:00:77:00:02"
    group desks profile=office {
        repeat n 1 3 { host "seat-{n:02}" "{n+20}" "00:d8:61:00:04:{n:02x}" }
    }
}
// file: modules/kiosk.kdl
module kiosk {
    option url (url)required doc="Start page"
    option idle (duration)"5m" doc="Back to the start page" min="30s"
    option colour (enum)"dark" values="dark,light" doc="Colours"
    config { profile kiosk { kernel "debian-12/vmlinuz"; initrd "debian-12/initrd.img"; cmdline "url={url}" "idle={idle}" "c={colour}" } }
}
"#;

/// A client that can send anything.
pub(super) struct Editor {
    pub(super) child: Child,
    stdin: Option<ChildStdin>,
    pub(super) messages: Receiver<Value>,
    pub(super) folder: Folder,
    next: i64,
    /// Findings by file name, as they came last, with the version.
    pub(super) found: BTreeMap<String, (Option<i64>, Vec<Value>)>,
}

impl Editor {
    pub(super) fn start(text: &str) -> Editor {
        let folder = Folder::with(text);
        let mut command = Command::new(PROGRAM);
        command.arg("lsp").current_dir(&folder.0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, messages) = channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut stdout)
                && sender.send(message).is_ok()
            {}
        });
        let stdin = child.stdin.take();
        Editor { child, stdin, messages, folder, next: 0, found: Default::default() }
    }

    /// Started, and greeted as a client that offers these encodings.
    pub(super) fn greeted(text: &str, encodings: &[&str]) -> (Editor, Value) {
        let mut editor = Editor::start(text);
        let capabilities = json!({
            "general": { "positionEncodings": encodings },
            "textDocument": { "publishDiagnostics": { "relatedInformation": true } },
        });
        let answer = editor.ask("initialize", json!({ "capabilities": capabilities })).unwrap();
        editor.tell("initialized", json!({}));
        (editor, answer)
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        let _gone = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }

    pub(super) fn send(&mut self, message: &Value) {
        self.raw(&framed(&message.to_string()));
    }

    pub(super) fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The answer to a request: a result, or an error.
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.answer(id)
    }

    pub(super) fn answer(&mut self, id: i64) -> Result<Value, Value> {
        loop {
            let message = self.message();
            if message["id"] == id && message.get("method").is_none() {
                return message.get("error").map_or_else(|| Ok(message["result"].clone()), |error| Err(error.clone()));
            }
        }
    }

    /// The next message; findings are kept.
    pub(super) fn message(&mut self) -> Value {
        let message =
            self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no message: {error}\n{}", self.errors()));
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let name =
                params["uri"].as_str().unwrap().rsplit_once(&format!("{}/", self.folder.0.display())).unwrap().1.to_owned();
            self.found.insert(name, (params["version"].as_i64(), params["diagnostics"].as_array().unwrap().clone()));
        }
        message
    }

    /// What the program said on standard error, once it is ended.
    pub(super) fn errors(&mut self) -> String {
        let _gone = self.child.kill();
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(super) fn uri(&self, name: &str) -> String {
        format!("file://{}/{name}", self.folder.0.display())
    }

    pub(super) fn open(&mut self, name: &str) {
        let text = fs::read_to_string(self.folder.0.join(name)).unwrap();
        let document = json!({ "uri": self.uri(name), "languageId": "kdl", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub(super) fn change(&mut self, name: &str, version: i64, changes: Value) {
        let document = json!({ "uri": self.uri(name), "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// The findings of a file, once those of this version are here.
    pub(super) fn findings(&mut self, name: &str, version: i64) -> Vec<Value> {
        while self.found.get(name).is_none_or(|(found, _)| *found != Some(version)) {
            self.message();
        }
        self.found[name].1.clone()
    }

    /// Asks about a place: a line and a column of a file.
    pub(super) fn at(&mut self, method: &str, name: &str, line: usize, column: usize) -> Value {
        let params = json!({ "textDocument": { "uri": self.uri(name) }, "position": { "line": line, "character": column } });
        self.ask(method, params).unwrap()
    }

    /// Ends, and gives the exit code and what was said.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().unwrap().code();
        let errors = self.errors();
        assert!(!errors.contains("panicked"), "{errors}");
        (code, errors)
    }

    pub(super) fn leave(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Ok(Value::Null));
        self.tell("exit", Value::Null);
        assert_eq!(self.end().0, Some(0));
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

pub(super) fn framed(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn read(stdout: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((_, value)) => length = value.parse().unwrap(),
            None => break,
        }
    }
    let mut body = vec![0; length];
    stdout.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

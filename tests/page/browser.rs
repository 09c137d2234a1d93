//! A real Chromium, driven by its DevTools protocol over two pipes.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Folder, PATIENCE, ROOT};

/// Nothing of the browser's own goes anywhere.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
];

/// One tab.
pub(super) struct Browser {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    events: VecDeque<Value>,
    session: String,
    number: u64,
    _profile: Folder,
}

impl Browser {
    /// `within` are the words before the browser's own: `ip netns exec NAME`.
    pub(super) fn start(within: &[&str]) -> Browser {
        let profile = Folder::new();
        // The pipes are descriptors 3 and 4 of the browser.
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"", "sh"]).args(within).arg("chromium").args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.0.display())).arg("about:blank");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let read = output.split(0).map_while(Result::ok).filter_map(|text| serde_json::from_slice(&text).ok());
            read.map_while(|value: Value| sender.send(value).ok()).for_each(drop);
        });
        let mut browser =
            Browser { child, input, answers, events: VecDeque::new(), session: String::new(), number: 0, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = browser.ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true }))["sessionId"].clone();
        browser.session = session.as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut request = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = self.session.clone().into();
        }
        self.input.write_all(format!("{request}\0").as_bytes()).unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let value = self
                .answers
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|_| panic!("no answer to {method}"));
            if value["id"] == self.number {
                assert!(value.get("error").is_none(), "{method}: {}", value["error"]);
                return value["result"].clone();
            }
            self.events.push_back(value);
        }
    }

    fn wait_for(&mut self, method: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["method"] == method {
                    return;
                }
                self.notice(&event);
            }
            let next = self.answers.recv_timeout(end.saturating_duration_since(Instant::now()));
            self.events.push_back(next.unwrap_or_else(|_| panic!("{method} never came")));
        }
    }

    /// What must never happen: an error in the console, a request to another origin.
    fn notice(&self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => panic!("a script failed: {params}"),
            // A page that is missing, on purpose, is told in the console too.
            "Log.entryAdded" if params["entry"]["level"] == "error" && !params["entry"]["text"].to_string().contains("404") => {
                panic!("the console says: {params}")
            }
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap();
                assert!(
                    url.starts_with("http://10.77.0.2:8091/") || url.starts_with("data:") || url == "about:blank",
                    "it asks {url}"
                );
            }
            _ => {}
        }
    }

    /// Everything that was told so far is looked at.
    pub(super) fn calm(&mut self) {
        self.evaluate("1");
        let events = std::mem::take(&mut self.events);
        events.iter().for_each(|event| self.notice(event));
    }

    pub(super) fn open(&mut self, url: &str) {
        self.calm();
        self.ask("Page.navigate", json!({ "url": url }));
        self.wait_for("Page.loadEventFired");
    }

    /// The value of an expression in the page; also where its own scripts are off.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let asked =
            self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }));
        assert!(asked.get("exceptionDetails").is_none(), "{expression}: {asked}");
        asked["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(super) fn until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < end, "never: {expression}; the page says: {}", self.evaluate("document.body.innerText"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn key(&mut self, key: &str, text: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "/" => 191,
            key => u32::from(key.as_bytes()[0].to_ascii_uppercase()),
        };
        let mut down = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        if !text.is_empty() {
            down["text"] = text.into();
        }
        self.ask("Input.dispatchKeyEvent", down);
        self.ask("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }));
    }

    pub(super) fn scheme(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    pub(super) fn width(&mut self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    pub(super) fn scripts(&mut self, are_on: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": !are_on }));
    }

    /// The whole page, into target/photographs/NAME.png.
    pub(super) fn photograph(&mut self, name: &str) {
        let folder = Path::new(ROOT).join("target/photographs");
        fs::create_dir_all(&folder).unwrap();
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        fs::write(folder.join(format!("{name}.png")), base64(picture["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// RFC 4648, as the protocol brings its pictures.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = |letter: u8| LETTERS.iter().position(|known| *known == letter).map(|at| at as u32);
    let values: Vec<u32> = text.bytes().filter_map(bits).collect();
    let mut bytes = Vec::with_capacity(values.len());
    for four in values.chunks(4) {
        let word = four.iter().fold(0, |word, value| word << 6 | value) << (6 * (4 - four.len()));
        bytes.extend([16, 8, 0].iter().take(four.len() - 1).map(|shift| (word >> shift) as u8));
    }
    bytes
}

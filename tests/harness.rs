//! What several tests need: folders, the program, foreign tools, and a server that ends with its test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pxelator::source::Inputs;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where tests/tools/packages puts programs of npm.
pub(crate) const NPM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/node_modules/.bin");
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pxelator");
/// How long something is waited for that comes at once on a machine with nothing else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The lock beside every small site of the tests, so that profiles have something to load.
pub(crate) fn lock() -> String {
    let hash = "0".repeat(64);
    let sizes = [
        ("debian-12/initrd.img", 1_200_000),
        ("debian-12/vmlinuz", 14_000_000),
        ("ldlinux.c32", 119_524),
        ("live/filesystem.img", 120_000_000),
        ("pxelinux.0", 42_430),
        ("rescue/initrd.img", 1_200_000),
        ("rescue/vmlinuz", 14_000_000),
        ("snponly.efi", 173_792),
    ];
    sizes.iter().map(|(path, size)| format!("{hash} {size} {path}\n")).collect()
}

/// A text of one or more files: what follows a line `// file: NAME` is that file.
pub(crate) fn inputs(text: &str) -> Inputs {
    let mut inputs = Inputs::from([("assets.lock".to_owned(), lock().into_bytes())]);
    let mut name = "site.kdl".to_owned();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("// file: ") {
            Some(next) => {
                name = next.trim().to_owned();
                inputs.insert(name.clone(), Vec::new());
            }
            None => inputs.entry(name.clone()).or_default().extend(line.bytes()),
        }
    }
    inputs
}

/// A folder that goes with its owner.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("pxelator-test-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Folder(path),
                // Of a process of that number, which was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// A folder with a site in it.
    pub(crate) fn with(text: &str) -> Folder {
        let folder = Folder::new();
        for (name, bytes) in inputs(text) {
            let path = folder.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    /// A folder with the example site of this repository.
    pub(crate) fn with_example() -> Folder {
        let folder = Folder::new();
        for name in ["site.kdl", "assets.lock", "modules", "hosts", "files", "out"] {
            let status = Command::new("cp").args(["-r", name]).arg(&folder.0).current_dir(ROOT).status().unwrap();
            assert!(status.success());
        }
        folder
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run(Command::new(PROGRAM).args(args).current_dir(&self.0).output().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// What a program printed, and how it ended.
pub(crate) struct Run(pub(crate) Output);

impl Run {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Ended with this code, and without a panic.
    pub(crate) fn ended(self, code: i32) -> Run {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.out(), self.err());
        assert!(!self.err().contains("panicked"), "{}", self.err());
        self
    }
}

/// Looks until there is something, and gives it.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until it holds.
pub(crate) fn until_true(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}

/// Runs a foreign program to its end, successfully.
pub(crate) fn tool(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// An authority of the test's own, and a certificate of it for 127.0.0.1: `ca`, `own` and `own.key` in the folder.
pub(crate) fn certificates(folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (ca, ca_key, own, key) = (path("ca"), path("ca.key"), path("own"), path("own.key"));
    let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-keyout"];
    tool("openssl", &[&made[..], &[&ca_key, "-out", &ca, "-subj", "/CN=authority"]].concat());
    let names = ["-subj", "/CN=own", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"];
    tool("openssl", &[&made[..], &[&key, "-out", &own, "-CA", &ca, "-CAkey", &ca_key], &names].concat());
}

/// True where all programs are here (and we are root, if `root` is among them). Otherwise the test says
/// that it is skipped, and why; in CI that is a failure.
pub(crate) fn have(needs: &[&str]) -> bool {
    let folders = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:" + NPM;
    let here = |name: &str| match name {
        "root" => tool("id", &["-u"]).trim() == "0",
        name => folders.split(':').any(|folder| Path::new(folder).join(name).is_file()),
    };
    let missing: Vec<&str> = needs.iter().copied().filter(|name| !here(name)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped, but this is missing: {missing:?}; run `make deps`");
    eprintln!("SKIPPED: this test needs {missing:?}; `make deps` installs them");
    false
}

/// The same for a file that `make deps` puts below target/.
pub(crate) fn have_file(path: &Path) -> bool {
    let here = path.is_file();
    assert!(
        here || std::env::var_os("CI").is_none(),
        "in CI nothing is skipped, but {} is missing; run `make deps`",
        path.display()
    );
    if !here {
        eprintln!("SKIPPED: this test needs {}; `make deps` installs it", path.display());
    }
    here
}

/// Our server, with what it logs; it ends with its owner.
pub(crate) struct Server {
    child: Child,
    log: mpsc::Receiver<String>,
    /// What it logged while it started.
    begun: Vec<String>,
    pub(crate) offset: u16,
}

impl Server {
    /// Serves `out` of the folder on loopback, with a port offset that nobody else has.
    pub(crate) fn start(folder: &Folder, more: &[&str]) -> Server {
        let offset = Server::free_offset();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--state", "state", "--port-offset", &offset.to_string()]).args(more).current_dir(&folder.0);
        Server::spawn(command, offset)
    }

    /// A port offset at which all ports of a server are free. All are below 32,768: from there on the kernel gives
    /// ports to outgoing connections, and a closed one keeps its port for a minute.
    pub(crate) fn free_offset() -> u16 {
        // No two multiples of the step make a port of one service that of another.
        const FIRST: u16 = 12_000;
        const STEP: u16 = 37;
        const SLOTS: u16 = 340;
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Another test run begins elsewhere.
        let begin = (std::process::id() % u32::from(SLOTS)) as u16;
        let is_free = |offset: &u16| {
            [53, 67, 69, 514].iter().all(|port| UdpSocket::bind(("127.0.0.1", port + offset)).is_ok())
                && [53, 80, 8080].iter().all(|port| TcpListener::bind(("127.0.0.1", port + offset)).is_ok())
        };
        let slots = std::iter::repeat_with(|| (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % SLOTS);
        let offset = slots.take(usize::from(SLOTS)).map(|slot| FIRST + slot * STEP).find(is_free);
        offset.expect("ports for a server")
    }

    pub(crate) fn spawn(mut command: Command, offset: u16) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut server = Server { child, log, begun: Vec::new(), offset };
        // The last line of a start: all sockets are there, and the state folder says so.
        server.begun = server.until("generation=");
        server
    }

    pub(crate) fn port(&self, port: u16) -> String {
        (port + self.offset).to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port(80))
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub(crate) fn signal(&self, signal: &str) {
        tool("kill", &[signal, &self.pid()]);
    }

    /// The same where it may have been said while it started.
    pub(crate) fn has_said(&self, text: &str) -> String {
        self.begun.iter().find(|line| line.contains(text)).cloned().unwrap_or_else(|| self.wait_for(text))
    }

    /// The first line of the log that contains `text`.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.until(text).pop().unwrap()
    }

    /// All lines of the log up to the first that contains `text`.
    pub(crate) fn until(&self, text: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
        panic!("the log never said `{text}`:\n{}", seen.join("\n"));
    }

    /// What it logged and nobody waited for.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// All files below a folder, by path.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().map(Result::unwrap) {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                match fs::read(entry.path()) {
                    Ok(bytes) => drop(all.insert(path, bytes)),
                    // A server writes there, and renamed it meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => panic!("{path}: {error}"),
                }
            }
        }
    }
    all
}

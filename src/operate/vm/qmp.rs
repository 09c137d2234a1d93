//! QMP: one command a line to a QEMU that runs, and its answer (qemu-qmp-ref(7)).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Error, Result};

/// How long QEMU may take to answer a command.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// The longest line that is read, in bytes; an answer has less than a thousand.
const LINE_BYTES_MAX: u64 = 64 << 10;

pub(super) struct Qmp {
    vm: String,
    stream: BufReader<UnixStream>,
    /// It said that the guest turned itself off.
    is_off: bool,
}

/// Whether QEMU is gone, and who wanted it.
pub(super) enum Gone {
    No,
    /// The guest turned itself off.
    ByItself,
    /// Somebody ended QEMU.
    Ended,
}

impl Qmp {
    /// Nothing where nobody listens.
    pub(super) fn connect(vm: &str, socket: &Path) -> Result<Option<Qmp>> {
        let silent = || Error::Silent { vm: vm.to_owned() };
        let stream = match connect_short(socket) {
            Ok(stream) => stream,
            Err(error) if is_late(&error) => return Err(silent()),
            Err(_) => return Ok(None),
        };
        let mut qmp = Qmp { vm: vm.to_owned(), stream: BufReader::new(stream), is_off: false };
        qmp.patience(ANSWER_PATIENCE)?;
        // It talks to one program after the other, and ends while we wait for our turn.
        if qmp.line()?.is_none() {
            return Ok(None);
        }
        qmp.command("qmp_capabilities")?;
        Ok(Some(qmp))
    }

    /// Gives a command; events that come before the answer are kept.
    pub(super) fn command(&mut self, name: &str) -> Result<()> {
        self.patience(ANSWER_PATIENCE)?;
        let line = format!("{}\n", json!({ "execute": name }));
        // Where it is gone already, what comes next tells how.
        let _gone_already = self.stream.get_mut().write_all(line.as_bytes());
        let deadline = Instant::now() + ANSWER_PATIENCE;
        while Instant::now() < deadline {
            let Some(answer) = self.line()? else { return Ok(()) };
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(Error::Qmp { vm: self.vm.clone(), what: error.to_string() });
            }
        }
        Err(Error::Silent { vm: self.vm.clone() })
    }

    /// Waits until QEMU is gone.
    pub(super) fn gone_within(&mut self, patience: Duration) -> Result<Gone> {
        let deadline = Instant::now() + patience;
        loop {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return Ok(Gone::No);
            };
            self.patience(left)?;
            match self.line() {
                Ok(Some(_)) => {}
                Ok(None) if self.is_off => return Ok(Gone::ByItself),
                Ok(None) => return Ok(Gone::Ended),
                Err(Error::Silent { .. }) => return Ok(Gone::No),
                Err(error) => return Err(error),
            }
        }
    }

    fn patience(&self, patience: Duration) -> Result<()> {
        let set = self.stream.get_ref().set_read_timeout(Some(patience));
        set.and_then(|()| self.stream.get_ref().set_write_timeout(Some(patience))).map_err(|error| self.wrong(&error))
    }

    /// The next line; nothing where QEMU is gone.
    fn line(&mut self) -> Result<Option<Value>> {
        let mut bytes = Vec::new();
        match (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes) {
            Ok(_) => {}
            Err(error) if is_late(&error) => return Err(Error::Silent { vm: self.vm.clone() }),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(self.wrong(&error)),
        }
        if bytes.last() != Some(&b'\n') {
            return Ok(None);
        }
        let line: Value = serde_json::from_slice(&bytes)
            .map_err(|_| Error::Qmp { vm: self.vm.clone(), what: "something that is no QMP".to_owned() })?;
        let is_shutdown = line.get("event").and_then(Value::as_str) == Some("SHUTDOWN");
        self.is_off |= is_shutdown && line.pointer("/data/guest").and_then(Value::as_bool) == Some(true);
        Ok(Some(line))
    }

    fn wrong(&self, error: &io::Error) -> Error {
        Error::Qmp { vm: self.vm.clone(), what: error.to_string() }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Does somebody listen there? One whose queue is full does, too.
pub(super) fn is_heard(socket: &Path) -> bool {
    connect_short(socket).map_or_else(|error| is_late(&error), |_| true)
}

/// Within the patience: a queue that is full holds nobody up for longer.
fn connect_short(path: &Path) -> io::Result<UnixStream> {
    // The path of a socket has 107 bytes at most: it is named from its own folder.
    let folder = std::fs::File::open(path.parent().unwrap_or(path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let short = format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&folder));
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // What waits for its place in the queue of a listener is bounded by this (unix(7)).
    socket.set_write_timeout(Some(ANSWER_PATIENCE))?;
    socket.connect(&SockAddr::unix(short)?)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

//! Programs that we run to their end, each with a deadline; they end when we do, however we end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Error, Result, failed};

const LOOK: Duration = Duration::from_millis(20);
/// How long a killed program may take to end.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// How much of what a program says is kept, in bytes.
const SAID_BYTES_MAX: u64 = 64 << 10;

/// How a program ended, and what it said on both channels.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) said: String,
}

/// What outlives us.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// The kernel ends it when we end.
    Ours,
    /// It goes into the background by itself.
    Own,
}

/// Runs a program to its end; `lock` is its standard input, so it holds the lock as long as it lives.
pub(super) fn run(vm: &str, lock: &File, life: Life, patience: Duration, words: &[&str]) -> Result<Ended> {
    let program = words.first().copied().unwrap_or_default();
    let mut command = match life {
        Life::Ours => Command::new("setpriv"),
        Life::Own => Command::new(program),
    };
    match life {
        Life::Ours => command.args(["--pdeathsig", "KILL", "--"]).args(words),
        Life::Own => command.args(words.get(1..).unwrap_or_default()),
    };
    let mut said = said_file()?;
    let copy = || said.try_clone().map_err(failed("open", "what a program says"));
    let stdin = lock.try_clone().map_err(failed("open", "the lock"))?;
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(copy()?)).stderr(Stdio::from(copy()?)).process_group(0);
    let mut child = command.spawn().map_err(failed("run", program))?;
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed("wait for", program))? {
            break status;
        }
        if Instant::now() > deadline {
            let _gone_already = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            // What hangs in the kernel does not even hear that.
            let given_up = Instant::now() + KILL_PATIENCE;
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < given_up {
                std::thread::sleep(LOOK);
            }
            return Err(Error::Slow { vm: vm.to_owned(), program: program.to_owned(), secs: patience.as_secs() });
        }
        std::thread::sleep(LOOK);
    };
    let mut bytes = Vec::new();
    let read = said.seek(SeekFrom::Start(0)).and_then(|_| said.take(SAID_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(failed("read", "what a program said"))?;
    Ok(Ended { status, said: String::from_utf8_lossy(&bytes).trim().to_owned() })
}

/// The same, where anything but success is an error.
pub(super) fn call(vm: &str, lock: &File, patience: Duration, words: &[&str]) -> Result<String> {
    let ended = run(vm, lock, Life::Ours, patience, words)?;
    if ended.status.success() {
        return Ok(ended.said);
    }
    let program = words.first().copied().unwrap_or_default().to_owned();
    Err(Error::Program { vm: vm.to_owned(), program, output: ended.output() })
}

impl Ended {
    /// What it said, or how it ended where it said nothing.
    pub(super) fn output(&self) -> String {
        if self.said.is_empty() { self.status.to_string() } else { self.said.clone() }
    }
}

/// A file without a name: a program that goes on after its deadline fills no pipe.
fn said_file() -> Result<File> {
    let file = rustix::fs::memfd_create("said", rustix::fs::MemfdFlags::CLOEXEC);
    file.map(File::from).map_err(|errno| failed("make", "a file in memory")(errno.into()))
}

//! The far end by ssh: the `ssh` program, with the keys and the configuration of whoever runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Result;
use super::far::{Hello, LINE_BYTES_MAX, PROTOCOL, Reply, Request};
use crate::out::table::json;
use crate::remote::{self, last_line, quote};

/// How many lines a login script may print before we speak.
const GREETING_LINES_MAX: usize = 100;
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;
/// How long it may take until pxelator greets there; logging in is part of it.
const GREETING_SECS_MAX: u64 = 30;
/// How long it may live once it has closed its output before it greeted.
const END_SECS_MAX: u64 = 10;

/// How the other end is reached.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// For `ssh -o`.
    pub options: Vec<String>,
    /// What is run there; several words may be given, such as `sudo -n pxelator`.
    pub program: String,
}

/// What ssh, or whoever answered, had against it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Remote(#[from] remote::Problem),
    #[error("there is no `{program}` on {host}: install pxelator there, or name it with --remote PATH")]
    NoProgram { host: String, program: String },
    #[error("`{program}` on {host} did not answer as pxelator does ({said}): see what `ssh {host} {program} --version` prints")]
    Strange { host: String, program: String, said: String },
    #[error(
        "`{program}` on {host} did not greet within {GREETING_SECS_MAX} s: see that `ssh {host} {program} --version` ends at once"
    )]
    Silent { host: String, program: String },
    #[error("pxelator on {host} is {theirs}, and this is {ours}, which speaks otherwise: install the same version on both")]
    Version { host: String, theirs: String, ours: String },
    #[error(
        "the connection to {host} broke ({said}): what it had begun is brought to its end there, or taken back; `pxelator generations` shows it"
    )]
    Broke { host: String, said: String },
}

/// A pxelator at the other end.
pub struct Session {
    pub(super) host: String,
    program: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What ssh says, read beside.
    complaints: Option<JoinHandle<String>>,
}

/// What came first.
enum Greeting {
    Ours,
    Other(Problem),
    /// It ended, behind this line.
    Ended(String),
}

impl Session {
    pub(super) fn open(ssh: &Ssh, host: &str, folder: &str, state: Option<&Path>) -> Result<Session> {
        let state = state.map_or(String::new(), |state| format!(" --state {}", quote(&state.to_string_lossy())));
        let words = format!("{} deploy-far --store {}{state}", ssh.program, quote(folder));
        let mut command = remote::Ssh { options: ssh.options.clone() }.to(host);
        command.arg(words);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| Problem::Remote(remote::Problem::NoSsh(error)))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(errors)) = (output, errors) else { unreachable!("all three are piped") };
        let complaints = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _what_came_is_enough = errors.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let (host, program) = (host.to_owned(), ssh.program.clone());
        let output = BufReader::new(output);
        let mut session = Session { host, program, child, input, output, complaints: Some(complaints) };
        session.greet()?;
        Ok(session)
    }

    /// The first line of ours, in time: otherwise ssh is ended, and so is what we wait for.
    fn greet(&mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        let (greeted, waited) = mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            let is_late = waited.recv_timeout(Duration::from_secs(GREETING_SECS_MAX)) == Err(RecvTimeoutError::Timeout);
            // Nobody waits for the child before this thread has ended, so its number is still its own.
            is_late && rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok()
        });
        let greeting = self.greeting();
        drop(greeted);
        if guard.join().unwrap_or_default() {
            return Err(Problem::Silent { host: self.host.clone(), program: self.program.clone() }.into());
        }
        match greeting {
            Greeting::Ours => Ok(()),
            Greeting::Other(problem) => {
                // It may go on printing, and would not end by itself.
                let _gone_already = self.child.kill();
                Err(problem.into())
            }
            Greeting::Ended(printed) => Err(self.ended(printed).into()),
        }
    }

    /// The first line of ours, behind what a login script may print.
    fn greeting(&mut self) -> Greeting {
        let mut said = String::new();
        for _ in 0..GREETING_LINES_MAX {
            let Some(line) = self.line() else { return Greeting::Ended(said) };
            if let Ok(Hello { pxelator, protocol }) = serde_json::from_str(&line) {
                if protocol == PROTOCOL {
                    return Greeting::Ours;
                }
                let (host, ours) = (self.host.clone(), Hello::own().pxelator);
                return Greeting::Other(Problem::Version { host, theirs: pxelator, ours });
            }
            said = line;
        }
        let (host, program) = (self.host.clone(), self.program.clone());
        Greeting::Other(Problem::Strange { host, program, said: last_line(&said) })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.output.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(1..) => Some(line.trim_end_matches('\n').to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    pub(super) fn send(&mut self, request: &Request) -> Result<()> {
        let sent = self.input.as_mut().map(|input| writeln!(input, "{}", json(request)).and_then(|()| input.flush()));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.broke().into()) }
    }

    /// What comes next.
    pub(super) fn reply(&mut self) -> Result<Reply> {
        let Some(line) = self.line() else { return Err(self.broke().into()) };
        let strange = |error: serde_json::Error| Problem::Strange {
            host: self.host.clone(),
            program: self.program.clone(),
            said: error.to_string(),
        };
        Ok(serde_json::from_str(&line).map_err(strange)?)
    }

    fn broke(&mut self) -> Problem {
        let (_, said) = self.wait();
        Problem::Broke { host: self.host.clone(), said: last_line(&said) }
    }

    /// How ssh ended, and what it said.
    fn wait(&mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let code = self.child.wait().ok().and_then(|status| status.code());
        (code, self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default())
    }

    /// Ended before it greeted: 255 is ssh's own, 127 a shell's that found nothing.
    fn ended(&mut self, printed: String) -> Problem {
        let until = Instant::now() + Duration::from_secs(END_SECS_MAX);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= until {
                let _gone_already = self.child.kill();
                return Problem::Silent { host: self.host.clone(), program: self.program.clone() };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let (code, complaints) = self.wait();
        let (host, program) = (self.host.clone(), self.program.clone());
        let said = last_line(&complaints);
        match code {
            Some(255) => {
                let mends = ("name another user with USER@HOST", "read its name again, and see that it is up");
                let try_it = format!("ssh {host}");
                Problem::Remote(remote::Problem::of_255(host, try_it, mends, &complaints))
            }
            Some(127) => Problem::NoProgram { host, program },
            _ => Problem::Strange { host, program, said: if said.is_empty() { last_line(&printed) } else { said } },
        }
    }
}

impl Drop for Session {
    /// The far end sees the end of its requests, and ends.
    fn drop(&mut self) {
        drop(self.input.take());
        let _gone_already = self.child.wait();
    }
}

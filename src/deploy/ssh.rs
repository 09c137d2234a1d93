//! The far end by ssh: the `ssh` program, with the keys and the configuration of whoever runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::Result;
use super::far::{Hello, LINE_BYTES_MAX, PROTOCOL, Reply, Request};
use crate::out::table::json;

/// How long ssh may take to connect, and how often it asks whether the other end still lives, in seconds.
const CONNECT_SECS: u32 = 10;
const ALIVE_SECS: u32 = 5;
/// How many lines a login script may print before we speak.
const GREETING_LINES_MAX: usize = 100;
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

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
    #[error("there is no program `ssh` on this machine: install openssh-client")]
    NoSsh(#[source] std::io::Error),
    #[error(
        "{host} does not let you in ({said}): try `ssh {host} true`; name another user with USER@HOST, or load your key with ssh-add"
    )]
    Credentials { host: String, said: String },
    #[error(
        "{host} is not known to this machine, or is not the machine that it was ({said}): compare its key, and log in once with `ssh {host}`"
    )]
    HostKey { host: String, said: String },
    #[error("{host} cannot be reached ({said}): read its name again, and see that it is up")]
    Unreachable { host: String, said: String },
    #[error("there is no `{program}` on {host}: install pxelator there, or name it with --remote PATH")]
    NoProgram { host: String, program: String },
    #[error("`{program}` on {host} did not answer as pxelator does ({said}): see what `ssh {host} {program} --version` prints")]
    Strange { host: String, program: String, said: String },
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

impl Session {
    pub(super) fn open(ssh: &Ssh, host: &str, folder: &str, state: Option<&Path>) -> Result<Session> {
        let state = state.map_or(String::new(), |state| format!(" --state {}", quote(&state.to_string_lossy())));
        let remote = format!("{} deploy-far --store {}{state}", ssh.program, quote(folder));
        let mut command = Command::new("ssh");
        let fixed =
            ["BatchMode=yes".into(), format!("ConnectTimeout={CONNECT_SECS}"), format!("ServerAliveInterval={ALIVE_SECS}")];
        for option in ssh.options.iter().chain(&fixed) {
            command.args(["-o", option]);
        }
        command.args(["-T", "--", host, &remote]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(Problem::NoSsh)?;
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

    /// The first line of ours, behind what a login script may print.
    fn greet(&mut self) -> Result<()> {
        let mut said = String::new();
        for _ in 0..GREETING_LINES_MAX {
            let Some(line) = self.line() else { return Err(self.ended(said).into()) };
            if let Ok(Hello { pxelator, protocol }) = serde_json::from_str(&line) {
                if protocol == PROTOCOL {
                    return Ok(());
                }
                return Err(Problem::Version { host: self.host.clone(), theirs: pxelator, ours: Hello::own().pxelator }.into());
            }
            said = line;
        }
        Err(Problem::Strange { host: self.host.clone(), program: self.program.clone(), said: last_line(&said) }.into())
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
        let (code, complaints) = self.wait();
        let (host, program) = (self.host.clone(), self.program.clone());
        let has = |words: &[&str]| words.iter().any(|word| complaints.contains(word));
        let said = last_line(&complaints);
        match code {
            Some(255) if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION"]) => Problem::HostKey { host, said },
            Some(255) if has(&["Permission denied", "Too many authentication failures"]) => Problem::Credentials { host, said },
            Some(255) => Problem::Unreachable { host, said },
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

/// The last line that says anything; control characters are not for our terminal.
fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim().chars().filter(|c| !c.is_control()).take(300).collect()
}

/// A word for the shell at the other end.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

//! Another machine by ssh: the `ssh` program, with the keys and the configuration of whoever runs us.
//!
//! ```text
//!  LoginRow ──► `Ssh::command` ──► ssh, rsync        what goes over it is the caller's
//!     └───────► `Ssh::run` ──────► sh as root there  a script in, its output and exit code out
//! ```
//! **Invariant:** nothing waits for ever: each child has a deadline, and its output a limit. What comes from
//! the other end is shown through [`last_line`] alone, which lets no control character pass.

mod collect;
mod problem;

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::out::table::LoginRow;

pub use collect::{Collected, Stopped, collect};
pub use problem::{Problem, last_line};

/// How long ssh may take to connect, and how often it asks whether the other end still lives, in seconds.
const CONNECT_SECS: u32 = 10;
const ALIVE_SECS: u32 = 5;
/// How long a script may be, and how much it may print.
pub const SCRIPT_BYTES_MAX: usize = 32 << 20;
pub const OUTPUT_BYTES_MAX: usize = 32 << 20;

/// How other machines are reached.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    /// For `ssh -o`; they come first, and ssh takes the first of two.
    pub options: Vec<String>,
}

/// A script that ran to its end.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ssh {
    /// The words of ssh up to the host.
    fn words(&self) -> Vec<String> {
        let fixed = [
            "BatchMode=yes".to_owned(),
            format!("ConnectTimeout={CONNECT_SECS}"),
            format!("ServerAliveInterval={ALIVE_SECS}"),
            // The banner of a machine is no complaint.
            "LogLevel=ERROR".to_owned(),
        ];
        let options = self.options.iter().cloned().chain(fixed).flat_map(|option| ["-o".to_owned(), option]);
        options.chain(["-T".to_owned()]).collect()
    }

    /// `ssh` to a host that is named as a person names it; the remote command is one more argument.
    pub fn to(&self, host: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.words()).args(["--", host]);
        command
    }

    /// `ssh` to a host of the site; the remote command is one more argument.
    pub fn command(&self, login: &LoginRow) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.words()).args(["-p", &login.port.to_string(), "-l", &login.user, "--", &login.address.to_string()]);
        command
    }

    /// The same as one line for `rsync -e`, which adds the host and splits at blanks outside of quotes.
    pub fn rsh(&self, login: &LoginRow) -> String {
        let port = login.port.to_string();
        let own = ["-p", &port, "-l", &login.user].map(str::to_owned);
        let words = std::iter::once("ssh".to_owned()).chain(self.words()).chain(own);
        words.map(|word| rsync_word(&word)).collect::<Vec<_>>().join(" ")
    }

    /// Runs a POSIX script as root at the other end, with an empty input.
    pub fn run(&self, host: &str, login: &LoginRow, script: impl AsRef<[u8]>, deadline: Duration) -> Result<Ran, Problem> {
        let script = script.as_ref();
        if script.len() > SCRIPT_BYTES_MAX {
            return Err(Problem::TooLong { host: host.to_owned(), bytes: script.len() });
        }
        let shell = if login.user == "root" { "exec sh -s" } else { "exec sudo -n sh -s" };
        let mark = mark();
        // Within a subshell `exit` ends the script alone, and nothing in it reads the rest of our input.
        let end = format!("\n)\nprintf '%s\\n' {mark}\npxelator_main </dev/null\nprintf '\\n%s %s\\n' {mark} $?\n");
        let whole = [b"pxelator_main() (\n", script, end.as_bytes()].concat();
        let mut command = self.command(login);
        let child = command.arg(shell).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(Problem::NoSsh)?;
        let collected = collect(child, whole, OUTPUT_BYTES_MAX, deadline).map_err(|stopped| Problem::stopped(host, stopped))?;
        let Collected { code, out, err } = collected;
        match between(&out, &mark) {
            Between::Whole(out, code) => Ok(Ran { code, out: out.to_vec(), err }),
            // The script began, and its end never came.
            Between::Cut => Err(Problem::Broke { host: host.to_owned(), said: last_line(&err) }),
            Between::Nothing => Err(Problem::of_ssh(host, login, code, &err)),
        }
    }
}

/// What stands between the marks, and the exit code behind the second.
enum Between<'a> {
    Whole(&'a [u8], i32),
    Cut,
    Nothing,
}

fn between<'a>(out: &'a [u8], mark: &str) -> Between<'a> {
    let find = |text: &[u8], what: &str| text.windows(what.len()).position(|window| window == what.as_bytes());
    let begin = format!("{mark}\n");
    let Some(rest) = find(out, &begin).and_then(|at| out.get(at + begin.len()..)) else { return Between::Nothing };
    let end = format!("\n{mark} ");
    let split = find(rest, &end).and_then(|at| Some((rest.get(..at)?, rest.get(at + end.len()..)?)));
    let whole = split.and_then(|(out, code)| Some((out, std::str::from_utf8(code).ok()?.trim().parse().ok()?)));
    whole.map_or(Between::Cut, |(out, code)| Between::Whole(out, code))
}

/// A word that no output holds by accident or on purpose: it is made anew for each script.
pub fn mark() -> String {
    let mut bytes = [0_u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    debug_assert!(filled.is_ok(), "the kernel has random bytes since its first second");
    bytes.iter().fold("pxelator-".to_owned(), |mark, byte| format!("{mark}{byte:02x}"))
}

/// A word for the shell at the other end.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The same for a name that may be no text.
pub fn quote_bytes(word: &[u8]) -> Vec<u8> {
    let inner: Vec<&[u8]> = word.split(|byte| *byte == b'\'').collect();
    [b"'", inner.join(b"'\\''".as_slice()).as_slice(), b"'"].concat()
}

/// A word of `rsync -e`, which knows quotes and doubles them within themselves (rsync(1)).
fn rsync_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@,+%".contains(c);
    if word.chars().all(plain) && !word.is_empty() { word.to_owned() } else { format!("'{}'", word.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_script_prints_is_left_out() {
        let whole = |out: &str| match between(out.as_bytes(), "M") {
            Between::Whole(out, code) => Some((String::from_utf8_lossy(out).into_owned(), code)),
            Between::Cut | Between::Nothing => None,
        };
        assert_eq!(whole("Welcome!\nM\none\ntwo\n\nM 3\n"), Some(("one\ntwo\n".into(), 3)));
        assert_eq!(whole("M\n\nM 0\n"), Some((String::new(), 0)));
        assert_eq!(whole("M\none\n"), None);
        assert_eq!(whole("Welcome!\n"), None);
    }

    #[test]
    fn words_survive_the_shells_between() {
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote_bytes(b"it's\xff"), b"'it'\\''s\xff'");
        assert_eq!(rsync_word("UserKnownHostsFile=/a b/'c'"), "'UserKnownHostsFile=/a b/''c'''");
        assert_eq!(rsync_word("-p"), "-p");
    }
}

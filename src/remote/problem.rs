//! What ssh, or the machine at the other end, has against us.

use std::time::Duration;

use super::{SCRIPT_BYTES_MAX, Stopped};
use crate::out::table::LoginRow;

/// How much of a complaint is shown, in characters.
const SHOWN_CHARS_MAX: usize = 300;

/// Each names the host as the site or the caller does, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("there is no program `ssh` on this machine: install openssh-client")]
    NoSsh(#[source] std::io::Error),
    #[error("{host} does not let you in ({said}): try `{try_it} true`; {mend}, or load your key with ssh-add")]
    Credentials { host: String, try_it: String, mend: &'static str, said: String },
    #[error(
        "{host} is not known to this machine, or is not the machine that it was ({said}): compare its key, and log in once with `{try_it}`"
    )]
    HostKey { host: String, try_it: String, said: String },
    #[error("{host} cannot be reached ({said}): {mend}")]
    Unreachable { host: String, mend: &'static str, said: String },
    #[error(
        "{user} on {host} may not become root without a password ({said}): give it NOPASSWD in sudoers there, or log in as root"
    )]
    NotRoot { host: String, user: String, said: String },
    #[error("{host} did not answer within {secs} s: see what it is busy with, and try again")]
    Slow { host: String, secs: u64 },
    #[error("{host} printed more than {bytes_max} bytes, so it was stopped")]
    TooMuch { host: String, bytes_max: usize },
    #[error("what {host} shall do is {bytes} bytes, more than {SCRIPT_BYTES_MAX}: spread it over fewer or smaller files")]
    TooLong { host: String, bytes: usize },
    #[error("the shell of {host} did not answer as a shell does ({said}): see what `{try_it} true` prints")]
    Strange { host: String, try_it: String, said: String },
    #[error("the connection to {host} broke ({said}): try again")]
    Broke { host: String, said: String },
    #[error("ssh to {host} could not be waited for")]
    Io { host: String, source: std::io::Error },
}

impl Problem {
    /// What went wrong before anything ran at a host of the site: 255 is ssh's own exit code.
    pub fn of_ssh(host: &str, login: &LoginRow, code: Option<i32>, complaints: &str) -> Problem {
        let port = if login.port == 22 { String::new() } else { format!(" -p {}", login.port) };
        let try_it = format!("ssh{port} {}@{}", login.user, login.address);
        let mends = (
            "name another user with `ssh user=` in the site",
            "read its address in the site, and see that it is up and runs sshd",
        );
        let (host, said) = (host.to_owned(), last_line(complaints));
        match code {
            Some(255) => Problem::of_255(host, try_it, mends, complaints),
            _ if complaints.contains("sudo") => Problem::NotRoot { host, user: login.user.clone(), said },
            _ => Problem::Strange { host, try_it, said },
        }
    }

    /// ssh's own failure; the mends are for credentials and for a host that cannot be reached.
    pub(crate) fn of_255(host: String, try_it: String, mends: (&'static str, &'static str), complaints: &str) -> Problem {
        let has = |words: &[&str]| words.iter().any(|word| complaints.contains(word));
        let said = last_line(complaints);
        if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION"]) {
            Problem::HostKey { host, try_it, said }
        } else if has(&["Permission denied", "Too many authentication failures"]) {
            Problem::Credentials { host, try_it, mend: mends.0, said }
        } else {
            Problem::Unreachable { host, mend: mends.1, said }
        }
    }

    pub(super) fn stopped(host: &str, stopped: Stopped) -> Problem {
        let host = host.to_owned();
        match stopped {
            Stopped::Slow(deadline) => Problem::Slow { host, secs: Duration::as_secs(&deadline) },
            Stopped::TooMuch(bytes_max) => Problem::TooMuch { host, bytes_max },
            Stopped::Io(source) => Problem::Io { host, source },
        }
    }
}

/// The last line that says anything; control characters are not for our terminal.
pub fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim().chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

//! A script has its run: by ssh on the machine, or inside its root on this boot server.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::script::{Mode, Script, rules, script};
use super::seen::{Seen, seen};
use crate::out::table::{LoginRow, RuleHostRow, Tables};
use crate::remote::{self, Collected, OUTPUT_BYTES_MAX, Problem, Ssh, Stopped, collect, last_line};

/// What the kernel calls the file systems of unions (statfs(2)).
const OVERLAYFS: u64 = 0x794c_7630;
const AUFS: u64 = 0x6175_6673;
/// What programs of a machine may do in its root: nothing that reaches beyond it.
const CAPABILITIES: &[&str] =
    &["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_KILL"];
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The script's own ends.
const UNFIT: i32 = 70;
const BUSY: i32 = 75;

/// Why nothing is known of a host.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Remote(#[from] Problem),
    #[error("another `pxelator rule apply` works on {host}: wait until it has ended, and try again")]
    Busy { host: String },
    #[error(
        "{host} has not what rules need ({said}): a writable /tmp and /run, and the programs timeout, stat, sha256sum, base64 and od"
    )]
    Unfit { host: String, said: String },
    #[error("the root of {host} is not mounted at {root}: run `pxelator storage apply {host}`")]
    NotMounted { host: String, root: String },
    #[error("the root of {host} is changed as root: run `sudo pxelator rule …`")]
    NotRoot { host: String },
    #[error("there is no program `bwrap` on this machine: install bubblewrap, and rules run inside overlays")]
    NoBubblewrap(#[source] io::Error),
    #[error("{host} took more than {secs} s inside its overlay, and was stopped")]
    Slow { host: String, secs: u64 },
    #[error("{host} printed more than {OUTPUT_BYTES_MAX} bytes inside its overlay, and was stopped")]
    TooMuch { host: String },
    #[error("cannot run anything inside the root of {host}")]
    Io { host: String, source: io::Error },
}

/// Looks up a host's rules, or brings them about.
pub fn run(row: &RuleHostRow, tables: &Tables, mode: Mode, ssh: &Ssh) -> Result<Vec<Seen>, Trouble> {
    let rules = rules(row, tables);
    let script = script(&rules, &tables.rule_texts, mode, row.root.is_some(), remote::mark());
    let (code, out, err) = match (&row.root, &row.login) {
        (Some(root), _) => inside(&row.host, root, &script, mode)?,
        (None, Some(login)) => away(&row.host, login, &script, ssh)?,
        // Every row has one of them.
        (None, None) => (UNFIT, Vec::new(), "no way to it is known".to_owned()),
    };
    match code {
        0 => Ok(seen(&rules, &script.nonce, &out)),
        BUSY => Err(Trouble::Busy { host: row.host.clone() }),
        _ => Err(Trouble::Unfit { host: row.host.clone(), said: last_line(&err) }),
    }
}

fn away(host: &str, login: &LoginRow, script: &Script, ssh: &Ssh) -> Result<(i32, Vec<u8>, String), Trouble> {
    let ran = ssh.run(host, login, &script.text, Duration::from_secs(script.secs))?;
    Ok((ran.code, ran.out, ran.err))
}

/// Inside a machine's root, with nothing of this server but the kernel: no network, no device, no other process.
fn inside(host: &str, root: &str, script: &Script, mode: Mode) -> Result<(i32, Vec<u8>, String), Trouble> {
    if !nix::unistd::Uid::effective().is_root() {
        return Err(Trouble::NotRoot { host: host.to_owned() });
    }
    if !is_union(Path::new(root)) {
        return Err(Trouble::NotMounted { host: host.to_owned(), root: root.to_owned() });
    }
    let failed = |source| Trouble::Io { host: host.to_owned(), source };
    let folder = File::open(root).map_err(failed)?;
    if mode == Mode::Apply && flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Trouble::Busy { host: host.to_owned() });
    }
    let known = Command::new("bwrap").arg("--version").stdin(Stdio::null()).output();
    known.map_err(|error| if error.kind() == io::ErrorKind::NotFound { Trouble::NoBubblewrap(error) } else { failed(error) })?;
    let child = bubblewrap(root).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // What it runs in turn names itself when it is missing.
    let child = child.map_err(|error| failed(io::Error::new(error.kind(), format!("unshare (util-linux): {error}"))))?;
    // Read as a whole before it runs: what it runs could eat the rest.
    let whole = format!("main() (\n{}\n)\nmain </dev/null\nexit $?\n", script.text);
    let collected = collect(child, whole.into_bytes(), OUTPUT_BYTES_MAX, Duration::from_secs(script.secs));
    let Collected { code, out, err } = collected.map_err(|stopped| match stopped {
        Stopped::Slow(_) => Trouble::Slow { host: host.to_owned(), secs: script.secs },
        Stopped::TooMuch(_) => Trouble::TooMuch { host: host.to_owned() },
        Stopped::Io(source) => failed(source),
    })?;
    Ok((code.unwrap_or(UNFIT), out, err))
}

fn is_union(root: &Path) -> bool {
    let kind = rustix::fs::statfs(root).map(|system| u64::try_from(system.f_type).unwrap_or(0));
    kind.is_ok_and(|kind| kind == OVERLAYFS || kind == AUFS)
}

/// Unions are mounted so that nothing in them runs on the server. Within this one command, in a mount of its own, it does.
const ALLOW: &str =
    "mount --bind -- \"$1\" \"$1\" && mount -o remount,bind,nosuid,nodev,exec -- \"$1\" && shift && exec bwrap \"$@\"";

fn bubblewrap(root: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", ALLOW, "sh", root]);
    command.args(["--bind", root, "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]);
    command.args(["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]);
    command.args(["--clearenv", "--setenv", "PATH", PATH, "--setenv", "HOME", "/root", "--chdir", "/"]);
    // Of a child of root bwrap keeps none but those that it is told to.
    command.args(CAPABILITIES.iter().flat_map(|name| ["--cap-add", name]));
    command.args(["sh", "-s"]);
    command
}

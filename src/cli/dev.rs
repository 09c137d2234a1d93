//! `dev`: a terminal for whoever writes a site: it is built as one saves, and served as it is built.
//!
//! ```text
//!  tmux session ─┬─ build --watch   findings, and out/
//!                ├─ dev --serve     serve, told by SIGHUP of each new out/
//!                └─ a shell         lines to try
//! ```
//! The server's pane is its log. The session knows its site's folder, so that no other site gets it.

use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use super::site::SiteArgs;
use super::{Failure, Outcome};
use crate::out::MANIFEST;
use crate::terminal::{print, say};

/// Where the server of a session keeps leases, in the site's folder.
const STATE: &str = ".pxelator-dev";
/// How soon a new out/ is served.
const LOOKED_EACH: Duration = Duration::from_millis(200);
/// How long a server may take to end.
const END_MAX: Duration = Duration::from_secs(10);
/// How long a tmux name becomes.
const NAME_CHARS_MAX: usize = 40;

/// Build and serve a site while you write it, in a tmux session
///
/// One pane builds whenever you save, one serves what was built on loopback, one is a shell with lines to
/// try. A save with errors leaves the last good one served. Leases lie in .pxelator-dev beside the site.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator dev                # attaches; Ctrl-B D leaves it running\n  pxelator dev --no-attach\n  pxelator dev --stop"
)]
pub(super) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    /// Start it, and say how to attach
    #[arg(long)]
    no_attach: bool,
    /// End the session and its server
    #[arg(long, conflicts_with = "no_attach")]
    stop: bool,
    /// Added to every port of the server
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    port_offset: u16,
    /// Serve here what is built: a pane of the session
    #[arg(long, hide = true, conflicts_with_all = ["no_attach", "stop"])]
    serve: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let folder = if args.site.folder().as_os_str().is_empty() { Path::new(".") } else { args.site.folder() };
    let folder = folder.canonicalize().map_err(|error| format!("cannot open {}: {error}", folder.display()))?;
    if args.serve {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(serve(&folder, args.port_offset)).map(|()| Outcome::Good);
    }
    if !args.site.site.is_file() {
        return Err(
            format!("there is no site {}: give its file, or write one with `pxelator init`", args.site.site.display()).into()
        );
    }
    let session = Session::of(&folder);
    let runs = session.runs()?;
    if args.stop {
        return if runs { session.stop() } else { Err(format!("no session {} runs", session.name).into()) };
    }
    if !runs {
        session.start(args)?;
    }
    if args.no_attach || !std::io::stdout().is_terminal() {
        let (word, name) = (if runs { "runs already" } else { "runs" }, &session.name);
        print(&format!("{name} {word}; attach: tmux attach -t ={name}; end: pxelator dev --stop\n"));
        return Ok(Outcome::Good);
    }
    session.attach()
}

struct Session {
    name: String,
    folder: PathBuf,
}

impl Session {
    fn of(folder: &Path) -> Session {
        let last = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // tmux takes a dot and a colon for its own.
        let name: String = last.chars().take(NAME_CHARS_MAX).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Session { name: format!("pxelator-{name}"), folder: folder.to_owned() }
    }

    /// Does it run, for this folder?
    fn runs(&self) -> Result<bool, Failure> {
        let of = tmux(&["show-options", "-v", "-t", &format!("={}:", self.name), "@pxelator"])?;
        match of.as_deref().map(str::trim_end) {
            None => Ok(false),
            Some(folder) if Path::new(folder) == self.folder => Ok(true),
            Some(folder) => {
                Err(format!("session {} is another site's, in {folder}: end it there with `pxelator dev --stop`", self.name)
                    .into())
            }
        }
    }

    fn start(&self, args: &Args) -> Result<(), Failure> {
        prepare(&self.folder.join(STATE))?;
        let program = std::env::current_exe()?.to_string_lossy().into_owned();
        let name = args.site.site.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (folder, offset) = (self.folder.to_string_lossy().into_owned(), args.port_offset.to_string());
        let to = format!("={}:", self.name);
        let must = |words: &[&str]| -> Result<(), Failure> {
            tmux(words)?.map(|_| ()).ok_or_else(|| format!("tmux refused: {}", words.join(" ")).into())
        };
        let size = ["-x", "200", "-y", "50"];
        must(
            &[&["new-session", "-d", "-s", &self.name, "-c", &folder], size.as_slice(), &[&program, "build", &name, "--watch"]]
                .concat(),
        )?;
        let rest = [
            vec!["set-option", "-t", &to, "@pxelator", &folder],
            vec!["set-option", "-w", "-t", &to, "remain-on-exit", "on"],
            vec![
                "split-window",
                "-d",
                "-h",
                "-t",
                &to,
                "-c",
                &folder,
                &program,
                "dev",
                &name,
                "--serve",
                "--port-offset",
                &offset,
            ],
            vec!["split-window", "-v", "-t", &to, "-c", &folder, "sh", "-c", HINTS, "sh", &offset],
        ];
        rest.iter().try_for_each(|words| must(words)).inspect_err(|_| {
            // What is half a session is none.
            let _gone_already = tmux(&["kill-session", "-t", &to]);
        })
    }

    fn attach(&self) -> Result<Outcome, Failure> {
        let word = if std::env::var_os("TMUX").is_some() { "switch-client" } else { "attach-session" };
        let status: ExitStatus = Command::new("tmux").args([word, "-t", &format!("={}", self.name)]).status()?;
        if status.success() { Ok(Outcome::Good) } else { Err(format!("tmux {word} ended with {status}").into()) }
    }

    /// Ends it, and waits until its programs are gone.
    fn stop(&self) -> Result<Outcome, Failure> {
        let to = format!("={}:", self.name);
        let panes = tmux(&["list-panes", "-s", "-t", &to, "-F", "#{pane_pid}"])?.unwrap_or_default();
        let programs: Vec<&str> = panes.lines().collect();
        tmux(&["kill-session", "-t", &to])?;
        let deadline = Instant::now() + END_MAX;
        while programs.iter().any(|pid| lives(pid)) {
            if Instant::now() > deadline {
                return Err(format!("session {} is gone, and a program of it still runs", self.name).into());
            }
            std::thread::sleep(LOOKED_EACH);
        }
        say(&format!("{} has ended; leases stay in {}", self.name, self.folder.join(STATE).display()));
        Ok(Outcome::Good)
    }
}

/// What has ended has no command line, even where nobody has asked how it ended.
fn lives(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// What the shell's pane begins with; `$1` is what ports have more.
const HINTS: &str = r#"printf '%s\n' "to try:" "  dig @127.0.0.1 -p $((53 + $1)) NAME" "  curl http://127.0.0.1:$((80 + $1))/" \
"  tftp -m binary 127.0.0.1 $((69 + $1)) -c get FILE" "  pxelator simulate HOST --arch bios" "  pxelator dev --stop"; exec "${SHELL:-/bin/sh}""#;

/// What tmux prints; `None` where it refuses.
fn tmux(words: &[&str]) -> Result<Option<String>, Failure> {
    let lacking = |error: std::io::Error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        if missing {
            "dev wants tmux, which is not installed: apt-get install tmux".to_owned()
        } else {
            format!("cannot run tmux: {error}")
        }
    };
    let output = Command::new("tmux").args(words).stdin(Stdio::null()).output().map_err(lacking)?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The folder of leases, which git leaves alone.
fn prepare(state: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", state.display());
    std::fs::create_dir_all(state).map_err(failed)?;
    std::fs::write(state.join(".gitignore"), "*\n").map_err(failed)?;
    Ok(())
}

/// Serves `out/` of a folder, and tells the server of each new one, until the session ends.
async fn serve(folder: &Path, offset: u16) -> Result<(), Failure> {
    let (mut hangup, mut terminate, mut interrupt) =
        (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut served = None;
    let mut server: Option<Child> = None;
    say("waiting for the first good build");
    loop {
        tokio::select! {
            _ = hangup.recv() => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(LOOKED_EACH) => {}
        }
        // Also one that was told of a new out/ before it listened for that.
        let ended = server.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if ended.is_some_and(|status| status.signal().is_some()) {
            (server, served) = (None, None);
        }
        let built = std::fs::read(folder.join("out").join(MANIFEST)).ok();
        if built.is_none() || built == served {
            continue;
        }
        let runs = server.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        match server.as_ref().and_then(pid).filter(|_| runs) {
            Some(pid) => kill(pid, Signal::SIGHUP)?,
            None => server = Some(child(folder, offset)?),
        }
        served = built;
    }
    let Some(mut child) = server else { return Ok(()) };
    if let Some(pid) = pid(&child) {
        let _gone_already = kill(pid, Signal::SIGTERM);
    }
    if tokio::time::timeout(END_MAX / 2, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

fn child(folder: &Path, offset: u16) -> Result<Child, Failure> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["serve", "--out", "out", "--state", STATE, "--port-offset", &offset.to_string()]);
    Ok(command.current_dir(folder).kill_on_drop(true).spawn()?)
}

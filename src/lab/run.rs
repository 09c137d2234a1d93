//! One boot, from power on to the verdict.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until};

use super::machine::{Firmware, qemu, serve, vm};
use super::network::Run;
use super::progress::Progress;
use super::site::{LabSite, prepare};
use super::{Error, Result, assets, failed, require, roots, router};
use crate::operate::vm::prepare as prepare_vm;
use crate::terminal::{chain, say, say_raw};

/// The longest line that we keep, in bytes, and how many may wait to be shown.
const LINE_BYTES_MAX: usize = 4096;
const LINES_WAITING: usize = 1024;
/// How long `serve` may take to bind its ports.
const SERVE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a machine with a root over NFS may take to turn itself off.
const POWER_OFF: Duration = Duration::from_secs(10);
/// The last line that `serve` logs before it serves.
const SERVING: &str = " serving ";

/// What to boot, and when it counts.
#[derive(Debug)]
pub struct Options {
    pub site: PathBuf,
    pub who: String,
    pub firmware: Firmware,
    /// What the serial log must show; the guest's own report, if absent.
    pub until: Option<Regex>,
    pub timeout: Duration,
    /// Where bases and changes lie, if they shall outlive the run.
    pub nfs: Option<PathBuf>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Booted,
    /// Why not.
    Failed(String),
}

/// A line from somewhere.
enum Line {
    Serial(String),
    Log(String),
    /// QEMU's own complaints.
    Machine(String),
}

/// Boots the machine; serial lines and the verdict go to the terminal. Everything is torn down at the end.
pub fn boot(options: &Options) -> Result<Verdict> {
    require()?;
    let mut tell = |text: &str| say(&format!("lab: {text}"));
    let cache = assets::cache();
    if !assets::is_ready(&cache) {
        tell("no kernel and guest in the cache yet: `pxelator lab init` runs now");
        assets::init(&cache, &mut tell)?;
    }
    let run = Run::begin()?;
    let site = prepare(options, &cache, &run.folder, &mut tell)?;
    if let Some((vm, disk)) = site.vm.as_ref().and_then(|vm| Some((vm, vm.disk.as_ref()?))) {
        prepare_vm::prepare(vm, disk, &run.folder).map_err(|error| Error::Unfit(chain(&error)))?;
        tell(&format!("a disk over the snapshot {}, with an identity of its own", disk.file));
    }
    run.network(&site)?;
    router::start(&run.namespace)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed("start", "the lab"))?;
    runtime.block_on(async {
        let roots = roots::begin(&site, &cache, &run, &mut tell)?;
        let verdict = watch(options, &site, &run).await;
        if let Some(roots) = roots {
            roots.end().await;
        }
        verdict
    })
}

/// The report that the guest must give: name and address from DHCP, and the same from DNS.
fn marker(site: &LabSite) -> String {
    if site.vm.is_some() {
        // Its system is not ours, and knows no report: it has started when it took its address.
        let address = site.address.map_or_else(String::new, |address| regex::escape(&address.to_string()) + "$");
        return format!("^DHCP grants {address}");
    }
    let root = site.root.as_ref().map_or(String::new(), |root| format!(".* root={}$", regex::escape(root)));
    let report = match (&site.host, site.address) {
        // The guest asks the first server that it is told; only of ours do we know the answer.
        (Some(host), Some(address)) if site.network.dns.first() != Some(&site.server) => {
            format!("^PXELATOR-LAB host={} domain=[^ ]+ address={} ", regex::escape(host), regex::escape(&address.to_string()))
        }
        (Some(host), Some(address)) => {
            let (name, dots, domain) =
                (regex::escape(host), regex::escape(&address.to_string()), regex::escape(&site.network.domain));
            format!("^PXELATOR-LAB host={name} domain={domain} address={dots} dns={dots} ptr={name}\\.{domain} ")
        }
        (Some(host), None) => format!("^PXELATOR-LAB host={} ", regex::escape(host)),
        (None, _) => "^PXELATOR-LAB host=".into(),
    };
    report + &root
}

async fn watch(options: &Options, site: &LabSite, run: &Run) -> Result<Verdict> {
    let own = Regex::new(&marker(site)).map_err(|error| Error::Unfit(error.to_string()))?;
    let until = options.until.as_ref().unwrap_or(&own);
    let (sender, mut lines) = mpsc::channel(LINES_WAITING);
    let mut server = serve(run, &site.out)?;
    forward(server.stderr.take(), sender.clone(), Line::Log);
    wait_for_serve(&mut lines, &mut server).await?;
    let mut progress = Progress::begin();
    let mut machine = match &site.vm {
        Some(row) => vm(run, row)?,
        None => qemu(run, &site.mac, options.firmware)?,
    };
    forward(machine.stdout.take(), sender.clone(), Line::Serial);
    forward(machine.stderr.take(), sender, Line::Machine);
    let verdict = wait(options, until, &mut lines, &mut machine, &mut progress).await?;
    progress.hide();
    say_raw(&progress.summary());
    if verdict == Verdict::Booted && site.root.is_some() {
        // It wrote to its root, and turns itself off: as on any day.
        let _or_not = tokio::time::timeout(POWER_OFF, machine.wait()).await;
    }
    end(machine).await;
    end(server).await;
    Ok(verdict)
}

async fn wait_for_serve(lines: &mut mpsc::Receiver<Line>, server: &mut Child) -> Result<()> {
    let deadline = Instant::now() + SERVE_PATIENCE;
    let mut said = Vec::new();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(Line::Log(line)) if line.contains(SERVING) => return Ok(()),
                Some(Line::Log(line)) => said.push(line),
                Some(Line::Serial(_) | Line::Machine(_)) => {}
                None => break,
            },
            _ = server.wait() => break,
            () = sleep_until(deadline) => break,
        }
    }
    while let Ok(Line::Log(line)) = lines.try_recv() {
        said.push(line);
    }
    Err(Error::Command { command: "pxelator serve".into(), output: said.join("\n") })
}

/// Until the marker, a failure, the end of the machine, the timeout, or a signal.
async fn wait(
    options: &Options,
    until: &Regex,
    lines: &mut mpsc::Receiver<Line>,
    machine: &mut Child,
    progress: &mut Progress,
) -> Result<Verdict> {
    let listen = |kind| signal(kind).map_err(failed("listen to", "signals"));
    let (mut interrupt, mut terminate, mut hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    let deadline = Instant::now() + options.timeout;
    let mut tick = interval(Duration::from_millis(250));
    let mut complaints: Vec<String> = Vec::new();
    loop {
        tokio::select! {
            biased;
            line = lines.recv() => match line {
                Some(Line::Log(line)) => {
                    progress.log(&line);
                    if progress.last().is_some_and(|last| until.is_match(last)) {
                        return Ok(Verdict::Booted);
                    }
                }
                Some(Line::Machine(line)) => complaints.push(line),
                Some(Line::Serial(line)) => {
                    progress.hide();
                    println!("{line}");
                    if until.is_match(&line) {
                        progress.milestone(format!("seen: {line}"));
                        return Ok(Verdict::Booted);
                    }
                    if line.starts_with("PXELATOR-LAB ") && options.until.is_none() {
                        return Ok(Verdict::Failed(format!("the guest reports something else than {until}")));
                    }
                }
                None => return Ok(Verdict::Failed(ended(&complaints))),
            },
            _ = interrupt.recv() => return Ok(Verdict::Failed("interrupted".into())),
            _ = terminate.recv() => return Ok(Verdict::Failed("terminated".into())),
            _ = hangup.recv() => return Ok(Verdict::Failed("the terminal went away".into())),
            () = sleep_until(deadline) => {
                return Ok(Verdict::Failed(format!("no line matched {until} within {} s", options.timeout.as_secs())));
            }
            _ = machine.wait() => {
                drain(lines, until, progress, &mut complaints);
                let booted = progress.summary().contains("seen: ");
                return Ok(if booted { Verdict::Booted } else { Verdict::Failed(ended(&complaints)) });
            }
            _ = tick.tick() => progress.show(until.as_str()),
        }
    }
}

fn ended(complaints: &[String]) -> String {
    let why = if complaints.is_empty() { "its last lines are above".to_owned() } else { complaints.join("; ") };
    format!("the machine turned itself off before the line was seen: {why}")
}

/// What the machine said in its last moment.
fn drain(lines: &mut mpsc::Receiver<Line>, until: &Regex, progress: &mut Progress, complaints: &mut Vec<String>) {
    while let Ok(line) = lines.try_recv() {
        match line {
            Line::Serial(line) => {
                println!("{line}");
                if until.is_match(&line) {
                    progress.milestone(format!("seen: {line}"));
                }
            }
            Line::Log(line) => progress.log(&line),
            Line::Machine(line) => complaints.push(line),
        }
    }
}

async fn end(mut child: Child) {
    let _gone_already = child.start_kill();
    let _gone_already = child.wait().await;
}

/// Reads lines from a child, without control characters, into the channel.
fn forward(from: Option<impl AsyncRead + Unpin + Send + 'static>, to: mpsc::Sender<Line>, kind: fn(String) -> Line) {
    let Some(from) = from else { return };
    tokio::spawn(async move {
        let mut reader = BufReader::new(from);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            // A line without an end must not fill the memory: it is cut.
            match (&mut reader).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = plain(&bytes);
            if !line.is_empty() && to.send(kind(line)).await.is_err() {
                return;
            }
        }
    });
}

/// Text without the escape sequences with which firmware paints its screens, cut at a limit.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(LINE_BYTES_MAX)).unwrap_or_default());
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {
                // CSI … letter; other sequences have one character.
                if chars.next() == Some('[') {
                    while chars.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                    chars.next();
                }
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_paint_is_taken_off() {
        assert_eq!(plain(b"\x1b[2J\x1b[01;01HBdsDxe: loading\r\n"), "BdsDxe: loading");
        assert_eq!(plain(b"\x1b"), "");
    }
}

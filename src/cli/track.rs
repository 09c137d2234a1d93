//! `track`: folders of machines that already run, in git on this boot server.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Subcommand;

use super::moments::time;
use super::out_args::OutArgs;
use super::ssh_args::SshArgs;
use super::{Failure, Outcome};
use crate::event::{Event, Record};
use crate::operate::audit;
use crate::operate::track::{Order, Place, Pulled, chosen, differences, log, pull_all, restore, row_of, untold};
use crate::out::table::{Tables, TrackRow};
use crate::serve::clock::Clock;
use crate::terminal::{chain, print, print_on, say};

/// Who wants it, as events say it.
const BY: &str = "operator";
/// How much of a commit's name is shown.
const SHORT: usize = 12;

/// Keep folders of machines that already run in git, tell what changed, and put it back
///
/// Reads track/hosts.jsonl of a built out/. Logs in by ssh with the keys of whoever runs it, and fetches with
/// rsync. All is kept in track/ of the state folder.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pull(PullArgs),
    List(ListArgs),
    Log(LogArgs),
    Diff(DiffArgs),
    Restore(RestoreArgs),
}

/// Fetch the folders of hosts, and keep what is otherwise than before as one commit for each host
///
/// A pull that breaks keeps nothing; the next one goes on where it ended.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator track pull          # all hosts\n  pxelator track pull nas\n  systemctl enable --now pxelator-track.timer   # every night"
)]
struct PullArgs {
    /// The hosts; all if absent
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ssh: SshArgs,
}

/// List the hosts, their folders, and how their last pull ended
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    common: Common,
}

/// List commits, the newest first
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator track log nas\n  pxelator track log nas /etc/fstab   # those that changed this file, or what lies below this folder"
)]
struct LogArgs {
    /// The host; all if absent
    #[arg(value_name = "HOST")]
    host: Option<String>,
    /// A file or folder on it
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
    #[command(flatten)]
    common: Common,
}

/// Tell what changed on a host: permissions and owners in words, texts line by line
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator track diff nas              # what the last pull found\n  pxelator track diff nas --since 7d\n  pxelator track diff nas --since 3f2a1b2c9d10"
)]
struct DiffArgs {
    /// The host
    #[arg(value_name = "HOST")]
    host: String,
    /// Since a commit or a time: 7d ago, 2026-11-25, 2026-11-25T07:30:00+01:00
    #[arg(long, value_name = "COMMIT|WHEN")]
    since: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Put a file or folder back as it was, with its permissions and owner
///
/// What the host has now is pulled first, so that nothing is lost. Files that came into a folder since are
/// deleted there; what is not tracked is left alone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator track restore nas /etc/fstab --dry-run\n  pxelator track restore nas /etc/fstab   # as at the last pull\n  pxelator track restore nas /etc/nginx --to 3f2a1b2c9d10"
)]
struct RestoreArgs {
    /// The host
    #[arg(value_name = "HOST")]
    host: String,
    /// A file or folder on it
    #[arg(value_name = "PATH")]
    path: OsString,
    /// As it was in a commit or at a time; as at the last pull if absent
    #[arg(long, value_name = "COMMIT|WHEN")]
    to: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ssh: SshArgs,
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    out: OutArgs,
    /// Where it is kept
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
}

impl Common {
    fn tables(&self) -> Result<Tables, Failure> {
        Ok(Tables::read(&self.out.open()?.files)?)
    }

    fn place(&self) -> Place {
        Place::new(&self.state)
    }

    /// What is done by hand is in the audit too; it is done all the same where that cannot be written.
    fn record(&self, events: Vec<Event>) {
        let at = Clock::default().now().as_microsecond();
        let records: Vec<Record> = events.into_iter().map(|event| Record { at, event }).collect();
        if let Err(error) = audit::append(&self.state, &records) {
            say(&format!(
                "warning: this is not kept in the audit: {}; give the --state of `pxelator serve`, and run it as root or as its user",
                chain(&error)
            ));
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::Pull(args) => pull(args),
        Command::List(args) => list(args),
        Command::Log(args) => show_log(args),
        Command::Diff(args) => diff(args),
        Command::Restore(args) => put_back(args),
    }
}

fn micros() -> i64 {
    Clock::default().now().as_microsecond()
}

fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

fn pull(args: &PullArgs) -> Result<Outcome, Failure> {
    let tables = args.common.tables()?;
    let rows = chosen(tables.tracked.values(), &args.hosts)?;
    if rows.is_empty() {
        say("nothing to do: the site has no `track` line");
        return Ok(Outcome::Good);
    }
    let held = args.common.place().hold()?;
    let (mut failed, mut events) = (0_usize, Vec::new());
    pull_all(&held, &args.ssh.ssh(), &rows, micros, |row, done| {
        let host = row.host.clone();
        match done {
            Ok(pulled) => {
                tell(row, &pulled);
                let what = if pulled.commit.is_some() { pulled.counts.to_string() } else { "nothing changed".to_owned() };
                events.push(Event::MachinePulled { host, commit: pulled.commit, by: BY.into(), what });
            }
            Err(error) => {
                failed += 1;
                say(&format!("error: {}", chain(&error)));
                events.push(Event::MachineNotPulled { host, by: BY.into(), why: chain(&error) });
            }
        }
    });
    drop(held);
    if !events.is_empty() {
        args.common.record(events);
    }
    if failed > 0 && rows.len() > 1 {
        say(&format!("{} of {} hosts were pulled", rows.len() - failed, rows.len()));
    }
    Ok(if failed == 0 { Outcome::Good } else { Outcome::Errors })
}

fn tell(row: &TrackRow, pulled: &Pulled) {
    pulled.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    match &pulled.commit {
        Some(commit) => print(&format!("{}: {}, commit {}\n", row.host, pulled.counts, short(commit))),
        None => print(&format!("{}: nothing changed\n", row.host)),
    }
}

fn list(args: &ListArgs) -> Result<Outcome, Failure> {
    let tables = args.common.tables()?;
    for row in tables.tracked.values() {
        let folders: Vec<&str> = row.folders.iter().map(|folder| folder.folder.as_str()).collect();
        let last = match args.common.place().last(&row.host) {
            None => "not pulled yet".to_owned(),
            Some(last) => {
                let at = moment(last.at / 1_000_000);
                last.error
                    .map_or_else(|| format!("pulled {at}"), |error| format!("failed {at}: {}", crate::terminal::escaped(&error)))
            }
        };
        print(&format!("{}: {} ({}@{}); {last}\n", row.host, folders.join(", "), row.login.user, row.login.address));
    }
    Ok(Outcome::Good)
}

/// `2026-11-29 07:30:00 UTC`
fn moment(secs: i64) -> String {
    jiff::Timestamp::from_second(secs).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A host of the site, or one that is in the repository alone.
fn host_of(common: &Common, name: &str) -> Result<String, Failure> {
    let tables = common.tables()?;
    let known = row_of(tables.tracked.values(), name).map(|row| row.host.clone());
    // A host that left the site leaves its history.
    let name = known.or_else(|error| match common.place().repository() {
        Ok(repository) if !log(&repository, Some(name), None)?.is_empty() => Ok(name.to_owned()),
        Ok(_) | Err(_) => Err(error),
    })?;
    Ok(name)
}

/// A path as it was given, but for slashes at its end.
fn whole(path: &OsStr) -> &[u8] {
    let bytes = path.as_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(1, |at| at + 1);
    bytes.get(..end).unwrap_or(bytes)
}

fn show_log(args: &LogArgs) -> Result<Outcome, Failure> {
    let host = args.host.as_ref().map(|host| host_of(&args.common, host)).transpose()?;
    let repository = args.common.place().repository()?;
    let path = args.path.as_deref().map(whole);
    let lines = log(&repository, host.as_deref(), path)?;
    if let (true, Some(host), Some(path)) = (lines.is_empty(), &host, path) {
        let tables = args.common.tables()?;
        let row = row_of(tables.tracked.values(), host).ok();
        return Err(untold(&repository, row, host, path)?.into());
    }
    for line in &lines {
        if print_on(&format!("{}  {}  {}\n", line.short(), moment(line.at), line.subject)).is_break() {
            break;
        }
    }
    if lines.is_empty() {
        say("no commits");
    }
    Ok(Outcome::Good)
}

fn diff(args: &DiffArgs) -> Result<Outcome, Failure> {
    let host = host_of(&args.common, &args.host)?;
    let repository = args.common.place().repository()?;
    let lines = log(&repository, Some(&host), None)?;
    let Some(newest) = lines.first() else {
        return Err(crate::operate::track::Error::NothingOf { host }.into());
    };
    let from = match &args.since {
        Some(since) => repository.at(&host, since, time(since).ok().map(|at| at / 1_000_000))?,
        None => lines.get(1).map(|line| line.commit.clone()),
    };
    let told = differences(&repository, &host, from.as_deref(), &newest.commit)?;
    let since = from.as_deref().map_or_else(|| "nothing".to_owned(), |from| short(from).to_owned());
    say(&format!("{host}: from {since} to {}", newest.short()));
    for line in told {
        if print_on(&format!("{line}\n")).is_break() {
            break;
        }
    }
    Ok(Outcome::Good)
}

fn put_back(args: &RestoreArgs) -> Result<Outcome, Failure> {
    let tables = args.common.tables()?;
    let row = row_of(tables.tracked.values(), &args.host)?;
    let place = args.common.place();
    let repository = place.repository()?;
    let to = match &args.to {
        Some(text) => {
            let moment = time(text).ok().map(|at| at / 1_000_000);
            let none = || crate::operate::track::Error::NoCommit { text: text.clone() };
            Some(repository.at(&row.host, text, moment)?.ok_or_else(none)?)
        }
        None => None,
    };
    let held = place.hold()?;
    let order = Order { row, path: whole(&args.path), to, is_dry: args.dry_run };
    let mut begun = None;
    let done = restore(&held, &args.ssh.ssh(), &order, &mut |commit| begun = Some(commit.to_owned()));
    drop(held);
    let path = String::from_utf8_lossy(order.path).into_owned();
    let done = match (done, begun) {
        (Err(error), Some(commit)) => {
            let (host, why) = (row.host.clone(), chain(&error));
            args.common.record(vec![Event::PathHalfRestored { host, path, commit, by: BY.into(), why }]);
            return Err(error.into());
        }
        (done, _) => done?,
    };
    done.lines.iter().chain(&done.left).for_each(|line| print(&format!("{line}\n")));
    if args.dry_run {
        say(&format!("nothing was done; {} would be as in commit {}", row.host, short(&done.commit)));
        return Ok(Outcome::Good);
    }
    if done.lines.is_empty() {
        say(&format!("nothing to do: {} is as in commit {}", row.host, short(&done.commit)));
        return Ok(Outcome::Good);
    }
    args.common.record(vec![Event::PathRestored { host: row.host.clone(), path, commit: done.commit.clone(), by: BY.into() }]);
    say(&format!("{} is as in commit {}; what it was before is commit {}", row.host, short(&done.commit), short(&done.before)));
    Ok(Outcome::Good)
}

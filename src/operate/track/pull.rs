//! One host's folders into its mirror, and the mirror into one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::git::{Blob, Repository, no_program};
use super::meta::Metas;
use super::{Error, FILE_BYTES_MAX, HOST_SECS_MAX, Held, PRINTED_BYTES_MAX, Place, Result, SILENCE_SECS_MAX, failed, mirror};
use crate::out::table::{LoginRow, TrackRow, TrackedFolder, json};
use crate::remote::{Collected, Problem, Ssh, Stopped, collect, last_line, quote};
use crate::store;

/// How many hosts are pulled at once.
pub const SIDE_BY_SIDE_MAX: usize = 8;
/// How long the machine may take to say whether it has the folders.
const LOOK_SECS_MAX: u64 = 60;
const LAST_BYTES_MAX: u64 = 64 << 10;
/// How many paths of a kind are named; the rest are counted.
const NAMED_MAX: usize = 10;

/// What a pull brought.
#[derive(Debug)]
pub struct Pulled {
    /// `None` where nothing was otherwise than before.
    pub commit: Option<String>,
    pub counts: Counts,
    /// What is not kept, and why.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub changed: usize,
    pub added: usize,
    pub deleted: usize,
}

/// How the last pull of a host ended: `hosts/HOST.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Last {
    /// Microseconds since 1970.
    pub at: i64,
    /// Why it failed.
    pub error: Option<String>,
}

impl Counts {
    fn all(self) -> usize {
        self.changed + self.added + self.deleted
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let all = [one(self.changed, "changed"), one(self.added, "added"), one(self.deleted, "deleted")];
        f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Place {
    /// How the last pull ended; nothing where there was none.
    pub fn last(&self, host: &str) -> Option<Last> {
        let bytes = store::serials::read_state(&self.last_file(host), LAST_BYTES_MAX).ok()??;
        serde_json::from_slice(&bytes).ok()
    }
}

/// Pulls hosts side by side; `tell` hears each as it ends, and `Ok` is what it brought.
pub fn pull_all(held: &Held, ssh: &Ssh, rows: &[&TrackRow], now: fn() -> i64, mut tell: impl FnMut(&TrackRow, Result<Pulled>)) {
    let (next, commits) = (Mutex::new(rows.iter()), Mutex::new(()));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE_MAX.min(rows.len()) {
            let (next, commits, sender) = (&next, &commits, sender.clone());
            scope.spawn(move || {
                let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some(row) = take() {
                    let done = pull(held, ssh, row, commits);
                    let error = done.as_ref().err().map(|error| crate::terminal::chain(error));
                    let last = json(&Last { at: now(), error });
                    // A pull that is kept is kept, whether or not this can be written.
                    let _told_by_the_commit = store::out::replace_file(&held.place.last_file(&row.host), &last);
                    let _nobody_listens = sender.send((*row, done));
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(|(row, done)| tell(row, done));
    });
    if let Ok(repository) = held.place.repository() {
        repository.tidy();
    }
}

/// What lies in the mirror of a host once rsync ended well.
pub(super) struct Brought {
    pub(super) entries: Vec<mirror::Entry>,
    /// Paths that are too large to be kept.
    pub(super) large: BTreeSet<Vec<u8>>,
    /// Paths whose names git refuses.
    refused: Vec<Vec<u8>>,
}

impl Brought {
    pub(super) fn metas(self) -> Metas {
        self.entries.into_iter().map(|entry| (entry.path, entry.meta)).collect()
    }
}

/// Brings the mirror of a host up to date; no commit is made.
pub(super) fn bring(held: &Held, ssh: &Ssh, row: &TrackRow) -> Result<Brought> {
    look(ssh, row)?;
    let mirror = held.place.mirror(&row.host);
    fs::create_dir_all(&mirror).map_err(failed("make", &mirror))?;
    let until = Instant::now() + Duration::from_secs(HOST_SECS_MAX);
    let mut large = BTreeSet::new();
    for folder in &row.folders {
        large.extend(fetch(held, ssh, row, folder, &mirror, until)?);
    }
    let folders: Vec<&str> = row.folders.iter().map(|folder| folder.folder.as_str()).collect();
    let mut refused = Vec::new();
    let entries = mirror::scan(&row.host, &mirror, &folders, &large, &mut refused)?;
    Ok(Brought { entries, large, refused })
}

/// One host; nobody else makes a commit meanwhile.
pub(super) fn pull(held: &Held, ssh: &Ssh, row: &TrackRow, commits: &Mutex<()>) -> Result<Pulled> {
    commit(held, row, bring(held, ssh, row)?, commits)
}

/// What was brought becomes a commit, where anything is otherwise.
pub(super) fn commit(held: &Held, row: &TrackRow, brought: Brought, commits: &Mutex<()>) -> Result<Pulled> {
    let large: Vec<Vec<u8>> = brought.large.iter().cloned().collect();
    let warnings = [
        warning(&row.host, &large, &format!("larger than {} MiB, and not kept", FILE_BYTES_MAX >> 20)),
        warning(&row.host, &brought.refused, "of a name that git refuses, and not kept"),
    ];
    let scratch = held.place.folder.join("scratch");
    let repository = held.place.repository()?;
    let _one_at_a_time = commits.lock().unwrap_or_else(PoisonError::into_inner);
    let files = repository.write(&brought.entries)?;
    let metas = brought.metas();
    let (commit, counts) = keep(&repository, row, &files, &metas, &scratch)?;
    Ok(Pulled { commit, counts, warnings: warnings.into_iter().flatten().collect() })
}

fn warning(host: &str, paths: &[Vec<u8>], what: &str) -> Option<String> {
    let shown = |path: &Vec<u8>| crate::terminal::escaped(&String::from_utf8_lossy(path).replace('\n', "\\n"));
    let names: Vec<String> = paths.iter().take(NAMED_MAX).map(shown).collect();
    let more = if paths.len() > NAMED_MAX { format!(" and {} more", paths.len() - NAMED_MAX) } else { String::new() };
    let verb = if paths.len() == 1 { "is" } else { "are" };
    (!paths.is_empty()).then(|| format!("{}{more} of {host} {verb} {what}", names.join(", ")))
}

/// Makes a commit where anything is otherwise.
fn keep(
    repository: &Repository,
    row: &TrackRow,
    files: &BTreeMap<Vec<u8>, Blob>,
    metas: &Metas,
    scratch: &Path,
) -> Result<(Option<String>, Counts)> {
    let head = repository.head()?;
    let (old_files, old_metas) = match &head {
        Some(head) => (repository.files(head, &row.host)?, repository.metas(head, &row.host)?),
        None => Default::default(),
    };
    let mut counts = Counts::default();
    for (path, meta) in metas {
        match old_metas.get(path) {
            None => counts.added += 1,
            Some(old) if old != meta || old_files.get(path).map(|blob| &blob.id) != files.get(path).map(|blob| &blob.id) => {
                counts.changed += 1
            }
            Some(_) => {}
        }
    }
    counts.deleted = old_metas.keys().filter(|path| !metas.contains_key(*path)).count();
    if counts.all() == 0 {
        return Ok((None, counts));
    }
    let tree = repository.tree(&row.host, files, metas, scratch)?;
    let LoginRow { address, port, user } = &row.login;
    let folders: Vec<&str> = row.folders.iter().map(|folder| folder.folder.as_str()).collect();
    let message = format!("{}: {counts}\n\nPulled from {user}@{address}, port {port}: {}\n", row.host, folders.join(", "));
    Ok((Some(repository.commit(&tree, &message)?), counts))
}

/// Whether the machine lets us in, has rsync, and has the folders; before anything is touched.
fn look(ssh: &Ssh, row: &TrackRow) -> Result<()> {
    let folders: Vec<String> = row.folders.iter().map(|folder| quote(&folder.folder)).collect();
    let script = format!(
        "command -v rsync >/dev/null 2>&1 || {{ echo no-rsync; exit; }}\nat=0\nfor folder in {}; do\n  at=$((at+1))\n  if [ -h \"$folder\" ]; then echo \"link $at\"; elif [ -d \"$folder\" ]; then :; elif [ -e \"$folder\" ]; then echo \"file $at\"; else echo \"absent $at\"; fi\ndone\n",
        folders.join(" ")
    );
    let ran = ssh.run(&row.host, &row.login, &script, Duration::from_secs(LOOK_SECS_MAX))?;
    let host = row.host.clone();
    let Some(line) = String::from_utf8_lossy(&ran.out).lines().next().map(str::to_owned) else { return Ok(()) };
    if line == "no-rsync" {
        return Err(Error::NoRsync { host });
    }
    let (word, at) = line.split_once(' ').unwrap_or_default();
    let folder = at.parse::<usize>().ok().and_then(|at| row.folders.get(at.checked_sub(1)?));
    let Some(folder) = folder.map(|folder| folder.folder.clone()) else {
        return Err(Error::Rsync { host, said: last_line(&line) });
    };
    let what = match word {
        "link" => ": it is a link to another place",
        "file" => ": it is a file",
        _ => "",
    };
    Err(Error::NoFolder { host, folder, what })
}

/// Fetches one folder; the paths that were too large.
///
/// Twice: a file may change and keep its size and its second, so the second time every content is compared. Files
/// that the first one found too large are then no matter of rsync, which would read them whole.
fn fetch(held: &Held, ssh: &Ssh, row: &TrackRow, folder: &TrackedFolder, mirror: &Path, until: Instant) -> Result<Vec<Vec<u8>>> {
    let mut args: Vec<String> =
        ["-aHAX", "--no-D", "--delete", "--delete-excluded", "--info=skip1,nonreg0"].map(str::to_owned).into();
    args.push(format!("--max-size={FILE_BYTES_MAX}"));
    args.extend(folder.filters());
    let mut large = transfer(held, ssh, row, (folder, &args), mirror, until)?;
    let list = held.place.folder.join("scratch").join(format!("large-{}", row.host));
    let named: Vec<Vec<u8>> = large.iter().map(|path| literal(path)).collect();
    fs::write(&list, named.concat()).map_err(failed("write", &list))?;
    args.extend(["--checksum".to_owned(), "--from0".to_owned()]);
    let exclude = format!("--exclude-from={}", list.display());
    args.push(exclude);
    large.extend(transfer(held, ssh, row, (folder, &args), mirror, until)?);
    let _emptied_before_the_next = fs::remove_file(&list);
    Ok(large)
}

/// A path as a pattern of rsync that names it alone, with the zero behind it.
fn literal(path: &[u8]) -> Vec<u8> {
    let is_wild = path.iter().any(|byte| b"*?[".contains(byte));
    let mut out = Vec::new();
    for byte in path {
        // Where nothing in it is wild, rsync takes a backslash as one.
        out.extend((is_wild && b"*?[\\".contains(byte)).then_some(b'\\'));
        out.push(*byte);
    }
    out.push(0);
    out
}

fn transfer(
    held: &Held,
    ssh: &Ssh,
    row: &TrackRow,
    (folder, args): (&TrackedFolder, &[String]),
    mirror: &Path,
    until: Instant,
) -> Result<Vec<Vec<u8>>> {
    // A file may go away between its name and its bytes: once is an accident.
    for _ in 0..2 {
        let mut command = rsync(ssh, &row.login);
        command.args(args).arg("--").arg(format!("{}:{}", row.login.address, folder.folder)).arg(mirror);
        let done = run(command, held, &row.host, until)?;
        match done.code {
            Some(0) => return Ok(large(&done.out)),
            Some(24) => {}
            _ => return Err(trouble(row, mirror, &done)),
        }
    }
    Err(Error::Vanished { host: row.host.clone() })
}

/// rsync with what each of our calls has.
pub(super) fn rsync(ssh: &Ssh, login: &LoginRow) -> Command {
    let mut command = Command::new("rsync");
    command.env("LC_ALL", "C").args(["--numeric-ids", "--fake-super", "--relative", "-s"]);
    command.arg(format!("--timeout={SILENCE_SECS_MAX}")).arg(format!("--rsh={}", ssh.rsh(login)));
    if login.user != "root" {
        command.arg("--rsync-path=sudo -n rsync");
    }
    command
}

/// Runs it to its end. It holds our lock: whoever comes after us, should we be killed, waits for it.
pub(super) fn run(mut command: Command, held: &Held, host: &str, until: Instant) -> Result<Collected> {
    let lock = held.lock.try_clone().map_err(failed("share", held.place.folder.join("lock")))?;
    let child = command.stdin(Stdio::from(lock)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(no_program("rsync"))?;
    let left = until.saturating_duration_since(Instant::now());
    collect(child, Vec::new(), PRINTED_BYTES_MAX, left).map_err(|stopped| match stopped {
        Stopped::Slow(_) => Error::Slow { host: host.to_owned() },
        Stopped::TooMuch(_) => Error::TooMany { host: host.to_owned() },
        Stopped::Io(source) => failed("wait for", "rsync")(source),
    })
}

/// Why rsync ended badly.
fn trouble(row: &TrackRow, mirror: &Path, done: &Collected) -> Error {
    let host = row.host.clone();
    if done.err.contains("xattr") && done.err.contains("not supported") {
        return Error::NoAttributes { path: mirror.to_owned() };
    }
    // That it cannot resolve its own name is no more than a warning of sudo.
    let refuses = |line: &&str| line.starts_with("sudo:") && !line.contains("unable to resolve");
    if let Some(said) = done.err.lines().find(refuses) {
        return Problem::NotRoot { host, user: row.login.user.clone(), said: last_line(said) }.into();
    }
    match done.code {
        // 10, 12, 30 and 35: the stream broke or stood still; 255 is ssh's.
        Some(10 | 12 | 30 | 35 | 255) | None => Problem::Broke { host, said: said(&done.err) }.into(),
        _ => Error::Rsync { host, said: said(&done.err) },
    }
}

/// The line that says what was the matter: the first of rsync, for its last ones say that this was the end;
/// otherwise the last of ssh, before which a machine may greet.
pub(super) fn said(complaints: &str) -> String {
    let is_end = |line: &str| line.starts_with("rsync error:") || line.starts_with("rsync: connection unexpectedly closed");
    let all: Vec<&str> = complaints.lines().filter(|line| !line.trim().is_empty() && !is_end(line)).collect();
    let full = all.iter().find(|line| line.contains("No space left") || line.contains("Disk quota exceeded"));
    let first = full.or_else(|| all.iter().find(|line| line.starts_with("rsync:")));
    last_line(first.or(all.last()).copied().unwrap_or(complaints))
}

/// The paths of `PATH is over max-size`, in which rsync writes odd bytes as `\#ooo`.
fn large(printed: &[u8]) -> Vec<Vec<u8>> {
    let lines = printed.split(|byte| *byte == b'\n');
    lines.filter_map(|line| Some([b"/", plain(line.strip_suffix(b" is over max-size")?).as_slice()].concat())).collect()
}

/// A name as rsync prints it, in its own bytes.
pub(super) fn plain(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let digits = rest.strip_prefix(b"\\#").and_then(|tail| tail.get(..3));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { rest.get(5..).unwrap_or_default() } else { tail };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_too_large_are_read_from_what_rsync_prints() {
        let printed = b"etc/big is over max-size\nsending incremental file list\netc/a\\#012b\\#377 is over max-size\netc/\\#x is over max-size\n";
        assert_eq!(large(printed), [b"/etc/big".to_vec(), b"/etc/a\nb\xff".to_vec(), b"/etc/\\#x".to_vec()]);
    }

    #[test]
    fn the_first_complaint_is_told() {
        let text = "\nrsync: [sender] opendir \"/etc/\x1b[31mx\" failed: Permission denied (13)\nrsync error: some files (code 23) at main.c\n";
        assert_eq!(said(text), "rsync: [sender] opendir \"/etc/[31mx\" failed: Permission denied (13)");
        let greeting = "Welcome\nrsync: only for staff\n";
        assert_eq!(
            said("Hello\nssh: refused\nrsync: connection unexpectedly closed (0 bytes)\nrsync error: x\n"),
            "ssh: refused"
        );
        assert_eq!(
            said(&format!("{greeting}rsync: a: No space left on device (28)\n")),
            "rsync: a: No space left on device (28)"
        );
        assert_eq!(said("rsync error: x\n"), "rsync error: x");
    }

    #[test]
    fn a_large_file_is_named_alone() {
        assert_eq!(literal(b"/etc/a\\b"), b"/etc/a\\b\0");
        assert_eq!(literal(b"/etc/*[\\"), b"/etc/\\*\\[\\\\\0");
    }
}

//! A path of a commit back onto its machine: a tree of its own, sent by rsync, which writes each file beside
//! its place and then renames it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::git::{Blob, Repository};
use super::meta::{Kind, Meta, Metas};
use super::mirror::{beneath, dress};
use super::story::{is_at_or_below, shown};
use super::{Error, HOST_SECS_MAX, Held, Result, failed, pull};
use crate::out::table::{TrackRow, TrackedFolder};
use crate::remote::{Ssh, last_line, quote_bytes};

/// How long the machine may take to delete what came since.
const DELETE_SECS_MAX: u64 = 300;

/// What shall be put back.
pub struct Order<'a> {
    pub row: &'a TrackRow,
    /// A whole path on the machine.
    pub path: &'a [u8],
    /// The commit from which; the newest one of before where it is absent.
    pub to: Option<String>,
    /// Say what would be done, and do nothing.
    pub is_dry: bool,
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Done {
    pub commit: String,
    /// The state of just before.
    pub before: String,
    /// In words, a line a path.
    pub lines: Vec<String>,
    /// The same of what is left alone, and why.
    pub left: Vec<String>,
}

/// What the machine has just before.
struct Present {
    /// Its newest commit.
    before: String,
    metas: Metas,
    /// What is too large to be in there.
    large: BTreeSet<Vec<u8>>,
}

/// Puts it back. What the machine has now is pulled first, so that nothing is lost. `begun` hears the commit before
/// anything is changed there.
pub fn restore(held: &Held, ssh: &Ssh, order: &Order<'_>, begun: &mut dyn FnMut(&str)) -> Result<Done> {
    let host = order.row.host.as_str();
    let folder = tracked(order.row, order.path)?;
    let repository = held.place.repository()?;
    let newest = repository.head()?.ok_or_else(|| Error::NothingOf { host: host.to_owned() })?;
    let commit = order.to.clone().unwrap_or(newest);
    let then = repository.metas(&commit, host)?;
    let mut wanted = below(&then, order.path);
    if wanted.is_empty() {
        return Err(match then.is_empty() && order.to.is_none() {
            true => Error::NothingOf { host: host.to_owned() },
            false => Error::NotThere { host: host.to_owned(), path: shown(order.path), commit: short(&commit) },
        });
    }
    let Present { before, metas, large } = present(held, ssh, order, &repository)?;
    let left = spare(&mut wanted, folder, &large);
    if wanted.is_empty() {
        return Ok(Done { commit, before, lines: Vec::new(), left });
    }
    let (wanted, top) = with_parents(order, wanted, &then, &metas);
    let tree = held.clear("scratch")?.join("tree");
    build(&repository, &repository.files(&commit, host)?, &wanted, &tree)?;
    let now = below(&metas, order.path);
    let gone: Vec<(&Vec<u8>, Kind)> =
        now.iter().rev().filter(|(path, _)| !wanted.contains_key(*path)).map(|(path, meta)| (path, meta.kind)).collect();
    // A folder in whose place a file or link comes is emptied before: rsync would not, and nothing that is
    // deleted afterwards may be reached by a link that is new.
    let gives_way = |path: &[u8]| wanted.get(path).is_some_and(|meta| meta.kind != Kind::Folder);
    let (first, then): (Vec<_>, Vec<_>) = gone.iter().copied().partition(|(path, _)| above(path).any(gives_way));
    if !order.is_dry {
        begun(&commit);
    }
    let half = |said: String| {
        let host = host.to_owned();
        Error::HalfBack { host, said, commit: short(&commit), before: short(&before) }
    };
    delete(ssh, order, &first, &half)?;
    let mut lines = send(held, ssh, order, (folder, &tree, &top), &half)?;
    delete(ssh, order, &then, &half)?;
    lines.extend(gone.iter().map(|(path, _)| format!("deleted {}", shown(path))));
    held.clear("scratch")?;
    if !order.is_dry {
        pull::pull(held, ssh, order.row, &Mutex::new(()))?;
    }
    Ok(Done { commit, before, lines, left })
}

fn below(metas: &Metas, folder: &[u8]) -> Metas {
    let all = metas.iter().filter(|(path, _)| is_at_or_below(path, folder));
    all.map(|(path, meta)| (path.clone(), meta.clone())).collect()
}

/// The folders above a path, the nearest last.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').filter_map(|(at, _)| path.get(..at))
}

fn short(commit: &str) -> String {
    commit.get(..12).unwrap_or(commit).to_owned()
}

/// Pulls; where nothing shall be done no commit is made of it, for the newest one says what is put back.
fn present(held: &Held, ssh: &Ssh, order: &Order<'_>, repository: &Repository) -> Result<Present> {
    let host = order.row.host.as_str();
    let head = || repository.head()?.ok_or_else(|| Error::NothingOf { host: host.to_owned() });
    let brought = match pull::bring(held, ssh, order.row) {
        // Of a folder that is gone there is nothing to lose, and nothing of it is there.
        Err(Error::NoFolder { folder, what: "", .. }) if is_at_or_below(order.path, folder.as_bytes()) => {
            let before = head()?;
            let mut metas = repository.metas(&before, host)?;
            metas.retain(|path, _| !is_at_or_below(path, folder.as_bytes()));
            return Ok(Present { before, metas, large: BTreeSet::new() });
        }
        brought => brought?,
    };
    let large = brought.large.clone();
    if order.is_dry {
        return Ok(Present { before: head()?, metas: brought.metas(), large });
    }
    pull::commit(held, order.row, brought, &Mutex::new(()))?;
    let before = head()?;
    let metas = repository.metas(&before, host)?;
    Ok(Present { before, metas, large })
}

/// Takes out what was pulled then and is not now: what the machine has there is in no commit, and would be lost.
/// A line for each file, or for the uppermost folder.
fn spare(wanted: &mut Metas, folder: &TrackedFolder, large: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let mut spared: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    wanted.retain(|path, _| {
        let is_large = large.contains(path) || above(path).any(|above| large.contains(above));
        let why = match is_large {
            true => "it is too large now to be kept",
            false if folder.leaves_out(path) => "except= leaves it out now",
            false => return true,
        };
        spared.insert(path.clone(), why);
        false
    });
    let tops = spared.iter().filter(|(path, _)| !above(path).any(|above| spared.contains_key(above)));
    tops.map(|(path, why)| format!("left alone {}: {why}", shown(path))).collect()
}

/// The folders above the path, as far as they are tracked and the machine lacks them, or has something else in
/// their place; and the uppermost of these.
fn with_parents(order: &Order<'_>, mut wanted: Metas, then: &Metas, now: &Metas) -> (Metas, Vec<u8>) {
    let mut top = order.path.to_vec();
    while let Some(at) = top.iter().rposition(|byte| *byte == b'/') {
        let parent = top.get(..at).unwrap_or_default().to_vec();
        let is_there = now.get(&parent).is_some_and(|meta| meta.kind == Kind::Folder);
        let Some(meta) = then.get(&parent).filter(|_| !is_there) else { break };
        wanted.insert(parent.clone(), meta.clone());
        top = parent;
    }
    (wanted, top)
}

/// The tracked folder in which a path lies.
pub(super) fn tracked<'t>(row: &'t TrackRow, path: &[u8]) -> Result<&'t TrackedFolder> {
    let plain = path
        .strip_prefix(b"/")
        .is_some_and(|rest| rest.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b"..")));
    let folders = || row.folders.iter().map(|folder| folder.folder.as_str());
    let own = row.folders.iter().find(|folder| is_at_or_below(path, folder.folder.as_bytes()));
    if let Some(own) = own.filter(|_| plain) {
        return Ok(own);
    }
    let text = String::from_utf8_lossy(path);
    let hint = match crate::diag::nearest(&text, folders()) {
        _ if !plain => ": write the whole path, without `.`, `..` and a slash at its end".to_owned(),
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!(": {} is", folders().collect::<Vec<_>>().join(", ")),
    };
    Err(Error::NotTracked { host: row.host.clone(), path: shown(path), hint })
}

/// The tree as rsync sends it: plain files, and beside each what it stands for.
fn build(repository: &Repository, files: &BTreeMap<Vec<u8>, Blob>, wanted: &Metas, tree: &Path) -> Result<()> {
    fs::create_dir_all(tree).map_err(failed("make", tree))?;
    let folder = |path: &Path| fs::create_dir_all(path).map_err(failed("make", path));
    let (mut ids, mut places, mut twins) = (Vec::new(), Vec::new(), Vec::new());
    for (path, meta) in wanted {
        let file = beneath(tree, path);
        if meta.kind == Kind::Folder {
            folder(&file)?;
            dress(&file, meta)?;
            continue;
        }
        folder(file.parent().unwrap_or(tree))?;
        match (meta.same_as.as_ref().filter(|first| wanted.contains_key(*first)), files.get(path)) {
            (Some(first), _) => twins.push((beneath(tree, first), file)),
            (None, Some(blob)) => {
                ids.push(blob.id.as_str());
                places.push((file, meta));
            }
            (None, None) => write(&file, meta, &[])?,
        }
    }
    repository.blobs(&ids, |at, bytes| places.get(at).map_or(Ok(()), |(file, meta)| write(file, meta, &bytes)))?;
    for (first, file) in twins {
        fs::hard_link(&first, &file).map_err(failed("make", &file))?;
    }
    Ok(())
}

fn write(file: &Path, meta: &Meta, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).map_err(failed("write", file))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).map_err(failed("write", file))?;
    dress(file, meta)
}

/// Files that are as they should be are left alone, also their times.
fn send(
    held: &Held,
    ssh: &Ssh,
    order: &Order<'_>,
    (folder, tree, top): (&TrackedFolder, &Path, &[u8]),
    half: &dyn Fn(String) -> Error,
) -> Result<Vec<String>> {
    let row = order.row;
    let mut command = pull::rsync(ssh, &row.login);
    command.args(["-rlpogHAX", "--checksum", "--no-implied-dirs", "--out-format=%i %n"]).current_dir(tree);
    command.args(folder.filters());
    if order.is_dry {
        // Folders that give way are not empty yet, and stay.
        command.args(["--dry-run", "--force"]);
    }
    let own = beneath(Path::new("."), top);
    command.arg("--").arg(own).arg(format!("{}:/", row.login.address));
    let done = pull::run(command, held, &row.host, Instant::now() + Duration::from_secs(HOST_SECS_MAX))?;
    if done.code != Some(0) {
        return Err(half(pull::said(&done.err)));
    }
    let line = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b' ')?;
        let (what, name) = (line.get(..at)?, line.get(at + 1..)?);
        // Told below, with all else that came since.
        if what == b"*deleting" {
            return None;
        }
        let word = match what {
            _ if what.ends_with(b"+++++++++") => "made",
            [b'<' | b'c' | b'h', ..] if what.get(2) != Some(&b'.') => "put back",
            _ => "mended",
        };
        let path = [b"/", pull::plain(name.strip_suffix(b"/").unwrap_or(name)).as_slice()].concat();
        Some(format!("{word} {}", shown(&path)))
    };
    Ok(done.out.split(|byte| *byte == b'\n').filter_map(line).collect())
}

/// What came since; all of it was pulled a moment ago. Folders that hold what is not tracked stay.
fn delete(ssh: &Ssh, order: &Order<'_>, gone: &[(&Vec<u8>, Kind)], half: &dyn Fn(String) -> Error) -> Result<()> {
    if gone.is_empty() || order.is_dry {
        return Ok(());
    }
    let mut script = b"failed=0\n".to_vec();
    for (path, kind) in gone {
        let path = quote_bytes(path);
        match kind {
            Kind::Folder => script.extend([b"rmdir -- ", path.as_slice(), b" 2>/dev/null\n"].concat()),
            Kind::File | Kind::Link => script.extend([b"rm -f -- ", path.as_slice(), b" || failed=1\n"].concat()),
        }
    }
    script.extend(b"exit $failed\n");
    let ran = ssh.run(&order.row.host, &order.row.login, &script, Duration::from_secs(DELETE_SECS_MAX))?;
    if ran.code == 0 { Ok(()) } else { Err(half(last_line(&ran.err))) }
}

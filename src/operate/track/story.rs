//! What the repository tells: commits of a host or a path, and what is otherwise between two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::git::{Change, EMPTY, Repository};
use super::meta::{self, Kind, Metas, differences as in_words, escape};
use super::restore::tracked;
use super::{Error, Result};
use crate::out::table::TrackRow;
use crate::terminal::escaped;

/// How many commits are listed.
const COMMITS_MAX: usize = 10_000;
/// How much of a commit's name is shown.
const SHORT: usize = 12;
/// How few digits name a commit.
const DIGITS_MIN: usize = 7;

/// A commit.
#[derive(Debug)]
pub struct Line {
    pub commit: String,
    /// Seconds since 1970.
    pub at: i64,
    pub subject: String,
}

impl Line {
    pub fn short(&self) -> &str {
        self.commit.get(..SHORT).unwrap_or(&self.commit)
    }
}

/// The commits of all hosts, of one, or of a path with all below it; the newest first.
pub fn log(repository: &Repository, host: Option<&str>, path: Option<&[u8]>) -> Result<Vec<Line>> {
    if repository.head()?.is_none() {
        return Ok(Vec::new());
    }
    let mut args = vec![
        "log".to_owned(),
        "-z".into(),
        "--format=%H %ct %s".into(),
        format!("--max-count={COMMITS_MAX}"),
        "main".into(),
        "--".into(),
    ];
    args.extend(host.map(Repository::of_host).into_iter().flatten().map(|path| format!(":(literal){path}")));
    let printed = repository.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new())?;
    let text = String::from_utf8_lossy(&printed);
    let line = |text: &str| {
        let mut words = text.splitn(3, ' ');
        Some(Line { commit: words.next()?.to_owned(), at: words.next()?.parse().ok()?, subject: escaped(words.next()?) })
    };
    let all: Vec<Line> = text.split('\0').filter_map(line).collect();
    match (host, path) {
        (Some(host), Some(path)) => of_path(repository, host, path, all),
        _ => Ok(all),
    }
}

/// Those in which the path, or something below it, is otherwise than in the one before.
fn of_path(repository: &Repository, host: &str, path: &[u8], all: Vec<Line>) -> Result<Vec<Line>> {
    let commits: Vec<&str> = all.iter().map(|line| line.commit.as_str()).collect();
    let changes = repository.changes(&commits, host)?;
    let [files, metas] = Repository::of_host(host);
    let ids = changes.iter().flatten().filter(|change| change.path == metas.as_bytes());
    let ids: BTreeSet<&str> = ids.flat_map(|change| [&change.before, &change.after]).flatten().map(String::as_str).collect();
    let known = told(repository, &ids.into_iter().collect::<Vec<_>>(), path)?;
    let of = |id: &Option<String>| id.as_ref().and_then(|id| known.get(id.as_str())).cloned().unwrap_or_default();
    let is_about = |change: &Change| match change.path.strip_prefix(files.as_bytes()) {
        Some(file) if file.starts_with(b"/") => is_at_or_below(file, path),
        _ => of(&change.before) != of(&change.after),
    };
    let lines = all.into_iter().zip(&changes).filter(|(_, changes)| changes.iter().any(is_about));
    Ok(lines.map(|(line, _)| line).collect())
}

/// What git does not keep of a path and all below it, as each of these says it: a hash, for there may be thousands.
fn told<'i>(repository: &Repository, ids: &[&'i str], path: &[u8]) -> Result<BTreeMap<&'i str, String>> {
    let mut known = BTreeMap::new();
    repository.blobs(ids, |at, bytes| {
        let metas = std::str::from_utf8(&bytes).ok().and_then(meta::read);
        let mut metas = metas.ok_or_else(|| Error::Git { what: "a list of files is not as pxelator writes it".to_owned() })?;
        metas.retain(|other, _| is_at_or_below(other, path));
        if !metas.is_empty() {
            known.extend(ids.get(at).map(|id| (*id, blake3::hash(meta::write(&metas).as_bytes()).to_string())));
        }
        Ok(())
    })?;
    Ok(known)
}

/// Why no commit tells anything of a path.
pub fn untold(repository: &Repository, row: Option<&TrackRow>, host: &str, path: &[u8]) -> Result<Error> {
    if let Some(row) = row {
        tracked(row, path)?;
    }
    let metas = match repository.head()? {
        Some(head) => repository.metas(&head, host)?,
        None => Metas::new(),
    };
    if metas.is_empty() {
        return Ok(Error::NothingOf { host: host.to_owned() });
    }
    let known: Vec<&str> = metas.keys().filter_map(|path| std::str::from_utf8(path).ok()).collect();
    let hint = match crate::diag::nearest(&String::from_utf8_lossy(path), known) {
        Some(near) => format!("; did you mean `{}`?", shown(near.as_bytes())),
        None => ": `pxelator track log` lists all commits".to_owned(),
    };
    Ok(Error::NeverThere { host: host.to_owned(), path: shown(path), hint })
}

pub(super) fn is_at_or_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

impl Repository {
    /// A commit by the beginning of its name, or the last one of a host before a moment (seconds since 1970);
    /// `None` where the host had none by then.
    pub fn at(&self, host: &str, text: &str, moment: Option<i64>) -> Result<Option<String>> {
        let is_name = text.len() >= DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unknown = || Error::NoCommit { text: escaped(text) };
        match moment {
            _ if is_name => Ok(Some(self.id(&format!("{text}^{{commit}}"))?.ok_or_else(unknown)?)),
            Some(secs) => Ok(log(self, Some(host), None)?.into_iter().find(|line| line.at <= secs).map(|line| line.commit)),
            None => Err(unknown()),
        }
    }
}

/// What is otherwise in `to` than in `from`, line by line; without `from` everything is new.
pub fn differences(repository: &Repository, host: &str, from: Option<&str>, to: &str) -> Result<Vec<String>> {
    let old = match from {
        Some(from) => repository.metas(from, host)?,
        None => Metas::new(),
    };
    let new = repository.metas(to, host)?;
    let mut lines = Vec::new();
    for (path, meta) in &new {
        let told = match old.get(path) {
            None if meta.kind == Kind::File => continue, // its text is below
            None if meta.kind == Kind::Link => continue,
            None => vec![format!("{} added", meta.kind.name())],
            Some(was) => in_words(was, meta),
        };
        lines.extend((!told.is_empty()).then(|| format!("{}: {}", shown(path), told.join(", "))));
    }
    let gone = old.iter().filter(|(path, meta)| meta.kind == Kind::Folder && !new.contains_key(*path));
    lines.extend(gone.map(|(path, _)| format!("{}: folder deleted", shown(path))));
    let below = format!(":(literal){host}");
    let args = [
        "diff-tree",
        "-r",
        "-p",
        "--no-renames",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        from.unwrap_or(EMPTY),
        to,
        "--",
        &below,
    ];
    let printed = repository.run(&args, Vec::new())?;
    lines.extend(String::from_utf8_lossy(&printed).split_terminator('\n').map(escaped));
    Ok(lines)
}

/// A path for people: in one line, and nothing that a terminal obeys.
pub(super) fn shown(path: &[u8]) -> String {
    escape(path).replace("\\040", " ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::git::Blob;
    use super::*;

    /// A repository of one host, whose files and permissions are drawn by lot in every commit.
    struct Lots {
        folder: PathBuf,
        repository: Repository,
        seed: u32,
    }

    impl Lots {
        fn below(&mut self, end: u32) -> u32 {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.seed >> 16) % end
        }

        fn commit(&mut self) {
            let (mut files, mut metas) = (BTreeMap::new(), Metas::new());
            for path in ["/etc/a", "/etc/app", "/etc/app/conf", "/srv/x"] {
                let is_there = self.below(4) > 0;
                let (kind, mode, text) = (Kind::File, [0o600, 0o644][self.below(2) as usize], self.below(2).to_string());
                if is_there && path != "/etc/app" {
                    let id = self.repository.run(&["hash-object", "-w", "--stdin"], text.into_bytes()).unwrap();
                    let id = String::from_utf8_lossy(&id).trim().to_owned();
                    files.insert(path.as_bytes().to_vec(), Blob { mode: "100644".to_owned(), id });
                }
                if is_there {
                    let meta = meta::Meta { kind, mode, owner: 0, group: 0, same_as: None, attributes: BTreeMap::new() };
                    metas.insert(path.as_bytes().to_vec(), meta);
                }
            }
            let tree = self.repository.tree("nas", &files, &metas, &self.folder).unwrap();
            self.repository.commit(&tree, "nas: drawn").unwrap();
        }

        /// What a commit has at a path and below: the slow way, commit by commit.
        fn state(&self, commit: &str, path: &[u8]) -> (Metas, Vec<(Vec<u8>, Blob)>) {
            let mut metas = self.repository.metas(commit, "nas").unwrap();
            metas.retain(|other, _| is_at_or_below(other, path));
            let files = self.repository.files(commit, "nas").unwrap();
            (metas, files.into_iter().filter(|(other, _)| is_at_or_below(other, path)).collect())
        }
    }

    #[test]
    fn a_path_is_told_of_wherever_it_or_what_is_below_differs() {
        let folder = std::env::temp_dir().join(format!("pxelator-story-{}", std::process::id()));
        let repository = Repository::make(folder.clone()).unwrap();
        let mut lots = Lots { folder: folder.clone(), repository, seed: 7 };
        (0..30).for_each(|_| lots.commit());
        let all = log(&lots.repository, Some("nas"), None).unwrap();
        for path in ["/etc", "/etc/a", "/etc/app", "/etc/app/conf", "/srv/x", "/etc/ap"] {
            let states: Vec<_> = all.iter().map(|line| lots.state(&line.commit, path.as_bytes())).collect();
            let before = states.iter().skip(1).cloned().chain([(Metas::new(), Vec::new())]);
            let differs = states.iter().zip(before).map(|(state, before)| *state != before);
            let wanted: Vec<&str> =
                all.iter().zip(differs).filter(|(_, differs)| *differs).map(|(line, _)| line.short()).collect();
            let told = log(&lots.repository, Some("nas"), Some(path.as_bytes())).unwrap();
            assert_eq!(told.iter().map(Line::short).collect::<Vec<_>>(), wanted, "{path}");
            let is_some = wanted.len() > 5 && wanted.len() < all.len();
            assert!(matches!(path, "/etc" | "/etc/ap") || is_some, "{path}: {wanted:?} of {}", all.len());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

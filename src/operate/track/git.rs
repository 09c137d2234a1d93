//! The repository: `HOST/path` for each file, `.pxelator/HOST` for what git does not keep of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::meta::{self, Kind, Metas};
use super::mirror::Entry;
use super::{Error, Result, failed};
use crate::remote::{Collected, Stopped, collect, last_line};

/// How long git may take for one thing, and how much it may print.
const GIT_SECS_MAX: u64 = 600;
const PRINTED_BYTES_MAX: usize = 512 << 20;
/// How many bytes of files are read at once; a larger file comes alone.
const BATCH_BYTES_MAX: usize = 8 << 20;
const BRANCH: &str = "refs/heads/main";
/// The folder of what git does not keep; no host has such a name.
const METAS: &str = ".pxelator";
/// A tree without anything: git knows it in every repository.
pub(super) const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// What we set beside the user's own configuration, none of which counts.
const CONFIG: &[&str] = &[
    "core.quotePath=true",
    "core.protectNTFS=false",
    "core.protectHFS=false",
    "core.filesRefLockTimeout=5000",
    "gc.autoDetach=false",
    "safe.directory=*",
];

#[derive(Clone, Debug)]
pub struct Repository {
    folder: PathBuf,
}

/// A file as git has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub mode: String,
    pub id: String,
}

/// What a commit has otherwise than the one before it: a path of the repository, and its bytes' ids.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: Vec<u8>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Repository {
    pub(super) fn open(folder: PathBuf) -> Option<Repository> {
        folder.join("HEAD").is_file().then_some(Repository { folder })
    }

    /// Makes it where it is not there, or not whole.
    pub(super) fn make(folder: PathBuf) -> Result<Repository> {
        let repository = Repository { folder };
        repository.run(&["init", "--quiet", "--bare", "--initial-branch=main"], Vec::new())?;
        Ok(repository)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self, args: &[&str], index: Option<&Path>) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command
            .env("GIT_DIR", &self.folder)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        // Attributes that a machine's own files set are not for us.
        command.env("GIT_ATTR_SOURCE", EMPTY).env("GIT_TERMINAL_PROMPT", "0");
        for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{name}_NAME"), "pxelator").env(format!("{name}_EMAIL"), "pxelator@localhost");
        }
        command.envs(index.map(|index| ("GIT_INDEX_FILE", index)));
        for line in CONFIG {
            command.args(["-c", line]);
        }
        command.args(args);
        command
    }

    fn collected(&self, args: &[&str], index: Option<&Path>, input: Vec<u8>) -> Result<Collected> {
        let mut command = self.command(args, index);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(|source| Error::NoProgram { program: "git", source })?;
        collect(child, input, PRINTED_BYTES_MAX, Duration::from_secs(GIT_SECS_MAX)).map_err(|stopped| {
            let why = match stopped {
                Stopped::Slow(_) => format!("did not end within {GIT_SECS_MAX} s"),
                Stopped::TooMuch(_) => format!("printed more than {} MiB", PRINTED_BYTES_MAX >> 20),
                Stopped::Io(error) => format!("could not be waited for: {error}"),
            };
            Error::Git { what: format!("`git {}` {why}, and was stopped", args.first().unwrap_or(&"")) }
        })
    }

    /// What git prints, where it ends well.
    pub(super) fn run(&self, args: &[&str], input: Vec<u8>) -> Result<Vec<u8>> {
        self.run_with(args, None, input)
    }

    fn run_with(&self, args: &[&str], index: Option<&Path>, input: Vec<u8>) -> Result<Vec<u8>> {
        let done = self.collected(args, index, input)?;
        match done.code {
            Some(0) => Ok(done.out),
            _ => Err(Error::Git { what: last_line(done.err.trim_start_matches("fatal: ")) }),
        }
    }

    /// The id of what a name stands for; nothing where there is none.
    pub(super) fn id(&self, name: &str) -> Result<Option<String>> {
        let done = self.collected(&["rev-parse", "--verify", "--quiet", "--end-of-options", name], None, Vec::new())?;
        Ok((done.code == Some(0)).then(|| text(&done.out)))
    }

    /// The newest commit.
    pub fn head(&self) -> Result<Option<String>> {
        self.id(&format!("{BRANCH}^{{commit}}"))
    }

    /// The files of a host as a commit has them, by whole path on the machine.
    pub fn files(&self, commit: &str, host: &str) -> Result<BTreeMap<Vec<u8>, Blob>> {
        let Some(tree) = self.id(&format!("{commit}:{host}"))? else { return Ok(BTreeMap::new()) };
        let listed = self.run(&["ls-tree", "-r", "-z", "--full-tree", &tree], Vec::new())?;
        Ok(entries(&listed).map(|(mode, id, path)| ([b"/", path].concat(), Blob { mode, id })).collect())
    }

    /// What git does not keep of them.
    pub fn metas(&self, commit: &str, host: &str) -> Result<Metas> {
        let Some(id) = self.id(&format!("{commit}:{METAS}/{host}"))? else { return Ok(Metas::new()) };
        let bytes = self.run(&["cat-file", "blob", &id], Vec::new())?;
        let strange = || Error::Git { what: format!("{METAS}/{host} of commit {commit} is not as pxelator writes it") };
        std::str::from_utf8(&bytes).ok().and_then(meta::read).ok_or_else(strange)
    }

    /// What lies in a repository for a host.
    pub(super) fn of_host(host: &str) -> [String; 2] {
        [host.to_owned(), format!("{METAS}/{host}")]
    }

    /// What each of these commits changed of a host, in their order.
    pub(super) fn changes(&self, commits: &[&str], host: &str) -> Result<Vec<Vec<Change>>> {
        let below = Repository::of_host(host).map(|path| format!(":(literal){path}"));
        let mut args = vec!["diff-tree", "--stdin", "--root", "-r", "-z", "--no-renames", "--"];
        args.extend(below.iter().map(String::as_str));
        let printed = self.run(&args, commits.iter().map(|commit| format!("{commit}\n")).collect::<String>().into_bytes())?;
        changes(&printed, commits)
            .ok_or_else(|| Error::Git { what: "`git diff-tree` did not print what was asked for".to_owned() })
    }

    /// The bytes of a file.
    pub fn blob(&self, id: &str) -> Result<Vec<u8>> {
        self.run(&["cat-file", "blob", id], Vec::new())
    }

    /// The bytes of many files in their order, not many of them in memory at once.
    pub(super) fn blobs(&self, ids: &[&str], mut each: impl FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()> {
        let sizes = self.sizes(ids)?;
        let mut at = 0;
        while at < ids.len() {
            let mut bytes = 0_usize;
            let fits = |size: &&usize| {
                bytes = bytes.saturating_add(**size);
                bytes <= BATCH_BYTES_MAX
            };
            let count = sizes.get(at..).unwrap_or_default().iter().take_while(fits).count().max(1);
            for blob in self.batch(ids.get(at..at + count).unwrap_or_default())? {
                each(at, blob)?;
                at += 1;
            }
        }
        Ok(())
    }

    /// How many bytes each has.
    fn sizes(&self, ids: &[&str]) -> Result<Vec<usize>> {
        let asked: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let printed = text(&self.run(&["cat-file", "--batch-check=%(objectsize)"], asked.into_bytes())?);
        let sizes: Option<Vec<usize>> = printed.lines().map(|line| line.parse().ok()).collect();
        let strange = || Error::Git { what: "`git cat-file` does not know every file".to_owned() };
        sizes.filter(|sizes| sizes.len() == ids.len()).ok_or_else(strange)
    }

    fn batch(&self, ids: &[&str]) -> Result<Vec<Vec<u8>>> {
        let wanted: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let printed = self.run(&["cat-file", "--batch"], wanted.into_bytes())?;
        let strange = || Error::Git { what: "`git cat-file` did not print what was asked for".to_owned() };
        let mut rest = printed.as_slice();
        let mut one = || -> Option<Vec<u8>> {
            // `ID blob SIZE`, the bytes, and a line's end.
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let size: usize = std::str::from_utf8(rest.get(..end)?).ok()?.rsplit(' ').next()?.parse().ok()?;
            let bytes = rest.get(end + 1..end + 1 + size)?.to_vec();
            rest = rest.get(end + 2 + size..)?;
            Some(bytes)
        };
        ids.iter().map(|_| one().ok_or_else(strange)).collect()
    }

    /// Writes the contents; an id for each that has one, by its path.
    pub(super) fn write(&self, all: &[Entry]) -> Result<BTreeMap<Vec<u8>, Blob>> {
        let entries: Vec<&Entry> = all.iter().filter(|entry| entry.meta.kind != Kind::Folder).collect();
        let paths: String = entries.iter().map(|entry| quoted(entry.file.as_os_str().as_bytes()) + "\n").collect();
        let printed = text(&self.run(&["hash-object", "-w", "--no-filters", "--stdin-paths"], paths.into_bytes())?);
        let ids: Vec<&str> = printed.lines().collect();
        if ids.len() != entries.len() {
            return Err(Error::Git { what: "`git hash-object` did not read every file".to_owned() });
        }
        let mode = |entry: &Entry| match entry.meta.kind {
            Kind::Link => "120000",
            Kind::File | Kind::Folder if entry.meta.mode & 0o100 == 0 => "100644",
            Kind::File | Kind::Folder => "100755",
        };
        let blob =
            |(entry, id): (&&Entry, &&str)| (entry.path.clone(), Blob { mode: mode(entry).to_owned(), id: (*id).to_owned() });
        Ok(entries.iter().zip(&ids).map(blob).collect())
    }

    /// A tree in which a host has these files, beside all that others have; its id.
    pub(super) fn tree(&self, host: &str, files: &BTreeMap<Vec<u8>, Blob>, metas: &Metas, scratch: &Path) -> Result<String> {
        let index = scratch.join(format!("index-{host}"));
        let mut info = Vec::new();
        for (path, Blob { mode, id }) in files {
            info.extend(format!("{mode} {id}\t").bytes());
            info.extend(path.strip_prefix(b"/").unwrap_or(path));
            info.push(0);
        }
        self.run_with(&["update-index", "-z", "--index-info"], Some(&index), info)?;
        let own = text(&self.run_with(&["write-tree"], Some(&index), Vec::new())?);
        let kept = text(&self.run(&["hash-object", "-w", "--stdin"], meta::write(metas).into_bytes())?);
        let head = self.head()?;
        let metas = self.with(head.as_ref().map(|head| format!("{head}:{METAS}")), host, "100644 blob", &kept)?;
        let root = self.with(head.clone(), host, "040000 tree", &own)?;
        self.with(Some(root), METAS, "040000 tree", &metas)
    }

    /// A tree like another, but for one name.
    fn with(&self, tree: Option<String>, name: &str, kind: &str, id: &str) -> Result<String> {
        let old = match tree.map(|tree| self.id(&tree)).transpose()?.flatten() {
            Some(old) => self.run(&["ls-tree", "-z", "--full-tree", &old], Vec::new())?,
            None => Vec::new(),
        };
        let is_other = |line: &&[u8]| !line.is_empty() && !line.ends_with(format!("\t{name}").as_bytes());
        let mut lines = Vec::new();
        for line in old.split(|byte| *byte == 0).filter(is_other) {
            lines.extend(line);
            lines.push(0);
        }
        lines.extend(format!("{kind} {id}\t{name}\0").bytes());
        Ok(text(&self.run(&["mktree", "-z"], lines)?))
    }

    /// Makes a commit of a tree and lets the branch move to it, where it is still where we saw it.
    pub(super) fn commit(&self, tree: &str, message: &str) -> Result<String> {
        let head = self.head()?;
        let mut args = vec!["commit-tree", tree];
        args.extend(head.iter().flat_map(|head| ["-p", head]));
        args.extend(["-F", "-"]);
        let commit = text(&self.run(&args, message.as_bytes().to_vec())?);
        // What a name stands for is on the disk before the name is.
        let folder = File::open(&self.folder).map_err(failed("open", &self.folder))?;
        rustix::fs::syncfs(&folder).map_err(|errno| failed("write", &self.folder)(errno.into()))?;
        let args = ["update-ref", BRANCH, &commit, head.as_deref().unwrap_or("")];
        if self.run(&args, Vec::new()).is_err() {
            // One that a power cut ended holds the name for ever; nobody but us writes here, and we waited.
            for stale in ["refs/heads/main.lock", "HEAD.lock", "packed-refs.lock"] {
                let _seldom_there = fs::remove_file(self.folder.join(stale));
            }
            self.run(&args, Vec::new())?;
        }
        Ok(commit)
    }

    /// Lets git put its files in order where there are many; what it thinks of it is no matter of ours.
    pub(super) fn tidy(&self) {
        let _next_time = self.run(&["gc", "--auto", "--quiet"], Vec::new());
    }
}

/// `MODE TYPE ID<tab>PATH`, with a zero behind each.
fn entries(listed: &[u8]) -> impl Iterator<Item = (String, String, &[u8])> {
    listed.split(|byte| *byte == 0).filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'\t')?;
        let mut words = std::str::from_utf8(line.get(..at)?).ok()?.split(' ');
        Some((words.next()?.to_owned(), words.nth(1)?.to_owned(), line.get(at + 1..)?))
    })
}

/// The commit, then `:MODE MODE ID ID STATUS` and the path of each change, with a zero behind each; commits without any are
/// left out.
fn changes(printed: &[u8], commits: &[&str]) -> Option<Vec<Vec<Change>>> {
    let mut words = printed.split(|byte| *byte == 0).filter(|word| !word.is_empty()).peekable();
    let mut all = Vec::new();
    for commit in commits {
        let mut own = Vec::new();
        if words.next_if(|word| *word == commit.as_bytes()).is_some() {
            while let Some(change) = words.next_if(|word| word.starts_with(b":")) {
                let mut ids = std::str::from_utf8(change).ok()?.split(' ').skip(2);
                let mut id = || ids.next().map(|id| Some(id.to_owned()).filter(|id| id.bytes().any(|digit| digit != b'0')));
                own.push(Change { before: id()?, after: id()?, path: words.next()?.to_vec() });
            }
        }
        all.push(own);
    }
    words.next().is_none().then_some(all)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// A path as git reads it from a list of lines.
fn quoted(path: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'"' | b'\\' | 0..=31 | 127.. => format!("\\{byte:03o}"),
        plain => char::from(*plain).to_string(),
    };
    format!("\"{}\"", path.iter().map(one).collect::<String>())
}

/// Is there a program of this name?
pub(super) fn no_program(program: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::NoProgram { program, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_git_may_print_is_read_piece_by_piece() {
        let folder = std::env::temp_dir().join(format!("pxelator-blobs-{}", std::process::id()));
        let repository = Repository::make(folder.clone()).unwrap();
        let write = |bytes: Vec<u8>| text(&repository.run(&["hash-object", "-w", "--stdin"], bytes).unwrap());
        let (large, small) = (write(vec![0; 16 << 20]), write(b"x".to_vec()));
        let mut ids = vec![large.as_str(); 33];
        ids.extend([small.as_str(); 3]);
        let mut seen = Vec::new();
        repository
            .blobs(&ids, |at, bytes| {
                seen.push((at, bytes.len()));
                Ok(())
            })
            .unwrap();
        assert!(seen.iter().map(|(_, bytes)| bytes).sum::<usize>() > PRINTED_BYTES_MAX);
        assert_eq!(seen, (0..36).map(|at| (at, if at < 33 { 16 << 20 } else { 1 })).collect::<Vec<_>>());
        assert_eq!(repository.blob(&small).unwrap(), b"x");
        assert!(repository.blobs(&["0123456789012345678901234567890123456789"], |_, _| Ok(())).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}

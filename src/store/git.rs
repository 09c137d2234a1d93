//! Generations out of git: `out/` as a revision has it, read by the `git` program and verified.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::generation::{FILE_BYTES_MAX, FILES_MAX};
use super::{Error, Generation, Result};
use crate::out::diff::Files;

/// Does git know a revision of this name? Also false where there is no git or no repository.
pub fn knows(revision: &str) -> bool {
    !revision.starts_with('-') && commit(revision).is_ok_and(|commit| commit.is_some())
}

/// The generation in a folder as a revision has it.
pub fn open(revision: &str, folder: &Path) -> Result<Generation> {
    let Some(commit) = commit(revision)? else { return Err(Error::NoRevision { revision: revision.to_owned() }) };
    let label = PathBuf::from(format!("{revision}:{}", folder.display()));
    let spec = format!("{commit}:{}", path_within(folder)?);
    let Some(tree) = object(&["rev-parse", "--verify", "--quiet", &spec])? else {
        return Err(Error::NotCommitted { revision: revision.to_owned(), path: folder.to_owned() });
    };
    super::generation::of_files(label, files(&tree)?)
}

/// The id of a revision's commit.
fn commit(revision: &str) -> Result<Option<String>> {
    object(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])
}

/// A folder as git names it within a revision: from here, or from the top where it is absolute.
fn path_within(folder: &Path) -> Result<String> {
    let parts = |path: &Path| {
        path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>().to_string_lossy().into_owned()
    };
    if folder.is_relative() {
        return Ok(format!("./{}", parts(folder)));
    }
    let top = PathBuf::from(object(&["rev-parse", "--show-toplevel"])?.unwrap_or_default());
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let within = real
        .strip_prefix(&top)
        .map_err(|_| Error::Git { what: format!("{} lies outside of the repository {}", folder.display(), top.display()) })?;
    Ok(parts(within))
}

/// What git prints, without the line's end; `None` where it finds no such thing.
fn object(args: &[&str]) -> Result<Option<String>> {
    let output = run(args)?;
    if output.status.success() {
        return Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()));
    }
    match said(&output.stderr) {
        what if what.is_empty() => Ok(None),
        what if what.contains("not a git repository") => Err(Error::NoRepository),
        what => Err(Error::Git { what }),
    }
}

fn run(args: &[&str]) -> Result<Output> {
    git(args).output().map_err(|source| Error::NoGit { source })
}

/// English, whatever the user's language is: we read what it says.
fn git(args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(args).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    command
}

/// The first line of a complaint.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()
}

/// All files of a tree object.
fn files(tree: &str) -> Result<Files> {
    let listed = run(&["ls-tree", "-r", "-z", "--full-tree", tree])?;
    if !listed.status.success() {
        return Err(Error::Git { what: said(&listed.stderr) });
    }
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    // `100644 blob ID<tab>PATH`. A link or a submodule has no id here: the manifest refuses it by name.
    let entries: Vec<(&str, Option<&str>)> = text
        .split('\0')
        .filter_map(|line| {
            let (meta, path) = line.split_once('\t')?;
            Some((path, meta.strip_prefix("100").and_then(|meta| meta.split(' ').nth(2))))
        })
        .take(FILES_MAX)
        .collect();
    read(&entries).map_err(|error| Error::Git { what: format!("`git cat-file` ended early ({error})") })
}

/// The bytes of many blobs, by one process.
fn read(entries: &[(&str, Option<&str>)]) -> io::Result<Files> {
    let mut child = git(&["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let wanted: String = entries.iter().filter_map(|(_, id)| Some(format!("{}\n", (*id)?))).collect();
    let mut stdout = BufReader::new(stdout);
    std::thread::scope(|scope| {
        // While it answers, or both sides would wait for the other.
        scope.spawn(move || stdin.write_all(wanted.as_bytes()));
        let blob = |(path, id): &(&str, Option<&str>)| match id {
            Some(_) => Ok(((*path).to_owned(), blob(&mut stdout)?)),
            None => Ok(((*path).to_owned(), Vec::new())),
        };
        let files = entries.iter().map(blob).collect::<io::Result<Files>>();
        // What failed half way does not write on for nobody.
        let _ended_already = child.kill();
        child.wait()?;
        files
    })
}

/// `ID blob SIZE`, the bytes, and a line's end.
fn blob(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = String::new();
    from.read_line(&mut head)?;
    let size: u64 = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    if size > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    from.take(size).read_to_end(&mut bytes)?;
    from.read_exact(&mut [0])?;
    Ok(bytes)
}

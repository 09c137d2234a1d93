//! Disks: sources in, `out/` out, generations opened and verified.
//!
//! [`read_site`] follows the literal `import` and `use` lines and hands the compiler a sorted map;
//! [`out`] writes a tree whole or not at all; [`generation`] opens one and refuses what was tampered
//! with, and [`git`] one out of a revision; [`assets`] opens pinned files beneath their folder; [`serials`]
//! and [`serving`] are what lies in a state folder for `deploy` and `serve` alike. **Invariant:** nothing here
//! decides what a site means.

pub mod assets;
pub mod edit;
pub mod export;
mod generation;
pub mod git;
pub mod out;
pub mod serials;
pub mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::diag::Diags;
use crate::model::{Ids, Lock};
use crate::source::{FILE_BYTES_MAX, FILES_MAX, FileId, Inputs, glob_matches, import_path, module_paths};
use crate::syntax::{Node, parse};

pub use generation::{Generation, open, read_folder};

/// What the disk refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {path}: run this in the folder of your site.kdl, or give its path")]
    NoSite { path: PathBuf },
    #[error("{path} is a folder, not a file: name a file, such as {path}/site.kdl")]
    Folder { path: PathBuf },
    #[error("{path} is no regular file")]
    Special { path: PathBuf },
    #[error("{path} has {mib} MiB; a source file has at most {max} MiB", max = FILE_BYTES_MAX >> 20)]
    TooLarge { path: PathBuf, mib: u64 },
    #[error("the site has more than {FILES_MAX} files")]
    TooMany,
    #[error("{path} leads out of the site folder {folder}: copy the file, or link within the folder")]
    Escape { path: PathBuf, folder: PathBuf },
    #[error("{path} was changed by somebody else meanwhile: nothing was written to it; run the command again")]
    Changed { path: PathBuf },
    #[error("cannot {step} {path}")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} is not a folder that pxelator wrote ({what}): choose another --out, or move what is yours")]
    Foreign { path: PathBuf, what: String },
    #[error("{path} is not a folder that `pxelator export` wrote ({what}): choose another, or move what is yours")]
    NotExported { path: PathBuf, what: String },
    #[error("{path} {what}")]
    Asset { path: PathBuf, what: String },
    #[error("{path} holds no generation: {}", first_step(path))]
    NoGeneration { path: PathBuf },
    #[error("{path}: {what}; run `pxelator build` again")]
    Manifest { path: PathBuf, what: String },
    #[error("{path} is not what was built: {findings}")]
    Tampered { path: PathBuf, findings: String },
    #[error("git cannot be run: install it, or name two folders")]
    NoGit { source: io::Error },
    #[error("this folder lies in no git repository: go into that of your site, or name two folders")]
    NoRepository,
    #[error("there is no folder `{revision}` with a manifest, and git knows no revision `{revision}`: `git log --oneline` lists those of this clone; a shallow clone must fetch others first")]
    NoRevision { revision: String },
    #[error("revision {revision} has no {path}: commit what `pxelator build` writes, or name its folder with --out")]
    NotCommitted { revision: String, path: PathBuf },
    #[error("git says: {what}")]
    Git { what: String },
    #[error("{path} is busy: another program holds its lock; see which with `fuser -v {path}`, and try again")]
    Busy { path: PathBuf },
    #[error("cannot understand {path}: {what}; delete it to start serials afresh")]
    Serials { path: PathBuf, what: String },
}

/// What brings a generation to a folder: a deploy where it is the current one of a store, else a build.
fn first_step(path: &Path) -> String {
    match path.ends_with("current/out").then(|| path.ancestors().nth(2)).flatten() {
        Some(store) => format!("nothing was deployed into {0} yet (`pxelator deploy {0}`), or the store lies elsewhere", store.display()),
        None => "run `pxelator build` in the folder of the site; on the boot server name what was deployed, such as --out /srv/pxelator/current/out".to_owned(),
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// Says which file and which step, so that no bare I/O error is ever shown.
pub(crate) fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { step, path: path.to_owned(), source }
}

/// Reads a site: its first file, what that imports and uses, `assets.lock` and `ids.lock`.
///
/// Gives the texts and the name of the first file among them.
pub fn read_site(path: &Path) -> Result<(Inputs, String)> {
    read_site_as(path, &Inputs::new())
}

/// The same, where some of its files are as they would be after an edit.
pub fn read_site_as(path: &Path, edited: &Inputs) -> Result<(Inputs, String)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entry = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = match edited.get(&entry).map_or_else(|| read_file(path), |bytes| Ok(bytes.clone())) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoSite { path: path.to_owned() });
        }
        other => other?,
    };
    let real = folder.canonicalize().map_err(failed("open", folder))?;
    let inputs = BTreeMap::from([(entry.clone(), bytes)]);
    let mut reader = Reader { folder: folder.to_owned(), real, edited, inputs, listings: BTreeMap::new() };
    reader.follow(&entry)?;
    reader.add(Lock::FILE)?;
    reader.add(Ids::FILE)?;
    Ok((reader.inputs, entry))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let meta = std::fs::metadata(path).map_err(failed("read", path))?;
    if meta.is_dir() {
        return Err(Error::Folder { path: path.to_owned() });
    }
    if !meta.is_file() {
        return Err(Error::Special { path: path.to_owned() });
    }
    if meta.len() > FILE_BYTES_MAX as u64 {
        return Err(Error::TooLarge { path: path.to_owned(), mib: meta.len() >> 20 });
    }
    std::fs::read(path).map_err(failed("read", path))
}

struct Reader<'a> {
    folder: PathBuf,
    /// The same with links resolved: no file may lie outside of it.
    real: PathBuf,
    /// What some files are taken to hold.
    edited: &'a Inputs,
    inputs: Inputs,
    /// Folder below the site folder → names in it.
    listings: BTreeMap<String, BTreeSet<String>>,
}

impl Reader<'_> {
    /// Reads what a file names, and what that names.
    fn follow(&mut self, first: &str) -> Result<()> {
        let mut waiting = vec![first.to_owned()];
        let mut seen: BTreeSet<Target> = BTreeSet::new();
        let mut lists_all = false;
        while let Some(name) = waiting.pop() {
            let wanted = self.inputs.get(&name).map(|bytes| wanted(&name, bytes)).unwrap_or_default();
            for target in wanted {
                if !seen.insert(target.clone()) {
                    continue;
                }
                let paths = match target {
                    Target::Import(pattern) => self.matching(&pattern)?,
                    Target::Text(path) => {
                        self.add(&path)?;
                        continue;
                    }
                    Target::Module(name) => {
                        let own = module_paths(&name).to_vec();
                        // A misspelt name: the compiler wants to suggest one that exists.
                        let absent = own.iter().all(|path| !self.edited.contains_key(path) && !self.folder.join(path).exists());
                        if absent && std::mem::replace(&mut lists_all, true) {
                            Vec::new()
                        } else if absent {
                            [self.matching("modules/*.kdl")?, self.matching("modules/*/module.kdl")?].concat()
                        } else {
                            own
                        }
                    }
                };
                for path in paths {
                    if self.add(&path)? {
                        waiting.push(path);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds a file if it exists and is new.
    fn add(&mut self, name: &str) -> Result<bool> {
        let path = self.folder.join(name);
        if self.inputs.contains_key(name) {
            return Ok(false);
        }
        if let Some(bytes) = self.edited.get(name) {
            self.inputs.insert(name.to_owned(), bytes.clone());
            return Ok(true);
        }
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(false),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        if !real.starts_with(&self.real) {
            return Err(Error::Escape { path, folder: self.folder.clone() });
        }
        if self.inputs.len() >= FILES_MAX {
            return Err(Error::TooMany);
        }
        self.inputs.insert(name.to_owned(), read_file(&path)?);
        Ok(true)
    }

    /// The files that a pattern matches; only folders that it names are listed.
    fn matching(&mut self, pattern: &str) -> Result<Vec<String>> {
        let Some(path) = import_path(pattern) else { return Ok(Vec::new()) }; // the compiler says so
        if !path.contains(['*', '?']) {
            return Ok(vec![path]);
        }
        let mut prefixes = vec![String::new()];
        for part in path.split('/') {
            let mut next = Vec::new();
            for prefix in prefixes {
                let full = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
                if part.contains(['*', '?']) {
                    next.extend(self.list(&prefix)?.iter().filter(|name| glob_matches(part, name)).map(|name| full(name)));
                } else {
                    next.push(full(part));
                }
            }
            prefixes = next;
        }
        prefixes.retain(|path| path.ends_with(".kdl"));
        Ok(prefixes)
    }

    fn list(&mut self, below: &str) -> Result<BTreeSet<String>> {
        if let Some(names) = self.listings.get(below) {
            return Ok(names.clone());
        }
        let folder = self.folder.join(below);
        let mut names: BTreeSet<String> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => BTreeSet::new(),
            Err(error) => return Err(failed("list", &folder)(error)),
        };
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        names.extend(self.edited.keys().filter_map(|path| path.strip_prefix(&prefix)?.split('/').next()).map(str::to_owned));
        self.listings.insert(below.to_owned(), names);
        Ok(self.listings.get(below).cloned().unwrap_or_default())
    }
}

/// What a file names besides itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Import(String),
    Module(String),
    /// A text that machines fetch.
    Text(String),
}

/// The literal `import`, `use` and `file` nodes of a text, wherever they stand.
///
/// Only these nodes are parsed: a file of a large site is nearly all hosts, and the compiler reads it
/// anyway. One that is commented out may be found too; the compiler does not look at what it names.
fn wanted(name: &str, bytes: &[u8]) -> Vec<Target> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let mut found = Vec::new();
    for word in ["import", "use", "file"] {
        for (at, _) in text.match_indices(word).filter(|(at, _)| is_node_start(text, *at)) {
            let nodes = parse(logical_line(text, at), FileId::new(0), &mut Diags::default());
            found.extend(nodes.first().filter(|node| node.name.text == word).and_then(|node| target(node, name)));
        }
    }
    found
}

/// Does nothing but white space stand between here and the end of what came before?
fn is_node_start(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '\t']);
    let Some(line) = before.strip_suffix(['\n', '\r']) else { return before.is_empty() || before.ends_with([';', '{']) };
    // A line that ends in `\` goes on here.
    !line.trim_end_matches([' ', '\t', '\r']).ends_with('\\')
}

/// How long a node that names a file may be, in bytes.
const NODE_BYTES_MAX: usize = 4096;

/// From here to the end of the node: of its line, and of lines that a `\` joins to it.
fn logical_line(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let (mut quoted, mut joined, mut escaped) = (false, false, false);
    for (end, c) in rest.char_indices().take_while(|(end, _)| *end < NODE_BYTES_MAX) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '\\' => joined = true,
            '\n' if !std::mem::take(&mut joined) => return rest.get(..end).unwrap_or_default(),
            ';' | '{' | '}' if !quoted => return rest.get(..end).unwrap_or_default(),
            _ => {}
        }
    }
    rest.get(..rest.floor_char_boundary(NODE_BYTES_MAX)).unwrap_or_default()
}

fn target(node: &Node<'_>, file: &str) -> Option<Target> {
    match &*node.name.text {
        "import" => node.title().map(|title| Target::Import(title.to_owned())),
        "use" => node.title().map(|title| Target::Module(title.to_owned())),
        _ => {
            let from = node.prop("from").and_then(|entry| entry.text())?;
            import_path(&format!("{}{from}", module_folder(file).unwrap_or_default())).map(Target::Text)
        }
    }
}

/// A module's own folder, before which its `from=` is put.
fn module_folder(file: &str) -> Option<String> {
    let name = file.strip_prefix("modules/")?;
    name.strip_suffix("/module.kdl").or(name.strip_suffix(".kdl")).map(|name| format!("modules/{name}/"))
}

//! The store: a folder of generations, and `current`, the link that is the only switch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with, syncfs};
use serde::{Deserialize, Serialize};

use super::history::{self, Event, What};
use super::{Error, Result};
use crate::out::plan::Place;
use crate::out::table::json;
use crate::out::{MANIFEST, Manifest};
use crate::store::{self, failed};
use crate::terminal::chain;

const GENERATIONS: &str = "generations";
const CURRENT: &str = "current";
const ABOUT: &str = "about.json";
const STAMPED: &str = "stamped";
/// Which server reads the store: one without its serials would start them anew, and nobody would be asked.
const STATE: &str = "state";
/// The server's state folder where nothing else was ever said.
const STATE_USUAL: &str = "/var/lib/pxelator";
/// What is not finished begins so, and is cleared by the next deploy.
const UNFINISHED: &str = ".unfinished-";

/// Path → bytes, without the manifest.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What is told of a generation in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) number: u64,
    pub(super) generation: String,
    pub(super) parent: Option<Place>,
    /// The number whose content it has, where it is a rollback.
    pub(super) from: Option<u64>,
    /// Seconds since 1970.
    pub(super) time: u64,
    pub(super) who: String,
    pub(super) revision: Option<String>,
    pub(super) why: Option<String>,
    pub(super) hosts: usize,
}

impl About {
    /// The event of its becoming current.
    pub(super) fn event(&self) -> Event {
        Event {
            time: self.time,
            date: history::date(self.time),
            what: if self.from.is_some() { What::RolledBack } else { What::Deployed },
            number: self.number,
            generation: self.generation.clone(),
            parent: self.parent.as_ref().map(|place| place.number),
            who: self.who.clone(),
            revision: self.revision.clone(),
            why: self.why.clone(),
        }
    }
}

/// A store, perhaps one that is not there yet.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) root: PathBuf,
    _lock: Option<File>,
}

impl Store {
    /// To look at it, while others may change it.
    pub(super) fn look(root: &Path) -> Result<Store> {
        let found = match fs::read_dir(root) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                if !parent.is_dir() {
                    return Err(Error::NoParent { path: root.to_owned(), parent: parent.to_owned() });
                }
                BTreeSet::new()
            }
            Err(error) => return Err(failed("open", root)(error).into()),
        };
        let foreign = found
            .iter()
            .find(|name| !name.starts_with(UNFINISHED) && *name != "lost+found")
            .filter(|_| !found.contains(GENERATIONS));
        match foreign {
            Some(name) => Err(Error::NotStore { path: root.to_owned(), found: name.clone() }),
            None => Ok(Store { root: root.to_owned(), _lock: None }),
        }
    }

    /// To change it: nobody else does meanwhile, and what killed ones left is cleared.
    pub(super) fn lock(root: &Path) -> Result<Store> {
        let mut store = Store::look(root)?;
        if !root.exists() {
            make_folder(root)?;
        }
        let lock = File::open(root).map_err(failed("open", root))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy { path: root.to_owned() }),
            other => other.map_err(|errno| failed("lock", root)(errno.into()))?,
        }
        store._lock = Some(lock);
        if !root.join(GENERATIONS).exists() {
            make_folder(&root.join(GENERATIONS))?;
        }
        store.mend()?;
        Ok(store)
    }

    /// What a kill left: unfinished folders go, and a switch that was not written down is.
    fn mend(&self) -> Result<()> {
        let (current, events) = (self.current()?, self.history()?);
        let last = events.iter().map(|event| event.number).chain(current).max().unwrap_or(0);
        for number in self.numbers()?.into_iter().filter(|number| *number > last) {
            self.remove(number)?; // it was whole, but never current
        }
        for folder in [self.root.clone(), self.root.join(GENERATIONS)] {
            for entry in fs::read_dir(&folder).map_err(failed("list", &folder))?.flatten() {
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    let path = entry.path();
                    let gone = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        fs::remove_dir_all(&path)
                    } else {
                        fs::remove_file(&path)
                    };
                    gone.map_err(failed("remove", &path))?;
                }
            }
        }
        if let Some(number) = current.filter(|number| !events.iter().any(|event| event.number == *number)) {
            self.about(number).map_or(Ok(()), |about| self.note(&about.event()))?;
        }
        Ok(())
    }

    pub(super) fn history(&self) -> Result<Vec<Event>> {
        history::read(&self.root)
    }

    pub(super) fn note(&self, event: &Event) -> Result<()> {
        history::append(&self.root, event)
    }

    /// The state folder of the server: as it was said at an earlier deploy, or is said now.
    pub(super) fn state(&self, given: Option<&Path>) -> Result<PathBuf> {
        let path = self.root.join(STATE);
        let known = match fs::read_to_string(&path) {
            Ok(text) => Some(PathBuf::from(text.trim_end_matches('\n'))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &path)(error).into()),
        };
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match (known, given) {
            (Some(known), Some(given)) if real(&known) != real(given) => {
                Err(Error::OtherState { store: self.root.clone(), known, given: given.to_owned() })
            }
            (Some(known), _) => Ok(known),
            (None, given) => Ok(given.unwrap_or(Path::new(STATE_USUAL)).to_owned()),
        }
    }

    /// From now on the store knows its server.
    pub(super) fn remember(&self, state: &Path) -> Result<()> {
        let path = self.root.join(STATE);
        if path.exists() {
            return Ok(());
        }
        Ok(store::out::replace_file(&path, &format!("{}\n", state.display()))?)
    }

    /// The number that `current` leads to.
    pub(super) fn current(&self) -> Result<Option<u64>> {
        let path = self.root.join(CURRENT);
        match fs::read_link(&path) {
            Ok(target) => {
                let number = target.strip_prefix(GENERATIONS).ok().and_then(|name| name.to_str()?.parse().ok());
                let foreign = || Error::NotStore { path: self.root.clone(), found: format!("{CURRENT} -> {}", target.display()) };
                number.map(Some).ok_or_else(foreign)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(Error::NotStore { path: self.root.clone(), found: format!("{CURRENT}, which is no link") })
            }
            Err(error) => Err(failed("read", &path)(error).into()),
        }
    }

    pub(super) fn numbers(&self) -> Result<BTreeSet<u64>> {
        let folder = self.root.join(GENERATIONS);
        match fs::read_dir(&folder) {
            Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(failed("list", &folder)(error).into()),
        }
    }

    fn folder(&self, number: u64) -> PathBuf {
        self.root.join(GENERATIONS).join(number.to_string())
    }

    /// The tree of a number.
    pub(super) fn out(&self, number: u64) -> PathBuf {
        self.folder(number).join("out")
    }

    pub(super) fn about(&self, number: u64) -> Result<About> {
        let path = self.folder(number).join(ABOUT);
        let damaged = |what: String| Error::Damaged { number, what: format!("{}: {what}", path.display()) };
        let bytes = fs::read(&path).map_err(|error| damaged(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
    }

    /// The id of a number: as its folder says, else as the history does.
    pub(super) fn id(&self, number: u64, events: &[Event]) -> String {
        let told = || events.iter().rfind(|event| event.number == number).map(|event| event.generation.clone());
        self.about(number).ok().map(|about| about.generation).or_else(told).unwrap_or_else(|| "unknown".into())
    }

    pub(super) fn open(&self, number: u64) -> Result<store::Generation> {
        store::open(&self.out(number)).map_err(|error| {
            let said = chain(&error);
            // It names the mend of a folder that was built; this one was deployed.
            let what = said.split_once("; run `pxelator").or(said.split_once(": run `pxelator")).map_or(&*said, |(what, _)| what);
            Error::Damaged { number, what: what.to_owned() }
        })
    }

    /// Writes a generation beside the others; it has no number yet.
    pub(super) fn begin(&self, about: &About, manifest: &Manifest, files: &Files) -> Result<PathBuf> {
        let fresh = self.unfinished();
        make_folder(&fresh)?;
        write(&fresh.join(ABOUT), (json(about) + "\n").as_bytes())?;
        fill(&fresh.join("out"), files)?;
        write(&fresh.join("out").join(MANIFEST), manifest.text().as_bytes())?;
        Ok(fresh)
    }

    /// Adds the copy whose zones bear serials.
    pub(super) fn stamp(&self, fresh: &Path, files: &Files) -> Result<()> {
        fill(&fresh.join(STAMPED), files)
    }

    /// What was begun gets its number, whole and synced; `current` does not lead to it yet.
    pub(super) fn finish(&self, fresh: &Path, number: u64) -> Result<()> {
        // What is on the disk, and not what we meant to write there.
        store::open(&fresh.join("out"))?;
        sync(fresh)?;
        self.rename(fresh, &self.folder(number))
    }

    /// The stamped copy of a number once more: its zones have other serials by now.
    pub(super) fn stamp_again(&self, number: u64, files: &Files) -> Result<()> {
        let (fresh, place) = (self.unfinished(), self.folder(number).join(STAMPED));
        fill(&fresh, files)?;
        sync(&fresh)?;
        renameat_with(CWD, &fresh, CWD, &place, RenameFlags::EXCHANGE).map_err(|errno| failed("rename", &fresh)(errno.into()))?;
        Ok(fs::remove_dir_all(&fresh).map_err(failed("remove", &fresh))?)
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join(GENERATIONS).join(format!("{UNFINISHED}{}", std::process::id()))
    }

    pub(super) fn is_stamped(&self, number: u64) -> bool {
        self.folder(number).join(STAMPED).exists()
    }

    /// One rename: before it the old generation is current, after it the new one.
    pub(super) fn switch(&self, number: u64) -> Result<()> {
        let fresh = self.root.join(format!("{UNFINISHED}{}", std::process::id()));
        symlink(Path::new(GENERATIONS).join(number.to_string()), &fresh).map_err(failed("make", &fresh))?;
        self.rename(&fresh, &self.root.join(CURRENT))
    }

    /// Its number is gone at once, its files after that.
    pub(super) fn remove(&self, number: u64) -> Result<()> {
        let doomed = self.root.join(GENERATIONS).join(format!("{UNFINISHED}{number}"));
        let path = self.folder(number);
        fs::rename(&path, &doomed).map_err(failed("rename", &path))?;
        Ok(fs::remove_dir_all(&doomed).map_err(failed("remove", &doomed))?)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(failed("rename", from))?;
        let parent = to.parent().unwrap_or(&self.root);
        Ok(File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("write", parent))?)
    }
}

/// Readable for the server's user, whatever the umask: nothing in `out/` is secret.
fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o755).create(path).map_err(failed("make", path))?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(failed("make", path))?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create_new(path).map_err(failed("write", path))?;
    file.set_permissions(Permissions::from_mode(0o644)).and_then(|()| file.write_all(bytes)).map_err(failed("write", path))?;
    Ok(())
}

fn fill(folder: &Path, files: &Files) -> Result<()> {
    make_folder(folder)?;
    let mut made = BTreeSet::from([PathBuf::new()]);
    for (path, bytes) in files {
        let parents: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
        for parent in parents.into_iter().rev() {
            if made.insert(parent.to_owned()) {
                make_folder(&folder.join(parent))?;
            }
        }
        write(&folder.join(path), bytes)?;
    }
    Ok(())
}

/// All that was written, in one go: a sync for each of many files takes many times as long.
fn sync(folder: &Path) -> Result<()> {
    let file = File::open(folder).map_err(failed("open", folder))?;
    Ok(syncfs(file).map_err(|errno| failed("sync", folder)(errno.into()))?)
}

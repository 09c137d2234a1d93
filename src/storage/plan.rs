//! What must be done so that every host finds its root: looked up, decided, and printable before it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::beneath::{Found, Root, is_empty, is_folder};
use super::mounts::{Mounted, mounted};
use super::{Error, Result, failed, state_file, upper_folder};
use crate::model::{Union, union_options};
use crate::out::table::{OVERLAY_TEXTS, OverlayRow, RootRow, Tables};
use crate::store::Generation;

/// One thing to do, for a host or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `closed` ones are root's alone: what a machine made could act on other users of the server.
    MakeFolder {
        path: String,
        closed: bool,
    },
    /// The union of a host that has another one now, or none.
    Unmount {
        target: String,
        address: String,
    },
    Mount {
        target: String,
        union: Union,
        lower: String,
        upper: String,
    },
    /// All that the host changed.
    Discard {
        folder: String,
    },
    /// A file that the site declares; `text` is its path in `out/`.
    WriteFile {
        root: String,
        path: String,
        text: String,
        mode: u32,
    },
    /// A file that the site declares no longer: what the base has, or nothing.
    RestoreFile {
        root: String,
        path: String,
        lower: String,
    },
    /// What the server put into the root, so that it can take it back.
    Remember {
        file: String,
        state: State,
    },
}

/// What the server remembers of a host's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The base over which its changes were made.
    pub lower: String,
    pub written: Written,
}

/// The files that the server put into a root, by path.
pub type Written = BTreeMap<String, Mark>;

/// How a file was when the server wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub blake3: String,
    pub mode: u32,
}

impl Mark {
    pub fn of(bytes: &[u8], mode: u32) -> Mark {
        Mark { blake3: blake3::hash(bytes).to_hex().to_string(), mode }
    }

    /// Is it still so, and root's?
    pub(super) fn is(&self, found: &Found) -> bool {
        matches!(found, Found::File { bytes, mode, owner: (0, 0) } if Mark::of(bytes, *mode) == *self)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::MakeFolder { path, .. } => write!(f, "make {path}/"),
            Step::Unmount { target, .. } => write!(f, "unmount {target}"),
            Step::Mount { target, lower, upper, .. } => write!(f, "mount {target}: {upper} over {lower}"),
            Step::Discard { folder } => write!(f, "discard {folder}/"),
            Step::WriteFile { root, path, mode, .. } => write!(f, "write {root}{path} ({mode:04o})"),
            Step::RestoreFile { root, path, .. } => write!(f, "restore {root}{path} as the base has it"),
            Step::Remember { file, .. } => write!(f, "remember {file}"),
        }
    }
}

/// The steps of each host in order, those of nobody in particular under an empty name, and what cannot be
/// done at all.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<(String, Vec<Step>)>,
    pub problems: Vec<Error>,
}

/// What is to do for these roots. With `all` unions that belong to nobody any more are unmounted.
pub fn plan(generation: &Generation, tables: &Tables, roots: &[&RootRow], all: bool) -> Result<Plan> {
    let mounted = mounted()?;
    let look = Look { generation, tables, mounted: &mounted, is_reset: false };
    let mut plan = Plan::default();
    if all {
        plan.steps.push((String::new(), look.strays()));
    }
    for row in roots {
        look.add(row, &mut plan);
    }
    plan.steps.retain(|(_, steps)| !steps.is_empty());
    Ok(plan)
}

/// What is to do so that a host begins again from its base.
pub fn reset(generation: &Generation, tables: &Tables, row: &RootRow, overlay: &OverlayRow) -> Result<Plan> {
    let mounted = mounted()?;
    let look = Look { generation, tables, mounted: &mounted, is_reset: true };
    let (mut plan, mut steps) = (Plan::default(), Vec::new());
    if mounted.contains_key(&row.export) {
        steps.push(Step::Unmount { target: row.export.clone(), address: row.address.to_string() });
    }
    if is_folder(&overlay.upper) {
        steps.push(Step::Discard { folder: overlay.upper.clone() });
    }
    look.add(row, &mut plan);
    // Where the host cannot begin again, it keeps what it has; and where a step fails, none follows.
    if let Some((_, rest)) = plan.steps.first_mut() {
        rest.splice(0..0, steps);
    }
    Ok(plan)
}

/// What the name of a folder that is being discarded holds.
pub(super) const GONE: &str = ".gone-";

/// What the plan is made from.
struct Look<'a> {
    generation: &'a Generation,
    tables: &'a Tables,
    mounted: &'a BTreeMap<String, Mounted>,
    /// What was changed will be gone, and the union is not mounted any more.
    is_reset: bool,
}

impl Look<'_> {
    /// Unions in our folders that no host has.
    fn strays(&self) -> Vec<Step> {
        let folders: BTreeSet<&str> = self
            .tables
            .roots
            .iter()
            .filter(|row| row.overlay.is_some())
            .filter_map(|row| row.export.rsplit_once('/'))
            .map(|(folder, _)| folder)
            .collect();
        // Where no host is left, no folder is known, and all that we mounted is over.
        let is_over = folders.is_empty();
        let wanted: BTreeSet<&str> = self.tables.roots.iter().map(|row| row.export.as_str()).collect();
        let is_stray = |target: &str, mounted: &Mounted| {
            let folder = target.rsplit_once('/').is_some_and(|(folder, _)| is_over || folders.contains(folder));
            mounted.source.starts_with("pxelator-") && folder && !wanted.contains(target)
        };
        let strays = self.mounted.iter().filter(|(target, mounted)| is_stray(target, mounted));
        let unions = strays.map(|(target, _)| Step::Unmount { target: target.clone(), address: "CLIENT".into() });
        unions.chain(self.half_discarded().into_iter().map(|folder| Step::Discard { folder })).collect()
    }

    /// What resets that were killed left beside the upper folders.
    fn half_discarded(&self) -> Vec<String> {
        let overlays = self.tables.roots.iter().filter_map(|row| row.overlay.as_ref());
        let folders: BTreeSet<&str> =
            overlays.filter_map(|overlay| overlay.upper.rsplit_once('/')).map(|(folder, _)| folder).collect();
        let entries = folders.into_iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        // No host has a dot in its name.
        let gone = entries.filter(|entry| entry.file_name().to_string_lossy().contains(GONE));
        gone.map(|entry| entry.path().to_string_lossy().into_owned()).collect()
    }

    fn add(&self, row: &RootRow, plan: &mut Plan) {
        let lack = if !is_folder(&row.lower) { Some("is missing") } else { is_empty(&row.lower).then_some("is empty") };
        if let Some(what) = lack {
            plan.problems.push(Error::NoBase { base: row.base.clone(), path: row.lower.clone(), what });
            return;
        }
        let mut steps = Vec::new();
        let recovery = format!("{}/.ganesha", nfs_folder(row));
        let planned = plan
            .steps
            .iter()
            .flat_map(|(_, steps)| steps)
            .any(|step| matches!(step, Step::MakeFolder { path, .. } if *path == recovery));
        if !planned && !is_folder(&recovery) {
            steps.push(Step::MakeFolder { path: recovery, closed: true });
        }
        let more = row.overlay.as_ref().map_or(Ok(Vec::new()), |overlay| self.overlay(row, overlay));
        match more {
            Ok(more) => plan.steps.push((row.host.clone(), [steps, more].concat())),
            Err(error) => plan.problems.push(error),
        }
    }

    /// Folders, union and files of a host.
    fn overlay(&self, row: &RootRow, overlay: &OverlayRow) -> Result<Vec<Step>> {
        let before = if self.is_reset { State::default() } else { remembered(overlay)? };
        // Before anything is unmounted: the kernel would refuse the mount and leave the host without a root.
        if !before.lower.is_empty() && before.lower != row.lower {
            return Err(Error::OtherBase { host: row.host.clone(), upper: overlay.upper.clone(), lower: row.lower.clone() });
        }
        let mut steps = Vec::new();
        let is_mounted = self.union(row, overlay, &mut steps);
        steps.extend(self.files(row, overlay, is_mounted, before)?);
        Ok(steps)
    }

    /// The union itself; true where it is mounted already.
    fn union(&self, row: &RootRow, overlay: &OverlayRow, steps: &mut Vec<Step>) -> bool {
        let upper = upper_folder(overlay);
        let folders = [
            (row.export.clone(), false),
            (overlay.upper.clone(), true),
            (upper.clone(), false),
            (format!("{}/work", overlay.upper), false),
        ];
        let missing = |(path, _): &(String, bool)| !is_folder(path) || self.is_reset && *path != row.export;
        steps.extend(folders.into_iter().filter(missing).map(|(path, closed)| Step::MakeFolder { path, closed }));
        let union = if overlay.union == Union::Aufs.name() { Union::Aufs } else { Union::Overlayfs };
        let kind = if union == Union::Aufs { "aufs" } else { "overlay" };
        let there = self.mounted.get(&row.export).filter(|_| !self.is_reset);
        if there.is_some_and(|there| there.joins(kind, &row.lower, &upper)) {
            return true;
        }
        if there.is_some() {
            steps.push(Step::Unmount { target: row.export.clone(), address: row.address.to_string() });
        }
        steps.push(Step::Mount { target: row.export.clone(), union, lower: row.lower.clone(), upper: overlay.upper.clone() });
        false
    }

    /// Declared files that are not there as declared, and those that were taken out of the site.
    fn files(&self, row: &RootRow, overlay: &OverlayRow, is_mounted: bool, before: State) -> Result<Vec<Step>> {
        // What is not mounted yet is looked up in the upper folder: a copy more of the base's file does no harm.
        let seen = if is_mounted { row.export.clone() } else { upper_folder(overlay) };
        let root = if is_folder(&seen) && !self.is_reset { Some(Root::open(&seen)?) } else { None };
        let is = |path: &str, mark: &Mark| root.as_ref().map_or(Ok(false), |root| root.look(path).map(|found| mark.is(&found)));
        let (mut steps, mut written) = (Vec::new(), Written::new());
        for file in self.tables.overlay_files.iter().filter(|file| file.overlay == overlay.name) {
            let text = format!("{OVERLAY_TEXTS}{}{}", file.overlay, file.path);
            let Some(bytes) = self.generation.files.get(&text) else { continue };
            let mode = u32::from_str_radix(&file.mode, 8).unwrap_or(0o644);
            let mark = Mark::of(bytes, mode);
            if !is(&file.path, &mark)? {
                steps.push(Step::WriteFile { root: row.export.clone(), path: file.path.clone(), text, mode });
            }
            written.insert(file.path.clone(), mark);
        }
        for (path, mark) in before.written.iter().filter(|(path, _)| !written.contains_key(*path)) {
            // What the machine changed since is the machine's.
            if is(path, mark)? {
                steps.push(Step::RestoreFile { root: row.export.clone(), path: path.clone(), lower: row.lower.clone() });
            }
        }
        let state = State { lower: row.lower.clone(), written };
        if before != state {
            steps.push(Step::Remember { file: state_file(overlay), state });
        }
        Ok(steps)
    }
}

/// What the server knows of a host's root.
pub(super) fn remembered(overlay: &OverlayRow) -> Result<State> {
    let path = state_file(overlay);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed("understand", &path)(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(failed("read", &path)(error)),
    }
}

/// The folder in which bases, uppers and unions lie.
pub(super) fn nfs_folder(row: &RootRow) -> &str {
    let base = row.lower.strip_suffix(&row.base).unwrap_or(&row.lower);
    base.strip_suffix("/base/").unwrap_or(base)
}

/// The options of the mount that a step makes.
pub(super) fn options(union: Union, lower: &str, upper: &str) -> String {
    union_options(union, lower, upper)
}

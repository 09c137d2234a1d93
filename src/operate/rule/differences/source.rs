//! A machine before and after: an overlay over its base, or two commits of a tracked machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::operate::track::meta::{Kind, Meta, Metas};
use crate::operate::track::{self, Blob, Repository};
use crate::storage::content::{Both, Stand, Thing};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
    #[error(transparent)]
    Track(#[from] track::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// How large a text may be that becomes a file of a module, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A machine at two moments.
pub trait Source {
    /// Every path that differs, without a slash at its end.
    fn paths(&self) -> BTreeSet<String>;
    fn before(&self, path: &str) -> Result<Option<Stand>>;
    fn after(&self, path: &str) -> Result<Option<Stand>>;

    /// The text of a file before and after; nothing where it is none.
    fn texts(&self, path: &str) -> Result<[String; 2]> {
        let text = |stand: Option<Stand>| match stand.map(|stand| stand.thing) {
            Some(Thing::File(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(Thing::Large | Thing::Folder | Thing::Link(_) | Thing::Other) | None => String::new(),
        };
        Ok([text(self.before(path)?), text(self.after(path)?)])
    }
}

impl Source for Both {
    fn paths(&self) -> BTreeSet<String> {
        self.changes.iter().map(|change| change.path.trim_end_matches('/').to_owned()).collect()
    }

    fn before(&self, path: &str) -> Result<Option<Stand>> {
        Ok(Both::before(self, path)?)
    }

    fn after(&self, path: &str) -> Result<Option<Stand>> {
        Ok(Both::after(self, path)?)
    }
}

/// Two commits of a tracked machine.
pub struct Tracked<'r> {
    repository: &'r Repository,
    before: Commit,
    after: Commit,
}

struct Commit {
    metas: Metas,
    files: BTreeMap<Vec<u8>, Blob>,
}

impl<'r> Tracked<'r> {
    pub fn open(repository: &'r Repository, host: &str, from: &str, to: &str) -> Result<Tracked<'r>> {
        let commit = |id: &str| -> Result<Commit> {
            Ok(Commit { metas: repository.metas(id, host)?, files: repository.files(id, host)? })
        };
        Ok(Tracked { repository, before: commit(from)?, after: commit(to)? })
    }

    fn stand(&self, commit: &Commit, path: &str) -> Result<Option<Stand>> {
        let Some(Meta { kind, mode, owner, group, .. }) = commit.metas.get(path.as_bytes()) else { return Ok(None) };
        let bytes = match (kind, commit.files.get(path.as_bytes())) {
            (Kind::File | Kind::Link, Some(blob)) => Some(self.repository.blob(&blob.id)?),
            (Kind::Folder, _) | (_, None) => None,
        };
        let thing = match (kind, bytes) {
            (Kind::Folder, _) => Thing::Folder,
            (Kind::File, Some(bytes)) => Thing::File(bytes),
            (Kind::Link, Some(bytes)) => Thing::Link(bytes),
            // It is named alone: it was too large to be kept.
            (Kind::File | Kind::Link, None) => Thing::Large,
        };
        Ok(Some(Stand { thing, mode: *mode, owner: *owner, group: *group }))
    }
}

impl Source for Tracked<'_> {
    fn paths(&self) -> BTreeSet<String> {
        let all = self.before.metas.keys().chain(self.after.metas.keys()).collect::<BTreeSet<_>>();
        let differs = |path: &&Vec<u8>| {
            let plain = |commit: &Commit| {
                let meta = commit.metas.get(*path).map(|meta| (meta.kind, meta.mode, meta.owner, meta.group));
                (meta, commit.files.get(*path).map(|blob| blob.id.clone()))
            };
            plain(&self.before) != plain(&self.after)
        };
        all.into_iter().filter(differs).map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    fn before(&self, path: &str) -> Result<Option<Stand>> {
        self.stand(&self.before, path)
    }

    fn after(&self, path: &str) -> Result<Option<Stand>> {
        self.stand(&self.after, path)
    }
}

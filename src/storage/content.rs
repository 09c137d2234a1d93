//! What stands at a path of a machine's root, before and after the machine changed it.

use std::collections::BTreeSet;

use super::beneath::Root;
use super::changes::{Change, Kind, changes};
use super::{Result, upper_folder};
use crate::out::table::{OverlayRow, RootRow};

/// A file, a folder, a link, or something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    File(Vec<u8>),
    /// A file that is too large to be a text that somebody wrote.
    Large,
    Folder,
    Link(Vec<u8>),
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    pub thing: Thing,
    /// Permissions alone.
    pub mode: u32,
    pub owner: u32,
    pub group: u32,
}

/// A base and what a machine made of it.
pub struct Both {
    lower: Root,
    upper: Root,
    pub changes: Vec<Change>,
    deleted: BTreeSet<String>,
}

impl Both {
    pub fn open(row: &RootRow, overlay: &OverlayRow) -> Result<Both> {
        let changes = changes(row, overlay)?;
        let gone = changes.iter().filter(|change| change.kind == Kind::Deleted);
        let deleted = gone.map(|change| change.path.trim_end_matches('/').to_owned()).collect();
        Ok(Both { lower: Root::open(&row.lower)?, upper: Root::open(&upper_folder(overlay))?, changes, deleted })
    }

    /// As the base has it.
    pub fn before(&self, path: &str) -> Result<Option<Stand>> {
        self.lower.stand(path)
    }

    /// As the machine sees it.
    pub fn after(&self, path: &str) -> Result<Option<Stand>> {
        let is_gone = self.deleted.contains(path)
            || path.match_indices('/').any(|(at, _)| path.get(..at).is_some_and(|parent| self.deleted.contains(parent)));
        if is_gone {
            return self.upper_only(path);
        }
        match self.upper.stand(path)? {
            Some(stand) => Ok(Some(stand)),
            None => self.lower.stand(path),
        }
    }

    /// What was made anew in a folder that was deleted; a whiteout is a device.
    fn upper_only(&self, path: &str) -> Result<Option<Stand>> {
        Ok(self.upper.stand(path)?.filter(|stand| stand.thing != Thing::Other))
    }
}

//! What outlives a restart: pool leases, in redb.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::answer::dhcp::{Lease, LeaseState, Leases};
use crate::event::Event;

/// Address → MAC and end, as JSON; offers are not kept.
const LEASES: TableDefinition<u32, &str> = TableDefinition::new("leases");
const LEASES_FILE: &str = "leases.redb";

fn failed<E>(step: &'static str, path: &Path) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| Error::State { step, path: path.to_owned(), source: error.into() }
}

/// The state folder, which belongs to whoever serves; what lies in it is not touched as root.
pub(super) fn make_folder(state: &Path) -> Result<(), Error> {
    let made = std::fs::create_dir_all(state);
    if made.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem) {
        // Our systemd unit may write nothing but the state folder, so it cannot make it either.
        return Err(Error::Folder {
            path: state.to_owned(),
            what: "the state folder does not exist, and nothing may be made here: `systemd-tmpfiles --create pxelator.conf` makes it, or give another --state",
        });
    }
    made.map_err(failed("make the state folder", state))
}

/// A rehearsal's file in its state folder.
const REHEARSAL: &str = "rehearsal";

/// What happened at times that were made up, and what really happened, never lie in one folder: the order
/// of records, and what is old, would be wrong for both.
pub(super) fn keep_apart(state: &Path, is_rehearsal: bool) -> Result<(), Error> {
    let mark = state.join(REHEARSAL);
    match (is_rehearsal, mark.exists()) {
        (true, false) if state.join(LEASES_FILE).exists() => Err(Error::Folder {
            path: state.to_owned(),
            what: "what really happened is kept here: give a rehearsal (--now) a state folder of its own: --state DIR",
        }),
        (true, false) => std::fs::write(&mark, "").map_err(failed("write", &mark)),
        (false, true) => Err(Error::Folder {
            path: state.to_owned(),
            what: "a rehearsal (--now) was kept here: give it a state folder of its own, and this service another: --state DIR",
        }),
        (true, true) | (false, false) => Ok(()),
    }
}

// ── leases ────────────────────────────────────────────────────────────────────────────────

/// Pool leases, in memory and on disk.
pub struct LeaseStore {
    leases: Mutex<Leases>,
    /// `None` before the state folder is opened, and after an error: redb then wants to be opened anew.
    database: Mutex<Option<Database>>,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct LeaseOnDisk {
    mac: String,
    until: u64,
    declined: bool,
}

impl LeaseStore {
    pub(super) fn new(state: &Path) -> LeaseStore {
        LeaseStore { leases: Mutex::default(), database: Mutex::default(), path: state.join(LEASES_FILE) }
    }

    /// Opens the state folder; leases that ran out are forgotten.
    pub(super) fn open(&self, now: u64) -> Result<(), Error> {
        let database = self.database()?;
        let rows = read(&database).map_err(failed("read", &self.path))?;
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.with(|leases| {
            rows.iter().filter(|(_, row)| row.until > now).for_each(|(address, row)| leases.apply(&event(*address, row)));
        });
        Ok(())
    }

    fn database(&self) -> Result<Database, Error> {
        Database::create(&self.path).map_err(|error| {
            let forbidden = matches!(&error, redb::DatabaseError::Storage(redb::StorageError::Io(io)) if io.kind() == std::io::ErrorKind::PermissionDenied);
            let step = if forbidden { "open (give the state folder, and all in it, to the user of --user: chown -R)" } else { "open (is another pxelator serving?)" };
            failed(step, &self.path)(error)
        })
    }

    /// The leases in memory, for one short look or change.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Leases) -> T) -> T {
        look(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of what is held now: offered, granted or declined.
    pub fn rows(&self) -> Vec<Lease> {
        self.with(|leases| leases.iter().cloned().collect())
    }

    /// Writes what changed and must not be lost; when this returns, it is on the disk. After an error the
    /// same rows are tried again with the next ones.
    pub(super) fn commit(&self) -> Result<(), Error> {
        let mut changed = self.with(Leases::take_changed);
        let rows: Vec<(u32, Option<LeaseOnDisk>)> =
            self.with(|leases| changed.iter().map(|address| row(*address, leases)).collect());
        if rows.is_empty() {
            return Ok(());
        }
        let mut slot = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match slot.take().map_or_else(|| self.database(), Ok) {
            Ok(database) => write(&database, rows).map(|()| database).map_err(failed("write", &self.path)),
            Err(error) => Err(error),
        };
        match written {
            Ok(database) => {
                *slot = Some(database);
                Ok(())
            }
            Err(error) => {
                self.with(|leases| leases.put_back(&mut changed));
                Err(error)
            }
        }
    }
}

fn read(database: &Database) -> Result<Vec<(u32, LeaseOnDisk)>, redb::Error> {
    let write = database.begin_write()?;
    write.open_table(LEASES)?; // so that reading finds it
    write.commit()?;
    let read = database.begin_read()?;
    let table = read.open_table(LEASES)?;
    let mut rows = Vec::new();
    for row in table.iter()? {
        let (address, json) = row?;
        rows.extend(serde_json::from_str(json.value()).ok().map(|lease| (address.value(), lease)));
    }
    Ok(rows)
}

fn write(database: &Database, rows: Vec<(u32, Option<LeaseOnDisk>)>) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(LEASES)?;
        for (address, row) in rows {
            match row {
                Some(row) => drop(table.insert(address, crate::out::table::json(&row).as_str())?),
                None => drop(table.remove(address)?),
            }
        }
    }
    write.commit()?;
    Ok(())
}

/// What an address's row on disk shall be: offers have none.
fn row(address: Ipv4Addr, leases: &Leases) -> (u32, Option<LeaseOnDisk>) {
    let kept = leases.at(address).filter(|lease| lease.state != LeaseState::Offered);
    let row = kept.map(|lease| LeaseOnDisk {
        mac: lease.mac.clone(),
        until: lease.until,
        declined: lease.state == LeaseState::Declined,
    });
    (u32::from(address), row)
}

/// The event that would have made a row.
fn event(address: u32, row: &LeaseOnDisk) -> Event {
    let (mac, address, until) = (row.mac.clone(), address.into(), row.until);
    match row.declined {
        true => Event::AddressDeclined { mac, address, until },
        false => Event::LeaseGranted { mac, address, until },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_survive_and_offers_do_not() {
        let folder = std::env::temp_dir().join(format!("pxelator-leases-{}", std::process::id()));
        let granted = Event::LeaseGranted { mac: "a".into(), address: [10, 0, 0, 1].into(), until: 100 };
        let offered = Event::LeaseOffered { mac: "b".into(), address: [10, 0, 0, 2].into(), until: 100 };
        let opened = |now| {
            make_folder(&folder).unwrap();
            let store = LeaseStore::new(&folder);
            store.open(now).unwrap();
            store
        };
        let store = opened(0);
        store.with(|leases| [granted, offered].iter().for_each(|event| leases.apply(event)));
        store.commit().unwrap();
        drop(store);
        let store = opened(50);
        let kept: Vec<_> = store.with(|leases| leases.iter().map(|lease| (lease.mac.clone(), lease.state)).collect());
        assert_eq!(kept, [("a".to_owned(), LeaseState::Granted)]);
        // Another address for the same client: the old row goes in the same commit.
        let moved = Event::LeaseGranted { mac: "a".into(), address: [10, 0, 0, 9].into(), until: 100 };
        store.with(|leases| leases.apply(&moved));
        store.commit().unwrap();
        drop(store);
        let kept: Vec<_> = opened(50).with(|leases| leases.iter().map(|lease| lease.address).collect());
        assert_eq!(kept, [Ipv4Addr::new(10, 0, 0, 9)]);
        assert_eq!(opened(100).with(|leases| leases.iter().count()), 0);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_rehearsal_and_what_really_happens_have_folders_of_their_own() {
        let folder = std::env::temp_dir().join(format!("pxelator-apart-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let refused = |is_rehearsal| keep_apart(&folder, is_rehearsal).map_err(|error| error.to_string().contains("--state DIR"));
        assert_eq!(refused(false), Ok(()));
        std::fs::write(folder.join(LEASES_FILE), "").unwrap();
        assert_eq!((refused(false), refused(true)), (Ok(()), Err(true)));
        std::fs::remove_file(folder.join(LEASES_FILE)).unwrap();
        assert_eq!((refused(true), refused(true), refused(false)), (Ok(()), Ok(()), Err(true)));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! What outlives a restart: pool leases (redb) and the serials of zones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::answer::dhcp::Leases;
use crate::event::Event;

/// Address → MAC and end, as JSON; offers are not kept.
const LEASES: TableDefinition<u32, &str> = TableDefinition::new("leases");
const LEASES_FILE: &str = "leases.redb";
const SERIALS_FILE: &str = "serials.json";

/// The files of the state folder, and the folder.
pub(super) fn paths(state: &Path) -> impl Iterator<Item = PathBuf> {
    let files = [LEASES_FILE, SERIALS_FILE].map(|name| state.join(name)).into_iter().filter(|path| path.exists());
    files.chain([state.to_owned()])
}

fn failed<E>(step: &'static str, path: &Path) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| Error::State { step, path: path.to_owned(), source: error.into() }
}

fn make_folder(state: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(state).map_err(failed("make the state folder", state))
}

// ── leases ────────────────────────────────────────────────────────────────────────────────

/// Pool leases, in memory and on disk.
pub(super) struct LeaseStore {
    leases: Mutex<Leases>,
    database: Database,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct LeaseOnDisk {
    mac: String,
    until: u64,
    declined: bool,
}

impl LeaseStore {
    /// Opens the state folder; leases that ran out are forgotten.
    pub(super) fn open(state: &Path, now: u64) -> Result<LeaseStore, Error> {
        make_folder(state)?;
        let path = state.join(LEASES_FILE);
        let database = Database::create(&path).map_err(failed("open (is another pxelator serving?)", &path))?;
        let store = LeaseStore { leases: Mutex::default(), database, path };
        let rows = store.read().map_err(failed("read", &store.path))?;
        store.with(|leases| {
            rows.iter().filter(|(_, row)| row.until > now).for_each(|(address, row)| leases.apply(&event(*address, row)))
        });
        Ok(store)
    }

    fn read(&self) -> Result<Vec<(u32, LeaseOnDisk)>, redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(LEASES)?; // so that reading finds it
        write.commit()?;
        let read = self.database.begin_read()?;
        let table = read.open_table(LEASES)?;
        let mut rows = Vec::new();
        for row in table.iter()? {
            let (address, json) = row?;
            rows.extend(serde_json::from_str(json.value()).ok().map(|lease| (address.value(), lease)));
        }
        Ok(rows)
    }

    /// The leases in memory, for one short look or change.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Leases) -> T) -> T {
        look(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what must not be lost; when this returns, it is on the disk.
    pub(super) fn commit(&self, events: &[Event]) -> Result<(), Error> {
        let rows: Vec<(u32, Option<LeaseOnDisk>)> = events.iter().filter_map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.write(rows).map_err(failed("write", &self.path))
    }

    fn write(&self, rows: Vec<(u32, Option<LeaseOnDisk>)>) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
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
}

/// The row that an event leaves on disk, or removes from it.
fn row(event: &Event) -> Option<(u32, Option<LeaseOnDisk>)> {
    let kept = |mac: &String, until: &u64, declined| Some(LeaseOnDisk { mac: mac.clone(), until: *until, declined });
    match event {
        Event::LeaseGranted { mac, address, until } => Some((u32::from(*address), kept(mac, until, false))),
        Event::AddressDeclined { mac, address, until } => Some((u32::from(*address), kept(mac, until, true))),
        Event::LeaseReleased { address, .. } => Some((u32::from(*address), None)),
        Event::LeaseOffered { .. }
        | Event::ReservationOffered { .. }
        | Event::ReservationGranted { .. }
        | Event::RequestRefused { .. }
        | Event::PoolExhausted { .. }
        | Event::LoaderOffered { .. }
        | Event::FileAsked { .. } => None,
    }
}

/// The event that would have made a row.
fn event(address: u32, row: &LeaseOnDisk) -> Event {
    let (mac, address, until) = (row.mac.clone(), address.into(), row.until);
    match row.declined {
        true => Event::AddressDeclined { mac, address, until },
        false => Event::LeaseGranted { mac, address, until },
    }
}

// ── serials ───────────────────────────────────────────────────────────────────────────────

#[derive(Serialize, Deserialize, PartialEq)]
struct Serial {
    serial: u32,
    blake3: String,
}

/// The serial of each zone: the last one, plus 1 where its content changed (RFC 1982 wraps).
pub(super) fn serials(state: &Path, zones: &BTreeMap<String, String>) -> Result<BTreeMap<String, u32>, Error> {
    make_folder(state)?;
    let path = state.join(SERIALS_FILE);
    let known: BTreeMap<String, Serial> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(failed("understand (delete it to start serials afresh)", &path))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let next = |name: &String, text: &String| {
        let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
        let serial = match known.get(name) {
            Some(last) if last.blake3 == blake3 => last.serial,
            Some(last) => last.serial.wrapping_add(1).max(1),
            None => 1,
        };
        Serial { serial, blake3 }
    };
    let mut fresh: BTreeMap<String, Serial> = zones.iter().map(|(name, text)| (name.clone(), next(name, text))).collect();
    let serials = fresh.iter().map(|(name, serial)| (name.clone(), serial.serial)).collect();
    // A zone that is gone keeps its serial: it may come back, and secondaries remember.
    let changed = fresh.iter().any(|(name, serial)| known.get(name) != Some(serial));
    for (name, serial) in known {
        fresh.entry(name).or_insert(serial);
    }
    if changed {
        crate::store::out::replace_file(&path, &crate::out::table::json(&fresh))?;
    }
    Ok(serials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::dhcp::LeaseState;

    #[test]
    fn leases_survive_and_offers_do_not() {
        let folder = std::env::temp_dir().join(format!("pxelator-leases-{}", std::process::id()));
        let granted = Event::LeaseGranted { mac: "a".into(), address: [10, 0, 0, 1].into(), until: 100 };
        let offered = Event::LeaseOffered { mac: "b".into(), address: [10, 0, 0, 2].into(), until: 100 };
        LeaseStore::open(&folder, 0).unwrap().commit(&[granted, offered]).unwrap();
        let store = LeaseStore::open(&folder, 50).unwrap();
        let kept: Vec<_> = store.with(|leases| leases.iter().map(|lease| (lease.mac.clone(), lease.state)).collect());
        assert_eq!(kept, [("a".to_owned(), LeaseState::Granted)]);
        drop(store);
        assert_eq!(LeaseStore::open(&folder, 100).unwrap().with(|leases| leases.iter().count()), 0);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_serial_grows_with_its_zone() {
        let folder = std::env::temp_dir().join(format!("pxelator-serials-{}", std::process::id()));
        let zones = |text: &str| BTreeMap::from([("z".to_owned(), text.to_owned())]);
        for (text, serial) in [("a", 1), ("a", 1), ("b", 2), ("a", 3)] {
            assert_eq!(serials(&folder, &zones(text)).unwrap().get("z"), Some(&serial));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! What a store holds and who serves it: what a plan is made of, and what is shown of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::far::Back;
use super::folder::{Files, Store};
use super::history::{Event, What};
use super::{Error, Result};
use crate::out::plan::{Place, Situation, short};
use crate::out::serial;
use crate::out::table::{Tables, ZONE_SUFFIX, ZONES};
use crate::store::{self, serials, serving::Serving};

/// What a plan must know.
pub(super) fn situation(store: &Store, state: &Path) -> Result<Situation> {
    let events = store.history()?;
    let current = store.current()?;
    let last = events.iter().map(|event| event.number).max().unwrap_or(0);
    let numbers: BTreeSet<u64> =
        store.numbers()?.into_iter().filter(|number| *number <= last.max(current.unwrap_or(0))).collect();
    let confirmed = events.iter().filter(|event| event.what == What::Confirmed && numbers.contains(&event.number));
    let confirmed: Vec<u64> = confirmed.map(|event| event.number).collect();
    let is_good = |number: &u64| !matches!(state_of(&events, *number), Some(What::Failed));
    // What does not verify is served by nobody.
    let candidates = current.into_iter().chain(confirmed.iter().rev().copied().filter(is_good));
    let way_back = candidates.into_iter().find(|number| store.open(*number).is_ok());
    let confirmed = confirmed.last().copied();
    let current = current.map(|number| Place { number, generation: store.id(number, &events) });
    let (serials, unserved) = (serials::read(state)?, server(store, state)?.err());
    Ok(Situation { current, last, numbers, confirmed, way_back, serials, unserved })
}

/// The server that reads `current`, or why none does.
pub(super) fn server(store: &Store, state: &Path) -> Result<std::result::Result<Serving, String>> {
    let Some(serving) = Serving::read(state)?.filter(Serving::is_alive) else {
        return Ok(Err(format!("nobody serves with the state folder {}", state.display())));
    };
    let real = |path: &Path| path.canonicalize().ok();
    let follows = serving.out.ends_with("current/out")
        && serving.out.ancestors().nth(2).and_then(real).is_some_and(|root| Some(root) == real(&store.root));
    if follows {
        return Ok(Ok(serving));
    }
    let (out, root) = (serving.out.display(), store.root.display());
    Ok(Err(format!("the server there serves {out}; let it serve {root}/current/out")))
}

/// Zone → text.
pub(super) fn zones(files: &Files) -> BTreeMap<String, String> {
    let zone = |(path, bytes): (&String, &Vec<u8>)| {
        let name = path.strip_prefix(ZONES)?.strip_suffix(ZONE_SUFFIX)?;
        Some((name.to_owned(), String::from_utf8(bytes.clone()).ok()?))
    };
    files.iter().filter_map(zone).collect()
}

/// The tree with its zones' serials, as engines read it.
pub(super) fn stamped(files: &Files, serials: &BTreeMap<String, u32>) -> Files {
    let mut stamped = files.clone();
    for (name, text) in zones(files) {
        let serial = serials.get(&name).copied().unwrap_or(0);
        stamped.insert(format!("{ZONES}{name}{ZONE_SUFFIX}"), serial::stamped(&text, serial).into_bytes());
    }
    stamped
}

/// How many hosts a generation has.
pub(super) fn hosts(tables: &Tables) -> usize {
    let names = tables.hosts.values().map(|row| &row.host).chain(tables.reservations.values().map(|row| &row.host));
    names.collect::<BTreeSet<_>>().len()
}

/// The number that a rollback brings back: the one that was asked for by number or by the beginning of its
/// id, else the one that was current before the content that is current now.
pub(super) fn rollback_to(store: &Store, back: &Back) -> Result<u64> {
    let (numbers, events) = (store.numbers()?, store.history()?);
    let path = || store.root.clone();
    let nothing = |why: &str| Error::NoWayBack { path: path(), why: why.to_owned() };
    let current = store.current()?.ok_or_else(|| nothing("nothing was deployed yet"))?;
    if let Back::To(wanted) = back {
        let by_id = || numbers.iter().rev().copied().find(|number| is_id(store, *number, wanted));
        let by_number = wanted.parse().ok().filter(|number| numbers.contains(number));
        let kept: Vec<String> = numbers.iter().map(u64::to_string).collect();
        return by_number.or_else(by_id).ok_or_else(|| Error::NoNumber {
            number: wanted.to_owned(),
            path: path(),
            kept: kept.join(", "),
        });
    }
    let content = store.id(current, &events);
    let mut at = current;
    let mut seen = BTreeSet::new();
    // A rollback has the content of an older one: what came before that is one more back.
    while seen.insert(at) && numbers.contains(&at) {
        let about = store.about(at)?;
        at = match (about.from, &about.parent) {
            (Some(from), _) => from,
            (None, Some(parent)) => parent.number,
            (None, None) => return Err(nothing(&format!("{at} was the first"))),
        };
        let good = |number| !matches!(state_of(&events, number), Some(What::Failed));
        if numbers.contains(&at) && about.from.is_none() && good(at) && store.about(at)?.generation != content {
            return Ok(at);
        }
    }
    Err(nothing(&format!("what was current before {current} is not kept any more")))
}

/// At least four characters of an id are meant as one.
fn is_id(store: &Store, number: u64, wanted: &str) -> bool {
    const ID_CHARS_MIN: usize = 4;
    wanted.len() >= ID_CHARS_MIN && store.about(number).is_ok_and(|about| about.generation.starts_with(wanted))
}

/// What the last health check of a number said.
pub(super) fn state_of(events: &[Event], number: u64) -> Option<What> {
    let own = events.iter().filter(|event| event.number == number);
    own.map(|event| event.what).rfind(|what| matches!(what, What::Confirmed | What::Failed))
}

/// Every pinned file on this machine has its size and its hash.
pub(super) fn check_assets(tables: &Tables) -> Result<()> {
    /// How many are named.
    const NAMED_MAX: usize = 10;
    let problem = |row: &crate::out::table::AssetRow| {
        let full = Path::new(&row.root).join(&row.path);
        match store::assets::hash(Path::new(&row.root), &row.path) {
            Ok(found) if found.size != row.size => {
                Some(format!("{} has {} bytes, {} are pinned", full.display(), found.size, row.size))
            }
            Ok(found) if found.blake3 != row.blake3 => Some(format!(
                "{} has other content than was pinned: {}, not {}",
                full.display(),
                short(&found.blake3),
                short(&row.blake3)
            )),
            Ok(_) => None,
            Err(store::Error::Io { source, .. }) => Some(format!("{}: {source}", full.display())),
            Err(error) => Some(error.to_string()),
        }
    };
    let problems: Vec<String> = tables.assets.values().filter_map(problem).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let mut list = problems.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>();
    list.extend((problems.len() > NAMED_MAX).then(|| format!("and {} more", problems.len() - NAMED_MAX)));
    Err(Error::Assets { count: problems.len(), list: list.join("\n  ") })
}

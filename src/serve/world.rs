//! The generation that is served: loaded beside the loop, swapped in at once, and told to whoever deploys.
//!
//! ```text
//!  SIGHUP, or `current` leads elsewhere ──► load, verify (a thread of its own) ──► swap ──► serving.json
//!                                                 └─ what does not verify: the last good one stays
//! ```
//! **Invariant:** a link on the way to the folder is resolved once for each generation, so that no world
//! is read half from one and half from another.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::rehearsal::on_loopback;
use super::{Error, Options, SERVICES, Shared, files};
use crate::answer::dns::Zones;
use crate::out::plan::short;
use crate::out::table::Tables;
use crate::store::serving::{Refused, Serving, started};
use crate::store::{self, serials};
use crate::terminal::chain;

/// How often it is looked whether the folder leads elsewhere.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is looked whether the last request has let go of an old generation.
const LET_GO: Duration = Duration::from_millis(100);

/// What services answer from: one verified generation.
pub(super) struct World {
    pub(super) generation: String,
    /// Where it was read, links resolved.
    folder: PathBuf,
    pub(super) tables: Arc<Tables>,
    pub(super) zones: Zones,
}

/// The folder with its links resolved; one that is not there is named by whoever opens it.
fn resolved(out: &Path) -> Result<PathBuf, Error> {
    match out.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(out.to_owned()),
        other => Ok(other.map_err(store::failed("open", out))?),
    }
}

/// A verified generation; its zones have no serials yet.
pub(super) fn verified(options: &Options) -> Result<World, Error> {
    let folder = resolved(&options.out)?;
    let generation = store::open(&folder)?;
    let mut tables = Tables::read(&generation.files)?;
    if let Some(folder) = &options.assets {
        tables.assets.values_mut().for_each(|row| row.root = folder.to_string_lossy().into_owned());
    }
    let zones = Zones::load(&tables, &Default::default())?;
    Ok(World { generation: generation.manifest.generation, folder, tables: Arc::new(tables), zones })
}

/// A verified generation, and the serials of its zones.
pub(super) fn load(options: &Options) -> Result<World, Error> {
    let mut world = verified(options)?;
    let serials = serials::settle(&options.state, &world.tables.zones)?;
    world.zones = Zones::load(&world.tables, &serials)?;
    files::warn_unreadable(&world.tables);
    Ok(world)
}

impl Shared {
    /// The generation of this moment; a request keeps the one with which it began.
    pub(super) fn world(&self) -> Arc<World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A large world takes long to free: that is done elsewhere, once no request holds it any more.
    pub(super) fn swap(&self, world: World) {
        let rehearsal = self.options.port_offset > 0;
        self.tables.send_replace(if rehearsal { on_loopback(&world.tables) } else { world.tables.clone() });
        let old = std::mem::replace(&mut *self.world.write().unwrap_or_else(PoisonError::into_inner), Arc::new(world));
        std::thread::spawn(move || {
            while Arc::strong_count(&old) > 1 {
                std::thread::sleep(LET_GO);
            }
        });
    }

    /// Loads the folder again, beside the loop; what does not verify changes nothing.
    pub(super) async fn reload(self: &Arc<Self>) {
        let options = self.options.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || load(&options)).await else {
            return error!("loading the generation failed; still serving the last good one");
        };
        let refused = match loaded {
            Ok(world) => {
                info!(generation = short(&world.generation), "now serving");
                self.swap(world);
                None
            }
            Err(error) => {
                let why = chain(&error);
                error!("{why}; still serving the last good generation");
                Some(Refused { folder: resolved(&self.options.out).unwrap_or_default(), why })
            }
        };
        let shared = self.clone();
        let _logged_already = tokio::task::spawn_blocking(move || shared.tell(refused)).await;
    }

    /// Writes into the state folder what is served, for a deploy that waits for it.
    pub(super) fn tell(&self, refused: Option<Refused>) {
        let (world, options) = (self.world(), &self.options);
        let port = |name: &str| {
            SERVICES.iter().find(|service| service.name == name).map_or(0, |service| service.port) + options.port_offset
        };
        let pid = std::process::id();
        let serving = Serving {
            pid,
            started: started(pid).unwrap_or_default(),
            out: std::path::absolute(&options.out).unwrap_or_else(|_| options.out.clone()),
            folder: world.folder.clone(),
            generation: world.generation.clone(),
            since: options.clock.secs(),
            address: Some(options.address()).filter(|address| !address.is_unspecified()).unwrap_or(std::net::Ipv4Addr::LOCALHOST),
            dns: port("DNS"),
            tftp: port("TFTP"),
            http: port("HTTP"),
            assets: options.assets.as_ref().and_then(|folder| std::path::absolute(folder).ok()),
            refused,
        };
        let untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        if *untold {
            return;
        }
        if let Err(error) = serving.write(&options.state) {
            warn!("{}; a deploy cannot see what is served", chain(&error));
        }
    }

    /// The server ends: a deploy sees that nobody serves.
    pub(super) fn untell(&self) {
        *self.untold.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let _it_ends_all_the_same = Serving::remove(&self.options.state);
    }
}

/// Says whenever the folder leads elsewhere than before. A plain folder never does: it waits for SIGHUP.
pub(super) fn watch_link(options: &Options, first: &World) -> watch::Receiver<PathBuf> {
    let (out, mut last) = (options.out.clone(), first.folder.clone());
    let (sender, receiver) = watch::channel(last.clone());
    std::thread::spawn(move || {
        while !sender.is_closed() {
            std::thread::sleep(LOOK);
            // Where it leads nowhere, whoever replaces it is not done.
            if let Ok(found) = out.canonicalize()
                && found != last
            {
                last = found.clone();
                sender.send_replace(found);
            }
        }
    });
    receiver
}

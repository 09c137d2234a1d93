//! The generation that commands of the boot server read: what was built here, or what was deployed there.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::out::table::Tables;
use crate::store;

/// Where `pxelator build` writes, from where one stands.
const BUILT: &str = "out";
/// Where `pxelator deploy` puts it, if not told otherwise.
const DEPLOYED: &str = "/srv/pxelator/current/out";

#[derive(clap::Args)]
pub(super) struct OutArgs {
    /// The generation [default: out; where there is no such folder, /srv/pxelator/current/out]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl OutArgs {
    pub(super) fn path(&self) -> PathBuf {
        let is_elsewhere = !Path::new(BUILT).exists() && Path::new(DEPLOYED).exists();
        self.out.clone().unwrap_or_else(|| if is_elsewhere { DEPLOYED } else { BUILT }.into())
    }

    pub(super) fn tables(&self) -> Result<Tables, Failure> {
        Ok(Tables::read(&self.open()?.files)?)
    }

    pub(super) fn open(&self) -> store::Result<store::Generation> {
        store::open(&self.path())
    }
}

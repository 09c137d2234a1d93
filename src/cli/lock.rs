//! `lock`: pins size and hash of every asset that the site names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::report::{self, Findings, Format};
use super::site::SiteArgs;
use super::{Failure, Outcome};
use crate::model::{Ids, Lock};
use crate::terminal::say;
use crate::{store, wanted_assets};

/// Write assets.lock: size and blake3 of every asset
///
/// Pins the files that profiles name, and these loaders where the assets folder has them:
/// pxelinux.0 or undionly.kpxe for BIOS (with ldlinux.c32, libutil.c32, menu.c32),
/// snponly.efi or ipxe.efi for UEFI. Where machines mount roots over NFS, ids.lock gets the numbers of their exports.
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator lock --assets /srv/boot && git diff assets.lock")]
pub(super) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    /// Where the assets lie on this machine, if not where the site says
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let (mut inputs, entry) = store::read_site(&args.site.site)?;
    // The old one may be broken (a merge conflict, say): it is written anew.
    inputs.remove(Lock::FILE);
    let (sources, diags, wanted) = wanted_assets(inputs, &entry);
    report::show(&Findings { sources: &sources, diags: &diags, folder: args.site.folder() }, Format::Text);
    let Some(wanted) = wanted else { return Ok(Outcome::Errors) };
    let Some(root) = args.assets.clone().or(wanted.root.map(|at| at.value.into())) else {
        return Err("the site has no assets folder: add `assets \"/srv/boot\"` to it, or give --assets DIR".into());
    };
    store::assets::require_folder(&root)?;
    let mut pinned = BTreeMap::new();
    let mut missing = Vec::new();
    let loaders = wanted.loaders.iter().filter(|path| store::assets::exists(&root, path)).map(|path| (*path).to_owned());
    for path in wanted.named.into_iter().chain(loaders) {
        match store::assets::hash(&root, &path) {
            Ok(asset) => drop(pinned.insert(path, asset)),
            Err(store::Error::Io { source, .. }) => missing.push(format!("{path}: {source}")),
            Err(error) => return Err(error.into()),
        }
    }
    if !missing.is_empty() {
        say(&format!(
            "error: {} names files that {} does not give:\n  {}",
            args.site.site.display(),
            root.display(),
            missing.join("\n  ")
        ));
        return Ok(Outcome::Errors);
    }
    let path = args.site.folder().join(Lock::FILE);
    let ids = wanted.ids.ok_or("the site has more than 65,535 NFS exports: nfs-ganesha has no more numbers; divide the site")?;
    store::out::replace_file(&path, &Lock::text(&pinned))?;
    say(&format!("{} files pinned in {}", pinned.len(), path.display()));
    if !ids.is_empty() {
        let path = args.site.folder().join(Ids::FILE);
        store::out::replace_file(&path, &Ids::text(&ids))?;
        say(&format!("{} exports numbered in {}", ids.len(), path.display()));
    }
    Ok(Outcome::Good)
}

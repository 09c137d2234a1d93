//! A boot server described in one file: compiled, reviewed as a diff, and proved by booting it.
//!
//! ```text
//! site.kdl, modules/*.kdl
//!    │
//!  source ─ syntax ─ schema ─ eval ─ model ─ check ─ emit ─ out ┬─ simulate
//!  ───────────────── pure: no I/O, clock, environment ───────── └─ store ─ storage ─ remote ─ deploy ─ serve ─ operate ─ page ─ lab ─ lsp ─ cli
//!                                                               ─── shell: sockets, disks ───
//! ```
//!
//! - [`source`]: the texts that we were given, and positions in them.
//! - [`diag`]: what we tell the author: a code, a place, what to type instead.
//! - [`syntax`]: text → spanned nodes.
//! - [`schema`]: one table of every node, argument and property.
//! - [`eval`]: files and modules → one Config, each thing once.
//! - [`model`]: Config → Site, whose values cannot be wrong.
//! - [`check`]: Site → Checked: the parts agree with each other.
//! - [`why`]: the path of a value → the line that won, and what it beat.
//! - [`out`]: the tree with its spans, its hashes, the tables that services read, and plans of deploys.
//! - [`emit`]: Checked → Tree: menus, DHCP tables, zones.
//! - [`edit`]: a site that is being edited: what one changed line of a host changes.
//! - [`howto`]: a how-to in Markdown → rules; rules → the text of a module.
//! - [`event`], [`answer`]: what happened, and request + tables + leases → answer + events, pure.
//! - [`simulate`]: a machine's conversation with the pure answers.
//! - [`store`]: reads sources; writes `out/` whole or not at all; opens and verifies it.
//! - [`terminal`]: what we print; a reader that went away ends no work.
//! - [`storage`]: unions that machines mount as their roots, and what they changed in them.
//! - [`remote`]: ssh to a machine: a script there, bounded and with a deadline.
//! - [`deploy`]: a plan executed on the boot server, step by step, with a way back.
//! - [`serve`]: sockets, timers and limits round the answers.
//! - [`operate`]: what a boot server does besides answering: audit, power, trends, checks, tracked machines, rules, VMs.
//! - [`page`]: what a browser sees of it.
//! - [`lab`]: namespaces, QEMU, serial log → verdict.
//! - [`lsp`]: what an editor types → findings, and its questions → answers.
//! - [`cli`]: one file a command.
//!
//! A room may name only rooms above it in this list. `answer`, `serve`, `operate` and `page` never name the
//! compiler's rooms: they see a verified generation of `out/` and nothing else. `tests/tidy.rs` holds this order.

// The bans of clippy.toml bind in the pure rooms alone, where each is denied again.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

macro_rules! pure {
    ($($name:ident)*) => { $(#[deny(clippy::disallowed_methods, clippy::disallowed_types)] pub mod $name;)* };
}

macro_rules! shell {
    ($($name:ident)*) => { $(#[cfg(feature = "runtime")] pub mod $name;)* };
}

// In reading order; tests/tidy.rs has the same.
pure! { source diag syntax schema eval model check why out emit edit howto event answer simulate }

shell! { store terminal storage remote deploy serve operate page lab lsp cli }

use std::collections::{BTreeMap, BTreeSet};

use diag::Diags;
use model::{At, LOADERS, Site};
use out::Tree;
use source::{Inputs, Sources};

/// What a compilation gives: the texts (for whoever shows findings), the findings, and the tree if no
/// finding is an error.
#[derive(Debug)]
pub struct Compiled {
    pub sources: Sources,
    pub diags: Diags,
    pub tree: Option<Tree>,
}

/// The whole compiler: texts in, tree out, the site beginning in the file `entry`.
pub fn compile(inputs: Inputs, entry: &str) -> Compiled {
    let (mut sources, mut diags) = read(inputs);
    let site = understand(&mut sources, entry, &mut diags);
    let checked = site.and_then(|site| check::check(site, &mut diags));
    let tree = checked.and_then(|checked| emit::emit(&checked, &mut diags));
    finish(&mut sources, &mut diags);
    Compiled { sources, diags, tree }
}

/// The same for a site whose NFS folder, with all that its machines change, lies elsewhere: the lab's.
pub fn compile_with_nfs(inputs: Inputs, entry: &str, folder: &str) -> Compiled {
    let (mut sources, mut diags) = read(inputs);
    let mut site = understand(&mut sources, entry, &mut diags);
    if let Some(nfs) = site.as_mut().and_then(|site| site.nfs.as_mut()) {
        nfs.folder.iter_mut().for_each(|at| folder.clone_into(&mut at.value));
        nfs.overlays.iter_mut().for_each(|overlay| overlay.upper = None);
    }
    let checked = site.and_then(|site| check::check(site, &mut diags));
    let tree = checked.and_then(|checked| emit::emit(&checked, &mut diags));
    finish(&mut sources, &mut diags);
    Compiled { sources, diags, tree }
}

/// The findings of [`compile`] without its tree, which takes half of the time.
pub fn check_only(inputs: Inputs, entry: &str) -> Compiled {
    let (mut sources, mut diags) = read(inputs);
    let checked = understand(&mut sources, entry, &mut diags).and_then(|site| check::check(site, &mut diags));
    checked.iter().for_each(|checked| emit::refusals(checked, &mut diags));
    finish(&mut sources, &mut diags);
    Compiled { sources, diags, tree: None }
}

/// The first half: texts → what they mean, whether or not it agrees with itself.
pub(crate) fn understand(sources: &mut Sources, entry: &str, diags: &mut Diags) -> Option<Site> {
    let mut config = eval::evaluate(sources, entry, diags);
    let site = model::lower::lower(&config, sources, diags);
    let instances = std::mem::take(&mut config.instances);
    drop(config);
    sources.adopt(instances);
    site
}

/// Findings in the order of the files, those within modules at the line that used them; nothing that may
/// be a secret can be read any more.
pub(crate) fn finish(sources: &mut Sources, diags: &mut Diags) {
    diags.sort();
    diags.blame(sources);
    sources.mask(diags.masks());
    if !diags.is_empty() {
        sources.tame();
    }
}

/// Bytes → texts, and a finding for each that is none.
pub(crate) fn read(inputs: Inputs) -> (Sources, Diags) {
    let (sources, broken) = Sources::from_inputs(inputs);
    let mut diags = Diags::default();
    broken.into_iter().for_each(|at| diags.push(syntax::not_utf8(at)));
    (sources, diags)
}

/// What a value of the site is, which line won, and what it beat; the findings come with it.
pub fn explain_value(inputs: Inputs, entry: &str, path: &str) -> (Compiled, Result<Vec<eval::Fact>, String>) {
    let (mut sources, mut diags) = read(inputs);
    let mut config = eval::evaluate(&sources, entry, &mut diags);
    let site = model::lower::lower(&config, &sources, &mut diags);
    let answer = site.as_ref().map_or_else(|| Err("the site cannot be read".to_owned()), |site| why::ask(&config, site, path));
    let instances = std::mem::take(&mut config.instances);
    drop(config);
    sources.adopt(instances);
    site.and_then(|site| check::check(site, &mut diags));
    finish(&mut sources, &mut diags);
    sources.tame();
    (Compiled { sources, diags, tree: None }, answer)
}

/// What `pxelator lock` must know: the assets folder, and the files in it that the site names. Loaders
/// are wanted where they exist.
#[derive(Debug)]
pub struct Wanted {
    pub root: Option<At<String>>,
    pub named: BTreeSet<String>,
    pub loaders: BTreeSet<&'static str>,
    /// Numbers for all NFS exports; `None` where there are more of these than numbers.
    pub ids: Option<BTreeMap<String, u16>>,
}

/// The assets of a site that may lack its lock; findings of the stages before `check` are given back.
pub fn wanted_assets(inputs: Inputs, entry: &str) -> (Sources, Diags, Option<Wanted>) {
    let (mut sources, mut diags) = read(inputs);
    let site = understand(&mut sources, entry, &mut diags);
    let wanted = site.filter(|_| diags.errors() == 0).map(|site| Wanted {
        named: named_assets(&site),
        ids: site.ids.complete(&site.roots().map(|root| root.export()).collect()),
        loaders: LOADERS.iter().flat_map(|loader| loader.files.iter().chain(loader.parts)).copied().collect(),
        root: site.assets,
    });
    finish(&mut sources, &mut diags);
    (sources, diags, wanted)
}

fn named_assets(site: &Site) -> BTreeSet<String> {
    site.profiles.iter().flat_map(|profile| profile.assets()).map(|path| path.value.clone()).collect()
}

//! # Name
//! `boot`: menus for pxelinux, iPXE and GRUB, and who gets which.
//!
//! # Description
//! `boot/menus/NAME.LOADER` is one file for each distinct menu: changing a profile changes one file and
//! not a thousand. `boot/hosts.jsonl` maps MACs to menus; `boot/loaders.jsonl` and `boot/assets.jsonl`
//! say which pinned files are served.
//!
//! # Syntax
//! Reads `profile` with its `root`, `menu`, `assets`, `host`, and `assets.lock`.
//!
//! # Example
//! ```kdl
//! site lab domain="lab.example"
//! network lan "10.77.0.0/24" { host pc-07 27 "a0:36:9f:00:00:1b" profile=disk }
//! profile disk label="Installed system" { local }
//! menu default=local { entry local; entry disk }
//! ```

mod grub;
mod ipxe;
mod pxelinux;

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{At, DEFAULT_MENU, LOADERS, LOCAL, Loader, Lock, Origins, Site, Start};
use crate::out::table::{ASSETS, AssetRow, HOSTS, HostRow, LOADERS as LOADERS_TABLE, LoaderRow, MENUS, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

/// A menu as every loader shows it.
struct MenuView {
    name: String,
    title: String,
    default: String,
    /// Zero starts the default at once.
    timeout_secs: u64,
    entries: Vec<EntryView>,
    origins: Origins,
    /// Are pxelinux's menu modules pinned?
    has_menu_modules: bool,
}

/// One line of a menu.
struct EntryView {
    id: String,
    label: String,
    action: Action,
    origins: Origins,
}

/// What an entry does.
enum Action {
    Local,
    Chain(String),
    Linux { kernel: String, initrds: Vec<String>, cmdline: String },
}

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    for menu in menus(site) {
        wing.write(format!("{MENUS}{}.pxelinux", menu.name), pxelinux::menu(&menu));
        wing.write(format!("{MENUS}{}.ipxe", menu.name), ipxe::menu(&menu));
        wing.write(format!("{MENUS}{}.grub", menu.name), grub::menu(&menu));
    }
    let mut hosts = Lines::default();
    for host in &site.hosts {
        let menu = host.profile.as_ref().map_or(DEFAULT_MENU, |profile| &profile.value);
        let origins: Origins = std::iter::once(host.span).chain(host.profile.as_ref().map(|profile| profile.span)).collect();
        let network = host.network.filter(|_| host.address.is_none()).and_then(|index| site.networks.get(index));
        let network = network.map(|network| network.name.clone());
        for mac in &host.macs {
            let row = HostRow {
                host: host.name.to_string(),
                mac: mac.value.to_string(),
                menu: menu.to_owned(),
                network: network.clone(),
            };
            hosts.line(&origins, json(&row));
        }
    }
    wing.write(HOSTS.into(), hosts);
    loaders_and_assets(site, wing);
}

fn loaders_and_assets(site: &Site, wing: &mut Wing<'_>) {
    let (mut loaders, mut assets) = (Lines::default(), Lines::default());
    let mut wanted: BTreeSet<&str> = site.profiles.iter().flat_map(|profile| profile.assets()).map(|path| path.value.as_str()).collect();
    for (loader, file) in LOADERS.iter().filter_map(|loader| Some((loader, offered(loader, &site.lock)?))) {
        let row = LoaderRow { firmware: loader.firmware.into(), arch: loader.arch.to_vec(), file: file.into() };
        loaders.line(&origins_of(site, file), json(&row));
        wanted.insert(file);
        wanted.extend(loader.parts.iter().filter(|part| site.lock.get(part).is_some()));
    }
    for path in wanted {
        let (Some(asset), Some(root)) = (site.lock.get(path), &site.assets) else { continue };
        let row = AssetRow { path: path.into(), root: root.value.clone(), size: asset.size, blake3: asset.blake3.clone() };
        let mut origins = origins_of(site, path);
        origins.push(root.span);
        assets.line(&origins, json(&row));
    }
    wing.write(LOADERS_TABLE.into(), loaders);
    wing.write(ASSETS.into(), assets);
}

/// The first of a loader's files that is pinned; without an assets folder there is nothing to serve.
pub(super) fn offered(loader: &Loader, lock: &Lock) -> Option<&'static str> {
    loader.files.iter().find(|file| lock.get(file).is_some()).copied()
}

/// An asset comes from its line in assets.lock.
fn origins_of(site: &Site, path: &str) -> Origins {
    vec![site.lock.line(path).unwrap_or(site.span)]
}

/// Every menu of the site: the default one, one a profile that starts something, and the local disk.
fn menus(site: &Site) -> Vec<MenuView> {
    let modules = ["menu.c32", "libutil.c32"].iter().all(|file| site.lock.get(file).is_some());
    let mut all: BTreeMap<String, MenuView> = BTreeMap::new();
    let single = |entry: EntryView, name: &str| MenuView {
        name: name.to_owned(),
        title: entry.label.clone(),
        default: entry.id.clone(),
        timeout_secs: 0,
        origins: entry.origins.clone(),
        entries: vec![entry],
        has_menu_modules: modules,
    };
    for profile in &site.profiles {
        if let Some(entry) = entry(site, &profile.name, None) {
            all.insert(profile.name.clone(), single(entry, &profile.name));
        }
    }
    let used = site.started().find(|profile| profile.value == LOCAL);
    if let Some(entry) = used.and_then(|used| entry(site, LOCAL, Some(used.span))) {
        all.insert(LOCAL.into(), single(entry, LOCAL));
    }
    let default = match &site.menu {
        Some(menu) => Some(MenuView {
            name: DEFAULT_MENU.into(),
            title: site.name.clone(),
            default: menu.default.as_ref().map_or(LOCAL, |default| &default.value).to_owned(),
            timeout_secs: menu.timeout_secs,
            entries: menu.entries.iter().filter_map(|at: &At<String>| entry(site, &at.value, Some(at.span))).collect(),
            origins: menu.origins.clone(),
            has_menu_modules: modules,
        }),
        None => entry(site, LOCAL, Some(site.span)).map(|entry| single(entry, DEFAULT_MENU)),
    };
    all.into_values().chain(default).collect()
}

fn entry(site: &Site, name: &str, used: Option<Span>) -> Option<EntryView> {
    if name == LOCAL {
        let origins = used.into_iter().collect();
        return Some(EntryView { id: LOCAL.into(), label: "Local disk".into(), action: Action::Local, origins });
    }
    let profile = site.profile(name)?;
    let text = |path: &At<String>| path.value.clone();
    let action = match profile.start.as_ref()? {
        Start::Local => Action::Local,
        Start::Chain(path) => Action::Chain(text(path)),
        Start::Linux { kernel, initrds, cmdline } => Action::Linux {
            kernel: text(kernel),
            initrds: initrds.iter().map(text).collect(),
            cmdline: cmdline.iter().map(text).chain(profile.root.iter().map(|root| root.cmdline().to_owned())).collect::<Vec<_>>().join(" "),
        },
    };
    let origins = used.into_iter().chain(profile.origins.iter().copied()).collect();
    Some(EntryView { id: name.to_owned(), label: profile.label.value.clone(), action, origins })
}

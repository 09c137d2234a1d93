//! Menus, assets and command lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diag, Diags};
use crate::model::{At, DEFAULT_MENU, LOADERS, LOCAL, Profile, Site, Start};

/// What x86 kernels keep of their command line, in bytes (COMMAND_LINE_SIZE 2048 with the final zero).
const CMDLINE_BYTES_MAX: usize = 2047;
/// pxelinux asks for blocks of this many bytes; TFTP counts them in 16 bits (RFC 1350, RFC 2348).
const TFTP_BYTES_MAX: u64 = 1408 * 65_535;

pub(super) fn names(site: &Site, diags: &mut Diags) {
    let taken = |profile: &&Profile| matches!(profile.name.as_str(), LOCAL | DEFAULT_MENU);
    for profile in site.profiles.iter().filter(taken) {
        let why = if profile.name == LOCAL { "is built in: the machine's own disk" } else { "is the name of the site's menu" };
        let diag = Diag::new("boot/reserved-name", profile.span, format!("`{}` {why}", profile.name));
        diags.push(diag.help("give the profile another name"));
    }
    let mut files: BTreeMap<String, &Profile> = BTreeMap::new();
    for profile in &site.profiles {
        if let [first, second, ..] = profile.starts.as_slice() {
            let diag = Diag::new("boot/two-starts", *second, format!("profile `{}` starts two things", profile.name));
            diags.push(diag.label(*first, "the other one").help("keep one of them"));
        }
        if let Some(first) = files.insert(profile.name.to_lowercase(), profile) {
            let message = format!("profiles `{}` and `{}` make the same label", first.name, profile.name);
            let diag = Diag::new("boot/label-clash", profile.span, message);
            diags.push(diag.label(first.span, "the other profile").help("rename one of them"));
        }
    }
}

pub(super) fn menu(site: &Site, diags: &mut Diags) {
    let Some(menu) = &site.menu else { return };
    let mut labels: BTreeMap<String, &At<String>> = BTreeMap::new();
    for entry in &menu.entries {
        if entry.value != LOCAL && site.profile(&entry.value).is_none() && !diags.is_lost(&entry.value) {
            let known = site.profiles.iter().map(|profile| profile.name.as_str()).chain([LOCAL]);
            let diag = Diag::new("boot/unknown-entry", entry.span, format!("menu entry `{}` is no profile", entry.value));
            diags.push(diag.suggest(diags, &entry.value, known));
        }
        // pxelinux does not tell capital from small letters in labels.
        match labels.get(&entry.value.to_lowercase()) {
            Some(first) => {
                let message = match first.value == entry.value {
                    true => format!("entry `{}` stands in the menu twice", entry.value),
                    false => format!("entries `{}` and `{}` make the same label", first.value, entry.value),
                };
                let diag = Diag::new("boot/label-clash", entry.span, message);
                diags.push(diag.label(first.span, "the other entry").help("rename or delete one of them"));
            }
            None => drop(labels.insert(entry.value.to_lowercase(), entry)),
        }
    }
    let Some(span) = menu.origins.first().copied() else { return };
    match &menu.default {
        None if diags.is_lost("menu.default") => {}
        None => {
            let name = menu.entries.first().map_or(LOCAL, |entry| &entry.value);
            diags.push(Diag::new("boot/no-default", span, "menu has no default").help(format!("write: menu default={name} {{ … }}")));
        }
        Some(default) if !menu.entries.iter().any(|entry| entry.value == default.value) => {
            let message = format!("default `{}` is not an entry of the menu", default.value);
            let diag = Diag::new("boot/default-not-entry", default.span, message);
            diags.push(diag.help(format!("add `entry {}`, or choose another default", default.value)));
        }
        Some(_) => {}
    }
}

/// What every loader reads as part of a path, and nothing else.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._+/@~-".contains(c)
}

/// Something that machines load is pinned, and nothing that could load it.
pub(super) fn loaders(site: &Site, diags: &mut Diags) {
    let named = || site.profiles.iter().flat_map(Profile::files).filter(|path| site.lock.get(&path.value).is_some());
    let Some(folder) = site.assets.as_ref().filter(|_| named().next().is_some()) else { return };
    let has = |file: &str| site.lock.get(file).is_some();
    if !LOADERS.iter().flat_map(|loader| loader.files).any(|file| has(file)) {
        let diag = Diag::new("boot/no-loader", folder.span, "no loader is pinned, so no machine can start over the network");
        diags.push(diag.help("copy pxelinux.0 and ldlinux.c32 (BIOS) or snponly.efi (UEFI) into the assets folder, then run `pxelator lock`"));
    } else if has("pxelinux.0") && !has("ldlinux.c32") {
        let diag = Diag::new("boot/no-loader", folder.span, "pxelinux.0 is pinned, and ldlinux.c32, which it loads first, is not");
        diags.push(diag.help("copy ldlinux.c32 of the same version into the assets folder, then run `pxelator lock`"));
    }
}

pub(super) fn assets(site: &Site, diags: &mut Diags) {
    // A system fetches over HTTP, whatever the size.
    let fetched: BTreeSet<_> = site.profiles.iter().flat_map(|profile| &profile.fetched).map(|path| path.span).collect();
    let written: BTreeMap<_, &At<String>> = site.profiles.iter().flat_map(Profile::assets).map(|path| (path.span, path)).collect();
    for path in written.into_values() {
        let text = &path.value;
        if text.starts_with('/') || text.split('/').any(|part| matches!(part, ".." | "." | "")) || !text.chars().all(is_plain) {
            let why = if text.split('/').any(|part| part == "..") || text.starts_with('/') { "leaves the boot root" } else { "is no plain path" };
            let diag = Diag::new("boot/path-escape", path.span, format!("`{}` {why}", text.escape_debug()));
            diags.push(diag.help("write a path below the assets folder, such as \"debian-12/vmlinuz\", of letters, digits and . _ + / @ ~ -"));
            continue;
        }
        match site.lock.get(text) {
            None => {
                let diag = Diag::new("boot/asset-missing", path.span, format!("`{text}` is not in assets.lock; run `pxelator lock`"));
                diags.push(match diags.nearest(text, site.lock.assets.keys().map(String::as_str)) {
                    Some(near) => diag.help(format!("did you mean `{near}`?")),
                    None => diag.help("copy the file into the assets folder, then run `pxelator lock`"),
                });
            }
            Some(_) if site.assets.is_none() => {
                let diag = Diag::new("boot/asset-missing", path.span, format!("nothing says where `{text}` lies"));
                diags.push(diag.help("add the folder on the boot server: assets \"/srv/boot\""));
            }
            Some(asset) if asset.size > TFTP_BYTES_MAX && !fetched.contains(&path.span) => {
                let message = format!("{} MB over TFTP is more than 65,535 of the loader's blocks (pxelinux asks for 1,408 bytes); use HTTP", asset.size / 1_000_000);
                let diag = Diag::new("boot/tftp-size", path.span, message);
                diags.push(diag.help("boot such machines by UEFI, which loads over HTTP; or let a small initrd fetch the rest"));
            }
            Some(_) => {}
        }
    }
}

pub(super) fn cmdlines(site: &Site, diags: &mut Diags) {
    for profile in &site.profiles {
        no_newline(&profile.label, "label", diags);
        no_expansion(&profile.label, diags);
        let Some(Start::Linux { cmdline, kernel, .. }) = &profile.start else { continue };
        for word in cmdline {
            no_newline(word, "command line", diags);
            no_expansion(word, diags);
        }
        let root = profile.root.as_ref().map_or(0, |root| root.cmdline().len() + 1);
        let bytes: usize = cmdline.iter().map(|word| word.value.len() + 1).sum::<usize>() + root;
        if bytes > CMDLINE_BYTES_MAX + 1 {
            let span = cmdline.last().map_or(kernel.span, |word| word.span);
            let message = format!("command line of `{}` is {} bytes; x86 keeps {CMDLINE_BYTES_MAX}", profile.name, bytes - 1);
            diags.push(Diag::new("boot/cmdline-long", span, message).help("move values into a file that the system fetches"));
        }
    }
}

fn no_expansion(text: &At<String>, diags: &mut Diags) {
    // iPXE's exec.c ends a command at these words and begins a comment at `#`; its script.c joins a line
    // that ends in a backslash with the next.
    let ends = |word: &str| matches!(word, "&&" | "||" | ";") || word.starts_with('#');
    if text.value.contains("${") || text.value.split_whitespace().any(ends) || text.value.ends_with('\\') {
        let message = format!("iPXE would read `{}` as its own syntax", text.value);
        let diag = Diag::new("boot/loader-syntax", text.span, message);
        diags.push(diag.help("pass the value in another way: iPXE has no escape for `${`, `&&`, `||`, `;`, `#` and a final backslash"));
    }
}

fn no_newline(text: &At<String>, what: &str, diags: &mut Diags) {
    if text.value.chars().any(char::is_control) {
        let diag = Diag::new("boot/newline", text.span, format!("the {what} contains a line break or control character"));
        diags.push(diag.help("write it on one line"));
    }
}

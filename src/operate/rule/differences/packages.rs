//! Packages that came, from dpkg's own books, with the files that are theirs.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

use super::source::{Result, Source};
use super::{Added, Made};
use crate::howto::{Rule, Step};
use crate::storage::content::Thing;

const STATUS: &str = "/var/lib/dpkg/status";
const MARKS: &str = "/var/lib/apt/extended_states";

/// A package as dpkg knows it.
#[derive(Debug, Default)]
struct Package {
    is_installed: bool,
    version: String,
    /// Path → MD5 of files that a person may change.
    conffiles: BTreeMap<String, String>,
}

pub(super) fn rules(source: &dyn Source, made: &mut Made) -> Result<Added> {
    let [before, after] = source.texts(STATUS)?.map(|text| packages(&text));
    if after.is_empty() {
        return Ok(Added::default());
    }
    let installed = |all: &BTreeMap<String, Package>| -> BTreeSet<String> {
        all.iter().filter(|(_, package)| package.is_installed).map(|(name, _)| name.clone()).collect()
    };
    let (was, is) = (installed(&before), installed(&after));
    let [_, marks] = source.texts(MARKS)?;
    let automatic = automatic(&marks);
    let mut added = Added::default();
    added.names.extend(is.difference(&was).cloned());
    let changed = source.paths();
    for (name, package) in after.iter().filter(|(_, package)| package.is_installed) {
        let is_same = before.get(name).is_some_and(|old| old.is_installed && old.version == package.version);
        // One that was upgraded brought its files as well; of the others one may have been set back.
        let own = if is_same { conffiles(source, package, &changed)? } else { paths(source, name, package)? };
        added.paths.extend(own);
    }
    // What came only because another needs it comes with that one.
    let asked: Vec<String> = added.names.iter().filter(|name| !automatic.contains(*name)).cloned().collect();
    let steps = if asked.is_empty() { Vec::new() } else { vec![Step::Package(asked)] };
    made.push(Rule { name: "packages".into(), doc: Some("Packages that were installed".into()), after: None, steps });
    for name in was.difference(&is) {
        made.leave(format!("package {name}"), "it was removed, and rules remove no package");
    }
    Ok(added)
}

/// The paths of a package that are as it brought them.
fn paths(source: &dyn Source, name: &str, package: &Package) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let list = [format!("/var/lib/dpkg/info/{name}.list"), format!("/var/lib/dpkg/info/{name}:amd64.list")];
    for path in list {
        let [_, text] = source.texts(&path)?;
        for path in text.lines() {
            if !package.conffiles.contains_key(path) {
                found.push(path.to_owned());
            }
        }
    }
    found.extend(conffiles(source, package, &source.paths())?);
    Ok(found)
}

/// Those of `changed` that a person may change, and nobody did.
fn conffiles(source: &dyn Source, package: &Package, changed: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, sum) in package.conffiles.iter().filter(|(path, _)| changed.contains(*path)) {
        if let Some(Thing::File(bytes)) = source.after(path)?.map(|stand| stand.thing) {
            let own: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            found.extend((own == *sum).then(|| path.clone()));
        }
    }
    Ok(found)
}

fn packages(status: &str) -> BTreeMap<String, Package> {
    let mut all = BTreeMap::new();
    for stanza in status.split("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(name) = field("Package:") else { continue };
        let is_installed = field("Status:").is_some_and(|status| status.ends_with(" installed"));
        let conffiles = stanza.lines().skip_while(|line| !line.starts_with("Conffiles:")).skip(1);
        let conffiles = conffiles.take_while(|line| line.starts_with(' ')).filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        });
        let version = field("Version:").unwrap_or_default().to_owned();
        all.insert(name.to_owned(), Package { is_installed, version, conffiles: conffiles.collect() });
    }
    all
}

fn automatic(marks: &str) -> BTreeSet<String> {
    let stanzas = marks.split("\n\n").filter(|stanza| stanza.lines().any(|line| line == "Auto-Installed: 1"));
    stanzas.filter_map(|stanza| stanza.lines().find_map(|line| line.strip_prefix("Package: "))).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_of_dpkg_are_read() {
        let text = "Package: a\nStatus: install ok installed\nConffiles:\n /etc/a 0123\n /etc/b 4567 obsolete\nDescription: x\n\nPackage: b\nStatus: deinstall ok config-files\n";
        let found = packages(text);
        assert_eq!(
            found.iter().map(|(name, package)| (name.as_str(), package.is_installed)).collect::<Vec<_>>(),
            [("a", true), ("b", false)]
        );
        assert_eq!(found.get("a").map(|package| package.conffiles.len()), Some(2));
        assert!(automatic("Package: a\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n").contains("a"));
    }
}

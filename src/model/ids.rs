//! `ids.lock`: the 16-bit numbers of NFS exports, which nfs-ganesha puts into its file handles.
//!
//! One line an export, sorted: `NUMBER EXPORT`. A number comes from the export's name, so most sites need
//! no such file. Where two names make one number, `pxelator lock` writes it, and people commit it: a
//! machine that runs must find its root under the same number after every change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::diag::{Diag, Diags};
use crate::source::{Sources, Span};

/// The fixed numbers, by export, such as `root/kiosk-01`.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    pub fixed: BTreeMap<String, u16>,
    lines: BTreeMap<String, Span>,
}

impl Ids {
    /// What the file is called, beside `site.kdl`.
    pub const FILE: &'static str = "ids.lock";

    pub fn read(sources: &Sources, diags: &mut Diags) -> Ids {
        let mut ids = Ids::default();
        let Some(file) = sources.find(Ids::FILE) else { return ids };
        let mut start = 0;
        for line in sources.text(file).split_inclusive('\n') {
            let span = Span::new(file, start, start + line.trim_end().len());
            start += line.len();
            let parsed =
                line.trim_end().split_once(' ').and_then(|(id, name)| Some((id.parse::<u16>().ok().filter(|id| *id > 0)?, name)));
            let Some((id, name)) = parsed else {
                let diag =
                    Diag::new("syntax/unexpected", span, "this is no line `NUMBER EXPORT`, with a number from 1 to 65,535");
                diags.push(diag.help("run `pxelator lock`, which writes the file anew"));
                continue;
            };
            ids.lines.insert(name.to_owned(), span);
            ids.fixed.insert(name.to_owned(), id);
        }
        ids
    }

    /// The number of an export.
    pub fn of(&self, export: &str) -> u16 {
        self.fixed.get(export).copied().unwrap_or_else(|| id_of(export))
    }

    /// The line that fixes it.
    pub fn line(&self, export: &str) -> Option<Span> {
        self.lines.get(export).copied()
    }

    /// Numbers for all of these exports: fixed ones stay, and of two that make one number the later by
    /// name takes the next free one. `None` where there are more exports than numbers.
    pub fn complete(&self, exports: &BTreeSet<String>) -> Option<BTreeMap<String, u16>> {
        let (mut taken, mut all) = (BTreeSet::new(), BTreeMap::new());
        // Two branches may have fixed one number for two names: the first by name keeps it.
        for (export, id) in self.fixed.iter().filter(|(export, _)| exports.contains(*export)) {
            if taken.insert(*id) {
                all.insert(export.clone(), *id);
            }
        }
        for export in exports {
            if !all.contains_key(export) {
                let first = id_of(export);
                let id = (first..=u16::MAX).chain(1..first).find(|id| !taken.contains(id))?;
                taken.insert(id);
                all.insert(export.clone(), id);
            }
        }
        Some(all)
    }

    /// The text of the file.
    pub fn text(ids: &BTreeMap<String, u16>) -> String {
        ids.iter().fold(String::new(), |mut text, (export, id)| {
            let _infallible = writeln!(text, "{id} {export}");
            text
        })
    }
}

/// The number that a name makes: 1 to 65,535, for 0 is the server's own.
pub fn id_of(export: &str) -> u16 {
    let hash = blake3::hash(export.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    (u32::from_be_bytes([a, b, c, d]) % u32::from(u16::MAX)) as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_clashes_are_resolved() {
        let exports: BTreeSet<String> = (0..2_000).map(|n| format!("root/pc-{n}")).collect();
        let natural: BTreeSet<u16> = exports.iter().map(|name| id_of(name)).collect();
        assert!(natural.len() < exports.len() && !natural.contains(&0), "among 2,000 names some make one number");
        let all = Ids::default().complete(&exports).unwrap();
        assert_eq!(all.values().collect::<BTreeSet<_>>().len(), exports.len());
        // One more export, and nothing that was fixed moves.
        let ids = Ids { fixed: all.clone(), ..Ids::default() };
        let more: BTreeSet<String> = exports.iter().cloned().chain(["root/a".to_owned()]).collect();
        let later = ids.complete(&more).unwrap();
        assert!(all.iter().all(|(name, id)| later.get(name) == Some(id)) && later.len() == all.len() + 1);
        // Two branches fixed one number, and git joined their lines.
        let both = Ids { fixed: BTreeMap::from([("a".to_owned(), 7), ("b".to_owned(), 7)]), ..Ids::default() };
        let mended = both.complete(&["a".to_owned(), "b".to_owned()].into()).unwrap();
        assert!(mended.get("a") == Some(&7) && mended.get("b") != Some(&7));
    }
}

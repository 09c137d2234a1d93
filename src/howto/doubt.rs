//! What is understood, and still not done by itself: half of a firewall, and headings that take back what others made.

use std::collections::BTreeMap;

use super::Step;
use super::read::{Draft, quoted};
use super::verbs::{DELETES, Made, SHUTS};

/// Does a line that stays with a person say something to the firewall? That it is switched on opens nothing.
fn is_hole(made: &Made) -> bool {
    let Made::Told(text) = made else { return false };
    text.lines().any(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "ufw").skip(1);
        words.next().is_some_and(|word| word != "enable")
    })
}

/// A firewall that shuts before all is let through that shall be locks people out: where one of its lines is not
/// understood, whatever shuts is left to a person too.
pub(super) fn firewall(drafts: &mut [Draft]) {
    if !drafts.iter().flat_map(|draft| &draft.made).any(is_hole) {
        return;
    }
    for made in drafts.iter_mut().flat_map(|draft| &mut draft.made) {
        let Made::Steps(steps) = made else { continue };
        let shuts = steps.iter().find_map(|step| match step {
            Step::Apply(line) if SHUTS.iter().any(|shuts| line.starts_with(shuts)) => Some(line.clone()),
            Step::Apply(_) | Step::Package(_) | Step::File { .. } | Step::Folder { .. } => None,
            Step::Link { .. } | Step::Absent(_) | Step::Check(_) | Step::Manual(_) => None,
        });
        if let Some(line) = shuts {
            *made = Made::Told(format!("Run: {line}, once all lines for ufw above are done"));
        }
    }
}

/// Words of headings below which one finds the way back.
const BACK: &[&str] = &["deinstall", "rollback", "undo", "uninstall", "uninstalling", "uninstallation"];
/// How many of the things that a heading takes back are named.
const NAMED_MAX: usize = 4;

/// A later heading that takes back what an earlier one made ("Uninstall") is no step of the work: what was made
/// stays, and a person runs the other.
pub(super) fn taken_back(drafts: &mut [Draft]) {
    let mut made: BTreeMap<String, bool> = BTreeMap::new();
    for draft in drafts {
        let own = effects(draft);
        let gone: Vec<&String> = own.iter().filter(|(_, is_there)| !**is_there).map(|(what, _)| what).collect();
        let back = |what: &&String| {
            let below = format!("{what}/");
            made.range((*what).clone()..).take_while(|(known, _)| known.starts_with(what.as_str())).any(|(known, is_there)| {
                *is_there && (known == *what || known.starts_with(&below)) && own.get(known).is_none_or(|own| !own)
            })
        };
        let taken: Vec<String> = gone.into_iter().filter(back).take(NAMED_MAX).cloned().collect();
        let is_called_so = draft.name.rsplit('/').next().is_some_and(|name| name.split('-').any(|word| BACK.contains(&word)));
        if (taken.is_empty() && !is_called_so) || draft.blocks.is_empty() {
            made.extend(own);
            continue;
        }
        let what = if taken.is_empty() { String::new() } else { format!(" ({})", taken.join(", ")) };
        let text = format!("This takes back what is made before it{what}. To undo that, run by hand:");
        draft.made = draft.blocks.iter().map(|block| Made::Told(quoted(&text, block))).collect();
    }
}

/// What a heading leaves behind: path, unit, package → is it there (or does it run) in the end?
fn effects(draft: &Draft) -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for made in &draft.made {
        match made {
            Made::Steps(steps) => steps.iter().for_each(|step| effect(step, &mut all)),
            Made::Access { path, .. } | Made::Behind { path, .. } | Made::Edited { path, .. } | Made::Copied { path, .. } => {
                all.insert(path.clone(), true);
            }
            Made::Told(text) => all.extend(removed(text).into_iter().map(|name| (name, false))),
            Made::Nothing | Made::Again(_) | Made::Unknown => {}
        }
    }
    all
}

fn effect(step: &Step, all: &mut BTreeMap<String, bool>) {
    match step {
        Step::Package(names) => all.extend(names.iter().map(|name| (format!("package {name}"), true))),
        Step::File { path, .. } | Step::Folder { path, .. } | Step::Link { path, .. } => all.extend([(path.clone(), true)]),
        Step::Absent(path) => all.extend([(path.clone(), false)]),
        Step::Check(_) | Step::Manual(_) => {}
        Step::Apply(line) => {
            if let Some(path) = line.strip_prefix(DELETES) {
                all.insert(path.trim_matches('\'').to_owned(), false);
                return;
            }
            let mut words = line.split_whitespace();
            let (kind, is_there) = match (words.next(), words.next()) {
                (Some("systemctl"), Some("enable" | "start" | "restart" | "reload-or-restart")) => ("unit", true),
                (Some("systemctl"), Some("disable" | "stop" | "mask")) => ("unit", false),
                (Some("a2ensite" | "a2enmod" | "a2enconf"), _) => ("apache", true),
                (Some("a2dissite" | "a2dismod" | "a2disconf"), _) => ("apache", false),
                _ => {
                    let paths = line.split([' ', '\'', '\n']).filter(|word| word.starts_with('/'));
                    return all.extend(paths.map(|path| (path.to_owned(), true)));
                }
            };
            let skipped = if kind == "unit" { 2 } else { 1 };
            let names = line.split_whitespace().skip(skipped).filter(|word| !word.starts_with('-'));
            all.extend(names.map(|name| (format!("{kind} {}", name.trim_end_matches(".service")), is_there)));
        }
    }
}

/// The packages that `apt remove` and `apt purge` of a text name.
fn removed(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.split_whitespace().any(|word| matches!(word, "apt" | "apt-get" | "aptitude")));
    let names = lines.flat_map(|line| {
        let words = line.split_whitespace().skip_while(|word| !matches!(*word, "remove" | "purge" | "autoremove")).skip(1);
        words.filter(|word| !word.starts_with('-')).map(|name| format!("package {name}"))
    });
    names.collect()
}

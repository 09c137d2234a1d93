//! A plan: what a deploy will do on the boot server, in order, as data that is read, kept and refused.
//!
//! ```text
//! Situation (of the store) + Wish (of the person) ──► Plan ──► executed step by step, or refused as stale
//! ```
//! **Invariant:** executing a plan decides nothing. Whatever could come out differently is in the plan,
//! and if the world is not as the plan says, the plan is refused and a new one is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::serial::{Serials, next};

/// A generation at its place in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub number: u64,
    pub generation: String,
}

/// What is known of a store before a plan is made.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    pub current: Option<Place>,
    /// The largest number that was ever current.
    pub last: u64,
    /// The numbers that are kept.
    pub numbers: BTreeSet<u64>,
    /// The last number whose health was confirmed.
    pub confirmed: Option<u64>,
    /// The current one where it is whole, else the last whole one whose health was confirmed.
    pub way_back: Option<u64>,
    pub serials: Serials,
    /// Why no server can be asked, if none can.
    pub unserved: Option<String>,
}

/// What shall become current, and how carefully.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub generation: String,
    /// The number in the store whose content it is; else the content is brought along.
    pub from: Option<u64>,
    /// How many files it has, and their bytes.
    pub files: (usize, u64),
    /// How many assets are held against their hashes, and their bytes; none where nobody wants that.
    pub assets: Option<(usize, u64)>,
    /// Zone → its text.
    pub zones: BTreeMap<String, String>,
    /// Copies with serials, for engines.
    pub stamp: bool,
    pub patience_secs: u64,
    pub keep: usize,
}

/// What will be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What is current when the plan is made; the plan holds only as long as it is.
    pub parent: Option<Place>,
    pub number: u64,
    pub generation: String,
    /// The number whose content comes back, in a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    pub steps: Vec<Step>,
    /// What becomes current again if the health check finds something wrong.
    pub way_back: Option<u64>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Every pinned file on the boot server has its size and its hash.
    CheckAssets {
        files: usize,
        bytes: u64,
    },
    /// The tree is written beside the others, and synced.
    Copy {
        files: usize,
        bytes: u64,
    },
    /// A zone gets its serial.
    Serial {
        zone: String,
        from: u32,
        to: u32,
    },
    /// The tree once more, its zones with their serials, for engines.
    Stamp {
        zones: usize,
    },
    /// `current` is replaced, by one rename.
    Switch {
        from: Option<u64>,
        to: u64,
    },
    /// The server has taken it over, and answers from it.
    CheckHealth {
        zones: usize,
        patience_secs: u64,
    },
    SkipHealth {
        because: String,
    },
    Prune {
        numbers: Vec<u64>,
    },
}

/// Makes the plan.
pub fn plan(situation: &Situation, wish: &Wish) -> Plan {
    let number = situation.last.max(situation.current.as_ref().map_or(0, |place| place.number)) + 1;
    let parent = situation.current.as_ref().map(|place| place.number);
    let mut steps = Vec::new();
    steps.extend(wish.assets.filter(|(files, _)| *files > 0).map(|(files, bytes)| Step::CheckAssets { files, bytes }));
    steps.push(Step::Copy { files: wish.files.0, bytes: wish.files.1 });
    for (zone, serial) in next(&situation.serials, &wish.zones) {
        let from = situation.serials.get(&zone).map_or(0, |last| last.serial);
        if from != serial.serial {
            steps.push(Step::Serial { zone, from, to: serial.serial });
        }
    }
    if wish.stamp {
        steps.push(Step::Stamp { zones: wish.zones.len() });
    }
    steps.push(Step::Switch { from: parent, to: number });
    steps.push(match &situation.unserved {
        None => Step::CheckHealth { zones: wish.zones.len(), patience_secs: wish.patience_secs },
        Some(because) => Step::SkipHealth { because: because.clone() },
    });
    let numbers = pruned(situation, number, parent, wish.keep);
    if !numbers.is_empty() {
        steps.push(Step::Prune { numbers });
    }
    let (generation, from) = (wish.generation.clone(), wish.from);
    Plan { parent: situation.current.clone(), number, generation, from, steps, way_back: situation.way_back }
}

/// What goes when `number` has come: all but the newest, and never a way back.
fn pruned(situation: &Situation, number: u64, parent: Option<u64>, keep: usize) -> Vec<u64> {
    // The new one counts.
    let newest: BTreeSet<u64> = situation.numbers.iter().rev().take(keep.saturating_sub(1)).copied().collect();
    let sacred = |old: &u64| *old == number || [parent, situation.confirmed, situation.way_back].contains(&Some(*old));
    situation.numbers.iter().filter(|old| !newest.contains(old) && !sacred(old)).copied().collect()
}

impl Plan {
    /// As an operator reads it.
    pub fn text(&self) -> String {
        let parent = self
            .parent
            .as_ref()
            .map_or("the first".to_owned(), |place| format!("after {} ({})", place.number, short(&place.generation)));
        let from = self.from.map(|from| format!(", which was {from}")).unwrap_or_default();
        let mut text = format!("plan: generation {} ({}{from}), {parent}\n", self.number, short(&self.generation));
        for (at, step) in self.steps.iter().enumerate() {
            let _infallible = writeln!(text, "{:3}. {}", at + 1, step.text());
        }
        let damaged = self.parent.as_ref().map(|place| place.number).filter(|number| Some(*number) != self.way_back);
        text.push_str(&match (self.way_back, damaged) {
            (Some(number), None) => format!("way back: {number} becomes current again\n"),
            (Some(number), Some(damaged)) => format!("way back: {number} becomes current again, for {damaged} is damaged\n"),
            (None, Some(damaged)) => format!("way back: none, for {damaged} is damaged, and no confirmed one is whole\n"),
            (None, None) => "way back: none, for nothing is current yet\n".to_owned(),
        });
        text
    }
}

impl Step {
    /// One line.
    pub fn text(&self) -> String {
        match self {
            Step::CheckAssets { files, bytes } => format!("check {} against assets.lock", size(*files, *bytes)),
            Step::Copy { files, bytes } => format!("copy {}", size(*files, *bytes)),
            Step::Serial { zone, from, to } => format!("serial of {zone}: {from} → {to}"),
            Step::Stamp { zones } => format!("stamp {zones} zones for engines"),
            Step::Switch { from: Some(from), to } => format!("switch current: {from} → {to}"),
            Step::Switch { from: None, to } => format!("switch current to {to}"),
            Step::CheckHealth { zones, patience_secs } => {
                format!(
                    "check health within {patience_secs} s: the server takes it over, and answers for {zones} zones and a menu"
                )
            }
            Step::SkipHealth { because } => format!("no health check: {because}"),
            Step::Prune { numbers } => {
                let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
                format!("remove {}", numbers.join(", "))
            }
        }
    }
}

/// `31 files, 84 KiB`.
fn size(files: usize, bytes: u64) -> String {
    let plural = if files == 1 { "" } else { "s" };
    match bytes {
        0..1024 => format!("{files} file{plural}, {bytes} bytes"),
        1024..0x10_0000 => format!("{files} file{plural}, {} KiB", bytes >> 10),
        _ => format!("{files} file{plural}, {} MiB", bytes >> 20),
    }
}

/// An id as people read it.
pub fn short(generation: &str) -> &str {
    generation.get(..12).unwrap_or(generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(current: u64, numbers: std::ops::RangeInclusive<u64>, confirmed: u64) -> Situation {
        let current = Some(Place { number: current, generation: format!("g{current}") });
        Situation {
            way_back: current.as_ref().map(|place| place.number),
            current,
            last: *numbers.end(),
            numbers: numbers.collect(),
            confirmed: Some(confirmed),
            ..Situation::default()
        }
    }

    fn removed(situation: &Situation, keep: usize) -> Vec<u64> {
        let plan = plan(situation, &Wish { keep, ..Wish::default() });
        plan.steps
            .into_iter()
            .find_map(|step| if let Step::Prune { numbers } = step { Some(numbers) } else { None })
            .unwrap_or_default()
    }

    #[test]
    fn pruning_keeps_the_newest_and_every_way_back() {
        assert_eq!(removed(&situation(9, 1..=9, 9), 3), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(removed(&situation(9, 1..=9, 4), 3), [1, 2, 3, 5, 6, 7], "the last confirmed one stays");
        assert_eq!(removed(&situation(2, 1..=9, 2), 1), [1, 3, 4, 5, 6, 7, 8, 9], "the parent stays, however old");
        assert!(removed(&situation(2, 1..=2, 2), 10).is_empty());
    }

    #[test]
    fn a_plan_survives_its_text_and_numbers_only_grow() {
        let situation = Situation { unserved: Some("nobody serves here".into()), ..situation(7, 5..=9, 7) };
        let zones = BTreeMap::from([("a.example".to_owned(), "x".to_owned())]);
        let wish = Wish { generation: "g".into(), zones, stamp: true, assets: Some((1, 2)), keep: 2, ..Wish::default() };
        let plan = plan(&situation, &wish);
        assert_eq!((plan.number, plan.way_back), (10, Some(7)), "9 was a failed one");
        assert_eq!(serde_json::from_str::<Plan>(&super::super::table::json(&plan)).unwrap(), plan);
        assert!(plan.text().contains("serial of a.example: 0 → 1"), "{}", plan.text());
    }
}

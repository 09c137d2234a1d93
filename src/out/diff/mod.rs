//! Two trees → what changes for whom, and when.
//!
//! Everything is read from `out/`: the tables, the menus and the zones. [`hosts`] with [`roots`], [`vms`], [`power`] and [`belonging`],
//! [`menus`], [`networks`], [`zones`], [`commands`], [`monitor`], [`track`], [`page`] and [`rules`] say what a difference means; [`files`] tells every other file, and every
//! difference that has no meaning of its own. [`text`], [`markdown`] and [`json`] write it down.
//!
//! **Invariant:** nothing is hidden. A diff is empty if and only if the trees are equal; a difference
//! that no room claims is told as a changed file. **Invariant:** no site and no compiler is needed, so two
//! generations of other makers can be compared too.

mod audit;
mod belonging;
mod commands;
mod files;
mod hosts;
mod json;
mod markdown;
mod menus;
mod monitor;
mod networks;
mod page;
mod pairs;
mod power;
mod roots;
mod rows;
mod rules;
mod sentence;
mod side;
mod text;
mod track;
mod view;
mod vms;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::table::{ALERTS, ASSETS, CHECKS, COMMANDS, FACTS, HOSTS, LEASES, LOADERS, NETWORKS, PAGE, POWER, ROOTS, RULES, RULE_HOSTS, SCHEDULES, SINKS, SPOOL, TRACK, TRENDS, TableError, VMS};
use side::{Side, Touched};

/// Path → bytes, without the manifest.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What is different, grouped by consequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    pub hosts_touched: usize,
    pub changes: Vec<Change>,
}

/// One consequence, and the things that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub area: Area,
    pub action: Action,
    /// When it takes effect; a change of several facts may have several moments.
    pub when: BTreeSet<When>,
    /// What all subjects have in common.
    pub facts: Vec<Fact>,
    pub subjects: Vec<Subject>,
    /// The machines that get it, where the subjects are no machines.
    pub reach: Reach,
}

/// What kind of thing changes, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    Hosts,
    Schedules,
    Menus,
    Networks,
    Zones,
    Forwarders,
    Commands,
    Assets,
    Loaders,
    Texts,
    Audit,
    Checks,
    Alerts,
    Tracked,
    Page,
    Rules,
    Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Added,
    Removed,
    Changed,
}

/// When a machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum When {
    /// The next question is answered with it.
    #[serde(rename = "now")]
    Now,
    /// The machine is told when it renews its address.
    #[serde(rename = "next lease")]
    NextLease,
    #[serde(rename = "next boot")]
    NextBoot,
}

/// A thing that changes: a host, a menu, a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// Its name in the old tree, or in the new one if it was added.
    pub name: String,
    /// What is its own.
    pub facts: Vec<Fact>,
}

/// From what to what. Without `from` it came, without `to` it went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fact {
    pub fact: &'static str,
    /// Which one, where a thing has several: an entry of a menu, a record.
    pub of: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// The machines that a change reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    pub hosts: usize,
    /// Their names, at most [`REACH_NAMES_MAX`].
    pub names: Vec<String>,
    /// Networks whose pools give it to machines that nobody declared.
    pub pools: Vec<String>,
    /// Also machines that nobody declared and no pool sends elsewhere.
    pub unknown: bool,
    /// Menus that load it, where it is an asset.
    pub menus: Vec<String>,
}

/// Names that a [`Reach`] keeps; the rest are counted.
pub const REACH_NAMES_MAX: usize = 1000;

/// Tables whose rows are all told by the rooms.
const TABLES: &[&str] = &[HOSTS, LEASES, ROOTS, NETWORKS, ASSETS, LOADERS, POWER, SCHEDULES, COMMANDS, SPOOL, SINKS, FACTS, CHECKS, ALERTS, TRENDS, TRACK, PAGE, RULES, RULE_HOSTS, VMS];

/// What changes from one tree to the other.
pub fn diff(old: &Files, new: &Files) -> Result<Diff, TableError> {
    if old == new {
        return Ok(Diff::default());
    }
    Ok(between(Side::read(old, new)?, Side::read(new, old)?))
}

/// The tables of a tree can be read, or it is said which line cannot.
pub fn readable(files: &Files) -> Result<(), TableError> {
    Side::read(files, files).map(|_| ())
}

fn between(mut old: Side<'_>, new: Side<'_>) -> Diff {
    let (mut touched, mut told) = (Touched::default(), BTreeSet::new());
    let renamed = networks::renamed(&old, &new);
    old.rename_networks(&renamed);
    let pairs = pairs::pairs(&old.hosts, &new.hosts);
    let mut changes = hosts::changes(&old, &new, &pairs, &mut touched);
    changes.extend(power::changes(&old, &new, &mut touched));
    changes.extend(menus::changes(&old, &new, &mut touched, &mut told));
    changes.extend(networks::changes(&old, &new, &renamed, &mut touched));
    changes.extend(zones::changes(&old, &new, &pairs, &mut told));
    changes.extend(commands::changes(&old, &new));
    changes.extend(audit::changes(&old, &new, &mut told));
    changes.extend(monitor::changes(&old, &new, &mut told));
    changes.extend(track::changes(&old, &new));
    changes.extend(page::changes(&old, &new, &mut told));
    changes.extend(rules::changes(&old, &new, &mut told));
    changes.extend(files::assets(&old, &new, &mut touched));
    changes.extend(files::loaders(&old, &new, &mut touched));
    // What lies in the writing and not in the rows: an absent table, another order, other spaces.
    let written_otherwise = |path: &str| {
        let odd = old.odd.contains(path) || new.odd.contains(path);
        odd || old.files.contains_key(path) != new.files.contains_key(path) || files::reordered(old.files, new.files, path)
    };
    told.extend(TABLES.iter().filter(|path| !written_otherwise(path)).map(|path| (*path).to_owned()));
    if told.contains(ROOTS) {
        told.extend(roots::units(old.files, new.files, &pairs));
    }
    if told.contains(VMS) {
        told.extend(vms::files(old.files, new.files, &pairs));
    }
    changes.extend(files::runbooks(&old, &new, &pairs, &mut told));
    changes.extend(files::rest(&old, &new, &told, &mut touched));
    changes.sort_by(|a, b| a.order().cmp(&b.order()));
    Diff { hosts_touched: touched.hosts.len() + touched.gone, changes }
}

impl Diff {
    /// Are the trees equal?
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many declared hosts get something else than before: by their own lines, their menu, its
    /// kernel, or their network.
    pub fn hosts_touched(&self) -> usize {
        self.hosts_touched
    }

    /// For people at a terminal.
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// For a comment on a change.
    pub fn markdown(&self) -> String {
        markdown::markdown(self)
    }

    /// For programs; the keys are stable.
    pub fn json(&self) -> serde_json::Value {
        json::json(self)
    }
}

impl Fact {
    pub(super) fn new(fact: &'static str, from: Option<String>, to: Option<String>) -> Fact {
        Fact { fact, of: None, from, to }
    }
}

impl Change {
    /// What came, what went, what changed, each by name.
    fn order(&self) -> (Area, Action, Option<&str>) {
        (self.area, self.action, self.subjects.first().map(|subject| subject.name.as_str()))
    }
}

impl Reach {
    fn join(&mut self, other: Reach) {
        self.hosts += other.hosts;
        let free = REACH_NAMES_MAX.saturating_sub(self.names.len());
        self.names.extend(other.names.into_iter().take(free));
        self.pools.extend(other.pools);
        self.unknown |= other.unknown;
        self.menus.extend(other.menus);
    }
}

impl When {
    pub fn name(self) -> &'static str {
        match self {
            When::Now => "now",
            When::NextLease => "next lease",
            When::NextBoot => "next boot",
        }
    }
}

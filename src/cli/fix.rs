//! `check --fix`: applies the mends that are certain, as long as they help.
//!
//! All happens in memory: mends of the earliest stage are applied together and the site is compiled
//! again, until none is left. Mends that bring errors are taken back: where the mended word itself is
//! refused again, or where a stage that had looked at the site finds more than before. Later stages may
//! find more, for a line that could not be read hid what is wrong in it. Then the files are written.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Failure;
use super::site::SiteArgs;
use crate::diag::{Diag, Edit, Severity};
use crate::source::{FileId, Inputs};
use crate::terminal::say;
use crate::{Compiled, compile, store};

/// How often a site is compiled for its mends; each time all those of one stage are tried.
const COMPILES_MAX: usize = 64;
/// How many mends are told one by one.
const SAID_MAX: usize = 50;

/// A mend as it is told, and known again after others moved it: lines never change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    file: String,
    line: usize,
    old: String,
    new: String,
}

/// A mend, its finding, its place.
struct Mend {
    known: Known,
    family: &'static str,
    edit: Edit,
}

/// A site and what it compiles to.
struct State {
    inputs: Inputs,
    compiled: Compiled,
}

/// Mends the site on the disk, says what it did, and gives what remains.
pub(super) fn fix(site: &SiteArgs) -> Result<Compiled, Failure> {
    let before = state(site, &Inputs::new())?;
    let originals = before.inputs.clone();
    let (after, done) = mend(site, before)?;
    let mut told = 0;
    for (name, new) in &after.inputs {
        let Some(old) = originals.get(name).filter(|old| *old != new) else { continue };
        store::edit::rewrite_within(site.folder(), name, old, new)?;
        for Known { file, line, old, new } in done.iter().filter(|known| known.file == *name) {
            told += 1;
            if told <= SAID_MAX {
                say(&format!("{file}:{line}: wrote `{new}` for `{old}`"));
            }
        }
    }
    if told > SAID_MAX {
        say(&format!("… and {} more mends", told - SAID_MAX));
    }
    Ok(after.compiled)
}

fn state(site: &SiteArgs, edited: &Inputs) -> Result<State, Failure> {
    let (inputs, entry) = store::read_site_as(&site.site, edited)?;
    Ok(State { compiled: compile(inputs.clone(), &entry), inputs })
}

/// Applies mends until none is left, or [`COMPILES_MAX`] is reached; in memory.
fn mend(site: &SiteArgs, mut now: State) -> Result<(State, Vec<Known>), Failure> {
    let mut edited = Inputs::new();
    let mut refused: BTreeSet<Known> = BTreeSet::new();
    let mut done = Vec::new();
    let mut most = usize::MAX;
    for _ in 0..COMPILES_MAX {
        let (stage, mut mends) = certain(&now.compiled, &refused);
        mends.truncate(most);
        if mends.is_empty() {
            break;
        }
        let (tried, places) = applied(&now.inputs, &edited, &mends);
        let next = state(site, &tried)?;
        let errors = Errors::of(&next.compiled);
        let again = mends.iter().zip(&places).filter(|(mend, place)| errors.hit(&next.compiled, mend, place));
        let bad: Vec<Known> = again.map(|(mend, _)| mend.known.clone()).collect();
        if !bad.is_empty() {
            refused.extend(bad);
        } else if errors_until(&next.compiled, stage) <= errors_until(&now.compiled, stage) {
            done.extend(mends.into_iter().map(|mend| mend.known));
            (edited, now, most) = (tried, next, usize::MAX);
        } else if mends.len() == 1 {
            refused.extend(mends.into_iter().map(|mend| mend.known));
            most = usize::MAX;
        } else {
            // One of them does harm: the half tells in which half it is.
            most = mends.len() / 2;
        }
    }
    done.sort();
    Ok((now, done))
}

/// The stages in their order, by the family of their codes.
fn stage(code: &str) -> usize {
    let family = family(code);
    ["syntax", "schema", "eval"].iter().position(|name| *name == family).unwrap_or(usize::MAX)
}

fn family(code: &str) -> &str {
    code.split('/').next().unwrap_or_default()
}

fn errors_until(compiled: &Compiled, last: usize) -> usize {
    compiled.diags.iter().filter(|diag| diag.severity == Severity::Error && stage(diag.code) <= last).count()
}

/// The mends of the earliest stage that has some, in the order of the files, none over another.
fn certain(compiled: &Compiled, refused: &BTreeSet<Known>) -> (usize, Vec<Mend>) {
    let mend = |diag: &Diag| {
        let edit = diag.fix.as_ref()?.edit(&compiled.sources)?;
        let source = compiled.sources.get(edit.span.file)?;
        let line = source.line_at(edit.span.start as usize).0;
        let known = Known { file: source.name.clone(), line, old: edit.old.clone(), new: edit.new.clone() };
        (!refused.contains(&known)).then_some((stage(diag.code), Mend { known, family: family(diag.code), edit }))
    };
    let all: Vec<(usize, Mend)> = compiled.diags.iter().filter_map(mend).collect();
    let Some(first) = all.iter().map(|(stage, _)| *stage).min() else { return (0, Vec::new()) };
    let mut mends: Vec<Mend> = all.into_iter().filter(|(stage, _)| *stage == first).map(|(_, mend)| mend).collect();
    mends.sort_by_key(|mend| mend.edit.span);
    mends.dedup_by(|next, kept| next.edit.span.file == kept.edit.span.file && next.edit.span.start < kept.edit.span.end);
    (first, mends)
}

/// The edited files after these mends, and where each mended word begins and ends in them.
fn applied(inputs: &Inputs, edited: &Inputs, mends: &[Mend]) -> (Inputs, Vec<Range<usize>>) {
    let mut edited = edited.clone();
    let mut places = Vec::new();
    let mut files: BTreeMap<&str, Vec<&Mend>> = BTreeMap::new();
    mends.iter().for_each(|mend| files.entry(&mend.known.file).or_default().push(mend));
    for (name, mends) in files {
        let old = inputs.get(name).map(Vec::as_slice).unwrap_or_default();
        let (mut new, mut at) = (Vec::with_capacity(old.len() + mends.len() * 8), 0);
        for Mend { edit, .. } in mends {
            let range = edit.span.range();
            new.extend_from_slice(old.get(at..range.start).unwrap_or_default());
            places.push(new.len()..new.len() + edit.new.len());
            new.extend_from_slice(edit.new.as_bytes());
            at = range.end;
        }
        new.extend_from_slice(old.get(at..).unwrap_or_default());
        edited.insert(name.to_owned(), new);
    }
    (edited, places)
}

/// The errors of a site by where they begin: their ends and codes.
struct Errors(BTreeMap<(FileId, usize), Vec<(usize, &'static str)>>);

impl Errors {
    fn of(compiled: &Compiled) -> Errors {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for diag in compiled.diags.iter().filter(|diag| diag.severity == Severity::Error) {
            let Some(span) = diag.primary() else { continue };
            let range = span.range();
            all.entry((span.file, range.start)).or_default().push((range.end, diag.code));
        }
        Errors(all)
    }

    /// Is the mended word refused again, for its form or for what it was mended for?
    fn hit(&self, compiled: &Compiled, mend: &Mend, place: &Range<usize>) -> bool {
        let Some(file) = compiled.sources.find(&mend.known.file) else { return false };
        let mut here = self.0.range((file, place.start)..(file, place.end)).flat_map(|(_, errors)| errors);
        here.any(|(end, code)| *end <= place.end && (stage(code) != usize::MAX || family(code) == mend.family))
    }
}

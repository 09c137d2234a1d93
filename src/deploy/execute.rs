//! Executing a plan: its steps in their order, and nothing that is not in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::far::{Executed, Tree, Who, relocate};
use super::folder::{About, Store};
use super::health::Health;
use super::history::{Event, What, date};
use super::{Error, Result, now, survey};
use crate::answer::dns::Zones;
use crate::out::plan::{Plan, Situation, Step, short};
use crate::out::serial::next;
use crate::out::table::Tables;
use crate::store::serials;
use crate::terminal::chain;

/// A plan and where it shall hold.
pub(super) struct Execution<'a> {
    pub(super) store: &'a Path,
    pub(super) state: &'a Path,
    pub(super) plan: &'a Plan,
    pub(super) who: &'a Who,
    pub(super) assets: Option<&'a Path>,
}

/// What the steps work with, all of it known before the first one.
struct Work<'a> {
    store: Store,
    execution: &'a Execution<'a>,
    tree: Tree,
    tables: Tables,
    about: About,
    /// Where it is written as long as it has no number.
    fresh: Option<PathBuf>,
}

impl Execution<'_> {
    pub(super) fn run(&self, tree: Option<Tree>, news: &mut dyn FnMut(String)) -> Result<Executed> {
        let store = Store::lock(self.store)?;
        let tree = match self.plan.from {
            Some(from) => Tree::of(store.open(from)?)?,
            None => tree.ok_or_else(|| Error::Stale("no generation came with it".into()))?,
        };
        self.refuse_stale(&survey::situation(&store, self.state)?, &tree)?;
        let files = tree.bytes();
        let mut tables = Tables::read(&files)?;
        Zones::load(&tables, &BTreeMap::new())?;
        relocate(&mut tables, &store, self.state, self.assets)?;
        let about = About {
            number: self.plan.number,
            generation: self.plan.generation.clone(),
            parent: self.plan.parent.clone(),
            from: self.plan.from,
            time: now(),
            who: self.who.who.clone(),
            revision: self.who.revision.clone(),
            why: self.who.why.clone(),
            hosts: survey::hosts(&tables),
        };
        let mut work = Work { store, execution: self, tree, tables, about, fresh: None };
        let mut is_confirmed = false;
        for step in &self.plan.steps {
            news(step.text());
            let done = work.step(step, news);
            if done.is_err() {
                work.fresh.take().map(std::fs::remove_dir_all).transpose().map_err(crate::store::failed("remove", self.store))?;
            }
            match (done, step) {
                (Ok(()), Step::CheckHealth { .. }) => is_confirmed = true,
                (Ok(()), _) => {}
                // It is deployed: an old one that stays does no harm.
                (Err(error), Step::Prune { .. }) => news(chain(&error)),
                (Err(error), _) => return Err(error),
            }
        }
        Ok(Executed { number: self.plan.number, generation: self.plan.generation.clone(), is_confirmed })
    }

    /// The world must be as the plan says.
    fn refuse_stale(&self, found: &Situation, tree: &Tree) -> Result<()> {
        let plan = self.plan;
        if tree.manifest.generation != plan.generation {
            let [plan, found] = [&plan.generation, &tree.manifest.generation].map(|id| short(id).to_owned());
            return Err(Error::OtherGeneration { plan, found });
        }
        let name =
            |place: &Option<crate::out::plan::Place>| place.as_ref().map_or("none".to_owned(), |place| place.number.to_string());
        if found.current != plan.parent {
            return Err(Error::Stale(format!(
                "current is {}, the plan was made for {}",
                name(&found.current),
                name(&plan.parent)
            )));
        }
        if found.way_back != plan.way_back {
            let named = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
            let (found, planned) = (named(found.way_back), named(plan.way_back));
            return Err(Error::Stale(format!(
                "the way back is {found}, and {planned} in the plan, for what was whole is damaged by now"
            )));
        }
        if plan.number <= found.last {
            return Err(Error::Stale(format!("{} is taken, {} was the last", plan.number, found.last)));
        }
        let planned: BTreeMap<&String, u32> = plan
            .steps
            .iter()
            .filter_map(|step| if let Step::Serial { zone, to, .. } = step { Some((zone, *to)) } else { None })
            .collect();
        for (zone, serial) in next(&found.serials, &survey::zones(&tree.bytes())) {
            let known = found.serials.get(&zone).map_or(0, |last| last.serial);
            let expected = planned.get(&zone).copied().unwrap_or(known);
            if serial.serial != expected {
                return Err(Error::Stale(format!("the serial of {zone} becomes {}, and {expected} in the plan", serial.serial)));
            }
        }
        let asks = plan.steps.iter().any(|step| matches!(step, Step::CheckHealth { .. }));
        match &found.unserved {
            Some(why) if asks => Err(Error::Stale(format!("it asks the server, and {why}"))),
            None if !asks => Err(Error::Stale("it asks no server, and one serves here by now".into())),
            Some(_) | None => Ok(()),
        }
    }
}

impl Work<'_> {
    fn step(&mut self, step: &Step, news: &mut dyn FnMut(String)) -> Result<()> {
        let plan = self.execution.plan;
        match step {
            Step::CheckAssets { .. } => survey::check_assets(&self.tables),
            Step::Copy { .. } => {
                self.fresh = Some(self.store.begin(&self.about, &self.tree.manifest, &self.tree.bytes())?);
                Ok(())
            }
            Step::Serial { zone, to, .. } => match self.serials()?.get(zone) {
                Some(found) if found != to => {
                    Err(Error::Stale(format!("the serial of {zone} became {found}, and {to} in the plan")))
                }
                Some(_) | None => Ok(()),
            },
            Step::Stamp { .. } => {
                let files = survey::stamped(&self.tree.bytes(), &self.serials()?);
                self.fresh.as_ref().map_or(Ok(()), |fresh| self.store.stamp(fresh, &files))
            }
            Step::Switch { to, .. } => {
                if let Some(fresh) = &self.fresh {
                    self.store.finish(fresh, *to)?;
                    self.fresh = None;
                }
                self.store.remember(self.execution.state)?;
                self.store.switch(*to)?;
                told(self.store.note(&self.about.event()), news);
                Ok(())
            }
            Step::CheckHealth { patience_secs, .. } => {
                let health =
                    Health { store: &self.store, state: self.execution.state, patience: Duration::from_secs(*patience_secs) };
                match health.check(plan.number, &self.tables) {
                    Ok(()) => {
                        told(self.note(What::Confirmed, plan.number, None), news);
                        Ok(())
                    }
                    Err(why) => Err(self.go_back(&health, why, news)?),
                }
            }
            Step::SkipHealth { .. } => Ok(()),
            Step::Prune { numbers } => {
                let there = self.store.numbers()?;
                numbers.iter().filter(|number| there.contains(number)).try_for_each(|number| self.store.remove(*number))
            }
        }
    }

    /// The serials, settled: the server finds them so.
    fn serials(&self) -> Result<BTreeMap<String, u32>> {
        Ok(serials::settle(self.execution.state, &survey::zones(&self.tree.bytes()))?)
    }

    fn note(&self, what: What, number: u64, why: Option<String>) -> Result<()> {
        let time = now();
        let event = Event {
            time,
            date: date(time),
            what,
            number,
            generation: self.store.id(number, &self.store.history().unwrap_or_default()),
            why,
            ..self.about.event()
        };
        self.store.note(&Event { parent: None, revision: None, ..event })
    }

    /// The parent becomes current again, before anything else that may fail; gives what to tell.
    fn go_back(&self, health: &Health<'_>, why: String, news: &mut dyn FnMut(String)) -> Result<Error> {
        let number = self.execution.plan.number;
        let way_back = self.execution.plan.way_back;
        way_back.map_or(Ok(()), |parent| self.store.switch(parent))?;
        told(self.note(What::Failed, number, Some(why.clone())), news);
        let Some(parent) = way_back else {
            return Ok(Error::Unhealthy { number, why, then: "nothing whole was current before it, so it stays".into() });
        };
        told(self.note(What::WayBack, parent, Some(format!("{number} failed"))), news);
        let then = match health.taken_over(parent) {
            Ok(_) => format!("{parent} is current and served again"),
            Err(still) => format!("{parent} is current again, but {still}"),
        };
        told(self.stamp_again(parent), news);
        Ok(Error::Unhealthy { number, why, then })
    }

    /// The zones of the parent have larger serials now.
    fn stamp_again(&self, parent: u64) -> Result<()> {
        if !self.store.is_stamped(parent) {
            return Ok(());
        }
        let generation = self.store.open(parent)?;
        let serials = serials::settle(self.execution.state, &survey::zones(&generation.files))?;
        self.store.stamp_again(parent, &survey::stamped(&generation.files, &serials))
    }
}

/// Behind the switch a line that cannot be written is news: it must keep nobody from the health check or the way back.
fn told(done: Result<()>, news: &mut dyn FnMut(String)) {
    if let Err(error) = done {
        news(chain(&error));
    }
}

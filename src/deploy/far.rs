//! What runs on the boot server: it is asked in lines of JSON, and answers in lines of JSON.
//!
//! ```text
//!  near                                  far (here, or at the other end of ssh)
//!  Plan { desire, tree }        ──►
//!                               ◄──  Planned { plan, the trees for a diff }
//!  Execute { plan, who }        ──►
//!                               ◄──  News…, then Executed or Refused
//! ```

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{Files, Store};
use super::history::{What, date};
use super::{Error, Result, execute, survey};
use crate::answer::dns::Zones;
use crate::out::Manifest;
use crate::out::plan::{Place, Plan, Wish, plan};
use crate::out::table::{Tables, json};
use crate::store;
use crate::terminal::chain;

/// Both ends must speak the same; it grows when a request or a reply changes.
pub(super) const PROTOCOL: u32 = 1;
/// The longest line: a tree of a million hosts.
pub(super) const LINE_BYTES_MAX: u64 = 2 << 30;

/// The first line of the far end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) pxelator: String,
    pub(super) protocol: u32,
}

impl Hello {
    pub(super) fn own() -> Hello {
        Hello { pxelator: env!("CARGO_PKG_VERSION").into(), protocol: PROTOCOL }
    }
}

/// A generation on its way: its files are text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tree {
    pub manifest: Manifest,
    pub files: BTreeMap<String, String>,
}

impl Tree {
    pub fn of(generation: store::Generation) -> Result<Tree> {
        let text = |(path, bytes)| match String::from_utf8(bytes) {
            Ok(text) => Ok((path, text)),
            Err(_) => Err(Error::Encoding(path)),
        };
        Ok(Tree { manifest: generation.manifest, files: generation.files.into_iter().map(text).collect::<Result<_>>()? })
    }

    /// As [`store::Generation`] has them.
    pub fn bytes(&self) -> Files {
        self.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect()
    }

    /// What came over a wire is held against its manifest too.
    fn check(self) -> Result<Tree> {
        let findings = self.manifest.verify(&self.bytes());
        let broken =
            || store::Error::Tampered { path: "the tree".into(), findings: "it changed on its way; deploy again".into() };
        if findings.is_clean() { Ok(self) } else { Err(broken().into()) }
    }
}

/// Content that the store has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Back {
    /// What was current before.
    Previous,
    /// A number, or the beginning of an id.
    To(String),
}

/// What a plan is wanted for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Desire {
    /// What shall come back; else a tree is brought along.
    pub rollback: Option<Back>,
    pub without_assets: bool,
    /// Where the assets lie on the boot server, if not where the site or its server says.
    pub assets: Option<PathBuf>,
    pub stamp: bool,
    pub patience_secs: u64,
    pub keep: usize,
}

/// Who does it, from which sources, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Who {
    pub who: String,
    pub revision: Option<String>,
    pub why: Option<String>,
}

/// A plan that shall be carried out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub plan: Plan,
    /// Without it: the one that the plan was made for.
    pub tree: Option<Tree>,
    pub who: Who,
    pub assets: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(super) enum Request {
    Plan { desire: Desire, tree: Option<Tree> },
    Execute(Box<Order>),
    List,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(super) enum Reply {
    News { text: String },
    Planned(Box<Planned>),
    Executed(Executed),
    Listed { rows: Vec<Row> },
    Refused { message: String, is_refusal: bool },
}

/// A plan, and the trees between which it leads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Planned {
    /// None where that content is current already.
    pub plan: Option<Plan>,
    pub current: Option<Place>,
    /// What is current; none where nothing is, or where it is not whole any more.
    pub old: Option<Tree>,
    pub damage: Option<String>,
    /// What comes back, in a rollback.
    pub new: Option<Tree>,
}

/// What came of a plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct Executed {
    pub number: u64,
    pub generation: String,
    pub is_confirmed: bool,
}

/// A line of `generations`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    pub number: u64,
    pub generation: String,
    /// Seconds since 1970, and the same for people.
    pub time: u64,
    pub date: String,
    pub who: String,
    pub revision: Option<String>,
    pub hosts: usize,
    /// The number whose content it has, where it is a rollback.
    pub from: Option<u64>,
    pub why: Option<String>,
    pub current: bool,
    /// What the last health check said; none where there was none.
    pub healthy: Option<bool>,
}

/// A store and a state folder, on this machine.
#[derive(Debug)]
pub(super) struct Far {
    store: PathBuf,
    /// Where the server keeps its state, if it was said.
    state: Option<PathBuf>,
    /// What came with the last plan.
    tree: Option<Tree>,
}

impl Far {
    pub(super) fn new(store: &Path, state: Option<&Path>) -> Far {
        Far { store: store.to_owned(), state: state.map(Path::to_owned), tree: None }
    }

    pub(super) fn answer(&mut self, request: Request, news: &mut dyn FnMut(String)) -> Result<Reply> {
        match request {
            Request::Plan { desire, tree } => {
                let tree = tree.map(Tree::check).transpose()?;
                self.tree.clone_from(&tree);
                Ok(Reply::Planned(Box::new(self.plan(&desire, tree)?)))
            }
            Request::Execute(order) => {
                let Order { plan, tree, who, assets } = *order;
                let tree = tree.map(Tree::check).transpose()?.or(self.tree.take());
                let state = Store::look(&self.store)?.state(self.state.as_deref())?;
                let execution =
                    execute::Execution { store: &self.store, state: &state, plan: &plan, who: &who, assets: assets.as_deref() };
                Ok(Reply::Executed(execution.run(tree, news)?))
            }
            Request::List => Ok(Reply::Listed { rows: self.rows()? }),
        }
    }

    fn plan(&self, desire: &Desire, tree: Option<Tree>) -> Result<Planned> {
        let store = Store::look(&self.store)?;
        let state = store.state(self.state.as_deref())?;
        let situation = survey::situation(&store, &state)?;
        let from = desire.rollback.as_ref().map(|to| survey::rollback_to(&store, to)).transpose()?;
        let new = from.map(|from| Tree::of(store.open(from)?)).transpose()?;
        let tree = new.as_ref().or(tree.as_ref()).ok_or_else(|| Error::Stale("no generation came with it".into()))?;
        let files = tree.bytes();
        let mut tables = Tables::read(&files)?;
        Zones::load(&tables, &BTreeMap::new())?;
        relocate(&mut tables, &store, &state, desire.assets.as_deref())?;
        let (old, damage) = match situation.current.as_ref().map(|place| store.open(place.number)) {
            Some(Ok(generation)) => (Some(Tree::of(generation)?), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let current = situation.current.clone();
        if old.as_ref().is_some_and(|old| old.manifest.generation == tree.manifest.generation) {
            return Ok(Planned { plan: None, current, old, damage, new });
        }
        let wish = Wish {
            generation: tree.manifest.generation.clone(),
            from,
            files: (files.len(), files.values().map(|bytes| bytes.len() as u64).sum()),
            assets: (!desire.without_assets).then(|| (tables.assets.len(), tables.assets.values().map(|row| row.size).sum())),
            zones: survey::zones(&files),
            stamp: desire.stamp || files.keys().any(|path| path.starts_with("engines/")),
            patience_secs: desire.patience_secs,
            keep: desire.keep,
        };
        Ok(Planned { plan: Some(plan(&situation, &wish)), current, old, damage, new })
    }

    fn rows(&self) -> Result<Vec<Row>> {
        let store = Store::look(&self.store)?;
        if !self.store.exists() {
            return Err(Error::NoStore { path: self.store.clone() });
        }
        let (events, current) = (store.history()?, store.current()?);
        // What the history tells of one whose folder tells nothing.
        let damaged = |number: u64, error: String| {
            let event = events.iter().find(|event| event.number == number);
            let time = event.map_or(0, |event| event.time);
            Row {
                number,
                generation: store.id(number, &events),
                time,
                date: date(time),
                who: event.map_or("unknown".into(), |event| event.who.clone()),
                revision: event.and_then(|event| event.revision.clone()),
                hosts: 0,
                from: None,
                why: Some(error),
                current: current == Some(number),
                healthy: None,
            }
        };
        let row = |number: u64| {
            let about = match store.about(number) {
                Ok(about) => about,
                Err(error) => return damaged(number, error.to_string()),
            };
            Row {
                number,
                generation: about.generation,
                time: about.time,
                date: date(about.time),
                who: about.who,
                revision: about.revision,
                hosts: about.hosts,
                from: about.from,
                why: about.why,
                current: current == Some(number),
                healthy: survey::state_of(&events, number).map(|what| what == What::Confirmed),
            }
        };
        let switched = |number: &u64| Some(*number) == current || events.iter().any(|event| event.number == *number);
        let mut numbers = store.numbers()?;
        numbers.extend(current); // a link that leads nowhere is shown too
        Ok(numbers.into_iter().filter(switched).map(row).collect())
    }
}

/// Assets lie where they were said to, or where the server looks for them, or where the site says.
pub(super) fn relocate(tables: &mut Tables, store: &Store, state: &Path, assets: Option<&Path>) -> Result<()> {
    let served = survey::server(store, state)?.ok().and_then(|serving| serving.assets);
    if let Some(folder) = assets.map(Path::to_owned).or(served) {
        tables.assets.values_mut().for_each(|row| row.root = folder.to_string_lossy().into_owned());
    }
    Ok(())
}

/// The far end: requests from `input`, replies to `output`, until `input` ends. A reader that went away
/// ends nothing: what was begun is brought to its end, or taken back.
pub fn answer_lines(store: &Path, state: Option<&Path>, mut input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut say = |line: String| {
        let _nobody_listens = writeln!(output, "{line}").and_then(|()| output.flush());
    };
    say(json(&Hello::own()));
    let mut far = Far::new(store, state);
    loop {
        let mut line = String::new();
        input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        // Half a request is none.
        let Some(line) = line.strip_suffix('\n') else { return Ok(()) };
        let request = serde_json::from_str(line);
        let answered = match request {
            Ok(request) => far.answer(request, &mut |text| say(json(&Reply::News { text }))),
            Err(error) => {
                Err(Error::Stale(format!("this pxelator ({}) does not understand it: {error}", env!("CARGO_PKG_VERSION"))))
            }
        };
        let reply = answered.unwrap_or_else(|error| Reply::Refused { message: chain(&error), is_refusal: error.is_refusal() });
        say(json(&reply));
    }
}

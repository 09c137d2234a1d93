//! A site that is being edited: the findings after each change, without reading the whole site again.
//!
//! Nearly every edit of a large site changes, adds or deletes lines of hosts. Then the rest still means
//! what it meant: only these lines are read again, the places behind them move, and all checks look at
//! the whole site. **Invariant:** the findings are those that [`crate::compile`] would give; whatever is
//! not surely such an edit is compiled as a whole. A test holds both against each other.

use crate::check;
use crate::diag::{Diag, Diags};
use crate::emit;
use crate::model::{self, Host, Site, lower};
use crate::schema;
use crate::source::{FileId, Inputs, Sources, Span};
use crate::syntax::{self, Node};
use crate::{finish, read, understand};

/// How large the changed lines may be, in bytes.
const REGION_BYTES_MAX: usize = 64 << 10;

/// A site as it was read last.
#[derive(Debug)]
pub struct Editing {
    entry: String,
    inputs: Inputs,
    sources: Sources,
    diags: Diags,
    /// What an edit can build upon: a site of which only lines of hosts are broken.
    base: Option<Base>,
}

#[derive(Debug)]
struct Base {
    site: Site,
    broken: Vec<Broken>,
    /// Nothing is wrong with the texts of its profiles, which lines of hosts cannot change.
    texts_are_good: bool,
}

/// Lines of hosts that could not be read as they stand.
#[derive(Debug)]
struct Broken {
    lines: Span,
    diags: Vec<Diag>,
    lost: Vec<String>,
    lost_unknown: bool,
}

/// The changed lines: where they stood, and where they stand.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: usize,
    old_end: usize,
    new_end: usize,
}

impl Editing {
    /// Reads the whole site.
    pub fn open(inputs: Inputs, entry: &str) -> Editing {
        let (mut sources, mut diags) = read(inputs.clone());
        let site = understand(&mut sources, entry, &mut diags);
        let clean = diags.total() == 0;
        let base = site.and_then(|site| {
            check::findings(&site, &mut diags);
            let (site, texts_are_good) = with_texts(site, &mut diags);
            Some(Base { site: site.filter(|_| clean)?, broken: Vec::new(), texts_are_good })
        });
        finish(&mut sources, &mut diags);
        Editing { entry: entry.to_owned(), inputs, sources, diags, base }
    }

    /// Takes the changed files; tells whether the whole site had to be read again.
    pub fn change(&mut self, inputs: Inputs) -> bool {
        if inputs == self.inputs {
            return false;
        }
        if let Some((name, region)) = self.region(&inputs)
            && self.patch(&name, region, &inputs).is_some()
        {
            self.inputs = inputs;
            return false;
        }
        *self = Editing::open(inputs, &self.entry);
        true
    }

    /// The files as they were read last.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    pub fn diags(&self) -> &Diags {
        &self.diags
    }

    /// The one file that changed, and its changed lines with a neighbour on each side.
    fn region(&self, inputs: &Inputs) -> Option<(String, Region)> {
        let base = self.base.as_ref()?;
        if inputs.len() != self.inputs.len() {
            return None;
        }
        let mut changed = inputs.iter().zip(&self.inputs).filter(|(new, old)| new != old);
        let ((name, new), (old_name, old)) = changed.next()?;
        let is_source = name == old_name && name.ends_with(".kdl") && !name.starts_with("modules/");
        if !is_source || changed.next().is_some() || std::str::from_utf8(new).is_err() {
            return None;
        }
        let file = self.sources.find(name)?;
        let mut region = Region::between(old, new);
        // Lines that are broken already are read again as a whole.
        for broken in base.broken.iter().filter(|broken| broken.lines.file == file) {
            let lines = broken.lines.range();
            if lines.start <= region.old_end && region.start <= lines.end {
                region = region.widened(lines.start, lines.end);
            }
        }
        Some((name.clone(), region.with_neighbours(old, new)))
    }

    /// Reads the changed lines alone; `None` where they are not surely lines of hosts.
    fn patch(&mut self, name: &str, region: Region, inputs: &Inputs) -> Option<()> {
        let file = self.sources.find(name)?;
        let base = self.base.as_mut()?;
        let old = self.sources.text(file).get(region.start..region.old_end)?;
        let text = String::from_utf8(inputs.get(name)?.clone()).ok()?;
        let new = text.get(region.start..region.new_end)?;
        if !is_plain(old) || !is_plain(new) || old.len().max(new.len()) > REGION_BYTES_MAX {
            return None;
        }
        let within = |span: Span| span.file == file && span.range().start >= region.start && span.range().end <= region.old_end;
        // The hosts that stood there tell in which block we are.
        let mut stood = base.site.hosts.iter().filter(|host| within(host.span));
        let context = stood.next()?.context;
        if stood.any(|host| host.context != context) {
            return None;
        }
        let was_read = base.site.hosts.iter().filter(|host| within(host.span)).count();
        let broken_here = base.broken.iter().any(|broken| within(broken.lines));
        let nodes = syntax::parse(old, file, &mut Diags::default());
        // Other nodes mean something already; unknown ones are among what is broken.
        let parent = base.site.contexts.get(context)?.parent;
        let counts = |node: &Node<'_>| node.name.text != "host" && (!broken_here || schema::find(&node.name.text, parent).is_some());
        if nodes.iter().any(counts) || nodes.len() < was_read {
            return None;
        }
        let (hosts, broken) = read_hosts(new, file, region, context, base)?;
        let by = region.new_end as i64 - region.old_end as i64;
        base.site.hosts.retain(|host| !within(host.span));
        base.broken.retain(|broken| !within(broken.lines));
        let from = u32::try_from(region.old_end).ok()?;
        base.site.shift(file, from, by);
        base.broken.iter_mut().for_each(|broken| broken.shift(file, from, by));
        insert(&mut base.site, hosts);
        base.broken.extend(broken);
        self.sources.replace(file, text, from, by);
        self.diags = base.findings();
        if self.diags.errors() == 0 && !base.texts_are_good {
            return None; // they are looked at when all else is good
        }
        finish(&mut self.sources, &mut self.diags);
        Some(())
    }
}

/// What emitters would refuse, where nothing else is wrong; the site is given back. True where they
/// refuse nothing.
fn with_texts(site: Site, diags: &mut Diags) -> (Option<Site>, bool) {
    if diags.errors() > 0 {
        let of_overlays = site.nfs.iter().flat_map(|nfs| &nfs.overlays).all(|overlay| overlay.files.is_empty());
        let none = of_overlays && site.profiles.iter().all(|profile| profile.texts.is_empty());
        return (Some(site), none);
    }
    let Some(checked) = check::check(site, &mut Diags::default()) else { return (None, false) };
    let before = diags.total();
    emit::refusals(&checked, diags);
    (Some(checked.into_site()), diags.total() == before)
}

impl Base {
    fn findings(&self) -> Diags {
        let mut diags = Diags::default();
        for broken in &self.broken {
            broken.diags.iter().for_each(|diag| diags.push(diag.clone()));
            broken.lost.iter().for_each(|name| diags.lose(name));
            if broken.lost_unknown {
                diags.lose_unknown();
            }
        }
        check::findings(&self.site, &mut diags);
        diags
    }
}

impl Broken {
    fn shift(&mut self, file: FileId, from: u32, by: i64) {
        let labels = self.diags.iter_mut().flat_map(|diag| &mut diag.labels).map(|label| &mut label.span);
        for span in labels.chain([&mut self.lines]).filter(|span| span.file == file && span.start >= from) {
            *span = span.shifted(by);
        }
    }
}

impl Region {
    /// What differs, in whole lines.
    fn between(old: &[u8], new: &[u8]) -> Region {
        let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
        let before = old.iter().zip(new).take_while(same).count();
        let start = old.get(..before).and_then(|before| before.iter().rposition(|byte| *byte == b'\n')).map_or(0, |at| at + 1);
        let most = old.len().min(new.len()) - start;
        let mut behind = old.iter().rev().zip(new.iter().rev()).take(most).take_while(same).count();
        let begins_line = |text: &[u8], at: usize| at == start || text.get(at - 1) == Some(&b'\n');
        if !begins_line(old, old.len() - behind) || !begins_line(new, new.len() - behind) {
            let rest = old.get(old.len() - behind..).unwrap_or_default();
            behind -= rest.iter().position(|byte| *byte == b'\n').map_or(behind, |at| at + 1);
        }
        Region { start, old_end: old.len() - behind, new_end: new.len() - behind }
    }

    fn widened(self, start: usize, old_end: usize) -> Region {
        let by = self.new_end as i64 - self.old_end as i64;
        let old_end = old_end.max(self.old_end);
        let new_end = usize::try_from(old_end as i64 + by).unwrap_or(self.new_end);
        Region { start: start.min(self.start), old_end, new_end }
    }

    /// A line more on each side, if it is one that could hold a host.
    fn with_neighbours(self, old: &[u8], new: &[u8]) -> Region {
        let is_host_line = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|line| is_plain(line) && line.trim_start().starts_with("host "));
        let before = old.get(..self.start.saturating_sub(1)).unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let behind = old.get(self.old_end..).unwrap_or_default();
        let more = behind.iter().position(|byte| *byte == b'\n').map_or(behind.len(), |at| at + 1);
        let mut region = self;
        if self.start > 0 && old.get(start..self.start).is_some_and(is_host_line) {
            region.start = start;
        }
        if behind.get(..more).is_some_and(is_host_line) && new.len() >= self.new_end + more {
            (region.old_end, region.new_end) = (self.old_end + more, self.new_end + more);
        }
        region
    }
}

/// Could these lines change how others are read? Braces, comments, long strings and joined lines could.
fn is_plain(lines: &str) -> bool {
    !lines.contains(['{', '}', '\\', ';']) && !["/-", "/*", "*/", "\"\"\"", "#\""].iter().any(|mark| lines.contains(mark))
}

/// The hosts of the changed lines, and what is broken in them.
fn read_hosts(lines: &str, file: FileId, region: Region, context: usize, base: &Base) -> Option<(Vec<Host>, Option<Broken>)> {
    let parent = base.site.contexts.get(context)?.parent;
    let mut read = Diags::default();
    let mut nodes: Vec<Node<'_>> = syntax::parse(lines, file, &mut read);
    let is_other = |node: &Node<'_>| node.name.text != "host" && schema::find(&node.name.text, parent).is_some();
    if nodes.iter().any(is_other) || read.has("syntax/kdl-1") {
        return None;
    }
    let by = region.start as i64;
    nodes.iter_mut().for_each(|node| node.shift(by));
    let mut diags = read.shifted(by);
    schema::conform(&mut nodes, parent, &mut diags);
    let hosts = lower::more_hosts(&nodes, context, &base.site, &mut diags);
    if diags.is_empty() {
        return Some((hosts, None));
    }
    // Broken lines in two places have to do with each other: an unfinished string silences other findings,
    // of many findings the later ones suggest nothing, and more.
    let apart = |broken: &Broken| broken.lines.file != file || broken.lines.range().end <= region.start || broken.lines.range().start >= region.old_end;
    if base.broken.iter().any(apart) {
        return None;
    }
    let broken = Broken {
        lines: Span::new(file, region.start, region.new_end),
        lost: diags.lost_names().map(str::to_owned).collect(),
        lost_unknown: diags.has_lost_unknown(),
        diags: diags.iter().map(|diag| Diag { fix: None, ..diag.clone() }).collect(), // `--fix` reads the whole site
    };
    Some((hosts, Some(broken)))
}

/// Keeps the order by name and place.
fn insert(site: &mut Site, hosts: Vec<model::Host>) {
    for host in hosts {
        let at = site.hosts.partition_point(|other| (&other.name, other.span) < (&host.name, host.span));
        site.hosts.insert(at, host);
    }
}

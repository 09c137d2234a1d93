//! Path of a value → what it is, which line won, what it beat and why: `host.kiosk-03.profile`.
//!
//! What `eval` decided about options, profiles and the menu is told as it was decided there; [`host`]
//! tells the cascade again, line by line. **Invariant:** nothing is decided here; a test holds every
//! answer against the site that `model` made.
//!
//! To add a kind of path: an arm in [`ask`], and its word in [`KINDS`].

mod host;

use crate::diag::nearest;
use crate::eval::{Config, Fact, Merged};
use crate::model::Site;
use crate::schema::{self, NodeSpec};
use crate::syntax::{Entry, Node, shorten};

/// What a path may begin with.
pub const KINDS: &[&str] = &["host", "network", "profile", "menu", "dns", "nfs", "overlay", "schedule", "holidays", "site", "use"];

/// Tells about a value, or about all values of a thing. The error says what is unknown and what is near.
pub fn ask(config: &Config<'_>, site: &Site, path: &str) -> Result<Vec<Fact>, String> {
    let (kind, rest) = path.split_once('.').unwrap_or((path, ""));
    let found = match kind {
        "host" => host::facts(config, site, rest)?,
        "network" => network(config, rest)?,
        "profile" => by_name("profile", &config.profiles, rest)?,
        "menu" => config.menu.as_ref().map(|menu| merged("menu", menu)).unwrap_or_default(),
        "nfs" => config.nfs.as_ref().map(|nfs| merged("nfs", nfs)).unwrap_or_default(),
        "overlay" => by_name("overlay", &config.overlays, rest)?,
        "dns" => config.dns.as_ref().map(|dns| merged("dns", dns)).unwrap_or_default(),
        "site" => config.site.as_ref().map(|node| properties("site", node)).unwrap_or_default(),
        "schedule" => schedule(config, rest)?,
        "holidays" => config.holidays.iter().flat_map(|node| block("holidays", node)).collect(),
        "use" => config.facts.clone(),
        _ => return Err(bare(site, path).unwrap_or_else(|| unknown("kind of thing", kind, KINDS.iter().copied()))),
    };
    narrow(found, path)
}

/// A name or an address without the kind of thing before it.
fn bare(site: &Site, path: &str) -> Option<String> {
    let host = site.hosts.iter().find(|host| host.name.as_str() == path || host.address.as_ref().is_some_and(|at| at.value.to_string() == path));
    let of = |kind: &str, mut names: Box<dyn Iterator<Item = &str> + '_>| names.any(|name| name == path).then(|| format!("{kind}.{path}"));
    let found = host.map(|host| format!("host.{}", host.name)).or_else(|| {
        of("network", Box::new(site.networks.iter().map(|network| network.name.as_str())))
            .or_else(|| of("profile", Box::new(site.profiles.iter().map(|profile| profile.name.as_str()))))
            .or_else(|| of("schedule", Box::new(site.schedules.iter().map(|schedule| schedule.name.as_str()))))
    })?;
    Some(format!("no kind of thing stands before `{}`; did you mean `{found}`?", shorten(path)))
}

/// Keeps what the path names: itself, and what lies below it.
fn narrow(facts: Vec<Fact>, path: &str) -> Result<Vec<Fact>, String> {
    let below = |fact: &&Fact| fact.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let kept: Vec<Fact> = facts.iter().filter(below).cloned().collect();
    if kept.is_empty() {
        return Err(unknown("value", path, facts.iter().map(|fact| fact.path.as_str())));
    }
    Ok(kept)
}

fn unknown<'a>(what: &str, found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    const SHOWN_MAX: usize = 12;
    let shown = shorten(found);
    match nearest(found, known.clone()) {
        Some(near) => format!("no {what} `{shown}`; did you mean `{near}`?"),
        None => {
            let mut names: Vec<&str> = known.take(SHOWN_MAX).collect();
            names.dedup();
            match names.is_empty() {
                true => format!("no {what} `{shown}`: the site declares none"),
                false => format!("no {what} `{shown}`; there are {}", names.join(", ")),
            }
        }
    }
}

/// The thing whose name begins a path: the longest one, for names may have dots.
fn named<'a, T>(rest: &str, things: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let fits = |name: &str| rest.strip_prefix(name).is_some_and(|tail| tail.is_empty() || tail.starts_with('.'));
    things.filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len()).map(|(_, thing)| thing)
}

/// A thing of a kind that merges by name.
fn by_name(kind: &str, things: &[Merged<'_>], rest: &str) -> Result<Vec<Fact>, String> {
    let all = || things.iter().map(|thing| (thing.title(), thing));
    let found = named(rest, all()).ok_or_else(|| unknown(kind, rest, all().map(|(name, _)| name)))?;
    Ok(merged(&format!("{kind}.{}", found.title()), found))
}

fn network(config: &Config<'_>, rest: &str) -> Result<Vec<Fact>, String> {
    let all = || config.networks.iter().filter_map(|node| Some((node.title()?, node)));
    let node = named(rest, all()).ok_or_else(|| unknown("network", rest, all().map(|(name, _)| name)))?;
    let path = format!("network.{}", node.title().unwrap_or_default());
    let mut facts = properties(&path, node);
    host::site_lease(config, &path, &mut facts);
    Ok(facts)
}

fn schedule(config: &Config<'_>, rest: &str) -> Result<Vec<Fact>, String> {
    let all = || config.schedules.iter().filter_map(|node| Some((node.title()?, node)));
    let node = named(rest, all()).ok_or_else(|| unknown("schedule", rest, all().map(|(name, _)| name)))?;
    let path = format!("schedule.{}", node.title().unwrap_or_default());
    let mut facts = block(&path, node);
    // The zone of the site holds for all schedules that name none.
    let zone = config.site.as_ref().and_then(|site| site.prop("timezone")).filter(|_| node.prop("timezone").is_none());
    facts.extend(zone.map(|zone| fact(format!("{path}.timezone"), literal(zone), zone, "the site says so, and the schedule does not")));
    Ok(facts)
}

/// A node whose children add up.
fn block(path: &str, node: &Node<'_>) -> Vec<Fact> {
    let lists = node.children.iter().map(|child| Fact {
        path: format!("{path}.{}", child.name.text),
        value: arguments(child),
        span: child.span,
        why: "a line of a list: they append".into(),
        beaten: Vec::new(),
    });
    properties(path, node).into_iter().chain(lists).collect()
}

/// What lines of one name mean together.
fn merged(path: &str, merged: &Merged<'_>) -> Vec<Fact> {
    let values = merged.values.iter().map(|(name, choice)| Fact {
        path: format!("{path}.{name}"),
        value: literal(&choice.entry),
        span: choice.span,
        why: choice.why.clone(),
        beaten: choice.beaten.clone(),
    });
    let lists = merged.lists.iter().map(|node| Fact {
        path: format!("{path}.{}", node.name.text),
        value: arguments(node),
        span: node.span,
        why: "a line of a list: they append".into(),
        beaten: Vec::new(),
    });
    values.chain(lists).collect()
}

/// What a node says of itself, and what holds where it says nothing.
fn properties(path: &str, node: &Node<'_>) -> Vec<Fact> {
    let spec = schema::find(&node.name.text, "");
    let own = node.props().map(|(name, entry)| fact(format!("{path}.{}", name.text), literal(entry), entry, "its own line says so"));
    let absent = spec.into_iter().flat_map(|spec: &NodeSpec| spec.props).filter(|slot| node.prop(slot.name).is_none());
    let defaults = absent.filter_map(|slot| Some((slot.name, slot.default?))).map(|(name, value)| Fact {
        path: format!("{path}.{name}"),
        value: value.to_owned(),
        span: node.span,
        why: "nobody says so: the default".into(),
        beaten: Vec::new(),
    });
    let positions = spec.into_iter().flat_map(|spec| spec.args).skip(1).zip(node.args().skip(1));
    let arguments = positions.map(|(slot, entry)| fact(format!("{path}.{}", slot.name), literal(entry), entry, "its own line says so"));
    own.chain(arguments).chain(defaults).collect()
}

fn fact(path: String, value: String, entry: &Entry<'_>, why: &str) -> Fact {
    Fact { path, value, span: entry.span, why: why.to_owned(), beaten: Vec::new() }
}

fn arguments(node: &Node<'_>) -> String {
    let shown = node.entries.iter().map(|entry| match &entry.name {
        Some(name) => format!("{}={}", name.text, literal(entry)),
        None => literal(entry),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A value as an author would write it; a secret's name is no secret, but is marked as one.
fn literal(entry: &Entry<'_>) -> String {
    let plain = entry.value.literal();
    if entry.is_secret() { format!("(secret){plain}") } else { plain }
}

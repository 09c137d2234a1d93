//! What is said about words of the language, options, and declared things.

use std::net::Ipv4Addr;

use super::index::{Index, Key, Place, nodes_of};
use super::modules::Declared;
use super::workspace::Snapshot;
use crate::schema::{Kind, NodeSpec, Slot};
use crate::syntax::{Entry, Node, Value};

pub(super) fn about_node(spec: &NodeSpec) -> String {
    let mut lines = vec![format!("**{}** · since {}", spec.name, spec.since), String::new(), spec.doc.to_owned()];
    let slots: Vec<String> = spec.args.iter().chain(&spec.more).map(|slot| format!("- {}: {}, {}", slot.name, slot.kind.name(), slot.doc)).collect();
    if !slots.is_empty() {
        lines.push(String::new());
        lines.extend(slots);
    }
    let props: Vec<String> = spec.props.iter().map(|slot| format!("`{}=`", slot.name)).collect();
    if !props.is_empty() {
        lines.extend([String::new(), format!("Properties: {}", props.join(", "))]);
    }
    lines.extend([String::new(), format!("Example: `{}`", spec.example)]);
    lines.join("\n")
}

pub(super) fn about_slot(slot: &Slot, is_prop: bool) -> String {
    let name = if is_prop { format!("{}=", slot.name) } else { slot.name.to_owned() };
    let mut lines = vec![format!("**{name}** · {} · since {}", slot.kind.name(), slot.since), String::new(), slot.doc.to_owned(), String::new()];
    match slot.default {
        Some(default) => lines.push(format!("Default: `{default}`")),
        None if slot.required => lines.push("Must be given.".to_owned()),
        None => drop(lines.pop()),
    }
    let written = if is_prop { format!("{}={}", slot.name, slot.example) } else { slot.example.to_owned() };
    lines.extend([String::new(), format!("Example: `{written}`")]);
    lines.join("\n")
}

pub(super) fn about_option(module: &str, name: &str, option: &Declared) -> String {
    let mut lines = vec![format!("**{name}** · {} · option of module `{module}`", kind_of(option)), String::new(), option.doc.clone(), String::new()];
    lines.push(if option.is_required { "Must be given.".to_owned() } else { format!("Default: `{}`", option.default) });
    if !option.bounds.is_empty() {
        lines.extend([String::new(), format!("Bounds: `{}`", option.bounds.join(" "))]);
    }
    lines.extend(option.example.iter().flat_map(|example| [String::new(), format!("Example: `{name} {example}`")]));
    lines.join("\n")
}

pub(super) fn kind_of(option: &Declared) -> String {
    option.to.map_or_else(|| option.kind.clone(), |kind| format!("{} of a {}", option.kind, kind.name()))
}

/// One line that sums up what a name means: `None` where nothing declares it.
pub(super) fn summary(site: &Snapshot, key: &Key) -> Option<String> {
    let index = site.index();
    if let Some(option) = option_of(index, key) {
        let module = key.scope.split('.').next().unwrap_or_default();
        return Some(about_option(module, &key.name, option));
    }
    if (key.kind, key.name.as_str()) == (Kind::Profile, "local") && index.declared(key).next().is_none() {
        return Some("profile `local`: the machine's own disk, built in".to_owned());
    }
    let place = index.declared(key).next().or_else(|| index.made(key).next())?;
    let text = site.text(&place.file);
    let nodes = nodes_of(text);
    let mut around = Vec::new();
    let node = declaring(&nodes, place, &mut around)?;
    let said = match key.kind {
        Kind::Host => host(node, &around),
        Kind::Network => network(node),
        Kind::Group => format!("group `{}` of {}{}", key.name, count(hosts(&node.children), "host"), property(node, "profile", "profile")),
        Kind::Profile => profile(site, key, node),
        Kind::Module => format!("module `{}`: {}", key.name, index.facts.modules.get(&key.name).map_or("", |module| &module.doc)),
        Kind::Let => format!("let `{}` = {}", key.name, written(node.arg(1), text)),
        Kind::Counter => format!("`{}` counts from {} to {}", key.name, written(node.arg(1), text), written(node.arg(2), text)),
        Kind::Secret => format!("secret `{}` in the file {}", key.name, written(node.prop("file"), text)),
        Kind::Instance => format!("`{}`: a use of module `{}`", key.name, key.scope),
        Kind::Site | Kind::Tag | Kind::Option | Kind::Base | Kind::Overlay | Kind::Schedule | Kind::Snapshot => format!("{} `{}`", key.kind.name(), key.name),
    };
    Some(format!("{said} · {}", line_of(site, place)))
}

pub(super) fn option_of<'i>(index: &'i Index, key: &Key) -> Option<&'i Declared> {
    let mut path = key.scope.split('.');
    let module = index.facts.modules.get(path.next().filter(|_| key.kind == Kind::Option)?)?;
    module.inner(&path.collect::<Vec<_>>())?.get(&key.name)
}

/// `hosts/a.kdl:12`
pub(super) fn line_of(site: &Snapshot, place: &Place) -> String {
    let line = site.lines(&place.file).map_or(0, |lines| lines.position(site.text(&place.file), place.range.start, super::position::Encoding::Utf8).line);
    format!("{}:{}", place.file, u64::from(line) + 1)
}

/// The node in whose head a place lies, and those around it.
fn declaring<'n, 's>(nodes: &'n [Node<'s>], place: &Place, around: &mut Vec<&'n Node<'s>>) -> Option<&'n Node<'s>> {
    let before = nodes.partition_point(|node| node.span.range().start <= place.range.start);
    let node = nodes.get(before.checked_sub(1)?)?;
    if node.span.range().end >= place.range.end {
        return Some(node);
    }
    around.push(node);
    declaring(&node.children, place, around)
}

fn written(entry: Option<&Entry<'_>>, text: &str) -> String {
    entry.and_then(|entry| text.get(entry.value_span.range())).map_or_else(|| "its end".to_owned(), |raw| format!("`{raw}`"))
}

fn count(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// How many host lines there are; a `repeat` counts as what it holds.
fn hosts(nodes: &[Node<'_>]) -> usize {
    nodes.iter().map(|node| if crate::schema::is_host(&node.name.text) { 1 } else { hosts(&node.children) }).sum()
}

fn property(node: &Node<'_>, name: &str, word: &str) -> String {
    node.prop(name).and_then(Entry::text).map_or_else(String::new, |value| format!(", {word} `{value}`"))
}

/// `host pc-01: 10.77.0.21 in network lan, a0:…, profile workstation (of group office)`
fn host(node: &Node<'_>, around: &[&Node<'_>]) -> String {
    let network = around.iter().find(|node| node.name.text == "network");
    let range = network.and_then(|network| network.arg(1)).and_then(Entry::text);
    let mut parts = Vec::new();
    for entry in node.args().skip(1) {
        match &entry.value {
            Value::Int(number) => parts.push(nth(range, *number).unwrap_or_else(|| format!("number {number}"))),
            Value::Text(text) => parts.push(text.to_string()),
            Value::Float(_) | Value::Bool(_) | Value::Null => {}
        }
    }
    parts.extend(network.and_then(|network| network.title()).map(|name| format!("network `{name}`")));
    parts.extend(around.iter().filter(|node| node.name.text == "group").filter_map(|node| node.title()).map(|name| format!("group `{name}`")));
    let nearest = std::iter::once(&node).chain(around.iter().rev()).find_map(|node| Some((node, node.prop("profile")?.text()?)));
    if let Some((from, profile)) = nearest {
        let of = if std::ptr::eq(*from, node) { String::new() } else { format!(" (of the {})", from.name.text) };
        parts.push(format!("profile `{profile}`{of}"));
    }
    format!("{} `{}`: {}", node.name.text, node.title().unwrap_or_default(), parts.join(", "))
}

/// The nth address of a range.
fn nth(range: Option<&str>, number: i64) -> Option<String> {
    let (base, bits) = range?.split_once('/')?;
    let (base, bits) = (base.parse::<Ipv4Addr>().ok()?, bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?);
    let size = 1_u64 << (32 - bits);
    let number = u64::try_from(number).ok().filter(|number| *number < size)?;
    Some(Ipv4Addr::from_bits(base.to_bits().checked_add(u32::try_from(number).ok()?)?).to_string())
}

fn network(node: &Node<'_>) -> String {
    let range = node.arg(1).and_then(Entry::text).unwrap_or_default();
    let pools = node.named("pool").count();
    let (hosts, pools) = (count(hosts(&node.children), "host"), count(pools, "pool"));
    format!("network `{}` {range}: {hosts}, {pools}{}", node.title().unwrap_or_default(), property(node, "profile", "profile"))
}

fn profile(site: &Snapshot, key: &Key, node: &Node<'_>) -> String {
    let refers = site.index().places(key).len().saturating_sub(site.index().declared(key).count());
    let start = ["kernel", "chain"].iter().find_map(|name| node.named(name).next()?.title().map(|path| format!(", {name} `{path}`")));
    let label = property(node, "label", "label");
    format!("profile `{}`{label}{}{}, named in {}", key.name, property(node, "extends", "extends"), start.unwrap_or_default(), count(refers, "place"))
}

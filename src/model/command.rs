//! Names that do something when they are asked for.

use super::{At, Domain, Host, HostName, Network, Site, Subnet};
use crate::source::Span;

/// What stands for the name of a host in a pattern.
pub const HOST: &str = "{host}";

/// A name, or one name a host, and what asking for it does.
#[derive(Debug)]
pub struct Command {
    pub name: At<Pattern>,
    pub run: Run,
    /// Who may; nobody is named where all networks of the site may.
    pub from: Vec<At<Caller>>,
    pub span: Span,
}

/// Labels in lower case below the site's domain; `{host}` is one of them, at most once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Vec<String>);

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    PowerOn,
    PowerOff,
    PowerCycle,
    Status,
    Call,
}

/// Whose questions count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Range(Subnet),
    Network(String),
    Group(String),
    Tag(String),
    Host(String),
}

impl Run {
    /// As the schema has it.
    pub fn find(word: &str) -> Option<Run> {
        let all = [Run::PowerOn, Run::PowerOff, Run::PowerCycle, Run::Status, Run::Call];
        all.into_iter().find(|run| run.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Run::PowerOn => "power-on",
            Run::PowerOff => "power-off",
            Run::PowerCycle => "power-cycle",
            Run::Status => "status",
            Run::Call => "call",
        }
    }

    /// Does it switch a machine?
    pub fn switches(self) -> bool {
        match self {
            Run::PowerOn | Run::PowerOff | Run::PowerCycle => true,
            Run::Status | Run::Call => false,
        }
    }
}

impl Pattern {
    /// Why a text is none is for [`super::lower`] to say.
    pub(super) fn parse(text: &str) -> Option<Pattern> {
        let labels: Vec<String> = text.to_ascii_lowercase().split('.').map(str::to_owned).collect();
        let sound = |label: &String| label == HOST || Domain::parse(label).is_some();
        labels.iter().all(sound).then_some(Pattern(labels))
    }

    pub fn labels(&self) -> &[String] {
        &self.0
    }

    /// How often `{host}` stands in it.
    pub fn hosts(&self) -> usize {
        self.0.iter().filter(|label| *label == HOST).count()
    }

    /// The name for one host, below the domain.
    pub fn of(&self, host: &HostName) -> String {
        let labels: Vec<&str> = self.0.iter().map(|label| if label == HOST { host.as_str() } else { label.as_str() }).collect();
        labels.join(".")
    }

    /// Is this name, below the domain, one of the pattern's?
    pub fn is_name(&self, name: &str, site: &Site) -> bool {
        let labels: Vec<&str> = name.split('.').collect();
        labels.len() == self.0.len() && self.0.iter().zip(labels).all(|(own, label)| own == label || own == HOST && site.host(label).is_some())
    }

    /// The first name that two patterns share, if there is one.
    pub fn shared(&self, other: &Pattern, site: &Site) -> Option<String> {
        let first = site.hosts.first().map(|host| host.name.as_str());
        let both = |(a, b): (&String, &String)| match (a == HOST, b == HOST) {
            (true, true) => first.map(str::to_owned),
            (true, false) => site.host(b).map(|_| b.clone()),
            (false, true) => site.host(a).map(|_| a.clone()),
            (false, false) => (a == b).then(|| a.clone()),
        };
        let labels: Option<Vec<String>> = (self.0.len() == other.0.len()).then(|| self.0.iter().zip(&other.0).map(both).collect())?;
        labels.map(|labels| labels.join("."))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl Command {
    /// The ranges whose questions count, in order, each once.
    pub fn ranges(&self, site: &Site) -> Vec<Subnet> {
        ranges(&self.from, site)
    }
}

/// The ranges of all who are named, in order, each once; the site's networks where nobody is.
pub(super) fn ranges(from: &[At<Caller>], site: &Site) -> Vec<Subnet> {
    let mut all: Vec<Subnet> = match from.is_empty() {
        true => site.networks.iter().map(|network| network.subnet).collect(),
        false => from.iter().flat_map(|caller| caller.value.ranges(site)).collect(),
    };
    all.sort_unstable();
    all.dedup();
    all
}

impl Caller {
    /// A range, `group:NAME`, `tag:NAME`, `host:NAME`, or a network's name.
    pub(super) fn named(text: &str) -> Caller {
        match text.split_once(':') {
            Some(("group", name)) => Caller::Group(name.to_owned()),
            Some(("tag", name)) => Caller::Tag(name.to_owned()),
            Some(("host", name)) => Caller::Host(name.to_ascii_lowercase()),
            _ => Caller::Network(text.to_owned()),
        }
    }

    /// The ranges that it stands for: none where nobody of that name has an address.
    pub fn ranges(&self, site: &Site) -> Vec<Subnet> {
        let addresses = |is_one: &dyn Fn(&Host) -> bool| {
            let hosts = site.hosts.iter().filter(|host| is_one(host)).filter_map(|host| host.address.as_ref());
            hosts.map(|at| Subnet::one(at.value)).collect()
        };
        match self {
            Caller::Range(range) => vec![*range],
            Caller::Network(name) => site.networks.iter().filter(|network| network.name == *name).map(|Network { subnet, .. }| *subnet).collect(),
            Caller::Group(name) => addresses(&|host| host.groups.contains(name)),
            Caller::Tag(name) => addresses(&|host| host.tags.contains(name)),
            Caller::Host(name) => addresses(&|host| host.name.as_str() == name),
        }
    }
}

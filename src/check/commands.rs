//! Names that do something when they are asked for: who may, and that nothing else has the name.

use crate::diag::{Diag, Diags};
use crate::model::{At, Caller, Command, LABEL_BYTES_MAX, NAME_BYTES_MAX, Network, Run, Site, Subnet};

/// What stands before a command's name where `serve` tells the label of the moment, in bytes:
/// `now-ping-255-255-255.`
const LABEL_BYTES: usize = 21;

/// A range with fewer bits than this is nobody's own: the Internet, or a large part of it.
const RANGE_BITS_MIN: u8 = 8;

pub(super) fn open(site: &Site, diags: &mut Diags) {
    let open = |command: &&Command| command.from.is_empty() || command.from.iter().any(|at| is_open(&at.value));
    for command in site.commands.iter().filter(|command| command.run.switches()).filter(open) {
        let what = match command.run {
            Run::PowerOff => "switch hosts off",
            Run::PowerCycle => "restart hosts",
            Run::PowerOn | Run::Status | Run::Call => "switch hosts on",
        };
        let message = format!("whoever can ask this server could {what} by `{}`", command.name.value);
        let network = site.networks.first().map_or("\"10.0.0.0/24\"", |network| network.name.as_str());
        diags.push(Diag::new("dns/command-open", command.span, message).help(format!("say who may: from={network}")));
    }
}

/// Does it name nearly everybody?
pub(super) fn is_open(caller: &Caller) -> bool {
    matches!(caller, Caller::Range(range) if range.bits() < RANGE_BITS_MIN)
}

/// A command that no host can carry out is a mistake in what is said of the hosts.
pub(super) fn power(site: &Site, diags: &mut Diags) {
    let powers = || site.hosts.iter().filter_map(|host| host.power.as_deref());
    for command in site.commands.iter().filter(|command| command.run.switches()) {
        let off = command.run != Run::PowerOn;
        if powers().any(|power| power.amt.is_some() || !off && power.wakes()) {
            continue;
        }
        let (what, help) = match off {
            true => ("off", "say of hosts what switches them: amt=SECRET for Intel AMT (Wake on LAN turns on and nothing else)"),
            false => ("on", "say of hosts what switches them: amt=SECRET for Intel AMT, wake=#true for Wake on LAN"),
        };
        let message = format!("no host can be switched {what} by `{}`", command.name.value);
        diags.push(Diag::new("dns/command-no-power", command.span, message).help(help));
    }
}

/// Everybody who is named exists, and has an address to be known by.
pub(super) fn callers(site: &Site, diags: &mut Diags) {
    for at in site.commands.iter().flat_map(|command| &command.from) {
        if let Caller::Range(range) = &at.value {
            outside("dns/command-outside", *range, at.span, site, diags);
            continue;
        }
        if at.value.ranges(site).is_empty() {
            let found = nobody("dns/command-from", at, "give it one: whoever asks is known by the address alone", site, diags);
            found.into_iter().for_each(|diag| diags.push(diag));
        }
    }
}

/// A selector that stands for no address; nothing where what it names was refused already.
pub(super) fn nobody(code: &'static str, at: &At<Caller>, without: &str, site: &Site, diags: &Diags) -> Option<Diag> {
    let (kind, name) = match &at.value {
        Caller::Range(_) => return None,
        Caller::Network(name) => ("network", name),
        Caller::Group(name) => ("group", name),
        Caller::Tag(name) => ("tag", name),
        Caller::Host(name) => ("host", name),
    };
    if diags.is_lost(name) {
        return None;
    }
    let known = known(kind, site);
    let declared = known.contains(&name.as_str());
    let diag = Diag::new(code, at.span, match declared {
        true if kind == "host" => format!("host `{name}` has no address of its own"),
        true => format!("nobody of {kind} `{name}` has an address of its own"),
        false => format!("there is no {kind} `{name}`"),
    });
    let elsewhere = ["network", "host", "group", "tag"].into_iter().find(|other| *other != kind && self::known(other, site).contains(&name.as_str()));
    Some(match (declared, elsewhere) {
        (true, _) => diag.help(without),
        (false, Some("network")) => diag.help(format!("did you mean `{name}`? a network is named without a word before it")),
        (false, Some(other)) => diag.help(format!("did you mean `{other}:{name}`?")),
        (false, None) => diag.help("declare it, or name another").suggest(diags, name, known),
    })
}

fn known<'s>(kind: &str, site: &'s Site) -> Vec<&'s str> {
    let hosts = || site.hosts.iter();
    match kind {
        "network" => site.networks.iter().map(|network| network.name.as_str()).collect(),
        "group" => hosts().flat_map(|host| host.groups.iter().map(String::as_str)).collect(),
        "tag" => hosts().flat_map(|host| host.tags.iter().map(String::as_str)).collect(),
        _ => hosts().map(|host| host.name.as_str()).collect(),
    }
}

/// The boot server itself asks from loopback.
pub(super) fn outside(code: &'static str, range: Subnet, span: crate::source::Span, site: &Site, diags: &mut Diags) {
    let base = |network: &&Network| range.bits() == 32 && network.subnet.bits() < 31 && network.subnet.base() == range.base();
    if let Some(network) = site.networks.iter().find(base) {
        let (name, subnet) = (&network.name, network.subnet);
        let message = format!("{} is the address of network `{name}` itself, which no machine has", range.base());
        return diags.push(Diag::new(code, span, message).help(format!("write from={name}, or \"{subnet}\"")));
    }
    let meets = |subnet: Subnet| subnet.contains(range.base()) || range.contains(subnet.base());
    if range.base().is_loopback() || site.networks.iter().any(|network| meets(network.subnet)) || diags.is_lost("network") {
        return;
    }
    let diag = Diag::new(code, span, format!("{range} lies in no network of this site"));
    diags.push(diag.help("correct it, or keep it if these machines are elsewhere and reach this server by a router"));
}

/// A name is one thing: a command is answered before any record.
pub(super) fn clashes(site: &Site, diags: &mut Diags) {
    for (at, command) in site.commands.iter().enumerate() {
        let pattern = &command.name.value;
        let earlier = site.commands.iter().take(at).find_map(|other| Some((pattern.shared(&other.name.value, site)?, other.span)));
        let below = |name: &str| name.strip_suffix(site.domain.as_str()).and_then(|name| name.strip_suffix('.')).map(str::to_owned);
        let record = || {
            let names = site.records.iter().filter_map(|record| Some((below(record.name.as_str())?, record.span)));
            names.into_iter().find(|(name, _)| pattern.is_name(name, site))
        };
        // A host's own name is one label.
        let host = || site.hosts.iter().find(|host| pattern.labels().len() == 1 && pattern.is_name(host.name.as_str(), site));
        let (name, other, what) = match (earlier, record()) {
            (Some((name, other)), _) => (name, other, "another command"),
            (None, Some((name, record))) => (name, record, "a record"),
            (None, None) => match host() {
                Some(host) => (host.name.to_string(), host.span, "a host"),
                None => continue,
            },
        };
        let diag = Diag::new("dns/command-clash", command.name.span, format!("`{name}` is {what} too"));
        diags.push(diag.here("a command").label(other, what).help("give the command a name of its own, such as \"wake.{host}.do\""));
    }
}

pub(super) fn lengths(site: &Site, diags: &mut Diags) {
    let longest = site.hosts.iter().max_by_key(|host| host.name.as_str().len());
    for Command { name, .. } in &site.commands {
        let whole = longest.map_or_else(|| name.value.to_string(), |host| name.value.of(&host.name));
        let label = whole.split('.').map(str::len).max().unwrap_or(0);
        let bytes = whole.len() + 1 + site.domain.as_str().len() + LABEL_BYTES;
        let message = match label {
            _ if label > LABEL_BYTES_MAX => format!("label of {label} bytes in `{whole}`; at most {LABEL_BYTES_MAX}"),
            _ if bytes > NAME_BYTES_MAX => format!("`{whole}` and the label before it make a name of {bytes} bytes; at most {NAME_BYTES_MAX}"),
            _ => continue,
        };
        diags.push(Diag::new("dns/name-length", name.span, message).help("choose a shorter name (RFC 1035)"));
    }
}

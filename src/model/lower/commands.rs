//! Names that do something when they are asked for.

use super::{located, names};
use crate::diag::{Diag, Diags};
use crate::eval::Merged;
use crate::model::{At, Caller, Command, Domain, HOST, Pattern, Run, Subnet, SubnetError};
use crate::schema::COMMAND;
use crate::source::Span;
use crate::syntax::{Entry, Node, shorten};

/// How many commands a site has: each question about a name of ours is held against all of them.
const COMMANDS_MAX: usize = 64;

pub(super) fn commands(dns: &Merged<'_>, domain: &Domain, diags: &mut Diags) -> Vec<Command> {
    if let Some(node) = dns.list(COMMAND).nth(COMMANDS_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {COMMANDS_MAX} commands"));
        diags.push(diag.help("let one command with {host} stand for all hosts"));
    }
    dns.list(COMMAND).take(COMMANDS_MAX).filter_map(|node| command(node, domain, diags)).collect()
}

fn command(node: &Node<'_>, domain: &Domain, diags: &mut Diags) -> Option<Command> {
    let name = node.arg(0).and_then(located)?;
    let run = node.prop("run").and_then(Entry::text).and_then(Run::find)?;
    let pattern = pattern(&name, run, domain, diags);
    let errors = diags.errors();
    let from = node.prop("from").map(|entry| callers(entry, "from", "dns/command-from", diags)).unwrap_or_default();
    // Whoever may is not known then: nothing is said of a command that is open.
    let known = diags.errors() == errors;
    Some(Command { name: At { value: pattern?, span: name.span }, run, from, span: node.span }).filter(|_| known)
}

fn pattern(name: &At<String>, run: Run, domain: &Domain, diags: &mut Diags) -> Option<Pattern> {
    let shown = shorten(&name.value);
    let pattern = Pattern::parse(&name.value);
    let below = name.value.trim_end_matches('.').to_ascii_lowercase();
    let below = below.strip_suffix(domain.as_str()).and_then(|name| name.strip_suffix('.')).filter(|name| !name.is_empty());
    let (message, help) = match &pattern {
        _ if let Some(below) = below => (format!("`{shown}` ends in the site's domain, below which it lies anyhow"), format!("write \"{below}\"")),
        None if name.value.contains(HOST) && name.value.split('.').any(|label| label != HOST && label.contains(HOST)) => {
            (format!("`{HOST}` is a part of a label in `{shown}`"), format!("let it stand between dots, such as \"wake.{HOST}.do\""))
        }
        None => (format!("`{shown}` is no DNS name"), format!("write labels of letters, digits and hyphens with dots between them, such as \"wake.{HOST}.do\"")),
        Some(pattern) if pattern.hosts() > 1 => (format!("`{HOST}` stands twice in `{shown}`"), "a command is about one host: keep one of them".to_owned()),
        Some(pattern) if pattern.hosts() == 0 && run != Run::Call => {
            let verb = pattern.labels().first().map_or("wake", String::as_str);
            (format!("`{shown}` names no host, and {} is about one", run.word()), format!("let {HOST} stand in the name, such as \"{verb}.{HOST}.do\""))
        }
        Some(_) => return pattern,
    };
    diags.push(Diag::new("dns/command-name", name.span, message).help(help));
    None
}

/// The hosts, or whoever asks, that the value of `prop` names.
pub(super) fn callers(entry: &Entry<'_>, prop: &str, code: &'static str, diags: &mut Diags) -> Vec<At<Caller>> {
    let span = entry.value_span;
    let all: Vec<At<Caller>> = names(Some(entry)).filter_map(|text| Some(At { value: caller(text, code, span, diags)?, span })).collect();
    if all.is_empty() && names(Some(entry)).next().is_none() {
        let or = if prop == "from" { ", or leave from= away" } else { "" };
        let diag = Diag::new(code, span, format!("{prop}= names nobody"));
        diags.push(diag.help(format!("name a network, group:NAME, tag:NAME, host:NAME or a range such as \"10.0.0.0/24\"{or}")));
    }
    all
}

/// What begins like an address is one, or a mistake; anything else is a name.
fn caller(text: &str, code: &'static str, span: Span, diags: &mut Diags) -> Option<Caller> {
    let dots = text.split('/').next().is_some_and(|address| address.split('.').count() == 4);
    if !dots && !text.contains('/') {
        return Some(Caller::named(text));
    }
    let range = if text.contains('/') { text.to_owned() } else { format!("{text}/32") };
    let diag = match Subnet::parse(&range) {
        Ok(range) => return Some(Caller::Range(range)),
        Err(SubnetError::HostBits(range)) => {
            Diag::new("network/host-bits", span, format!("{text} has host bits; the network is {range}")).help(format!("write {range}"))
        }
        Err(SubnetError::Form) => Diag::new(code, span, format!("`{}` is no address and no range", shorten(text)))
            .help("write \"10.0.0.9\" or \"10.0.0.0/24\""),
    };
    diags.push(diag);
    None
}

//! `check` and `alerts`.

use super::commands::callers;
use super::located;
use crate::diag::{Diag, Diags};
use crate::eval::{Merged, Reference};
use crate::model::{Alerts, Ask, At, Check, Domain, Mail, MailServer, Mailbox, Tls, UrlError, WebUrl, Webhook};
use crate::schema::duration_secs;
use crate::source::{FileId, Span};
use crate::syntax::{Entry, Node, Value, shorten};

/// How many `check` lines a site has: each is held against all hosts.
const CHECKS_MAX: usize = 64;
/// How many sinks: each has a thread of its own.
const SINKS_MAX: usize = 16;
/// Where a check does not say so itself.
const EVERY_SECS: u64 = 60;
const FAILS: u32 = 3;

/// In the order of the files.
pub(super) fn checks(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Check> {
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.span);
    if let Some(node) = sorted.get(CHECKS_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {CHECKS_MAX} checks"));
        diags.push(diag.help("let one check stand for many hosts: on=\"group:NAME, tag:NAME\""));
    }
    sorted.into_iter().take(CHECKS_MAX).filter_map(|node| check(node, diags)).collect()
}

fn check(node: &Node<'_>, diags: &mut Diags) -> Option<Check> {
    let kind = node.arg(0)?;
    let ask = ask(kind, node.arg(1), node.span, diags);
    let errors = diags.errors();
    let on = node.prop("on").map(|entry| callers(entry, "on", "monitor/on", diags)).unwrap_or_default();
    let known = diags.errors() == errors && !on.is_empty();
    Some(Check {
        ask: ask?,
        on,
        every_secs: node.prop("every").and_then(Entry::text).and_then(duration_secs).unwrap_or(EVERY_SECS),
        fails: node.prop("fails").and_then(Entry::int).and_then(|count| u32::try_from(count).ok()).unwrap_or(FAILS),
        span: node.span,
    })
    .filter(|_| known)
}

fn ask(kind: &Entry<'_>, target: Option<&Entry<'_>>, span: Span, diags: &mut Diags) -> Option<At<Ask>> {
    let word = kind.text()?;
    let help = match word {
        "ping" => "write check ping on=…, and nothing between",
        "tcp" => "write the port as a number, such as check tcp 445",
        "http" => "write the page, such as check http \"/status\", or a whole URL",
        _ => "write a name that the host shall know, such as check dns \"www.lab.example\"",
    };
    let wrong = |at: Span, message: String| Diag::new("monitor/target", at, message).help(help);
    let Some(target) = target else {
        if word == "ping" {
            return Some(At { value: Ask::Ping, span: kind.value_span });
        }
        diags.push(wrong(span, format!("`check {word}` asks for nothing")));
        return None;
    };
    let (at, shown) = (target.value_span, shorten(&target.value.literal()));
    let text = || target.text().unwrap_or_default();
    let found = match (word, &target.value) {
        ("tcp", Value::Int(port)) => u16::try_from(*port)
            .ok()
            .filter(|port| *port > 0)
            .map(Ask::Tcp)
            .ok_or_else(|| format!("{port} is no port from 1 to 65,535")),
        ("http", Value::Text(_)) => match Ask::page(text()) {
            Ok(ask) => Ok(ask),
            Err(UrlError::Password) => return literal(target, diags),
            Err(why) => Err(format!("{shown} is no page: {}", web_trouble(why))),
        },
        ("dns", Value::Text(_)) => {
            Domain::parse(text().trim_end_matches('.')).map(Ask::Dns).ok_or_else(|| format!("{shown} is no DNS name"))
        }
        ("ping", _) => Err(format!("a ping has no target, found {shown}")),
        (word, _) => Err(format!("{shown} is nothing that `check {word}` could ask for")),
    };
    found.map(|value| At { value, span: at }).map_err(|message| diags.push(wrong(at, message))).ok()
}

fn web_trouble(why: UrlError) -> &'static str {
    match why {
        UrlError::Scheme => "it begins neither with http:// nor with https://",
        UrlError::Host => "it has no sound name or address of a machine",
        UrlError::Port => "its port is no number from 1 to 65,535",
        UrlError::Password => "a password stands in it",
        UrlError::Path | UrlError::Database => {
            "behind the machine there is a path of visible ASCII, without `#`, spaces and quotes"
        }
    }
}

/// What stands in `out/` is read by everybody.
fn literal<T>(entry: &Entry<'_>, diags: &mut Diags) -> Option<T> {
    diags.redact(entry.value_span);
    let diag = Diag::new("secret/literal", entry.value_span, "a password in a URL would stand in out/");
    diags.push(diag.help("write the URL without it; a webhook takes token=(secret)NAME, with `secret NAME file=…`"));
    None
}

pub(super) fn alerts(merged: &Merged<'_>, domain: &Domain, diags: &mut Diags) -> Alerts {
    let sinks = || merged.list("mail").chain(merged.list("webhook"));
    if let Some(node) = sinks().nth(SINKS_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {SINKS_MAX} mailboxes and webhooks"));
        diags.push(diag.help("let a mailing list, or one program, pass the news on"));
    }
    Alerts {
        mails: merged.list("mail").take(SINKS_MAX).filter_map(|node| mail(node, domain, diags)).collect(),
        webhooks: merged.list("webhook").take(SINKS_MAX).filter_map(|node| webhook(node, diags)).collect(),
        span: merged.span().unwrap_or(Span::new(FileId::new(0), 0, 0)),
    }
}

fn mail(node: &Node<'_>, domain: &Domain, diags: &mut Diags) -> Option<Mail> {
    let to = mailbox(node.arg(0)?, domain, diags);
    let through = node.prop("through").and_then(|entry| server(entry, diags));
    let from = node.prop("from").map(|entry| mailbox(entry, domain, diags));
    let through = through?;
    Some(Mail {
        tls: node.prop("tls").and_then(Entry::text).and_then(Tls::find).unwrap_or(Tls::of_port(through.value.port)),
        to: to?,
        through,
        from: match from {
            Some(sound) => Some(sound?),
            None => None,
        },
        user: node.prop("user").and_then(located),
        password: node.prop("password").and_then(located),
        span: node.span,
    })
}

fn mailbox(entry: &Entry<'_>, domain: &Domain, diags: &mut Diags) -> Option<At<Mailbox>> {
    let text = entry.text().unwrap_or_default();
    let found = Mailbox::parse(text);
    if found.is_none() {
        let diag = Diag::new("alert/bad-mailbox", entry.value_span, format!("`{}` is no mailbox", shorten(text)));
        diags.push(diag.help(format!(
            "write one name, an @ and a domain, such as \"admin@{domain}\"; for several people write several lines"
        )));
    }
    found.map(|value| At { value, span: entry.value_span })
}

fn server(entry: &Entry<'_>, diags: &mut Diags) -> Option<At<MailServer>> {
    let text = entry.text().unwrap_or_default();
    let found = MailServer::parse(text);
    if found.is_none() {
        let diag = Diag::new("alert/bad-server", entry.value_span, format!("`{}` is no mail server", shorten(text)));
        diags.push(diag.help("write its name or address, a colon and its port: \"10.77.0.51:25\""));
    }
    found.map(|value| At { value, span: entry.value_span })
}

fn webhook(node: &Node<'_>, diags: &mut Diags) -> Option<Webhook> {
    let entry = node.arg(0)?;
    let text = entry.text().unwrap_or_default();
    let url = match WebUrl::parse(text) {
        Ok(value) => At { value, span: entry.value_span },
        Err(UrlError::Password) => return literal(entry, diags),
        Err(why) => {
            let diag =
                Diag::new("alert/bad-url", entry.value_span, format!("`{}` takes no news: {}", shorten(text), web_trouble(why)));
            diags.push(diag.help("write it like this: \"https://chat.lab.example/hook\""));
            return None;
        }
    };
    Some(Webhook { url, token: node.prop("token").and_then(located), span: node.span })
}

/// The secrets that sinks need; they must exist, and are used.
pub(super) fn secrets(merged: &Merged<'_>) -> Vec<Reference> {
    let passwords = merged.list("mail").filter_map(|node| node.prop("password").and_then(located));
    let tokens = merged.list("webhook").filter_map(|node| node.prop("token").and_then(located));
    passwords.chain(tokens).map(|at| Reference { kind: "secret".to_owned(), name: at.value, span: at.span }).collect()
}

//! Secrets, and what a site claims about itself.

use std::collections::BTreeMap;

use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{At, Claim, HostClaim, Secret, Subject};
use crate::syntax::{Entry, Node};

/// The secrets by name; the later of two of one name is the mistake.
pub(super) fn secrets(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<Secret> {
    let mut all: BTreeMap<&str, &Node<'_>> = BTreeMap::new();
    for node in nodes {
        let Some(name) = node.title() else { continue };
        match all.get(name) {
            Some(first) => diags.push(crate::schema::twice(node, first)),
            None => drop(all.insert(name, node)),
        }
    }
    let secret = |(name, node): (&str, &Node<'_>)| Some(Secret { name: name.to_owned(), file: located(node.prop("file")?)?, span: node.span });
    all.into_iter().filter_map(secret).collect()
}

pub(super) fn claim(node: &Node<'_>, diags: &mut Diags) -> Option<Claim> {
    let subject = node.arg(0)?;
    let about_hosts = subject.text().is_some_and(|text| text.starts_with("group:") || text.starts_with("tag:"));
    let (claims, example) = match about_hosts {
        true => (&["has", "lacks", "profile", "min", "max"][..], "has=profile"),
        false => (&["is", "not"][..], "is=#true"),
    };
    if !claims.iter().any(|claim| node.prop(claim).is_some()) {
        let message = format!("`{}` claims nothing about {}", node.name.text, if about_hosts { "these hosts" } else { "this value" });
        let help = format!("say one of {}: for example {example}", claims.iter().map(|claim| format!("{claim}=")).collect::<Vec<_>>().join(", "));
        diags.push(Diag::new("schema/missing", node.span, message).help(help));
        return None;
    }
    Some(Claim {
        is_warning: node.name.text == "warn",
        subject: self::subject(node, subject),
        sentence: node.arg(1)?.text()?.to_owned(),
        span: node.span,
    })
}

fn subject(node: &Node<'_>, subject: &Entry<'_>) -> Subject {
    let selector = subject.text().and_then(|text| text.split_once(':'));
    let named = |name: &str| At { value: name.to_owned(), span: subject.value_span };
    match selector {
        Some(("group", name)) => Subject::Group(named(name), host_claims(node)),
        Some(("tag", name)) => Subject::Tag(named(name), host_claims(node)),
        _ => {
            let agrees = |prop: &str, wanted: bool| node.prop(prop).is_none_or(|entry| (entry.value == subject.value) == wanted);
            Subject::Value { shown: format!("`{}`", subject.value.literal()), holds: agrees("is", true) && agrees("not", false) }
        }
    }
}

fn host_claims(node: &Node<'_>) -> Vec<HostClaim> {
    let text = |entry: &Entry<'_>| entry.text().unwrap_or_default().to_owned();
    let count = |entry: &Entry<'_>| entry.int().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let claim = |(name, entry): (&crate::syntax::Word<'_>, &Entry<'_>)| match &*name.text {
        "has" => Some(HostClaim::Has(text(entry))),
        "lacks" => Some(HostClaim::Lacks(text(entry))),
        "profile" => Some(HostClaim::Profile(text(entry))),
        "min" => Some(HostClaim::AtLeast(count(entry))),
        "max" => Some(HostClaim::AtMost(count(entry))),
        _ => None,
    };
    node.props().filter_map(claim).collect()
}

//! How the boot server logs in.

use super::commands::callers;
use super::located;
use crate::diag::{Diag, Diags};
use crate::model::{At, SshLine, is_user_name};
use crate::syntax::Node;

/// How many `ssh` lines a site may have.
const LOGINS_MAX: usize = 1_000;

pub(super) fn logins(nodes: &[Node<'_>], diags: &mut Diags) -> Vec<SshLine> {
    let mut sorted: Vec<&Node<'_>> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.span);
    if let Some(node) = sorted.get(LOGINS_MAX) {
        let diag = Diag::new("eval/limit", node.span, format!("more than {LOGINS_MAX} `ssh` lines"));
        diags.push(diag.help("let one line stand for many hosts: on=\"group:NAME, tag:NAME\""));
    }
    sorted.into_iter().take(LOGINS_MAX).filter_map(|node| login(node, diags)).collect()
}

fn login(node: &Node<'_>, diags: &mut Diags) -> Option<SshLine> {
    let errors = diags.errors();
    let on = node.prop("on").map(|entry| callers(entry, "on", "ssh/on", diags)).unwrap_or_default();
    let user = node.prop("user").and_then(located);
    if let Some(at) = user.as_ref().filter(|at| !is_user_name(&at.value)) {
        let diag = Diag::new("ssh/user", at.span, format!("`{}` is no user of a Unix machine", at.value));
        diags.push(diag.help("write the login alone: small letters, digits, hyphens, underscores; the host stands in on="));
    }
    let port = node.prop("port").and_then(|entry| Some(At { value: u16::try_from(entry.int()?).ok()?, span: entry.value_span }));
    (diags.errors() == errors).then_some(SshLine { on, user, port, span: node.span })
}

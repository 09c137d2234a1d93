//! `monitor/alerts.jsonl`.

use crate::model::{Alerts, At, Mailbox, Origins, Secret, Site};
use crate::out::table::{ALERTS, AlertRow, AlertSink, MailRow, WebhookRow, json};
use crate::out::{Lines, Wing};
use crate::source::Span;

pub(super) fn emit(site: &Site, wing: &mut Wing<'_>) {
    let Some(Alerts { mails, webhooks, .. }) = &site.alerts else { return };
    let mut lines = Lines::default();
    let mut put = |span: Span, secret: Option<&Secret>, to: AlertSink| {
        let zone = site.timezone.as_ref();
        let said = secret.map(|secret| secret.span).into_iter().chain(zone.map(|at| at.span));
        let origins: Origins = std::iter::once(span).chain(said).collect();
        lines.line(&origins, json(&AlertRow { site: site.name.clone(), timezone: zone.map(|at| at.value.clone()), to }));
    };
    for mail in mails {
        let secret = secret(site, mail.password.as_ref());
        let row = MailRow {
            to: mail.to.value.as_str().to_owned(),
            from: mail.from.as_ref().map_or_else(|| Mailbox::of(&site.domain), |at| at.value.clone()).as_str().to_owned(),
            host: mail.through.value.host.clone(),
            port: mail.through.value.port,
            tls: mail.tls.word().to_owned(),
            user: mail.user.as_ref().map(|at| at.value.clone()),
            password_file: secret.map(|secret| secret.file.value.clone()),
        };
        put(mail.span, secret, AlertSink::Mail(row));
    }
    for webhook in webhooks {
        let secret = secret(site, webhook.token.as_ref());
        let row =
            WebhookRow { url: webhook.url.value.as_str().to_owned(), token_file: secret.map(|secret| secret.file.value.clone()) };
        put(webhook.span, secret, AlertSink::Webhook(row));
    }
    if !lines.is_empty() {
        wing.write(ALERTS.into(), lines);
    }
}

fn secret<'s>(site: &'s Site, name: Option<&At<String>>) -> Option<&'s Secret> {
    site.secrets.iter().find(|secret| name.is_some_and(|at| at.value == secret.name))
}

//! News as JSON, by POST.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use ureq::tls::{RootCerts, TlsConfig};

use super::super::probe::no_page;
use super::{Message, Trouble};
use crate::operate::audit::trust;
use crate::operate::secret;
use crate::out::table::{AlertRow, WebhookRow};
use crate::terminal::chain;

const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn send(row: &AlertRow, webhook: &WebhookRow, message: &Message) -> Result<(), Trouble> {
    let url = &webhook.url;
    let roots = if url.starts_with("https:") { trust::roots() } else { RootCerts::WebPki };
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // A token goes where the site says, and nowhere else.
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent("pxelator")
        .build();
    let mut request =
        ureq::Agent::from(config).post(url).header("content-type", "application/json").header("idempotency-key", message.name());
    if let Some(file) = &webhook.token_file {
        let token = secret::read(Path::new(file)).map_err(|error| Trouble::Sink(chain(&error)))?;
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = request.send(body(row, message).to_string()).map_err(|error| Trouble::Sink(mended(url, &error)))?;
    let status = answer.status().as_u16();
    let file = webhook.token_file.as_deref();
    match (status, file) {
        (200..=299, _) => Ok(()),
        (401 | 403, Some(file)) => Err(Trouble::Sink(format!(
            "it does not take the token ({status}): write the right one into {file}; it is read again by itself"
        ))),
        (401 | 403, None) => Err(Trouble::Sink(format!("it wants a token ({status}): name it in the site, token=(secret)…"))),
        (404 | 410, _) => Err(Trouble::Sink(format!("it does not exist ({status}): correct it in the site"))),
        (300..=399, _) => Err(Trouble::Sink(format!("it leads elsewhere ({status}): write the address that it leads to"))),
        (408 | 429 | 500.., _) => Err(Trouble::Sink(format!("it answers {status}: look there why"))),
        _ => Err(Trouble::Message(format!("it answers {status}: look there why"))),
    }
}

/// The sink's name is told before it, and has the URL already.
fn mended(url: &str, error: &ureq::Error) -> String {
    let what = no_page(url, error);
    let what = what.strip_prefix(url).unwrap_or(&what).trim_start_matches([':', ' ']);
    let mend = match what {
        "nobody listens there" => ": start what shall get alerts, or correct the URL in the site",
        "does not answer in time" => ": look whether it runs there, and whether a firewall is between",
        "no such name" => ": correct it in the site, or write an address",
        _ => "",
    };
    format!("{what}{mend}")
}

fn body(row: &AlertRow, message: &Message) -> Value {
    let moment = |at: i64| Timestamp::from_second(at).unwrap_or_default().to_string();
    let alert = &message.alert;
    json!({
        "id": alert.id,
        "state": message.state.name(),
        "site": row.site,
        "host": alert.host,
        "check": alert.check,
        "why": message.how.as_ref().unwrap_or(&alert.why),
        "at": moment(message.at),
        "since": moment(alert.fired),
        "behind": alert.behind,
    })
}

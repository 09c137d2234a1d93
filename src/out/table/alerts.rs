//! The rows of `monitor/` that say what is watched, and who is told.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

pub const CHECKS: &str = "monitor/checks.jsonl";
pub const ALERTS: &str = "monitor/alerts.jsonl";

/// `monitor/checks.jsonl`: one host, and one way in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRow {
    /// `HOST CHECK`, which nothing else is called.
    pub id: String,
    pub host: String,
    pub address: Ipv4Addr,
    /// As a person calls it: `ping`, `tcp 22`, `http /status`, `dns www.lab.example`.
    pub check: String,
    pub ask: Ask,
    pub every_secs: u64,
    /// How often in a row it fails until somebody is told.
    pub fails: u32,
}

/// How a host is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    Ping,
    /// A port.
    Tcp(u16),
    /// A whole URL.
    Http(String),
    /// A name.
    Dns(String),
}

/// `monitor/alerts.jsonl`: somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRow {
    /// The site's name, and the zone of its clocks where it says one: both stand in what is told.
    pub site: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    pub to: AlertSink,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertSink {
    Mail(MailRow),
    Webhook(WebhookRow),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailRow {
    pub to: String,
    pub from: String,
    /// Of the mail server.
    pub host: String,
    pub port: u16,
    /// `none`, `starttls` or `tls`.
    pub tls: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where its password lies on the boot server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookRow {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
}

impl AlertRow {
    /// What it is called everywhere: `mail admin@lab.example`, `webhook https://…`.
    pub fn name(&self) -> String {
        match &self.to {
            AlertSink::Mail(row) => format!("mail {}", row.to),
            AlertSink::Webhook(row) => format!("webhook {}", row.url),
        }
    }
}

//! News as a mail, handed to a mail server.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, SmtpTransport, Transport};

use super::words::words;
use super::{Message, Told, Trouble};
use crate::operate::audit::trust;
use crate::operate::secret;
use crate::out::table::{AlertRow, MailRow};
use crate::terminal::{chain, escaped};

/// For each step of the conversation.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The most of the server's reasons that is told, in bytes.
const SAID_BYTES_MAX: usize = 300;
/// What a server says that wants somebody else, or more, before it takes any mail (RFC 4954 §6).
const LOGIN: [&str; 4] = ["525", "530", "534", "535"];
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

pub(super) fn send(row: &AlertRow, mail: &MailRow, message: &Message) -> Result<(), Trouble> {
    let written = write(row, mail, message)?;
    let transport = transport(mail)?;
    transport.send(&written).map(drop).map_err(|error| {
        let is_login = error.status().is_some_and(|code| LOGIN.contains(&code.to_string().as_str()));
        let what = trouble(mail, &error);
        // Whether it was the mailbox or what stands in the mail is not told apart: another one may be taken.
        if error.is_permanent() && !is_login { Trouble::Message(what) } else { Trouble::Sink(what) }
    })
}

fn transport(mail: &MailRow) -> Result<SmtpTransport, Trouble> {
    let tls = || {
        let trusted = trust::certificates().into_iter().filter_map(|der| Certificate::from_der(der).ok());
        let builder = TlsParameters::builder(mail.host.clone());
        trusted.fold(builder, |builder, certificate| builder.add_root_certificate(certificate)).build_rustls()
    };
    let failed = |error: SmtpError| Trouble::Sink(format!("{}:{}: {}", mail.host, mail.port, escaped(&chain(&error))));
    let tls = match mail.tls.as_str() {
        "tls" => Tls::Wrapper(tls().map_err(failed)?),
        "starttls" => Tls::Required(tls().map_err(failed)?),
        _ => Tls::None,
    };
    let name = std::fs::read_to_string(HOSTNAME).unwrap_or_default().trim().to_owned();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let hello = if is_name { ClientId::Domain(name) } else { ClientId::default() };
    let mut builder =
        SmtpTransport::builder_dangerous(&mail.host).port(mail.port).tls(tls).hello_name(hello).timeout(Some(TIMEOUT));
    if let Some(user) = &mail.user {
        let file = mail.password_file.as_deref().unwrap_or_default();
        let password = secret::read(Path::new(file)).map_err(|error| Trouble::Sink(chain(&error)))?;
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// The whole mail; mailers show what was fired and its end as one conversation.
fn write(row: &AlertRow, mail: &MailRow, message: &Message) -> Result<Mail, Trouble> {
    let address = |text: &str| {
        text.parse::<Address>()
            .map_err(|error| Trouble::Sink(format!("`{text}` is no mailbox ({error}): correct it in the site")))
    };
    let (from, to) = (address(&mail.from)?, address(&mail.to)?);
    let id = |name: &str| format!("<{name}@{}>", from.domain());
    let words = words(row, message);
    let at = u64::try_from(message.at).unwrap_or_default();
    let mut builder = Mail::builder()
        .from(Mailbox::new(Some("pxelator".to_owned()), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
        .message_id(Some(id(&message.name())))
        .subject(words.subject)
        // RFC 3834: no vacation answers this.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    if message.state == Told::Resolved {
        let fired = id(&format!("{}.{}", message.alert.id, Told::Fired.name()));
        builder = builder.in_reply_to(fired.clone()).references(fired);
    }
    let envelope = Envelope::new(Some(from), vec![to]).map_err(|error| Trouble::Sink(error.to_string()))?;
    let whole = builder.envelope(envelope).header(ContentType::TEXT_PLAIN).body(words.body);
    whole.map_err(|error| Trouble::Sink(format!("the mail cannot be written: {error}")))
}

/// What went wrong, and what mends it.
fn trouble(mail: &MailRow, error: &SmtpError) -> String {
    let MailRow { to, from, host, port, .. } = mail;
    let server = format!("{host}:{port}");
    let reason = said(error.source().map(|cause| cause.to_string()).unwrap_or_default());
    let file = mail.password_file.as_deref().unwrap_or_default();
    if let Some(status) = error.status().map(|code| code.to_string()) {
        return match (status.as_str(), &mail.user) {
            ("530" | "550" | "554", None) if reason.to_ascii_lowercase().contains("auth") => {
                format!("{server} wants a user and a password ({status}): name them in the site, user=… password=(secret)…")
            }
            ("530", None) => {
                format!("{server} wants more before it takes mail ({status}, {reason}): name a user in the site, or tls=starttls")
            }
            ("535" | "534" | "525" | "454", Some(user)) => {
                format!(
                    "{server} does not know user `{user}` with this password ({status}): write the right one into {file}; it is read again by itself"
                )
            }
            (_, _) if error.is_transient() => format!("{server} puts the mail off ({status}, {reason})"),
            (_, _) => format!(
                "{server} refuses the mail from {from} to {to} ({status}, {reason}): correct the mailboxes in the site, or let the mail server take it"
            ),
        };
    }
    let io = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let kind = io.map_or(ErrorKind::Other, std::io::Error::kind);
    let tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()).or_else(|| io?.get_ref()?.downcast_ref());
    if let Some(why) = tls.and_then(trust::why) {
        return format!("{server}: {why}");
    }
    if matches!(tls, Some(rustls::Error::InvalidMessage(_))) {
        return format!("{server} does not begin with TLS: write tls=starttls or tls=none, or another port");
    }
    if kind == ErrorKind::ConnectionRefused {
        format!("{server}: nobody listens there: start the mail server, or correct through= in the site")
    } else if error.is_timeout() || matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock) {
        let waits = if mail.tls == "tls" { "" } else { ", and whether it waits for TLS (tls=tls)" };
        format!("{server} does not answer in time: look whether the mail server runs there, whether a firewall is between{waits}")
    } else if matches!(kind, ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) {
        format!("{server} cannot be reached from here: no way leads there now")
    } else if reason.contains("lookup address") {
        format!("{server}: no such name: correct through= in the site, or write an address")
    } else if reason.contains("authentication mechanism") || reason.contains("Authentication") {
        format!("{server} takes no login here: write tls=starttls or tls=tls, or leave user= and password= away")
    } else if reason.contains("STARTTLS") {
        format!("{server} cannot begin TLS: write tls=none, or another port")
    } else {
        format!("{server}: {}", said(chain(error)))
    }
}

fn causes<'e>(error: &'e SmtpError) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// A word of the server: one line of ours, and not longer than one.
fn said(text: String) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let kept = text.floor_char_boundary(SAID_BYTES_MAX);
    let cut = if kept < text.len() { " …" } else { "" };
    escaped(text.get(..kept).unwrap_or_default()) + cut
}

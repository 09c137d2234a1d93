//! What is watched, and who is told.

use std::collections::BTreeMap;
use std::fmt;

use super::{At, Caller, Domain, Host, Site, UrlError, place};
use crate::source::Span;

/// How many hosts all checks of a site ask together: each is a row, and a question.
pub const ASKED_MAX: usize = 200_000;
/// How long a mailbox may be (RFC 5321 §4.5.3.1.3), in bytes.
const MAILBOX_BYTES_MAX: usize = 254;
/// How long a URL or a page may be, in bytes.
const URL_BYTES_MAX: usize = 2000;
/// What stands in mailboxes beside letters and digits (RFC 5322, `atext`).
const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";

/// One `check` line.
#[derive(Debug)]
pub struct Check {
    pub ask: At<Ask>,
    pub on: Vec<At<Caller>>,
    pub every_secs: u64,
    pub fails: u32,
    pub span: Span,
}

/// How a host is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    Ping,
    Tcp(u16),
    /// On the host itself: the port, and the page from its slash on.
    Page(u16, String),
    Url(WebUrl),
    Dns(Domain),
}

/// `http://HOST[:PORT][/PAGE]`, or https.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebUrl {
    pub is_tls: bool,
    /// A name or an address, as it is written.
    pub host: String,
    text: String,
}

/// All `alerts` nodes together.
#[derive(Debug)]
pub struct Alerts {
    /// In the order of the source.
    pub mails: Vec<Mail>,
    pub webhooks: Vec<Webhook>,
    pub span: Span,
}

#[derive(Debug)]
pub struct Mail {
    pub to: At<Mailbox>,
    pub through: At<MailServer>,
    pub from: Option<At<Mailbox>>,
    pub user: Option<At<String>>,
    /// The name of a secret.
    pub password: Option<At<String>>,
    pub tls: Tls,
    pub span: Span,
}

#[derive(Debug)]
pub struct Webhook {
    pub url: At<WebUrl>,
    /// The name of a secret.
    pub token: Option<At<String>>,
    pub span: Span,
}

/// `NAME@DOMAIN`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mailbox(String);

/// Where mail is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    None,
    /// Begun in the conversation.
    Starttls,
    /// From the first byte.
    Whole,
}

impl fmt::Display for Ask {
    /// As a person calls it: `ping`, `tcp 22`, `http /status`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Ping => f.write_str("ping"),
            Ask::Tcp(port) => write!(f, "tcp {port}"),
            Ask::Page(80, path) => write!(f, "http {path}"),
            Ask::Page(port, path) => write!(f, "http :{port}{path}"),
            Ask::Url(url) => write!(f, "http {}", url.as_str()),
            Ask::Dns(name) => write!(f, "dns {name}"),
        }
    }
}

impl Ask {
    /// `/status`, `:8080/status`, or a whole URL.
    pub(super) fn page(text: &str) -> Result<Ask, UrlError> {
        if !text.starts_with(['/', ':']) {
            return WebUrl::parse(text).map(Ask::Url);
        }
        let at = text.find('/').ok_or(UrlError::Path)?;
        let (port, path) = text.split_at_checked(at).ok_or(UrlError::Path)?;
        let port = match port.strip_prefix(':') {
            Some(digits) => port_of(digits).ok_or(UrlError::Port)?,
            None => 80,
        };
        if is_path(path) { Ok(Ask::Page(port, path.to_owned())) } else { Err(UrlError::Path) }
    }
}

impl WebUrl {
    pub fn parse(text: &str) -> Result<WebUrl, UrlError> {
        let place = place(text)?;
        let is_sound = place.path.is_empty() || is_path(&format!("/{}", place.path));
        if !is_sound || text.len() > URL_BYTES_MAX {
            return Err(UrlError::Path);
        }
        Ok(WebUrl { is_tls: place.is_tls, host: place.host.to_owned(), text: text.to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Visible ASCII from a slash on. What follows `#` never goes over the wire.
fn is_path(path: &str) -> bool {
    path.len() <= URL_BYTES_MAX
        && path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte))
}

fn port_of(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?.filter(|port| *port > 0)
}

impl Mailbox {
    pub(super) fn parse(text: &str) -> Option<Mailbox> {
        let (name, domain) = text.rsplit_once('@')?;
        let known = |c: char| c.is_ascii_alphanumeric() || c == '.' || ATEXT.contains(c);
        let dots = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
        let sound = !name.is_empty() && name.chars().all(known) && dots && text.len() <= MAILBOX_BYTES_MAX;
        Domain::parse(domain).filter(|_| sound).map(|_| Mailbox(text.to_owned()))
    }

    /// Of the site itself.
    pub fn of(domain: &Domain) -> Mailbox {
        Mailbox(format!("pxelator@{domain}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MailServer {
    /// `HOST` or `HOST:PORT`.
    pub(super) fn parse(text: &str) -> Option<MailServer> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, digits)) => (host, port_of(digits)?),
            None => (text, 25),
        };
        let sound = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        sound.then(|| MailServer { host: host.to_owned(), port })
    }
}

impl Tls {
    /// As the schema has it.
    pub fn find(word: &str) -> Option<Tls> {
        [Tls::None, Tls::Starttls, Tls::Whole].into_iter().find(|tls| tls.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Tls::None => "none",
            Tls::Starttls => "starttls",
            Tls::Whole => "tls",
        }
    }

    /// What a port means by custom (RFC 8314).
    pub(super) fn of_port(port: u16) -> Tls {
        match port {
            465 => Tls::Whole,
            587 => Tls::Starttls,
            _ => Tls::None,
        }
    }
}

/// Hosts by what names them, so that many checks do not each walk through all of them.
pub struct Selected<'s> {
    site: &'s Site,
    groups: BTreeMap<&'s str, Vec<usize>>,
    tags: BTreeMap<&'s str, Vec<usize>>,
    networks: BTreeMap<&'s str, Vec<usize>>,
}

impl<'s> Selected<'s> {
    pub fn of(site: &'s Site) -> Selected<'s> {
        let mut all = Selected { site, groups: BTreeMap::new(), tags: BTreeMap::new(), networks: BTreeMap::new() };
        for (at, host) in site.hosts.iter().enumerate() {
            host.groups.iter().for_each(|name| all.groups.entry(name).or_default().push(at));
            host.tags.iter().for_each(|name| all.tags.entry(name).or_default().push(at));
            if let Some(network) = host.network.and_then(|index| site.networks.get(index)) {
                all.networks.entry(&network.name).or_default().push(at);
            }
        }
        all
    }

    /// Those that one selector names, also those without an address; in the order of their names.
    pub fn by(&self, caller: &Caller) -> Vec<&'s Host> {
        let of = |map: &BTreeMap<&str, Vec<usize>>, name: &String| map.get(name.as_str()).cloned().unwrap_or_default();
        let places = match caller {
            Caller::Range(range) => {
                let inside = |host: &&Host| host.address.as_ref().is_some_and(|at| range.contains(at.value));
                return self.site.hosts.iter().filter(inside).collect();
            }
            Caller::Host(name) => return self.site.host(name).into_iter().collect(),
            Caller::Network(name) => of(&self.networks, name),
            Caller::Group(name) => of(&self.groups, name),
            Caller::Tag(name) => of(&self.tags, name),
        };
        places.into_iter().filter_map(|at| self.site.hosts.get(at)).collect()
    }

    /// Does a selector name this host?
    pub fn is_of(&self, host: &Host, caller: &Caller) -> bool {
        match caller {
            Caller::Range(range) => host.address.as_ref().is_some_and(|at| range.contains(at.value)),
            Caller::Host(name) => host.name.as_str() == name,
            Caller::Network(name) => host.network.and_then(|index| self.site.networks.get(index)).is_some_and(|network| network.name == *name),
            Caller::Group(name) => host.groups.contains(name),
            Caller::Tag(name) => host.tags.contains(name),
        }
    }

    /// The hosts that some selectors name, each once, in the order of their names.
    pub fn hosts(&self, on: &[At<Caller>]) -> Vec<&'s Host> {
        let all = on.iter().flat_map(|at| self.by(&at.value));
        let by_place: BTreeMap<(&str, Span), &Host> = all.map(|host| ((host.name.as_str(), host.span), host)).collect();
        by_place.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_path_a_port_and_a_path_or_a_url() {
        let shown = |text| Ask::page(text).map(|ask| ask.to_string());
        assert_eq!(shown("/status").as_deref(), Ok("http /status"));
        assert_eq!(shown(":8080/a?b=1").as_deref(), Ok("http :8080/a?b=1"));
        assert_eq!(shown("https://nas.example:5001/x").as_deref(), Ok("http https://nas.example:5001/x"));
        for (text, error) in [
            ("status", UrlError::Scheme),
            (":0/x", UrlError::Port),
            (":80", UrlError::Path),
            ("/a b", UrlError::Path),
            ("/a\r\nHost: x", UrlError::Path),
            ("http://u:p@nas/", UrlError::Password),
            ("http:///x", UrlError::Host),
            ("http://nas/#x", UrlError::Path),
        ] {
            assert_eq!(Ask::page(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_mailbox_holds_nothing_that_ends_a_header() {
        assert!(["admin@lab.example", "a.b+c@localhost"].iter().all(|text| Mailbox::parse(text).is_some()));
        for text in [
            "admin",
            "@lab.example",
            "a b@lab.example",
            "a@lab\r\nBcc: x",
            "a..b@lab.example",
            "ä@lab.example",
            "a@b, c@d",
            "<a@b>",
        ] {
            assert_eq!(Mailbox::parse(text), None, "{text}");
        }
        assert_eq!(MailServer::parse("mail.lab.example").map(|server| server.port), Some(25));
        assert_eq!(["10.0.0.1:0", ":25", "a b:25", "10.0.0.1:x"].map(|text| MailServer::parse(text).is_some()), [false; 4]);
    }
}

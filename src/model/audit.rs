//! What happens: how long it is kept, and who gets it.

use super::At;
use crate::source::Span;

/// All `audit` nodes together.
#[derive(Debug)]
pub struct Audit {
    /// How long what happened is kept, where the site says so.
    pub keep_secs: Option<u64>,
    /// In the order of the source.
    pub sinks: Vec<Couch>,
    pub span: Span,
}

/// A CouchDB.
#[derive(Debug)]
pub struct Couch {
    pub url: At<CouchUrl>,
    pub user: Option<At<String>>,
    /// The name of a secret.
    pub password: Option<At<String>>,
    pub span: Span,
}

/// `http://HOST[:PORT]/DATABASE`, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouchUrl {
    pub is_tls: bool,
    /// A name or an address, as it is written.
    pub host: String,
    text: String,
}

/// What a URL of a database is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    Scheme,
    /// A password would stand in `out/`.
    Password,
    Host,
    Port,
    Database,
    Path,
}

impl CouchUrl {
    pub fn parse(text: &str) -> Result<CouchUrl, UrlError> {
        let Place { is_tls, host, path: database } = place(text)?;
        // CouchDB's own rule for names; a path before it is a proxy's.
        let database = database.strip_suffix('/').unwrap_or(database);
        let sound = |part: &str| {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '$' | '(' | ')' | '+' | '-');
            part.starts_with(|c: char| c.is_ascii_lowercase()) && part.chars().all(known)
        };
        if !database.split('/').all(sound) {
            return Err(UrlError::Database);
        }
        Ok(CouchUrl { is_tls, host: host.to_owned(), text: text.strip_suffix('/').unwrap_or(text).to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn port(&self) -> u16 {
        let place = self.text.split('/').nth(2).unwrap_or_default();
        let said = place.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        said.unwrap_or(if self.is_tls { 443 } else { 80 })
    }
}

/// A URL up to its path.
pub(super) struct Place<'t> {
    pub(super) is_tls: bool,
    pub(super) host: &'t str,
    /// What follows the slash behind the machine.
    pub(super) path: &'t str,
}

/// Where a URL leads; its path is for others to judge.
pub(super) fn place(text: &str) -> Result<Place<'_>, UrlError> {
    let (is_tls, rest) = match text.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        Some(_) | None => return Err(UrlError::Scheme),
    };
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    if place.contains('@') {
        return Err(UrlError::Password);
    }
    let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if host.is_empty() || !host.chars().all(plain) {
        return Err(UrlError::Host);
    }
    if port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().unwrap_or(0) == 0) {
        return Err(UrlError::Port);
    }
    Ok(Place { is_tls, host, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_that_of_a_database() {
        let url = CouchUrl::parse("http://10.77.0.51:5984/audit/").unwrap();
        assert_eq!((url.is_tls, url.host.as_str(), url.as_str()), (false, "10.77.0.51", "http://10.77.0.51:5984/audit"));
        assert!(CouchUrl::parse("https://couch.example/db/audit").unwrap().is_tls);
        for (text, error) in [
            ("10.77.0.51:5984/audit", UrlError::Scheme),
            ("ftp://a/audit", UrlError::Scheme),
            ("http://u:p@a/audit", UrlError::Password),
            ("http:///audit", UrlError::Host),
            ("http://a b/audit", UrlError::Host),
            ("http://a:x/audit", UrlError::Port),
            ("http://a:99999/audit", UrlError::Port),
            ("http://a:0/audit", UrlError::Port),
            ("http://a:5984", UrlError::Database),
            ("http://a/_users", UrlError::Database),
            ("http://a/Audit", UrlError::Database),
            ("http://a/audit?x", UrlError::Database),
        ] {
            assert_eq!(CouchUrl::parse(text), Err(error), "{text}");
        }
    }
}

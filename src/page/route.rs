//! What is asked for, out of a path and its query.

use std::collections::BTreeMap;

/// The longest value of a query, in bytes; what is longer is nobody's question.
const VALUE_BYTES_MAX: usize = 512;
/// Pages of results that can be leafed through; further back a narrower time helps.
pub(super) const PAGES_MAX: usize = 200;

/// Values of a form, by name.
pub(super) type Query = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Overview,
    Host(String),
    Find(Query),
    Audit(Query),
    Alerts,
    Generations,
    /// By its number in the store.
    Generation(u64),
    Trends(Query),
    /// The picture of a series, `KIND/NAME`.
    Graph(String, Query),
    Style,
    Script,
    Icon,
    Events,
    Health,
    Missing,
}

impl Route {
    pub(super) fn parse(path: &str, query: Option<&str>) -> Route {
        let form = || form(query.unwrap_or_default());
        let rest = |prefix: &str| path.strip_prefix(prefix).and_then(decoded).filter(|rest| !rest.is_empty());
        match path {
            "/" => Route::Overview,
            "/find" => Route::Find(form()),
            "/audit" => Route::Audit(form()),
            "/alerts" => Route::Alerts,
            "/generations" => Route::Generations,
            "/trends" => Route::Trends(form()),
            "/style.css" => Route::Style,
            "/live.js" => Route::Script,
            "/icon.svg" => Route::Icon,
            "/events" => Route::Events,
            "/healthz" => Route::Health,
            _ => {
                let host = rest("/host/").map(Route::Host);
                let generation = || Some(Route::Generation(rest("/generation/")?.parse().ok()?));
                let graph = || Some(Route::Graph(rest("/trend/")?.strip_suffix(".svg")?.to_owned(), form()));
                host.or_else(generation).or_else(graph).unwrap_or(Route::Missing)
            }
        }
    }
}

/// `a=1&b=two+words`; empty values are left out, and of several of one name the last one counts.
fn form(query: &str) -> Query {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let read = |(name, value): (&str, &str)| Some((decoded(name)?, decoded(&value.replace('+', " "))?.trim().to_owned()));
    pairs.filter_map(read).filter(|(_, value)| !value.is_empty() && value.len() <= VALUE_BYTES_MAX).collect()
}

/// Percent signs undone (RFC 3986 §2.1); `None` where that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits =
                std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A value as it may stand in a query or as a part of a path.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => all.push(char::from(byte)),
            _ => all.push_str(&format!("%{byte:02X}")),
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_forms_are_read_and_nonsense_is_missing() {
        assert_eq!(Route::parse("/host/kiosk-01", None), Route::Host("kiosk-01".into()));
        assert_eq!(Route::parse("/host/%3Cb%3E", None), Route::Host("<b>".into()));
        assert_eq!(Route::parse("/generation/12", None), Route::Generation(12));
        assert_eq!(
            Route::parse("/trend/ping/kiosk-01.svg", Some("span=week")),
            Route::Graph("ping/kiosk-01".into(), form("span=week"))
        );
        for path in [
            "/host/",
            "/host/%ff",
            "/host/%+1",
            "/host/%4",
            "/generation/x",
            "/generation/-1",
            "/trend/a",
            "/../etc/passwd",
            "",
            "//",
        ] {
            assert_eq!(Route::parse(path, None), Route::Missing, "{path}");
        }
        let long = format!("grep={}&host=a", "x".repeat(VALUE_BYTES_MAX + 1));
        assert_eq!(form(&long), Query::from([("host".into(), "a".into())]));
        assert_eq!(form("grep=a+b%26c&host=&x"), Query::from([("grep".into(), "a b&c".into())]));
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let odd = "a b&c=<é>/%?#\"";
        assert_eq!(decoded(&encoded(odd)).as_deref(), Some(odd));
        assert!(encoded(odd).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%-_.~".contains(&byte)));
    }
}

//! HTTP's digest authentication as AMT asks for it (RFC 2617: MD5, qop `auth`): challenge text → answer text.
//!
//! **Invariant:** the password leaves this file only within a hash.

use md5::{Digest, Md5};

/// What a device said with 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    /// The nonce that we used ran out; the password is not in question.
    pub(super) stale: bool,
}

/// Whose password it is.
pub(super) struct Account<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

/// One request under a challenge.
pub(super) struct Use<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    /// How often the nonce was used, this time counted.
    pub(super) count: u32,
    pub(super) cnonce: &'a str,
}

impl Challenge {
    /// The first challenge that we can answer; the error says what is asked for instead.
    pub(super) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Result<Challenge, String> {
        let mut other = "no authentication that HTTP names".to_owned();
        for header in headers {
            match Challenge::read_one(header) {
                Ok(challenge) => return Ok(challenge),
                Err(what) => other = what,
            }
        }
        Err(other)
    }

    fn read_one(header: &str) -> Result<Challenge, String> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(format!("`{scheme}` authentication"));
        }
        let all = parameters(rest);
        let get = |name: &str| all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let (Some(realm), Some(nonce)) = (get("realm"), get("nonce")) else {
            return Err("`Digest` authentication without realm or nonce".into());
        };
        if let Some(algorithm) = get("algorithm").filter(|name| !name.eq_ignore_ascii_case("md5")) {
            return Err(format!("`Digest` authentication with {algorithm}"));
        }
        if !get("qop").is_some_and(|qop| qop.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth"))) {
            return Err("`Digest` authentication without qop `auth`".into());
        }
        let stale = get("stale").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        Ok(Challenge { realm, nonce, opaque: get("opaque"), stale })
    }

    /// The `Authorization` of a request. Every value that the RFC lets us quote is quoted: AMT's firmware
    /// reads no others.
    pub(super) fn answer(&self, account: &Account, used: &Use) -> String {
        let secret = md5(&format!("{}:{}:{}", account.user, self.realm, account.password));
        let request = md5(&format!("{}:{}", used.method, used.uri));
        let count = format!("{:08x}", used.count);
        let response = md5(&format!("{secret}:{}:{count}:{}:auth:{request}", self.nonce, used.cnonce));
        let quoted = [
            ("username", account.user),
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", used.uri),
            ("response", &response),
            ("algorithm", "MD5"),
            ("qop", "auth"),
            ("cnonce", used.cnonce),
        ];
        let opaque = self.opaque.iter().map(|opaque| ("opaque", opaque.as_str()));
        let quoted = quoted.into_iter().chain(opaque).map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        format!("Digest {}, nc={count}", quoted.collect::<Vec<_>>().join(", "))
    }
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A quoted string of HTTP (RFC 9110 §5.6.4); line ends, which no header may hold, go.
fn escaped(value: &str) -> String {
    let one = |c: char| match c {
        '"' | '\\' => vec!['\\', c],
        c if c.is_control() => vec![],
        c => vec![c],
    };
    value.chars().flat_map(one).collect()
}

/// `name="value"` and `name=value`, with commas between; commas and backslashes in quotes count as written.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, left) = value(after.trim_start());
        all.push((name.trim().to_owned(), value));
        rest = left.trim_start_matches([' ', ',', '\t']);
    }
    all
}

/// A value, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_once(',').unwrap_or((text, ""));
        return (word.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut all = quoted.char_indices();
    while let Some((at, c)) = all.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or("")),
            '\\' => value.extend(all.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617 §3.5, whose response was computed by others.
    #[test]
    fn the_example_of_the_rfc() {
        let header = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let challenge = Challenge::read([header].into_iter()).unwrap();
        let account = Account { user: "Mufasa", password: "Circle Of Life" };
        let used = Use { method: "GET", uri: "/dir/index.html", count: 1, cnonce: "0a4f113b" };
        let answer = challenge.answer(&account, &used);
        assert!(answer.contains(r#"response="6629fae49393a05397450978507c4ef1""#), "{answer}");
        assert!(answer.ends_with(r#"opaque="5ccc069c403ebaf9f0171e9517f40e41", nc=00000001"#), "{answer}");
    }

    #[test]
    fn quotes_hide_commas_and_other_schemes_are_named() {
        let read = |headers: &[&str]| Challenge::read(headers.iter().copied());
        let amt = read(&["Basic realm=\"x\"", r#"Digest realm="Digest:A4, \"B\"",nonce="n",stale="true",qop="auth""#]).unwrap();
        assert_eq!(amt, Challenge { realm: "Digest:A4, \"B\"".into(), nonce: "n".into(), opaque: None, stale: true });
        assert_eq!(read(&["Negotiate"]), Err("`Negotiate` authentication".into()));
        assert_eq!(read(&[r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth""#]), Err("`Digest` authentication with SHA-256".into()));
        assert_eq!(read(&[r#"Digest realm="r", nonce="n""#]), Err("`Digest` authentication without qop `auth`".into()));
        assert_eq!(read(&[]), Err("no authentication that HTTP names".into()));
        assert!(read(&["Digest realm=\"never ends"]).is_err());
    }
}

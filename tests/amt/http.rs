//! The device's HTTP: requests off a socket, answers in chunks as AMT sends them, and digest authentication
//! that takes nothing on trust.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};

use md5::{Digest, Md5};

/// What came in.
pub(super) struct Request {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// The next request of a connection; none where the peer is gone.
pub(super) fn request(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut next = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let line = next()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = next()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Request { line, headers, body: String::from_utf8(body).ok()? })
}

/// An answer in chunks.
pub(super) fn answer(stream: &mut impl Write, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nServer: Intel(R) Active Management Technology 11.8.50\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    )?;
    for part in body.as_bytes().chunks(300) {
        write!(stream, "{:x}\r\n", part.len())?;
        stream.write_all(part)?;
        write!(stream, "\r\n")?;
    }
    write!(stream, "0\r\n\r\n")?;
    stream.flush()
}

/// Who may ask, and which nonces were given out.
pub(super) struct Door {
    pub(super) user: &'static str,
    pub(super) password: String,
    pub(super) realm: String,
    /// How often a nonce may be used.
    pub(super) uses_max: u32,
    /// Nonce → its last count.
    nonces: BTreeMap<String, u32>,
    given: u32,
}

impl Door {
    pub(super) fn new(password: &str, uses_max: u32) -> Door {
        let realm = "Digest:A4070000000000000000000000000000".to_owned();
        Door { user: "admin", password: password.to_owned(), realm, uses_max, nonces: BTreeMap::new(), given: 0 }
    }

    /// The header of a 401, with a nonce that was never given before.
    pub(super) fn challenge(&mut self, stale: bool) -> String {
        self.given += 1;
        let nonce = hash(&format!("nonce {} {}", self.given, self.password));
        self.nonces.insert(nonce.clone(), 0);
        format!("WWW-Authenticate: Digest realm=\"{}\", nonce=\"{nonce}\",stale=\"{stale}\",qop=\"auth\"\r\n", self.realm)
    }

    /// Lets in whoever proves to know the password, for this request and no other; else says why not.
    pub(super) fn check(&mut self, header: &str) -> Result<(), &'static str> {
        let all = parameters(header.strip_prefix("Digest ").ok_or("no digest")?)?;
        let get = |name: &str| all.get(name).cloned().ok_or("a parameter is missing");
        let (nonce, count, cnonce) = (get("nonce")?, get("nc")?, get("cnonce")?);
        if get("username")? != self.user || get("realm")? != self.realm || get("uri")? != "/wsman" || get("qop")? != "auth" {
            return Err("another user, realm, uri or qop");
        }
        if cnonce.is_empty() || count.len() != 8 {
            return Err("no cnonce, or a count of other than eight digits");
        }
        let number = u32::from_str_radix(&count, 16).map_err(|_| "no count")?;
        let secret = hash(&format!("{}:{}:{}", self.user, self.realm, self.password));
        let request = hash("POST:/wsman");
        if get("response")? != hash(&format!("{secret}:{nonce}:{count}:{cnonce}:auth:{request}")) {
            return Err("wrong password");
        }
        let last = self.nonces.get_mut(&nonce).ok_or("stale")?;
        if number != *last + 1 {
            return Err("a count that was used, or that leaves one out");
        }
        if number > self.uses_max {
            return Err("stale");
        }
        *last = number;
        Ok(())
    }
}

/// AMT reads quoted values alone, but for the count; whether qop and algorithm are quoted it does not mind.
fn parameters(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let mut all = BTreeMap::new();
    for part in text.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or("a parameter without value")?;
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = match (name, quoted) {
            ("nc", None) | ("qop" | "algorithm", None) => value,
            ("nc", Some(_)) => return Err("the count is quoted"),
            (_, Some(value)) => value,
            (_, None) => return Err("a parameter is not quoted"),
        };
        if all.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err("a parameter stands twice");
        }
    }
    Ok(all)
}

fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! HTTP: menus, iPXE scripts and pinned assets, with ranges (RFC 9110 §14).

use std::net::Ipv4Addr;
use std::ops::Range;

use super::{Content, asked, file, mac_of, menu, menu_name, plain_path};
use crate::event::Event;
use crate::out::table::Tables;

/// The parts of a request that matter.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query, as sent.
    pub target: &'a str,
    pub range: Option<&'a str>,
    pub if_range: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub peer: Ipv4Addr,
}

/// What to send.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// The content and the bytes of it; `None` sends headers alone.
    pub body: Option<(Content, Range<u64>)>,
    pub event: Event,
}

pub fn answer(request: &Request<'_>, tables: &Tables) -> Answer {
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode(path).map(|path| plain_path(&path)).unwrap_or_default();
    let found = resolve(&path, request.peer, tables);
    let event = asked(request.peer, "http", &path, found.is_some());
    let plain = |status: u16, text: &str| {
        let body = Content::Bytes(format!("{text}\n").into_bytes());
        let whole = 0..body.len();
        let headers = vec![("content-type", "text/plain; charset=utf-8".into()), ("content-length", body.len().to_string())];
        Answer { status, headers, body: (request.method != "HEAD").then_some((body, whole)), event: event.clone() }
    };
    if !matches!(request.method, "GET" | "HEAD") {
        let mut answer = plain(405, "this server only sends: use GET or HEAD");
        answer.headers.push(("allow", "GET, HEAD".into()));
        return answer;
    }
    let Some(content) = found else { return plain(404, "no such file in this generation") };
    send(request, content, event)
}

fn resolve(path: &str, peer: Ipv4Addr, tables: &Tables) -> Option<Content> {
    match path.strip_prefix("ipxe/") {
        Some(name) => menu(tables, menu_name(tables, Some(&mac_of(name)?), Some(peer)), "ipxe"),
        None => file(tables, path),
    }
}

fn send(request: &Request<'_>, content: Content, event: Event) -> Answer {
    let (kind, tag) = match &content {
        Content::Bytes(bytes) => ("text/plain; charset=utf-8", blake3::hash(bytes).to_hex().to_string()),
        Content::Asset(row) => ("application/octet-stream", row.blake3.clone()),
    };
    let tag = format!("\"{tag}\"");
    let size = content.len();
    let mut headers = vec![("content-type", kind.to_owned()), ("accept-ranges", "bytes".into()), ("etag", tag.clone())];
    let known = |list: &str| list.split(',').any(|one| matches!(one.trim().trim_start_matches("W/"), one if one == tag || one == "*"));
    if request.if_none_match.is_some_and(known) {
        return Answer { status: 304, headers, body: None, event };
    }
    // RFC 9110 §14.2: a range means something for GET alone.
    let same = request.method == "GET" && request.if_range.is_none_or(|one| one == tag);
    let (status, range) = match request.range.filter(|_| same).and_then(|range| byte_range(range, size)) {
        None => (200, 0..size),
        Some(Some(range)) => {
            headers.push(("content-range", format!("bytes {}-{}/{size}", range.start, range.end - 1)));
            (206, range)
        }
        Some(None) => {
            headers.push(("content-range", format!("bytes */{size}")));
            headers.push(("content-length", "0".into()));
            return Answer { status: 416, headers, body: None, event };
        }
    };
    headers.push(("content-length", (range.end - range.start).to_string()));
    Answer { status, headers, body: (request.method == "GET").then_some((content, range)), event }
}

/// `None`: no single byte range, so it is ignored. `Some(None)`: one that cannot be satisfied.
#[expect(clippy::option_option, reason = "ignored and refused are two things")]
fn byte_range(header: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let range = match (first.trim(), last.trim()) {
        ("", "") => return None,
        ("", suffix) => size.saturating_sub(suffix.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size),
    };
    let written_backwards = !first.trim().is_empty() && !last.trim().is_empty() && first.trim().parse::<u64>().ok()? > last.trim().parse::<u64>().ok()?;
    if written_backwards {
        return None;
    }
    Some((range.start < range.end && range.start < size).then_some(range))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_rfc() {
        assert_eq!(byte_range("bytes=0-3", 10), Some(Some(0..4)));
        assert_eq!(byte_range("bytes=8-", 10), Some(Some(8..10)));
        assert_eq!(byte_range("bytes=-3", 10), Some(Some(7..10)));
        assert_eq!(byte_range("bytes=-30", 10), Some(Some(0..10)));
        assert_eq!(byte_range("bytes=5-100", 10), Some(Some(5..10)));
        assert_eq!(byte_range("bytes=10-", 10), Some(None));
        assert_eq!(byte_range("bytes=-0", 10), Some(None));
        assert_eq!(byte_range("bytes=3-1", 10), None);
        assert_eq!(byte_range("bytes=0-1,4-5", 10), None);
        assert_eq!(byte_range("lines=0-1", 10), None);
        assert_eq!(byte_range("bytes=0-18446744073709551615", 10), Some(Some(0..10)));
    }

    #[test]
    fn paths_are_decoded() {
        assert_eq!(percent_decode("/a%3Ab").as_deref(), Some("/a:b"));
        assert_eq!(percent_decode("/%f"), None);
        assert_eq!(percent_decode("/%ff"), None);
    }
}

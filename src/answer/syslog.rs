//! Syslog over UDP: the bytes of a datagram → what was logged, by whom (RFC 5424, RFC 3164, and what devices really send).
//!
//! ```text
//!  <PRI>1 TIME NAME APP PID ID DATA TEXT      RFC 5424: rsyslog, logger
//!  <PRI>TIME [NAME] APP[PID]: TEXT            RFC 3164: busybox, dnsmasq, switches
//!  anything else                              all of it is text, from user.notice (RFC 3164 §4.3.3)
//! ```
//! The name and the time in a line are whatever its sender says; the host is known by the address, and
//! the time is ours. The parts are kept all the same.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::event::{Event, Line};

/// How much of a line's text is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 8 << 10;
/// The longest name, program, process id or time that is taken for one, in bytes (RFC 5424 §6).
const WORD_BYTES_MAX: usize = 255;
/// `user.notice`: what a line without priority has (RFC 3164 §4.3.3).
const PRIORITY: usize = 13;
const PRIORITY_MAX: usize = 191;

/// RFC 5424 §6.2.1, by number.
#[rustfmt::skip]
pub const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
pub const SEVERITIES: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// What a datagram says. `whole` is its length where the buffer has not all of it.
pub fn answer(datagram: &[u8], whole: usize, peer: Ipv4Addr, host: Option<&str>) -> Event {
    let missing = whole.saturating_sub(datagram.len());
    // Many senders end a line with a newline or a NUL.
    let last = datagram.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace());
    let ended = last.and_then(|last| datagram.get(..=last)).unwrap_or_default();
    let all = text_of(if missing > 0 { datagram } else { ended });
    let (priority, rest) = priority(&all);
    let mut line = Line {
        source: peer,
        host: host.map(str::to_owned),
        facility: name(FACILITIES, priority >> 3),
        severity: name(SEVERITIES, priority & 7),
        app: None,
        pid: None,
        named: None,
        stamp: None,
        data: None,
        text: String::new(),
        cut: missing,
    };
    let text = rest.strip_prefix("1 ").and_then(|rest| modern(rest, &mut line)).unwrap_or_else(|| classic(rest, &mut line));
    let kept = text.floor_char_boundary(TEXT_BYTES_MAX);
    line.cut += text.len() - kept;
    line.text = text.get(..kept).unwrap_or_default().to_owned();
    Event::LineLogged(line)
}

fn name(names: &[&'static str], at: usize) -> Cow<'static, str> {
    names.get(at).copied().unwrap_or_default().into()
}

/// The bytes as text; those that are no UTF-8 as `\xff`, so that none is lost.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text.into()
}

/// `<13>` and what follows; without one the whole line.
fn priority(text: &str) -> (usize, &str) {
    let read = || {
        let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
        let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: usize = digits.parse().ok().filter(|number| plain && *number <= PRIORITY_MAX)?;
        Some((number, rest))
    };
    read().unwrap_or((PRIORITY, text))
}

/// RFC 5424 behind its version; `None` where it is something else that begins with `1`.
fn modern<'t>(rest: &'t str, line: &mut Line) -> Option<&'t str> {
    let mut words = rest.splitn(6, ' ');
    let mut word = || words.next().filter(|word| !word.is_empty() && word.len() <= WORD_BYTES_MAX);
    let (stamp, named, app, pid, id) = (word()?, word()?, word()?, word()?, word()?);
    if stamp != "-" && !is_rfc3339(stamp) {
        return None;
    }
    let rest = words.next()?;
    let (data, text) = match rest.strip_prefix('-') {
        Some(text) => ("-", text),
        None => rest.split_at_checked(structured(rest)?)?,
    };
    let said = |word: &str| (word != "-").then(|| word.to_owned());
    (line.stamp, line.named, line.app, line.pid) = (said(stamp), said(named), said(app), said(pid));
    line.data = match (id, data) {
        ("-", "-") => None,
        (id, data) => Some(format!("{id} {data}")),
    };
    let text = text.strip_prefix(' ').unwrap_or(text);
    Some(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The length of `[id name="value"]…`; a bracket in quotes, or behind a backslash, is none (RFC 5424 §6.3.3).
fn structured(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut inside, mut bytes) = (false, false, false, text.bytes().enumerate().peekable());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if inside => quoted = !quoted,
            b'[' if !inside => inside = true,
            b']' if inside && !quoted => {
                inside = false;
                if !matches!(bytes.peek(), Some((_, b'['))) {
                    return Some(at + 1);
                }
            }
            _ if !inside => return None,
            _ => {}
        }
    }
    None
}

/// RFC 3164 and its kin: each part is taken where it is there.
fn classic<'t>(rest: &'t str, line: &mut Line) -> &'t str {
    let Some((stamp, after)) = stamp(rest) else { return tagged(rest, line).unwrap_or(rest) };
    line.stamp = Some(stamp.to_owned());
    // busybox sends no name, so the first word may be the program.
    if let Some(text) = tagged(after, line) {
        return text;
    }
    match after.split_once(' ') {
        Some((word, text)) if !word.is_empty() && word.len() <= WORD_BYTES_MAX => {
            line.named = Some(word.to_owned());
            tagged(text, line).unwrap_or(text)
        }
        _ => after,
    }
}

/// `app: text` or `app[pid]: text`.
fn tagged<'t>(text: &'t str, line: &mut Line) -> Option<&'t str> {
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '['))?;
    let (app, rest) = text.split_at_checked(end)?;
    if app.is_empty() || app.len() > WORD_BYTES_MAX {
        return None;
    }
    let (pid, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(pid, rest)| (Some(pid), rest))?,
        None => (None, rest),
    };
    let text = rest.strip_prefix(':')?;
    // `http://…` and `::1` are no programs.
    let plain = pid.is_none_or(|pid| pid.len() <= WORD_BYTES_MAX && !pid.contains(char::is_whitespace));
    if !plain || !(text.is_empty() || text.starts_with(char::is_whitespace)) {
        return None;
    }
    (line.app, line.pid) = (Some(app.to_owned()), pid.filter(|pid| !pid.is_empty()).map(str::to_owned));
    Some(text.strip_prefix(' ').unwrap_or(text))
}

/// The time at the beginning and what follows it: `Nov 25 07:30:00`, with a year as Cisco writes it, or RFC 3339.
fn stamp(text: &str) -> Option<(&str, &str)> {
    let first = text.split(' ').next().unwrap_or_default();
    if is_rfc3339(first) {
        let after = text.get(first.len()..)?;
        return Some((first, after.strip_prefix(' ').unwrap_or(after)));
    }
    const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let rest = MONTHS.iter().find_map(|month| text.strip_prefix(month)?.strip_prefix(' '))?;
    let rest = after_number(rest.strip_prefix(' ').unwrap_or(rest), 1..=2)?.strip_prefix(' ')?;
    let rest = after_number(rest, 4..=4).and_then(|rest| rest.strip_prefix(' ')).unwrap_or(rest);
    let rest = after_number(rest, 2..=2)?.strip_prefix(':')?;
    let rest = after_number(rest, 2..=2)?.strip_prefix(':')?;
    let rest = after_number(rest, 2..=2)?;
    let rest = rest.strip_prefix('.').and_then(|rest| after_number(rest, 1..=9)).unwrap_or(rest);
    let stamp = text.get(..text.len() - rest.len())?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    (rest.is_empty() || rest.starts_with(' ')).then(|| (stamp, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// What follows so many digits.
fn after_number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    digits.contains(&count).then(|| text.get(count..)).flatten()
}

/// `2026-11-25T07:30:00.123+01:00`
fn is_rfc3339(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        0..19 => byte.is_ascii_digit(),
        _ => byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z'),
    };
    (20..=35).contains(&text.len()) && text.bytes().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(datagram: &[u8]) -> Line {
        let event = answer(datagram, datagram.len(), Ipv4Addr::LOCALHOST, None);
        if let Event::LineLogged(line) = event { line } else { panic!("{event:?}") }
    }

    #[test]
    fn lines_of_the_world_are_understood() {
        // Facility, severity, named, app, pid, text.
        #[rustfmt::skip]
        let lines = [
            ("<13>1 2026-11-25T07:30:00.5+01:00 pc-07 root - - [timeQuality tzKnown=\"1\"] hello", "user notice pc-07 root - hello"),
            ("<165>1 2026-11-25T07:30:00Z sw evntslog 12 ID47 [a b=\"]\\\"\"][c] \u{feff}text", "local4 notice sw evntslog 12 text"),
            ("<34>1 - - - - - - ", "auth crit - - - "),
            ("<30>Nov 25 07:30:00 dnsmasq-dhcp[812]: DHCPACK(eth0) 10.0.0.9", "daemon info - dnsmasq-dhcp 812 DHCPACK(eth0) 10.0.0.9"),
            ("<13>Nov  5 07:30:00 root: from busybox\n", "user notice - root - from busybox"),
            ("<38>Nov 25 07:30:00 kiosk-01 sshd[77]: Accepted", "auth info kiosk-01 sshd 77 Accepted"),
            ("<46>2026-11-25T07:30:00.123456+01:00 kiosk-01 rsyslogd: start", "syslog info kiosk-01 rsyslogd - start"),
            ("<30>Nov 25 07:30:00 boot systemd-logind[1]: New session.\0", "daemon info boot systemd-logind 1 New session."),
            ("<6>[    1.2] usb 1-1: new device", "kern info - - - [    1.2] usb 1-1: new device"),
            ("<189>Nov 25 2026 07:30:00.123: %LINK-3-UPDOWN: up", "local7 notice - %LINK-3-UPDOWN - up"),
            ("no priority: at all", "user notice - - - no priority: at all"),
            ("<192>too high", "user notice - - - <192>too high"),
            ("<13>http://a: b", "user notice - - - http://a: b"),
            ("<13>1 not a stamp x y z", "user notice - - - 1 not a stamp x y z"),
            ("<13>1 - a b c d [open \"] x", "user notice - - - 1 - a b c d [open \"] x"),
            ("", "user notice - - - "),
        ];
        for (datagram, expected) in lines {
            let line = read(datagram.as_bytes());
            let or = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".into());
            let got = format!(
                "{} {} {} {} {} {}",
                line.facility,
                line.severity,
                or(&line.named),
                or(&line.app),
                or(&line.pid),
                line.text
            );
            assert_eq!(got, expected, "{datagram:?}");
        }
    }

    #[test]
    fn no_byte_is_lost_and_what_is_cut_is_counted() {
        assert_eq!(read(b"<13>a\xffb\x1b[2J\ttab").text, "a\\xffb\u{1b}[2J\ttab");
        let long = read(&[b"<13>".as_slice(), "é".repeat(TEXT_BYTES_MAX).as_bytes()].concat());
        assert_eq!((long.text.len(), long.cut), (TEXT_BYTES_MAX, TEXT_BYTES_MAX));
        let event = answer(b"<13>abc", 20, Ipv4Addr::LOCALHOST, None);
        assert!(matches!(event, Event::LineLogged(Line { cut: 13, .. })));
    }

    #[test]
    fn any_bytes_are_a_line() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let pieces: &[&[u8]] = &[b"<13>", b"1 ", b"- ", b"[", b"]", b"\"", b"\\", b"Nov 25 07:30:00 ", b"\xff", b"\0", b": ", "é".as_bytes()];
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..state % 12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match pieces.get((state >> 33) as usize % (pieces.len() * 2)) {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => bytes.push((state >> 40) as u8),
                }
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            read(&bytes);
        }
    }
}

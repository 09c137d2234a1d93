//! TFTP and HTTP: which name means which file, and how it is sent.

use std::net::Ipv4Addr;

use pxelator::answer::{Content, http, tftp};

use super::tables;

// ── TFTP ──────────────────────────────────────────────────────────────────────────────────

fn tftp_get(name: &str, options: &str) -> Option<tftp::Answer> {
    let packet = format!("\0\x01{name}\0octet\0{options}");
    tftp::answer(packet.as_bytes(), Ipv4Addr::new(10, 0, 0, 100), &tables())
}

fn tftp_text(name: &str) -> String {
    match tftp_get(name, "") {
        Some(tftp::Answer::Transfer { content: Content::Bytes(bytes), .. }) => String::from_utf8(bytes).unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn pxelinux_finds_its_menu_by_mac_then_by_address_then_by_default() {
    assert!(tftp_text("pxelinux.cfg/01-52-54-00-00-00-09").contains("LABEL office"));
    assert!(tftp_text("//pxelinux.cfg/01-52-54-00-00-00-09").contains("LABEL office"));
    assert!(tftp_text("pxelinux.cfg/0A000009").contains("LABEL office"));
    assert!(tftp_text("pxelinux.cfg/0A000064").contains("LABEL rescue"), "the pool's profile");
    assert!(tftp_text("pxelinux.cfg/default").contains("LABEL rescue"), "the pool's profile, by the client's address");
    for name in [
        "pxelinux.cfg/01-52-54-00-00-00-99",
        "pxelinux.cfg/0A0000",
        "pxelinux.cfg/",
        "../etc/passwd",
        "/etc/passwd",
        "assets.lock",
    ] {
        assert!(matches!(tftp_get(name, ""), Some(tftp::Answer::Error { code: tftp::Code::NotFound, .. })), "{name}");
    }
}

#[test]
fn only_known_options_are_accepted() {
    let Some(tftp::Answer::Transfer { options, content, .. }) =
        tftp_get("debian-12/vmlinuz", "tsize\x000\x00blksize\x009000\x00windowsize\x004\x00timeout\x003\x00multicast\x00\x00")
    else {
        panic!()
    };
    assert_eq!(content.len(), 14_000_000);
    let accepted: Vec<(&str, u64)> = options.accepted.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(accepted, [("tsize", 14_000_000), ("blksize", 1468), ("windowsize", 4), ("timeout", 3)]);
    let Some(tftp::Answer::Transfer { options, .. }) =
        tftp_get("debian-12/vmlinuz", "blksize\x001\0windowsize\x000\0timeout\x00x\0")
    else {
        panic!()
    };
    assert_eq!((options.block_bytes, options.window, options.accepted.len()), (512, 1, 0));
}

#[test]
fn writing_is_refused_and_noise_ignored() {
    let put = tftp::answer(b"\0\x02x\0octet\0", Ipv4Addr::LOCALHOST, &tables());
    assert!(matches!(put, Some(tftp::Answer::Error { code: tftp::Code::AccessViolation, .. })));
    for noise in [&b""[..], b"\0", b"\0\x04\0\0", b"\0\x01", b"\0\x01name", b"\0\x01name\0", b"\0\x01\xff\xff\0octet\0"] {
        assert!(!matches!(tftp::answer(noise, Ipv4Addr::LOCALHOST, &tables()), Some(tftp::Answer::Transfer { .. })), "{noise:?}");
    }
}

// ── HTTP ──────────────────────────────────────────────────────────────────────────────────

fn http_get(target: &str, peer: [u8; 4]) -> http::Answer {
    let request = http::Request { method: "GET", target, range: None, if_range: None, if_none_match: None, peer: peer.into() };
    http::answer(&request, &tables())
}

#[test]
fn ipxe_gets_its_script_by_mac_and_else_by_address() {
    let text = |target: &str, peer| match http_get(target, peer).body {
        Some((Content::Bytes(bytes), _)) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(text("/ipxe/52-54-00-00-00-09", [10, 0, 0, 9]).contains("kernel /debian-12/vmlinuz"));
    assert!(text("/ipxe/52%3A54%3A00%3A00%3A00%3A09?x=1", [10, 0, 0, 9]).contains("kernel /debian-12/vmlinuz"));
    assert!(text("/ipxe/52-54-00-00-00-77", [10, 0, 0, 100]).contains("kernel /rescue/vmlinuz"), "the pool's profile");
    assert!(text("/ipxe/52-54-00-00-00-77", [192, 0, 2, 1]).contains("exit"), "the default menu");
    for target in ["/ipxe/x", "/../etc/passwd", "/assets.lock", "/%2e%2e/x", "/", "/menus/", "/menus/../hosts.jsonl"] {
        assert_eq!(http_get(target, [10, 0, 0, 9]).status, 404, "{target}");
    }
}

//! ufw: what it lets through, and what it keeps out.

use super::{Made, joined, pair, sh};

/// What ufw's own file calls them.
const DIRECTIONS: &[(&str, &str)] = &[("incoming", "INPUT"), ("outgoing", "OUTPUT"), ("routed", "FORWARD")];
const POLICIES: &[(&str, &str)] = &[("allow", "ACCEPT"), ("deny", "DROP"), ("reject", "REJECT")];

/// Applies that shut a door: not where a line that opens one is left to a person.
pub(in crate::howto) const SHUTS: &[&str] =
    &["ufw --force enable", "ufw deny ", "ufw reject ", "ufw default deny ", "ufw default reject "];

/// `ufw show added` repeats the rules as commands, whether or not the firewall is on.
pub(super) fn read(program: &str, args: &[&str]) -> Made {
    if program != "ufw" {
        return Made::Unknown;
    }
    let told = Made::Told(String::new());
    let (words, comment) = match args {
        [words @ .., "comment", text] if is_comment(text) => (words, format!(" comment '{text}'")),
        words => (words, String::new()),
    };
    let shown: Vec<String> = match words {
        ["status", ..] | ["show", ..] | ["app", "list"] => return Made::Nothing,
        ["--force", "enable"] => {
            let check = "held=$(LC_ALL=C ufw status) || exit 2\ncase $held in\n\"Status: active\"*) exit 0 ;;\n\"Status: inactive\"*) exit 1 ;;\nesac\nexit 2";
            return Made::Steps(pair(check, "ufw --force enable"));
        }
        ["default", policy, direction] => return default(policy, direction).unwrap_or(told),
        ["default", policy] => return default(policy, "incoming").unwrap_or(told),
        [verb @ ("allow" | "deny" | "limit" | "reject"), what] => match *what {
            // Lists of services differ in whether these have UDP too.
            "ssh" => shown(verb, &["22/tcp", "22"]),
            "http" => shown(verb, &["80/tcp", "80"]),
            "https" => shown(verb, &["443/tcp", "443"]),
            what if is_port(what) => shown(verb, &[what]),
            what if is_profile(what) && what.contains(' ') => shown(verb, &[&format!("'{what}'"), what]),
            what if is_profile(what) => shown(verb, &[what]),
            _ => return told,
        },
        [verb @ ("allow" | "deny" | "limit" | "reject"), rest @ ..] if is_long(rest) => shown(verb, &[&rest.join(" ")]),
        _ => return told,
    };
    let patterns: String = shown.iter().map(|line| format!(" -e {}", sh(&format!("{line}{comment}")))).collect();
    let check = format!("held=$(LC_ALL=C ufw show added) || exit 2\nprintf '%s\\n' \"$held\" | grep -qxF{patterns}");
    Made::Steps(pair(check, format!("ufw {}", joined(args))))
}

/// `from NETWORK to any port N`, `in on INTERFACE to any port N`, each with or without a protocol.
fn is_long(words: &[&str]) -> bool {
    let is_interface =
        |word: &str| !word.is_empty() && word.len() <= 15 && word.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let rest = match words {
        ["from", from, rest @ ..] if is_network(from) => rest,
        ["in", "on", interface, rest @ ..] if is_interface(interface) => rest,
        _ => return false,
    };
    matches!(rest, ["to", "any", "port", port] if is_port(port) && !port.contains('/'))
        || matches!(rest, ["to", "any", "port", port, "proto", "tcp" | "udp"] if is_port(port) && !port.contains('/'))
}

/// ufw keeps it in a file, and shows it only while it is active.
fn default(policy: &str, direction: &str) -> Option<Made> {
    let of = |names: &[(&str, &'static str)], word: &str| names.iter().find(|(name, _)| *name == word).map(|(_, own)| *own);
    let (own, chain) = (of(POLICIES, policy)?, of(DIRECTIONS, direction)?);
    let check = format!(
        "held=$(grep '^DEFAULT_{chain}_POLICY=' /etc/default/ufw) || exit 2\ntest \"$held\" = 'DEFAULT_{chain}_POLICY=\"{own}\"'"
    );
    Some(Made::Steps(pair(check, format!("ufw default {policy} {direction}"))))
}

fn shown(verb: &str, forms: &[&str]) -> Vec<String> {
    forms.iter().map(|form| format!("ufw {verb} {form}")).collect()
}

/// ufw takes no `'` in one, and shows it between two.
fn is_comment(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || matches!(c, '\'' | '"'))
}

/// `22`, `22/tcp`, `6000:6007/tcp`.
fn is_port(text: &str) -> bool {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    matches!(protocol, "tcp" | "udp") && ports.split(':').count() <= 2 && ports.split(':').all(|port| port.parse::<u16>().is_ok())
}

/// A profile is named with a capital; a service of /etc/services is not.
fn is_profile(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '-')
}

/// `10.0.0.0/8` with nothing behind the mask, since ufw would show it otherwise than it is written.
fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return text.parse::<std::net::Ipv4Addr>().is_ok() };
    let (Ok(address), Ok(bits)) = (address.parse::<std::net::Ipv4Addr>(), bits.parse::<u32>()) else { return false };
    (1..32).contains(&bits) && address.to_bits().trailing_zeros() >= 32 - bits
}

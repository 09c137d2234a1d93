//! Packages: what apt brings.

use super::{Made, flags};
use crate::howto::Step;

/// Flags that say how apt talks, not what it does.
const QUIET: &[&str] =
    &["-y", "--yes", "--assume-yes", "-q", "-qq", "--quiet", "--no-install-recommends", "-yq", "-qy", "-yqq", "-qqy"];

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    if !matches!(program, "apt" | "apt-get" | "aptitude") {
        return Made::Unknown;
    }
    let Some((flags, words)) = flags(args, &[]) else { return Made::Unknown };
    let known = flags.iter().all(|(flag, value)| QUIET.contains(flag) && value.is_empty());
    match words.split_first() {
        // Whoever installs a package reads the lists first.
        Some((&"update", [])) if known => Made::Nothing,
        Some((&"install", names)) if known && !names.is_empty() && names.iter().all(|name| is_package(name)) => {
            Made::Steps(vec![Step::Package(names.iter().map(|name| (*name).to_owned()).collect())])
        }
        Some((&("upgrade" | "full-upgrade" | "dist-upgrade" | "autoremove" | "remove" | "purge"), _)) => {
            Made::Told(String::new())
        }
        _ => Made::Unknown,
    }
}

/// A plain name, without a version, an architecture or a path.
fn is_package(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    // `NAME-` removes, `NAME+` installs.
    let ends = !name.ends_with(['-', '+']) || name.ends_with("++");
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) && ends
}

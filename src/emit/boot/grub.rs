//! GRUB 2 configuration; paths begin at the root of the server from which GRUB came.

use super::{Action, MenuView};
use crate::out::Lines;

pub(super) fn menu(menu: &MenuView) -> Lines {
    let mut lines = Lines::default();
    // By number: GRUB would read a name of digits as one.
    let default = menu.entries.iter().position(|entry| entry.id == menu.default).unwrap_or(0);
    lines.line(&menu.origins, format_args!("set default={default}"));
    lines.line(&menu.origins, format_args!("set timeout={}", menu.timeout_secs));
    for entry in &menu.entries {
        let from = &entry.origins;
        lines.line(from, format_args!("menuentry {} --id {} {{", quote(&entry.label), entry.id));
        match &entry.action {
            Action::Local => lines.line(from, "  exit"),
            Action::Chain(path) => lines.line(from, format_args!("  chainloader /{path}")),
            Action::Linux { kernel, initrds, cmdline } => {
                let words: Vec<String> = cmdline.split(' ').filter(|word| !word.is_empty()).map(quote).collect();
                lines.line(from, format_args!("  linux /{kernel} {}", words.join(" ")).to_string().trim_end());
                if !initrds.is_empty() {
                    let paths: Vec<String> = initrds.iter().map(|path| format!("/{path}")).collect();
                    lines.line(from, format_args!("  initrd {}", paths.join(" ")));
                }
            }
        }
        lines.line(from, "}");
    }
    lines
}

/// GRUB reads `$ ; { } " \` and more as syntax; single quotes keep everything but themselves.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

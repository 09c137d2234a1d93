//! iPXE scripts. Paths begin with a slash: iPXE resolves them against the script's own server.

use super::{Action, EntryView, MenuView};
use crate::out::Lines;

pub(super) fn menu(menu: &MenuView) -> Lines {
    let mut lines = Lines::default();
    let top = &menu.origins;
    lines.line(top, "#!ipxe");
    if let [only] = menu.entries.as_slice() {
        action(only, &mut lines);
        return lines;
    }
    lines.line(top, format_args!("menu {}", menu.title));
    for entry in &menu.entries {
        lines.line(&entry.origins, format_args!("item {} {}", entry.id, entry.label));
    }
    // Milliseconds; 0 would wait for ever.
    let wait = menu.timeout_secs.saturating_mul(1000).max(1);
    lines.line(top, format_args!("choose --default {} --timeout {wait} target && goto ${{target}} || goto {}", menu.default, menu.default));
    for entry in &menu.entries {
        lines.line(&entry.origins, format_args!(":{}", entry.id));
        action(entry, &mut lines);
    }
    lines
}

fn action(entry: &EntryView, lines: &mut Lines) {
    let from = &entry.origins;
    match &entry.action {
        // A BIOS goes on with its next boot device when iPXE ends; 0 says that nothing failed.
        Action::Local => lines.line(from, "exit 0"),
        Action::Chain(path) => lines.line(from, format_args!("chain /{path}")),
        Action::Linux { kernel, initrds, cmdline } => {
            // A UEFI kernel finds its initrds by these names, which `initrd=` repeats.
            let names: Vec<String> = (0..initrds.len()).map(|at| format!("initrd{at}.img")).collect();
            let words: Vec<String> = names.iter().map(|name| format!("initrd={name}")).collect();
            let parts = [format!("kernel /{kernel}"), words.join(" "), cmdline.clone()];
            let line: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            lines.line(from, line.join(" "));
            for (name, initrd) in names.iter().zip(initrds) {
                lines.line(from, format_args!("initrd --name {name} /{initrd}"));
            }
            lines.line(from, "boot");
        }
    }
}

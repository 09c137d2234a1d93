//! pxelinux: `pxelinux.cfg/…`, paths below the folder of `pxelinux.0`.

use super::{Action, MenuView};
use crate::out::Lines;

pub(super) fn menu(menu: &MenuView) -> Lines {
    let mut lines = Lines::default();
    let top = &menu.origins;
    lines.line(top, format_args!("DEFAULT {}", menu.default));
    // 0 would wait for ever, and the unit is a tenth of a second.
    let tenths = menu.timeout_secs.saturating_mul(10);
    if menu.entries.len() > 1 && menu.has_menu_modules {
        lines.line(top, "UI menu.c32");
        lines.line(top, format_args!("MENU TITLE {}", menu.title));
        lines.line(top, format_args!("TIMEOUT {}", tenths.max(1)));
    } else if menu.entries.len() > 1 {
        lines.line(top, "PROMPT 1");
        lines.line(top, format_args!("TIMEOUT {}", tenths.max(1)));
        for entry in &menu.entries {
            lines.line(&entry.origins, format_args!("SAY {} - {}", entry.id, entry.label));
        }
    } else {
        lines.line(top, "PROMPT 0");
        lines.line(top, "TIMEOUT 1");
    }
    for entry in &menu.entries {
        let from = &entry.origins;
        lines.line(from, format_args!("LABEL {}", entry.id));
        lines.line(from, format_args!("  MENU LABEL {}", entry.label));
        match &entry.action {
            Action::Local => lines.line(from, "  LOCALBOOT 0"),
            Action::Chain(path) => lines.line(from, format_args!("  KERNEL {path}")),
            Action::Linux { kernel, initrds, cmdline } => {
                lines.line(from, format_args!("  LINUX {kernel}"));
                if !initrds.is_empty() {
                    lines.line(from, format_args!("  INITRD {}", initrds.join(",")));
                }
                if !cmdline.is_empty() {
                    lines.line(from, format_args!("  APPEND {cmdline}"));
                }
            }
        }
    }
    lines
}

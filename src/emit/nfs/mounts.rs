//! `nfs/*.mount`: a systemd unit for each host's union of its upper folder and its base.

use super::RootView;
use crate::model::union_options;
use crate::out::Lines;

/// The unit's file name and its lines; a host that mounts a base itself needs none.
pub(super) fn emit(root: &RootView<'_>) -> Option<(String, Lines)> {
    let (row, overlay) = (&root.row, root.row.overlay.as_ref()?);
    let union = root.overlay?.union;
    let mut lines = Lines::default();
    let mut line = |text: String| lines.line(&root.origins, text);
    line("[Unit]".into());
    line(format!("Description=Root of {}: overlay {} over {}", row.host, overlay.name, row.base));
    line("Before=nfs-server.service nfs-ganesha.service".into());
    // `pxelator storage apply` makes it, with the files that the site declares.
    line(format!("ConditionPathIsDirectory={}/upper", overlay.upper));
    line(String::new());
    line("[Mount]".into());
    line(format!("What=pxelator-{}", row.host));
    line(format!("Where={}", row.export));
    line(format!("Type={}", if overlay.union == "aufs" { "aufs" } else { "overlay" }));
    // What a machine makes there acts in the machine, and not on the server.
    line(format!("Options=nosuid,nodev,noexec,{}", union_options(union, &row.lower, &overlay.upper)));
    line(String::new());
    line("[Install]".into());
    line("WantedBy=multi-user.target".into());
    Some((unit_name(&row.export), lines))
}

/// The name that systemd wants for a mount unit: its path, escaped (systemd.unit(5)).
pub(in crate::emit) fn unit_name(path: &str) -> String {
    let mut name = String::new();
    for (at, c) in path.trim_matches('/').chars().enumerate() {
        match c {
            '/' => name.push('-'),
            '.' if at == 0 => name.push_str("\\x2e"),
            c if c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.') => name.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| name.push_str(&format!("\\x{byte:02x}"))),
        }
    }
    name + ".mount"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named_as_systemd_escapes_paths() {
        assert_eq!(unit_name("/srv/nfs/root/kiosk-01"), "srv-nfs-root-kiosk\\x2d01.mount");
        assert_eq!(unit_name("/.srv/a_b.c"), "\\x2esrv-a_b.c.mount");
    }
}

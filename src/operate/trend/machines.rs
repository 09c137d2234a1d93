//! Virtual machines and containers on this server: what their control groups tell.
//!
//! systemd puts every machine that libvirt, systemd-nspawn or a unit of ours starts into `machine.slice`
//! (systemd's "Control Group APIs and Delegation"); version 2 of control groups counts for the whole scope.

use std::path::Path;

/// Where control groups are mounted.
pub(super) const ROOT: &str = "/sys/fs/cgroup";
const SLICE: &str = "machine.slice";
/// How many machines are measured.
const MACHINES_MAX: usize = 1000;

/// What a machine used. Counters grow from its start on.
#[derive(Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) name: String,
    pub(super) cpu_micros: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) read_bytes: Option<f64>,
    pub(super) written_bytes: Option<f64>,
}

/// All machines that run now; none where nothing of this kind is mounted.
pub(super) fn running(root: &Path) -> Vec<Usage> {
    let entries = std::fs::read_dir(root.join(SLICE)).into_iter().flatten().flatten();
    let machines = entries.filter_map(|entry| {
        let name = machine(entry.file_name().to_str()?)?;
        let text = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
        let io = text("io.stat");
        let all =
            |word: &str| io.as_deref().map(|io| io.split_whitespace().filter_map(|pair| number(pair.strip_prefix(word)?)).sum());
        Some(Usage {
            name,
            cpu_micros: text("cpu.stat").and_then(|stat| number(stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?)),
            memory_bytes: text("memory.current").and_then(|bytes| number(&bytes)),
            read_bytes: all("rbytes="),
            written_bytes: all("wbytes="),
        })
    });
    machines.take(MACHINES_MAX).collect()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<u64>().ok().map(|number| number as f64)
}

/// The machine of a unit: `machine-qemu\x2d3\x2dmail.scope`, `machine-web.scope`, `systemd-nspawn@web.service`,
/// `pxelator-vm@mail.service`.
fn machine(unit: &str) -> Option<String> {
    let instance = ["systemd-nspawn@", "pxelator-vm@"]
        .into_iter()
        .find_map(|template| unit.strip_prefix(template)?.strip_suffix(".service"));
    let scope = || unit.strip_prefix("machine-")?.strip_suffix(".scope");
    let name = unescaped(instance.or_else(scope)?);
    // libvirt's number of a domain is another one after each start.
    let numbered = ["qemu-", "lxc-"].into_iter().find_map(|driver| name.strip_prefix(driver)?.split_once('-'));
    match numbered {
        Some((number, name)) if number.parse::<u32>().is_ok() => Some(name.to_owned()),
        Some(_) | None => Some(name),
    }
}

/// `\x2d` is a hyphen in the name of a unit.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).zip(part.get(2..)) {
            Some((byte, rest)) => {
                name.push(char::from(byte));
                name.push_str(rest);
            }
            None => name.push_str(part),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_named_as_who_started_them_names_them() {
        let named = [
            ("machine-qemu\\x2d3\\x2dmail\\x2dold.scope", Some("mail-old")),
            ("machine-lxc\\x2d12\\x2dweb.scope", Some("web")),
            ("machine-web.scope", Some("web")),
            ("machine-qemu\\x2dlike.scope", Some("qemu-like")),
            ("systemd-nspawn@web.service", Some("web")),
            ("pxelator-vm@mail.service", Some("mail")),
            ("machine.slice", None),
            ("ssh.service", None),
        ];
        for (unit, name) in named {
            assert_eq!(machine(unit).as_deref(), name, "{unit}");
        }
    }

    #[test]
    fn a_machine_that_ends_meanwhile_has_no_figures_and_hurts_nobody() {
        let root = std::env::temp_dir().join(format!("cgroups-{}", std::process::id()));
        let scope = root.join(SLICE).join("machine-qemu\\x2d1\\x2dmail.scope");
        std::fs::create_dir_all(&scope).unwrap();
        std::fs::create_dir_all(root.join(SLICE).join("machine-gone.scope")).unwrap();
        std::fs::write(scope.join("cpu.stat"), "usage_usec 1500000\nuser_usec 1\n").unwrap();
        std::fs::write(scope.join("memory.current"), "268435456\n").unwrap();
        std::fs::write(scope.join("io.stat"), "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=1 rios=2\n").unwrap();
        let mut found = running(&root);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let gone = Usage { name: "gone".into(), cpu_micros: None, memory_bytes: None, read_bytes: None, written_bytes: None };
        let mail = Usage {
            name: "mail".into(),
            cpu_micros: Some(1_500_000.0),
            memory_bytes: Some(268_435_456.0),
            read_bytes: Some(15.0),
            written_bytes: Some(21.0),
        };
        assert_eq!(found, [gone, mail]);
        assert_eq!(running(Path::new("/nowhere")), []);
        std::fs::remove_dir_all(&root).unwrap();
    }
}

//! The clock, the name, the firewall, the kernel's settings, what is fetched; what only looks; what a person does.

use super::{Made, absolute, flags, is_name, joined, pair, sh};
use crate::howto::Step;

/// What these do is seen on a screen, and nothing lasts.
const LOOKING: &[&str] = &[
    "cat",
    "clear",
    "date",
    "df",
    "dig",
    "du",
    "exit",
    "file",
    "free",
    "getent",
    "groups",
    "head",
    "host",
    "hostname",
    "id",
    "ip",
    "journalctl",
    "less",
    "logout",
    "ls",
    "lsblk",
    "netstat",
    "nslookup",
    "ping",
    "ps",
    "pwd",
    "showmount",
    "smbclient",
    "ss",
    "stat",
    "tail",
    "testparm",
    "uname",
    "uptime",
    "which",
    "whoami",
];
/// Programs that ask or change their screen. One that says where the next lines run, or as whom (`ssh`, `su`,
/// `sftp`, `virsh`), is not known: what follows it is not for this machine.
const ASKING: &[&str] = &[
    "alsamixer",
    "cfdisk",
    "chage",
    "crontab",
    "dpkg-reconfigure",
    "ed",
    "edit",
    "editor",
    "emacs",
    "fdisk",
    "gedit",
    "halt",
    "mcedit",
    "mysql_secure_installation",
    "nano",
    "nmtui",
    "parted",
    "pico",
    "poweroff",
    "reboot",
    "scp",
    "select-editor",
    "shutdown",
    "ssh-copy-id",
    "ssh-keygen",
    "sudoedit",
    "tasksel",
    "vi",
    "vim",
];
const EDITORS: &[&str] = &["ed", "edit", "editor", "emacs", "gedit", "mcedit", "nano", "pico", "sudoedit", "vi", "vim"];
/// They read again what files say.
const AGAIN: &[&str] = &[
    "exportfs -a",
    "exportfs -r",
    "exportfs -ra",
    "exportfs -rav",
    "exportfs -arv",
    "newaliases",
    "postfix reload",
    "sysctl --system",
    "sysctl -p",
    "udevadm control --reload",
    "udevadm control --reload-rules",
    "update-grub",
    "update-initramfs -u",
];

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    let line = [&[program], args].concat().join(" ");
    if AGAIN.contains(&line.as_str()) {
        return Made::Again(line);
    }
    let made = match program {
        "timedatectl" => clock(args),
        "hostnamectl" => name(args),
        "sysctl" => sysctl(args),
        "git" => clone(args),
        "wget" | "curl" => fetched(program, args),
        // Setting a name that lasts is hostnamectl's.
        "hostname" if !args.is_empty() && !args.iter().all(|arg| arg.starts_with('-')) => None,
        // Setting an address is not looking.
        "ip" if !args
            .iter()
            .all(|arg| matches!(*arg, "a" | "addr" | "r" | "route" | "link" | "l" | "show" | "-br" | "-4" | "-6" | "neigh")) =>
        {
            None
        }
        "date" if !args.iter().all(|arg| arg.starts_with('+') || *arg == "-u") => None,
        "journalctl" if args.iter().any(|arg| arg.starts_with("--vacuum") || *arg == "--rotate") => None,
        "echo" | "printf" => Some(Made::Nothing),
        _ if LOOKING.contains(&program) => Some(Made::Nothing),
        _ if EDITORS.contains(&program) => Some(edited(args)),
        _ if ASKING.contains(&program) => Some(Made::Told(String::new())),
        _ => None,
    };
    made.unwrap_or(Made::Unknown)
}

fn edited(args: &[&str]) -> Made {
    match args.iter().rev().find(|arg| !arg.starts_with(['-', '+'])) {
        Some(path) => Made::Told(format!("Edit the file {path}.")),
        None => Made::Told(String::new()),
    }
}

fn clock(args: &[&str]) -> Option<Made> {
    let (property, wanted) = match args {
        [] | ["status" | "show" | "list-timezones" | "timesync-status"] => return Some(Made::Nothing),
        ["set-timezone", zone] if zone.split('/').all(is_name) => ("Timezone", *zone),
        ["set-ntp", "true" | "yes" | "on" | "1"] => ("NTP", "yes"),
        ["set-ntp", "false" | "no" | "off" | "0"] => ("NTP", "no"),
        _ => return Some(Made::Told(String::new())),
    };
    let check = format!(
        "held=$(timedatectl show --property={property} --value) || exit 2\ntest -n \"$held\" || exit 2\ntest \"$held\" = {wanted}"
    );
    Some(Made::Steps(pair(check, format!("timedatectl {}", joined(args)))))
}

fn name(args: &[&str]) -> Option<Made> {
    let name = match args {
        [] | ["status"] => return Some(Made::Nothing),
        ["set-hostname" | "hostname", name] if is_name(name) => name,
        _ => return Some(Made::Told(String::new())),
    };
    let check = format!("held=$(hostnamectl --static) || exit 2\ntest \"$held\" = {name}");
    Some(Made::Steps(pair(check, format!("hostnamectl {}", joined(args)))))
}

fn sysctl(args: &[&str]) -> Option<Made> {
    let settings = args.strip_prefix(&["-w"])?;
    let key = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
    let pairs: Option<Vec<(&str, &str)>> =
        settings.iter().map(|setting| setting.split_once('=').filter(|(name, _)| key(name))).collect();
    let checks = pairs?.into_iter().map(|(key, value)| {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        // Numbers in a row come back with tabs between them.
        Step::Check(format!("held=$(sysctl -n {key}) || exit 2\nset -f\nset -- $held\ntest \"$*\" = {}", sh(&value)))
    });
    let steps: Vec<Step> = checks.chain([Step::Apply(format!("sysctl {}", joined(args)))]).collect();
    (steps.len() > 1).then_some(Made::Steps(steps))
}

/// Kept is: a repository is there. What it holds today is the author's matter.
fn clone(args: &[&str]) -> Option<Made> {
    let (verb, rest) = args.split_first()?;
    let (flags, words) = flags(rest, &["-b", "--branch", "--depth"])?;
    let sound = flags.iter().all(|(flag, _)| matches!(*flag, "-b" | "--branch" | "--depth" | "-q" | "--quiet" | "--recursive"));
    let [_, folder] = words.as_slice() else { return None };
    let folder = sh(&absolute(folder).filter(|_| *verb == "clone" && sound)?);
    let check = format!("command -v git >/dev/null || exit 2\ntest -e {folder}/.git");
    Some(Made::Steps(pair(check, format!("test -e {folder}/.git || git {}", joined(args)))))
}

/// Flags with the name of the file behind them.
const FETCHED_INTO: &[&str] = &["-o", "-Lo", "-sLo", "-sSLo", "-fsSLo", "-O", "-qO", "--output", "--output-document"];

/// Kept is: the file is there. Nobody but its server knows what it should hold.
fn fetched(program: &str, args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, FETCHED_INTO)?;
    let [_] = words.as_slice() else { return None };
    let (mut path, mut is_plain) = (None, true);
    for (flag, value) in flags {
        match (program, flag) {
            ("curl", "-o" | "-Lo" | "-sLo" | "-sSLo" | "-fsSLo" | "--output") | ("wget", "-O" | "-qO" | "--output-document") => {
                path = Some(value)
            }
            (
                "curl",
                "-fsSL" | "-sSL" | "-L" | "-f" | "-s" | "-S" | "-fsS" | "-fL" | "-sL" | "-sS" | "--fail" | "--location"
                | "--silent",
            ) => {}
            ("wget", "-q" | "--quiet" | "-nv") => {}
            ("curl", "-I" | "--head") => {}
            _ => is_plain = false,
        }
    }
    let Some(path) = path else { return (program == "curl" && is_plain).then_some(Made::Nothing) };
    let path = sh(&absolute(path).filter(|_| is_plain)?);
    let check = format!("command -v {program} >/dev/null || exit 2\ntest -s {path}");
    Some(Made::Steps(pair(check, format!("test -s {path} || {program} {}", joined(args)))))
}

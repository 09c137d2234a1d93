//! Users, groups, and who is in which.

use super::{Made, flags, is_name, joined, pair, sh};
use crate::howto::Step;

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    match program {
        "useradd" => useradd(args),
        "adduser" => adduser(args),
        "groupadd" | "addgroup" => group(program, args),
        "usermod" => usermod(args),
        "gpasswd" => match args {
            ["-a", user, group] if is_name(user) && is_name(group) => Made::Steps(members(user, &[group])),
            _ => Made::Told(String::new()),
        },
        "passwd" | "chpasswd" | "chsh" | "chfn" | "visudo" | "vipw" | "smbpasswd" | "deluser" | "userdel" | "delgroup"
        | "groupdel" => Made::Told(String::new()),
        _ => Made::Unknown,
    }
}

/// `getent` alone tells "there is none" (2) from "I cannot say".
fn known(database: &str, name: &str) -> String {
    format!(
        "code=0\ngetent {database} {} >/dev/null || code=$?\ncase $code in\n0) exit 0 ;;\n2) exit 1 ;;\nesac\nexit 2",
        sh(name)
    )
}

/// A user that is there stays as it is: its shell and home are not compared.
fn made(database: &str, name: &str, apply: &str) -> Vec<Step> {
    pair(known(database, name), format!("getent {database} {} >/dev/null || {apply}", sh(name)))
}

fn useradd(args: &[&str]) -> Made {
    const TAKING: &[&str] =
        &["-c", "--comment", "-d", "--home-dir", "-g", "--gid", "-G", "--groups", "-s", "--shell", "-u", "--uid"];
    const BARE: &[&str] =
        &["-m", "--create-home", "-M", "--no-create-home", "-r", "--system", "-U", "--user-group", "-N", "--no-user-group"];
    let Some((flags, names)) = flags(args, TAKING) else { return Made::Unknown };
    let sound = flags
        .iter()
        .all(|(flag, value)| if value.is_empty() { BARE.contains(flag) || *flag == "-c" } else { TAKING.contains(flag) });
    let [name] = names.as_slice() else { return Made::Unknown };
    if !sound || !is_name(name) {
        return Made::Unknown;
    }
    let mut steps = made("passwd", name, &format!("useradd {}", joined(args)));
    let groups = flags.iter().filter(|(flag, _)| matches!(*flag, "-G" | "--groups")).flat_map(|(_, groups)| groups.split(','));
    let groups: Vec<&str> = groups.collect();
    if !groups.iter().all(|group| is_name(group)) {
        return Made::Unknown;
    }
    if !groups.is_empty() {
        steps.extend(members(name, &groups));
    }
    Made::Steps(steps)
}

/// Debian's `adduser` asks questions unless it is told not to.
fn adduser(args: &[&str]) -> Made {
    const TAKING: &[&str] = &["--gecos", "--comment", "--home", "--shell", "--uid", "--ingroup", "--gid"];
    const BARE: &[&str] = &["--system", "--group", "--disabled-password", "--disabled-login", "--no-create-home", "--quiet"];
    if let [user, group] = args
        && is_name(user)
        && is_name(group)
    {
        return Made::Steps(members(user, &[group]));
    }
    let Some((flags, names)) = flags(args, TAKING) else { return Made::Unknown };
    let sound = flags.iter().all(|(flag, _)| TAKING.contains(flag) || BARE.contains(flag));
    let silent = flags.iter().any(|(flag, _)| *flag == "--system");
    let has = |wanted: &[&str]| flags.iter().any(|(flag, _)| wanted.contains(flag));
    let silent = silent || (has(&["--disabled-password", "--disabled-login"]) && has(&["--gecos", "--comment"]));
    match names.as_slice() {
        [name] if is_name(name) && sound && silent => Made::Steps(made("passwd", name, &format!("adduser {}", joined(args)))),
        [name] if is_name(name) && sound => Made::Told(String::new()),
        _ => Made::Unknown,
    }
}

fn group(program: &str, args: &[&str]) -> Made {
    const TAKING: &[&str] = &["-g", "--gid"];
    const BARE: &[&str] = &["-r", "--system", "-f", "--force"];
    if let ("addgroup", [user, group]) = (program, args)
        && is_name(user)
        && is_name(group)
    {
        return Made::Steps(members(user, &[group]));
    }
    let Some((flags, names)) = flags(args, TAKING) else { return Made::Unknown };
    let sound = flags.iter().all(|(flag, _)| TAKING.contains(flag) || BARE.contains(flag));
    match names.as_slice() {
        [name] if is_name(name) && sound => Made::Steps(made("group", name, &format!("{program} {}", joined(args)))),
        _ => Made::Unknown,
    }
}

fn usermod(args: &[&str]) -> Made {
    let (groups, user) = match args {
        ["-aG" | "-Ga", groups, user] | ["-a", "-G", groups, user] | ["-G", groups, "-a", user] => (groups, user),
        ["--append", "--groups", groups, user] | [user, "-aG", groups] | ["-G", groups, user, "-a"] => (groups, user),
        _ => return Made::Told(String::new()),
    };
    let groups: Vec<&str> = groups.split(',').collect();
    if !is_name(user) || !groups.iter().all(|group| is_name(group)) {
        return Made::Unknown;
    }
    Made::Steps(members(user, &groups))
}

/// `id` exits with 1 where there is no such user, who is in no group then.
fn members(user: &str, groups: &[&str]) -> Vec<Step> {
    let tests: String =
        groups.iter().map(|group| format!("\ncase \" $groups \" in *\" {group} \"*) ;; *) exit 1 ;; esac")).collect();
    let user = sh(user);
    let check = format!(
        "code=0\ngroups=$(id -nG {user} 2>/dev/null) || code=$?\ncase $code in 0) ;; 1) exit 1 ;; *) exit 2 ;; esac{tests}"
    );
    pair(check, format!("usermod -aG {} {user}", sh(&groups.join(","))))
}

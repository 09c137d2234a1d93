//! Services: units that are enabled or running, and sites and modules of Apache.

use super::{Made, is_name, joined, pair, sh};
use crate::howto::Step;

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    match program {
        "systemctl" => systemctl(args),
        "service" => match args {
            [unit, verb @ ("start" | "stop")] if is_name(unit) => Made::Steps(unit_steps(verb, &[unit])),
            [unit, "restart"] if is_name(unit) => Made::Steps(again("restart", &[unit])),
            [unit, "reload" | "force-reload"] if is_name(unit) => Made::Steps(again("reload", &[unit])),
            [unit, "status"] if is_name(unit) => Made::Nothing,
            _ => Made::Unknown,
        },
        "a2ensite" | "a2enmod" | "a2enconf" | "a2dissite" | "a2dismod" | "a2disconf" => apache(program, args),
        "apachectl" | "apache2ctl" => match args {
            ["configtest"] => Made::Nothing,
            ["graceful" | "restart"] => Made::Again(format!("{program} {}", joined(args))),
            _ => Made::Unknown,
        },
        "nginx" => match args {
            ["-t"] => Made::Nothing,
            ["-s", "reload"] => Made::Again("nginx -s reload".to_owned()),
            _ => Made::Unknown,
        },
        "sshd" if args == ["-t"] => Made::Nothing,
        "update-rc.d" => Made::Told(String::new()),
        _ => Made::Unknown,
    }
}

fn systemctl(args: &[&str]) -> Made {
    let now = args.contains(&"--now");
    let words: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--now").collect();
    let Some((verb, units)) = words.split_first() else { return Made::Nothing };
    match *verb {
        "status" | "is-active" | "is-enabled" | "list-units" | "list-timers" | "cat" | "show" => return Made::Nothing,
        "daemon-reload" if units.is_empty() && !now => return Made::Again("systemctl daemon-reload".to_owned()),
        "edit" | "reboot" | "poweroff" | "set-default" => return Made::Told(String::new()),
        _ => {}
    }
    if units.is_empty() || !units.iter().all(|unit| is_name(unit)) {
        return Made::Unknown;
    }
    match *verb {
        "enable" | "disable" if now => {
            let running = if *verb == "enable" { "start" } else { "stop" };
            let steps = units.iter().flat_map(|unit| {
                let apply = Step::Apply(format!("systemctl {verb} --now {}", sh(unit)));
                [Step::Check(enabled(unit, verb)), Step::Check(active(unit, running)), apply]
            });
            Made::Steps(steps.collect())
        }
        "enable" | "disable" | "mask" | "start" | "stop" if !now => Made::Steps(unit_steps(verb, units)),
        "restart" | "reload" | "reload-or-restart" if !now => Made::Steps(again(verb, units)),
        "try-restart" if !now => Made::Again(format!("systemctl try-restart {}", joined(units))),
        _ => Made::Unknown,
    }
}

fn unit_steps(verb: &str, units: &[&str]) -> Vec<Step> {
    let check = |unit: &str| if matches!(verb, "start" | "stop") { active(unit, verb) } else { enabled(unit, verb) };
    units.iter().flat_map(|unit| pair(check(unit), format!("systemctl {verb} {}", sh(unit)))).collect()
}

/// A restart has no state of its own. What can be seen is that the unit runs; and the line is run when
/// something else of its rule was changed. What does not run cannot read again, and is started.
fn again(verb: &str, units: &[&str]) -> Vec<Step> {
    let verb = if verb == "restart" { verb } else { "reload-or-restart" };
    units.iter().flat_map(|unit| pair(active(unit, "start"), format!("systemctl {verb} {}", sh(unit)))).collect()
}

/// `is-enabled` exits with 1 for much: its word decides, which comes last where an init script answers. A unit that
/// is not there is surely not enabled.
fn enabled(unit: &str, verb: &str) -> String {
    let (kept, drift) = match verb {
        "enable" => ("enabled", "disabled | not-found | *\"unit file state\"*\"No such file\"*"),
        "mask" => ("masked", "enabled | disabled | static | indirect"),
        _ => ("disabled | masked | not-found | *\"unit file state\"*\"No such file\"*", "enabled"),
    };
    format!(
        "case $(LC_ALL=C systemctl is-enabled {} 2>&1 | tail -n 1) in\n{kept}) exit 0 ;;\n{drift}) exit 1 ;;\nesac\nexit 2",
        sh(unit)
    )
}

fn active(unit: &str, verb: &str) -> String {
    let (kept, drift) = if verb == "stop" { ("inactive | failed", "active") } else { ("active", "inactive | failed") };
    format!(
        "case $(LC_ALL=C systemctl is-active {} 2>/dev/null) in\n{kept}) exit 0 ;;\n{drift}) exit 1 ;;\nesac\nexit 2",
        sh(unit)
    )
}

/// A site, module or piece of configuration is on while its link is there.
fn apache(program: &str, args: &[&str]) -> Made {
    let names: Vec<&str> = args.iter().map(|name| name.trim_end_matches(".conf")).collect();
    if names.is_empty() || !names.iter().all(|name| is_name(name)) {
        return Made::Unknown;
    }
    let (folder, end) = match program {
        "a2ensite" | "a2dissite" => ("sites-enabled", "conf"),
        "a2enmod" | "a2dismod" => ("mods-enabled", "load"),
        _ => ("conf-enabled", "conf"),
    };
    let is_on = program.starts_with("a2en");
    let check = |name: &&str| {
        let link = sh(&format!("/etc/apache2/{folder}/{name}.{end}"));
        let test = if is_on { format!("test -e {link}") } else { format!("test ! -L {link} && test ! -e {link}") };
        Step::Check(format!("command -v {program} >/dev/null || exit 2\n{test}"))
    };
    let apply = Step::Apply(format!("{program} {}", joined(&names)));
    Made::Steps(names.iter().map(check).chain([apply]).collect())
}

//! A how-to, read, made a module, compiled, and brought about by the script that runs on hosts: twice.

use std::collections::BTreeMap;

use pxelator::compile;
use pxelator::operate::rule::script::{Mode, rules, script};
use pxelator::operate::rule::seen::{Seen, State, seen};
use pxelator::out::table::Tables;
use pxelator::source::Inputs;

use super::golden::made;
use super::sandbox::Sandbox;
use super::scripts::can_run;

/// What a machine has before, and what its packages bring: a script for each, below /var/fake/apt-get.
const MACHINES: &[(&str, &str)] = &[
    (
        "web-server",
        "cat >/var/fake/apt-get/nginx <<'END'
mkdir -p /etc/nginx/sites-available /etc/nginx/sites-enabled
printf 'http {\\n  # server_tokens off;\\n}\\n' >/etc/nginx/nginx.conf
touch /etc/nginx/sites-available/default; ln -s /etc/nginx/sites-available/default /etc/nginx/sites-enabled/default
echo disabled >/var/fake/systemctl/nginx.enabled; echo inactive >/var/fake/systemctl/nginx.active
END",
    ),
    (
        "shares",
        "cat >/var/fake/apt-get/nfs-kernel-server <<'END'
echo '# /etc/exports' >/etc/exports
echo disabled >/var/fake/systemctl/nfs-kernel-server.enabled; echo inactive >/var/fake/systemctl/nfs-kernel-server.active
END
cat >/var/fake/apt-get/samba <<'END'
mkdir /etc/samba; printf '[global]\\n   read only = no\\n' >/etc/samba/smb.conf
for unit in smbd nmbd; do echo enabled >/var/fake/systemctl/$unit.enabled; echo active >/var/fake/systemctl/$unit.active; done
END
groupdel teachers",
    ),
    (
        "time-and-users",
        "echo Etc/UTC >/var/fake/timedatectl/zone; echo no >/var/fake/timedatectl/ntp; echo 60 >/var/fake/sysctl/vm.swappiness
echo '127.0.0.1 localhost' >/etc/hosts; mkdir -p /etc/ssh /etc/sudoers.d /etc/sysctl.d
printf '#PermitRootLogin prohibit-password\\n#PasswordAuthentication yes\\n' >/etc/ssh/sshd_config
for unit in ssh systemd-timesyncd; do echo enabled >/var/fake/systemctl/$unit.enabled; echo inactive >/var/fake/systemctl/$unit.active; done",
    ),
];

fn tables(name: &str) -> Tables {
    let site = format!(
        "site lab domain=\"lab.example\"\nnetwork lan \"10.77.0.0/24\" {{ host pc-01 21 \"a0:36:9f:00:00:15\" }}\n\
         use {name} {{ on \"host:pc-01\" }}\n"
    );
    let mut inputs = Inputs::from([("site.kdl".to_owned(), site.into_bytes())]);
    inputs.extend(made(name).into_iter().map(|(path, bytes)| (format!("modules/{name}/{path}"), bytes)));
    let tree = compile(inputs, "site.kdl").tree.unwrap();
    let files: BTreeMap<String, Vec<u8>> = tree.files().map(|(path, file)| (path.to_owned(), file.bytes().to_vec())).collect();
    Tables::read(&files).unwrap()
}

fn run(sandbox: &Sandbox, tables: &Tables, mode: Mode) -> Vec<Seen> {
    let rules = rules(&tables.rule_hosts[0], tables);
    let script = script(&rules, &tables.rule_texts, mode, false, "0123456789abcdef".to_owned());
    let (code, text) = sandbox.sh(&script.text);
    assert_eq!(code, 0, "{text}");
    seen(&rules, &script.nonce, text.as_bytes())
}

fn all_are(seen: &[Seen], states: &[State]) -> Result<(), String> {
    let others: Vec<_> = seen.iter().filter(|seen| !states.contains(&seen.state)).collect();
    if others.is_empty() && !seen.is_empty() { Ok(()) } else { Err(format!("{others:#?}")) }
}

fn follow(name: &str, prepare: &str) -> Result<(), String> {
    let (sandbox, tables) = (Sandbox::new(), tables(name));
    let (code, text) = sandbox.sh(prepare);
    assert_eq!(code, 0, "{text}");
    let untouched = sandbox.state();
    let planned = run(&sandbox, &tables, Mode::Plan);
    // Unknown is what asks for a package that is not there yet.
    all_are(&planned, &[State::Kept, State::Drift, State::Unknown])?;
    assert!(planned.iter().any(|seen| seen.state == State::Drift), "{planned:#?}");
    assert_eq!(untouched, sandbox.state(), "{name}: looking changes nothing");
    all_are(&run(&sandbox, &tables, Mode::Apply), &[State::Kept, State::Applied])?;
    let first = sandbox.state();
    all_are(&run(&sandbox, &tables, Mode::Plan), &[State::Kept])?;
    all_are(&run(&sandbox, &tables, Mode::Apply), &[State::Kept])?;
    assert_eq!(first, sandbox.state(), "{name}: the second run changes nothing");
    Ok(())
}

#[test]
fn the_second_run_of_a_how_to_changes_nothing() {
    if !can_run() {
        return;
    }
    let wrong: Vec<String> =
        MACHINES.iter().filter_map(|(name, prepare)| Some(format!("{name}: {}", follow(name, prepare).err()?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

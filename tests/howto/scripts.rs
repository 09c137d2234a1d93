//! Every made check and apply, run: a no before, a yes after, nothing new when applied again, and no answer
//! where a program is missing.

use pxelator::howto::{Step, read};

use super::sandbox::Sandbox;
use crate::harness::have;

/// What is there before, and the lines of a how-to.
const CASES: &[(&str, &str)] = &[
    (UNITS, "sudo systemctl enable nginx"),
    (UNITS, "sudo systemctl enable --now nginx smbd"),
    (UNITS, "sudo systemctl disable cups"),
    (UNITS, "sudo systemctl disable --now cups"),
    (UNITS, "sudo systemctl mask cups"),
    (UNITS, "sudo systemctl start nginx"),
    (UNITS, "sudo systemctl stop cups"),
    (UNITS, "sudo systemctl restart nginx smbd"),
    (UNITS, "sudo systemctl reload nginx"),
    (UNITS, "service nginx restart"),
    (UNITS, "service cups stop"),
    ("", "useradd -m -s /bin/bash -G audio,video guest"),
    ("", "useradd -r -s /usr/sbin/nologin service"),
    ("", "groupadd nurses"),
    ("", "addgroup --system nurses"),
    ("", "usermod -aG audio,video anna"),
    ("", "usermod -a -G teachers anna"),
    ("", "adduser anna teachers"),
    ("", "gpasswd -a anna teachers"),
    ("", "adduser --system --group --no-create-home kiosk"),
    ("mkdir /srv/x; chmod 700 /srv/x", "chmod 2775 /srv/x"),
    ("echo hi >/srv/x; chmod 600 /srv/x", "chmod 0644 /srv/x"),
    ("echo hi >/srv/x", "chmod +x /srv/x"),
    ("mkdir -p /srv/x/y; touch /srv/x/y/z; chmod 600 /srv/x/y/z", "chmod -R 755 /srv/x"),
    ("touch '/srv/a b'", "chown www-data:www-data '/srv/a b'"),
    ("touch /srv/a", "chown www-data /srv/a"),
    ("touch /srv/a", "chown www-data.www-data /srv/a"),
    ("touch /srv/a", "chown :teachers /srv/a"),
    ("touch /srv/a", "chgrp teachers /srv/a"),
    ("mkdir -p /srv/x/y; touch /srv/x/y/z", "chown -R www-data:teachers /srv/x"),
    ("mkdir -p /srv/x/y; touch /srv/x/y/z", "chgrp -R teachers /srv/x"),
    ("mkdir -p /srv/x/y; touch /srv/x/y/z", "rm -rf /srv/x"),
    ("echo one >/etc/a.conf", "cp /etc/a.conf /etc/a.conf.bak"),
    ("echo one >/etc/a.conf; echo two >/etc/b.conf", "cp -p /etc/a.conf /etc/b.conf"),
    ("echo one >/opt/tool; mkdir /srv/bin", "cp /opt/tool /srv/bin/"),
    ("echo one >/opt/tool", "install -m 0750 -o www-data -g teachers /opt/tool /srv/tool"),
    ("", "touch /etc/flag"),
    ("echo first >/etc/x", "echo 'it is \"quoted\", with spaces' | sudo tee -a /etc/x"),
    ("", "echo 'made anew' >> /etc/x"),
    ("printf 'no end' >/etc/x", "echo 'line' >> /etc/x"),
    ("printf 'no end' >/etc/x", "printf '[b]\\nkey = 1\\n' | sudo tee -a /etc/x"),
    ("echo '-n first' >/etc/x", "printf -- 'x' >/dev/null; echo 'x -v = y' >> /etc/x"),
    ("printf '[a]\\nkey = 1\\n' >/etc/x", "cat >> /etc/x <<'EOF'\n\n[b]\nkey = 1\nwhat = $HOME 'quoted' * \\n\nEOF"),
    (SSHD, "sed -i 's/^#\\?PermitRootLogin.*/PermitRootLogin no/' /etc/sshd"),
    (SSHD, "sed -i 's/#PasswordAuthentication yes/PasswordAuthentication no/' /etc/sshd"),
    (SSHD, "sed -i -E 's/^#?Port [0-9]+.*$/Port 2222/' /etc/sshd"),
    (SSHD, "sed -i 's|/usr/lib/sftp-server|internal-sftp|g' /etc/sshd"),
    (SSHD, "sed -i 's/^UsePAM yes$/#UsePAM yes/' /etc/sshd"),
    (CLOCK, "timedatectl set-timezone Europe/Zagreb"),
    (CLOCK, "timedatectl set-ntp true"),
    ("", "hostnamectl set-hostname reading-room-3"),
    ("", "ufw allow 22/tcp"),
    ("", "ufw allow ssh"),
    ("", "ufw allow http"),
    ("", "ufw allow OpenSSH"),
    ("", "ufw allow 'Nginx Full'"),
    ("", "ufw allow from 10.77.0.0/24 to any port 445 proto tcp"),
    ("", "ufw allow in on eth0 to any port 22 proto tcp"),
    ("", "ufw allow 8080/tcp comment 'The board'"),
    ("mkdir /etc/default; echo 'DEFAULT_INPUT_POLICY=\"ACCEPT\"' >/etc/default/ufw", "ufw default deny incoming"),
    ("", "ufw --force enable"),
    (APACHE, "a2ensite board.conf"),
    (APACHE, "a2enmod rewrite ssl"),
    (APACHE, "a2enconf house"),
    (APACHE, "a2dissite old"),
    ("echo 60 >/var/fake/sysctl/vm.swappiness", "sysctl -w vm.swappiness=10"),
    ("echo 1 >/var/fake/sysctl/net.ipv4.tcp_rmem", "sysctl -w net.ipv4.tcp_rmem='4096 87380 6291456'"),
    (REPOSITORY, "git clone file:///srv/tools /opt/tools"),
    ("echo picture >/srv/p", "curl -fsSL -o /opt/p file:///srv/p"),
    ("echo picture >/srv/p", "wget -O /opt/p file:///srv/p"),
    ("echo old >/etc/x", "sudo bash -c \"echo 'new' >> /etc/x\""),
];

const UNITS: &str = "cd /var/fake/systemctl
for unit in nginx smbd; do echo disabled >$unit.enabled; echo inactive >$unit.active; done
echo enabled >cups.enabled; echo active >cups.active";
const SSHD: &str = "printf '%s\\n' '#Port 22' '#PermitRootLogin prohibit-password' '#PasswordAuthentication yes' 'UsePAM yes' \
                    'Subsystem sftp /usr/lib/sftp-server' >/etc/sshd";
const CLOCK: &str = "echo Etc/UTC >/var/fake/timedatectl/zone; echo no >/var/fake/timedatectl/ntp";
const APACHE: &str = "mkdir -p /etc/apache2/sites-available /etc/apache2/mods-available /etc/apache2/conf-available /etc/apache2/sites-enabled
cd /etc/apache2; touch sites-available/board.conf sites-available/old.conf mods-available/rewrite.load mods-available/ssl.load conf-available/house.conf
ln -s ../sites-available/old.conf sites-enabled/old.conf";
const REPOSITORY: &str =
    "export HOME=/tmp; git init -q /srv/tools; cd /srv/tools; git config user.email a@b; git config user.name a
echo x >x; git add x; git commit -qm x";

/// The checks and applies that a block becomes.
fn made(block: &str) -> (Vec<String>, Vec<String>) {
    let howto = read(&format!("# Test\n\n## It\n\n```sh\n{block}\n```\n")).unwrap();
    let (mut checks, mut applies) = (Vec::new(), Vec::new());
    for step in howto.rules.into_iter().flat_map(|rule| rule.steps) {
        match step {
            Step::Check(script) => checks.push(script),
            Step::Apply(script) => applies.push(script),
            other => panic!("{block}: {other:?}"),
        }
    }
    (checks, applies)
}

fn problems_of(prepare: &str, block: &str) -> Vec<String> {
    let (checks, applies) = made(block);
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    let mut expect = |when: &str, script: &str, (code, text): (i32, String), good: &dyn Fn(i32) -> bool| {
        if !good(code) {
            wrong.push(format!("{block}\n  {when}: exit {code}: {text}\n  {script}"));
        }
    };
    expect("prepare", prepare, sandbox.sh(prepare), &|code| code == 0);
    let untouched = sandbox.state();
    checks.iter().for_each(|check| expect("before", check, sandbox.sh(check), &|code| code == 1));
    let looked = sandbox.state();
    applies.iter().for_each(|apply| expect("apply", apply, sandbox.sh(apply), &|code| code == 0));
    checks.iter().for_each(|check| expect("after", check, sandbox.sh(check), &|code| code == 0));
    checks.iter().for_each(|check| expect("under -e", check, sandbox.sh(&format!("set -e\n{check}")), &|code| code == 0));
    checks.iter().for_each(|check| expect("no programs", check, sandbox.without_programs(check), &|code| !matches!(code, 0 | 1)));
    let first = sandbox.state();
    applies.iter().for_each(|apply| expect("apply again", apply, sandbox.sh(apply), &|code| code == 0));
    if checks.is_empty() || applies.is_empty() || looked != untouched || sandbox.state() != first {
        let differ: Vec<_> = sandbox.state().lines().filter(|line| !first.contains(line)).map(str::to_owned).collect();
        wrong.push(format!(
            "{block}: {} checks, {} applies, looking changed: {}, again changed: {differ:?}",
            checks.len(),
            applies.len(),
            looked != untouched
        ));
    }
    wrong
}

/// Users and owners are set as on a real machine, which root alone may do.
pub(super) fn can_run() -> bool {
    have(&["bwrap", "root", "git", "curl", "adduser"])
}

#[test]
fn made_checks_see_what_made_applies_do() {
    if !can_run() {
        return;
    }
    let all = std::sync::Mutex::new(Vec::new());
    let (first, second) = CASES.split_at(CASES.len() / 2);
    std::thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(|| half.iter().for_each(|(prepare, block)| all.lock().unwrap().extend(problems_of(prepare, block))));
        }
    });
    let all = all.into_inner().unwrap();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// A state in which the machine gives no answer to the question.
const UNKNOWN: &[(&str, &str)] = &[
    ("echo static >/var/fake/systemctl/x.enabled; echo inactive >/var/fake/systemctl/x.active", "systemctl enable x"),
    ("echo disabled >/var/fake/systemctl/x.enabled; echo activating >/var/fake/systemctl/x.active", "systemctl start x"),
    ("echo other >/etc/sshd", "sed -i 's/^#\\?PermitRootLogin.*/PermitRootLogin no/' /etc/sshd"),
    (
        "echo '#PasswordAuthentication no' >/etc/sshd",
        "sed -i 's/#PasswordAuthentication yes/PasswordAuthentication no/' /etc/sshd",
    ),
    ("", "sed -i 's/a/b/' /etc/sshd"),
    ("", "timedatectl set-timezone Europe/Zagreb"),
    ("rm /etc/hostname", "hostnamectl set-hostname x"),
    ("", "sysctl -w no.such=1"),
    ("", "cp /etc/nowhere /srv/x"),
    ("mkdir /srv/x", "cp /etc/passwd /srv/x"),
];

#[test]
fn what_cannot_be_said_is_no_no() {
    if !can_run() {
        return;
    }
    let mut wrong = Vec::new();
    for (prepare, block) in UNKNOWN {
        let sandbox = Sandbox::new();
        assert_eq!(sandbox.sh(prepare).0, 0, "{prepare}");
        for check in made(block).0 {
            let (code, text) = sandbox.sh(&check);
            if code < 2 {
                wrong.push(format!("{block}: exit {code} {text}\n{check}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_copy_that_was_kept_is_not_compared_again() {
    if !can_run() {
        return;
    }
    let (checks, _) = made("cp /etc/a.conf /etc/a.conf.bak");
    let sandbox = Sandbox::new();
    sandbox.sh("echo old >/etc/a.conf.bak; echo new >/etc/a.conf");
    assert_eq!(sandbox.sh(&checks[0]).0, 0);
}

/// The real systemctl, which needs no running systemd to look at links of units.
#[test]
fn the_real_systemctl_says_what_the_fake_one_says() {
    if !have(&["bwrap", "root", "systemctl"]) {
        return;
    }
    const REAL: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
    let sandbox = Sandbox::new();
    let unit = "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
    sandbox
        .sh(&format!("mkdir -p /etc/systemd/system; printf '{}' >/etc/systemd/system/house.service", unit.replace('\n', "\\n")));
    let (checks, applies) = made("systemctl enable house");
    let run = |script: &str| sandbox.run(script, REAL);
    assert_eq!(run(&checks[0]).0, 1);
    assert_eq!(run(&applies[0]).0, 0);
    assert_eq!(run(&checks[0]), (0, String::new()));
    // One that is not there is surely not enabled; what runs cannot be said where no systemd does.
    assert_eq!(run(&made("systemctl enable nosuch").0[0]).0, 1);
    assert_eq!(run(&made("systemctl start house").0[0]).0, 2);
    assert_eq!(run(&made("systemctl disable house").0[0]).0, 1);
    assert_eq!(run(&made("timedatectl set-timezone Etc/UTC").0[0]).0, 2);
    assert_eq!(run(&made("hostnamectl set-hostname x").0[0]).0, 2);
}

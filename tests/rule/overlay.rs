//! Rules inside a machine's overlay, on the boot server itself; and what was changed there as a module.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};

use crate::harness::{Folder, PROGRAM, Run, have, tool, until};

/// What the base has of busybox: enough to be a machine.
const TOOLS: &[&str] = &[
    "sh",
    "mktemp",
    "rm",
    "cat",
    "chmod",
    "chown",
    "mv",
    "mkdir",
    "rmdir",
    "ln",
    "readlink",
    "ls",
    "tail",
    "od",
    "tr",
    "stat",
    "sha256sum",
    "base64",
    "timeout",
    "touch",
    "echo",
    "printf",
    "test",
    "id",
    "grep",
    "wget",
    "true",
];

/// A boot server with mounts of its own.
struct Server {
    folder: Folder,
    holder: Child,
}

impl Server {
    fn new(rules: &str) -> Server {
        let holder = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { folder: Folder::new(), holder };
        let base = server.folder.0.join("nfs/base/mini");
        for folder in ["bin", "etc", "dev", "proc", "tmp", "run", "srv", "root", "usr/local"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fs::copy(fs::canonicalize("/usr/bin/busybox").unwrap_or("/bin/busybox".into()), base.join("bin/busybox")).unwrap();
        TOOLS.iter().for_each(|name| symlink("busybox", base.join("bin").join(name)).unwrap());
        fs::write(base.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        fs::write(base.join("etc/group"), "root:x:0:\n").unwrap();
        fs::write(base.join("etc/motd"), "base\n").unwrap();
        let own = fs::read_link("/proc/self/ns/mnt").unwrap();
        let space = format!("/proc/{}/ns/mnt", server.holder.id());
        until("the namespace is there", || fs::read_link(&space).ok().filter(|other| *other != own));
        fs::write(server.folder.0.join("assets.lock"), crate::harness::lock()).unwrap();
        fs::create_dir(server.folder.0.join("state")).unwrap();
        server.build(rules);
        server
    }

    fn build(&self, rules: &str) {
        let nfs = self.folder.0.join("nfs");
        let site = format!(
            "site lab domain=\"lab.example\"\nassets \"/srv\"\nnetwork lan \"10.77.0.0/24\" server=2 {{\n  host one 11 \"54:b2:03:00:00:0b\" profile=kiosk\n  host two 12 \"54:b2:03:00:00:0c\" profile=kiosk\n}}\nprofile kiosk {{ kernel \"debian-12/vmlinuz\"; root overlay=kiosk }}\nnfs \"{}\" {{ base mini; overlay kiosk over=mini }}\n{rules}\n",
            nfs.display()
        );
        fs::write(self.folder.0.join("site.kdl"), site).unwrap();
        self.folder.run(&["build"]).ended(0);
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = Command::new("timeout");
        let holder = self.holder.id().to_string();
        let folder = format!("--wd={}", self.folder.0.display());
        command.args(["-k", "5", "300", "nsenter", "-m", "-t", &holder, &folder, PROGRAM]).args(args);
        Run(command.output().unwrap())
    }

    fn on(&self, host: &str, script: &str) -> String {
        let root = self.folder.0.join(format!("nfs/root/{host}"));
        let script = format!("cd '{}' || exit 1; {script}", root.display());
        tool("nsenter", &["-m", "-t", &self.holder.id().to_string(), "sh", "-ec", &script])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.holder.kill();
        let _gone_already = self.holder.wait();
    }
}

fn can_run() -> bool {
    have(&["root", "unshare", "nsenter", "mount", "bwrap", "busybox"])
}

#[test]
fn rules_hold_inside_an_overlay_and_reach_nothing_outside() {
    if !can_run() {
        return;
    }
    let server = Server::new(
        r#"
rule "mini/site" on="host:one" {
    folder "/srv/www" mode="0750"
    link "/srv/now" to="www"
    check "test -e /srv/ran"
    apply "touch /srv/ran"
    absent "/etc/motd"
}
rule "mini/away" on="host:one" { check "wget -q -T 2 -O - http://10.77.0.2/ || exit 7" }
rule "mini/service" on="host:one" { check "systemctl is-active x"; apply "touch /srv/never" }
rule "mini/package" on="host:one" { package nginx }
"#,
    );
    let early = server.run(&["rule", "plan"]).ended(1).err();
    assert!(early.contains("is not mounted at ") && early.contains("run `pxelator storage apply one`\n"), "{early}");
    server.run(&["storage", "apply"]).ended(0);
    let plan = server.run(&["rule", "plan"]).ended(1);
    assert_eq!(plan.err(), "1 host: 1 drift, 3 unknown\n", "{}", plan.out());
    let service = "check systemctl is-active x: systemctl is-active: no service runs inside an overlay; exit code 69";
    assert!(plan.out().contains(service), "{}", plan.out());
    assert_eq!(server.run(&["changes", "one"]).ended(0).out(), "", "a plan changes nothing");
    let done = server.run(&["rule", "apply", "--state", "state"]).ended(1);
    assert_eq!(done.err().lines().last(), Some("1 host: 3 unknown, 1 applied"), "{}", done.out());
    assert_eq!(
        server.on("one", "stat -c '%a %N' srv/www srv/now; ls etc/motd 2>/dev/null || echo gone"),
        "750 'srv/www'\n777 'srv/now' -> 'www'\ngone\n"
    );
    assert_eq!(server.on("two", "cat etc/motd; ls srv"), "base\n", "another machine on the same base sees nothing of it");
    let again = server.run(&["changes", "one"]).ended(0).out();
    server.run(&["rule", "apply", "--state", "state"]).ended(1);
    assert_eq!(server.run(&["changes", "one"]).ended(0).out(), again, "a second run changes nothing");
}

#[test]
fn what_was_changed_in_an_overlay_becomes_a_module_for_another() {
    if !can_run() {
        return;
    }
    let server = Server::new("");
    server.run(&["storage", "apply"]).ended(0);
    server.on(
        "one",
        "mkdir -p etc/app/conf.d srv/www var/log; printf 'a = \"{b}\"\\n$(x)\\n' >etc/app/app.conf; chmod 600 etc/app/app.conf; ln -s ../app.conf etc/app/conf.d/app; echo hello >srv/www/page; rm etc/motd; echo secret >etc/shadow; echo key >etc/ssh_host_x; echo log >var/log/x; printf 'pxweb:x:900:900::/srv/www:/usr/sbin/nologin\\n' >>etc/passwd; printf 'pxweb:x:900:\\n' >>etc/group; chown 900:900 srv/www/page; printf '\\377\\376' >etc/binary",
    );
    // What others may not read comes only where it is asked for.
    let without = server.run(&["rule", "from-changes", "one", "--name", "without"]).ended(0);
    let hint = "left out: /etc/app/app.conf: others may not read it; if no secret stands in it, add --with and its path\n";
    assert!(without.err().contains(hint), "{}", without.err());
    assert!(!server.folder.0.join("modules/without/files/etc/app").exists());
    let made = server.run(&["rule", "from-changes", "one", "--name", "app", "--with", "/etc/app/app.conf"]).ended(0);
    assert!(made.out().starts_with("wrote modules/app/module.kdl, and 2 files beside it\n"), "{}", made.out());
    assert!(made.out().ends_with("read it, then put one line into the site: use app { on \"host:NAME\" }\n"), "{}", made.out());
    for left in ["/etc/shadow: it holds passwords", "/etc/ssh_host_x: it is secret", "/etc/binary: it is no text"] {
        assert!(made.err().contains(&format!("left out: {left}\n")), "{left}: {}", made.err());
    }
    let text = fs::read_to_string(server.folder.0.join("modules/app/module.kdl")).unwrap();
    assert!(!text.contains("/var/log") && !text.contains("secret"), "{text}");
    let again = server.run(&["rule", "from-changes", "one", "--name", "app"]).ended(2).err();
    assert!(again.contains("there is a module `app` already, modules/app"), "{again}");

    server.build("use app { on \"host:two\" }");
    server.run(&["rule", "plan"]).ended(1);
    // busybox has no useradd: the machine's own tools are what a rule has.
    server.on("two", "printf '#!/bin/sh\\nfor last; do :; done; echo \"$last:x:900:900::/srv/www:/usr/sbin/nologin\" >>/etc/passwd\\n' >bin/useradd; printf '#!/bin/sh\\nfor last; do :; done; echo \"$last:x:900:\" >>/etc/group\\n' >bin/groupadd; printf '#!/bin/sh\\ngrep -q \"^$2:\" /etc/$1 || exit 2\\n' >bin/getent; chmod 755 bin/useradd bin/groupadd bin/getent");
    let done = server.run(&["rule", "apply", "--state", "state"]);
    assert_eq!(done.code(), 0, "{}{}\n{text}", done.out(), done.err());
    for path in ["etc/app", "srv/www"] {
        let show = format!("cd {path}; find . -printf '%P %y %m %U:%G %l\\n' | sort; find . -type f | sort | xargs cat");
        assert_eq!(server.on("two", &show), server.on("one", &show), "{path}");
    }
    assert_eq!(server.on("two", "ls etc/motd 2>/dev/null || echo gone"), "gone\n");
    let after = server.run(&["changes", "two"]).ended(0).out();
    assert!(server.run(&["rule", "apply", "--state", "state"]).ended(0).err().contains("kept\n"));
    assert_eq!(server.run(&["changes", "two"]).ended(0).out(), after, "a second run changes nothing");
    // Nothing of two: nothing to make a rule of.
    let nothing = server.run(&["rule", "from-changes", "three"]).ended(2).err();
    assert!(nothing.contains("nothing is kept of what is changed on `three`"), "{nothing}");
    let mode = fs::metadata(server.folder.0.join("modules/app")).unwrap().permissions().mode();
    assert_eq!(mode & 0o700, 0o700);
}

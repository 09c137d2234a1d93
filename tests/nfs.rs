//! Roots over NFS on the boot server: unions, declared files, and what machines changed. The machines are
//! played by writing into the unions; tests/lab.rs boots real ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::{Folder, PROGRAM, Run, have, tool};

/// A boot server with mounts of its own, which end with the test.
struct BootServer {
    folder: Folder,
    /// Holds the mount namespace.
    holder: Child,
}

impl BootServer {
    /// A base with a few files, and two hosts on an overlay over it.
    fn new(files: &str) -> Option<BootServer> {
        if !have(&["root", "unshare", "nsenter", "mount"]) {
            return None;
        }
        let holder = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sleep", "600"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = BootServer { folder: Folder::new(), holder };
        let base = server.path("nfs/base/debian-12");
        for (path, text) in [
            ("etc/motd", "base\n"),
            ("etc/hosts", "localhost\n"),
            ("srv/a", "a"),
            ("srv/b", "b"),
            ("srv/sub/c", "c"),
            ("bin/tool", "#!"),
        ] {
            fs::create_dir_all(base.join(path).parent().unwrap()).unwrap();
            fs::write(base.join(path), text).unwrap();
        }
        fs::write(server.path("motd"), "declared\n").unwrap();
        fs::write(server.path("assets.lock"), crate::harness::lock()).unwrap();
        // The namespace is there when its mounts are no longer ours.
        let own = fs::read_link("/proc/self/ns/mnt").unwrap();
        while fs::read_link(format!("/proc/{}/ns/mnt", server.holder.id())).ok().is_none_or(|other| other == own) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        server.build(files, "debian-12");
        Some(server)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.0.join(path)
    }

    fn build(&self, files: &str, base: &str) {
        let nfs = self.path("nfs");
        let site = format!(
            "site lab domain=\"lab.example\"\nassets \"/srv\"\nnetwork lan \"10.77.0.0/24\" server=2 {{\n  host one 11 \"54:b2:03:00:00:0b\" profile=kiosk\n  host two 12 \"54:b2:03:00:00:0c\" profile=kiosk\n  host three 13 \"54:b2:03:00:00:0d\" profile=reader\n  host four 14 \"54:b2:03:00:00:0e\" profile=local\n}}\nprofile kiosk {{ kernel \"debian-12/vmlinuz\"; root overlay=kiosk }}\nprofile reader {{ kernel \"debian-12/vmlinuz\"; root base=\"debian-12\" }}\nnfs \"{}\" {{ base \"debian-12\"; base \"debian-13\"; overlay kiosk over=\"{base}\" {{ {files} }} }}\n",
            nfs.display()
        );
        fs::write(self.path("site.kdl"), site).unwrap();
        self.folder.run(&["build"]).ended(0);
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = Command::new("nsenter");
        command
            .args(["-m", "-t", &self.holder.id().to_string(), &format!("--wd={}", self.folder.0.display()), PROGRAM])
            .args(args);
        Run(command.output().unwrap())
    }

    /// Does something as the machine would, in the root of a host.
    fn on(&self, host: &str, script: &str) {
        let root = self.path(&format!("nfs/root/{host}"));
        let script = format!("cd '{}' || exit 1; {script}", root.display());
        tool("nsenter", &["-m", "-t", &self.holder.id().to_string(), "sh", "-ec", &script]);
    }

    fn changes(&self, host: &str) -> Vec<String> {
        self.run(&["changes", host]).ended(0).out().lines().map(str::to_owned).collect()
    }
}

impl Drop for BootServer {
    fn drop(&mut self) {
        let _gone_already = self.holder.kill();
        let _gone_already = self.holder.wait();
    }
}

const MOTD: &str = "file \"/etc/motd\" from=\"motd\" mode=\"0600\"";

#[test]
fn what_a_machine_changed_is_listed_and_nothing_else() {
    let Some(server) = BootServer::new(MOTD) else { return };
    server.run(&["storage", "apply"]).ended(0);
    assert_eq!(server.changes("one"), [] as [&str; 0]);
    server.on("one", "echo x > new; echo x >> etc/hosts; chmod 700 bin/tool; rm srv/a; mv srv/b srv/moved; chown 7:8 srv");
    server.on(
        "one",
        "rm -r srv/sub; mkdir srv/sub; echo d > srv/sub/d; ln -s /etc/motd link; mknod pipe p; rm etc/motd; ln -s hosts etc/motd",
    );
    // Touched, and the same as before: no change.
    server.on("two", "touch etc/hosts; cat bin/tool > /dev/null; echo y > tmp; rm tmp; printf 'localhost\\n' > etc/hosts");
    assert_eq!(
        server.changes("one"),
        [
            "changed  /bin/tool (mode 0644 → 0700)",
            "changed  /etc/hosts (content)",
            "changed  /etc/motd (file → link)",
            "added    /link",
            "added    /new",
            "added    /pipe",
            "changed  /srv/ (owner 0:0 → 7:8)",
            "deleted  /srv/a",
            "deleted  /srv/b",
            "added    /srv/moved",
            "deleted  /srv/sub/c",
            "added    /srv/sub/d",
        ]
    );
    assert_eq!(server.changes("two"), [] as [&str; 0], "another machine on the same base sees none of them");
    let json: serde_json::Value =
        serde_json::from_str(&server.run(&["changes", "one", "--format", "json"]).ended(0).out()).unwrap();
    assert_eq!((&json[0]["path"], &json[0]["kind"], &json[3]["kind"]), (&"/bin/tool".into(), &"changed".into(), &"added".into()));
    assert!(json[3].get("what").is_none());
}

#[test]
fn declared_files_follow_the_site_and_machines_keep_what_is_theirs() {
    let Some(server) = BootServer::new(&format!("{MOTD}; file \"/etc/deep/a\" from=\"motd\"")) else { return };
    let planned = server.run(&["storage", "apply", "--dry-run"]).ended(0).out();
    assert!(planned.contains("mount ") && !server.path("nfs/upper").exists(), "{planned}");
    server.run(&["storage", "apply"]).ended(0);
    assert!(server.run(&["storage", "apply"]).ended(0).err().contains("nothing to do: 3 roots are as declared"));
    server.on("one", "grep -q declared etc/motd; [ $(stat -c %a etc/motd) = 600 ]; grep -q declared etc/deep/a");
    server.on("one", "echo mine > etc/motd");
    assert_eq!(
        server.changes("one"),
        ["changed  /etc/motd (content, mode 0644 → 0600)"],
        "a declared file that the machine changed is its change"
    );
    server.run(&["storage", "apply", "one"]).ended(0);
    assert_eq!(server.changes("one"), [] as [&str; 0], "the site's word counts again");
    server.on("one", "chown 7:7 etc/motd");
    assert_eq!(server.changes("one"), ["changed  /etc/motd (content, mode 0644 → 0600, owner 0:0 → 7:7)"]);
    server.run(&["storage", "apply", "one"]).ended(0);
    // Taken out of the site: the base's file comes back, and a file that the base has not goes. What a
    // machine made of it stays.
    server.on("two", "echo mine > etc/motd");
    server.build("", "debian-12");
    server.run(&["storage", "apply"]).ended(0);
    server.on("one", "grep -q base etc/motd; [ ! -e etc/deep/a ]");
    server.on("two", "grep -q mine etc/motd");
    assert_eq!(server.changes("one"), [] as [&str; 0], "the folder that was made for it is gone too");
}

#[test]
fn links_and_owners_of_the_base_come_back_as_they_were() {
    let Some(server) = BootServer::new("") else { return };
    let base = server.path("nfs/base/debian-12");
    symlink("../run/resolv.conf", base.join("etc/resolv.conf")).unwrap();
    symlink("usr/lib", base.join("lib")).unwrap();
    fs::create_dir_all(base.join("usr/lib")).unwrap();
    fs::write(base.join("etc/shadow"), "root:*\n").unwrap();
    std::os::unix::fs::chown(base.join("etc/shadow"), Some(0), Some(42)).unwrap();
    let files = ["/etc/resolv.conf", "/etc/shadow", "/lib/foo/x"].map(|path| format!("file \"{path}\" from=\"motd\"")).join("; ");
    server.build(&files, "debian-12");
    server.run(&["storage", "apply"]).ended(0);
    assert_eq!(server.changes("one"), [] as [&str; 0], "also where the base has a link in place of a folder");
    server.on("one", "rm etc/resolv.conf usr/lib/foo/x; chmod 777 etc; truncate -s 6G etc/shadow");
    assert_eq!(
        server.changes("one"),
        [
            "changed  /etc/ (mode 0755 → 0777)",
            "deleted  /etc/resolv.conf",
            "changed  /etc/shadow (content, owner 0:42 → 0:0)",
            "deleted  /usr/lib/foo/x"
        ]
    );
    server.build("", "debian-12");
    server.run(&["storage", "apply"]).ended(0);
    server.on("two", "[ \"$(readlink etc/resolv.conf)\" = ../run/resolv.conf ]; [ \"$(stat -c %u:%g etc/shadow)\" = 0:42 ]; [ ! -e usr/lib/foo ]");
    assert_eq!(server.changes("two"), [] as [&str; 0]);
}

#[test]
fn what_a_machine_makes_acts_on_nobody_else() {
    let Some(server) = BootServer::new(MOTD) else { return };
    server.run(&["storage", "apply"]).ended(0);
    server.on("one", "rm etc/motd; mknod etc/motd c 1 3; cp /bin/busybox suid; chmod 4755 suid");
    // A device in the place of a declared file is replaced, and never opened: the union is mounted nodev.
    server.on("one", "! cat etc/motd 2>/dev/null; ! setpriv --reuid 65534 ./suid true 2>/dev/null");
    server.run(&["storage", "apply"]).ended(0);
    server.on("one", "grep -q declared etc/motd");
    let closed = fs::metadata(server.path("nfs/upper/kiosk/one")).unwrap().permissions().mode() & 0o777;
    assert_eq!(closed, 0o700, "nobody else looks into what machines made");
    server.on("two", "rm -r etc; mkdir -p etc/motd/x");
    let told = server.run(&["storage", "apply"]).ended(1).err();
    assert!(
        told.contains("two: the machine has something else at /etc/motd") && told.contains("pxelator storage reset two"),
        "{told}"
    );
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--clear-groups", PROGRAM, "changes", "one"]).current_dir(&server.folder.0);
    tool("chmod", &["755", &server.folder.0.to_string_lossy()]);
    let told = Run(nobody.output().unwrap()).ended(2).err();
    assert!(told.contains("this needs root: run `sudo pxelator changes …`"), "{told}");
}

#[test]
fn a_machine_cannot_make_the_server_write_or_read_elsewhere() {
    let Some(server) = BootServer::new(MOTD) else { return };
    server.run(&["storage", "apply"]).ended(0);
    let elsewhere = server.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("motd"), "the server's own\n").unwrap();
    server.on("one", &format!("rm -r etc; ln -s '{}' etc; mkdir srv/x; ln -s / srv/x/root", elsewhere.display()));
    assert!(server.changes("one").contains(&"changed  /etc (folder → link)".to_owned()));
    let run = server.run(&["storage", "apply"]);
    assert_eq!(fs::read_to_string(elsewhere.join("motd")).unwrap(), "the server's own\n", "{}{}", run.out(), run.err());
    assert!(!elsewhere.join("deep").exists());
    // A link in place of the file itself is replaced, and what it led to stays.
    server.on("two", &format!("rm etc/motd; ln -s '{}/motd' etc/motd", elsewhere.display()));
    server.run(&["storage", "apply", "two"]).ended(0);
    server.on("two", "[ ! -L etc/motd ]; grep -q declared etc/motd");
    assert_eq!(fs::read_to_string(elsewhere.join("motd")).unwrap(), "the server's own\n");
}

#[test]
fn a_reset_begins_again_and_a_mistake_discards_nothing() {
    let Some(server) = BootServer::new(MOTD) else { return };
    server.run(&["storage", "apply"]).ended(0);
    server.on("one", "echo x > new");
    assert!(server.run(&["storage", "reset", "one", "too"]).ended(2).err().contains("did you mean `two`?"));
    assert!(server.run(&["storage", "reset", "three"]).ended(2).err().contains("three mounts base `debian-12` itself"));
    assert!(server.run(&["changes", "four"]).ended(2).err().contains("no host `four` with a root: its profile has no `root`"));
    assert_eq!(server.changes("one"), ["added    /new"]);
    // In use, as by an NFS server: refused, and nothing is lost.
    let mut user = Command::new("nsenter");
    user.args(["-m", "-t", &server.holder.id().to_string(), "sh", "-c", "cd \"$0\" && echo ready && exec sleep 60"]);
    let mut user = user.arg(server.path("nfs/root/one")).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(user.stdout.as_mut().unwrap(), &mut [0; 6]).unwrap();
    let refused = server.run(&["storage", "reset", "one"]).ended(1);
    assert!(refused.err().contains("is in use and cannot be unmounted: turn the machine off"), "{}", refused.err());
    assert_eq!(server.changes("one"), ["added    /new"]);
    user.kill().unwrap();
    user.wait().unwrap();
    // A reset that was killed half way left its folder aside: the next apply clears it.
    fs::create_dir_all(server.path("nfs/upper/kiosk/two.gone-77/upper")).unwrap();
    server.run(&["storage", "reset", "one"]).ended(0);
    assert!(
        server.run(&["storage", "apply"]).ended(0).out().contains("discard ")
            && !server.path("nfs/upper/kiosk/two.gone-77").exists()
    );
    assert_eq!(server.changes("one"), [] as [&str; 0]);
    server.on("one", "[ ! -e new ]; grep -q declared etc/motd");
}

#[test]
fn the_first_mistakes_are_named_and_other_hosts_are_served() {
    let Some(server) = BootServer::new("") else { return };
    server.run(&["storage", "apply"]).ended(0);
    server.on("one", "echo x > new");
    // Another base beneath what was changed: the kernel would mix them up, so it is refused.
    server.build("", "debian-13");
    let missing = server.run(&["storage", "apply"]).ended(1);
    assert!(missing.out().is_empty(), "nothing is unmounted for it: {}", missing.out());
    assert!(
        missing.err().contains("nfs/base/debian-13 is missing: put the files of base `debian-13` there"),
        "{}",
        missing.err()
    );
    tool(
        "cp",
        &["-a", &server.path("nfs/base/debian-12").to_string_lossy(), &server.path("nfs/base/debian-13").to_string_lossy()],
    );
    let other = server.run(&["storage", "apply"]).ended(1);
    assert!(other.out().is_empty(), "the root stays mounted: {}", other.out());
    server.on("one", "grep -q x new");
    assert!(
        server.run(&["changes", "one"]).ended(2).err().contains("were made over another base"),
        "nor is it compared with that"
    );
    assert!(
        other.err().contains("were made over another base") && other.err().contains("pxelator storage reset one"),
        "{}",
        other.err()
    );
    server.build("", "debian-12");
    server.run(&["storage", "apply"]).ended(0);
    assert_eq!(server.changes("one"), ["added    /new"], "the change is still there");
    // A host that goes: its union is unmounted, and what it changed stays.
    let site = fs::read_to_string(server.path("site.kdl")).unwrap();
    fs::write(server.path("site.kdl"), site.replace("  host one 11", "  host uno 15")).unwrap();
    server.folder.run(&["build"]).ended(0);
    let run = server.run(&["storage", "apply"]).ended(0);
    assert!(run.out().contains("unmount ") && server.path("nfs/upper/kiosk/one/upper/new").exists(), "{}", run.out());
    assert!(server.run(&["changes", "uno"]).ended(0).out().is_empty());
}

#[test]
fn an_aufs_upper_is_read_by_its_own_marks() {
    if !have(&["root"]) {
        return;
    }
    let folder = Folder::new();
    let at = |path: &str| folder.0.join(path);
    let write = |path: &str, text: &str| {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), text).unwrap();
    };
    let site = format!(
        "site lab\nassets \"/srv\"\nnetwork lan \"10.77.0.0/24\" server=2 {{ host one 11 \"54:b2:03:00:00:0b\" profile=p }}\nprofile p {{ kernel \"debian-12/vmlinuz\"; root overlay=o }}\nnfs \"{}\" {{ base b; overlay o over=b union=aufs }}\n",
        at("nfs").display()
    );
    write("site.kdl", &site);
    write("assets.lock", &crate::harness::lock());
    for path in ["keep", "gone", "d/gone", "d/again", "e/old", "mode"] {
        write(&format!("nfs/base/b/{path}"), "base");
    }
    for path in [".wh.gone", ".wh.never", ".wh..wh.aufs", ".wh..wh.plnk/x", "d/.wh..wh.opq", "d/again", "new", "mode"] {
        let text = if path.ends_with("again") || path == "mode" { "base" } else { "" };
        write(&format!("nfs/upper/o/one/upper/{path}"), text);
    }
    fs::rename(at("nfs/upper/o/one/upper/d/.wh..wh.opq"), at("nfs/upper/o/one/upper/d/.wh..wh..opq")).unwrap();
    fs::set_permissions(at("nfs/upper/o/one/upper/mode"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("/", at("nfs/upper/o/one/upper/out")).unwrap();
    folder.run(&["build"]).ended(0);
    let found = folder.run(&["changes", "one"]).ended(0).out();
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(
        found,
        ["deleted  /d/gone", "deleted  /gone", "changed  /mode (mode 0644 → 4755)", "added    /new", "added    /out"]
    );
    let run = folder.run(&["storage", "apply"]).ended(1);
    assert!(run.err().contains("this kernel knows no aufs; say union=overlayfs"), "{}", run.err());
}

#[test]
fn numbers_of_exports_are_kept_in_their_lock() {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("assets/debian-12")).unwrap();
    fs::write(folder.0.join("assets/debian-12/vmlinuz"), "kernel").unwrap();
    let site = |count: usize| {
        let hosts: String =
            (1..=count).map(|n| format!("host pc-{n} {} \"54:b2:03:00:{:02x}:{:02x}\"\n", n + 10, n / 256, n % 256)).collect();
        format!(
            "site lab\nassets \"{}\"\nnetwork lan \"10.64.0.0/16\" server=2 profile=p {{\n{hosts}}}\nprofile p {{ kernel \"debian-12/vmlinuz\"; root overlay=o }}\nnfs \"/srv/nfs\" {{ base b; overlay o over=b }}\n",
            folder.0.join("assets").display()
        )
    };
    fs::write(folder.0.join("site.kdl"), site(1000)).unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    let first = fs::read_to_string(folder.0.join("ids.lock")).unwrap();
    fs::remove_file(folder.0.join("ids.lock")).unwrap();
    assert!(folder.run(&["build"]).ended(1).err().contains("nfs/fsid-clash"), "of 1,000 names some make one number");
    fs::write(folder.0.join("ids.lock"), &first).unwrap();
    fs::write(folder.0.join("site.kdl"), site(1400)).unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    let second = fs::read_to_string(folder.0.join("ids.lock")).unwrap();
    assert!(first.lines().all(|line| second.lines().any(|other| other == line)), "what was fixed stays");
    assert_eq!(second.lines().count(), 1400);
}

#[test]
fn systemd_accepts_the_mount_units() {
    if !have(&["systemd-analyze", "systemd-escape"]) {
        return;
    }
    let folder = Folder::with_example();
    let units: Vec<String> =
        crate::harness::files(&folder.0.join("out/nfs")).into_keys().filter(|path| path.ends_with(".mount")).collect();
    assert_eq!(units.len(), 4);
    for unit in units {
        let path = folder.0.join("out/nfs").join(&unit);
        let text = fs::read_to_string(&path).unwrap();
        let folder = text.lines().find_map(|line| line.strip_prefix("Where=")).unwrap();
        assert_eq!(tool("systemd-escape", &["--path", "--suffix=mount", folder]).trim(), unit);
        tool("systemd-analyze", &["verify", "--man=no", &path.to_string_lossy()]);
    }
}

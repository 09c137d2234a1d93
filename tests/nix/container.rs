//! The units under a real systemd: booted by systemd-nspawn, with the /usr of this machine and nothing else of it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{bounded, installed};
use crate::harness::{Folder, ROOT, have};

const NEEDS: &[&str] = &["root", "systemd-nspawn", "unshare", "make", "dnsmasq", "dig", "ss", "qemu-system-x86_64"];
/// How long the container may take in all; it takes about 20 s.
const CONTAINER_SECS: u32 = 600;

fn site(printer: u8) -> String {
    format!(
        "site lab domain=\"lab.example\"\n\
         network lan \"10.77.0.0/24\" gateway=1 server=2 dns=2 {{\n\
             pool 100 199 lease=\"1h\"\n\
             host boot 2 \"52:54:00:77:00:02\"\n\
             host printer {printer} \"00:1b:a9:00:00:32\"\n\
             vm ci-1 40 \"52:54:00:77:00:28\" from=golden\n\
         }}\n\
         snapshot golden \"/srv/golden.qcow2\"\n\
         audit keep=\"365d\" {{ couchdb \"http://127.0.0.1:5984/audit\" user=pxelator password=(secret)couchdb }}\n\
         secret couchdb file=\"/run/secrets/couchdb\"\n"
    )
}

/// Control groups of our own, for two containers in one would stop each other; they go with their owner.
struct Groups(String);

impl Groups {
    const ROOTS: [&'static str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];

    /// What a shell does before it becomes the container.
    fn enter(&self) -> String {
        let roots = Groups::ROOTS.join(" ");
        format!(
            "for root in {roots}; do [ -w $root/cgroup.procs ] || continue; mkdir -p $root/{0}; echo $$ > $root/{0}/cgroup.procs || true; done",
            self.0
        )
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for root in Groups::ROOTS {
            let group = format!("{root}/{}", self.0);
            // Of a container that did not end by itself; groups of version 2 alone have the file.
            let _has_none =
                fs::OpenOptions::new().write(true).open(format!("{group}/cgroup.kill")).and_then(|mut file| file.write_all(b"1"));
            let _gone_already = bounded("find", &[&group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], 10);
        }
        let _never_made = fs::remove_dir(format!("/run/systemd/nspawn/propagate/{}", self.0));
    }
}

/// Boots it, runs the proof in it, and gives the folder with what was seen.
fn boot(folder: &Folder) -> PathBuf {
    let (given, result) = (folder.0.join("given"), folder.0.join("result"));
    for (name, printer) in [("first", 50), ("second", 60)] {
        fs::create_dir_all(given.join(name)).unwrap();
        fs::write(given.join(name).join("site.kdl"), site(printer)).unwrap();
        folder.run(&["build", &format!("given/{name}/site.kdl"), "--out", &format!("given/{name}/out")]).ended(0);
    }
    fs::create_dir_all(&result).unwrap();
    let machine = installed(folder, "/usr/local");
    fs::copy(Path::new(ROOT).join("tests/nix/proof.sh"), result.join("proof.sh")).unwrap();
    let proof = "[Unit]\nRequires=basic.target\nAfter=basic.target\nSuccessAction=exit-force\nFailureAction=exit-force\n\
                 [Service]\nType=oneshot\nExecStart=/bin/sh /result/proof.sh\nTimeoutStartSec=500\n";
    fs::write(machine.join("usr/local/lib/systemd/system/proof.service"), proof).unwrap();
    let name = folder.0.file_name().unwrap().to_string_lossy().into_owned();
    let groups = Groups(name.clone());
    let path = |path: &Path| path.display().to_string();
    // Its mounts are its own: those of others that begin meanwhile do not keep them.
    let line = format!(
        "{}; exec unshare --mount --propagation private systemd-nspawn -q -D / --volatile=yes --register=no --keep-unit \
         --private-network --timezone=off --machine={name} --console=pipe --bind-ro={}:/usr/local --bind={}:/result --bind-ro={}:/given \
         -b systemd.unit=proof.service systemd.mask=network-online.target systemd.mask=time-sync.target \
         systemd.mask=systemd-machine-id-commit.service",
        groups.enter(),
        path(&machine.join("usr/local")),
        path(&result),
        path(&given),
    );
    let run = bounded("sh", &["-c", &line], CONTAINER_SECS);
    let log = fs::read_to_string(result.join("log")).unwrap_or_default();
    assert!(result.join("done").exists(), "the proof did not come to its end:\n{log}\n{}{}", run.out(), run.err());
    assert!(!result.join("failed-deploy").exists(), "{log}");
    result
}

#[test]
fn the_units_run_under_systemd_and_the_first_mistakes_are_told() {
    if !have(NEEDS) {
        return;
    }
    let folder = Folder::new();
    let result = boot(&folder);
    let seen = |name: &str| fs::read_to_string(result.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{}", seen("log"));
    assert_eq!(seen("state-before"), "pxelator 755\n", "systemd-sysusers and systemd-tmpfiles know our files");

    // It is nobody's root any more, at the first start and at the next.
    let status = seen("status");
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().split_whitespace().next().unwrap();
    assert_ne!(value("Uid:"), "0");
    for capabilities in ["CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(value(capabilities), "0000000000000000");
    }
    assert_eq!((value("NoNewPrivs:"), value("Seccomp:")), ("1", "2"));
    assert_eq!(seen("name"), "10.77.0.50\n10.77.0.60\n", "the second generation was taken over");
    assert!(seen("second").contains("exit 0") && !seen("second").contains("nobody serves"), "{}", seen("second"));
    assert_eq!(seen("foreign"), "", "systemd gave files of the state folder to another user");
    assert!(seen("again").contains("serving /srv/pxelator/current/out"), "{}", seen("again"));
    assert_eq!(seen("hangup"), "1 2\n", "loaded once by itself, and once more by the signal");
    assert_eq!(seen("stopped").trim(), "success");
    assert_eq!(seen("timers").lines().filter(|line| line.contains("UTC")).count(), 2, "{}", seen("timers"));

    // A VM that is off stays off, by whichever way; one whose QEMU was killed begins again.
    assert_eq!(seen("vm-stop"), "ci-1: did not turn itself off within 1 s, and lost its power\n");
    assert_eq!(seen("vm-stopped"), "inactive success 0\n");
    assert_eq!(seen("vm-off"), "inactive success 0\n");
    assert_eq!(seen("vm-killed"), "active 1\n");
    assert_eq!(seen("vm-ended"), "inactive\n");

    let ports = |name: &str, address: &str| {
        let mut all: Vec<String> = seen(name)
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter_map(|words| Some(format!("{} {}", words[0], words[4].strip_prefix(address)?)))
            .collect();
        all.sort();
        all
    };
    let all = ["tcp :53", "tcp :80", "udp :514", "udp :53", "udp :67", "udp :69"];
    assert_eq!(ports("ports", "0.0.0.0"), all);
    assert!(ports("ports-bound", "10.77.0.2").contains(&"udp :53".to_owned()), "{}", seen("ports-bound"));
    assert!(!ports("ports-bound", "0.0.0.0").contains(&"udp :53".to_owned()), "{}", seen("ports-bound"));

    // The manual shows what was said here.
    let page = fs::read_to_string(format!("{ROOT}/docs/nix.md")).unwrap();
    let mistakes =
        [("absent", "error: "), ("state", "error: "), ("nobody", "error: "), ("taken", "error: "), ("secret", "/run/secrets/")];
    let said = mistakes.map(|(name, mark)| {
        let journal = seen(name);
        let from = journal.lines().find_map(|line| line.find(mark).map(|at| line.split_at(at).1.trim_start().to_owned()));
        from.unwrap_or_else(|| panic!("{name}: {journal}"))
    });
    for line in &said {
        assert!(page.contains(&format!("\n{line}\n")), "docs/nix.md does not show all of these:\n{}", said.join("\n"));
    }
}

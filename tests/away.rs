//! Machines that already run: each with a real sshd, and with folders of its own in the place of this
//! machine's, so that a test may change its `/etc`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::harness::{Folder, PROGRAM, Run, tool, until_true};
use crate::network::Segment;

pub(crate) const NEEDS: &[&str] = &["root", "ip", "ssh", "sshd", "ssh-keygen", "unshare", "rsync", "git", "sudo", "timeout"];
/// How long a command of a test may take, in seconds.
const COMMAND_SECS_MAX: &str = "120";
/// A user who is not root, and may run anything by `sudo -n`.
pub(crate) const USER: &str = "pxana";

/// A cable, the boot server's end of it, and keys: `own` is let in by every machine, `other` by none.
/// `known` holds the keys of all machines, `empty` none.
pub(crate) struct Away {
    pub(crate) folder: Folder,
    segment: Segment,
}

/// A machine at the other end of the cable. Whatever runs on it ends with its owner.
pub(crate) struct Machine {
    pub(crate) address: String,
    /// What it has in the place of this machine's folders: `etc` in there is its `/etc`.
    root: PathBuf,
    server: String,
    config: String,
    run: Child,
}

impl Away {
    /// The boot server is 10.80.0.2. `name` is for whoever looks at namespaces.
    pub(crate) fn new(name: &str) -> Away {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let name = format!("away-{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (folder, segment) = (Folder::new(), Segment::new(&name, "10.80.0.1/22"));
        tool("ip", &["-n", &segment.client, "addr", "add", "10.80.0.2/22", "dev", "v1"]);
        tool("chmod", &["755", &folder.0.to_string_lossy()]);
        let away = Away { folder, segment };
        for key in ["own", "other"] {
            tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &away.path(key)]);
        }
        for name in ["known", "empty"] {
            fs::write(away.path(name), "").unwrap();
        }
        away
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.0.join(name).to_string_lossy().into_owned()
    }

    /// A machine at 10.80.0.LAST; each of `folders` is a copy of this machine's.
    pub(crate) fn machine(&self, last: u8, folders: &[&str]) -> Machine {
        let address = format!("10.80.0.{last}");
        tool("ip", &["-n", &self.segment.server, "addr", "add", &format!("{address}/22"), "dev", "v0"]);
        let root = self.folder.0.join(format!("machine-{last}"));
        let mut script =
            String::from("set -e; mount -t proc proc /proc; mount -t tmpfs -o mode=0755 tmpfs /run; mkdir /run/sshd; ");
        for folder in folders {
            let own = root.join(folder.trim_start_matches('/'));
            fs::create_dir_all(own.parent().unwrap()).unwrap();
            tool("cp", &["-a", folder, &own.to_string_lossy()]);
            script += &format!("mount --bind '{}' {folder}; ", own.display());
        }
        if root.join("etc").is_dir() {
            let add = |file: &str, line: &str| {
                let path = root.join("etc").join(file);
                let text = fs::read_to_string(&path).unwrap_or_default();
                fs::write(path, text + line).unwrap();
            };
            add("passwd", &format!("{USER}:x:4242:4242::/nonexistent:/bin/sh\n"));
            add("group", &format!("{USER}:x:4242:\n"));
            add("shadow", &format!("{USER}:*:19000:0:99999:7:::\n"));
            fs::create_dir_all(root.join("etc/sudoers.d")).unwrap();
            fs::write(root.join("etc/sudoers.d/pxana"), format!("{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")).unwrap();
            fs::set_permissions(root.join("etc/sudoers.d/pxana"), fs::Permissions::from_mode(0o440)).unwrap();
        }
        let key = self.path(&format!("host-{last}"));
        tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", &address, "-f", &key]);
        let known = fs::read_to_string(self.path("known")).unwrap();
        fs::write(self.path("known"), format!("{known}{address} {}", fs::read_to_string(format!("{key}.pub")).unwrap())).unwrap();
        let config = self.path(&format!("sshd-{last}"));
        fs::write(
            &config,
            format!(
                "ListenAddress {address}\nHostKey {key}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n",
                self.path("own.pub")
            ),
        )
        .unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        fs::write(self.path(&format!("start-{last}")), format!("{script}exec /usr/sbin/sshd -D -e -f {config}\n")).unwrap();
        let run = start(&self.segment.server, &self.path(&format!("start-{last}")));
        let machine =
            Machine { address, root, server: self.segment.server.clone(), config: self.path(&format!("start-{last}")), run };
        self.wait_for(&machine);
        machine
    }

    fn wait_for(&self, machine: &Machine) {
        let scan = format!("ssh-keyscan -T 5 {} 2>/dev/null", machine.address);
        until_true(&format!("sshd at {}", machine.address), || self.run(&["sh", "-c", &scan]).out().contains("ssh-ed25519"));
    }

    /// A command on the boot server, in the test's folder; it ends after a while in any case.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.segment.client, "timeout", "-k", "5", COMMAND_SECS_MAX]).args(args);
        command.current_dir(&self.folder.0).env_remove("SSH_AUTH_SOCK");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// Options of ssh: a key, the hosts that are known, and nothing of whoever runs the test.
    pub(crate) fn options(&self, key: &str, known: &str) -> Vec<String> {
        let files = [format!("IdentityFile={}", self.path(key)), format!("UserKnownHostsFile={}", self.path(known))];
        let fixed = ["IdentitiesOnly=yes", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"].map(str::to_owned);
        files.into_iter().chain(fixed).flat_map(|option| ["--ssh-option".to_owned(), option]).collect()
    }

    /// Our program on the boot server, with a key and the keys that it knows.
    pub(crate) fn pxelator_as(&self, key: &str, known: &str, args: &[&str]) -> Command {
        let options = self.options(key, known);
        let words = std::iter::once(PROGRAM).chain(args.iter().copied()).chain(options.iter().map(String::as_str));
        self.command(&words.collect::<Vec<_>>())
    }

    /// Our program on the boot server, with the right key.
    pub(crate) fn pxelator(&self, args: &[&str]) -> Run {
        Run(self.pxelator_as("own", "known", args).output().unwrap())
    }

    /// Writes a site and builds it.
    pub(crate) fn build(&self, site: &str) {
        fs::write(self.path("site.kdl"), site).unwrap();
        self.folder.run(&["build"]).ended(0);
    }

    /// Cuts the cable, or joins it again.
    pub(crate) fn cable(&self, is_whole: bool) {
        tool("ip", &["-n", &self.segment.server, "link", "set", "v0", if is_whole { "up" } else { "down" }]);
    }
}

/// A sshd in namespaces of its own: when the first process ends, so do all others in there.
fn start(space: &str, script: &str) -> Child {
    let args = ["netns", "exec", space, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
    let mut command = Command::new("ip");
    command.args(args).args(["sh", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

impl Machine {
    /// Where a file of the machine lies for the test: a path such as `/etc/motd`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The power fails: nothing on it runs any more, and nobody listens.
    pub(crate) fn kill(&mut self) {
        let _gone_already = self.run.kill();
        let _gone_already = self.run.wait();
    }

    /// It is on again, with the same files.
    pub(crate) fn start(&mut self, away: &Away) {
        self.kill();
        self.run = start(&self.server, &self.config);
        away.wait_for(self);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn a_machine_has_folders_of_its_own_and_ends_with_its_owner() {
    if !crate::harness::have(NEEDS) {
        return;
    }
    let away = Away::new("w");
    let mut machine = away.machine(11, &["/etc", "/srv"]);
    let ssh = |user: &str, command: &str| {
        let options: Vec<String> = away.options("own", "known").iter().map(|word| word.replace("--ssh-option", "-o")).collect();
        let to = format!("{user}@10.80.0.11");
        let words = [
            &["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"],
            options.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            &[to.as_str(), command],
        ]
        .concat();
        away.run(&words)
    };
    ssh("root", "echo here > /etc/px-away; mkdir /srv/px-away").ended(0);
    assert_eq!(fs::read_to_string(machine.path("/etc/px-away")).unwrap(), "here\n");
    assert!(!Path::new("/etc/px-away").exists() && !Path::new("/srv/px-away").exists(), "this machine is as it was");
    assert_eq!(ssh(USER, "id -un; sudo -n id -un").ended(0).out(), format!("{USER}\nroot\n"));
    machine.kill();
    assert_ne!(ssh("root", "true").code(), 0);
    machine.start(&away);
    ssh("root", "test -e /etc/px-away").ended(0);
}

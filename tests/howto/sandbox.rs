//! A small machine for scripts: this one's programs, folders of its own, and fakes of what would reach out of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Folder, ROOT};

/// How long one run may take; the slowest takes a second.
const RUN_SECS_MAX: &str = "60";
const FAKES: &[&str] = &[
    "apt-get",
    "dpkg-query",
    "exportfs",
    "a2dismod",
    "a2dissite",
    "a2disconf",
    "a2enconf",
    "a2enmod",
    "a2ensite",
    "hostnamectl",
    "nginx",
    "sysctl",
    "systemctl",
    "timedatectl",
    "ufw",
    "wget",
];
const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nanna:x:1000:1000::/home/anna:/bin/sh\n";
const GROUP: &str = "root:x:0:\naudio:x:29:\nwww-data:x:33:\nvideo:x:44:\nusers:x:100:\nteachers:x:200:\nanna:x:1000:\n";

pub(super) struct Sandbox {
    folder: Folder,
}

impl Sandbox {
    pub(super) fn new() -> Sandbox {
        let folder = Folder::new();
        for name in ["etc", "srv", "opt", "var/fake", "home", "run", "tmp", "fakes", "scripts", "empty"] {
            fs::create_dir_all(folder.0.join(name)).unwrap();
        }
        let files = [
            ("etc/passwd", PASSWD),
            ("etc/group", GROUP),
            ("etc/shadow", "root:*:19000:0:99999:7:::\nanna:*:19000:0:99999:7:::\n"),
            ("etc/gshadow", "root:*::\nteachers:!::\naudio:!::\nvideo:!::\n"),
            ("etc/adduser.conf", "DSHELL=/bin/bash\n"),
            ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"),
            ("etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n"),
            ("etc/hostname", "old-name\n"),
        ];
        files.iter().for_each(|(path, text)| fs::write(folder.0.join(path), text).unwrap());
        let fake = folder.0.join("fakes/fake");
        fs::copy(Path::new(ROOT).join("tests/howto/fakes.sh"), &fake).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        FAKES.iter().for_each(|name| fs::create_dir(folder.0.join("var/fake").join(name)).unwrap());
        FAKES.iter().for_each(|name| symlink("fake", folder.0.join("fakes").join(name)).unwrap());
        Sandbox { folder }
    }

    /// The exit code of a script, and what it printed.
    pub(super) fn run(&self, script: &str, path: &str) -> (i32, String) {
        fs::write(self.folder.0.join("scripts/script"), script).unwrap();
        let mut command = Command::new("timeout");
        command.args([
            "--kill-after=5",
            RUN_SECS_MAX,
            "bwrap",
            "--die-with-parent",
            "--unshare-net",
            "--unshare-pid",
            "--dev",
            "/dev",
            "--proc",
            "/proc",
        ]);
        for name in ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32"] {
            match fs::read_link(name) {
                Ok(to) => drop(command.arg("--symlink").arg(to).arg(name)),
                Err(_) if Path::new(name).exists() => drop(command.args(["--ro-bind", name, name])),
                Err(_) => {}
            }
        }
        for name in ["etc", "srv", "opt", "var", "home", "run", "tmp", "fakes", "scripts", "empty"] {
            command.arg("--bind").arg(self.folder.0.join(name)).arg(format!("/{name}"));
        }
        command.args(["--clearenv", "--setenv", "PATH", path, "--chdir", "/", "/bin/sh", "/scripts/script"]);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    pub(super) fn sh(&self, script: &str) -> (i32, String) {
        self.run(script, "/fakes:/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// Nothing is found: what a check says then is no answer.
    pub(super) fn without_programs(&self, script: &str) -> (i32, String) {
        self.run(script, "/empty")
    }

    /// All that a script can change, as text: paths, kinds, modes, owners, links and contents.
    pub(super) fn state(&self) -> String {
        let mut found = Vec::new();
        for name in ["etc", "srv", "opt", "var", "home"] {
            walk(&self.folder.0.join(name), &mut found);
        }
        found.sort();
        found.join("\n")
    }
}

fn walk(path: &PathBuf, found: &mut Vec<String>) {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::symlink_metadata(path).unwrap();
    let mut line = format!("{} {:o} {}:{}", path.display(), meta.mode(), meta.uid(), meta.gid());
    if meta.is_symlink() {
        line += &format!(" -> {}", fs::read_link(path).unwrap().display());
    } else if meta.is_file() {
        line += &format!(" {:?}", String::from_utf8_lossy(&fs::read(path).unwrap()));
    }
    found.push(line);
    if meta.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
    }
}

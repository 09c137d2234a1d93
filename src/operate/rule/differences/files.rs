//! Files, folders and links that came, went or changed.

use std::collections::BTreeMap;

use super::accounts::Names;
use super::source::{Result, Source, TEXT_BYTES_MAX};
use super::{Added, Made};
use crate::howto::{Access, Rule, Step};
use crate::source::is_secret;
use crate::storage::content::{Stand, Thing};

/// Where people configure a machine; elsewhere lies what its programs keep.
const FOLDERS: &[&str] = &["/etc", "/usr/local", "/opt", "/srv", "/root", "/var/www", "/var/spool/cron"];

/// What is no rule, by the path or what is below it, and why.
const NEVER: &[(&str, &str)] = &[
    ("/etc/passwd", ""),
    ("/etc/group", ""),
    ("/etc/shadow", "it holds passwords"),
    ("/etc/gshadow", "it holds passwords"),
    ("/etc/subuid", "the machine's own books"),
    ("/etc/subgid", "the machine's own books"),
    ("/etc/.pwd.lock", "the machine's own books"),
    ("/etc/ssl/private", "it is secret"),
    ("/etc/krb5.keytab", "it is secret"),
    ("/etc/NetworkManager/system-connections", "passwords of networks stand in it"),
    ("/etc/wpa_supplicant", "passwords of networks stand in it"),
    ("/root/.ssh", "it is secret"),
    ("/root/.gnupg", "it is secret"),
    ("/root/.cache", "programs make it by themselves"),
    ("/etc/machine-id", "it is this machine's alone"),
    ("/etc/hostname", "it is this machine's alone"),
    ("/etc/hosts", "it is this machine's alone"),
    ("/etc/adjtime", "it is this machine's alone"),
    ("/etc/mtab", "programs make it by themselves"),
    ("/etc/resolv.conf", "DHCP makes it"),
    ("/etc/ld.so.cache", "programs make it by themselves"),
    ("/etc/alternatives", "packages make it"),
    ("/etc/ssl/certs", "programs make it by themselves"),
];

/// Files of people and daemons that hold passwords, wherever they lie.
const PASSWORDS: &[&str] = &[".git-credentials", ".my.cnf", ".netrc", ".pgpass", ".smbcredentials", "chrony.keys"];

/// How names end that programs leave beside what they write.
const LEFT_BEHIND: &[&str] =
    &["~", ".swp", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-bak", ".ucf-old", ".ucf-dist", "_history"];

/// `with`: files that are asked for although others may not read them.
pub(super) fn rules(source: &dyn Source, added: &Added, with: &[String], made: &mut Made) -> Result<()> {
    let names = Names::read(source)?;
    let mut by_place: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    let mut closed = Closed { source, known: BTreeMap::new() };
    let paths = source.paths();
    for path in with.iter().filter(|path| !paths.contains(*path)) {
        made.leave(path, "it was not changed");
    }
    for path in paths {
        if added.paths.contains(&path) {
            continue;
        }
        if let Some(why) = refused(&path) {
            // What is told elsewhere, or lies where nobody configures anything, is no news.
            if !why.is_empty() {
                made.leave(path, why);
            }
            continue;
        }
        let (before, after) = (source.before(&path)?, source.after(&path)?);
        if is_file(after.as_ref()) && (is_hidden(after.as_ref()) || closed.has(&path)?) && !with.contains(&path) {
            made.leave(path, "others may not read it; if no secret stands in it, add --with and its path");
            continue;
        }
        match step(&path, before.as_ref(), after.as_ref(), &names) {
            Ok(step) => by_place.entry(place(&path)).or_default().extend(step),
            Err(why) => made.leave(path, why),
        }
    }
    for (place, steps) in by_place {
        let doc = Some(format!("Below /{place}"));
        made.push(Rule { name: place, doc, after: None, steps });
    }
    Ok(())
}

fn is_file(stand: Option<&Stand>) -> bool {
    stand.is_some_and(|stand| matches!(stand.thing, Thing::File(_) | Thing::Large))
}

/// Others may not read it: a module is read by all.
fn is_hidden(stand: Option<&Stand>) -> bool {
    stand.is_some_and(|stand| stand.mode & 0o007 == 0)
}

/// Folders that their owner alone may enter: nobody else reads what is below them, whatever its own permissions say.
/// One that a group may enter is a program's, as /srv/board 0750: there the files themselves tell.
struct Closed<'s> {
    source: &'s dyn Source,
    known: BTreeMap<String, bool>,
}

impl Closed<'_> {
    /// Is a folder above this path one of them?
    fn has(&mut self, path: &str) -> Result<bool> {
        let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) else { return Ok(false) };
        if let Some(known) = self.known.get(folder) {
            return Ok(*known);
        }
        let own = self.source.after(folder)?.is_some_and(|stand| stand.thing == Thing::Folder && stand.mode & 0o011 == 0);
        let is_closed = own || self.has(folder)?;
        self.known.insert(folder.to_owned(), is_closed);
        Ok(is_closed)
    }
}

/// Why a path is no rule; with an empty reason nobody is told.
fn refused(path: &str) -> Option<&'static str> {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !FOLDERS.iter().any(|folder| below(folder)) {
        return Some("");
    }
    // `/etc/shadow-` is what was before in /etc/shadow.
    let own = path.strip_suffix('-').unwrap_or(path);
    let never = NEVER.iter().find(|(known, _)| below(known) || own == *known);
    if let Some((_, why)) = never {
        return Some(why);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if LEFT_BEHIND.iter().any(|end| name.ends_with(end)) {
        return Some("");
    }
    let is_key = name.starts_with("ssh_host_") || name.starts_with("id_") && path.contains("/.ssh/");
    if is_key || is_secret(path) || PASSWORDS.contains(&name) {
        return Some("it is secret");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+@~-/".contains(c);
    (!path.chars().all(plain)).then_some("rules name no such path")
}

/// The rule of a path: its first two folders.
fn place(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let folders = parts.len().saturating_sub(1).clamp(1, 2);
    parts.into_iter().take(folders).collect::<Vec<_>>().join("/")
}

fn step(
    path: &str,
    before: Option<&Stand>,
    after: Option<&Stand>,
    names: &Names,
) -> std::result::Result<Option<Step>, &'static str> {
    let own = || path.to_owned();
    let Some(after) = after else {
        return match before.map(|stand| &stand.thing) {
            Some(Thing::Folder) => Err("a folder was deleted, and rules delete no folder with all that is in it"),
            Some(_) => Ok(Some(Step::Absent(own()))),
            None => Ok(None),
        };
    };
    let access = |usual: u32| Access {
        mode: (after.mode != usual).then(|| format!("{:04o}", after.mode)),
        owner: (after.owner != 0).then(|| names.user(after.owner)),
        group: (after.group != 0).then(|| names.group(after.group)),
    };
    match &after.thing {
        Thing::File(bytes) => {
            let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or("it is no text")?;
            if bytes.len() > TEXT_BYTES_MAX {
                return Err("it is larger than 1 MiB");
            }
            if text.contains("PRIVATE KEY-----") {
                return Err("a private key stands in it");
            }
            Ok(Some(Step::File { path: own(), content: bytes.clone(), access: access(0o644) }))
        }
        Thing::Folder => Ok(Some(Step::Folder { path: own(), access: access(0o755) })),
        Thing::Link(target) => {
            let to = String::from_utf8(target.clone()).map_err(|_| "its target is no text")?;
            Ok(Some(Step::Link { path: own(), to }))
        }
        Thing::Large => Err("it is larger than 1 MiB"),
        Thing::Other => Err("it is neither file, folder nor link"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_is_a_machines_own_are_no_rules() {
        for path in [
            "/etc/shadow",
            "/etc/shadow-",
            "/etc/ssh/ssh_host_rsa_key",
            "/root/.ssh/id_rsa",
            "/etc/ssl/private/x.pem",
            "/etc/machine-id",
        ] {
            assert!(refused(path).is_some_and(|why| !why.is_empty()), "{path}");
        }
        for path in ["/etc/passwd", "/var/log/syslog", "/home/ana/x", "/etc/motd~", "/proc/1"] {
            assert_eq!(refused(path), Some(""), "{path}");
        }
        assert_eq!((refused("/etc/nginx/nginx.conf"), refused("/etc/hosts.allow")), (None, None));
        assert_eq!(["/etc/motd", "/etc/nginx/x", "/etc/nginx/conf.d/x"].map(place), ["etc", "etc/nginx", "etc/nginx"]);
    }
}

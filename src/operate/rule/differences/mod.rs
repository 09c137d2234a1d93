//! What somebody changed on a machine → rules for another one.
//!
//! ```text
//!  overlay ─┐                    ┌─ packages ─┐
//!  tracked ─┴─► Source: before, ─┼─ accounts ─┼─► HowTo ─► howto::write ─► a module
//!               after, paths     └─ files ────┘
//! ```
//! [`source`] is a machine before and after, whichever way that is known. [`packages`], [`accounts`] and [`files`] each
//! make rules of their part, and tell what they leave out: what is secret, what is a machine's own, and what
//! programs make by themselves.

mod accounts;
mod files;
mod packages;
pub mod source;

use std::collections::BTreeSet;

use crate::howto::{HowTo, Rule};
use source::{Result, Source};

/// Rules, and what did not become any.
#[derive(Debug, Default)]
pub struct Made {
    pub howto: HowTo,
    /// Path or name, and why it is left to a person.
    pub left_out: Vec<(String, &'static str)>,
}

/// What was changed on `host` as rules; `with` are files that are wanted although others may not read them.
pub fn rules(host: &str, source: &dyn Source, with: &[String]) -> Result<Made> {
    let mut made = Made { howto: HowTo { doc: format!("What was changed on {host}."), rules: Vec::new() }, left_out: Vec::new() };
    let added = packages::rules(source, &mut made)?;
    // Users that only packages brought come with them.
    accounts::rules(source, !added.names.is_empty(), &mut made)?;
    files::rules(source, &added, with, &mut made)?;
    let mut before = None;
    for (at, rule) in made.howto.rules.iter_mut().enumerate() {
        rule.after = before;
        before = Some(at);
    }
    Ok(made)
}

/// What packages brought by themselves.
#[derive(Debug, Default)]
struct Added {
    names: BTreeSet<String>,
    /// Paths of theirs that are as they came.
    paths: BTreeSet<String>,
}

impl Made {
    fn push(&mut self, rule: Rule) {
        if !rule.steps.is_empty() {
            self.howto.rules.push(rule);
        }
    }

    fn leave(&mut self, what: impl Into<String>, why: &'static str) {
        self.left_out.push((what.into(), why));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::howto::Step;
    use crate::storage::content::{Stand, Thing};

    /// Path → mode, text before, text after.
    struct Two(BTreeMap<&'static str, (u32, &'static str, &'static str)>);

    impl Source for Two {
        fn paths(&self) -> BTreeSet<String> {
            self.0.iter().filter(|(_, (_, before, after))| before != after).map(|(path, _)| (*path).to_owned()).collect()
        }

        fn before(&self, path: &str) -> Result<Option<Stand>> {
            Ok(self.0.get(path).filter(|(_, text, _)| !text.is_empty()).map(|(mode, text, _)| stand(*mode, text)))
        }

        fn after(&self, path: &str) -> Result<Option<Stand>> {
            Ok(self.0.get(path).filter(|(_, _, text)| !text.is_empty()).map(|(mode, _, text)| stand(*mode, text)))
        }
    }

    fn stand(mode: u32, text: &str) -> Stand {
        let thing = if text == "/" { Thing::Folder } else { Thing::File(text.into()) };
        Stand { thing, mode, owner: 0, group: 0 }
    }

    fn files(made: &Made) -> Vec<&str> {
        let steps = made.howto.rules.iter().flat_map(|rule| &rule.steps);
        steps.filter_map(|step| if let Step::File { path, .. } = step { Some(path.as_str()) } else { None }).collect()
    }

    #[test]
    fn what_others_may_not_read_is_left_out_and_named() {
        let machine = Two(BTreeMap::from([
            ("/etc/app.conf", (0o640, "", "password = 1\n")),
            ("/etc/plain.conf", (0o644, "", "x = 1\n")),
            ("/etc/shadow.bak", (0o644, "", "root:$6$:\n")),
            ("/etc/security/opasswd", (0o644, "", "x\n")),
            ("/etc/wireguard/wg0.conf", (0o644, "", "PrivateKey = x\n")),
            ("/root/.my.cnf", (0o644, "", "x\n")),
        ]));
        let made = rules("a", &machine, &[]).unwrap_or_default();
        assert_eq!(files(&made), ["/etc/plain.conf"]);
        let left: Vec<&str> = made.left_out.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            left,
            ["/etc/app.conf", "/etc/security/opasswd", "/etc/shadow.bak", "/etc/wireguard/wg0.conf", "/root/.my.cnf"]
        );
        let with = ["/etc/app.conf", "/etc/wireguard/wg0.conf", "/etc/none"].map(str::to_owned);
        let made = rules("a", &machine, &with).unwrap_or_default();
        assert_eq!(files(&made), ["/etc/app.conf", "/etc/plain.conf"], "what is secret by its name stays out");
        assert!(made.left_out.contains(&("/etc/none".to_owned(), "it was not changed")));
    }

    #[test]
    fn what_lies_in_a_folder_that_its_owner_alone_may_enter_is_left_out() {
        let machine = Two(BTreeMap::from([
            ("/root", (0o700, "/", "/")),
            ("/root/bin", (0o755, "", "/")),
            ("/root/bin/backup", (0o755, "", "mysqldump -psecret\n")),
            ("/srv/open", (0o750, "/", "/")),
            ("/srv/open/index", (0o644, "", "x\n")),
        ]));
        let made = rules("a", &machine, &[]).unwrap_or_default();
        assert_eq!(files(&made), ["/srv/open/index"]);
        let left: Vec<&str> = made.left_out.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(left, ["/root/bin/backup"]);
        let made = rules("a", &machine, &["/root/bin/backup".to_owned()]).unwrap_or_default();
        assert_eq!(files(&made), ["/root/bin/backup", "/srv/open/index"]);
    }

    #[test]
    fn what_an_upgrade_changed_is_no_rule() {
        // printf 'new\n' | md5sum
        let status = |version: &str, sum: &str| {
            format!(
                "Package: app\nStatus: install ok installed\nVersion: {version}\nConffiles:\n /etc/app {sum}\n /etc/own {sum}\n\n"
            )
            .leak() as &'static str
        };
        let sum = "9cd599a3523898e6a12e13ec787da50a";
        let machine = Two(BTreeMap::from([
            ("/var/lib/dpkg/status", (0o644, status("1", "0"), status("2", sum))),
            ("/var/lib/dpkg/info/app.list", (0o644, "/opt/app/lib\n", "/opt/app/lib\n/opt/app/new\n")),
            ("/etc/app", (0o644, "old\n", "new\n")),
            ("/etc/own", (0o644, "old\n", "mine\n")),
            ("/opt/app/lib", (0o644, "1\n", "2\n")),
            ("/opt/app/new", (0o644, "", "2\n")),
        ]));
        let made = rules("a", &machine, &[]).unwrap_or_default();
        assert_eq!(files(&made), ["/etc/own"], "{made:?}");
    }
}

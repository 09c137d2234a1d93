//! Users, groups and their members that came, from /etc/passwd and /etc/group.

use std::collections::{BTreeMap, BTreeSet};

use super::Made;
use super::source::{Result, Source};
use crate::howto::{Rule, Step};
use crate::remote::quote;

/// The first number of people; below are programs.
const PEOPLE: u32 = 1000;
const NOBODY: u32 = 65_534;

/// A line of /etc/passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    number: u32,
    group: u32,
    gecos: String,
    home: String,
    shell: String,
}

/// A line of /etc/group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    number: u32,
    members: BTreeSet<String>,
}

/// `with_packages`: what is no person's may have come with a package, which makes it again.
pub(super) fn rules(source: &dyn Source, with_packages: bool, made: &mut Made) -> Result<()> {
    let [users_before, users] = source.texts("/etc/passwd")?.map(|text| users(&text));
    let [groups_before, groups] = source.texts("/etc/group")?.map(|text| groups(&text));
    if users == users_before && groups == groups_before {
        return Ok(());
    }
    let is_new = |name: &String| !groups_before.contains_key(name);
    for (name, group) in groups.iter().filter(|(name, _)| is_new(name)) {
        if with_packages && group.number < PEOPLE {
            made.leave(format!("group {name}"), "the package that made it makes it again");
        } else {
            made.push(of_group(name, group));
        }
    }
    for (name, user) in &users {
        match users_before.get(name) {
            Some(before) if before == user => {}
            Some(_) => made.leave(format!("user {name}"), "its line in /etc/passwd says something else than before"),
            None if with_packages && user.number < PEOPLE => {
                made.leave(format!("user {name}"), "the package that made it makes it again")
            }
            None => made.push(of_user(name, user, &groups)),
        }
    }
    for (name, group) in &groups {
        let none = BTreeSet::new();
        let before = groups_before.get(name).map_or(&none, |group| &group.members);
        for member in group.members.difference(before).filter(|member| users.contains_key(*member)) {
            let of_package = with_packages && users.get(member).is_some_and(|user| user.number < PEOPLE) && is_new(name);
            if !of_package {
                made.push(of_member(member, name));
            }
        }
    }
    let gone = users_before.keys().filter(|name| !users.contains_key(*name));
    gone.for_each(|name| made.leave(format!("user {name}"), "it was deleted, and rules delete no user"));
    Ok(())
}

/// Ends with 1 where getent says that there is none; any other trouble is unknown.
fn look_up(base: &str, name: &str) -> String {
    format!("getent {base} {} >/dev/null; code=$?; [ $code -ne 2 ] || exit 1; [ $code -eq 0 ] || exit 2", quote(name))
}

fn of_group(name: &str, group: &Group) -> Rule {
    // Its number is left to the machine, where it may be somebody else's: owners of files go by name.
    let system = if group.number < PEOPLE { "--system " } else { "" };
    let steps = vec![Step::Check(look_up("group", name)), Step::Apply(format!("groupadd {system}-- {}", quote(name)))];
    Rule { name: format!("group-{name}"), doc: Some(format!("Group {name}")), after: None, steps }
}

fn of_user(name: &str, user: &User, groups: &BTreeMap<String, Group>) -> Rule {
    let group = groups.iter().find(|(_, group)| group.number == user.group).map(|(name, _)| name.as_str());
    let is_person = (PEOPLE..NOBODY).contains(&user.number);
    let mut words = vec!["useradd".to_owned()];
    match is_person {
        true => words.push("--create-home".to_owned()),
        false => words.push("--system --no-create-home".to_owned()),
    }
    words.extend(group.map(|group| format!("--gid {}", quote(group))));
    words.extend([format!("--home-dir {}", quote(&user.home)), format!("--shell {}", quote(&user.shell))]);
    words.extend((!user.gecos.is_empty()).then(|| format!("--comment {}", quote(&user.gecos))));
    words.push(format!("-- {}", quote(name)));
    let mut steps = vec![Step::Check(look_up("passwd", name)), Step::Apply(words.join(" "))];
    if is_person && !user.shell.ends_with("nologin") && !user.shell.ends_with("false") {
        steps.push(Step::Manual(format!("Give {name} a password or a key: these are never copied.")));
    }
    Rule { name: format!("user-{name}"), doc: Some(format!("User {name}")), after: None, steps }
}

fn of_member(user: &str, group: &str) -> Rule {
    let check = format!(
        "code=0; all=$(id -nG -- {} 2>/dev/null) || code=$?; case $code in 0) ;; 1) exit 1 ;; *) exit 2 ;; esac; case \" $all \" in *\" \"{}\" \"*) ;; *) exit 1 ;; esac",
        quote(user),
        quote(group)
    );
    let steps = vec![Step::Check(check), Step::Apply(format!("usermod -aG {} -- {}", quote(group), quote(user)))];
    Rule { name: format!("member-{user}-{group}"), doc: Some(format!("{user} is in group {group}")), after: None, steps }
}

fn users(text: &str) -> BTreeMap<String, User> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, group, gecos, home, shell] = fields.as_slice() else { return None };
        let user = User {
            number: number.parse().ok()?,
            group: group.parse().ok()?,
            gecos: (*gecos).to_owned(),
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
        };
        Some(((*name).to_owned(), user))
    };
    text.lines().filter_map(line).collect()
}

fn groups(text: &str) -> BTreeMap<String, Group> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, members] = fields.as_slice() else { return None };
        let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(((*name).to_owned(), Group { number: number.parse().ok()?, members }))
    };
    text.lines().filter_map(line).collect()
}

/// The names of numbers, as the machine has them after.
pub(super) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    pub(super) fn read(source: &dyn Source) -> Result<Names> {
        let ([_, passwd], [_, group]) = (source.texts("/etc/passwd")?, source.texts("/etc/group")?);
        // Of two names for one number the first one counts.
        let users = users(&passwd).into_iter().rev().map(|(name, user)| (user.number, name)).collect();
        Ok(Names { users, groups: groups(&group).into_iter().rev().map(|(name, group)| (group.number, name)).collect() })
    }

    pub(super) fn user(&self, number: u32) -> String {
        self.users.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }

    pub(super) fn group(&self, number: u32) -> String {
        self.groups.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }
}

//! Files and folders: what is there, who owns it, and what it is a copy of.

use super::{Made, absolute, flags, is_name, joined, pair, sh};
use crate::howto::{Access, Step};

/// Folders that a link is put into, even where nobody wrote the slash.
const FOLDERS: &[&str] = &[
    "/etc/apache2/conf-enabled",
    "/etc/apache2/sites-enabled",
    "/etc/nginx/conf.d",
    "/etc/nginx/sites-enabled",
    "/etc/profile.d",
    "/etc/systemd/system",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];
/// What is said after the name of a copy that is kept as it was.
const KEPT: &[&str] = &[".bak", ".backup", ".dist", ".old", ".orig", "~"];
/// How the apply of a deletion begins; the path stands behind it.
pub(in crate::howto) const DELETES: &str = "rm -rf -- ";
/// A path with fewer parts is never deleted with all that is in it.
const DELETED_PARTS_MIN: usize = 2;

pub(super) fn read(program: &str, args: &[&str]) -> Made {
    let made = match program {
        "mkdir" => mkdir(args),
        "chmod" => chmod(args),
        "chown" | "chgrp" => chown(program, args),
        "ln" => link(args),
        "rm" | "unlink" => remove(args),
        "cp" => copy(args),
        "install" => install(args),
        "touch" => touch(args),
        _ => None,
    };
    made.unwrap_or(Made::Unknown)
}

fn all_absolute(paths: &[&str]) -> Option<Vec<String>> {
    paths.iter().map(|path| absolute(path)).collect::<Option<Vec<_>>>().filter(|paths| !paths.is_empty())
}

/// Three or four octal digits, as `chmod` takes them.
fn octal(mode: &str) -> Option<String> {
    let sound = (3..=5).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..b'8').contains(&byte));
    let bare = mode.trim_start_matches('0');
    (sound && bare.len() <= 4).then(|| format!("{bare:0>4}"))
}

fn mkdir(args: &[&str]) -> Option<Made> {
    let (flags, paths) = flags(args, &["-m", "--mode"])?;
    let mut access = Access::default();
    for (flag, value) in flags {
        match flag {
            "-p" | "--parents" | "-v" | "-pv" => {}
            "-m" | "--mode" => access.mode = Some(octal(value)?),
            _ => return None,
        }
    }
    let folder = |path| Step::Folder { path, access: access.clone() };
    Some(Made::Steps(all_absolute(&paths)?.into_iter().map(folder).collect()))
}

/// `stat` follows links, as `chmod` and `chown` do; what is not there does not hold yet.
pub(super) fn compared(path: &str, format: &str, wanted: &str) -> String {
    let path = sh(path);
    format!("test -e {path} || exit 1\nheld=$(stat -L -c {format} -- {path}) || exit 2\ntest \"$held\" = {}", sh(wanted))
}

/// A folder of which mode and owners are not all known: what is not said stays as it is.
pub(in crate::howto) fn folder(path: &str, access: &Access) -> Vec<Step> {
    let file = sh(path);
    let mut checks = vec![Step::Check(format!("command -v mkdir >/dev/null || exit 2\ntest -d {file}"))];
    let mut apply = format!("mkdir -p {file}");
    if let Some(mode) = &access.mode {
        checks.push(Step::Check(compared(path, "%a", mode.trim_start_matches('0'))));
        apply.push_str(&format!(" && chmod {mode} {file}"));
    }
    for (format, program, name) in [("%U", "chown", &access.owner), ("%G", "chgrp", &access.group)] {
        if let Some(name) = name {
            checks.push(Step::Check(compared(path, format, name)));
            apply.push_str(&format!(" && {program} {name} {file}"));
        }
    }
    checks.into_iter().chain([Step::Apply(apply)]).collect()
}

/// Everything below a path: the first that `find` finds is a no.
fn all_below(path: &str, differs: &str) -> String {
    let path = sh(path);
    format!("test -e {path} || exit 1\nfound=$(find {path} {differs} -print -quit) || exit 2\ntest -z \"$found\"")
}

fn chmod(args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, &[])?;
    let is_deep = match flags.as_slice() {
        [] => false,
        [("-R" | "--recursive", "")] => true,
        _ => return None,
    };
    let (mode, paths) = words.split_first()?;
    let paths = all_absolute(paths)?;
    let apply = format!(
        "chmod {}{} {}",
        if is_deep { "-R " } else { "" },
        sh(mode),
        joined(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    );
    let checks: Vec<Step>;
    let known = if matches!(*mode, "+x" | "a+x") && !is_deep {
        // `test -x` of root is already content with one of the three.
        checks = paths.iter().map(|path| Step::Check(all_below(path, "-maxdepth 0 ! -perm -111"))).collect();
        "+x".to_owned()
    } else {
        let mode = octal(mode)?;
        let bare = mode.trim_start_matches('0');
        let bare = if bare.is_empty() { "0" } else { bare };
        let deep = format!("! -type l ! -perm {mode}");
        let check = |path: &String| if is_deep { all_below(path, &deep) } else { compared(path, "%a", bare) };
        checks = paths.iter().map(|path| Step::Check(check(path))).collect();
        mode
    };
    let steps = checks.into_iter().chain([Step::Apply(apply)]).collect();
    Some(one(&paths, Access { mode: Some(known), ..Access::default() }, is_deep, steps))
}

/// One path may be of an earlier line, which then says mode and owners itself.
fn one(paths: &[String], access: Access, is_deep: bool, steps: Vec<Step>) -> Made {
    match paths {
        [path] => Made::Access { path: path.clone(), access, is_deep, steps },
        _ => Made::Steps(steps),
    }
}

fn chown(program: &str, args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, &[])?;
    let is_deep = match flags.as_slice() {
        [] => false,
        [("-R" | "--recursive", "")] => true,
        _ => return None,
    };
    let (whom, paths) = words.split_first()?;
    // `root.root` is the old form of `root:root`; `jana.kos` may be a name.
    let dotted = whom.split_once('.').filter(|(owner, group)| !group.is_empty() && (owner == group || *owner == "root"));
    let (owner, group) = match (program, whom.split_once(':'), dotted) {
        ("chgrp", ..) => ("", *whom),
        (_, Some(both), _) | (_, None, Some(both)) => both,
        (_, None, None) if whom.contains('.') => return None,
        (_, None, None) => (*whom, ""),
    };
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    // `user:` means the group of the user, which is not in the text; a number has no name to compare.
    let sound = |name: &String| is_name(name) && !name.contains(':') && !name.bytes().all(|byte| byte.is_ascii_digit());
    if whom.ends_with(':') || !named(owner).iter().chain(&named(group)).all(sound) || (owner.is_empty() && group.is_empty()) {
        return None;
    }
    let paths = all_absolute(paths)?;
    let written = if program == "chown" && whom.contains('.') { format!("{owner}:{group}") } else { (*whom).to_owned() };
    let words: Vec<&str> = args.iter().map(|word| if word == whom { written.as_str() } else { word }).collect();
    let apply = format!("{program} {}", joined(&words));
    let (owner, group) = (named(owner), named(group));
    if is_deep {
        let who = owner.iter().map(|owner| ("passwd", owner)).chain(group.iter().map(|group| ("group", group)));
        let exist: String = who.map(|(database, name)| exists(database, name)).collect();
        let tests: Vec<String> = owner
            .iter()
            .map(|owner| format!("! -user {owner}"))
            .chain(group.iter().map(|group| format!("! -group {group}")))
            .collect();
        let differs = format!("\\( {} \\)", tests.join(" -o "));
        let check = |path: &String| Step::Check(exist.clone() + &all_below(path, &differs));
        let steps = paths.iter().map(check).chain([Step::Apply(apply)]).collect();
        return Some(one(&paths, Access { mode: None, owner, group }, true, steps));
    }
    let (format, wanted) = match (&owner, &group) {
        (Some(owner), Some(group)) => ("%U:%G", format!("{owner}:{group}")),
        (Some(owner), None) => ("%U", owner.clone()),
        (None, group) => ("%G", group.clone().unwrap_or_default()),
    };
    let check = |path: &String| Step::Check(compared(path, format, &wanted));
    let steps = paths.iter().map(check).chain([Step::Apply(apply)]).collect();
    Some(one(&paths, Access { mode: None, owner, group }, false, steps))
}

/// Nothing belongs to somebody who is not there; `find` would only stumble over the name.
fn exists(database: &str, name: &str) -> String {
    format!("code=0\ngetent {database} {name} >/dev/null || code=$?\ncase $code in 0) ;; 2) exit 1 ;; *) exit 2 ;; esac\n")
}

fn link(args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, &[])?;
    let letters: String = flags
        .iter()
        .filter_map(|(flag, _)| flag.strip_prefix('-'))
        .map(|flag| if flag == "-symbolic" { "s" } else { flag })
        .collect();
    let [to, path] = words.as_slice() else { return None };
    if !letters.contains('s')
        || !letters.chars().all(|c| "sfnTv".contains(c))
        || to.chars().any(char::is_control)
        || to.is_empty()
    {
        return None;
    }
    let base = to.trim_end_matches('/').rsplit('/').next().filter(|base| !matches!(*base, "" | "." | ".."))?;
    let is_folder = path.ends_with('/') || FOLDERS.contains(path);
    let path = absolute(path)?;
    let path = if is_folder { format!("{path}/{base}") } else { path };
    Some(Made::Steps(vec![Step::Link { path, to: (*to).to_owned() }]))
}

fn remove(args: &[&str]) -> Option<Made> {
    let (flags, paths) = flags(args, &[])?;
    let letters: String = flags.iter().filter_map(|(flag, _)| flag.strip_prefix('-')).collect();
    if !letters.chars().all(|c| "rRfv".contains(c)) {
        return None;
    }
    let paths = all_absolute(&paths)?;
    if !letters.contains(['r', 'R']) {
        return Some(Made::Steps(paths.into_iter().map(Step::Absent).collect()));
    }
    if paths.iter().any(|path| path.split('/').skip(1).count() < DELETED_PARTS_MIN) {
        return Some(Made::Told(String::new()));
    }
    let gone = |path: &String| {
        let file = sh(path);
        pair(format!("command -v rm >/dev/null || exit 2\ntest ! -e {file} && test ! -L {file}"), format!("{DELETES}{file}"))
    };
    Some(Made::Steps(paths.iter().flat_map(gone).collect()))
}

fn copy(args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, &[])?;
    let letters: String = flags.iter().filter_map(|(flag, _)| flag.strip_prefix('-')).collect();
    let [from, to] = words.as_slice() else { return None };
    if !letters.chars().all(|c| "apfvnrR".contains(c)) {
        return None;
    }
    let base = from.rsplit('/').next().unwrap_or_default();
    let is_folder = to.ends_with('/');
    let (from, to) = (absolute(from)?, absolute(to)?);
    let to = if is_folder { format!("{to}/{base}") } else { to };
    let (from_sh, to_sh) = (sh(&from), sh(&to));
    let apply = format!("cp {}{from_sh} {to_sh}", flags.iter().map(|(flag, _)| format!("{flag} ")).collect::<String>());
    let once = pair(format!("command -v cp >/dev/null || exit 2\ntest -e {to_sh}"), format!("test -e {to_sh} || {apply}"));
    if to.strip_prefix(&from).is_some_and(|end| KEPT.contains(&end)) {
        return Some(Made::Steps(once)); // the copy is of the day on which it was made, and stays so
    }
    // A folder is copied into a folder that is there, beside one that is not: the text does not say which.
    (!letters.contains(['r', 'R'])).then_some(())?;
    Some(Made::Copied { path: to, steps: pair(same_content(&from_sh, &to_sh), apply), once })
}

/// `cmp`: 0 same, 1 differs, 2 trouble; a copy that is not there is a no, a folder is not ours to say.
fn same_content(from: &str, to: &str) -> String {
    format!(
        "command -v cmp >/dev/null || exit 2\ntest -f {from} || exit 2\ntest ! -d {to} || exit 2\ntest -e {to} || exit 1\ncmp -s -- {from} {to}"
    )
}

fn install(args: &[&str]) -> Option<Made> {
    let (flags, words) = flags(args, &["-m", "--mode", "-o", "--owner", "-g", "--group"])?;
    let mut access = Access::default();
    let mut is_folder = false;
    for (flag, value) in flags {
        match flag {
            "-d" | "--directory" => is_folder = true,
            "-D" | "-v" => {}
            "-m" | "--mode" => access.mode = Some(octal(value)?),
            "-o" | "--owner" if is_name(value) => access.owner = Some(value.to_owned()),
            "-g" | "--group" if is_name(value) => access.group = Some(value.to_owned()),
            _ => return None,
        }
    }
    if is_folder {
        let folder = |path| Step::Folder { path, access: access.clone() };
        return Some(Made::Steps(all_absolute(&words)?.into_iter().map(folder).collect()));
    }
    let [from, to] = words.as_slice() else { return None };
    let base = from.rsplit('/').next().unwrap_or_default();
    let is_folder = to.ends_with('/');
    let (from, to) = (absolute(from)?, absolute(to)?);
    let to = if is_folder { format!("{to}/{base}") } else { to };
    let mut compared_too = Vec::new();
    // Without a mode, `install` makes it 0755.
    let mode = access.mode.clone().unwrap_or_else(|| "0755".to_owned());
    compared_too.push(Step::Check(compared(&to, "%a", mode.trim_start_matches('0'))));
    compared_too.extend(access.owner.iter().map(|owner| Step::Check(compared(&to, "%U", owner))));
    compared_too.extend(access.group.iter().map(|group| Step::Check(compared(&to, "%G", group))));
    let apply = format!("install {}", joined(args));
    let file = sh(&to);
    let once = pair(format!("command -v install >/dev/null || exit 2\ntest -e {file}"), format!("test -e {file} || {apply}"));
    let same = [Step::Check(same_content(&sh(&from), &file))];
    let steps = same.into_iter().chain(compared_too).chain([Step::Apply(apply)]).collect();
    Some(Made::Copied { path: to, steps, once })
}

fn touch(args: &[&str]) -> Option<Made> {
    let paths = all_absolute(args)?;
    let steps = paths.iter().flat_map(|path| {
        let path = sh(path);
        pair(format!("command -v touch >/dev/null || exit 2\ntest -e {path}"), format!("test -e {path} || touch {path}"))
    });
    Some(Made::Steps(steps.collect()))
}

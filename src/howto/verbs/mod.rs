//! One plain command → what it changes, and how one sees whether that is so.
//!
//! Every script here keeps the contract of `check`: 0 is kept, 1 is a definite no, anything else is not
//! known (the program is missing, the machine answers something else). Every `apply` may run again when
//! its work is done already, since a rule is applied as a whole.

mod files;
mod firewall;
mod packages;
mod people;
mod services;
mod substitute;
mod system;
mod texts;

use super::shell::{Command, Pipeline};
use super::{Access, Step};

/// What a command of a how-to becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Steps(Vec<Step>),
    /// It only looks, or does what a rule does anyway.
    Nothing,
    /// Programs read again what a rule has changed: it has no state of its own.
    Again(String),
    /// Mode and owners of a path, or of all below it, which an earlier line may have made.
    Access {
        path: String,
        access: Access,
        is_deep: bool,
        steps: Vec<Step>,
    },
    /// Text at the end of a file, which an earlier line may have written.
    Behind {
        path: String,
        text: String,
        steps: Vec<Step>,
    },
    /// Some text within a file is another now.
    Edited {
        path: String,
        source: String,
        steps: Vec<Step>,
    },
    /// A file is like another; `once` is for a copy that is edited afterwards.
    Copied {
        path: String,
        steps: Vec<Step>,
        once: Vec<Step>,
    },
    /// A person does it.
    Told(String),
    /// Nobody here knows: then the block stays as it is.
    Unknown,
}

pub(super) use files::{DELETES, folder};
pub(super) use firewall::SHUTS;

/// Who knows a verb; the first that does not say [`Made::Unknown`] is right.
const READERS: &[fn(&str, &[&str]) -> Made] =
    &[packages::read, services::read, people::read, files::read, substitute::read, firewall::read, system::read];

/// Programs that a how-to starts; a block without a language is shell if it begins with one of them.
const PROGRAMS: &[&str] = &[
    "a2dismod",
    "a2dissite",
    "a2enconf",
    "a2enmod",
    "a2ensite",
    "addgroup",
    "adduser",
    "apt",
    "apt-get",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "curl",
    "echo",
    "git",
    "gpasswd",
    "groupadd",
    "hostnamectl",
    "install",
    "ln",
    "ls",
    "make",
    "mkdir",
    "mv",
    "nano",
    "printf",
    "rm",
    "sed",
    "service",
    "ssh",
    "su",
    "sudo",
    "sysctl",
    "systemctl",
    "tar",
    "tee",
    "timedatectl",
    "touch",
    "ufw",
    "useradd",
    "usermod",
    "vi",
    "vim",
    "wget",
];

/// How deep `sh -c` may nest.
const SHELLS_MAX: usize = 2;

/// Linux's own limit for a path, in bytes.
pub(super) const PATH_BYTES_MAX: usize = 4096;

/// What a rule takes as a path, and as a part of one, in bytes.
const RULE_PATH_BYTES_MAX: usize = 1024;
const PART_BYTES_MAX: usize = 255;

pub(super) fn is_program(word: &str) -> bool {
    PROGRAMS.binary_search(&word).is_ok()
}

/// One pipeline → what it becomes. More than one, where it starts a shell for several.
pub(super) fn read(pipeline: &Pipeline) -> Vec<Made> {
    let made = nested(pipeline, 0);
    let is_named = |made: &Made| match made {
        Made::Steps(steps) => steps.iter().filter_map(super::settle::path_of).all(is_plain),
        Made::Nothing | Made::Again(_) | Made::Access { .. } | Made::Behind { .. } | Made::Edited { .. } => true,
        Made::Copied { .. } | Made::Told(_) | Made::Unknown => true,
    };
    if made.iter().all(is_named) { made } else { vec![Made::Unknown] }
}

/// Would a line of a rule take this path? The language's own words for it are in docs of `rule/path`.
fn is_plain(path: &str) -> bool {
    let plain =
        |part: &str| part.len() <= PART_BYTES_MAX && part.chars().all(|c| c.is_ascii_alphanumeric() || "._+@~-".contains(c));
    path.len() <= RULE_PATH_BYTES_MAX && path.split('/').all(plain)
}

fn nested(pipeline: &Pipeline, depth: usize) -> Vec<Made> {
    let bare: Option<Pipeline> = pipeline.iter().map(without_sudo).collect();
    let Some(bare) = bare else { return vec![Made::Unknown] };
    match bare.as_slice() {
        [only] if only.words.is_empty() => vec![Made::Nothing],
        [only] => match inner(only) {
            Some(script) if depth < SHELLS_MAX => {
                let script = super::shell::script(script);
                script
                    .map_or_else(|| vec![Made::Unknown], |lines| lines.iter().flat_map(|line| nested(line, depth + 1)).collect())
            }
            Some(_) => vec![Made::Unknown],
            None => vec![single(only)],
        },
        [from, to] => vec![texts::piped(from, to)],
        _ => vec![Made::Unknown],
    }
}

fn single(command: &Command) -> Made {
    if command.output.is_some() || command.input.is_some() {
        return texts::written(command);
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let Some((program, args)) = words.split_first() else { return Made::Nothing };
    let program = program.strip_prefix("/usr").unwrap_or(program);
    let program = ["/bin/", "/sbin/"].iter().find_map(|folder| program.strip_prefix(folder)).unwrap_or(program);
    let made = READERS.iter().map(|reader| reader(program, args)).find(|made| *made != Made::Unknown).unwrap_or(Made::Unknown);
    if made == Made::Told(String::new()) { Made::Told(format!("Run: {}", command.source)) } else { made }
}

/// `sudo` and its harmless flags are gone: a rule is applied as root. One that means another user is not.
fn without_sudo(command: &Command) -> Option<Command> {
    let mut words = command.words.as_slice();
    let noninteractive = "DEBIAN_FRONTEND=noninteractive";
    loop {
        match words.split_first() {
            Some((word, rest)) if word == "sudo" => {
                let flags = rest.iter().take_while(|word| word.starts_with('-')).count();
                let (flags, rest) = rest.split_at_checked(flags)?;
                let becomes_root = rest.is_empty() && flags.iter().all(|flag| matches!(flag.as_str(), "-i" | "-s" | "-E"));
                let known = flags.iter().all(|flag| matches!(flag.as_str(), "-E" | "-H" | "-n" | "--"));
                if !becomes_root && !known {
                    return None;
                }
                words = rest;
            }
            Some((word, rest)) if word == noninteractive && !rest.is_empty() => words = rest,
            Some((word, rest)) if word == "su" && rest.iter().all(|word| matches!(word.as_str(), "-" | "-l" | "root")) => {
                words = &[]
            }
            Some(_) | None => break,
        }
    }
    Some(Command { words: words.to_vec(), ..command.clone() })
}

/// The script of `sh -c SCRIPT`.
fn inner(command: &Command) -> Option<&str> {
    match command.words.as_slice() {
        [shell, flag, script] if matches!(shell.as_str(), "sh" | "bash") && flag == "-c" && command.output.is_none() => {
            Some(script)
        }
        _ => None,
    }
}

/// A check and what mends it.
fn pair(check: impl Into<String>, apply: impl Into<String>) -> Vec<Step> {
    vec![Step::Check(check.into()), Step::Apply(apply.into())]
}

/// A word as a shell reads it back.
pub(super) fn sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,-=".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn joined(words: &[&str]) -> String {
    words.iter().map(|word| sh(word)).collect::<Vec<_>>().join(" ")
}

/// A path that means the same wherever one stands, without a slash at its end.
fn absolute(path: &str) -> Option<String> {
    let sound =
        path.len() <= PATH_BYTES_MAX && path.starts_with('/') && !path.contains("//") && !path.chars().any(char::is_control);
    let sound = sound && path.split('/').all(|part| !matches!(part, "." | ".."));
    let bare = path.trim_end_matches('/');
    (sound && !bare.is_empty()).then(|| bare.to_owned())
}

/// Names of users, groups, units, packages: nothing that a shell or an option could mean otherwise.
fn is_name(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.@+-:".contains(c);
    word.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') && word.chars().all(plain)
}

/// A flag and its value, which is empty where it has none.
type Flag<'w> = (&'w str, &'w str);

/// The flags and the other words of a command. `taking` are the flags with a value of their own.
fn flags<'w>(args: &[&'w str], taking: &[&str]) -> Option<(Vec<Flag<'w>>, Vec<&'w str>)> {
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    let mut only_words = false;
    while let Some(arg) = args.next() {
        match arg.split_once('=') {
            _ if only_words || !arg.starts_with('-') || *arg == "-" => rest.push(*arg),
            _ if *arg == "--" => only_words = true,
            Some((flag, value)) if arg.starts_with("--") => found.push((flag, value)),
            _ if taking.contains(arg) => found.push((*arg, *args.next()?)),
            _ => found.push((*arg, "")),
        }
    }
    Some((found, rest))
}

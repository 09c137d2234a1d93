//! One heading → one rule, or as few as its order needs.
//!
//! A rule looks at all of its lines first; then it mends packages and paths, then it runs its applies. So a
//! path that needs an apply before it, and a check that needs a package, are in a rule of their own.

use super::settle::{path_of, plain_folder};
use super::{Access, Rule, Step};

/// How many lines a rule may become before another is begun.
const STEPS_MAX: usize = 300;

/// How applies begin that change what is there, and make nothing.
const EDITS: &[&str] = &["sed -i ", "chmod ", "chown ", "chgrp "];

pub(super) fn split(rule: Rule) -> Vec<Rule> {
    let Rule { name, doc, after, steps } = rule;
    let mut parts = segments(folders_first(steps));
    parts.iter_mut().for_each(|part| checked(part));
    let rules = parts.into_iter().filter(|part| !part.is_empty());
    rules.map(|steps| Rule { name: name.clone(), doc: doc.clone(), after, steps }).collect()
}

/// Folders that a command makes come before the paths that are made in them.
fn folders_first(steps: Vec<Step>) -> Vec<Step> {
    let last_path = steps.iter().rposition(|step| path_of(step).is_some() && !is_bare(step));
    let after_packages = steps.iter().take_while(|step| matches!(step, Step::Package(_))).count();
    let (mut folders, mut rest) = (Vec::new(), Vec::new());
    for (at, step) in steps.into_iter().enumerate() {
        let is_early = is_bare(&step) && last_path.is_some_and(|last| at < last);
        if is_early { &mut folders } else { &mut rest }.push(step);
    }
    let behind = rest.split_off(after_packages.min(rest.len()));
    rest.into_iter().chain(folders).chain(behind).flat_map(plain_folder).collect()
}

/// A folder of which nothing but its path is known.
fn is_bare(step: &Step) -> bool {
    matches!(step, Step::Folder { access, .. } if *access == Access::default())
}

fn segments(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut parts: Vec<Vec<Step>> = vec![Vec::new()];
    for step in steps {
        let Some(part) = parts.last_mut() else { break };
        let is_check = matches!(step, Step::Check(_));
        let is_mended = path_of(&step).is_some() || matches!(step, Step::Package(_));
        let package = part.iter().rposition(|step| matches!(step, Step::Package(_)));
        if let Some(package) = package.filter(|_| is_check) {
            let rest = part.split_off(package + 1);
            parts.push(rest);
        } else {
            let has_run = is_mended && part.iter().any(|step| matches!(step, Step::Apply(_)));
            let is_seam = is_mended || is_check && matches!(part.last(), Some(Step::Apply(_)));
            if has_run || is_check && reads_what_is_made(&step, part) || part.len() >= STEPS_MAX && is_seam {
                parts.push(Vec::new());
            }
        }
        if let Some(part) = parts.last_mut() {
            part.push(step);
        }
    }
    parts
}

/// A check that cannot say anything while a path is missing that the rule itself makes would keep it from being made.
fn reads_what_is_made(step: &Step, part: &[Step]) -> bool {
    let Step::Check(check) = step else { return false };
    let paths = |text: &str| -> Vec<String> {
        text.split([' ', '\'', '"', '\n', '(', ')', '$', ';']).filter(|word| word.starts_with('/')).map(str::to_owned).collect()
    };
    let made: Vec<String> = part
        .iter()
        .flat_map(|step| match step {
            // These need the file to be there already.
            Step::Apply(line) if EDITS.iter().any(|edit| line.starts_with(edit)) => Vec::new(),
            Step::Apply(line) => paths(line),
            Step::File { path, .. } | Step::Folder { path, .. } | Step::Link { path, .. } => vec![path.clone()],
            Step::Package(_) | Step::Absent(_) | Step::Check(_) | Step::Manual(_) => Vec::new(),
        })
        .filter(|path| path != "/dev/null")
        .collect();
    let mut known: Vec<&str> = Vec::new();
    for line in check.lines() {
        if let Some(path) = line.strip_prefix("test -e ").and_then(|rest| rest.strip_suffix(" || exit 1")) {
            known.push(path.trim_matches('\''));
        }
        let is_told = |path: &String| {
            !known.contains(&path.as_str())
                && made
                    .iter()
                    .any(|made| path.strip_prefix(made.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        if line.ends_with("|| exit 2") && paths(line).iter().any(is_told) {
            return true;
        }
    }
    false
}

/// What has nothing to look at is left to a person: an apply would run each time, or never.
fn checked(steps: &mut [Step]) {
    if steps.iter().any(|step| !matches!(step, Step::Apply(_) | Step::Manual(_))) {
        return;
    }
    for step in steps.iter_mut() {
        if let Step::Apply(line) = step {
            *step = Step::Manual(format!("Run: {line}"));
        }
    }
}

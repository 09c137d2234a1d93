//! What a whole how-to makes → rules that do not quarrel: each state is held once, as it is in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Draft;
use super::verbs::{self, Made};
use super::{Access, Rule, Step, doubt, restarts, split};

/// Lines that ask for one state of one thing: the later of two such checks is what the how-to wants.
const SUBJECTS: &[&str] =
    &["case $(LC_ALL=C systemctl is-", "held=$(stat ", "held=$(timedatectl ", "held=$(hostnamectl ", "held=$(sysctl "];

/// Rules in the order of the how-to, each after the one before it that runs by itself.
pub(super) fn settle(mut drafts: Vec<Draft>) -> Vec<Rule> {
    doubt::taken_back(&mut drafts);
    doubt::firewall(&mut drafts);
    let edited = edited(&drafts);
    let mut rules = Vec::new();
    for draft in drafts {
        let rule = Rule { name: draft.name, doc: Some(draft.doc), after: None, steps: Vec::new() };
        rules.push(rule);
        let mut again: Vec<String> = Vec::new();
        for made in draft.made {
            // Daemons read their units before one of these is started.
            let starts = |step: &Step| matches!(step, Step::Apply(line) if line.starts_with("systemctl "));
            if matches!(&made, Made::Steps(made) if made.iter().any(starts)) {
                again.drain(..).for_each(|line| push(Step::Apply(line), &mut rules));
            }
            if let Made::Again(line) = made {
                again.push(line);
            } else {
                take(made, &edited, &mut rules);
            }
        }
        again.drain(..).for_each(|line| push(Step::Apply(line), &mut rules));
    }
    only_last(&mut rules);
    one_state(&mut rules);
    gone_and_made(&mut rules);
    let mut rules: Vec<Rule> = rules.into_iter().flat_map(split::split).collect();
    restarts::place(&mut rules);
    let mut before = None;
    for (at, rule) in rules.iter_mut().enumerate() {
        rule.after = before;
        if !rule.steps.iter().all(|step| matches!(step, Step::Manual(_))) {
            before = Some(at);
        }
    }
    rules
}

/// Files into which something is written after they may have been copied.
fn edited(drafts: &[Draft]) -> BTreeSet<String> {
    let made = drafts.iter().flat_map(|draft| &draft.made);
    let paths = made.filter_map(|made| match made {
        Made::Behind { path, .. } | Made::Edited { path, .. } => Some(path.clone()),
        Made::Steps(_)
        | Made::Nothing
        | Made::Again(_)
        | Made::Access { .. }
        | Made::Copied { .. }
        | Made::Told(_)
        | Made::Unknown => None,
    });
    paths.collect()
}

fn take(made: Made, edited: &BTreeSet<String>, rules: &mut [Rule]) {
    match made {
        Made::Nothing | Made::Unknown | Made::Again(_) => {}
        Made::Steps(steps) => steps.into_iter().for_each(|step| push(step, rules)),
        Made::Told(text) => push(Step::Manual(text), rules),
        Made::Copied { path, steps, once } => {
            let steps = if edited.contains(&path) { once } else { steps };
            steps.into_iter().for_each(|step| push(step, rules));
        }
        Made::Behind { path, text, steps } => match content_of(&path, rules) {
            Some(content) => content.extend(text.bytes()),
            None => steps.into_iter().for_each(|step| push(step, rules)),
        },
        // The rule would write its text, and the edit would be gone.
        Made::Edited { path, source, .. } if content_of(&path, rules).is_some() => {
            push(Step::Manual(format!("Put into the text of {path} what this does: {source}")), rules);
        }
        Made::Edited { steps, .. } => steps.into_iter().for_each(|step| push(step, rules)),
        Made::Access { path, access, is_deep, steps } => {
            let is_held = access_of(&path, &access, is_deep, rules);
            if is_deep || !is_held {
                steps.into_iter().for_each(|step| push(step, rules));
            }
        }
    }
}

/// The text of a file that an earlier line wrote.
fn content_of<'r>(wanted: &str, rules: &'r mut [Rule]) -> Option<&'r mut Vec<u8>> {
    let steps = rules.iter_mut().rev().flat_map(|rule| rule.steps.iter_mut().rev());
    let mut held = steps
        .filter_map(|step| if let Step::File { path, content, .. } = step { (path == wanted).then_some(content) } else { None });
    held.next()
}

/// Says mode and owners where the path is made, and whether there was such a line. Where the user or group
/// is made in between, the line moves behind that.
fn access_of(wanted: &str, new: &Access, is_deep: bool, rules: &mut [Rule]) -> bool {
    let is_it = |path: &str| path == wanted || (is_deep && path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/')));
    let mut waits = Vec::new();
    let mut found = false;
    let mut made_since: Vec<String> = Vec::new();
    for rule in rules.iter_mut().rev() {
        let mut kept = Vec::with_capacity(rule.steps.len());
        for mut step in rule.steps.drain(..).rev() {
            if let Step::Apply(line) = &step
                && line.contains("add ")
            {
                made_since.push(line.clone());
            }
            if let Step::File { path, access, .. } | Step::Folder { path, access } = &mut step
                && is_it(path)
            {
                access.take(new, wanted == path);
                found = true;
                let names: Vec<&String> = new.owner.iter().chain(&new.group).collect();
                let is_made = |line: &String| line.split_whitespace().any(|word| names.iter().any(|name| *name == word));
                if made_since.iter().any(is_made) {
                    waits.push(step);
                    continue;
                }
            }
            kept.push(step);
        }
        kept.reverse();
        rule.steps = kept;
    }
    waits.reverse();
    rules.last_mut().into_iter().for_each(|rule| rule.steps.append(&mut waits));
    found
}

impl Access {
    fn take(&mut self, new: &Access, is_itself: bool) {
        match new.mode.as_deref() {
            Some("+x") if is_itself => {
                let held = self.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0o644);
                self.mode = Some(format!("{:04o}", held | 0o111));
            }
            Some("+x") | None => {}
            Some(mode) => self.mode = Some(mode.to_owned()),
        }
        for (held, new) in [(&mut self.owner, &new.owner), (&mut self.group, &new.group)] {
            *held = new.clone().or(held.take());
        }
    }
}

/// The same line twice in a rule is said once.
fn push(step: Step, rules: &mut [Rule]) {
    let Some(Rule { steps, .. }) = rules.last_mut() else { return };
    if let (Step::Package(more), Some(Step::Package(names))) = (&step, steps.last_mut()) {
        let new: Vec<String> = more.iter().filter(|name| !names.contains(name)).cloned().collect();
        names.extend(new);
    } else if !steps.contains(&step) {
        steps.push(step);
    }
}

pub(super) fn path_of(step: &Step) -> Option<&str> {
    match step {
        Step::File { path, .. } | Step::Folder { path, .. } | Step::Link { path, .. } | Step::Absent(path) => Some(path),
        Step::Package(_) | Step::Check(_) | Step::Apply(_) | Step::Manual(_) => None,
    }
}

/// What a how-to makes of a path last is what it wants of it. A folder that is made twice is made first.
fn only_last(rules: &mut [Rule]) {
    let mut last: BTreeMap<String, Step> = BTreeMap::new();
    for step in rules.iter().flat_map(|rule| &rule.steps) {
        let Some(path) = path_of(step) else { continue };
        let again = matches!(step, Step::Folder { access, .. } if *access == Access::default());
        if !(again && matches!(last.get(path), Some(Step::Folder { .. }))) {
            last.insert(path.to_owned(), step.clone());
        }
    }
    for rule in rules {
        rule.steps.retain(|step| match path_of(step) {
            // The first of those that are alike takes it away, so that it is held once.
            Some(path) if last.get(path) == Some(step) => last.remove(path).is_some(),
            Some(_) => false,
            None => true,
        });
    }
}

/// A service that is stopped and started again shall run: the first of two states is no wish.
fn one_state(rules: &mut [Rule]) {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for step in rules.iter().flat_map(|rule| &rule.steps) {
        if let Some((subject, check)) = subject(step) {
            last.insert(subject.to_owned(), check.to_owned());
        }
    }
    for rule in rules {
        let mut kept: Vec<Step> = Vec::with_capacity(rule.steps.len());
        let mut drops_apply = false;
        for step in rule.steps.drain(..) {
            let is_old = subject(&step).is_some_and(|(subject, check)| last.get(subject).is_some_and(|last| last != check));
            if is_old {
                // Its apply goes with it, unless another check needs that too.
                drops_apply = !matches!(kept.last(), Some(Step::Check(_)));
            } else if !(std::mem::take(&mut drops_apply) && matches!(step, Step::Apply(_))) {
                kept.push(step);
            }
        }
        rule.steps = kept;
    }
}

/// What is deleted to be made anew is no state that one can hold: a person does it.
fn gone_and_made(rules: &mut [Rule]) {
    let mut made: BTreeSet<String> = BTreeSet::new();
    for step in rules.iter().flat_map(|rule| &rule.steps) {
        match step {
            Step::File { path, .. } | Step::Folder { path, .. } | Step::Link { path, .. } => made.extend(above(path)),
            Step::Apply(line) if !line.starts_with(verbs::DELETES) => {
                made.extend(line.split([' ', '\'', '\n']).filter(|word| word.starts_with('/')).flat_map(above));
            }
            Step::Apply(_) | Step::Absent(_) | Step::Package(_) | Step::Check(_) | Step::Manual(_) => {}
        }
    }
    for rule in rules {
        let mut kept: Vec<Step> = Vec::with_capacity(rule.steps.len());
        for step in rule.steps.drain(..) {
            let deleted = if let Step::Apply(line) = &step { line.strip_prefix(verbs::DELETES) } else { None };
            let absent = if let Step::Absent(path) = &step { Some(path.as_str()) } else { None };
            match deleted.or(absent).filter(|path| made.contains(path.trim_matches('\''))) {
                Some(path) => {
                    let told = format!("Run: rm {}{path}", if deleted.is_some() { "-rf " } else { "" });
                    if deleted.is_some() {
                        kept.pop(); // its check
                    }
                    kept.push(Step::Manual(told));
                }
                None => kept.push(step),
            }
        }
        rule.steps = kept;
    }
}

/// A path, and all folders that it lies in.
fn above(path: &str) -> Vec<String> {
    if path.len() > verbs::PATH_BYTES_MAX {
        return Vec::new();
    }
    path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(..at)).chain([path]).map(str::to_owned).collect()
}

/// What a check asks for, and the check.
fn subject(step: &Step) -> Option<(&str, &str)> {
    let Step::Check(check) = step else { return None };
    let line = check.lines().find(|line| SUBJECTS.iter().any(|subject| line.starts_with(subject)))?;
    Some((line, check))
}

/// A folder of which all is known is a line of its own; of one that may be there already, only what the
/// how-to said is looked at.
pub(super) fn plain_folder(step: Step) -> Vec<Step> {
    if let Step::Folder { path, access } = &step
        && (access.mode.is_none() || access.owner.is_none() || access.group.is_none())
    {
        return verbs::folder(path, access);
    }
    vec![step]
}

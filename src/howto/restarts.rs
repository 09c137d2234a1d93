//! A restart below a heading of its own is for the files of a heading before it.

use super::{Rule, Step};

/// A rule that has nothing but checks that services run never restarts one that does: the restart goes to the nearest
/// rule before it that holds files, as long as no package comes in between. Where only a person changes files
/// before it, the restart is told.
pub(super) fn place(rules: &mut [Rule]) {
    for at in 0..rules.len() {
        let (before, rest) = rules.split_at_mut(at);
        let Some(rule) = rest.first_mut() else { continue };
        if holds_files(rule) {
            continue;
        }
        let lines: Vec<String> = rule.steps.iter().filter_map(restart).map(str::to_owned).collect();
        for line in lines {
            let nearest = before
                .iter_mut()
                .rev()
                .take_while(|rule| !brings_packages(rule) || holds_files(rule))
                .find(|rule| holds_files(rule));
            if let Some(nearest) = nearest {
                let step = Step::Apply(line);
                if !nearest.steps.contains(&step) {
                    nearest.steps.push(step);
                }
            } else if before.iter().flat_map(|rule| &rule.steps).any(|step| matches!(step, Step::Manual(_))) {
                rule.steps.push(Step::Manual(format!("When a file was changed by hand for it, run: {line}")));
            }
        }
    }
}

fn restart(step: &Step) -> Option<&str> {
    let Step::Apply(line) = step else { return None };
    let own = line.rsplit(" && ").next().unwrap_or(line);
    ["systemctl restart ", "systemctl reload-or-restart "].iter().any(|verb| own.starts_with(verb)).then_some(line.as_str())
}

/// Something of it is changed, and not only started.
fn holds_files(rule: &Rule) -> bool {
    rule.steps.iter().any(|step| match step {
        Step::File { .. } | Step::Link { .. } | Step::Absent(_) => true,
        Step::Apply(line) => line.starts_with("sed -i") || line.contains(" >> "),
        Step::Package(_) | Step::Folder { .. } | Step::Check(_) | Step::Manual(_) => false,
    })
}

fn brings_packages(rule: &Rule) -> bool {
    rule.steps.iter().any(|step| matches!(step, Step::Package(_)))
}

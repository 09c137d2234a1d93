//! A change in words; how names and values are set off is up to whoever writes them down.

use super::{Action, Area, Change, Fact, Reach, Subject};

/// Subjects, or machines, that a sentence names; the rest are counted.
pub(super) const NAMES_MAX: usize = 3;
/// Facts that a sentence tells of one thing; the rest are counted.
const FACTS_MAX: usize = 12;
/// A value as a sentence shows it, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// What sets off a name or a value from the words round it.
pub(super) type Quote = fn(&str) -> String;

/// The change without its moment.
pub(super) fn sentence(change: &Change, quote: Quote) -> String {
    let quote = |text: &str| quote(&short(text));
    let body = match (change.area, change.subjects.as_slice()) {
        (Area::Files, [only]) => format!("{} {}{}", action(change.action), quote(&only.name), bracketed(change, only, &quote)),
        (Area::Forwarders | Area::Audit | Area::Alerts | Area::Page, _) => facts(&change.facts, change.action, &quote),
        (_, [only]) => one(change, only, &quote),
        (_, several) => many(change, several, &quote),
    };
    body + &reach(change, &quote)
}

/// What things of an area are called.
pub(super) fn noun(area: Area, count: usize) -> &'static str {
    let (one, several) = match area {
        Area::Hosts => ("host", "hosts"),
        Area::Schedules => ("schedule", "schedules"),
        Area::Menus => ("menu", "menus"),
        Area::Networks => ("network", "networks"),
        Area::Zones => ("zone", "zones"),
        Area::Forwarders => ("forwarders", "forwarders"),
        Area::Commands => ("command", "commands"),
        Area::Assets => ("asset", "assets"),
        Area::Loaders => ("loader", "loaders"),
        Area::Texts => ("text", "texts"),
        Area::Audit => ("audit", "audit"),
        Area::Checks => ("check of", "checks"),
        Area::Alerts => ("alerts", "alerts"),
        Area::Tracked => ("tracked folders of", "hosts with tracked folders"),
        Area::Page => ("page", "page"),
        Area::Rules => ("rule", "rules"),
        Area::Files => ("file", "files"),
    };
    if count == 1 { one } else { several }
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let kept: String = chars.by_ref().take(VALUE_CHARS_MAX).collect();
    if chars.next().is_some() { kept + "…" } else { kept }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Added => "added",
        Action::Removed => "removed",
        Action::Changed => "changed",
    }
}

fn bracketed(change: &Change, subject: &Subject, quote: &impl Fn(&str) -> String) -> String {
    let all: Vec<Fact> = subject.facts.iter().chain(&change.facts).cloned().collect();
    if all.is_empty() { String::new() } else { format!(" ({})", facts(&all, change.action, quote)) }
}

/// `pc-07: renamed pc-17, menu kiosk → local`, `menu rescue added: kernel rescue/vmlinuz`
fn one(change: &Change, subject: &Subject, quote: &impl Fn(&str) -> String) -> String {
    let mut out = match change.area {
        Area::Hosts => quote(&subject.name),
        Area::Schedules
        | Area::Menus
        | Area::Networks
        | Area::Zones
        | Area::Forwarders
        | Area::Commands
        | Area::Assets
        | Area::Loaders
        | Area::Texts
        | Area::Audit
        | Area::Checks
        | Area::Alerts
        | Area::Tracked
        | Area::Page
        | Area::Rules
        | Area::Files => {
            format!("{} {}", noun(change.area, 1), quote(&subject.name))
        }
    };
    if change.action != Action::Changed {
        out = format!("{out} {}", action(change.action));
    }
    let all: Vec<Fact> = subject.facts.iter().chain(&change.facts).cloned().collect();
    if all.is_empty() { out } else { format!("{out}: {}", facts(&all, change.action, quote)) }
}

/// `12 hosts: menu kiosk → kiosk-beta: pc-01, pc-02, pc-03 …`
fn many(change: &Change, subjects: &[Subject], quote: &impl Fn(&str) -> String) -> String {
    let count = subjects.len();
    let mut head = vec![match change.action {
        Action::Changed => format!("{count} {}", noun(change.area, count)),
        Action::Added | Action::Removed => format!("{count} {} {}", noun(change.area, count), action(change.action)),
    }];
    let mut kinds: Vec<&str> = Vec::new();
    for fact in subjects.first().into_iter().flat_map(|subject| &subject.facts) {
        let kind = match fact.fact {
            "name" => "renamed",
            "address" => "moved",
            "formerly of" | "now of" => continue,
            other => other,
        };
        if change.action == Action::Changed && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let common = facts(&change.facts, change.action, quote);
    head.push(kinds.into_iter().map(str::to_owned).chain((!common.is_empty()).then_some(common)).collect::<Vec<_>>().join(", "));
    head.push(list(subjects.iter().map(|subject| item(subject, change.action, quote)), count));
    head.retain(|part| !part.is_empty());
    head.join(": ")
}

/// The first of many.
pub(super) fn list(names: impl Iterator<Item = String>, count: usize) -> String {
    let shown: Vec<String> = names.take(NAMES_MAX).collect();
    format!("{}{}", shown.join(", "), if count > shown.len() { " …" } else { "" })
}

/// A subject among others: its name, and what is its own.
pub(super) fn item(subject: &Subject, action: Action, quote: &impl Fn(&str) -> String) -> String {
    let name = quote(&subject.name);
    let own = subject.facts.iter().take(FACTS_MAX).map(|fact| match (fact.fact, &fact.from, &fact.to) {
        ("formerly of" | "now of", _, _) => format!("({})", phrase(fact, action, quote)),
        ("name", _, Some(to)) => format!("→ {}", quote(to)),
        _ => value(fact, action, quote),
    });
    std::iter::once(name).chain(own).collect::<Vec<_>>().join(" ")
}

/// `a → b`, `+b`, `−a`; of what came or went as a whole just the value.
fn value(fact: &Fact, action: Action, quote: &impl Fn(&str) -> String) -> String {
    match (&fact.from, &fact.to, action) {
        (Some(from), Some(to), _) => format!("{} → {}", quote(from), quote(to)),
        (Some(from), None, Action::Changed) => format!("−{}", quote(from)),
        (None, Some(to), Action::Changed) => format!("+{}", quote(to)),
        (Some(value), None, Action::Added | Action::Removed) | (None, Some(value), Action::Added | Action::Removed) => {
            quote(value)
        }
        (None, None, _) => String::new(),
    }
}

fn facts(all: &[Fact], action: Action, quote: &impl Fn(&str) -> String) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut before: Option<(&str, &Option<String>)> = None;
    for fact in all.iter().take(FACTS_MAX) {
        let again = before == Some((fact.fact, &fact.of)) && fact.fact != "pool";
        before = Some((fact.fact, &fact.of));
        match parts.last_mut().filter(|_| again) {
            // One label for all words of a command line.
            Some(part) => part.push_str(&format!(" {}", value(fact, action, quote))),
            None => parts.push(phrase(fact, action, quote)),
        }
    }
    if all.len() > FACTS_MAX {
        parts.push(format!("and {} more", all.len() - FACTS_MAX));
    }
    parts.join(", ")
}

fn phrase(fact: &Fact, action: Action, quote: &impl Fn(&str) -> String) -> String {
    let of = fact.of.as_deref().map(quote);
    let (from, to) = (fact.from.as_deref().unwrap_or_default(), fact.to.as_deref().unwrap_or_default());
    let of_whom = of.clone().map(|of| of + " ").unwrap_or_default();
    match (fact.fact, action) {
        // A rule, the lines that it says, and whom it is for.
        ("says", Action::Changed) => of_whom + &value(fact, action, quote),
        ("now holds on", _) => format!("now holds on {}", quote(to)),
        ("no longer holds on", _) => format!("no longer holds on {}", quote(from)),
        ("name", Action::Changed) => format!("renamed {}", quote(to)),
        ("address", Action::Changed) if fact.from.is_some() && fact.to.is_some() => {
            format!("moved {}", value(fact, action, quote))
        }
        ("formerly of", _) => format!("{of_whom}was {}'s", quote(from)),
        ("now of", _) => format!("{of_whom}is {}'s now", quote(to)),
        ("record", _) => of_whom + &value(fact, action, quote),
        ("turns on" | "turns off", _) => {
            format!("{of_whom}{} at {} in place of {}", fact.fact, quote(to), quote(from))
        }
        ("lines", _) => of_whom + &lines(from, to),
        ("order", _) => "lines in another order".to_owned(),
        ("anew", _) => "written anew".to_owned(),
        ("rows", _) => "other rows in its tables".to_owned(),
        ("bytes", _) => value(fact, action, quote) + " bytes",
        ("records", _) => value(fact, action, quote) + " records",
        ("content", _) => "other content of the same size".to_owned(),
        ("pool lease" | "pool menu", _) => {
            let what = fact.fact.strip_prefix("pool ").unwrap_or_default();
            format!("pool {of_whom}{what} {}", value(fact, action, quote))
        }
        ("stranded", _) => format!("leases of {from} addresses cannot be renewed ({})", of.unwrap_or_default()),
        (name, _) => format!("{of_whom}{name} {}", value(fact, action, quote)),
    }
}

/// `+3 −2 lines`
fn lines(gone: &str, come: &str) -> String {
    match (gone, come) {
        ("0", come) => format!("+{come} lines"),
        (gone, "0") => format!("−{gone} lines"),
        (gone, come) => format!("+{come} −{gone} lines"),
    }
}

/// Who gets it.
fn reach(change: &Change, quote: &impl Fn(&str) -> String) -> String {
    let Reach { hosts, names, pools, unknown, menus } = &change.reach;
    let mut parts = Vec::new();
    match hosts {
        0 => {}
        count if *count <= NAMES_MAX => parts.push(list(names.iter().map(|name| quote(name)), *count)),
        count => parts.push(format!("{count} hosts ({})", list(names.iter().map(|name| quote(name)), *count))),
    }
    if !pools.is_empty() {
        parts.push(format!("the pools of {}", list(pools.iter().map(|name| quote(name)), pools.len())));
    }
    if *unknown {
        parts.push("machines that nobody declared".to_owned());
    }
    let by = match menus.len() {
        0 => String::new(),
        count => format!("; loaded by {} {}", noun(Area::Menus, count), list(menus.iter().map(|name| quote(name)), count)),
    };
    let reaches = matches!(change.area, Area::Schedules | Area::Menus | Area::Assets | Area::Texts) && change.action == Action::Changed;
    match (reaches, parts.is_empty()) {
        (false, true) => String::new(),
        (true, true) => by + "; reaches no machine",
        (_, false) => format!("{by}; reaches {}", parts.join(", ")),
    }
}

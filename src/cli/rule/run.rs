//! `rule plan` and `rule apply`: many hosts side by side, each with what is known of it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Hosts;
use crate::cli::power::side_by_side;
use crate::cli::site::Told;
use crate::cli::{Failure, Outcome};
use crate::event::{Event, Record};
use crate::operate::audit;
use crate::operate::rule::run::{Trouble, run as run_on};
use crate::operate::rule::script::Mode;
use crate::operate::rule::seen::{LineState, Seen, State};
use crate::out::table::RuleHostRow;
use crate::serve::clock::Clock;
use crate::terminal::{chain, escaped, json_escaped, print, say};

/// A host and what is known of it.
#[derive(Serialize)]
struct Row {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    rules: Vec<Seen>,
}

pub(super) fn run(args: &Hosts, mode: Mode, told: Told, state: Option<&Path>) -> Result<Outcome, Failure> {
    let tables = args.out.tables()?;
    let rows = args.chosen(&tables)?;
    let ssh = args.ssh.ssh();
    let (mut all, mut total) = (Vec::new(), Total::default());
    side_by_side(
        &rows,
        |row| {
            let done = run_on(row, &tables, mode, &ssh);
            state.into_iter().for_each(|state| keep(state, row, mode, &done));
            match done {
                Ok(rules) => Row { host: row.host.clone(), error: None, rules },
                Err(trouble) => Row { host: row.host.clone(), error: Some(chain(&trouble)), rules: Vec::new() },
            }
        },
        |row| {
            total.add(&row);
            match told {
                Told::Text => show(&row),
                Told::Json => all.push(row),
            }
        },
    );
    if told == Told::Json {
        print(&json_escaped(&format!("{}\n", serde_json::to_string_pretty(&all)?)));
    } else {
        say(&total.text());
    }
    Ok(if total.is_good() { Outcome::Good } else { Outcome::Errors })
}

fn show(row: &Row) {
    if let Some(error) = &row.error {
        return say(&format!("error: {error}"));
    }
    let mut text = format!("{}\n", row.host);
    for rule in &row.rules {
        text.push_str(&format!("  {:<13}{}\n", rule.state.word(), rule.rule));
        for line in &rule.lines {
            let said = if line.said.is_empty() { String::new() } else { format!(": {}", line.said) };
            text.push_str(&format!("    {:<11}{}\n", line.state.word(), escaped(&format!("{}{said}", line.line))));
        }
        let mut put = |what: &str, told: &str| {
            let whole = told.trim_end().lines().map(escaped).collect::<Vec<_>>().join("\n               ");
            text.push_str(&format!("    {what:<11}{whole}\n"));
        };
        rule.would_run.iter().for_each(|command| put("would run", command));
        rule.by_hand.iter().filter(|_| rule.state != State::Waits).for_each(|told| put("by hand", told));
    }
    print(&text);
}

/// How many of each there are.
#[derive(Default)]
struct Total {
    hosts: usize,
    away: usize,
    states: std::collections::BTreeMap<State, usize>,
}

impl Total {
    fn add(&mut self, row: &Row) {
        self.hosts += 1;
        self.away += usize::from(row.error.is_some());
        row.rules.iter().for_each(|rule| *self.states.entry(rule.state).or_default() += 1);
    }

    fn is_good(&self) -> bool {
        self.away == 0 && self.states.keys().all(|state| state.is_good())
    }

    fn text(&self) -> String {
        let states = self.states.iter().map(|(state, count)| format!("{count} {}", state.word()));
        let away = (self.away > 0).then(|| format!("{} not reached", self.away));
        let hosts = if self.hosts == 1 { "1 host".to_owned() } else { format!("{} hosts", self.hosts) };
        let parts: Vec<String> = states.chain(away).collect();
        format!("{hosts}: {}", if parts.is_empty() { "nothing to look up".to_owned() } else { parts.join(", ") })
    }
}

/// What was done is in the audit. Rules are applied all the same where it cannot be written.
fn keep(state: &Path, row: &RuleHostRow, mode: Mode, done: &Result<Vec<Seen>, Trouble>) {
    let events: Vec<Event> = match done {
        Ok(rules) => rules.iter().filter_map(|seen| event(&row.host, seen, mode)).collect(),
        Err(trouble) => {
            let (host, why) = (&row.host, chain(trouble));
            let event = |rule: &String| match mode {
                Mode::Plan => {
                    Event::RuleSeen { host: host.clone(), rule: rule.clone(), state: "unknown".into(), why: why.clone() }
                }
                Mode::Apply => Event::RuleFailed { host: host.clone(), rule: rule.clone(), why: why.clone() },
            };
            row.rules.iter().map(event).collect()
        }
    };
    let at = Clock::default().now().as_microsecond();
    let records: Vec<Record> = events.into_iter().map(|event| Record { at, event }).collect();
    // One at a time: several threads come here.
    static TELL: Mutex<bool> = Mutex::new(true);
    let mut tell = TELL.lock().unwrap_or_else(PoisonError::into_inner);
    if records.is_empty() {
        return;
    }
    if let Err(error) = audit::append(state, &records)
        && std::mem::replace(&mut *tell, false)
    {
        say(&format!(
            "warning: this is not kept in the audit: {}; give the --state of `pxelator serve`, and run it as root or as its user",
            chain(&error)
        ));
    }
}

fn event(host: &str, seen: &Seen, mode: Mode) -> Option<Event> {
    let lines = |state: &[LineState]| -> Vec<String> {
        let those = seen.lines.iter().filter(|line| state.contains(&line.state));
        those.map(|line| if line.said.is_empty() { line.line.clone() } else { format!("{}: {}", line.line, line.said) }).collect()
    };
    let (host, rule) = (host.to_owned(), seen.rule.clone());
    match seen.state {
        State::Drift | State::Unknown if mode == Mode::Plan => {
            let why = lines(&[LineState::Drift, LineState::Unknown]).join("; ");
            Some(Event::RuleSeen { host, rule, state: seen.state.word().into(), why })
        }
        State::Kept | State::Unknown | State::Waits | State::Drift => None,
        State::Applied => Some(Event::RuleApplied { host, rule, lines: lines(&[LineState::Changed, LineState::Ran]) }),
        State::Failed => Some(Event::RuleFailed { host, rule, why: lines(&[LineState::Failed]).join("; ") }),
        State::Still => Some(Event::RuleFailed { host, rule, why: "it was applied, and still is not kept".to_owned() }),
    }
}

//! What a script printed → what is known of each rule.

use serde::Serialize;

use crate::out::table::{RuleLine, RuleRow};
use crate::remote::last_line;

/// How many lines of what was printed are shown.
const SAID_LINES_MAX: usize = 4;

/// A rule on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub rule: String,
    pub state: State,
    /// Those that tell why, in order.
    pub lines: Vec<Line>,
    /// What `apply` would run for one that drifts, whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would_run: Vec<String>,
    /// What a person has to do, as far as anybody knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Kept,
    Drift,
    /// Nobody can tell, so nothing is done.
    Unknown,
    /// It drifted, was applied, and is kept now.
    Applied,
    /// A line of it could not be applied.
    Failed,
    /// Everything was applied, and it still is not kept.
    Still,
    /// One that must hold before does not.
    Waits,
}

/// A line of a rule that says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub line: String,
    pub state: LineState,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineState {
    Drift,
    Unknown,
    /// A file, folder, link or package was made as it shall be.
    Changed,
    /// An apply ended well.
    Ran,
    Failed,
    Waits,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Kept => "kept",
            State::Drift => "drift",
            State::Unknown => "unknown",
            State::Applied => "applied",
            State::Failed => "failed",
            State::Still => "still drifts",
            State::Waits => "waits",
        }
    }

    pub fn is_good(self) -> bool {
        match self {
            State::Kept | State::Applied => true,
            State::Drift | State::Unknown | State::Failed | State::Still | State::Waits => false,
        }
    }

    fn read(word: &str) -> Option<State> {
        Some(match word {
            "kept" => State::Kept,
            "drift" => State::Drift,
            "unknown" => State::Unknown,
            "applied" => State::Applied,
            "failed" => State::Failed,
            "still" => State::Still,
            "waits" => State::Waits,
            _ => return None,
        })
    }
}

impl LineState {
    pub fn word(self) -> &'static str {
        match self {
            LineState::Drift => "drift",
            LineState::Unknown => "unknown",
            LineState::Changed => "changed",
            LineState::Ran => "ran",
            LineState::Failed => "failed",
            LineState::Waits => "waits for",
        }
    }

    fn read(word: &str) -> Option<LineState> {
        Some(match word {
            "drift" => LineState::Drift,
            "unknown" => LineState::Unknown,
            "changed" => LineState::Changed,
            "ran" => LineState::Ran,
            "failed" => LineState::Failed,
            _ => return None,
        })
    }
}

/// A result as it was printed: `NONCE RULE LINE STATE HEX`.
struct Mark {
    rule: usize,
    /// `None` is the rule as a whole.
    line: Option<usize>,
    word: String,
    said: Vec<u8>,
}

/// What is known of each rule, in their order; one without a result is unknown.
pub fn seen(rules: &[&RuleRow], nonce: &str, out: &[u8]) -> Vec<Seen> {
    let text = String::from_utf8_lossy(out);
    let marks: Vec<Mark> = text.lines().filter_map(|line| mark(line, nonce)).collect();
    rules.iter().enumerate().map(|(at, rule)| one(at, rule, rules, &marks)).collect()
}

fn one(at: usize, rule: &RuleRow, rules: &[&RuleRow], marks: &[Mark]) -> Seen {
    let own = || marks.iter().filter(|mark| mark.rule == at);
    let whole = own().rfind(|mark| mark.line.is_none());
    let state = whole.and_then(|mark| State::read(&mark.word)).unwrap_or(State::Unknown);
    let line = |mark: &Mark| {
        let line = rule.lines.get(mark.line?)?;
        Some(Line { line: line.shown(), state: LineState::read(&mark.word)?, said: said(&mark.said) })
    };
    let mut lines: Vec<Line> = own().filter_map(line).collect();
    // What drifted before it was applied is no news any more.
    let acted = lines.iter().rposition(|line| matches!(line.state, LineState::Changed | LineState::Ran | LineState::Failed));
    if let Some(last) = acted {
        let mut at = 0..;
        lines
            .retain(|line| at.next().is_some_and(|at| at > last) || !matches!(line.state, LineState::Drift | LineState::Unknown));
    }
    if state == State::Waits {
        let number = whole.and_then(|mark| std::str::from_utf8(&mark.said).ok()?.trim().parse().ok());
        let before = number.and_then(|number: usize| rules.get(number)).map(|rule| rule.rule.clone());
        lines.push(Line { line: before.unwrap_or_default(), state: LineState::Waits, said: String::new() });
    }
    let by_hand = |line: &RuleLine| match line {
        RuleLine::Manual(text) => Some(text.clone()),
        RuleLine::Package(_) | RuleLine::File(_) | RuleLine::Folder(_) | RuleLine::Link(_) => None,
        RuleLine::Absent(_) | RuleLine::Check(_) | RuleLine::Apply(_) => None,
    };
    let would_run = |line: &RuleLine| match line {
        RuleLine::Apply(command) if state == State::Drift => Some(command.clone()),
        RuleLine::Package(_) | RuleLine::File(_) | RuleLine::Folder(_) | RuleLine::Link(_) => None,
        RuleLine::Absent(_) | RuleLine::Check(_) | RuleLine::Apply(_) | RuleLine::Manual(_) => None,
    };
    Seen {
        rule: rule.rule.clone(),
        state,
        lines,
        would_run: rule.lines.iter().filter_map(would_run).collect(),
        by_hand: rule.lines.iter().filter_map(by_hand).collect(),
    }
}

fn mark(line: &str, nonce: &str) -> Option<Mark> {
    let mut words = line.strip_prefix(nonce)?.strip_prefix(' ')?.split(' ');
    let (rule, line, word, hex) = (words.next()?, words.next()?, words.next()?, words.next().unwrap_or_default());
    let line = if line == "-" { None } else { Some(line.parse().ok()?) };
    Some(Mark { rule: rule.parse().ok()?, line, word: word.to_owned(), said: bytes(hex) })
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The end of what was printed, on one line; nothing of it acts on a terminal.
fn said(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(SAID_LINES_MAX));
    shown.map(|line| last_line(line)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_nothing_that_looks_like_one() {
        let row = RuleRow {
            rule: "a/b".into(),
            doc: None,
            after: Vec::new(),
            lines: vec![RuleLine::Check("true".into()), RuleLine::Apply("do".into()), RuleLine::Manual("look".into())],
        };
        let found = seen(&[&row], "N", b"N 0 0 drift 6e6f0a\nM 0 0 kept \n N 0 - kept \nN 0 - drift \n");
        let line = Line { line: "check true".into(), state: LineState::Drift, said: "no".into() };
        let (would_run, by_hand) = (vec!["do".into()], vec!["look".into()]);
        assert_eq!(found, [Seen { rule: "a/b".into(), state: State::Drift, lines: vec![line], would_run, by_hand }]);
        assert_eq!(seen(&[&row], "N", b"").first().map(|seen| seen.state), Some(State::Unknown));
        assert_eq!(said(b"\n\x1b[31mone\n\ntwo\n"), "[31mone; two");
    }
}

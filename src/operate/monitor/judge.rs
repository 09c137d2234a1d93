//! What checks found, one after the other → what is up and down, and who must be told.
//!
//! ```text
//!             good                      good, good: resolved
//!  Unknown ─────────► Up ◄──────────────────────────────── Down
//!     │      bad      │ ▲                                   ▲
//!     └──────────► Failing ── often enough, and what lies ──┘ fired
//!                     │       before it has answered since
//!                     └─ what lies before it is down ─► Behind
//! ```
//! Who fails often enough is in doubt until its parent has answered a question that was asked later; the
//! parent is asked at once. A parent that was down makes its children count anew.
//!
//! **Invariant:** pure: no clock, no socket. An alert that was fired is not fired again before it is resolved,
//! and nothing fires while what lies before it is down.

use std::collections::{BTreeMap, BTreeSet};

pub use super::found::{Found, News, Wanted};
use super::plan::{Plan, Watched};
use super::seen::{Alert, CheckSeen, STARTING, State};

/// How often in a row something must answer until it is well again.
const GOODS: u32 = 2;
/// How many of those behind an implied check are asked before it counts.
const WITNESSES_MAX: usize = 8;
/// How many hosts behind something an alert names.
const BEHIND_MAX: usize = 4096;
/// How long a resolved alert is shown.
const SHOWN_SECS: i64 = 7 * 86_400;
/// How many resolved alerts are kept at most.
const RESOLVED_MAX: usize = 1000;

/// What is known of one check.
#[derive(Clone, Debug, Default)]
struct Known {
    state: State,
    since: i64,
    at: i64,
    millis: Option<f64>,
    why: Option<String>,
    failures: u32,
    goods: u32,
    /// The question that failed first, in this row of failures.
    first_failed: u64,
    /// When it was answered.
    failed_at: i64,
    /// The question that was answered last, by itself or by what lies behind it.
    good_at: u64,
    /// Since which question it only waits for its parent's word.
    doubt: Option<u64>,
    /// Answers to questions of before count no more.
    fresh: u64,
    /// The question that was heard of last.
    heard: u64,
    is_unable: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Judge {
    plan: Plan,
    known: BTreeMap<String, Known>,
    /// Open ones and resolved ones, in the order in which they were fired.
    alerts: Vec<Alert>,
    /// By schedule; a schedule that is not here wants its hosts on.
    wanted: BTreeMap<String, Wanted>,
    questions: u64,
    urgent: BTreeSet<String>,
    news: Vec<News>,
}

impl Judge {
    /// What a former run knew; what is open stays open.
    pub fn remembering(checks: Vec<(CheckSeen, u32)>, alerts: Vec<Alert>) -> Judge {
        let known = checks.into_iter().map(|(seen, failures)| {
            let CheckSeen { id, state, since, at, millis, why, .. } = seen;
            (id, Known { state, since, at, millis, why, failures, failed_at: since, ..Known::default() })
        });
        Judge { known: known.collect(), alerts, ..Judge::default() }
    }

    /// Takes over a generation.
    pub fn settle(&mut self, plan: Plan, now: i64) -> Vec<News> {
        self.plan = plan;
        let gone = |alert: &&Alert| alert.resolved.is_none() && !self.plan.checks.contains_key(&alert.check_id());
        let gone: Vec<String> = self.alerts.iter().filter(gone).map(Alert::check_id).collect();
        gone.iter().for_each(|id| self.resolve(id, "it is no longer watched", now));
        self.known.retain(|id, _| self.plan.checks.contains_key(id));
        for id in self.plan.checks.keys() {
            self.known.entry(id.clone()).or_insert_with(|| Known { since: now, ..Known::default() });
        }
        let open: BTreeSet<String> = self.alerts.iter().filter(|alert| alert.resolved.is_none()).map(Alert::check_id).collect();
        for (id, known) in &mut self.known {
            // The file of checks may be older than that of what was fired.
            match (open.contains(id), known.state == State::Down) {
                (true, false) => set(known, State::Down, now),
                (false, true) => set(known, State::Failing, now),
                (true, true) | (false, false) => {}
            }
        }
        self.urgent.retain(|id| self.plan.checks.contains_key(id));
        std::mem::take(&mut self.news)
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The number of a question that is asked now.
    pub fn question(&mut self) -> u64 {
        self.questions += 1;
        self.questions
    }

    /// What must be asked at once, before its turn.
    pub fn take_urgent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.urgent).into_iter().collect()
    }

    /// Shall it be asked at all?
    pub fn is_off(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.state == State::Off)
    }

    /// What schedules say now.
    pub fn schedules(&mut self, wanted: BTreeMap<String, Wanted>, now: i64) -> Vec<News> {
        self.wanted = wanted;
        let scheduled = self.plan.checks.iter().filter(|(_, watched)| watched.schedule.is_some());
        let ids: Vec<(String, bool)> = scheduled.map(|(id, watched)| (id.clone(), self.wants(watched) == Wanted::Off)).collect();
        for (id, is_off) in ids {
            if is_off != self.is_off(&id) {
                if is_off {
                    self.resolve(&id, "its schedule has it off", now);
                }
                let fresh = self.questions + 1;
                if let Some(known) = self.known.get_mut(&id) {
                    set(known, if is_off { State::Off } else { State::Unknown }, now);
                    (known.why, known.failures, known.goods, known.doubt, known.fresh) = (None, 0, 0, None, fresh);
                }
            }
        }
        std::mem::take(&mut self.news)
    }

    fn wants(&self, watched: &Watched) -> Wanted {
        watched.schedule.as_ref().and_then(|name| self.wanted.get(name)).copied().unwrap_or(Wanted::On)
    }

    /// A question was answered, or not.
    pub fn heard(&mut self, id: &str, question: u64, found: Found, now: i64) -> Vec<News> {
        let Some(watched) = self.plan.checks.get(id).cloned() else { return Vec::new() };
        let is_starting = self.wants(&watched) == Wanted::Starting;
        let Some(known) = self.known.get_mut(id).filter(|known| known.state != State::Off && question >= known.fresh) else {
            return Vec::new();
        };
        (known.at, known.heard) = (now, question);
        known.is_unable = matches!(found, Found::Unable { .. });
        match found {
            Found::Good { millis } => {
                known.millis = Some(millis);
                self.good(id, question, now);
                self.vouch(id, question, now);
            }
            Found::Bad { .. } if is_starting && known.state != State::Down => {
                (known.failures, known.millis, known.why) = (0, None, Some(STARTING.to_owned()));
                set(known, State::Unknown, now);
            }
            Found::Bad { why } => {
                (known.millis, known.why) = (None, Some(why));
                self.bad(id, question, now);
            }
            Found::Unable { why } => {
                (known.millis, known.why) = (None, Some(why));
                if known.state != State::Down {
                    known.failures = 0;
                    set(known, State::Unknown, now);
                }
            }
        }
        self.decide_children(id, now);
        std::mem::take(&mut self.news)
    }

    fn good(&mut self, id: &str, question: u64, now: i64) {
        let Some(known) = self.known.get_mut(id) else { return };
        let failed = known.failures > 0 || known.state != State::Up;
        (known.failures, known.doubt, known.good_at) = (0, None, known.good_at.max(question));
        known.goods += 1;
        if known.state == State::Down && known.goods < GOODS {
            return;
        }
        let was_down = known.state == State::Down;
        known.why = None;
        set(known, State::Up, now);
        if was_down {
            self.resolve(id, "it answers again", now);
        }
        if failed {
            self.count_anew(id);
        }
    }

    /// What lies behind something is asked through it: an answer is one of both, where nobody asked for a
    /// word of its own. Not every router answers a ping.
    fn vouch(&mut self, id: &str, question: u64, now: i64) {
        let mut at = id.to_owned();
        while let Some(parent) = self.plan.checks.get(&at).and_then(|watched| watched.parent.clone()) {
            let is_implied = self.plan.checks.get(&parent).is_some_and(|watched| watched.is_implied);
            let Some(known) = self.known.get_mut(&parent).filter(|_| is_implied) else { return };
            known.good_at = known.good_at.max(question);
            if matches!(known.state, State::Down | State::Behind) {
                self.good(&parent, question, now);
            }
            self.decide_children(&parent, now);
            at = parent;
        }
    }

    /// Their failures may have been those of what lies before them.
    fn count_anew(&mut self, id: &str) {
        let fresh = self.questions + 1;
        for child in self.plan.descendants(id) {
            let Some(known) = self.known.get_mut(&child) else { continue };
            if known.state == State::Behind || known.state == State::Failing {
                (known.failures, known.doubt, known.fresh) = (0, None, fresh);
                self.urgent.insert(child);
            }
        }
    }

    fn bad(&mut self, id: &str, question: u64, now: i64) {
        let is_implied = self.plan.checks.get(id).is_some_and(|watched| watched.is_implied);
        let Some(known) = self.known.get_mut(id) else { return };
        known.goods = 0;
        known.failures += 1;
        if known.failures == 1 {
            (known.first_failed, known.failed_at) = (question, now);
        }
        if known.state == State::Down {
            return;
        }
        if is_implied && known.good_at > known.first_failed {
            known.failures = 0;
            known.why = Some("it does not answer itself, and hosts behind it do".to_owned());
            return set(known, State::Up, now);
        }
        self.decide(id, now);
    }

    /// Those that waited for its word.
    fn decide_children(&mut self, id: &str, now: i64) {
        let doubting: Vec<String> = self.plan.children(id).iter().filter(|child| self.is_in_doubt(child)).cloned().collect();
        doubting.iter().for_each(|child| self.decide(child, now));
    }

    fn is_in_doubt(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.doubt.is_some())
    }

    /// It failed; is it down, or what lies before it?
    fn decide(&mut self, id: &str, now: i64) {
        let Some(watched) = self.plan.checks.get(id) else { return };
        let (fails, parent, is_implied) = (watched.fails, watched.parent.clone(), watched.is_implied);
        let before = parent.as_ref().and_then(|parent| self.known.get(parent));
        let (before, is_unable, good_at) =
            before.map_or((State::Up, true, 0), |known| (known.state, known.is_unable, known.good_at));
        let asked = self.questions;
        let Some(known) = self.known.get_mut(id).filter(|known| known.state != State::Down && known.failures > 0) else { return };
        match before {
            State::Down | State::Behind | State::Off => {
                known.doubt = None;
                return set(known, State::Behind, now);
            }
            State::Unknown | State::Up | State::Failing => {}
        }
        if known.failures < fails || is_implied && self.has_a_say_left(id) {
            return self.known.get_mut(id).into_iter().for_each(|known| set(known, State::Failing, now));
        }
        let Some(known) = self.known.get_mut(id) else { return };
        let is_new = known.doubt.is_none();
        let doubt = *known.doubt.get_or_insert(asked);
        if is_unable || good_at > doubt {
            return self.fire(id, now);
        }
        set(known, State::Failing, now);
        // Once; from then on the parent is asked at its own pace, for it may be down, and must fail often enough.
        self.urgent.extend(parent.filter(|_| is_new));
    }

    /// Nobody asked for an implied check: it says something only where what lies behind it fails too. Some of
    /// those that answered last are asked at once.
    fn has_a_say_left(&mut self, id: &str) -> bool {
        let first_failed = self.known.get(id).map_or(0, |known| known.first_failed);
        let behind: Vec<(&String, &Known)> =
            self.plan.children(id).iter().filter_map(|child| Some((child, self.known.get(child)?))).collect();
        let fails = behind.iter().any(|(_, known)| known.failures > 0 || known.state == State::Down);
        let unasked = behind.iter().filter(|(_, known)| known.state == State::Up && known.heard < first_failed);
        let unasked: Vec<String> = unasked.take(WITNESSES_MAX).map(|(child, _)| (*child).clone()).collect();
        let is_left = !fails || !unasked.is_empty();
        self.urgent.extend(unasked);
        is_left
    }

    fn fire(&mut self, id: &str, now: i64) {
        let Some(watched) = self.plan.checks.get(id).cloned() else { return };
        let Some(known) = self.known.get_mut(id) else { return };
        (known.doubt, known.goods) = (None, 0);
        set(known, State::Down, now);
        let mut why = known.why.clone().unwrap_or_default();
        let (first_failed, failed_at) = (known.first_failed, known.failed_at.min(now));
        let (mut behind, mut too) = (BTreeSet::new(), BTreeSet::new());
        for child in self.plan.descendants(id) {
            let (Some(below), Some(known)) = (self.plan.checks.get(&child), self.known.get(&child)) else { continue };
            if below.host == watched.host {
                too.extend((known.failures > 0).then(|| below.check.clone()));
            } else if known.state != State::Off && known.good_at < first_failed.max(1) && !below.is_implied {
                behind.insert(below.host.clone());
            }
        }
        if !too.is_empty() {
            why = format!("{why}; so fails {}", too.into_iter().collect::<Vec<_>>().join(", "));
        }
        let alert = Alert {
            id: Alert::name(id, failed_at),
            host: watched.host,
            check: watched.check,
            fired: failed_at,
            resolved: None,
            why,
            behind: behind.into_iter().take(BEHIND_MAX).collect(),
            waiting: Vec::new(),
        };
        self.alerts.push(alert.clone());
        self.news.push(News::Fired(alert));
        self.plan.descendants(id).iter().for_each(|child| self.decide(child, now));
    }

    fn resolve(&mut self, id: &str, why: &str, now: i64) {
        let open = |alert: &&mut Alert| alert.resolved.is_none() && alert.check_id() == id;
        for alert in self.alerts.iter_mut().filter(open) {
            // A clock that was set back ends nothing before it began.
            alert.resolved = Some(now.max(alert.fired));
            self.news.push(News::Resolved(alert.clone(), why.to_owned()));
        }
    }

    /// What is written down: each check with its failures in a row, and the alerts, the newest first. Those
    /// that were resolved long ago are forgotten.
    pub fn memory(&mut self, now: i64) -> (Vec<(CheckSeen, u32)>, Vec<Alert>) {
        self.alerts.retain(|alert| alert.resolved.is_none_or(|at| at > now - SHOWN_SECS));
        let resolved = self.alerts.iter().filter(|alert| alert.resolved.is_some()).count();
        let mut surplus = resolved.saturating_sub(RESOLVED_MAX);
        self.alerts.retain(|alert| {
            let goes = surplus > 0 && alert.resolved.is_some();
            surplus -= usize::from(goes);
            !goes
        });
        let one = |(id, watched): (&String, &Watched)| {
            let Known { state, since, at, millis, why, failures, .. } = self.known.get(id)?.clone();
            let (host, check) = (watched.host.clone(), watched.check.clone());
            Some((CheckSeen { id: id.clone(), host, check, state, since, at, millis, why }, failures))
        };
        (self.plan.checks.iter().filter_map(one).collect(), self.alerts.iter().rev().cloned().collect())
    }
}

fn set(known: &mut Known, state: State, now: i64) {
    if known.state != state {
        (known.state, known.since) = (state, now);
    }
}

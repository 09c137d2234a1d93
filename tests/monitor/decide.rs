//! What is decided of what was found: tables of small stories.

use std::collections::BTreeMap;

use pxelator::operate::monitor::judge::{Found, Judge, News, Wanted};
use pxelator::operate::monitor::plan::{Plan, Probe};
use pxelator::operate::monitor::seen::State;

use super::tables;

/// Two networks behind each other, as the boot server sees them.
const SITE: &str = r#"site lab timezone="UTC"
network lan "10.77.0.0/24" gateway=1 server=2 {
    host boot 2 "52:54:00:77:00:02"
    host nas 51 "00:11:32:00:00:33"
}
network hall "10.78.0.0/24" gateway=1 {
    group seats schedule=opening wake=#true { host hall-01 11 "52:54:00:78:00:0b"; host hall-02 12 "52:54:00:78:00:0c" }
}
network attic "10.79.0.0/24" gateway=1 { host router-attic 1; host attic-01 11 "52:54:00:79:00:0b" }
schedule opening { power "07:30" "20:30"; holidays off }
holidays { day "12-25" }
"#;

/// A judge, a clock, and who answers.
pub(super) struct Story {
    pub(super) judge: Judge,
    pub(super) now: i64,
    /// By id: why it fails. All others answer.
    pub(super) failing: BTreeMap<String, String>,
    pub(super) told: Vec<String>,
}

impl Story {
    pub(super) fn of(checks: &str) -> Story {
        Story::on(&format!("{SITE}{checks}"))
    }

    pub(super) fn on(site: &str) -> Story {
        let mut judge = Judge::default();
        assert_eq!(judge.settle(Plan::of(&tables(site)), 0), []);
        Story { judge, now: 0, failing: BTreeMap::new(), told: Vec::new() }
    }

    fn fail(&mut self, ids: &[&str]) {
        self.failing = ids.iter().map(|id| ((*id).to_owned(), "silence".to_owned())).collect();
    }

    pub(super) fn note(&mut self, news: Vec<News>) {
        for one in news {
            self.told.push(match one {
                News::Fired(alert) => format!("fired {} {} [{}] {}", alert.host, alert.check, alert.behind.join(" "), alert.why),
                News::Resolved(alert, why) => format!("resolved {} {}: {why}", alert.host, alert.check),
            });
        }
    }

    pub(super) fn ask(&mut self, id: &str) {
        if self.judge.is_off(id) {
            return;
        }
        let question = self.judge.question();
        let found = match self.failing.get(id) {
            Some(why) => Found::Bad { why: why.clone() },
            None => Found::Good { millis: 1.0 },
        };
        let news = self.judge.heard(id, question, found, self.now);
        self.note(news);
        for urgent in self.judge.take_urgent() {
            self.ask(&urgent);
        }
    }

    /// Everything once, in this order, and what is urgent at once.
    pub(super) fn round(&mut self) {
        self.now += 60;
        let ids: Vec<String> = self.judge.plan().checks.keys().cloned().collect();
        ids.iter().for_each(|id| self.ask(id));
    }

    fn rounds(&mut self, count: usize) -> Vec<String> {
        (0..count).for_each(|_| self.round());
        std::mem::take(&mut self.told)
    }

    fn state(&mut self, id: &str) -> State {
        let (checks, _) = self.judge.memory(self.now);
        checks.iter().find(|(seen, _)| seen.id == id).unwrap_or_else(|| panic!("{id} in {checks:?}")).0.state
    }
}

#[test]
fn an_alert_is_as_old_as_its_first_failure() {
    let mut story = Story::of("check ping on=\"host:nas\" fails=3\n");
    story.round();
    story.fail(&["nas ping"]);
    (0..9).for_each(|_| story.round());
    let [alert] = story.judge.alerts() else { panic!("{:?}", story.judge.alerts()) };
    assert_eq!(alert.fired, 120, "it failed in the second round, and somebody was told in the fourth");
    // Also where a restart came between.
    let mut story = Story::of("check ping on=\"host:nas\" fails=3\n");
    story.fail(&["nas ping"]);
    story.round();
    let (checks, alerts) = story.judge.memory(60);
    let mut judge = Judge::remembering(checks, alerts);
    assert_eq!(judge.settle(story.judge.plan().clone(), 61), []);
    story.judge = judge;
    (0..9).for_each(|_| story.round());
    assert_eq!(story.judge.alerts().first().map(|alert| alert.fired), Some(60));
}

#[test]
fn what_lies_before_what_is_read_off_the_site() {
    let plan = Plan::of(&tables(&format!(
        "{SITE}check ping on=\"lan, hall\" every=\"30s\"\ncheck tcp 445 on=\"host:nas, host:attic-01\" every=\"10s\" fails=5\n"
    )));
    let told: Vec<String> =
        plan.checks.iter().map(|(id, one)| format!("{id} < {}", one.parent.as_deref().unwrap_or("-"))).collect();
    assert_eq!(
        told,
        [
            "attic-01 tcp 445 < router-attic ping",
            "boot ping < -",
            "gateway of hall ping < link to lan link",
            "hall-01 ping < gateway of hall ping",
            "hall-02 ping < gateway of hall ping",
            "link to lan link < -",
            "nas ping < link to lan link",
            "nas tcp 445 < nas ping",
            "router-attic ping < link to lan link",
        ]
    );
    let gateway = &plan.checks["gateway of hall ping"];
    assert_eq!(
        (gateway.every_secs, gateway.fails, gateway.is_implied, &gateway.probe),
        (30, 3, true, &Probe::Ping([10, 78, 0, 1].into()))
    );
    assert_eq!((plan.checks["router-attic ping"].every_secs, plan.checks["router-attic ping"].is_implied), (10, true));
}

#[test]
fn a_host_fails_often_enough_and_answers_twice() {
    let mut story = Story::of("check ping on=\"host:nas\" fails=3");
    assert_eq!(story.rounds(2), [""; 0]);
    story.fail(&["nas ping"]);
    assert_eq!(story.rounds(2), [""; 0]);
    assert_eq!(story.state("nas ping"), State::Failing);
    assert_eq!(story.rounds(5), ["fired nas ping [] silence"]);
    story.fail(&[]);
    story.now += 60;
    story.ask("nas ping");
    assert_eq!((std::mem::take(&mut story.told), story.state("nas ping")), (vec![], State::Down), "one answer may be luck");
    story.fail(&["nas ping"]);
    assert_eq!(story.rounds(5), [""; 0], "it is the same alert");
    story.fail(&[]);
    assert_eq!(story.rounds(5), ["resolved nas ping: it answers again"]);
}

#[test]
fn a_dead_gateway_is_one_alert_and_its_children_count_anew() {
    let mut story = Story::of("check ping on=\"hall\" fails=2\ncheck tcp 22 on=\"host:hall-01\"");
    story.rounds(2);
    let all = ["gateway of hall ping", "hall-01 ping", "hall-01 tcp 22", "hall-02 ping"];
    story.fail(&all);
    assert_eq!(story.rounds(9), ["fired gateway of hall ping [hall-01 hall-02] silence"]);
    assert!(all[1..].iter().all(|id| story.state(id) == State::Behind));
    // It is back, and one of them is not.
    story.fail(&["hall-02 ping"]);
    story.ask("gateway of hall ping");
    story.ask("gateway of hall ping");
    assert_eq!(std::mem::take(&mut story.told), ["resolved gateway of hall ping: it answers again"]);
    assert_eq!(story.state("hall-02 ping"), State::Failing, "its failures of before count no more");
    assert_eq!(story.rounds(1), ["fired hall-02 ping [] silence"]);
}

#[test]
fn the_whole_link_is_one_alert() {
    let mut story = Story::of("check ping on=\"lan, hall\" fails=1\ncheck tcp 445 on=\"host:nas\" fails=1");
    story.rounds(1);
    let cut = story.judge.plan().checks.keys().filter(|id| *id != "boot ping");
    story.failing = cut.map(|id| (id.clone(), "no carrier".to_owned())).collect();
    assert_eq!(story.rounds(9), ["fired link to lan link [hall-01 hall-02 nas] no carrier"]);
    story.fail(&[]);
    assert_eq!(story.rounds(9), ["resolved link to lan link: it answers again"]);
}

#[test]
fn other_checks_of_a_silent_host_are_told_with_it() {
    let mut story = Story::of("check ping on=\"host:nas\" fails=2\ncheck tcp 445 on=\"host:nas\" fails=2");
    story.rounds(1);
    story.fail(&["nas tcp 445"]);
    assert_eq!(story.rounds(4), ["fired nas tcp 445 [] silence"]);
    story.fail(&[]);
    assert_eq!(story.rounds(3), ["resolved nas tcp 445: it answers again"]);
    story.fail(&["nas ping", "nas tcp 445"]);
    assert_eq!(story.rounds(9), ["fired nas ping [] silence; so fails tcp 445"]);
    story.fail(&["nas tcp 445"]);
    assert_eq!(story.rounds(9), ["resolved nas ping: it answers again", "fired nas tcp 445 [] silence"]);
}

#[test]
fn a_router_that_answers_no_ping_is_no_alert_while_hosts_behind_it_answer() {
    let mut story = Story::of("check ping on=\"hall\" fails=1");
    story.fail(&["gateway of hall ping"]);
    assert_eq!(story.rounds(20), [""; 0]);
    assert_ne!(story.state("gateway of hall ping"), State::Down);
    // One of the two is really gone: the other one says that it is not the router.
    story.fail(&["gateway of hall ping", "hall-02 ping"]);
    assert_eq!(story.rounds(9), ["fired hall-02 ping [] silence"]);
    story.fail(&["gateway of hall ping", "hall-01 ping", "hall-02 ping"]);
    assert_eq!(story.rounds(9), ["fired gateway of hall ping [hall-01 hall-02] silence"]);
    story.fail(&["gateway of hall ping"]);
    let mut told = story.rounds(9);
    told.sort();
    assert_eq!(told, ["resolved gateway of hall ping: it answers again", "resolved hall-02 ping: it answers again"]);
}

#[test]
fn a_schedule_that_has_a_host_off_ends_its_alert() {
    let mut story = Story::of("check ping on=\"hall\" fails=2");
    let says = |story: &mut Story, wanted| {
        let news = story.judge.schedules([("opening".to_owned(), wanted)].into(), story.now);
        story.note(news);
    };
    story.rounds(1);
    story.fail(&["hall-01 ping"]);
    assert_eq!(story.rounds(3), ["fired hall-01 ping [] silence"]);
    says(&mut story, Wanted::Off);
    assert_eq!(story.rounds(9), ["resolved hall-01 ping: its schedule has it off"]);
    assert_eq!((story.state("hall-01 ping"), story.state("hall-02 ping")), (State::Off, State::Off));
    says(&mut story, Wanted::Starting);
    assert_eq!(story.rounds(9), [""; 0], "it has time to start");
    assert_eq!((story.state("hall-01 ping"), story.state("hall-02 ping")), (State::Unknown, State::Up));
    says(&mut story, Wanted::On);
    assert_eq!(story.rounds(3), ["fired hall-01 ping [] silence"]);
}

#[test]
fn a_restart_and_a_new_generation_forget_nothing_and_repeat_nothing() {
    let mut story = Story::of("check ping on=\"lan, hall\" fails=3");
    story.rounds(1);
    story.fail(&["nas ping", "hall-01 ping"]);
    assert_eq!(story.rounds(2), [""; 0]);
    let again = |story: &mut Story, checks: &str| {
        let (checks_seen, mut alerts) = story.judge.memory(story.now);
        alerts.reverse();
        story.judge = Judge::remembering(checks_seen, alerts);
        let news = story.judge.settle(Plan::of(&tables(&format!("{SITE}{checks}"))), story.now);
        story.note(news);
    };
    again(&mut story, "check ping on=\"lan, hall\" fails=3");
    assert_eq!(story.rounds(1).len(), 2, "two failures of before count");
    again(&mut story, "check ping on=\"lan, hall\" fails=3");
    assert_eq!(story.rounds(5), [""; 0], "they are told already");
    again(&mut story, "check ping on=\"hall\" fails=3");
    assert_eq!(story.rounds(5), ["resolved nas ping: it is no longer watched"]);
    story.fail(&[]);
    assert_eq!(story.rounds(5), ["resolved hall-01 ping: it answers again"]);
}

#[test]
fn who_may_not_ping_says_so_and_fires_nothing() {
    let mut story = Story::of("check ping on=\"host:hall-01\" fails=1\ncheck tcp 22 on=\"host:hall-02\" fails=1");
    for _ in 0..4 {
        let ids: Vec<String> = story.judge.plan().checks.keys().cloned().collect();
        for id in ids {
            let question = story.judge.question();
            let found = match id.as_str() {
                "hall-02 tcp 22" => Found::Bad { why: "nothing listens".to_owned() },
                "link to lan link" => Found::Good { millis: 0.1 },
                _ => Found::Unable { why: "not root".to_owned() },
            };
            let news = story.judge.heard(&id, question, found, 1);
            story.note(news);
        }
    }
    // Its router cannot be asked, so nothing excuses it.
    assert_eq!(story.told, ["fired hall-02 tcp 22 [] nothing listens"]);
    assert_eq!(story.state("hall-01 ping"), State::Unknown);
}

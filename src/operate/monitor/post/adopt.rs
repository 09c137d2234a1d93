//! What a kill left in the queue, held against what was written down of alerts.

use std::collections::{BTreeMap, BTreeSet};

use super::super::seen::Alert;
use super::{Message, Told};

/// What a killed run had put into the queue, and not yet written down: nobody was told of it. Its messages
/// are given back, with the sinks that have them in their queue.
pub(in crate::operate::monitor) fn adopt(alerts: &mut Vec<Alert>, left: Vec<Message>) -> Vec<(Message, BTreeSet<String>)> {
    let mut lacking: BTreeMap<String, (Message, BTreeSet<String>)> = BTreeMap::new();
    for message in left {
        if let Some((_, has_it)) = lacking.get_mut(&message.name()) {
            has_it.insert(message.sink);
            continue;
        }
        match (message.state, alerts.iter_mut().find(|alert| alert.id == message.alert.id)) {
            (Told::Fired, None) => alerts.push(message.alert.clone()),
            (Told::Resolved, Some(alert)) if alert.resolved.is_none() => alert.resolved = Some(message.at),
            (Told::Fired | Told::Resolved | Told::Test, _) => continue,
        }
        let has_it = BTreeSet::from([message.sink.clone()]);
        lacking.insert(message.name(), (message, has_it));
    }
    lacking.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kill_left_in_the_queue_is_known_again() {
        let alert = |id: &str| Alert {
            id: id.into(),
            host: "nas".into(),
            check: "ping".into(),
            fired: 1,
            resolved: None,
            why: "w".into(),
            behind: vec![],
            waiting: vec![],
        };
        let message = |id: &str, state, sink: &str| Message {
            sink: sink.into(),
            state,
            at: 9,
            alert: alert(id),
            how: None,
            has_amt: false,
        };
        let mut alerts = vec![alert("known"), alert("ended")];
        let queue = vec![
            message("known", Told::Fired, "a"),
            message("ended", Told::Fired, "b"),
            message("ended", Told::Resolved, "a"),
            message("new", Told::Fired, "a"),
            message("new", Told::Fired, "b"),
        ];
        let left = adopt(&mut alerts, queue);
        let told: Vec<(&str, Option<i64>)> = alerts.iter().map(|alert| (alert.id.as_str(), alert.resolved)).collect();
        assert_eq!(told, [("known", None), ("ended", Some(9)), ("new", None)]);
        let left: Vec<String> = left.iter().map(|(one, has_it)| format!("{} {has_it:?}", one.name())).collect();
        assert_eq!(left, ["ended.resolved {\"a\"}", "new.fired {\"a\", \"b\"}"]);
    }
}

//! What happened, in words for people who do not know the names of events.

use serde_json::Value;

use crate::operate::audit::line::Entry;
use crate::operate::audit::query::body;

/// One sentence, without who it is about; an event that has none stands as in the log.
pub fn of(entry: &Entry) -> String {
    let word = |name: &str| entry.text(name).unwrap_or_default();
    let number = |name: &str| entry.fields.get(name).and_then(Value::as_u64).unwrap_or(0);
    let firmware = || entry.fields.get("arch").is_some_and(Value::is_u64);
    match entry.event.as_str() {
        "client-discovered" if firmware() => "its firmware asked for an address".to_owned(),
        "client-discovered" => "asked for an address".to_owned(),
        "lease-offered" | "reservation-offered" => format!("was offered {}", word("address")),
        "lease-granted" | "reservation-granted" => format!("has {}", word("address")),
        "lease-released" => format!("gave {} back", word("address")),
        "loader-offered" => format!("was told to load {}", word("file")),
        "request-refused" => format!("may not have {}", word("address")),
        "pool-exhausted" => format!("found no free address in {}", word("network")),
        "file-asked" if entry.fields.get("found") == Some(&Value::Bool(true)) => {
            format!("asked {} for {}", word("service"), word("path"))
        }
        "file-asked" => format!("asked {} for {}, which is not here", word("service"), word("path")),
        "power-asked" => format!("shall do `{}`, says {}", word("action"), by(word("by"))),
        "power-changed" => format!("was told `{}` by {}", word("action"), by(word("by"))),
        "power-kept" => format!("was `{}` already, as {} wants it", word("action"), by(word("by"))),
        "power-failed" => format!("cannot be told `{}`: {}", word("action"), word("why")),
        "power-seen" => format!("is {}", word("state")),
        "wake-sent" => format!("was sent a wake-up by {}", by(word("by"))),
        "rule-seen" => format!("rule {} is `{}` there: {}", word("rule"), word("state"), word("why")),
        "rule-applied" => format!("has rule {} now", word("rule")),
        "rule-failed" => format!("has not rule {}: {}", word("rule"), word("why")),
        "alert-fired" if number("behind") > 0 => {
            format!("fails {}: {}; {} hosts lie behind it", word("check"), word("why"), number("behind"))
        }
        "alert-fired" => format!("fails {}: {}", word("check"), word("why")),
        "alert-resolved" => format!("{} is well again: {}", word("check"), word("why")),
        "alert-sent" => format!("the news of it ({}) reached {}", word("state"), word("sink")),
        "alert-undelivered" => format!("the news of it ({}) never reaches {}: {}", word("state"), word("sink"), word("why")),
        "machine-pulled" => format!("its tracked folders were pulled by {}: {}", by(word("by")), word("what")),
        "machine-not-pulled" => format!("its tracked folders could not be pulled: {}", word("why")),
        "path-restored" => format!("{} was put back by {}", word("path"), by(word("by"))),
        "path-half-restored" => format!("{} was put back in part: {}", word("path"), word("why")),
        "command-given" => format!("gave the command {}", word("run")),
        "command-refused" => format!("may not ask for {}", word("name")),
        "help-called" => "calls for help".to_owned(),
        _ => body(entry),
    }
}

fn by(who: &str) -> &str {
    match who {
        "schedule" => "its schedule",
        "command" => "a command by DNS",
        "operator" => "a person",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Record};

    #[test]
    fn common_events_are_sentences_and_others_stand_as_they_are() {
        let told = |event| of(&Entry::of(&Record { at: 0, event }));
        let by = "schedule".into();
        assert_eq!(told(Event::WakeSent { host: "k".into(), by }), "was sent a wake-up by its schedule");
        let fired =
            Event::AlertFired { alert: "a".into(), host: "r".into(), check: "ping".into(), why: "no answer".into(), behind: 20 };
        assert_eq!(told(fired), "fails ping: no answer; 20 hosts lie behind it");
        assert_eq!(told(Event::LinesDropped { count: 3 }), "lines-dropped count=3");
    }
}

//! An alert in words: the subject of a mail, and what stands in it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::plan::LINK;
use super::{Message, Told};
use crate::out::table::AlertRow;
use crate::terminal::escaped;

/// How many of the hosts behind something are named; the rest are counted.
const NAMES_MAX: usize = 30;
/// How long a reason may be, in bytes.
const WHY_BYTES_MAX: usize = 500;

pub(super) struct Words {
    pub(super) subject: String,
    pub(super) body: String,
}

pub(super) fn words(row: &AlertRow, message: &Message) -> Words {
    let alert = &message.alert;
    let (host, check) = (escaped(&alert.host), escaped(&alert.check));
    let is_link = check == LINK;
    let news = match (message.state, message.how.as_deref()) {
        (Told::Test, _) => "a test: whoever reads this is told of alerts".to_owned(),
        (Told::Fired, _) => format!("{host} {} ({check})", if is_link { "is down" } else { "does not answer" }),
        (Told::Resolved, Some(how)) if how != AGAIN => format!("{host}: {how} ({check})"),
        (Told::Resolved, _) => {
            let again = if is_link { "is up again" } else { "answers again" };
            format!("{host} {again} after {} ({check})", duration(message.at - alert.fired))
        }
    };
    let subject = format!("[{}] {news}", escaped(&row.site));
    Words { body: body(row, message, &news), subject }
}

/// What [`super::super::judge`] says of whatever is well again.
const AGAIN: &str = "it answers again";

fn body(row: &AlertRow, message: &Message, news: &str) -> String {
    let alert = &message.alert;
    let moment = |at| moment(at, row.timezone.as_deref());
    let mut lines = vec![format!("{}.", upper(news)), String::new()];
    match message.state {
        Told::Test => {
            lines.push(format!("Sent: {}", moment(message.at)));
            lines.push("Nothing is wrong. Somebody typed `pxelator alerts test` on the boot server.".to_owned());
            return lines.join("\n") + "\n";
        }
        Told::Fired => {
            lines.push(format!("Since: {}", moment(alert.fired)));
            lines.push(format!("Why:   {}", reason(&alert.why)));
        }
        Told::Resolved => {
            lines.push(format!("From:  {}", moment(alert.fired)));
            lines.push(format!("To:    {} ({})", moment(message.at), duration(message.at - alert.fired)));
            lines.push(format!("Why it was told: {}", reason(&alert.why)));
            lines.push(format!("Why it is over:  {}", reason(message.how.as_deref().unwrap_or(AGAIN))));
        }
    }
    if !alert.behind.is_empty() {
        let could = if message.state == Told::Fired { "cannot" } else { "could not" };
        lines.extend([String::new(), behind(&alert.behind, could)]);
    }
    if message.state == Told::Fired {
        lines.extend([String::new(), "Next steps, on the boot server:".to_owned()]);
        // A router that no host is, and a link, boot from nobody and are switched by nobody.
        if !alert.host.contains(' ') {
            lines.push(format!("  pxelator audit boots {}", escaped(&alert.host)));
            lines.extend(message.has_amt.then(|| format!("  pxelator power {} status", escaped(&alert.host))));
        }
        lines.push("  pxelator alerts".to_owned());
    }
    lines.join("\n") + "\n"
}

/// `20 hosts behind it cannot be reached: hall-01, hall-02 and 18 more.`
fn behind(hosts: &[String], could: &str) -> String {
    let count = hosts.len();
    let named: Vec<String> = hosts.iter().take(NAMES_MAX).map(|host| escaped(host)).collect();
    let more = if count > NAMES_MAX { format!(" and {} more", count - NAMES_MAX) } else { String::new() };
    let them = if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
    format!("{them} behind it {could} be reached: {}{more}.", named.join(", "))
}

/// One line of ours, however it came.
fn reason(why: &str) -> String {
    let kept = why.floor_char_boundary(WHY_BYTES_MAX);
    let cut = if kept < why.len() { " …" } else { "" };
    escaped(why.get(..kept).unwrap_or_default()) + cut
}

fn upper(text: &str) -> String {
    // Names of hosts stay as they are.
    if text.starts_with("a test") { text.replacen('a', "A", 1) } else { text.to_owned() }
}

/// As the clocks at the site show it.
pub(super) fn moment(at: i64, zone: Option<&str>) -> String {
    let time = Timestamp::from_second(at).unwrap_or_default();
    let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let (local, name) = (zone.to_datetime(time), zone.iana_name().unwrap_or("UTC"));
    format!("{} {} ({name})", local.date(), local.time())
}

/// `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`
pub fn duration(secs: i64) -> String {
    let secs = secs.max(0);
    match (secs / 86_400, secs / 3600 % 24, secs / 60 % 60) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::monitor::seen::Alert;
    use crate::out::table::{AlertSink, WebhookRow};

    fn told(state: Told, host: &str, check: &str, how: Option<&str>) -> Words {
        let to = AlertSink::Webhook(WebhookRow { url: "http://x/".into(), token_file: None });
        let row = AlertRow { site: "lab".into(), timezone: Some("Europe/Zagreb".into()), to };
        let behind = (1..=32).map(|n| format!("hall-{n:02}")).collect();
        let alert = Alert {
            id: "a".into(),
            host: host.into(),
            check: check.into(),
            fired: 1_795_588_200,
            resolved: None,
            why: "no answer\r\nBcc: x".into(),
            behind,
            waiting: vec![],
        };
        words(
            &row,
            &Message { sink: row.name(), state, at: 1_795_588_920, alert, how: how.map(str::to_owned), has_amt: host == "nas" },
        )
    }

    #[test]
    fn an_alert_is_told_in_short_sentences_and_no_text_makes_a_line_of_its_own() {
        let fired = told(Told::Fired, "nas", "ping", None);
        assert_eq!(fired.subject, "[lab] nas does not answer (ping)");
        assert!(
            fired.body.contains("Since: 2026-11-25 07:30:00 (Europe/Zagreb)\nWhy:   no answer\\x0d\\x0aBcc: x\n"),
            "{}",
            fired.body
        );
        assert!(
            fired.body.contains("32 hosts behind it cannot be reached: hall-01, ")
                && fired.body.contains("hall-30 and 2 more.\n")
        );
        assert!(fired.body.contains("  pxelator power nas status\n"));
        let plain = told(Told::Fired, "pc-01", "ping", None);
        assert!(plain.body.contains("  pxelator audit boots pc-01\n  pxelator alerts\n"), "{}", plain.body);
        let resolved = told(Told::Resolved, "nas", "tcp 22", Some(AGAIN));
        assert_eq!(resolved.subject, "[lab] nas answers again after 12 min (tcp 22)");
        assert_eq!(
            told(Told::Resolved, "nas", "ping", Some("its schedule has it off")).subject,
            "[lab] nas: its schedule has it off (ping)"
        );
        let link = told(Told::Fired, "link to lan", "link", None);
        assert!(link.subject == "[lab] link to lan is down (link)" && !link.body.contains("pxelator power"));
        assert_eq!([59, 60, 3600, 3660, 90_000, 86_400].map(duration), ["59 s", "1 min", "1 h", "1 h 1 min", "1 d 1 h", "1 d"]);
    }
}

//! Templates, and how they show moments and numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera};

use super::route::encoded;
use crate::out::table::PageRow;

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("templates/base.tera")),
    ("state.html", include_str!("templates/state.tera")),
    ("picture.html", include_str!("templates/picture.tera")),
    ("overview.html", include_str!("templates/overview.tera")),
    ("host.html", include_str!("templates/host.tera")),
    ("find.html", include_str!("templates/find.tera")),
    ("audit.html", include_str!("templates/audit.tera")),
    ("alerts.html", include_str!("templates/alerts.tera")),
    ("generations.html", include_str!("templates/generations.tera")),
    ("generation.html", include_str!("templates/generation.tera")),
    ("trends.html", include_str!("templates/trends.tera")),
    ("refused.html", include_str!("templates/refused.tera")),
];

/// All templates; whatever they are given is escaped, for each bears the name of an HTML file.
pub(super) struct Templates {
    tera: Tera,
    /// Other machines are left alone, and every page says so.
    is_rehearsal: bool,
}

impl Templates {
    pub(super) fn new(is_rehearsal: bool) -> Result<Templates, tera::Error> {
        let mut tera = Tera::new();
        tera.autoescape_on([".html"]);
        tera.register_filter("when", |secs: i64, _: Kwargs, state: &State<'_>| Ok::<_, tera::Error>(clock(state)?.when(secs)));
        tera.register_filter("exact", |secs: i64, _: Kwargs, state: &State<'_>| Ok::<_, tera::Error>(clock(state)?.exact(secs)));
        tera.register_filter("iso", |secs: i64, _: Kwargs, _: &State<'_>| {
            format!("{:.0}", Timestamp::from_second(secs).unwrap_or_default())
        });
        tera.register_filter("ago", |secs: i64, _: Kwargs, state: &State<'_>| {
            Ok::<_, tera::Error>(span(clock(state)?.now - secs))
        });
        tera.register_filter("url", |text: &str, _: Kwargs, _: &State<'_>| encoded(text));
        tera.register_filter("rate", |rate: f64, _: Kwargs, _: &State<'_>| self::rate(rate));
        tera.add_raw_templates(TEMPLATES.iter().copied())?;
        Ok(Templates { tera, is_rehearsal })
    }

    /// A page: what the view found, and what every page has.
    pub(super) fn page<T: Serialize>(
        &self,
        name: &str,
        here: &str,
        row: &PageRow,
        now: Timestamp,
        view: &T,
    ) -> Result<String, tera::Error> {
        let mut context = Context::from_serialize(view)?;
        context.insert("site", &row.title);
        context.insert("here", here);
        context.insert("is_rehearsal", &self.is_rehearsal);
        context.insert("now", &now.as_second());
        context.insert("zone", row.timezone.as_deref().unwrap_or("UTC"));
        self.tera.render(name, &context)
    }
}

/// What time it is, where the site is.
struct Clock {
    now: i64,
    zone: TimeZone,
}

fn clock(state: &State<'_>) -> Result<Clock, tera::Error> {
    let zone: String = state.get("zone")?.unwrap_or_default();
    Ok(Clock { now: state.get("now")?.unwrap_or(0), zone: TimeZone::get(&zone).unwrap_or(TimeZone::UTC) })
}

impl Clock {
    /// `07:30` today, `Tue 07:30` within a week, else `2026-11-25 07:30`.
    fn when(&self, secs: i64) -> String {
        let local = |secs: i64| self.zone.to_datetime(Timestamp::from_second(secs).unwrap_or_default());
        let (at, now) = (local(secs), local(self.now));
        if at.date() == now.date() {
            return at.strftime("%H:%M").to_string();
        }
        let is_near = (secs - self.now).abs() < 6 * 86_400;
        at.strftime(if is_near { "%a %H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    /// To the second, with its day.
    fn exact(&self, secs: i64) -> String {
        self.zone.to_datetime(Timestamp::from_second(secs).unwrap_or_default()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// `12 s`, `5 min`, `3 h`, `2 days`
fn span(secs: i64) -> String {
    match secs {
        ..0 => "0 s".to_owned(),
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

fn rate(rate: f64) -> String {
    if rate >= 10.0 || rate == 0.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_moment_is_as_short_as_it_can_be() {
        let clock = Clock { now: at("2026-11-25T12:00:00Z"), zone: TimeZone::get("Europe/Zagreb").unwrap() };
        let shown = ["2026-11-25T06:30:00Z", "2026-11-24T22:59:00Z", "2026-11-24T23:01:00Z", "2026-01-02T06:30:00Z"]
            .map(|text| clock.when(at(text)));
        assert_eq!(shown, ["07:30", "Tue 23:59", "00:01", "2026-01-02 07:30"]);
        assert_eq!([-5, 5, 119, 120, 7_300, 200_000].map(span), ["0 s", "5 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!([0.0, 0.04, 9.96, 1234.5].map(rate), ["0", "0.0", "10.0", "1234"]);
    }

    #[test]
    fn names_from_the_wire_do_nothing_in_a_page() {
        #[derive(Serialize)]
        struct View {
            title: &'static str,
            text: &'static str,
        }
        let templates = Templates::new(false).unwrap();
        let row = PageRow { port: 1, from: vec![], title: "<b>".into(), domain: "d".into(), timezone: None };
        let view = View { title: "<script>alert(1)</script>", text: "\"><img src=x onerror=alert(1)>" };
        let page = templates.page("refused.html", "", &row, Timestamp::UNIX_EPOCH, &view).unwrap();
        assert!(
            page.contains("&lt;script&gt;alert(1)")
                && !page.contains("<script>alert")
                && !page.contains("<img")
                && !page.contains("<b>"),
            "{page}"
        );
    }
}

//! When machines turn on and off.

use super::{ANYWHERE, BASE, NodeSpec, Type, may, need};
use crate::schema::Kind;

pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: "schedule",
        within: ANYWHERE,
        args: &[need("name", Type::Declares(Kind::Schedule), "opening", "its name, used by `schedule=`")],
        props: &[may("timezone", Type::Text, "\"Europe/Zagreb\"", "the zone of its times, from the IANA database; the site's if absent")],
        doc: "When machines are on: they turn on where one of its windows begins, and off where it ends.",
        example: "schedule opening { power \"07:30\" \"20:30\" days=\"mon..fri\"; holidays off }",
        ..BASE
    },
    NodeSpec {
        name: "power",
        within: &["schedule"],
        args: &[
            need("on", Type::Text, "\"07:30\"", "when machines turn on, as hours and minutes"),
            need("off", Type::Text, "\"20:30\"", "when they turn off; \"24:00\" is the end of the day"),
        ],
        props: &[
            may("days", Type::Text, "\"mon..fri\"", "the days on which it begins: mon tue wed thu fri sat sun, ranges, commas between them; or daily").or("daily"),
            may("overnight", Type::Bool, "#true", "it ends on the next day").or("#false"),
        ],
        doc: "A window of a schedule: machines are on from the first time to the second.",
        example: "power \"07:30\" \"20:30\" days=\"mon..fri\"",
        ..BASE
    },
    NodeSpec {
        name: "holidays",
        within: ANYWHERE,
        props: &[may("until", Type::Text, "\"2027-12-31\"", "the last day for which its holidays are known: after it, `power` warns that they are old")],
        doc: "The holidays of the site, for all schedules that are off on them; lines of several add up.",
        example: "holidays until=\"2027-12-31\" { day \"12-25..12-26\"; day \"2027-03-29\" }",
        ..BASE
    },
    NodeSpec {
        name: "holidays",
        within: &["schedule"],
        args: &[need("on or off", Type::OneOf(&["off", "on"]), "off", "off: no window of the schedule begins on a holiday; on: as on other days, as without this line")],
        once: true,
        doc: "Keeps machines off on the site's holidays, and on those that stand here.",
        example: "holidays off",
        ..BASE
    },
    NodeSpec {
        name: "day",
        within: &["holidays"],
        args: &[need("date", Type::Text, "\"2027-03-29\"", "a day, such as \"2027-03-29\", or \"12-25\" for one in each year; FIRST..LAST for several")],
        more: Some(may("date", Type::Text, "\"12-25..12-26\"", "more of them")),
        doc: "A holiday.",
        example: "day \"12-25..12-26\" \"2027-03-29\"",
        ..BASE
    },
];

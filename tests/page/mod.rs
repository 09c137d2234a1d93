//! The page: over the wire, and in a real browser.

mod browser;
mod look;
mod scene;
mod wire;

use std::collections::BTreeMap;
use std::fs;

use crate::harness::ROOT;

/// The colours of one ground, by variable.
fn colours(css: &str) -> BTreeMap<String, [f64; 3]> {
    let lines = css.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "));
    let hex = |text: &str| {
        let part = |at: usize| f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap()) / 255.0;
        [part(1), part(3), part(5)]
    };
    lines.filter(|(_, value)| value.starts_with('#')).map(|(name, value)| (name.to_owned(), hex(value))).collect()
}

/// WCAG 2.2, relative luminance and contrast ratio.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    let luminance = |colour: [f64; 3]| {
        let [red, green, blue] = colour.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn words_can_be_read_on_every_ground_and_edges_be_seen() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let css = fs::read_to_string(format!("{ROOT}/src/page/style.css")).unwrap();
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for (ground, part) in [("light", light), ("dark", rest.split_once("\n}\n").unwrap().0)] {
        let all = colours(part);
        let ratio = |one: &str, other: &str| contrast(all[one], all[other]);
        let inks = ["ink", "quiet", "accent", "up", "down", "failing", "behind", "off", "unknown", "hint"];
        for paper in ["ground", "card", "raised", "bad", "good"] {
            for ink in inks {
                assert!(ratio(ink, paper) >= 4.5, "{ground}: {ink} on {paper} has {:.2}, and 4.5 are wanted", ratio(ink, paper));
            }
        }
        assert!(ratio("on-accent", "accent") >= 4.5, "{ground}: a button");
        assert!(ratio("edge", "card") >= 3.0, "{ground}: the edge of a field");
    }
}

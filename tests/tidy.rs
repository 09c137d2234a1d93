//! The house rules, read off the source: the order of rooms, sizes, first lines, registrations.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pxelator::check::CHECKS;
use pxelator::diag::codes::CODES;
use pxelator::emit::EMITTERS;
use pxelator::serve::SERVICES;

use crate::harness::{ROOT, files};

/// A room may name only rooms before it.
const ORDER: &[&str] = &[
    "source", "diag", "syntax", "schema", "eval", "model", "check", "why", "out", "emit", "edit", "howto", "event", "answer",
    "simulate", "store", "terminal", "storage", "remote", "deploy", "serve", "operate", "page", "lab", "lsp", "cli",
];
/// What the serving half must never see.
const COMPILER: &[&str] = &["syntax", "schema", "eval", "model", "check", "emit"];
const FILE_LINES_MAX: usize = 400;
const FN_LINES_MAX: usize = 70;

/// All Rust files of a folder, with their texts.
fn rust(folder: &str) -> Vec<(String, String)> {
    let all = files(&Path::new(ROOT).join(folder));
    let rust = all.into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The rooms that a text names, by `crate::room`.
fn named(text: &str) -> BTreeSet<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let names = code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.split("crate::").skip(1));
    // `crate::{a, b}` names several at once.
    let lists = names.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect(),
        None => vec![rest],
    });
    let words = lists.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap());
    words.filter(|word| ORDER.contains(word)).collect()
}

#[test]
fn a_room_names_only_rooms_to_its_left() {
    let mut wrong = Vec::new();
    for (path, text) in rust("src") {
        let room = room_of(&path);
        let Some(at) = ORDER.iter().position(|name| *name == room) else { continue };
        for other in named(&text) {
            let backwards = ORDER.iter().position(|name| *name == other).unwrap() > at;
            let compiler = matches!(room, "answer" | "serve" | "operate" | "page") && COMPILER.contains(&other);
            let answer = room == "answer" && !matches!(other, "out" | "event" | "answer");
            if backwards || compiler || answer {
                wrong.push(format!("src/{path} names crate::{other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_check_for_the_order_can_fail() {
    assert_eq!(
        named("use crate::emit::X;\n// crate::lab\nlet x = crate::serve::run();\nuse crate::{store, cli::x};"),
        BTreeSet::from(["cli", "emit", "serve", "store"])
    );
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for (path, text) in rust("src").into_iter().chain(rust("tests")) {
        let lines = text.lines().count();
        if !text.starts_with("//! ") {
            wrong.push(format!("{path}: the first line is no `//!`"));
        }
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        for (name, lines) in functions(&text) {
            if lines > FN_LINES_MAX {
                wrong.push(format!("{path}: fn {name} has {lines} lines, at most {FN_LINES_MAX}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Functions and their lengths: rustfmt puts the closing brace under the `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((head, name)) = line.split_once("fn ").filter(|(head, _)| head.trim().split(' ').all(is_qualifier)) else {
            continue;
        };
        let close = format!("{}}}", &line[..indent]);
        let end = lines.iter().skip(start).position(|line| **line == close).unwrap_or(0);
        found.push((format!("{}{}", head.trim(), name.split('(').next().unwrap()), end + 1));
    }
    found
}

fn is_qualifier(word: &str) -> bool {
    word.is_empty() || word.starts_with("pub") || matches!(word, "async" | "const" | "in" | "super)")
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo".to_owned() + "!", "unimplemented".to_owned() + "!", "FIX".to_owned() + "ME", "#[ign".to_owned() + "ore"];
    for (path, text) in rust("src").into_iter().chain(rust("tests")) {
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{path} holds {mark}");
        }
    }
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let text = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let mut explained = false;
    for line in section.lines().filter(|line| !line.is_empty()) {
        let group_goes_on = line.starts_with("http-body-util") || line.starts_with("hyper") || line.starts_with("serde_json");
        let group_goes_on = group_goes_on || line.starts_with("tracing-subscriber");
        assert!(line.starts_with('#') || explained || group_goes_on, "no sentence above `{line}`");
        assert!(line.starts_with('#') || line.contains("\"="), "not pinned: `{line}`");
        explained = line.starts_with('#') && !line.starts_with("# ──");
    }
}

#[test]
fn every_code_is_raised_and_every_raised_code_is_listed() {
    let source: String = rust("src").into_iter().filter(|(path, _)| path != "diag/codes.rs").map(|(_, text)| text).collect();
    for code in CODES {
        assert!(source.contains(&format!("\"{}\"", code.name)), "nothing raises {}", code.name);
    }
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let raised = code.split("Diag::new(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    for name in raised.chain(CHECKS.iter().flat_map(|check| check.codes.iter().copied())) {
        assert!(CODES.iter().any(|code| code.name == name), "{name} has no line in diag/codes.rs");
    }
}

#[test]
fn every_registration_describes_itself() {
    let said = |what: &str| assert!(!what.is_empty() && !what.ends_with('.'), "`{what}`: a phrase without full stop");
    CHECKS.iter().for_each(|check| said(check.about));
    EMITTERS.iter().for_each(|emitter| said(emitter.about));
    SERVICES.iter().for_each(|service| said(service.about));
    for emitter in EMITTERS {
        assert!(emitter.prefix.ends_with('/'), "{}", emitter.name);
        let room = ["emit/NAME.rs", "emit/NAME/mod.rs"].map(|path| path.replace("NAME", emitter.name));
        let text = rust("src").into_iter().find(|(path, _)| room.contains(path)).unwrap().1;
        for heading in ["# Name", "# Description", "# Syntax", "# Example"] {
            assert!(text.contains(heading), "emitter {} has no {heading}", emitter.name);
        }
    }
}

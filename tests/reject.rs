//! Sites with mistakes: `tests/reject/STAGE/BEHAVIOUR.kdl`, each finding noted at the line that it hits.
//!
//! A comment `//~ code` says that a finding of this code has its primary label on this line, and
//! `//~^ code` that it is on the line above. All findings are noted, and no others may appear.

use std::path::Path;

use pxelator::compile;

use crate::harness::{ROOT, files, inputs};

/// The noted findings: line and code, sorted.
fn wanted(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for note in line.split("//~").skip(1) {
            let up = note.chars().take_while(|c| *c == '^').count();
            let code = note.trim_start_matches('^').split_whitespace().next().unwrap();
            all.push((at + 1 - up, code.to_owned()));
        }
    }
    all.sort();
    all
}

fn messages(compiled: &pxelator::Compiled) -> Vec<String> {
    compiled
        .diags
        .iter()
        .map(|diag| format!("{} {} {:?}", compiled.sources.describe(diag.primary().unwrap()), diag.message, diag.help))
        .collect()
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let cases = files(&Path::new(ROOT).join("tests/reject"));
    assert!(cases.len() >= 10);
    for (path, bytes) in cases {
        let text = String::from_utf8(bytes).unwrap();
        let compiled = compile(inputs(&text), "site.kdl");
        let place = |diag: &pxelator::diag::Diag| {
            let span = diag.primary().unwrap();
            let line = compiled.sources.get(span.file).unwrap().place(span.start as usize).line;
            (line, diag.code.to_owned())
        };
        let mut found: Vec<_> = compiled.diags.iter().map(place).collect();
        found.sort();
        assert_eq!(found, wanted(&text), "{path}: {:#?}", messages(&compiled));
        assert!(compiled.tree.is_none() || compiled.diags.errors() == 0, "{path}: a tree in spite of errors");
    }
}

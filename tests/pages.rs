//! Every page of `pxelator explain`, and the examples in the docs of rooms: what must fail fails with its
//! code, what must compile compiles.

use std::path::Path;

use pxelator::diag::Severity;
use pxelator::diag::codes::CODES;
use pxelator::{Compiled, compile};

use crate::harness::{ROOT, files, inputs};

/// Fenced blocks: what follows the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) {
            let body: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            found.push((kind.trim().to_owned(), body));
        }
    }
    found
}

fn codes(compiled: &Compiled, severity: Severity) -> Vec<&'static str> {
    compiled.diags.iter().filter(|diag| diag.severity == severity).map(|diag| diag.code).collect()
}

#[test]
fn every_page_fails_as_it_says_and_its_mend_compiles() {
    // These need bytes that a page cannot hold, or a disk; tests/program.rs raises them.
    let elsewhere = ["syntax/encoding", "boot/asset-changed"];
    for code in CODES {
        let page = code.page;
        assert!(page.starts_with(&format!("# {}\n", code.name)), "{}: the page begins with another name", code.name);
        assert!(page.contains("\nWhy: ") && page.contains("\nMend: "), "{}: no `Why:` or no `Mend:`", code.name);
        let blocks = blocks(page);
        let fails: Vec<_> = blocks.iter().filter(|(kind, _)| kind == "kdl fails").collect();
        assert!(!fails.is_empty() || elsewhere.contains(&code.name), "{}: no failing example", code.name);
        for (_, text) in fails {
            let compiled = compile(inputs(text), "site.kdl");
            let found = codes(&compiled, code.severity);
            assert!(found.contains(&code.name), "{} is not raised by its page, but {found:?}", code.name);
        }
        for (_, text) in blocks.iter().filter(|(kind, _)| kind == "kdl") {
            let compiled = compile(inputs(text), "site.kdl");
            assert!(compiled.tree.is_some(), "{}: the mend does not compile: {:#?}", code.name, compiled.diags);
        }
    }
}

#[test]
fn every_page_has_a_code() {
    for path in files(&Path::new(ROOT).join("src/diag/pages")).keys() {
        let name = path.trim_end_matches(".md");
        assert!(CODES.iter().any(|code| code.name == name), "{path} explains no code");
    }
}

#[test]
fn the_examples_in_the_room_docs_compile() {
    for (path, bytes) in files(&Path::new(ROOT).join("src/emit")) {
        let text = String::from_utf8(bytes).unwrap();
        let docs: String =
            text.lines().map_while(|line| line.strip_prefix("//!")).map(|line| format!("{}\n", line.trim_start())).collect();
        for (_, text) in blocks(&docs).iter().filter(|(kind, _)| kind == "kdl") {
            let compiled = compile(inputs(text), "site.kdl");
            assert!(compiled.tree.is_some(), "{path}: {:#?}", compiled.diags);
        }
    }
}

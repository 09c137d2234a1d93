//! KDL 2 as such: the official suite, the rules that it leaves out, `inspect syntax`, and input that is none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pxelator::compile;
use pxelator::diag::Diags;
use pxelator::source::{FileId, Inputs, Place, Source};
use pxelator::syntax::{self, normal};
use serde_json::{Value, json};

use crate::growth::{GROWTH, cpu_secs, linear};
use crate::harness::{Folder, PROGRAM, ROOT, files, inputs, lock};

/// The normal form of a text, or its findings: line, column, code.
fn normal_form(text: &str) -> Result<String, Vec<(usize, usize, &'static str)>> {
    let mut diags = Diags::default();
    let nodes = syntax::parse_any(text, FileId::new(0), &mut diags);
    if diags.is_empty() {
        return Ok(normal::print(text, &nodes));
    }
    let source = Source::new("x".into(), text.to_owned());
    let place = |at: usize| -> Place { source.place(at) };
    let start = |diag: &pxelator::diag::Diag| place(diag.primary().unwrap().start as usize);
    Err(diags.iter().map(|diag| (start(diag).line, start(diag).column, diag.code)).collect())
}

/// The suite as the kdl crate ships it. It is read where cargo keeps that crate, and none of it is copied here.
fn suite() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cargo"));
    let registries = std::fs::read_dir(home.join("registry/src")).expect("cargo keeps the sources of crates");
    let kept = registries.map(|registry| registry.unwrap().path().join("kdl-6.7.1/tests/test_cases"));
    kept.into_iter().find(|path| path.is_dir()).expect("cargo keeps the sources of kdl 6.7.1")
}

#[test]
fn the_official_suite_is_read_as_it_says() {
    // The crate changed these expectations to what its own 64-bit floats and 128-bit numbers can print; this is the suite's own word.
    let official = BTreeMap::from([
        ("hex.kdl", "node 12379813812177893520\n"),
        ("negative_exponent.kdl", "node 1.0E-10\n"),
        ("no_decimal_exponent.kdl", "node 1E+10\n"),
        ("parse_all_arg_types.kdl", "node 1 1.0 1.0E+10 1.0E-10 1 7 2 arg arg \"arg\\\\\" #true #false #null\n"),
        ("positive_exponent.kdl", "node 1.0E+10\n"),
        ("prop_float_type.kdl", "node key=(type)2.5E+10\n"),
        ("sci_notation_large.kdl", "node prop=1.23E+1000\n"),
        ("sci_notation_small.kdl", "node prop=1.23E-1000\n"),
        ("underscore_in_exponent.kdl", "node 1.0E-100\n"),
    ]);
    let cases = files(&suite());
    let mut count = 0;
    for (path, bytes) in &cases {
        let Some(name) = path.strip_prefix("input/") else { continue };
        count += 1;
        let text = String::from_utf8(bytes.clone()).unwrap();
        let expected = cases.get(&format!("expected_kdl/{name}")).map(|bytes| String::from_utf8(bytes.clone()).unwrap());
        let wanted = official.get(name).map(|text| (*text).to_owned()).or(expected);
        let found = normal_form(&text);
        assert_eq!(found.as_ref().ok(), wanted.as_ref(), "{name}: {found:?}");
        if let Some(text) = wanted {
            assert_eq!(normal_form(&text).as_ref(), Ok(&text), "{name}: the normal form is its own");
        }
    }
    assert!(count >= 300, "{count} cases");
}

#[test]
fn what_the_suite_leaves_out_is_read_too() {
    let cases = [
        ("/- kdl-version 2\na", "a\n"),
        ("\u{feff}/- kdl-version 2\r\na\u{85}b\u{2028}c", "a\nb\nc\n"),
        ("a /-{ b } /-{ c } { d } /-{ e }", "a {\n    d\n}\n"),
        ("a /- // x\n  1 /- /*\n*/ b=(t)2 3", "a 3\n"),
        ("a /-\n\n{ b }\nc", "a\nc\n"),
        ("/-a;b", "b\n"),
        ("a \\ /* x */ // y\n 1", "a 1\n"),
        ("( t )a ( u ) 1 b = ( v ) c", "(t)a (u)1 b=(v)c\n"),
        ("a \"\\u{10ffff}\\u{202e}\\u{85}\\\\\"", "a \"\u{10ffff}\\u{202e}\\u{85}\\\\\"\n"),
        ("日本 é=ž", "日本 é=ž\n"),
        ("a \"\"\"\r\n  x\r\n\r\n   y \\\r\n     z\r\n  \"\"\"", "a \"x\\n\\n y z\"\n"),
        ("a #\"\"\"\n\t\\n\"\"\n\t\"\"\"#", "a \"\\\\n\\\"\\\"\"\n"),
        ("a b=1 c=2 b=3 b=#null", "a b=#null c=2\n"),
        (
            "a 340282366920938463463374607431768211456 -0xffffffffffffffffff",
            "a 340282366920938463463374607431768211456 -4722366482869645213695\n",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(normal_form(text), Ok(wanted.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let cases = [
        ("a/-1", 1, 2, "syntax/unexpected"),
        ("a \"b\"/-1", 1, 6, "syntax/unexpected"),
        ("a /-{} 1", 1, 8, "syntax/unexpected"),
        ("a {} /-1", 1, 8, "syntax/unexpected"),
        ("a {} {}", 1, 6, "syntax/unexpected"),
        ("/- ;", 1, 4, "syntax/unexpected"),
        ("a;;b", 1, 3, "syntax/unexpected"),
        ("a /- /- b", 1, 6, "syntax/unexpected"),
        ("a (t)b=1", 1, 4, "syntax/unexpected"),
        ("a\nb \"é\\q\"", 2, 5, "syntax/unexpected"),
        ("a \"\"\"\n    é \\\n    b \\q\n    \"\"\"", 3, 7, "syntax/unexpected"),
        ("a \"\"\"\n  b\n c\n  \"\"\"", 3, 1, "syntax/unexpected"),
        ("a \"\"\"\n  b\n  c\"\"\"", 3, 3, "syntax/unexpected"),
        ("a \"\\u{d800}\"", 1, 4, "syntax/unexpected"),
        ("a \"\\u{110000}\"", 1, 4, "syntax/unexpected"),
        ("a #\"b\0\"#", 1, 6, "syntax/unexpected"),
        ("a \"\"\"\n\u{202e}\n\"\"\"", 2, 1, "syntax/unexpected"),
        ("a \u{feff}", 1, 3, "syntax/unexpected"),
        ("a 0x", 1, 3, "syntax/unexpected"),
        ("/- kdl-version 1\na true", 1, 16, "syntax/kdl-1"),
        ("a r\"b\"; c true\nd \"\\/\"\ne \"open", 1, 3, "syntax/kdl-1"),
        ("a true false null\nb true; c \"\\/\"", 1, 3, "syntax/kdl-1"),
        ("a #true\nb r#\"x\"#", 2, 3, "syntax/kdl-1"),
        ("/- kdl-version 2\na \"\\/\"", 2, 4, "syntax/kdl-1"),
    ];
    for (text, line, column, code) in cases {
        assert_eq!(normal_form(text), Err(vec![(line, column, code)]), "{text:?}");
    }
    let slips = normal_form("a true; b false\nc null").unwrap_err();
    assert_eq!(slips.len(), 3, "a few bare keywords are slips: {slips:?}");
}

#[test]
fn inspect_prints_the_normal_form_and_the_tree() {
    let folder = Folder::with("// c\n(t)a b=0x10 (u)\"x y\" b=1e3 { \"c\" #true #nan 99999999999999999999 }\n");
    assert_eq!(
        folder.run(&["inspect", "syntax", "site.kdl"]).ended(0).out(),
        "(t)a (u)\"x y\" b=1E+3 {\n    c #true #nan 99999999999999999999\n}\n"
    );
    let said = folder.run(&["inspect", "syntax", "site.kdl", "--format", "json"]).ended(0).out();
    assert!(said.contains("99999999999999999999"), "every digit: {said}");
    let tree: Value = serde_json::from_str(&said.replace("99999999999999999999", "9")).unwrap();
    let child = json!({"name": "c", "args": [{"value": true}, {"value": "#nan"}, {"value": 9}], "props": {}, "children": []});
    let wanted = json!([{
        "name": "a", "type": "t", "args": [{"value": "x y", "type": "u"}], "props": {"b": {"value": 1000.0}}, "children": [child],
    }]);
    assert_eq!(tree, wanted);
    fs::write(folder.0.join("bad.kdl"), "a 1x\n").unwrap();
    let said = folder.run(&["inspect", "syntax", "bad.kdl"]).ended(1);
    assert!(said.err().contains("syntax/unexpected") && said.out().is_empty(), "{}", said.err());
    fs::write(folder.0.join("cut.kdl"), b"a\n\xff").unwrap();
    assert!(folder.run(&["inspect", "syntax", "cut.kdl"]).ended(1).err().contains("syntax/encoding"));
    assert!(folder.run(&["inspect", "syntax", "none.kdl"]).ended(2).err().contains("cannot read none.kdl"));
    assert!(folder.run(&["inspect", "syntax", "."]).ended(2).err().contains("cannot read"));
    for args in [&["inspect", "--help"][..], &["inspect", "syntax", "--help"]] {
        assert!(folder.run(args).ended(0).out().contains("Example: pxelator inspect syntax"));
    }
}

/// Whatever a fuzzer found stays mended: each file of tests/corpus, whole and as several files, compiles to an end.
#[test]
fn every_file_of_the_corpus_comes_to_an_end() {
    let corpus = files(&Path::new(ROOT).join("tests/corpus"));
    assert!(corpus.len() >= 20);
    for (path, bytes) in corpus {
        let text = String::from_utf8_lossy(&bytes);
        let whole = Inputs::from([("site.kdl".to_owned(), bytes.clone()), ("assets.lock".to_owned(), lock().into_bytes())]);
        for site in [whole, inputs(&text)] {
            let compiled = compile(site, "site.kdl");
            assert_eq!(compiled.tree.is_some(), compiled.diags.errors() == 0, "{path}");
        }
    }
}

/// A megabyte of nonsense: a finding, in at most ten times its size of memory beside what an empty site needs,
/// and no square of its size in time.
#[test]
fn bad_input_is_told_in_little_memory_and_no_square_of_time() {
    const INPUT: usize = 1 << 20;
    let folders = [Folder::new(), Folder::new()];
    // The limit is on written memory that is no file's: 3 MiB are enough for an empty site.
    let script = format!("ulimit -d {}; exec {PROGRAM} check", (3 << 10) + 10 * (INPUT >> 10));
    for ((what, small, _), (_, large, code)) in nonsense(INPUT / GROWTH).into_iter().zip(nonsense(INPUT)) {
        fs::write(folders[0].0.join("site.kdl"), small).unwrap();
        fs::write(folders[1].0.join("site.kdl"), large).unwrap();
        let output = Command::new("bash").args(["-c", &script]).current_dir(&folders[1].0).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said.chars().take(500).collect::<String>());
        assert!(said.contains(code), "{what}: {}", said.chars().take(500).collect::<String>());
        linear(what, |is_large| cpu_secs(&folders[usize::from(is_large)], &["check"], 1));
    }
}

/// Texts of about this size that are no site, and the code that each is refused with.
fn nonsense(bytes: usize) -> Vec<(&'static str, String, &'static str)> {
    let many = |piece: &str| piece.repeat(bytes / piece.len());
    vec![
        ("nesting", "a{".repeat(bytes / 10), "syntax/depth"),
        ("braces", many("{"), "syntax/"),
        ("closing braces", many("}"), "syntax/"),
        ("slashdashes", "a /-{".repeat(20)[..96].to_owned(), "syntax/"),
        ("many slashdashes", many("a /-{"), "syntax/"),
        ("a long name", many("x"), "schema/"),
        ("a long number", many("1"), "syntax/unexpected"),
        ("surrogates", many("a \"\\u{d800}\"\n"), "syntax/unexpected"),
        ("NUL", many("\0"), "syntax/unexpected"),
        ("marks", many("\u{feff}"), "syntax/unexpected"),
        ("CR LF", many("a\r\n"), "eval/limit"),
        ("nodes", many("a;"), "eval/limit"),
        ("lines", many("a b\n"), "eval/limit"),
        ("properties", many("a b=1\n"), "eval/limit"),
        ("blocks", many("a{b};"), "eval/limit"),
        ("arguments", format!("a {}", many("1 ")), "eval/limit"),
        ("strings", many("a \"\\n\"\n"), "eval/limit"),
        ("quotes", many("\""), "syntax/"),
        ("hashes", many("#\""), "syntax/"),
        ("backslashes", many("\\"), "syntax/"),
        ("comments", many("/*"), "syntax/unterminated"),
        ("addresses", many("a 10.0.0.1\n"), "syntax/unquoted-address"),
        ("empty lines in a string", format!("a \"\"\"\n{}\"\"\"", many("\n")), "schema/"),
    ]
}

//! `fmt`: one layout, the same document. Our parser and the `kdl` crate both read what comes out.

use std::fs;
use std::path::Path;
use std::process::Command;

use kdl::{KdlDocument, KdlNode};
use pxelator::diag::Diags;
use pxelator::source::FileId;
use pxelator::syntax::{format, parse};

use crate::growth::{GROWTH, cpu_secs, linear};
use crate::harness::{Folder, PROGRAM, ROOT, files};

/// What the `kdl` crate reads: names, types, values, children; no layout.
fn tree(text: &str) -> Option<String> {
    fn node(node: &KdlNode) -> String {
        let ty = |ty: Option<&kdl::KdlIdentifier>| ty.map(|ty| format!("({:?})", ty.value())).unwrap_or_default();
        let entries = node
            .entries()
            .iter()
            .map(|entry| format!(" {:?}={}{:?}", entry.name().map(|name| name.value()), ty(entry.ty()), entry.value()));
        let inside = node.children().map(|inside| format!(" {{{}}}", document(inside))).unwrap_or_default();
        // No braces and empty ones are one thing to a site.
        let inside = if inside == " {}" { String::new() } else { inside };
        format!("{}{:?}{}{inside};", ty(node.ty()), node.name().value(), entries.collect::<String>())
    }
    fn document(document: &KdlDocument) -> String {
        document.nodes().iter().map(node).collect()
    }
    KdlDocument::parse_v2(text).ok().map(|parsed| document(&parsed))
}

fn is_sound(text: &str) -> bool {
    let mut diags = Diags::default();
    parse(text, FileId::new(0), &mut diags);
    diags.is_empty()
}

/// The comments of a text in their order, read by a few rules of our own.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find(['\n', '\r', '\u{85}', '\u{2028}']).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let (mut depth, mut at) = (0, 0);
            loop {
                let (opens, closes) = (rest[at..].starts_with("/*"), rest[at..].starts_with("*/"));
                depth += i32::from(opens) - i32::from(closes);
                at += if opens || closes { 2 } else { rest[at..].chars().next().unwrap().len_utf8() };
                if depth == 0 {
                    break at;
                }
            }
        } else {
            let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
            let quotes = ["\"\"\"", "\""].into_iter().find(|quotes| rest[hashes..].starts_with(quotes));
            rest = match quotes {
                Some(quotes) => string_end(&rest[hashes + quotes.len()..], quotes, hashes),
                None => &rest[c.len_utf8()..],
            };
            continue;
        };
        let lines = rest[..length].replace("\r\n", "\n");
        found.push(lines.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n"));
        rest = &rest[length..];
    }
    found
}

fn string_end<'a>(mut rest: &'a str, quotes: &str, hashes: usize) -> &'a str {
    let close = quotes.to_owned() + &"#".repeat(hashes);
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix(&close) {
            return behind;
        }
        let escaped = if c == '\\' && hashes == 0 { rest[1..].chars().next().map_or(0, char::len_utf8) } else { 0 };
        rest = &rest[c.len_utf8() + escaped..];
    }
    rest
}

/// All that is promised of a text that parses; false where the `kdl` crate cannot read it.
fn holds(text: &str) -> bool {
    // A node that is commented out, and that on one line would be the marker of another KDL: it is left as it is.
    if format(text).is_none() && text.starts_with("/-") && text.contains("kdl-version") {
        return false;
    }
    let once = format(text).unwrap_or_else(|| panic!("another meaning: {text:?}"));
    assert_eq!(format(&once).unwrap(), once, "not at rest, from {text:?}");
    assert_eq!(comments(&once), comments(text), "{text:?}\n{once}");
    assert!(!once.contains("\r\n") && (once.is_empty() || once.ends_with('\n')), "{once:?}");
    // A string or a comment of several lines may hold what a line may not.
    if !["\"\"\"", "/*", "\\"].iter().any(|several| text.contains(several)) {
        assert!(
            !once.contains(" \n") && !once.contains("\n\n\n") && !once.starts_with('\n') && !once.ends_with("\n\n"),
            "{once:?}"
        );
    }
    let Some(before) = tree(text) else { return false };
    assert_eq!(tree(&once).as_deref(), Some(&*before), "{text:?}\n{once}");
    true
}

fn corpus() -> Vec<String> {
    let folders = ["tests", "hosts", "modules", "src"];
    let all = folders.iter().flat_map(|folder| files(&Path::new(ROOT).join(folder)));
    let kdl = all.filter(|(path, _)| path.ends_with(".kdl")).filter_map(|(_, bytes)| String::from_utf8(bytes).ok());
    kdl.chain([fs::read_to_string(Path::new(ROOT).join("site.kdl")).unwrap(), MESSY.to_owned()]).collect()
}

/// Every construct of the language, in a layout that nobody would choose.
const MESSY: &str = r####"

/- kdl-version 2
site   lab domain = "x"	timezone="E"   // trailing   

import   "hosts/*.kdl"                 // more
use kiosk { url "https://" ; }
a;; b ; /* c */ c ;
  network lan "10.0.0.0/24" gateway = 1 \
 server=2  \ // two
   dns=2 {

 pool 100 199     lease="1h"   // p


   host boot     2 "52:54:00:77:00:02"
   host printer 50 "00:1b:a9:00:00:32"
   group k {   }
   group k {
   }
   group q { // beside

   // own

   a

   }
   txt """
     multi
       line \
         joined
     """ 5 #"raw "quoted" // no comment"# "esc \" // no \
       comment"
   /-  host y (  u8 )  1 {
     b }
   opt (url)required   doc="a"
   opt (duration)"5m"  doc="b" 0x1F 1_000 -1.5e+3 #inf #-inf #nan #null
   c /-{ d; e } { f ; } /- { g
 }
   /- // why
   node 1 /-2 /- key=3
   x { a \ // c
 }
   y { a \
    b }
   z { a \ /* one */ // two
    b
   }
   /* lead
        over lines   
    */ z /* mid /* nested */ */ 1   /* end */
}
"####;

#[test]
fn every_file_keeps_its_meaning_and_comes_to_rest() {
    let mut read = 0;
    for text in corpus() {
        for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            if is_sound(&text) {
                read += usize::from(holds(&text));
            }
        }
    }
    assert!(read > 60, "the kdl crate read only {read}");
}

#[test]
fn any_layout_keeps_its_meaning_and_comes_to_rest() {
    const THROWN_IN: &[&str] = &[
        " ",
        "  ",
        "     ",
        "\t",
        "\u{a0}",
        "\n",
        "\n\n\n",
        "\r\n",
        ";",
        "; ",
        " ; ;",
        "/* c */",
        " /* c */ ",
        "/* a\n   b  \n*/",
        " // c\n",
        "// c  \n",
        " \\\n",
        " \\\n\\\n ",
        " \\ // c\n  ",
        " \\ /* c */ // d\n",
        "/-",
        " /- ",
        "{",
        "}",
        " {}\n",
        "{\n}\n",
        " = ",
        "(t)",
        "( t ) ",
        "\"\"\"\n x\n \"\"\"",
        "\u{85}",
        "\u{2028}",
    ];
    let corpus = corpus();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit.max(1)
    };
    let rounds = std::env::var("NOISE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6_000);
    let (mut sound, mut read) = (0, 0);
    for _ in 0..rounds {
        let whole = &corpus[below(corpus.len())];
        // A few lines are enough, and the oracle is slow.
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let from = below(lines.len());
        let mut text = lines[from..(from + 1 + below(6)).min(lines.len())].concat();
        for _ in 0..below(5) {
            let spots: Vec<usize> =
                text.char_indices().filter(|(_, c)| matches!(c, ' ' | '\n' | '{' | '}' | ';' | '=')).map(|(at, _)| at).collect();
            let at = spots.get(below(spots.len())).copied().unwrap_or(0);
            let removed = usize::from(below(2) == 0 && text[at..].starts_with([' ', '\n']));
            text.replace_range(at..at + removed, THROWN_IN[below(THROWN_IN.len())]);
        }
        if is_sound(&text) {
            sound += 1;
            read += usize::from(holds(&text));
        }
    }
    assert!(read * 5 > rounds && read * 3 > sound * 2, "of {rounds} texts {sound} were sound, and the kdl crate read {read}");
}

#[test]
fn the_layout_is_the_one_that_is_described() {
    for (text, wanted) in [
        ("a   1\t2", "a 1 2\n"),
        ("\n\n\na {\n\n b\n\n\n c\n\n}\n\n", "a {\n    b\n\n    c\n}\n"),
        ("a{b;c;}", "a { b; c }\n"),
        ("a {\n b; c }", "a {\n    b; c\n}\n"),
        ("a key = ( u8 ) 1", "a key=(u8)1\n"),
        ("a \\\n\t\t{ b }\r\n", "a { b }\n"),
        ("a 1 \\\n 2 \\\n\nb", "a 1 \\\n    2\nb\n"),
        ("host boot     2 x\nhost printer 50 y\n", "host boot     2 x\nhost printer 50 y\n"),
        ("host boot     2 x\n\nhost printer 50 y\n", "host boot 2 x\n\nhost printer 50 y\n"),
        ("host boot     2  x\nhost printer 50 y\n", "host boot     2 x\nhost printer 50 y\n"),
        ("kernel  a\n// why\ninitrd  b\ncmdline c\n", "kernel  a\n// why\ninitrd  b\ncmdline c\n"),
        ("a    // far\nbc   // away", "a    // far\nbc   // away\n"),
        ("//x  \n/* y */a", "//x\n/* y */ a\n"),
        ("a  \"ž   ž\"  #\"  \"#  0x1F", "a \"ž   ž\" #\"  \"# 0x1F\n"),
    ] {
        assert_eq!(format(text).unwrap(), wanted, "{text:?}");
    }
}

#[test]
fn the_files_of_a_site_are_formatted_and_others_left_alone() {
    let folder = Folder::with_example();
    folder.run(&["fmt", "--check"]).ended(0);
    let site = folder.0.join("site.kdl");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text.replace("    ", "\t").replace('\n', "\r\n")).unwrap();
    fs::write(folder.0.join("modules/unused.kdl"), "a   1\n").unwrap();
    let host = folder.0.join("hosts").read_dir().unwrap().next().unwrap().unwrap().path();
    let good = fs::read_to_string(&host).unwrap();
    fs::write(&host, format!("{good}\n\n\n// last   ")).unwrap();
    let said = folder.run(&["fmt", "--check"]).ended(1).out();
    assert!(said.contains("site.kdl\n") && said.contains("hosts/") && said.lines().count() == 2, "{said}");
    let run = folder.run(&["fmt"]).ended(0);
    assert!(run.err().contains("site.kdl formatted"), "{}", run.err());
    assert_eq!(fs::read_to_string(&host).unwrap(), format!("{good}\n// last\n"));
    assert_eq!(fs::read_to_string(folder.0.join("modules/unused.kdl")).unwrap(), "a   1\n");
    folder.run(&["fmt", "modules/unused.kdl"]).ended(0);
    assert_eq!(fs::read_to_string(folder.0.join("modules/unused.kdl")).unwrap(), "a 1\n");
    folder.run(&["build", "--check"]).ended(0);
}

#[test]
fn a_file_with_mistakes_is_not_touched_and_the_others_are() {
    let folder =
        Folder::with("site     lab\nimport \"*.kdl\"\n// file: a.kdl\nhost   pc 10.0.0.9\n// file: b.kdl\nhost   pd 9\n");
    let run = folder.run(&["fmt"]).ended(1);
    assert!(run.err().contains("syntax/unquoted-address") && run.err().contains("a.kdl:1"), "{}", run.err());
    let read = |name: &str| fs::read_to_string(folder.0.join(name)).unwrap();
    assert_eq!(
        (&*read("a.kdl"), &*read("b.kdl"), &*read("site.kdl")),
        ("host   pc 10.0.0.9\n", "host pd 9\n", "site lab\nimport \"*.kdl\"\n")
    );
    fs::write(folder.0.join("b.kdl"), b"host \xff\n").unwrap();
    assert!(folder.run(&["fmt", "b.kdl"]).ended(1).err().contains("not UTF-8"));
    folder.run(&["fmt", "none.kdl"]).ended(2);
}

#[test]
fn an_editor_may_ask_through_pipes_and_large_files_cost_no_square() {
    const HOSTS: usize = 100_000;
    let hosts =
        |count: usize| -> String { (0..count).map(|n| format!("    host h{n}   {n}  \"02:00:00:00:00:00\" // {n}\n")).collect() };
    let folder = Folder::new();
    fs::write(folder.0.join("small.kdl"), hosts(HOSTS / GROWTH)).unwrap();
    fs::write(folder.0.join("large.kdl"), hosts(HOSTS)).unwrap();
    let large = fs::File::open(folder.0.join("large.kdl")).unwrap();
    let output = Command::new("sh").args(["-c", "cat | \"$0\" fmt - | cat", PROGRAM]).stdin(large).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("host h0   0  \"02"), "{}", &text[..60]);
    assert_eq!(text.lines().count(), HOSTS);
    linear("fmt", |is_large| {
        let name = if is_large { "large.kdl" } else { "small.kdl" };
        fs::copy(folder.0.join(name), folder.0.join("site.kdl")).unwrap();
        cpu_secs(&folder, &["fmt", "site.kdl"], 0)
    });
}

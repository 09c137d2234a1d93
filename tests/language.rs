//! The table of the language: every entry explains itself, its examples hold, and every value that it
//! knows makes a difference somewhere.

use std::collections::BTreeSet;

use pxelator::diag::Diags;
use pxelator::schema::{NodeSpec, OPTION_TYPES, Slot, describe, nodes};
use pxelator::source::{FileId, Sources};
use pxelator::syntax::parse;
use pxelator::{compile, syntax};

use crate::harness::inputs;

/// A slot of a node, as PAIRS in `slots.rs` names it: `network 0`, `host +`, `network gateway`.
fn keys(spec: &'static NodeSpec) -> Vec<(String, &'static Slot)> {
    // Of two nodes of one name, the later stands behind its home: `overlay/file from`.
    let first = nodes().find(|other| other.name == spec.name).unwrap();
    let name = if std::ptr::eq(first, spec) { spec.name.to_owned() } else { format!("{}/{}", spec.within[0], spec.name) };
    let args = spec.args.iter().enumerate().map(|(at, slot)| (format!("{name} {at}"), slot));
    let more = spec.more.iter().map(|slot| (format!("{name} +"), slot));
    let props = spec.props.iter().map(|slot| (format!("{name} {}", slot.name), slot));
    args.chain(more).chain(props).collect()
}

/// The only value of a text such as `"1h"`, held against the slot.
fn assert_fits(what: &str, text: &str, slot: &Slot) {
    let line = format!("x {text}");
    let mut diags = Diags::default();
    let nodes = parse(&line, FileId::new(0), &mut diags);
    assert!(diags.is_empty(), "{what}: `{text}` is no KDL: {diags:#?}");
    let [node] = nodes.as_slice() else { panic!("{what}: `{text}` is more than one line") };
    let [entry] = node.entries.as_slice() else { panic!("{what}: `{text}` is not one value") };
    let braces = entry.text().is_some_and(|text| text.contains('{'));
    assert!(braces || slot.kind.fits(entry), "{what}: `{text}` is not {}", slot.kind.wants());
    assert_eq!(slot.kind.range_error(entry), None, "{what}: `{text}`");
}

#[test]
fn every_entry_has_a_doc_an_example_and_a_since() {
    let is_version = |since: &str| since.split('.').count() == 2 && since.split('.').all(|part| part.parse::<u32>().is_ok());
    for node in nodes() {
        assert!(node.doc.ends_with('.') && node.doc.len() > 5, "{}: the doc is no sentence", node.name);
        assert!(is_version(node.since), "{}: since `{}`", node.name, node.since);
        assert!(!node.within.is_empty(), "{} stands nowhere", node.name);
        for home in node.within {
            assert!(home.is_empty() || nodes().any(|other| other.name == *home), "{} in {home}", node.name);
        }
        for (what, slot) in keys(node) {
            assert!(slot.doc.len() > 5 && !slot.doc.ends_with('.'), "{what}: the doc is no phrase without full stop");
            assert!(is_version(slot.since), "{what}: since `{}`", slot.since);
            assert_fits(&what, slot.example, slot);
            slot.default.into_iter().for_each(|default| assert_fits(&what, default, slot));
            assert!(!(slot.required && slot.default.is_some()), "{what} is required and has a default");
        }
    }
}

/// What an example needs around it, by the node in which it stands.
const AROUND: &[(&str, &str)] = &[
    ("", "§"),
    ("network", "network wrapper \"10.77.0.0/16\" {\n§\n}"),
    ("profile", "profile wrapper {\n§\n}"),
    ("menu", "menu {\n§\n}"),
    ("audit", "audit {\n§\n}"),
    ("alerts", "alerts {\n§\n}"),
    ("dns", "dns {\n§\n}"),
    ("nfs", "nfs \"/srv/wrapper\" {\n§\n}"),
    ("overlay", "nfs \"/srv/wrapper\" { base wrapper; overlay wrapper over=wrapper {\n§\n} }"),
    ("rule", "network wrapped \"10.99.0.0/24\" { host wrapped 9 \"02:00:00:00:00:63\" }\nrule wrapper on=wrapped {\n§\n}"),
    ("schedule", "schedule wrapper timezone=\"Europe/Zagreb\" { power \"07:30\" \"20:30\"\n§\n}"),
    ("holidays", "holidays {\n§\n}"),
    ("module", "use wrapper\n// file: modules/wrapper.kdl\nmodule wrapper {\n§\noption url (string)x doc=\"Start page\"\n}"),
];

/// A site in which the example stands where it belongs; what it names is not all there.
fn around(node: &NodeSpec, example: &str) -> String {
    let first = example.split([' ', '{']).next().unwrap();
    let home = if first == node.name { node.within[0] } else { "" };
    let (_, frame) = AROUND.iter().find(|(name, _)| *name == home).unwrap_or_else(|| panic!("AROUND does not know `{home}`"));
    let site = if first == "site" { "" } else { "site wrapper\n" };
    // Files that examples speak of, and a module of its own in the file that bears its name.
    let rest = "// file: hosts/a.kdl\nprofile a { local }\n// file: files/preseed.cfg.tera\n{{ profile }}\n";
    let (frame, kiosk) = match first {
        "module" => ("use kiosk { url \"https://intra.example/\" }\n".to_owned(), example.to_owned()),
        _ => (frame.replace('§', example), "module kiosk { option url (url)required doc=\"Start page\" }".to_owned()),
    };
    format!("{site}{frame}\n{rest}// file: modules/kiosk.kdl\n{kiosk}\n")
}

#[test]
fn every_example_of_a_node_conforms_to_the_table() {
    for node in nodes() {
        let words: Vec<&str> = node.example.split(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';')).collect();
        assert!(words.contains(&node.name), "{}: the example is of another node", node.name);
        let text = around(node, node.example);
        let compiled = compile(inputs(&text), "site.kdl");
        // Whether the parts agree is not the example's business: it stands alone.
        let early = |code: &str| ["syntax/", "schema/", "eval/"].iter().any(|family| code.starts_with(family));
        let wrong: Vec<_> = compiled.diags.iter().filter(|diag| early(diag.code) && diag.code != "eval/empty-selector").collect();
        assert!(wrong.is_empty(), "{}:\n{text}\n{wrong:#?}", node.name);
    }
}

#[test]
fn the_check_of_examples_can_fail() {
    let host = nodes().find(|node| node.name == "host").unwrap();
    let compiled = compile(inputs(&around(host, "host pc-07 27 profle=office")), "site.kdl");
    assert!(compiled.diags.has("schema/unknown-property"));
}

/// Everything that a site comes to: its files, its findings, and what `options --module` tells of its modules.
fn seen(text: &str) -> String {
    let compiled = compile(inputs(text), "site.kdl");
    let files = compiled.tree.iter().flat_map(|tree| tree.files());
    let mut all: String = files.map(|(path, file)| format!("{path}\n{}", String::from_utf8_lossy(file.bytes()))).collect();
    for diag in compiled.diags.iter() {
        let labels: Vec<&str> = diag.labels.iter().map(|label| label.text.as_str()).collect();
        all.push_str(&format!("{} {} {:?} {labels:?}\n", diag.code, diag.message, diag.help));
    }
    let (sources, _) = Sources::from_inputs(inputs(text));
    for (id, source) in sources.iter().filter(|(_, source)| source.name.starts_with("modules/")) {
        let nodes = parse(sources.text(id), id, &mut Diags::default());
        let name = source.name.trim_start_matches("modules/").trim_end_matches(".kdl");
        all.push_str(&format!("{:?}\n", describe::module(nodes, name, &mut Diags::default())));
    }
    all
}

#[test]
fn every_value_of_the_table_makes_a_difference() {
    let pairs = crate::slots::PAIRS;
    let named: Vec<&str> = pairs.iter().map(|(key, ..)| *key).collect();
    assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len(), "one pair a slot");
    let all: Vec<(String, &Slot)> = nodes().flat_map(keys).collect();
    for (key, _) in &all {
        assert!(named.contains(&key.as_str()), "nothing shows that `{key}` is read: add a pair to tests/slots.rs");
    }
    for (key, site, one, other) in pairs {
        let (_, slot) = all.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("the table has no `{key}`"));
        assert_fits(key, one, slot);
        assert_fits(key, other, slot);
        assert_eq!(site.matches('§').count(), 1, "{key}: one place for the value");
        let (first, second) = (seen(&site.replace('§', one)), seen(&site.replace('§', other)));
        assert!(first != second, "`{key}` changes nothing: {one} and {other} give\n{first}");
    }
}

#[test]
fn every_default_is_what_holds_where_nothing_is_written() {
    let mut count = 0;
    for (key, slot) in nodes().flat_map(keys) {
        let Some(default) = slot.default else { continue };
        let (_, site, ..) = crate::slots::PAIRS.iter().find(|(known, ..)| *known == key).unwrap();
        let prop = format!(" {}=§", slot.name);
        assert!(site.contains(&prop), "{key}: only a property can be left away");
        assert_eq!(seen(&site.replace(&prop, "")), seen(&site.replace('§', default)), "{key}: not {default}");
        count += 1;
    }
    assert!(count >= 6, "{count} defaults");
}

#[test]
fn a_value_that_nothing_reads_is_noticed() {
    let site = "site s // §\nnetwork n \"10.0.0.0/24\"";
    assert_eq!(seen(&site.replace('§', "1")), seen(&site.replace('§', "2")));
}

#[test]
fn every_type_of_options_takes_its_example_and_refuses_another() {
    let doc = nodes().find(|node| node.name == "option").unwrap().doc;
    let listed: Vec<&str> = doc.split("Types: ").nth(1).unwrap().trim_end_matches('.').split(", ").collect();
    assert_eq!(listed, OPTION_TYPES.iter().map(|kind| kind.name).collect::<Vec<_>>(), "the doc of `option` lists the types");
    for kind in OPTION_TYPES {
        let inner = if kind.name == "submodule" { " { option width (int)1920 doc=\"W\" }" } else { "" };
        let module = format!("module m {{ option x ({}){} {} doc=\"X\"{inner} }}", kind.name, kind.default, kind.needs);
        let site =
            |line: &str| format!("site s\nsecret door file=\"/d\"\nuse m {{ {line} }}\n// file: modules/m.kdl\n{module}\n");
        let compiled = compile(inputs(&site(kind.example)), "site.kdl");
        assert_eq!(compiled.diags.errors(), 0, "{}: {:#?}", kind.name, compiled.diags);
        let wrong = if kind.name == "submodule" { "x 5 6" } else { "x 1.5" };
        let compiled = compile(inputs(&site(wrong)), "site.kdl");
        assert!(compiled.diags.errors() > 0, "{} takes {wrong}", kind.name);
        if !kind.bounds.is_empty() {
            let bounded = site(kind.example).replace("doc=\"X\"", "doc=\"X\" min=100000 max=100000");
            let bounded = if kind.name == "duration" { bounded.replace("100000", "\"9d\"") } else { bounded };
            let compiled = compile(inputs(&bounded), "site.kdl");
            assert!(compiled.diags.has("schema/range"), "{} has no bounds: {:#?}", kind.name, compiled.diags);
        }
    }
}

fn validator() -> jsonschema::Validator {
    let schema: serde_json::Value = serde_json::from_str(&describe::json_schema()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What the JSON Schema says of a text's tree.
fn complaints(validator: &jsonschema::Validator, text: &str) -> Vec<String> {
    let mut diags = Diags::default();
    let tree = syntax::normal::json(text, &parse(text, FileId::new(0), &mut diags));
    assert!(diags.is_empty(), "{diags:#?}");
    let tree: serde_json::Value = serde_json::from_str(&tree).unwrap();
    validator.iter_errors(&tree).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_json_schema_takes_sound_files_and_refuses_unknown_words() {
    let (root, validator) = (std::path::Path::new(crate::harness::ROOT), validator());
    let mut texts = vec![("site.kdl".to_owned(), std::fs::read(root.join("site.kdl")).unwrap())];
    texts.extend(["hosts", "modules", "tests/compile"].into_iter().flat_map(|folder| crate::harness::files(&root.join(folder))));
    texts.retain(|(path, _)| path.ends_with(".kdl"));
    let count = texts.len();
    for (path, bytes) in texts {
        let found = complaints(&validator, &String::from_utf8(bytes).unwrap());
        assert!(found.is_empty(), "{path}: {found:#?}");
    }
    assert!(count >= 14, "{count} files");
    for (text, word) in [
        ("site lab domian=\"lab.example\"", "domian"),
        ("site lab\nnetwork lan \"10.0.0.0/24\" { hosst a 1 }", "hosst"),
        ("network lan", "anyOf"),
        ("menu timeout=5", "timeout"),
        ("group g { pool 1 2 }", "pool"),
        ("cname git", "cname"),
        ("profile p { repeat n 1 2 { host a 1 } }", "host"),
    ] {
        let found = complaints(&validator, text);
        assert!(found.iter().any(|line| line.contains(word)), "`{text}` passes, or nobody says `{word}`: {found:#?}");
    }
}

#[test]
fn the_json_schema_has_the_docs_of_the_table() {
    let schema: serde_json::Value = serde_json::from_str(&describe::json_schema()).unwrap();
    for node in nodes().filter(|node| node.name != "repeat") {
        let alone = nodes().filter(|other| other.name == node.name).count() == 1;
        let name = if alone {
            format!("node-{}", node.name)
        } else {
            format!("node-{}-in-{}", node.name, Some(node.within[0]).filter(|home| !home.is_empty()).unwrap_or("file"))
        };
        let found = &schema["$defs"][name];
        assert!(found["description"].as_str().unwrap().contains(node.doc), "{}", node.name);
        for prop in node.props {
            let value = &found["properties"]["props"]["properties"][prop.name]["properties"]["value"];
            assert_eq!(value["description"], prop.doc, "{} {}", node.name, prop.name);
            assert_eq!(value["examples"].as_array().unwrap().len(), 1, "{} {}", node.name, prop.name);
        }
    }
}

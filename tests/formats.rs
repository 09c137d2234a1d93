//! `--format`: each form says the same, holds its standard, and does not grow without end.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::growth::{GROWTH, cpu_secs, linear};
use crate::harness::{Folder, ROOT, files};

const FORMATS: [&str; 4] = ["text", "json", "sarif", "github"];
/// 4 errors, one with two sides; the first line has characters of two, three and four bytes.
const MIXED: &str = "site lab // ž€😀\nnetwork lan \"10.0.0.0/24\" {\n    /* €😀 */ host pc 9 \"52:54:00:00:00:09\" profil=x\n    host pd 9 \"52:54:00:00:00:0a\"; hosst x 1\n    host pe 10.0.0.8\n}\n";

fn schema() -> jsonschema::Validator {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/sarif/sarif-schema-2.1.0.json")).unwrap();
    // Two patterns in it, both of a language, have a bracket too many; browsers forgive that.
    let text = text.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    jsonschema::options().should_validate_formats(true).build(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn sarif(folder: &Folder, args: &[&str], code: i32) -> Value {
    serde_json::from_str(&folder.run(&[args, &["--format", "sarif"]].concat()).ended(code).out()).unwrap()
}

#[test]
fn every_log_holds_the_official_schema() {
    let schema = schema();
    let hold = |log: &Value, what: &str| {
        let wrong: Vec<String> = schema.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:#?}");
    };
    for (path, bytes) in files(&Path::new(ROOT).join("tests/reject")) {
        let folder = Folder::with(&String::from_utf8(bytes).unwrap());
        let run = folder.run(&["check", "--format", "sarif"]);
        let log: Value = serde_json::from_str(&run.out()).unwrap();
        assert!(!log["runs"][0]["results"].as_array().unwrap().is_empty(), "{path}");
        hold(&log, &path);
    }
    let good = sarif(&Folder::with("site lab\n"), &["build"], 0);
    assert_eq!(good["runs"][0]["results"], Value::Array(Vec::new()));
    hold(&good, "no findings");
    let mut broken = good;
    broken["runs"][0]["results"] = serde_json::json!([{ "level": "bad" }]);
    assert!(!schema.is_valid(&broken), "the schema refuses something");
}

#[test]
fn a_result_has_its_rule_places_and_mend() {
    let folder = Folder::with(MIXED);
    let below = folder.0.join("an office/ž");
    fs::create_dir_all(&below).unwrap();
    fs::copy(folder.0.join("site.kdl"), below.join("site.kdl")).unwrap();
    let log = sarif(&folder, &["check", "./an office/ž/site.kdl"], 1);
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("Mend: "));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "an%20office/%C5%BE/site.kdl");
    }
    let find = |code: &str| results.iter().find(|result| result["ruleId"] == code).unwrap();
    let profil = find("schema/unknown-property");
    let region = serde_json::json!({ "startLine": 3, "startColumn": 44, "endLine": 3, "endColumn": 50 });
    assert_eq!(profil["locations"][0]["physicalLocation"]["region"], region);
    let change = &profil["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!((&change["deletedRegion"], &change["insertedContent"]["text"]), (&region, &"profile".into()));
    let twice = find("host/duplicate-address");
    assert_eq!(twice["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 3);
    assert!(twice.get("fixes").is_none());
}

#[test]
fn github_gets_ten_of_each_and_a_sum() {
    let hosts: String = (0..15).map(|n| format!("host a{n} {} \"52:54:00:00:01:{n:02x}\"; hst x{n}\n", n + 20)).collect();
    let folder = Folder::with(&format!("site lab\nnetwork lan \"10.0.0.0/24\" {{ pool 10 99\n{hosts}}}\n"));
    let run = folder.run(&["check", "--format", "github"]).ended(1);
    let out = run.out();
    let lines = |start: &str| out.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("::error "), lines("::warning "), lines("::notice ")), (10, 10, 1), "{out}");
    assert!(out.contains("::and 5 errors, 5 warnings more"), "{out}");
    assert!(
        out.contains("::error file=site.kdl,line=3,col=33,endLine=3,endColumn=36,title=schema/unknown-node::unknown node `hst`"),
        "{out}"
    );
    assert!(out.contains("network/host-in-pool") && out.contains("╭─[site.kdl:3:"), "people read the list: {out}");
    let one = Folder::with("site lab\nx\n").run(&["build", "--format", "github"]).ended(1).out();
    assert!(one.contains("::error ") && !one.contains("::notice "), "{one}");
    assert_eq!(Folder::with("site lab\n").run(&["build", "--format", "github"]).ended(0).out(), "");
}

#[test]
fn a_name_in_a_site_is_no_command_to_github() {
    let folder = Folder::with("site lab\n\"x\\n::add-mask::lab\\n\" 100%\n");
    let out = folder.run(&["check", "--format", "github"]).ended(1).out();
    let token = out.lines().next().unwrap().strip_prefix("::stop-commands::").unwrap();
    let (list, commands) = out.split_once(&format!("\n::{token}::\n")).unwrap();
    assert!(list.contains("add-mask"), "{list}");
    assert!(!commands.lines().any(|line| line.starts_with("::add-mask")), "{commands}");
    let again = folder.run(&["check", "--format", "github"]).ended(1).out();
    assert!(!again.contains(token), "nobody can know the word that ends the list");
}

#[test]
fn every_form_ends_alike() {
    for (text, deny, code) in [
        ("site lab\n", &[][..], 0),
        ("site lab\nnetwork lan \"10.0.0.0/24\" { pool 5 9; host pc 7 \"52:54:00:00:00:09\" }\n", &[], 0),
        ("site lab\nnetwork lan \"10.0.0.0/24\" { pool 5 9; host pc 7 \"52:54:00:00:00:09\" }\n", &["--deny", "warnings"], 1),
        (MIXED, &[], 1),
    ] {
        let folder = Folder::with(text);
        for format in FORMATS {
            folder.run(&[&["check", "--format", format], deny].concat()).ended(code);
            folder.run(&[&["build", "--format", format], deny].concat()).ended(code);
        }
    }
    assert_eq!(Folder::with("site lab\n").run(&["check", "--format", "json"]).ended(0).out(), "[]\n");
}

#[test]
fn ten_thousand_errors_cost_a_page_and_no_square() {
    const ERRORS: usize = 10_000;
    for small in many_errors(ERRORS / GROWTH) {
        let large = many_errors(ERRORS).into_iter().find(|large| large.0 == small.0).unwrap();
        let folders = [small, large].map(|(what, text)| (what, Folder::with(&text)));
        for format in FORMATS {
            let what = folders[0].0;
            let args = ["check", "--format", format];
            linear(&format!("{what} as {format}"), |is_large| cpu_secs(&folders[usize::from(is_large)].1, &args, 1));
            let run = folders[1].1.run(&args).ended(1);
            assert!(run.out().len() + run.err().len() < 20 << 20, "{what} as {format}");
            if matches!(format, "json" | "sarif") {
                serde_json::from_str::<Value>(&run.out()).unwrap();
            }
        }
    }
}

/// Sites of so many errors each.
fn many_errors(count: usize) -> [(&'static str, String); 5] {
    let many = |line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    [
        ("many lines", format!("site lab\n{}", many(&|n| format!("hosst x{n} 1\n")))),
        ("one line", format!("site lab\n{}", many(&|n| format!("hosst ž{n} {n} \"{}\";", "ž".repeat(40))))),
        ("broken syntax", format!("site lab\n{}", many(&|n| format!("a 10.0.0.{n}\n")))),
        (
            "two sides",
            format!("site lab\nnetwork lan \"10.0.0.0/8\" {{\n{}}}\n", many(&|n| format!("host x{n} 9 \"52:54:00:00:00:09\"\n"))),
        ),
        ("long names", format!("site lab\n{}", many(&|n| format!("\"{}{n}\"\n", "x".repeat(5_000))))),
    ]
}

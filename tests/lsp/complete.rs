//! Completion, in lines that are half written.

use serde_json::json;

use super::editor::Editor;

const HEAD: &str = r#"site lab
secret amt file="/run/secrets/amt"
let img "a"
host boot 2 "52:54:00:77:00:02" tags="b2,lab"
group desks { host "seat-9" "52:54:00:77:00:09" }
profile office { local }
"#;
const MODULE: &str = r#"module kiosk {
    option key (secret)required doc="Key"
    option dark (bool)#true doc="Dark"
    option boss (reference)"boot" to=host doc="Boss"
    option left (submodule)required doc="Left" { option width (int)required doc="Width" }
    settings doc="Free words"
    config { let x "1" }
"#;

/// A line with the cursor at `|`, what is offered there, and what is not.
const LINES: &[(&str, &[&str], &[&str])] = &[
    ("ho|", &["host", "profile", "dns"], &["site", "entry", "option"]),
    ("use |", &["kiosk"], &["boot"]),
    ("use kiosk { |", &["key", "dark", "settings"], &["host"]),
    ("use kiosk { dark #true; |", &["key"], &["dark"]),
    ("use kiosk { key |", &["(secret)amt"], &[]),
    ("use kiosk { key (secret)|", &["amt"], &["(secret)amt"]),
    ("use kiosk { dark #|", &["#true", "#false"], &[]),
    ("use kiosk { boss |", &["boot", "seat-9"], &["office"]),
    ("use kiosk { left { |", &["width"], &["key"]),
    ("let y \"{|", &["img"], &["x"]),
    ("let y \"{im|}/z\" // {", &["img"], &[]),
    ("repeat n 1 3 { host \"a-{|", &["n", "img"], &[]),
    ("repeat n 1 3 { ho|", &["host", "group"], &["pool"]),
    ("network lan \"10.0.0.0/8\" { repeat n 1 3 { po|", &["pool"], &["dns"]),
    ("host pc tags=\"x,|", &["b2", "lab"], &["office"]),
    ("host pc profile=o| tags=\"a\"", &["office", "local"], &["tags="]),
    ("host pc | profile=office", &["lease=", "tags="], &["profile="]),
    ("assert tag:|", &["b2", "lab"], &["desks"]),
    ("assert gr|", &["group:desks", "tag:b2", "has="], &[]),
    ("assert group:desks has=|", &["profile", "mac"], &[]),
    ("menu default=local { entry |", &["office", "local"], &["host"]),
    ("dns { cname x to=|", &["boot", "seat-9"], &["office"]),
    ("dns { |", &["cname", "txt"], &["host", "site"]),
    ("// ho|", &[], &["host"]),
    ("host pc \"12|", &[], &["profile="]),
];

/// What is offered at `|`, on a line at the end of a file, and what is not.
#[test]
fn completion_knows_what_may_stand_here() {
    let (mut editor, _) = Editor::greeted(&format!("{HEAD}use kiosk {{ }}\n// file: modules/kiosk.kdl\n{MODULE}}}\n"), &[]);
    editor.open("site.kdl");
    editor.open("modules/kiosk.kdl");
    let mut version = 1;
    let mut offered = |name: &str, head: &str, line: &str| {
        version += 1;
        let (before, after) = line.split_once('|').unwrap();
        editor.change(name, version, json!([{ "text": format!("{head}{before}{after}\n// behind\n") }]));
        let list = editor.at("textDocument/completion", name, head.matches('\n').count(), before.len());
        let labels = list["items"].as_array().into_iter().flatten().map(|item| item["label"].as_str().unwrap().to_owned());
        format!(" {} ", labels.collect::<Vec<_>>().join(" "))
    };
    for (line, wanted, unwanted) in LINES {
        let labels = offered("site.kdl", HEAD, line);
        wanted.iter().for_each(|word| assert!(labels.contains(&format!(" {word} ")), "{line}: {word} in{labels}"));
        unwanted.iter().for_each(|word| assert!(!labels.contains(&format!(" {word} ")), "{line}: no {word} in{labels}"));
    }
    for (line, wanted) in
        [("config { profile p { cmdline \"{|", &["key", "name"][..]), ("renamed old to=|", &["dark"]), ("opt|", &["option"])]
    {
        let labels = offered("modules/kiosk.kdl", MODULE, line);
        wanted.iter().for_each(|word| assert!(labels.contains(&format!(" {word} ")), "{line}: {word} in{labels}"));
    }
    editor.leave();
}

//! `pxelator lsp` as editors drive it: Neovim, and a client of our own for what no good editor sends.

mod complete;
mod editor;
mod protocol;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Folder, PROGRAM, ROOT, have};
use editor::{Editor, SITE};

/// Line and column of the first `text` in a file, columns in UTF-16 or bytes.
fn place(text: &str, what: &str, utf16: bool) -> (usize, usize) {
    let at = text.find(what).unwrap();
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[start..at];
    (text[..at].matches('\n').count(), if utf16 { before.encode_utf16().count() } else { before.len() })
}

#[test]
fn neovim_shows_what_the_server_says() {
    if !have(&["nvim"]) {
        return;
    }
    let folder = Folder::with(SITE);
    let script = Path::new(ROOT).join("tests/lsp/client.lua");
    let mut command = Command::new("timeout");
    command.args(["120", "nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-S"]).arg(script);
    let run = command
        .env("PXELATOR", PROGRAM)
        .env("XDG_STATE_HOME", &folder.0)
        .env("XDG_CACHE_HOME", &folder.0)
        .current_dir(&folder.0)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}\n{}", String::from_utf8_lossy(&run.stderr), String::from_utf8_lossy(&run.stdout));
    // What Neovim saved is what the compiler reads.
    folder.run(&["check"]).ended(0);
    let zone = fs::read_to_string(folder.0.join("hosts/office.kdl")).unwrap();
    assert!(zone.contains("host \"3server\" 2"), "{zone}");
}

#[test]
fn columns_are_counted_as_the_client_wants() {
    for (offered, chosen) in [(&["utf-8", "utf-16"][..], "utf-8"), (&["utf-16"], "utf-16"), (&[], "utf-16")] {
        let utf16 = chosen == "utf-16";
        let (mut editor, answer) = Editor::greeted(SITE, offered);
        assert_eq!(answer["capabilities"]["positionEncoding"], chosen);
        let text = fs::read_to_string(editor.folder.0.join("site.kdl")).unwrap();
        editor.open("site.kdl");
        assert_eq!(editor.findings("site.kdl", 1), Vec::<Value>::new());
        // An edit behind `ž😀`: the last letter of `office`, and then its mend.
        let (line, column) = place(&text, "office\nprofile", utf16);
        let range = |from: usize, to: usize| json!({ "start": { "line": line, "character": from }, "end": { "line": line, "character": to } });
        editor.change("site.kdl", 2, json!([{ "range": range(column + 5, column + 6), "text": "é😀" }, { "range": range(column, column + 5), "text": "Offic" }]));
        let found = editor.findings("site.kdl", 2);
        assert_eq!(found.len(), 1, "{found:?}");
        let wide = if utf16 { 5 + 1 + 2 } else { 5 + 2 + 4 };
        assert_eq!(found[0]["range"], range(column, column + wide), "{chosen}: {found:?}");
        assert_eq!(found[0]["source"], "pxelator");
        editor.change("site.kdl", 3, json!([{ "range": range(column, column + wide), "text": "office" }]));
        assert_eq!(editor.findings("site.kdl", 3), Vec::<Value>::new());
        // Places within characters and beyond everything are places too.
        for (line, column) in [(line, 4), (line, 5), (line, 9999), (99_999, 0), (usize::MAX >> 33, usize::MAX >> 33)] {
            editor.at("textDocument/hover", "site.kdl", line, column);
            editor.at("textDocument/completion", "site.kdl", line, column);
        }
        let hover = editor.at("textDocument/hover", "site.kdl", line, column + 1);
        assert_eq!(hover["range"], range(column, column + 6));
        let target = editor.at("textDocument/definition", "site.kdl", line, column + 1);
        assert_eq!(target[0]["range"]["start"], json!({ "line": line + 1, "character": 8 }));
        editor.leave();
    }
}

#[test]
fn every_file_of_the_site_is_checked_and_cleared() {
    let (mut editor, _) = Editor::greeted(SITE, &[]);
    editor.open("site.kdl");
    editor.findings("site.kdl", 1);
    // The second host of that address stands in a file that is not open; the quarrel has two sides.
    editor.change(
        "site.kdl",
        2,
        json!([{ "text": format!("{}host twin \"10.77.0.2\" \"02:00:00:00:00:01\"\n", SITE.split("// file").next().unwrap()) }]),
    );
    let mine = editor.findings("site.kdl", 2);
    let twin = mine.iter().chain(editor.found.get("hosts/office.kdl").map(|(_, list)| list).into_iter().flatten());
    let twin: Vec<Value> = twin.filter(|diag| diag["code"] == "host/duplicate-address").cloned().collect();
    assert_eq!(twin.len(), 1, "{:?}", editor.found);
    let other = &twin[0]["relatedInformation"][0]["location"];
    assert!(other["uri"].as_str().unwrap().ends_with(".kdl") && other["range"].is_object(), "{twin:?}");
    // A mistake on the disk, in a file that nobody opened.
    let office = editor.folder.0.join("hosts/office.kdl");
    let good = fs::read_to_string(&office).unwrap();
    fs::write(&office, good.replace("gateway=1", "gatevay=1")).unwrap();
    editor.tell("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": editor.uri("hosts/office.kdl"), "type": 2 }] }));
    while editor
        .found
        .get("hosts/office.kdl")
        .is_none_or(|(_, list)| list.iter().all(|diag| diag["code"] != "schema/unknown-property"))
    {
        editor.message();
    }
    // An unsaved text wins over the disk; and the last document that closes takes all findings with it.
    let document = json!({ "uri": editor.uri("hosts/office.kdl"), "languageId": "kdl", "version": 7, "text": good });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
    editor.change("site.kdl", 3, json!([{ "text": SITE.split("// file").next().unwrap() }]));
    assert_eq!(editor.findings("site.kdl", 3), Vec::<Value>::new());
    assert_eq!(editor.findings("hosts/office.kdl", 7), Vec::<Value>::new());
    editor.change("site.kdl", 4, json!([{ "text": "sitte lab" }]));
    assert!(!editor.findings("site.kdl", 4).is_empty());
    for name in ["hosts/office.kdl", "site.kdl"] {
        editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": editor.uri(name) } }));
    }
    while editor.found["site.kdl"] != (None, Vec::new()) {
        editor.message();
    }
    editor.leave();
}

#[test]
fn a_file_of_no_site_is_only_parsed() {
    let (mut editor, _) = Editor::greeted("site lab\n// file: notes/other.kdl\nwhatever \"open\n", &[]);
    editor.open("notes/other.kdl");
    let found = editor.findings("notes/other.kdl", 1);
    assert_eq!(found.iter().map(|diag| &diag["code"]).collect::<Vec<_>>(), ["syntax/unterminated"]);
    editor.change("notes/other.kdl", 2, json!([{ "text": "whatever 1\n" }]));
    assert_eq!(editor.findings("notes/other.kdl", 2), Vec::<Value>::new());
    editor.leave();
}

#[test]
fn names_are_found_in_every_file() {
    let (mut editor, _) = Editor::greeted(SITE, &["utf-8"]);
    editor.open("site.kdl");
    let text = fs::read_to_string(editor.folder.0.join("site.kdl")).unwrap();
    let (line, column) = place(&text, "boot; cname ftp", false);
    let params = json!({
        "textDocument": { "uri": editor.uri("site.kdl") }, "position": { "line": line, "character": column },
        "context": { "includeDeclaration": true },
    });
    let found = editor.ask("textDocument/references", params.clone()).unwrap();
    let named: Vec<&str> =
        found.as_array().unwrap().iter().map(|place| place["uri"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(named, ["office.kdl", "site.kdl", "site.kdl", "site.kdl"]);
    // Names of a repeat lead to its line; rename says why it cannot be.
    let (line, column) = place(&text, "seat-01", false);
    let target = editor.at("textDocument/definition", "site.kdl", line, column);
    assert!(
        target[0]["uri"].as_str().unwrap().ends_with("hosts/office.kdl") && target[0]["range"]["start"]["line"] == 3,
        "{target}"
    );
    let here = json!({ "textDocument": { "uri": editor.uri("site.kdl") }, "position": { "line": line, "character": column } });
    let refused = editor.ask("textDocument/prepareRename", here).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("repeat n 1 3"), "{refused}");
    // `import` leads to its files, and the outline nests.
    let (line, column) = place(&text, "hosts/*", false);
    assert!(
        editor.at("textDocument/definition", "site.kdl", line, column)[0]["uri"].as_str().unwrap().ends_with("hosts/office.kdl")
    );
    editor.open("hosts/office.kdl");
    let symbols =
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": editor.uri("hosts/office.kdl") } })).unwrap();
    assert_eq!((&symbols[0]["name"], &symbols[0]["children"][0]["name"]), (&json!("lan"), &json!("boot")), "{symbols}");
    assert_eq!(symbols[0]["children"][1]["children"][0]["name"], "n", "{symbols}");
    // A `let` is renamed within its braces, a profile wherever it is named.
    let (line, column) = place(&text, "img \"debian", false);
    let mut rename = json!({ "textDocument": { "uri": editor.uri("site.kdl") }, "position": { "line": line, "character": column }, "newName": "release" });
    let edits = editor.ask("textDocument/rename", rename.clone()).unwrap();
    assert_eq!(edits["changes"][editor.uri("site.kdl")].as_array().unwrap().len(), 3, "{edits}");
    let (line, column) = place(&text, "office {", false);
    rename["position"] = json!({ "line": line, "character": column });
    let edits = editor.ask("textDocument/rename", rename).unwrap();
    assert_eq!(edits["changes"].as_object().unwrap().len(), 2, "{edits}");
    editor.leave();
}

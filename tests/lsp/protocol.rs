//! The order of a conversation, what is no conversation, and noise.

use std::sync::mpsc::RecvTimeoutError;

use serde_json::{Value, json};

use super::editor::{Editor, SITE, framed};
use crate::harness::{PATIENCE, tool};

#[test]
fn the_conversation_has_an_order() {
    let mut editor = Editor::start(SITE);
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err()["code"], -32002);
    editor.tell("textDocument/didOpen", json!({ "what": "is this" }));
    editor.ask("initialize", json!({ "capabilities": {} })).unwrap();
    assert_eq!(editor.ask("initialize", json!({ "capabilities": {} })).unwrap_err()["code"], -32600);
    assert_eq!(editor.ask("textDocument/foldingRange", json!({})).unwrap_err()["code"], -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({ "position": 1 })).unwrap_err()["code"], -32602);
    assert_eq!(editor.ask("textDocument/hover", json!([])).unwrap_err()["code"], -32602);
    editor.tell("$/setTrace", json!({ "value": "off" }));
    editor.tell("no/such/news", json!({ "value": [1, 2] }));
    editor.tell("textDocument/didChange", json!({ "textDocument": "x" }));
    // About a document that nobody opened.
    assert_eq!(editor.at("textDocument/hover", "site.kdl", 0, 0), Value::Null);
    assert_eq!(editor.ask("shutdown", Value::Null), Ok(Value::Null));
    assert_eq!(editor.ask("shutdown", Value::Null).unwrap_err()["code"], -32600);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end().0, Some(0));

    let (mut editor, _) = Editor::greeted(SITE, &[]);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end().0, Some(1), "`exit` without `shutdown`");
    let (editor, _) = Editor::greeted(SITE, &[]);
    let (code, said) = editor.end();
    assert_eq!((code, said.as_str()), (Some(1), "the editor closed the connection without `shutdown`\n"));
}

#[test]
fn a_cancelled_request_is_answered_once_and_the_next_one_too() {
    let (mut editor, _) = Editor::greeted(SITE, &[]);
    editor.open("site.kdl");
    let hover = json!({ "textDocument": { "uri": editor.uri("site.kdl") }, "position": { "line": 0, "character": 1 } });
    let mut all = Vec::new();
    for id in 100..150 {
        all.extend(framed(&json!({ "jsonrpc": "2.0", "id": id, "method": "textDocument/hover", "params": hover }).to_string()));
        all.extend(framed(&json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": id } }).to_string()));
    }
    all.extend(framed(&json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": [] } }).to_string()));
    editor.raw(&all);
    for id in 100..150 {
        if let Err(error) = editor.answer(id) {
            assert_eq!(error["code"], -32800);
        }
    }
    assert!(editor.at("textDocument/hover", "site.kdl", 0, 1).is_object());
    editor.leave();
}

#[test]
fn what_is_no_message_ends_with_a_sentence() {
    let cases: [(&[u8], &str); 7] = [
        (b"site lab\n", "`site lab` where a header"),
        (b"\xff\xfe\x00\n", "where a header"),
        (b"Content-Length: many\r\n\r\n{}", "`Content-Length: many`"),
        (b"Content-Length: 5\r\n\r\n{\"a\":", "no message of JSON-RPC 2.0: {\"a\":"),
        (b"Content-Length: 2\r\n\r\n[]", "no message of JSON-RPC 2.0: []"),
        (b"Content-Length: 999999999999\r\n\r\n{}", "at most 256 MiB"),
        (b"Content-Length: 99\r\n\r\n{}", "within a message"),
    ];
    for (bytes, wanted) in cases {
        let (mut editor, _) = Editor::greeted(SITE, &[]);
        editor.raw(bytes);
        let (code, said) = editor.end();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with("error: the editor ") && said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn sigterm_ends_it_at_once() {
    let (mut editor, _) = Editor::greeted(SITE, &[]);
    editor.open("site.kdl");
    tool("kill", &["-TERM", &editor.child.id().to_string()]);
    assert!(matches!(editor.messages.recv_timeout(PATIENCE), Ok(_) | Err(RecvTimeoutError::Disconnected)));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&editor.child.wait().unwrap()), Some(15));
}

/// Many changes at once cost few checks: only the last state counts.
#[test]
fn a_burst_of_edits_is_checked_as_one() {
    let (mut editor, _) = Editor::greeted(SITE, &[]);
    editor.open("site.kdl");
    editor.findings("site.kdl", 1);
    let end = SITE.split("// file").next().unwrap().matches('\n').count();
    let place = json!({ "line": end, "character": 0 });
    let mut all = Vec::new();
    for version in 2..=401 {
        let params = json!({
            "textDocument": { "uri": editor.uri("site.kdl"), "version": version },
            "contentChanges": [{ "range": { "start": place, "end": place }, "text": "// x\n" }],
        });
        all.extend(framed(&json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params }).to_string()));
    }
    editor.raw(&all);
    let mut checks = 0;
    while editor.found["site.kdl"].0 != Some(401) {
        editor.message();
        checks += 1;
    }
    assert!(checks < 200, "{checks} checks for 400 edits");
    editor.leave();
}

/// Random edits and questions, over sound and broken texts.
#[test]
fn the_server_survives_noise() {
    let rounds = std::env::var("NOISE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(400);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut dice = move |sides: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % sides.max(1)
    };
    let pieces = [
        "{",
        "}",
        "\"",
        "\"\"\"",
        "\n",
        "\r\n",
        "\r",
        "host ",
        "use kiosk { ",
        "profile=",
        "ž",
        "😀",
        "{n}",
        "(secret)",
        "/*",
        "/-",
        "\\",
        "group:",
        "{{",
        "=",
        ";",
        "repeat n 1 3 { ",
        "#",
    ];
    let methods = ["hover", "completion", "definition", "references", "documentSymbol", "prepareRename", "rename", "noSuchThing"];
    for encoding in ["utf-8", "utf-16"] {
        let (mut editor, _) = Editor::greeted(SITE, &[encoding]);
        let names = ["site.kdl", "hosts/office.kdl", "modules/kiosk.kdl"];
        names.iter().for_each(|name| editor.open(name));
        for version in 2..rounds + 2 {
            let name = names[dice(names.len())];
            let point = |dice: &mut dyn FnMut(usize) -> usize| json!({ "line": dice(16), "character": dice(90) });
            let (start, end) = (point(&mut dice), point(&mut dice));
            match dice(12) {
                0 => editor.change(name, version, json!([{ "text": SITE }])),
                1..=6 => editor.change(name, version, json!([{ "range": { "start": start, "end": if dice(3) == 0 { &end } else { &start } }, "text": pieces[dice(pieces.len())] }])),
                _ => {
                    let params = json!({
                        "textDocument": { "uri": editor.uri(name) }, "position": start, "newName": "new-name",
                        "context": { "includeDeclaration": true },
                    });
                    let method = methods[dice(methods.len())];
                    if let Err(error) = editor.ask(&format!("textDocument/{method}"), params) {
                        assert!(matches!(error["code"].as_i64(), Some(-32601 | -32803)), "{method}: {error}");
                    }
                }
            }
        }
        editor.leave();
    }
}

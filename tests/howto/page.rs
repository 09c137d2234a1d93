//! docs/howto.md says what is so.

use std::fs;
use std::path::Path;

use pxelator::howto::write::module;
use pxelator::howto::{Refused, read};

use crate::harness::ROOT;

#[test]
fn the_page_shows_what_its_how_to_becomes() {
    let path = Path::new(ROOT).join("docs/howto.md");
    let page = fs::read_to_string(&path).unwrap();
    let (_, rest) = page.split_once("    # Notice board\n").unwrap();
    let shown = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let howto: String = shown.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    let made = module("board", &read(&format!("# Notice board\n{howto}")).unwrap());
    assert_eq!(made.files.len(), 1);
    let wanted =
        format!("// file: modules/board/module.kdl\n{}// file: modules/board/files/etc/nginx/conf.d/board.conf\n", made.text);
    if std::env::var_os("UPDATE").is_some() {
        let (head, rest) = page.split_once("// file: modules/board/module.kdl\n").unwrap();
        let (_, tail) = rest.split_once("// file: modules/board/files/etc/nginx/conf.d/board.conf\n").unwrap();
        fs::write(&path, format!("{head}{wanted}{tail}")).unwrap();
        return;
    }
    assert!(page.contains(&wanted), "UPDATE=1 writes this into docs/howto.md:\n{wanted}");
}

#[test]
fn its_messages_are_the_ones_that_are_said() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/howto.md")).unwrap();
    for refused in [Refused::NoCommands, Refused::TooLarge] {
        assert!(page.contains(&format!("```text\n{refused}\n```\n")), "{refused}");
    }
    let made = module("x", &read("```sh\nsudo usermod -aG audio $USER\n```\n").unwrap()).text;
    let line = made.lines().find(|line| line.contains("manual")).unwrap().trim();
    assert!(page.contains(&format!("```text\n{line}\n```\n")), "{line}");
}

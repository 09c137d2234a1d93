//! The manual is a test: every KDL block of `docs/` and the README compiles or fails as it says, every
//! command with output is run, and the pages that are made are the ones that would be made now.
//!
//! Blocks: `kdl` must compile without a finding; `kdl fails` must have errors, and `kdl fails CODE`
//! that finding; `kdl more` joins the files of the block above it; `kdl part` stands in the generated
//! reference alone, where tests/language.rs compiles it. In a `console` block each line that begins
//! with `$ ` runs in a folder which holds the files of the last `kdl` block; what follows is its output,
//! where `…` stands for anything. `UPDATE=1 cargo test` writes generated pages and outputs anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pxelator::compile;
use pxelator::diag::codes::CODES;
use pxelator::schema::{describe, nodes};
use pxelator::source::Inputs;
use serde_json::Value;

use crate::harness::{Folder, PROGRAM, ROOT, files, have, inputs, tool};

fn page(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

fn pages() -> Vec<(String, String)> {
    let docs = files(&page("docs")).into_keys().map(|path| format!("docs/{path}"));
    let all = docs.chain(["README.md".to_owned()]);
    all.map(|path| (path.clone(), fs::read_to_string(page(&path)).unwrap())).collect()
}

/// A page in pieces: text as it stands, and fenced blocks with what follows the fence.
enum Piece {
    Text(String),
    Block { kind: String, body: String },
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut all = Vec::new();
    let mut lines = page.split_inclusive('\n');
    while let Some(line) = lines.next() {
        match line.strip_prefix("```").map(str::trim).filter(|kind| !kind.is_empty()) {
            Some(kind) => {
                let body = lines.by_ref().take_while(|line| line.trim_end() != "```").collect();
                all.push(Piece::Block { kind: kind.to_owned(), body });
            }
            None => all.push(Piece::Text(line.to_owned())),
        }
    }
    all
}

/// The page again, with what its blocks became.
fn joined(pieces: &[Piece]) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Block { kind, body } => format!("```{kind}\n{body}```\n"),
    };
    pieces.iter().map(one).collect()
}

/// The files of a block; those of `kdl more` join the ones before.
fn site_of(kind: &str, body: &str, before: Inputs) -> Inputs {
    let own = inputs(body);
    if kind == "kdl more" { before.into_iter().chain(own).collect() } else { own }
}

#[test]
fn every_block_of_the_manual_does_what_it_says() {
    let mut count = 0;
    for (name, text) in pages() {
        let mut site = Inputs::new();
        for piece in pieces(&text) {
            let Piece::Block { kind, body } = piece else { continue };
            let words: Vec<&str> = kind.split(' ').collect();
            if words[0] != "kdl" {
                assert!(
                    ["console", "sh", "text", "json", "yaml", "tera", "lua", "toml"].contains(&words[0]),
                    "{name}: a block of kind `{kind}`"
                );
                continue;
            }
            assert!(kind != "kdl part" || name == "docs/language.md", "{name}: `kdl part` is compiled by no test here");
            if kind == "kdl part" {
                continue;
            }
            count += 1;
            site = site_of(&kind, &body, site);
            let compiled = compile(site.clone(), "site.kdl");
            match words[1..] {
                [] | ["more"] => {
                    // The pages of codes mend the error that they are about, and nothing else.
                    let sound = compiled.tree.is_some() && (compiled.diags.is_empty() || name == "docs/codes.md");
                    assert!(sound, "{name}:\n{body}\n{:#?}", compiled.diags);
                }
                ["fails"] => assert!(compiled.tree.is_none(), "{name} compiles:\n{body}"),
                ["fails", code] => assert!(compiled.diags.has(code), "{name} has no {code}:\n{body}\n{:#?}", compiled.diags),
                _ => panic!("{name}: a block of kind `{kind}`"),
            }
        }
    }
    assert!(count >= 30, "{count} blocks");
}

/// Does the output look as expected, `…` being anything?
pub(crate) fn looks_like(output: &str, expected: &str) -> bool {
    let parts: Vec<&str> = expected.trim_end().split('…').collect();
    let Some(mut rest) = output.trim_end().strip_prefix(parts[0]) else { return false };
    let Some((last, middle)) = parts[1..].split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn outputs_are_compared_with_gaps() {
    assert!(looks_like("a\nb\nc\n", "a\n…c"));
    assert!(looks_like("generation 12ab: 3 files\n", "generation …: 3 files"));
    assert!(!looks_like("a\nb\n", "a"));
    assert!(!looks_like("a\n", "b…"));
    assert!(!looks_like("abc", "a…d…c"));
}

/// Runs a line as a reader of the manual would; what it says on both channels.
fn shell(line: &str, folder: &Folder) -> String {
    let path = format!("{}:{}", Path::new(PROGRAM).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", &format!("exec 2>&1; {line}")]).current_dir(&folder.0).env("PATH", path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("panicked"), "{line}: {text}");
    text
}

/// The output with `…` for hashes: those change with every version, and the manual does not.
fn without_hashes(output: &str) -> String {
    const DIGITS_MIN: usize = 12;
    let parts = output.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let hidden = parts.map(|part| {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_hash = word.len() >= DIGITS_MIN && word.chars().all(|c| c.is_ascii_hexdigit());
        if is_hash { part.replace(word, "…") } else { part.to_owned() }
    });
    hidden.collect()
}

/// The commands of a console block, each with what shall follow.
pub(crate) fn commands(body: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in body.split_inclusive('\n') {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push((command.trim_end().to_owned(), String::new())),
            (None, Some((_, output))) => output.push_str(line),
            (None, None) => panic!("a console block begins with `$ `: {line}"),
        }
    }
    all
}

#[test]
fn every_command_of_the_manual_prints_what_is_printed_there() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut count = 0;
    for (name, text) in pages() {
        let folder = Folder::new();
        let mut site = Inputs::new();
        let mut all = pieces(&text);
        for piece in &mut all {
            let Piece::Block { kind, body } = piece else { continue };
            if kind.starts_with("kdl") {
                site.keys().for_each(|path| drop(fs::remove_file(folder.0.join(path))));
                site = site_of(kind, body, site);
                for (path, bytes) in &site {
                    fs::create_dir_all(folder.0.join(path).parent().unwrap()).unwrap();
                    fs::write(folder.0.join(path), bytes).unwrap();
                }
                // A site without an assets folder has pinned nothing.
                if !site.values().any(|bytes| String::from_utf8_lossy(bytes).contains("assets \"")) {
                    fs::remove_file(folder.0.join("assets.lock")).unwrap();
                }
            }
            if kind != "console" {
                continue;
            }
            let mut made = String::new();
            for (command, expected) in commands(body) {
                count += 1;
                let output = shell(&command, &folder);
                let good = looks_like(&output, &expected);
                assert!(good || update, "{name}: `{command}` prints\n{output}\nand not\n{expected}");
                made.push_str(&format!("$ {command}\n{}", if good { expected } else { without_hashes(&output) }));
            }
            *body = made;
        }
        if update && joined(&all) != text {
            fs::write(page(&name), joined(&all)).unwrap();
        }
    }
    assert!(count >= 15, "{count} commands");
}

/// The page of all codes: an index, then what `pxelator explain` says of each.
fn codes_page() -> String {
    let mut out = "# Codes\n\nWhat pxelator says when it finds something, and what mends it.\n".to_owned();
    out.push_str("This page is made from the pages of `pxelator explain CODE`; write nothing into it by hand.\n");
    out.push_str("An error keeps `out/` from being written, a warning does not.\n\n| code | severity | what it means |\n| --- | --- | --- |\n");
    let mut bodies = String::new();
    for code in CODES {
        let (_, page) = code.page.split_once("\n\n").unwrap();
        let sentence = page.lines().next().unwrap();
        out.push_str(&format!("| [{}](#{}) | {} | {sentence} |\n", code.name, code.name.replace('/', ""), code.severity.name()));
        let page = page.replace("```kdl fails\n", &format!("```kdl fails {}\n", code.name));
        bodies.push_str(&format!("\n## {}\n\n{}\n", code.name, page.trim_end()));
    }
    out + &bodies
}

#[test]
fn the_pages_that_are_made_are_not_stale() {
    let made = BTreeMap::from([("docs/language.md", describe::markdown()), ("docs/codes.md", codes_page())]);
    for (name, text) in made {
        if std::env::var_os("UPDATE").is_some() {
            fs::write(page(name), &text).unwrap();
        }
        let found = fs::read_to_string(page(name)).unwrap_or_default();
        assert!(found == text, "{name} is stale: run UPDATE=1 cargo test manual");
    }
    assert_eq!(tool(PROGRAM, &["options", "--format", "markdown"]), describe::markdown());
}

/// `#anchors` as GitHub makes them of headings.
fn anchors(text: &str) -> Vec<String> {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(|heading| heading.to_lowercase().chars().filter(|c| keep(*c)).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_of_the_manual_leads_somewhere() {
    let mut count = 0;
    for (name, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            if target.starts_with("https://") || target.contains(char::is_whitespace) {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { page(&name) } else { page(&name).parent().unwrap().join(file) };
            assert!(there.exists(), "{name} links to {target}, which is not there");
            let known = if anchor.is_empty() { Vec::new() } else { anchors(&fs::read_to_string(&there).unwrap()) };
            assert!(anchor.is_empty() || known.iter().any(|known| known == anchor), "{name}: {target} has no such heading");
        }
    }
    assert!(count >= 100, "{count} links");
}

#[test]
fn every_page_stands_in_the_index() {
    let index = fs::read_to_string(page("docs/README.md")).unwrap();
    for path in files(&page("docs")).into_keys().filter(|path| path != "README.md") {
        assert!(index.contains(&format!("({path})")), "docs/README.md does not name {path}");
    }
}

#[test]
fn the_man_page_is_sound_roff() {
    let text = tool(PROGRAM, &["options", "--format", "man"]);
    for node in nodes() {
        assert!(text.contains(&format!(".SS \"{}\"\n", node.name)), "{}", node.name);
    }
    if !have(&["groff"]) {
        return;
    }
    let folder = Folder::new();
    let path = folder.0.join("pxelator-site.5");
    fs::write(&path, &text).unwrap();
    let output = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("host pc-07 27 \"a0:36:9f:00:00:1b\" profile=office"), "quotes and hyphens stay as they are");
}

#[test]
fn options_tells_every_word_and_names_the_near_one() {
    let folder = Folder::with_example();
    let overview = folder.run(&["options"]).ended(0).out();
    for node in nodes() {
        assert!(overview.contains(&format!("  {} ", node.name)), "{}", node.name);
        let text = folder.run(&["options", node.name]).ended(0).out();
        let words = node.slots().all(|slot| text.contains(slot.doc) && text.contains(slot.example));
        assert!(text.contains(node.doc) && text.contains(node.example) && words, "{text}");
    }
    let said = |args: &[&str]| folder.run(&[&["options"], args].concat()).ended(2).err();
    assert!(said(&["hosst"]).contains("did you mean `host`?"));
    assert!(said(&["network.gatway"]).contains("did you mean `network.gateway`?"));
    assert!(said(&["gateway"]).contains("did you mean `network.gateway`?"));
    assert!(said(&["local.x"]).contains("`local` takes nothing"));
    assert!(said(&["host", "--format", "man"]).contains("leave `host` away"));
    assert!(folder.run(&["options", "--help"]).ended(0).out().contains("Example"));
}

#[test]
fn options_has_stable_keys_for_programs() {
    let folder = Folder::new();
    let all: Value = serde_json::from_str(&folder.run(&["options", "--format", "json"]).ended(0).out()).unwrap();
    assert_eq!(all["nodes"].as_array().unwrap().len(), nodes().count());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<String>>().join(" ");
    for node in all["nodes"].as_array().unwrap() {
        assert_eq!(keys(node), "args children doc example family more node once props since within");
        for slot in node["args"].as_array().unwrap().iter().chain(node["props"].as_array().unwrap()) {
            assert_eq!(keys(slot), "default doc example name required since type");
        }
    }
    let part: Value = serde_json::from_str(&folder.run(&["options", "site.lease", "--format", "json"]).ended(0).out()).unwrap();
    assert_eq!((&part[0]["node"], &part[0]["default"]), (&"site".into(), &"\"12h\"".into()));
}

#[test]
fn options_of_a_module_are_told_and_a_broken_one_is_shown() {
    let folder = Folder::with_example();
    let module: Value =
        serde_json::from_str(&folder.run(&["options", "--module", "kiosk", "--format", "json"]).ended(0).out()).unwrap();
    let option = |name: &str| module["options"].as_array().unwrap().iter().find(|option| option["name"] == name).unwrap().clone();
    assert_eq!((&option("url")["type"], &option("url")["required"]), (&"url".into(), &true.into()));
    let idle = option("idle-reset");
    assert_eq!((&idle["default"], &idle["min"], &idle["max"]), (&"\"5m\"".into(), &"\"30s\"".into(), &"\"1h\"".into()));
    assert!(
        folder.run(&["options", "--module", "kiosk", "--format", "markdown"]).ended(0).out().contains("| idle-reset | duration;")
    );
    assert!(folder.run(&["options", "--module", "kioks"]).ended(2).err().contains("did you mean `kiosk`?"));
    assert!(folder.run(&["options", "--module", "../x"]).ended(2).err().contains("no module `../x`"));
    fs::write(folder.0.join("modules/kiosk.kdl"), "module kiosk { option url (url)required dok=\"Start page\" }").unwrap();
    assert!(folder.run(&["options", "--module", "kiosk"]).ended(1).err().contains("did you mean `doc`?"));
    fs::write(folder.0.join("modules/kiosk.kdl"), "module other { }").unwrap();
    assert!(folder.run(&["options", "--module", "kiosk"]).ended(2).err().contains("holds no `module kiosk`"));
}

/// Rows of the manual's table of limits, and the constants that they tell.
// One limit a line, so that it reads as a table.
#[rustfmt::skip]
const LIMITS: &[(&str, &str, &str)] = &[
    ("| a source file | 128 MiB |", "src/source.rs", "FILE_BYTES_MAX: usize = 128 << 20"),
    ("| files of a site | 1,048,576 |", "src/source.rs", "FILES_MAX: usize = 1 << FILE_BITS;\nconst FILE_BITS: u32 = 20"),
    ("| uses of modules | 4,095 |", "src/source.rs", "INSTANCES_MAX: usize = (1 << (u32::BITS - FILE_BITS)) - 1"),
    ("| nesting of braces | 64 |", "src/syntax/mod.rs", "DEPTH_MAX: usize = 64"),
    ("| arguments and properties of a node | 4,096 |", "src/syntax/mod.rs", "ENTRIES_MAX: usize = 4096"),
    ("| a name | 200 bytes |", "src/schema/types.rs", "NAME_BYTES_MAX: usize = 200"),
    ("| a label of a DNS name | 63 bytes |", "src/model/name.rs", "LABEL_BYTES_MAX: usize = 63"),
    ("| names, or addresses, in one text with commas | 64 |", "src/schema/types.rs", "NAMES_MAX: usize = 64"),
    ("| tags that the groups around a host give it | 64 |", "src/model/lower/network.rs", "TAGS_MAX: usize = 64"),
    ("| an expression between braces | 256 bytes |", "src/eval/expression.rs", "BYTES_MAX: usize = 256"),
    ("| the width of a format | 64 |", "src/eval/expression.rs", "WIDTH_MAX: usize = 64"),
    ("| `let` values behind each other | 64 |", "src/eval/scope.rs", "LET_DEPTH_MAX: usize = 64"),
    ("| text that all `{names}` of a site become | 64 MiB |", "src/eval/budget.rs", "FILLED_BYTES_MAX: usize = 64 << 20"),
    ("| runs of all `repeat`s of a site | 1,000,000 |", "src/eval/budget.rs", "RUNS_MAX: usize = 1_000_000"),
    ("| lines and values that `repeat`, lists and modules make | 400,000 |", "src/eval/budget.rs", "MADE_MAX: usize = 400_000"),
    ("| files that import each other in a chain | 64 |", "src/eval/imports.rs", "CHAIN_MAX: usize = 64"),
    ("| profiles that extend each other in a chain | 32 |", "src/eval/merge.rs", "EXTENDS_MAX: usize = 32"),
    ("| list lines of a profile with those of its parents | 4,096 |", "src/eval/merge.rs", "LIST_MAX: usize = 4096"),
    ("| modules that use each other in a chain | 16 |", "src/eval/modules/mod.rs", "DEPTH_MAX: usize = 16"),
    ("| an `import` or `use` up to its end or brace | 4,096 bytes |", "src/store/mod.rs", "NODE_BYTES_MAX: usize = 4096"),
    ("| a kernel's command line | 2,047 bytes |", "src/check/boot.rs", "CMDLINE_BYTES_MAX: usize = 2047"),
    ("| a text made from a template | 1 MiB |", "src/emit/texts.rs", "TEXT_BYTES_MAX: usize = 1 << 20"),
    ("| all texts of a site, read for each profile and made | 16 MiB |", "src/emit/texts.rs", "ALL_BYTES_MAX: usize = 16 << 20"),
    ("| runs of the loops of a template | 100,000 |", "src/emit/texts.rs", "RUNS_MAX: usize = 100_000"),
    ("| nesting of `if` and `for` in a template | 16 |", "src/emit/texts.rs", "DEPTH_MAX: u32 = 16"),
    ("| `elif` in a template | 128 |", "src/emit/texts.rs", "ELIFS_MAX: usize = 128"),
    ("| findings that are shown | 50; the rest are counted |", "src/diag/mod.rs", "PRINTED_MAX: usize = 50"),
];

#[test]
fn the_limits_of_the_manual_are_those_of_the_source() {
    let text = fs::read_to_string(page("docs/expressions.md")).unwrap();
    let table = text.split("## Limits").nth(1).unwrap();
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), LIMITS.len() + 2, "a row without a constant");
    for (row, file, constant) in LIMITS {
        assert!(table.contains(row), "the manual has no row `{row}`");
        let source = fs::read_to_string(page(file)).unwrap();
        assert!(source.contains(&format!("const {constant};")), "{file} has no `{constant}`: mend the manual's row `{row}`");
    }
}

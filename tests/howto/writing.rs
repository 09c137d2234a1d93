//! What the writer writes, the language reads back as the same.

use pxelator::diag::Diags;
use pxelator::howto::write::{NAME_BYTES_MAX, module, quote, slug};
use pxelator::howto::{Access, HowTo, Rule, Step};
use pxelator::source::FileId;
use pxelator::syntax;

const TEXTS: &[&str] = &[
    "",
    "plain",
    "it's \"quoted\"",
    "\"",
    "\"\"",
    "\"starts",
    "back\\slash \\n",
    "a\"#b\"##c",
    "#\"",
    "awk '{print $1}' | x",
    "{{ twice }}",
    "{on}",
    "two\nlines",
    "\n",
    "\n\n",
    "a\n\nb\n",
    "a\n   \nb",
    "  indented\n\ttab\n",
    "tab\there",
    "quotes \"\"\" here\nand \"\"\"# there",
    "case \"$(x)\" in\nenabled) exit 0 ;;\n\\*) exit 2 ;;\nesac",
    "bell\u{7} and \u{202e} and \u{2028}",
    "carriage\r\nreturn",
    "umlaut ü, čćž",
    "ends with a backslash\\",
    "a long line of a script, longer than what the writer keeps on one line, it really is\nand another that ends\n",
];

/// What the parser and the braces make of a written text.
fn meant(written: &str) -> String {
    let text = format!("node {written}\n");
    let mut diags = Diags::default();
    let nodes = syntax::parse(&text, FileId::new(0), &mut diags);
    assert_eq!(diags.total(), 0, "{text}");
    assert_eq!(nodes.len(), 1, "{text}");
    nodes[0].arg(0).unwrap().text().unwrap().replace("{{", "{")
}

#[test]
fn every_text_comes_back() {
    for text in TEXTS {
        for level in 0..4 {
            assert_eq!(meant(&quote(text, level)), *text, "{}", quote(text, level));
        }
    }
}

#[test]
fn names_are_names() {
    assert_eq!(slug("Step 2: Install & start!"), "step-2-install-start");
    assert_eq!(slug("A / B//C"), "a/b/c");
    assert_eq!(slug("…"), "");
}

fn everything() -> HowTo {
    let access = Access { mode: Some("0640".to_owned()), owner: Some("root".to_owned()), group: Some("adm".to_owned()) };
    let file = |path: &str, text: &str| Step::File { path: path.to_owned(), content: text.into(), access: access.clone() };
    let steps = vec![
        Step::Package(vec!["nginx".to_owned(), "curl".to_owned()]),
        file("/etc/x.conf", "one\n"),
        file("/etc/.hidden dir/x.tera", "two\n"),
        Step::Folder { path: "/srv/www".to_owned(), access: Access::default() },
        Step::Link { path: "/etc/localtime".to_owned(), to: "/usr/share/zoneinfo/Europe/Zagreb".to_owned() },
        Step::Absent("/etc/old".to_owned()),
        Step::Check("test \"$(cat /x | awk '{print $1}')\" = 1".to_owned()),
        Step::Apply("first\nsecond".to_owned()),
        Step::Manual("Open the door.".to_owned()),
    ];
    let long = "x".repeat(90);
    let rule = |name: &str, after| Rule { name: name.to_owned(), doc: Some(format!("Does {name}")), after, steps: steps.clone() };
    let mut rules = vec![rule("Install it", None), rule("Install it", Some(0)), rule(&long, Some(1)), rule(&long, Some(7))];
    rules[1].steps = vec![file("/etc/x.conf", "other\n")];
    HowTo { doc: "From a test.".to_owned(), rules }
}

#[test]
fn a_module_is_laid_out_as_fmt_does() {
    let module = module("web", &everything());
    let mut diags = Diags::default();
    let nodes = syntax::parse(&module.text, FileId::new(0), &mut diags);
    assert_eq!(diags.total(), 0, "{}", module.text);
    assert_eq!(syntax::format(&module.text).unwrap(), module.text);
    let config = nodes.iter().flat_map(|node| &node.children).find(|node| node.name.text == "config").unwrap();
    let names: Vec<_> = config.children.iter().map(|rule| rule.title().unwrap()).collect();
    assert_eq!(names[..2], ["web/install-it", "web/install-it-2"]);
    assert!(names.iter().all(|name| name.len() <= NAME_BYTES_MAX) && names[2] != names[3], "{names:?}");
    let files: Vec<_> = module.files.keys().map(String::as_str).collect();
    assert_eq!(files, ["files/etc/dot.hidden_dir/x.tera.text", "files/etc/x.conf", "files/etc/x.conf-2"]);
}

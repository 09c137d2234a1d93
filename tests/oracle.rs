//! Our parser beside the KDL project's: random documents are the same tree to both, or both refuse them.
//! `NOISE=100000 cargo test oracle` tries longer.

use std::collections::BTreeMap;

use kdl::{KdlDocument, KdlEntry, KdlNode, KdlValue};
use pxelator::diag::Diags;
use pxelator::source::FileId;
use pxelator::syntax::{self, DEPTH_MAX, Entry, Node, Value};

use crate::noise::{Dice, corpus, mutate, rounds};

/// Where kdl 6.7.1 and the specification part, and we follow the specification: the rule, and how to write a text so that it says
/// the same, or is refused by both, without touching it. A difference is excused where it is gone from the text so written.
type Exception = (&'static str, fn(&str) -> String);
const EXCEPTIONS: [Exception; 7] = [
    // `node := base-node node-terminator` with `base-node := slashdash? …`: a node behind a slashdash may end with `;` like any other.
    ("`/-node;` is a node", |text| text.replace(';', "\n")),
    // §3.19: U+007F may stand nowhere; kdl refuses the other control characters.
    ("U+007F is refused", |text| text.replace('\u{7f}', "\u{1}")),
    // `single-line-raw-string-body` does not begin with two quotes: behind `#"""` comes a line break.
    ("`#\"\"\"` opens a string of several lines", |text| {
        let pieces: Vec<&str> = text.split("#\"\"\"").collect();
        let broken = |piece: &&str| !piece.starts_with(['\n', '\r', '\u{85}', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}']);
        let joint = |piece: &&str| if broken(piece) { "]" } else { "#\"\"\"" };
        pieces.iter().skip(1).fold(pieces[0].to_owned(), |text, piece| text + joint(piece) + piece)
    }),
    // §3.10: the word `-inf` is illegal without its `#`; kdl refuses `inf` alone.
    ("`-inf` is no word", |text| text.replace("-inf", "inf")),
    // `hex := sign? '0x' …`, and so on: the letter is small.
    ("`0X` begins no number", |text| text.replace("0X", "0Z").replace("0O", "0Z").replace("0B", "0Z")),
    // §1: a parser may go by the version marker. Ours refuses `/- kdl-version 1`, kdl reads the rest as KDL 2.
    ("KDL 1 is refused", |text| text.replace("kdl-version", "x")),
    // §3.14: a number may have any size; kdl refuses whole ones beyond 128 bits.
    ("a number may have many digits", |text| {
        let mut digits = 0;
        let keep = |c: &char| {
            digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
            digits < 25
        };
        text.chars().filter(keep).collect()
    }),
];
/// One more, too wide for texts that were written to be right: `node-terminator` stands behind each node, kdl wants none before or
/// behind a node with a slashdash. Without slashdashes the difference must be gone.
const UNENDED: Exception = ("a node behind a slashdash needs its end", |text| text.replace("/-", ""));

/// A document as both parsers must see it.
#[derive(Debug, PartialEq)]
struct Tree {
    note: Option<String>,
    name: String,
    args: Vec<(Option<String>, Leaf)>,
    props: BTreeMap<String, (Option<String>, Leaf)>,
    children: Vec<Tree>,
}

#[derive(Debug)]
enum Leaf {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Leaf) -> bool {
        match (self, other) {
            (Leaf::Text(a), Leaf::Text(b)) => a == b,
            (Leaf::Number(a), Leaf::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Leaf::Bool(a), Leaf::Bool(b)) => a == b,
            (Leaf::Null, Leaf::Null) => true,
            _ => false,
        }
    }
}

fn ours(text: &str) -> Option<Vec<Tree>> {
    let mut diags = Diags::default();
    let nodes = syntax::parse_any(text, FileId::new(0), &mut diags);
    diags.iter().flat_map(|diag| &diag.labels).for_each(|label| {
        assert!(text.get(label.span.range()).is_some(), "{:?} lies between characters of {text:?}", label.span);
    });
    nodes.iter().for_each(|node| spans_are_right(text, node));
    diags.is_empty().then(|| nodes.iter().map(our_tree).collect())
}

/// What a span cuts out is that word, that value, and the head of that node.
fn spans_are_right(text: &str, node: &Node<'_>) {
    let read = |span: pxelator::source::Span| syntax::parse_any(&text[span.range()], FileId::new(0), &mut Diags::default());
    let again = read(node.name.span);
    assert_eq!(again[0].name.text, node.name.text, "the span of a name in {text:?}");
    let head = read(node.span);
    assert_eq!(
        (&head[0].name.text, head[0].entries.len()),
        (&node.name.text, node.entries.len()),
        "the span of a node in {text:?}"
    );
    for entry in &node.entries {
        let named = |span: pxelator::source::Span| {
            let text = format!("x {}", &text[span.range()]);
            let nodes = syntax::parse_any(&text, FileId::new(0), &mut Diags::default());
            our_tree(&nodes[0])
        };
        assert_eq!(named(entry.value_span).args[0].1, leaf(&entry.value), "the span of a value in {text:?}");
        let whole = named(entry.span);
        assert_eq!(whole.args.len() + whole.props.len(), 1, "the span of an entry in {text:?}");
        assert_eq!(entry.name.is_some(), whole.props.len() == 1, "the span of a property in {text:?}");
    }
    node.children.iter().for_each(|child| spans_are_right(text, child));
}

fn leaf(value: &Value<'_>) -> Leaf {
    match value {
        Value::Text(text) => Leaf::Text(text.to_string()),
        Value::Int(number) => Leaf::Number(*number as f64),
        Value::Float(number) => Leaf::Number(*number),
        Value::Bool(flag) => Leaf::Bool(*flag),
        Value::Null => Leaf::Null,
    }
}

fn our_tree(node: &Node<'_>) -> Tree {
    let entry = |entry: &Entry<'_>| (entry.note.as_ref().map(|word| word.text.to_string()), leaf(&entry.value));
    Tree {
        note: node.note.as_ref().map(|word| word.text.to_string()),
        name: node.name.text.to_string(),
        args: node.args().map(entry).collect(),
        props: node.props().map(|(name, value)| (name.text.to_string(), entry(value))).collect(),
        children: node.children.iter().map(our_tree).collect(),
    }
}

fn their_tree(node: &KdlNode) -> Tree {
    let entry = |entry: &KdlEntry| {
        let leaf = match entry.value() {
            KdlValue::String(text) => Leaf::Text(text.clone()),
            KdlValue::Integer(number) => Leaf::Number(*number as f64),
            KdlValue::Float(number) => Leaf::Number(*number),
            KdlValue::Bool(flag) => Leaf::Bool(*flag),
            KdlValue::Null => Leaf::Null,
        };
        (entry.ty().map(|word| word.value().to_owned()), leaf)
    };
    let (props, args): (Vec<&KdlEntry>, Vec<&KdlEntry>) = node.entries().iter().partition(|entry| entry.name().is_some());
    Tree {
        note: node.ty().map(|word| word.value().to_owned()),
        name: node.name().value().to_owned(),
        args: args.into_iter().map(entry).collect(),
        // Of two with one name the last counts.
        props: props.into_iter().map(|prop| (prop.name().unwrap().value().to_owned(), entry(prop))).collect(),
        children: node.children().map_or(&[][..], KdlDocument::nodes).iter().map(their_tree).collect(),
    }
}

/// kdl 6.7.1 needs exponential time for broken slashdashes in blocks, and overflows its stack in deep ones.
fn is_bearable(text: &str) -> bool {
    text.len() <= 1500 && text.matches("/-").count() <= 6 && text.matches('{').count() <= 12.min(DEPTH_MAX)
}

/// What both say of a text, if they differ.
fn difference(text: &str) -> Option<String> {
    let theirs = KdlDocument::parse_v2(text).ok().map(|document| document.nodes().iter().map(their_tree).collect::<Vec<_>>());
    let ours = ours(text);
    (ours != theirs).then(|| format!("{text:?}\nours:   {ours:?}\ntheirs: {theirs:?}"))
}

/// The same, where no exception explains it.
fn quarrel(text: &str, is_mutated: bool, excused: &mut BTreeMap<&'static str, usize>) -> Option<String> {
    let said = is_bearable(text).then(|| difference(text))??;
    let mut written = text.to_owned();
    for (rule, write) in EXCEPTIONS.into_iter().chain(is_mutated.then_some(UNENDED)) {
        let before = std::mem::take(&mut written);
        written = write(&before);
        if written != before && difference(&written).is_none() {
            *excused.entry(rule).or_default() += 1;
            return None;
        }
    }
    Some(said)
}

/// Random documents, most of them right.
struct Writer<'d>(&'d mut Dice);

impl Writer<'_> {
    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.0.below(list.len())]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&[" ", " ", " ", "  ", "\t", "\u{3000}", " /* c */ ", "/**/", " \\\n", " \\ // c\n  ", "\\\r\n"])
    }

    fn gap(&mut self) -> &'static str {
        self.pick(&["", "", "", "", " ", "/*{*/", "\\\n"])
    }

    fn string(&mut self) -> &'static str {
        self.pick(&[
            "a",
            "b",
            "-",
            "--x",
            "+.",
            ".md",
            "é",
            "日本",
            "host",
            "true_",
            "r",
            "\"\"",
            "\"q x\"",
            "\"\\u{e9}\\n\"",
            "\"a\\   b\"",
            "\"\\s\\\\\\\"\"",
            "#\"raw \\ \"#",
            "##\"a\"#b\"##",
            "\"\"\"\n  m\n   n\n  \"\"\"",
            "\"\"\"\n\"\"\"",
            "#\"\"\"\n\t\\x\n\n\t\"\"\"#",
            "\"\"\"\r\n x \\\n  y\r\n \"\"\"",
            "\"\"\"\n \\s\n\\ \n \\t\n \"\"\"",
            "\"\u{a0}\"",
            "\"\\u{10ffff}\"",
        ])
    }

    fn value(&mut self) -> &'static str {
        match self.0.below(4) {
            0 => self.pick(&[
                "1",
                "-1",
                "+0",
                "0x1F",
                "-0o17",
                "0b1_0",
                "1.5",
                "1e3",
                "-1.5E-3",
                "1_000",
                "0.0",
                "99999999999999999999",
                "1_.5_",
            ]),
            1 => self.pick(&["#true", "#false", "#null", "#inf", "#-inf", "#nan"]),
            _ => self.string(),
        }
    }

    fn note(&mut self) -> String {
        match self.0.below(8) {
            0 => format!("({}{}{}){}", self.gap(), self.string(), self.gap(), self.gap()),
            _ => String::new(),
        }
    }

    fn dash(&mut self) -> &'static str {
        match self.0.below(10) {
            0 => self.pick(&["/-", "/- ", "/-\n", "/- // c\n", "/-\\\n"]),
            _ => "",
        }
    }

    fn node(&mut self, depth: usize) -> String {
        let mut text = format!("{}{}{}", self.dash(), self.note(), self.string());
        for _ in 0..self.0.below(4) {
            text.push_str(self.space());
            text.push_str(self.dash());
            if self.0.below(3) == 0 {
                text.push_str(&format!("{}{}={}", self.string(), self.gap(), self.gap()));
            }
            text.push_str(&self.note());
            text.push_str(self.value());
        }
        for _ in 0..if depth < 3 { self.0.below(4).saturating_sub(1) } else { 0 } {
            text.push_str(&format!("{}{}{{{}}}", self.space(), self.dash(), self.nodes(depth + 1)));
        }
        text + self.gap()
    }

    fn nodes(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.0.below(4) {
            text.push_str(self.pick(&["", "", " ", "\n", "\u{2028}", "// c\n", "/* c */", "\\\n"]));
            text.push_str(&self.node(depth));
            text.push_str(self.pick(&["\n", "\n", ";", "\r\n", "\u{85}", " // c\n", "\u{c}"]));
        }
        text
    }
}

const FRAGMENTS: &[&str] = &[
    " ",
    "\n",
    ";",
    "{",
    "}",
    "(",
    ")",
    "=",
    "\"",
    "\"\"\"",
    "#",
    "/-",
    "/*",
    "*/",
    "//",
    "\\",
    "\\q",
    "\\u{d800}",
    "\\/",
    "0x",
    "1a",
    "-1",
    ".5",
    "true",
    "#tru",
    "\u{feff}",
    "\0",
    "\u{202e}",
    "]",
    ",",
    "é",
    "\r",
    "a",
    " b",
    "(t)",
    "_",
    "r\"",
    "\u{7f}",
    "e",
];

/// A document, and whether something was broken in it.
fn document(dice: &mut Dice, corpus: &[String]) -> (String, bool) {
    let mut is_mutated = false;
    let mut text = if dice.below(4) > 0 {
        Writer(dice).nodes(0)
    } else {
        let lines: Vec<&str> = corpus[dice.below(corpus.len())].split_inclusive('\n').collect();
        let from = dice.below(lines.len());
        lines.iter().skip(from).take(1 + dice.below(12)).copied().collect()
    };
    for _ in 0..dice.below(4).saturating_sub(1) {
        is_mutated = true;
        let mut at = dice.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match dice.below(3) {
            0 if at < text.len() => drop(text.remove(at)),
            _ => text.insert_str(at, FRAGMENTS[dice.below(FRAGMENTS.len())]),
        }
    }
    if dice.below(8) == 0 && !text.is_empty() {
        is_mutated = true;
        let mut bytes = text.into_bytes();
        let other = corpus[dice.below(corpus.len())].as_bytes();
        mutate(&mut bytes, other, dice);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    (text, is_mutated)
}

#[test]
fn both_parsers_see_the_same_tree_or_refuse() {
    let corpus: Vec<String> = corpus().into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut excused = BTreeMap::new();
    let mut quarrels = Vec::new();
    for _ in 0..rounds(4000) {
        let (text, is_mutated) = document(&mut dice, &corpus);
        quarrels.extend(quarrel(&text, is_mutated, &mut excused));
        if quarrels.len() > 20 {
            break;
        }
    }
    quarrels.sort_by_key(String::len);
    assert!(quarrels.is_empty(), "{} quarrels; excused: {excused:?}\n{}", quarrels.len(), quarrels.join("\n\n"));
}

/// Were one of these mended in kdl, its exception could go.
#[test]
fn the_exceptions_are_real() {
    let differ = [
        ("/-a;", true),
        ("a\u{7f}", false),
        ("a #\"\"\"b\"#", false),
        ("a -inf", false),
        ("a 0X1", false),
        ("a 9999999999999999999999999999999999999999", true),
        ("/-a {} \\\nb", false),
        ("/- kdl-version 1\n", false),
    ];
    for (text, is_legal) in differ {
        assert_eq!((ours(text).is_some(), KdlDocument::parse_v2(text).is_ok()), (is_legal, !is_legal), "{text:?}");
    }
}

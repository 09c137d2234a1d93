//! Sites with bytes changed, lost, doubled and swapped: the compiler always ends, and every finding has
//! a place in the text. `NOISE=100000 cargo test noise` tries longer.

use std::path::Path;

use pxelator::source::Inputs;
use pxelator::{Compiled, compile};

use crate::harness::{ROOT, files, inputs, lock};

/// A small generator whose runs can be repeated (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// How often to try: `NOISE`, or `usual`.
pub(crate) fn rounds(usual: usize) -> usize {
    std::env::var("NOISE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

/// All texts of the tests and the example.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let folders = ["tests/reject", "tests/compile", "tests/corpus", "hosts", "modules"];
    let all = folders.iter().flat_map(|folder| files(&Path::new(ROOT).join(folder)));
    let kdl = all.filter(|(path, _)| path.ends_with(".kdl")).map(|(_, bytes)| bytes);
    kdl.chain([std::fs::read(Path::new(ROOT).join("site.kdl")).unwrap()]).collect()
}

pub(crate) fn mutate(text: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const INTERESTING: &[&str] =
        &["{", "}", "\"", "/-", "\\", "#", "(force)", "{x}", "=", "\n", "\u{feff}", "\"\"\"", "/*", "-1", "255.255.255.255", "0"];
    let at = dice.below(text.len());
    let end = (at + dice.below(40)).min(text.len());
    match dice.below(5) {
        0 => drop(text.drain(at..end)),
        1 => drop(text.splice(at..at, INTERESTING[dice.below(INTERESTING.len())].bytes())),
        2 => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.below(256) as u8),
        3 => {
            let piece = text[at..end].to_vec();
            text.splice(at..at, piece);
        }
        _ => {
            let from = dice.below(other.len());
            let piece = &other[from..(from + dice.below(60)).min(other.len())];
            text.splice(at..end, piece.iter().copied());
        }
    }
}

fn sound(compiled: &Compiled) {
    assert_eq!(compiled.tree.is_some(), compiled.diags.errors() == 0);
    for diag in compiled.diags.iter() {
        for label in &diag.labels {
            let text = compiled.sources.text(label.span.file);
            assert!(text.get(label.span.range()).is_some(), "{} lies between characters: {:?}", diag.code, label.span);
        }
    }
}

#[test]
fn the_compiler_survives_noise() {
    let corpus = corpus();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds(3000) {
        let mut text = corpus[dice.below(corpus.len())].clone();
        for _ in 0..=dice.below(6) {
            let other = &corpus[dice.below(corpus.len())];
            mutate(&mut text, other, &mut dice);
        }
        let site = match std::str::from_utf8(&text) {
            Ok(text) => inputs(text),
            Err(_) => Inputs::from([("site.kdl".to_owned(), text.clone()), ("assets.lock".to_owned(), lock().into_bytes())]),
        };
        sound(&compile(site, "site.kdl"));
    }
}

/// Sites of which each part is small, and the whole would cost hours if any stage looked at every pair.
#[test]
fn hostile_sites_come_to_an_end() {
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let profiles = many(15_000, &|n| format!("profile p-{n}-a {{ local }}\n"));
    let head = "site lab\nassets \"/srv\"\n";
    let sites = [
        "#".repeat(1 << 20),
        "#\"".repeat(1 << 19),
        "a{".repeat(1 << 19),
        "a /-{".repeat(1 << 17),
        "\\".repeat(1 << 20),
        format!("site lab {}", many(100_000, &|n| format!("p{n}=1 "))),
        format!("{head}{profiles}{}", many(15_000, &|n| format!("host h{n} \"10.0.0.1\" profile=p-{n}-b\n"))),
        format!(
            "{head}profile base {{\n{}}}\n{}",
            "cmdline a\n".repeat(20_000),
            many(20_000, &|n| format!("profile p{n} extends=base\n"))
        ),
        format!("{head}dns {{\n{}}}\n", many(50_000, &|n| format!("a x \"10.{}.{}.{}\"\n", n >> 16, n >> 8 & 255, n & 255))),
        format!("{head}dns {{\n{}}}\n", many(20_000, &|n| format!("cname c{n} to=c{}\n", n + 1))),
        format!(
            "{head}{}",
            many(60_000, &|n| format!(
                "network n{n} \"10.{}.{}.0/24\" {{ host h{n} \"02:00:00:00:{:02x}:{:02x}\" }}\n",
                n >> 8,
                n & 255,
                n >> 8,
                n & 255
            ))
        ),
    ];
    for site in sites {
        sound(&compile(inputs(&site), "site.kdl"));
    }
}

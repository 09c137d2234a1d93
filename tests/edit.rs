//! A site that is being edited: after every edit the findings are those of the whole site.

use pxelator::compile;
use pxelator::diag::Diag;
use pxelator::edit::Editing;
use pxelator::source::Inputs;

use crate::harness::inputs;
use crate::noise::Dice;

const SITE: &str = "site lab domain=\"lab.example\" lease=\"2h\"\n\
    assets \"/srv/boot\"\n\
    network lan \"10.0.0.0/24\" gateway=1 server=2 tags=\"t\" {\n\
    \x20   pool 100 120\n\
    \x20   // a comment between\n\
    \x20   host a 11 \"02:00:00:00:00:0a\"\n\
    \x20   host b 12 \"02:00:00:00:00:0b\" profile=disk\n\
    \x20   host c 13 \"02:00:00:00:00:0c\"\n\
    \x20   group g profile=disk lease=\"1h\" {\n\
    \x20       host d 14 \"02:00:00:00:00:0d\"\n\
    \x20       host e 15 \"02:00:00:00:00:0e\" profile=net\n\
    \x20   }\n\
    \x20   host f 16 \"02:00:00:00:00:0f\"\n\
    }\n\
    host stray \"10.0.0.77\" \"02:00:00:00:01:0f\"\n\
    host other \"10.0.0.78\" \"02:00:00:00:01:10\"\n\
    use kiosk\n\
    profile disk { local }\nprofile rescue { local; file \"a\" from=\"a.tera\" }\n\
    profile net { kernel \"rescue/vmlinuz\"; root overlay=o }\n\
    nfs \"/srv/nfs\" { base b; overlay o over=b { file \"/etc/a\" from=\"b.tera\" } }\n\
    dns { cname www to=b; a x \"10.0.0.14\" }\n\
    assert group:g max=3 \"not more\"\n\
    // file: modules/kiosk.kdl\nmodule kiosk { config { profile kiosk { local } } }\n\
    // file: more.kdl\n// nobody imports this\n// file: a.tera\n{{ profile }}\n// file: b.tera\n{{ overlay }}\n";

/// What a reader sees of the findings.
fn seen<'a>(diags: impl Iterator<Item = &'a Diag>) -> Vec<Diag> {
    diags.map(|diag| Diag { fix: None, ..diag.clone() }).collect()
}

fn agree(editing: &Editing, inputs: &Inputs, what: &str) {
    let whole = compile(inputs.clone(), "site.kdl");
    assert_eq!(
        seen(editing.diags().iter()),
        seen(whole.diags.iter()),
        "{what}:\n{}",
        String::from_utf8_lossy(&inputs["site.kdl"])
    );
    for (id, source) in whole.sources.iter() {
        assert_eq!(editing.sources().text(id), source.text, "{what}");
    }
}

fn with(site: &Inputs, text: &str) -> Inputs {
    let mut site = site.clone();
    site.insert("site.kdl".into(), text.as_bytes().to_vec());
    site
}

#[test]
fn an_edit_of_a_host_is_read_alone() {
    let first = inputs(SITE);
    let text = String::from_utf8(first["site.kdl"].clone()).unwrap();
    let mut editing = Editing::open(first.clone(), "site.kdl");
    agree(&editing, &first, "at first");
    for (old, new) in [
        ("host b 12", "host b 13"),
        ("host b 13", "host b 300"),
        ("host b 300", "host b 12.5"),
        ("host b 12.5", "host b 12"),
        ("profile=disk\n", "profile=dsk\n"),
        ("profile=dsk\n", "profil=disk\n"),
        ("profil=disk\n", "profile=disk\n"),
        ("host d 14", "host a 14"),
        ("host a 14", "hosst d 14"),
        ("hosst d 14", "host d 10.0.0.9"),
        ("host d 10.0.0.9", "host d \"unfinished"),
        ("host d \"unfinished", "host d 14"),
        ("\x20   host c 13 \"02:00:00:00:00:0c\"\n", ""),
        ("\x20   host f 16", "\x20   host g 17 \"02:00:00:00:00:1a\"\n    host f 16"),
        ("\"10.0.0.77\"", "\"10.0.1.77\""),
        ("\"10.0.1.77\"", "\"10.0.0.77\""),
        ("02:00:00:00:01:0f", "02:00:00:00:00:0f"),
        ("host stray \"10.0.0.77\" \"02:00:00:00:00:0f\"\n", "host stray \"10.0.0.77\"\nhost süß\n"),
    ] {
        let text = String::from_utf8(editing_text(&editing)).unwrap();
        assert!(text.contains(old), "{old}");
        let next = with(&first, &text.replacen(old, new, 1));
        let whole = editing.change(next.clone());
        assert!(!whole, "`{old}` → `{new}` needed the whole site");
        agree(&editing, &next, new);
    }
    assert_ne!(editing_text(&editing), text.as_bytes());
}

fn editing_text(editing: &Editing) -> Vec<u8> {
    let file = editing.sources().find("site.kdl").unwrap();
    editing.sources().text(file).as_bytes().to_vec()
}

#[test]
fn what_is_no_edit_of_a_host_is_read_as_a_whole() {
    let first = inputs(SITE);
    let text = String::from_utf8(first["site.kdl"].clone()).unwrap();
    for (old, new) in [
        ("pool 100 120", "pool 10 120"),
        ("host b 12", "/* host b 12"),
        ("host b 12", "host b { 12"),
        ("host b 12", "pool 30 40"),
        ("use kiosk", "use kosk"),
        ("site lab", "site 5"),
    ] {
        let mut editing = Editing::open(first.clone(), "site.kdl");
        let next = with(&first, &text.replacen(old, new, 1));
        assert!(editing.change(next.clone()), "{new}");
        agree(&editing, &next, new);
    }
}

#[test]
fn any_edits_give_the_findings_of_the_whole_site() {
    const PIECES: &[&str] = &[
        "host x 20\n",
        "    host y 21 \"02:00:00:00:02:0f\"\n",
        "1",
        "0",
        " ",
        "2",
        "\"",
        " profile=disk",
        " tags=\"z\"",
        "//",
        "=",
        "a",
        "-",
        "\n",
        " #true",
        " true",
        " 10.0.0.9",
        " \"10.0.0.99\"",
        "é",
        "{",
        "}",
        "/-",
        "\\",
        ";",
        "pool 30 40\n",
    ];
    let rounds: usize = std::env::var("NOISE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1500);
    let first = inputs(SITE);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut editing = Editing::open(first.clone(), "site.kdl");
    let mut quick = 0;
    for round in 0..rounds {
        // Every now and then from the start, or everything soon is broken.
        if round % 4 == 0 {
            editing.change(first.clone());
        }
        let mut text = editing_text(&editing);
        let text_str = String::from_utf8(text.clone()).unwrap();
        let cut = |at: usize| text_str.floor_char_boundary(at);
        // Most edits hit a line of a host, as in life.
        let hosts: Vec<usize> = text_str.match_indices("host ").map(|(at, _)| at + dice.below(30)).collect();
        let at = if dice.below(4) > 0 && !hosts.is_empty() {
            hosts[dice.below(hosts.len())].min(text.len())
        } else {
            dice.below(text.len() + 1)
        };
        let at = cut(at);
        match dice.below(3) {
            0 => drop(text.drain(at..cut((at + dice.below(12)).min(text_str.len())).max(at))),
            1 => drop(text.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            _ => {
                let lines: Vec<&str> = text_str.split_inclusive('\n').collect();
                let line = lines[dice.below(lines.len())].to_owned();
                let start: usize = text_str[..at].rfind('\n').map_or(0, |at| at + 1);
                text.splice(start..start, line.bytes());
            }
        }
        let next = with(&first, std::str::from_utf8(&text).unwrap());
        quick += usize::from(!editing.change(next.clone()));
        agree(&editing, &next, &format!("round {round}"));
    }
    assert!(quick * 4 > rounds, "only {quick} of {rounds} edits were quick");
}

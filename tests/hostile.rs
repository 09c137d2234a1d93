//! Sites whose parts are small and whose whole would be endless: each comes to an end, with findings where
//! it goes beyond a limit. Every text is about as long as such a mistake, or an attack, would be.

use pxelator::compile;
use pxelator::source::Inputs;

use crate::harness::{Folder, inputs};

fn many(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Compiles, and says which codes were found; a tree is made where none is an error.
fn ends(what: &str, site: &str) -> Vec<&'static str> {
    let compiled = compile(inputs(site), "site.kdl");
    assert_eq!(compiled.tree.is_some(), compiled.diags.errors() == 0, "{what}");
    compiled.diags.iter().map(|diag| diag.code).collect()
}

/// The same, and that a limit was named.
fn is_limited(what: &str, site: &str) {
    let codes = ends(what, site);
    assert!(codes.contains(&"eval/limit"), "{what}: {codes:?}");
}

#[test]
fn repeats_and_names_do_not_explode() {
    is_limited("a million hosts", "site lab\nnetwork lan \"10.0.0.0/8\" { repeat n 1 1000000 { host \"h{n}\" \"{n+10}\" } }\n");
    is_limited(
        "sixty nested repeats",
        &format!("site lab\n{}host \"x\"{}\n", many(60, |n| format!("repeat n{n} 1 10 {{ ")), "}".repeat(60)),
    );
    is_limited("many empty repeats", &format!("site lab\n{}", "repeat n 1 1000 {}\n".repeat(2000)));
    is_limited("a long body", &format!("site lab\nrepeat n 1 1000 {{\n{}}}\n", "host \"h{n}\"\n".repeat(2000)));
    is_limited(
        "lets that double",
        &format!("site lab\n{}", many(200, |n| format!("let a{n} \"{{a{}}}{{a{}}}\"\n", n + 1, n + 1))),
    );
    is_limited(
        "a large let in many",
        &format!("site lab\nlet big \"{}\"\n{}", "x".repeat(100_000), many(1000, |n| format!("let a{n} \"{{big}}\"\n"))),
    );
    let codes = ends("a long sum", &format!("site lab\nlet a \"{{{}1}}\"\n", "1+".repeat(100_000)));
    assert_eq!(codes, ["eval/expression"]);
}

#[test]
fn modules_do_not_explode() {
    let module = "// file: modules/k.kdl\nmodule k {\n";
    is_limited("uses without number", &format!("site lab\n{}{module}}}\n", many(5000, |n| format!("use k n{n}\n"))));
    let list = format!("option l (list){} doc=\"d\"\n", "\"x\" ".repeat(3000));
    is_limited(
        "a list in many places",
        &format!(
            "site lab\n{}{module}{list}config {{ profile \"{{name}}\" {{ local; {} }} }} }}\n",
            many(300, |n| format!("use k n{n}\n")),
            "cmdline \"{l}\"; ".repeat(100)
        ),
    );
    is_limited(
        "every block with every block",
        &format!(
            "site lab\nuse k {{\n{}}}\n{module}option s (submodule)many doc=\"d\" {{ option a (int)1 doc=\"d\" }}\nconfig {{ repeat x \"{{s}}\" {{ repeat y \"{{s}}\" {{ profile \"{{x}}-{{y}}\" {{ local }} }} }} }} }}\n",
            many(1500, |n| format!("s x{n} {{ a {n} }}\n"))
        ),
    );
    is_limited(
        "options without number in every instance",
        &format!(
            "site lab\n{}{module}{}}}\n",
            many(300, |n| format!("use k n{n}\n")),
            many(3000, |n| format!("option a{n} (int)1 doc=\"d\"\n"))
        ),
    );
    is_limited(
        "parents with many lines",
        &format!(
            "site lab\nprofile base {{ local; {} }}\n{}",
            "cmdline a; ".repeat(4000),
            many(300, |n| format!("profile p{n} extends=base\n"))
        ),
    );
    is_limited(
        "tags of groups in groups",
        &format!(
            "site lab\n{}host h \"02:00:00:00:00:01\"{}\n",
            many(60, |n| format!(
                "group g{n} tags=\"{}\" {{ ",
                (0..60).map(|m| format!("t{n}-{m}")).collect::<Vec<_>>().join(",")
            )),
            "}".repeat(60)
        ),
    );
    let deep: String = many(20, |n| format!("// file: modules/m{n}.kdl\nmodule m{n} {{ config {{ use m{} }} }}\n", n + 1));
    is_limited("modules in modules", &format!("site lab\nuse m0\n{deep}"));
}

/// A module with a template and a list of 400 items.
fn template(text: &str) -> Vec<&'static str> {
    let head = "site lab\nuse k\n// file: modules/k.kdl\nmodule k {\n";
    let list = format!("option l (list){} doc=\"d\"\n", "\"x\" ".repeat(400));
    let shown: String = text.chars().take(40).collect();
    ends(
        &shown,
        &format!(
            "{head}{list}config {{ profile p {{ local; file \"a\" from=\"a.tera\" }} }} }}\n// file: modules/k/a.tera\n{text}\n"
        ),
    )
}

#[test]
fn templates_neither_run_for_ever_nor_overflow() {
    let nested = "{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}";
    for text in [
        nested.to_owned(),
        "{% for a in range(end=1000000000) %}x{% endfor %}".into(),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "1+".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
        format!("{{{{ {}l }}}}", "not ".repeat(50_000)),
        format!("{{{{ l{} }}}}", "[0]".repeat(50_000)),
        format!("{{{{ l{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ l{} }}}}", " | upper".repeat(50_000)),
        "{% if l %}".repeat(50_000),
        format!("{{% if l %}}{}{{% endif %}}", "{% elif l %}".repeat(50_000)),
        "{{ nope }}\n".repeat(20_000),
        "{{ l ~ l }}".into(),
        "{{ l | replace(from=\"x\", to=\"xx\") }}".into(),
        "{% set x = 1 %}".into(),
        "{% macro m() %}{% endmacro %}".into(),
        "{{ [x for x in l] }}".into(),
        "{% include \"/etc/passwd\" %}".into(),
        "{{ l }}".repeat(20_000),
    ] {
        let codes = template(&text);
        assert!(codes.iter().all(|code| matches!(*code, "boot/template" | "eval/limit")) && !codes.is_empty(), "{codes:?}");
    }
    assert!(template("{% for a in l %}{{ a | upper }}{% if not loop.last %}, {% endif %}{% endfor %}{# done #}").is_empty());
    // Many profiles with one text: it is read for each.
    let text = "{{ profile }} ".repeat(2000);
    let site = format!(
        "site lab\n{}// file: a.tera\n{text}",
        many(2000, |n| format!("profile p{n} {{ local; file \"a\" from=\"a.tera\" }}\n"))
    );
    is_limited("a text for each of many profiles", &site);
}

#[test]
fn a_site_full_of_mistakes_is_told_in_parts() {
    let errors = many(10_000, |n| format!("hosst pc-{n} {n}\n"));
    let compiled = compile(Inputs::from([("site.kdl".to_owned(), format!("site lab\n{errors}").into_bytes())]), "site.kdl");
    assert_eq!(compiled.diags.errors(), 10_000);
    assert!(compiled.diags.iter().count() <= pxelator::diag::KEPT_MAX);
}

#[test]
fn what_a_file_names_is_found_in_one_pass() {
    let folder =
        Folder::with(&format!("site lab\n{}kiosk\n// file: modules/kiosk.kdl\nmodule kiosk {{}}\n", "use \\\n".repeat(20_000)));
    let (inputs, _) = pxelator::store::read_site(&folder.0.join("site.kdl")).unwrap();
    assert!(!inputs.contains_key("modules/nothing.kdl"));
    let folder = Folder::with("site lab\nuse \\\n  kiosk // as it may stand\n// file: modules/kiosk.kdl\nmodule kiosk {}\n");
    let (inputs, _) = pxelator::store::read_site(&folder.0.join("site.kdl")).unwrap();
    assert!(inputs.contains_key("modules/kiosk.kdl"));
    folder.run(&["check"]).ended(0);
}

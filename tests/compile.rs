//! Sites and what they compile to: `tests/compile/BEHAVIOUR/site.kdl` and `out/`, the real files.
//!
//! `UPDATE=1 cargo test` rewrites them; the difference is reviewed like code.

use std::fs;
use std::path::Path;

use pxelator::out::Manifest;
use pxelator::source::Inputs;
use pxelator::{Compiled, compile};

use crate::harness::{ROOT, files, lock};

fn generation(compiled: &Compiled) -> String {
    Manifest::of(compiled.tree.as_ref().unwrap()).generation
}

/// The example site of this repository.
fn example() -> Inputs {
    let below = |folder: &str| {
        let all = files(&Path::new(ROOT).join(folder)).into_iter();
        all.map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect::<Inputs>()
    };
    let top = ["site.kdl", "assets.lock"].map(|name| (name.to_owned(), fs::read(Path::new(ROOT).join(name)).unwrap()));
    below("modules").into_iter().chain(below("hosts")).chain(below("files")).chain(top).collect()
}

#[test]
fn every_case_compiles_to_its_files() {
    let cases = Path::new(ROOT).join("tests/compile");
    let mut count = 0;
    for case in fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()) {
        count += 1;
        let out = case.join("out");
        let mut inputs: Inputs = files(&case).into_iter().filter(|(path, _)| !path.starts_with("out/")).collect();
        inputs.entry("assets.lock".into()).or_insert_with(|| lock().into_bytes());
        let compiled = compile(inputs, "site.kdl");
        let tree = compiled.tree.unwrap_or_else(|| panic!("{}: {:#?}", case.display(), compiled.diags));
        assert!(compiled.diags.is_empty(), "{}: {:#?}", case.display(), compiled.diags);
        if std::env::var_os("UPDATE").is_some() {
            let _absent = fs::remove_dir_all(&out);
            for (path, artifact) in tree.files().filter(|(_, artifact)| !artifact.bytes().is_empty()) {
                fs::create_dir_all(out.join(path).parent().unwrap()).unwrap();
                fs::write(out.join(path), artifact.bytes()).unwrap();
            }
        }
        let wanted = files(&out);
        for (path, artifact) in tree.files() {
            let found = String::from_utf8_lossy(artifact.bytes());
            let wanted = wanted.get(path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
            assert_eq!(found, wanted, "{}: {path}", case.display());
        }
        for path in wanted.keys() {
            assert!(tree.get(path).is_some(), "{}: {path} is not emitted", case.display());
        }
    }
    assert!(count >= 8, "{count} cases");
}

#[test]
fn the_committed_out_is_what_the_example_says() {
    let compiled = compile(example(), "site.kdl");
    assert!(compiled.diags.is_empty(), "{:#?}", compiled.diags);
    let tree = compiled.tree.unwrap();
    let mut committed = files(&Path::new(ROOT).join("out"));
    assert_eq!(String::from_utf8(committed.remove("manifest.json").unwrap()).unwrap(), Manifest::of(&tree).text());
    let emitted = tree.files().map(|(path, artifact)| (path.to_owned(), artifact.bytes().to_vec())).collect();
    assert_eq!(committed, emitted, "run `pxelator build` and commit out/");
}

#[test]
fn the_order_of_files_and_imports_changes_nothing() {
    let part = |letter: char, n: usize| {
        format!(
            "network n{letter} \"10.{n}.0.0/24\" {{ host {letter} 5 \"52:54:00:00:00:0{n}\" }}\nprofile p {{ cmdline {letter} }}\n"
        )
    };
    let site = |imports: [&str; 3]| {
        let lines: String = imports.iter().map(|name| format!("import \"{name}.kdl\"\n")).collect();
        let mut inputs = Inputs::from([(
            "site.kdl".to_owned(),
            format!("{lines}site lab\nprofile p {{ kernel \"rescue/vmlinuz\" }}\nassets \"/srv\"\n").into_bytes(),
        )]);
        inputs.insert("assets.lock".into(), lock().into_bytes());
        for (n, letter) in ['a', 'b', 'c'].into_iter().enumerate() {
            inputs.insert(format!("{letter}.kdl"), part(letter, n + 1).into_bytes());
        }
        generation(&compile(inputs, "site.kdl"))
    };
    let first = site(["a", "b", "c"]);
    assert_eq!(first, site(["c", "a", "b"]));
    assert_eq!(first, site(["b", "c", "a"]));
    assert_eq!(first, site(["*", "a", "?"]));
}

#[test]
fn a_contested_value_is_decided_alike_in_any_order_of_files() {
    let texts =
        ["menu default=local { entry local }", "menu default=r { entry r }", "menu default=(force)local", "profile r { local }"];
    let site = |order: [usize; 4]| {
        let mut inputs = Inputs::from([("site.kdl".to_owned(), b"import \"?.kdl\"\nsite lab\n".to_vec())]);
        for (at, name) in order.into_iter().zip(["a", "b", "c", "d"]) {
            inputs.insert(format!("{name}.kdl"), texts[at].as_bytes().to_vec());
        }
        let compiled = compile(inputs, "site.kdl");
        assert!(compiled.tree.is_some(), "{order:?}: {:#?}", compiled.diags);
        String::from_utf8(compiled.tree.unwrap().get("boot/menus/default.grub").unwrap().bytes().to_vec())
            .unwrap()
            .matches("local")
            .count()
    };
    let first = site([0, 1, 2, 3]);
    for order in [[1, 2, 0, 3], [2, 0, 1, 3], [2, 1, 0, 3], [3, 1, 0, 2]] {
        assert_eq!(site(order), first);
    }
}

#[test]
fn another_site_is_another_generation() {
    let mut changed = example();
    let text = String::from_utf8(changed["site.kdl"].clone()).unwrap().replace("pc-07", "pc-17");
    changed.insert("site.kdl".into(), text.into_bytes());
    assert_ne!(generation(&compile(changed, "site.kdl")), generation(&compile(example(), "site.kdl")));
}

#[test]
fn every_line_of_out_knows_its_source() {
    let compiled = compile(example(), "site.kdl");
    for (path, artifact) in compiled.tree.as_ref().unwrap().files() {
        let lines = String::from_utf8_lossy(artifact.bytes()).lines().count();
        assert_eq!(artifact.line_count(), lines, "{path}");
        for line in 1..=lines {
            let origins = artifact.origins(line);
            assert!(!origins.is_empty(), "{path}:{line}");
            for span in origins {
                assert!(
                    (span.end as usize) <= compiled.sources.text(span.file).len() && span.start < span.end,
                    "{path}:{line} {span:?}"
                );
            }
        }
    }
}

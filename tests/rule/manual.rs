//! The first mistakes, as docs/rules.md prints them; nothing is half done.

use std::fs;

use super::Scene;
use crate::away::NEEDS;
use crate::harness::{Folder, ROOT, Run, have};

#[test]
fn each_first_mistake_is_told_as_the_manual_prints_it() {
    if !have(NEEDS) {
        return;
    }
    let page = fs::read_to_string(format!("{ROOT}/docs/rules.md")).unwrap();
    let mut stale = String::new();
    let mut told = |said: String| {
        if !page.contains(&said) {
            stale.push_str(&format!("{said}---\n"));
        }
    };
    let lines = "rule \"web/page\" on=\"host:nas\" { file \"/srv/web/index.html\" from=\"index.html\" }";
    let scene = Scene::new("u7", "");
    fs::write(scene.away.path("index.html"), "hello\n").unwrap();
    scene.build(lines);
    let before = scene.tree();
    let apply = |key: &str, known: &str| {
        let words = ["rule", "apply", "--state", "state"];
        let run = Run(scene.away.pxelator_as(key, known, &words).output().unwrap()).ended(1);
        assert_eq!(scene.tree(), before, "nothing is half done");
        format!("{}{}", run.out(), run.err())
    };
    fs::create_dir(scene.away.path("state")).unwrap();
    // The wrong path: the folder of the file is missing.
    told(apply("own", "known"));
    // The wrong key; a machine that nobody has met.
    told(apply("other", "known"));
    told(apply("own", "empty"));
    // A user who may not become root.
    scene.build(&format!("{lines}\nssh user=pxana"));
    let sudoers = scene.nas.path("/etc/sudoers.d/pxana");
    let text = fs::read_to_string(&sudoers).unwrap();
    fs::remove_file(&sudoers).unwrap();
    let run = scene.rule(&["plan"]).ended(1);
    told(run.err());
    fs::write(&sudoers, text).unwrap();
    // The other end is away.
    let mut scene = scene;
    scene.build(lines);
    scene.nas.kill();
    told(scene.rule(&["plan"]).ended(1).err());
    assert!(stale.is_empty(), "docs/rules.md is stale; it should say:\n{stale}");
}

/// The how-to of docs/howto.md, as its page prints it.
#[test]
fn a_how_to_is_imported_as_the_manual_prints_it() {
    let page = fs::read_to_string(format!("{ROOT}/docs/howto.md")).unwrap();
    let (_, rest) = page.split_once("This is `board.md`").unwrap();
    let shown = rest.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with("    "));
    let text: String = shown.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    let folder = Folder::with("site lab\n");
    fs::write(folder.0.join("board.md"), text).unwrap();
    let made = folder.run(&["rule", "import", "board.md"]).ended(0).out();
    assert!(page.contains(&format!("$ pxelator rule import board.md\n{made}")), "docs/howto.md is stale; it should say:\n{made}");
    let module = fs::read_to_string(folder.0.join("modules/board/module.kdl")).unwrap();
    assert!(page.contains(&module), "docs/howto.md is stale; it should say:\n{module}");
    let again = folder.run(&["rule", "import", "board.md"]).ended(2).err();
    assert!(page.contains(&again), "docs/howto.md is stale; it should say:\n{again}");
    assert_eq!(fs::read_to_string(folder.0.join("modules/board/module.kdl")).unwrap(), module, "it stays as it is");
    let missing = folder.run(&["rule", "import", "bord.md"]).ended(2).err();
    assert_eq!(missing, "error: there is no bord.md; did you mean `board.md`?\n");
    let unlike = folder.run(&["rule", "import", "docs/printer.md"]).ended(2).err();
    assert_eq!(unlike, "error: there is no docs/printer.md; name the Markdown file of the how-to\n");
    fs::write(folder.0.join("prose.md"), "# Words\n\nNothing to type.\n").unwrap();
    let prose = folder.run(&["rule", "import", "prose.md"]).ended(2).err();
    assert_eq!(prose, "error: prose.md: the how-to has no block of shell commands: put them between ```sh and ```\n");
    let name = folder.run(&["rule", "import", "board.md", "--name", "../x"]).ended(2).err();
    assert!(name.contains("`../x` is no name for a module"), "{name}");
}

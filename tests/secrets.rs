//! Secrets: a canary is planted wherever people put secrets by mistake, and everything that is written is
//! searched for it.

use std::fs;

use crate::harness::{Folder, Run, files};

const CANARY: &str = "hunter2-Ünsafe";

const MODULE: &str = "// file: modules/door.kdl\nmodule door {\n\
    option token (secret)required doc=\"Opens the door\"\n\
    option label (string)\"x\" doc=\"Shown\"\n\
    config { profile door label=\"{label}\" { local } }\n}\n";

/// Nothing that a command printed holds the canary.
fn silent(run: &Run, what: &str) {
    assert!(!run.out().contains(CANARY), "{what}, standard output:\n{}", run.out());
    assert!(!run.err().contains(CANARY), "{what}, standard error:\n{}", run.err());
}

#[test]
fn a_literal_secret_is_refused_and_never_repeated() {
    for (what, lines, code) in [
        ("a literal for an option", "use door { token \"CANARY\" }", "secret/literal"),
        ("two of them", "use door { token \"CANARY\" \"CANARY\" }", "eval/option-type"),
        ("in quotes behind the mark", "use door { token (secret)\"CANARY +\" }", "secret/literal"),
        ("a misspelt option", "use door { tokn \"CANARY\" }", "schema/unknown-node"),
        ("a property of use", "use door token=\"CANARY\"", "schema/unknown-property"),
        ("through a let", "let pw \"CANARY\"\nuse door { token \"{pw}\" }", "secret/literal"),
        ("in the secret's own line", "secret door \"CANARY\" file=\"/run/secrets/door\"", "schema/too-many"),
        ("as its property", "secret door value=\"CANARY\" file=\"/run/secrets/door\"", "schema/unknown-property"),
        ("beside another mistake", "use door { token \"CANARY\"; lable \"x\" }", "secret/literal"),
    ] {
        let site = format!("site lab\n{lines}\n{MODULE}").replace("CANARY", CANARY);
        let folder = Folder::with(&site);
        for format in ["text", "json", "sarif", "github"] {
            let run = folder.run(&["check", "--format", format]);
            assert_eq!(run.code(), 1, "{what}: {}", run.err());
            assert!(
                run.err().contains(code) || run.out().contains(code),
                "{what}, {format}: no {code} in {}{}",
                run.err(),
                run.out()
            );
            silent(&run, &format!("{what}, {format}"));
        }
        for args in [&["build"][..], &["check", "--fix"], &["why", "use.door.token"], &["lock"]] {
            silent(&folder.run(args), &format!("{what}, {args:?}"));
        }
        assert!(!folder.0.join("out").exists(), "{what}: nothing is written");
    }
}

#[test]
fn a_named_secret_reaches_nothing_that_is_written() {
    let folder = Folder::new();
    let file = folder.0.join("the-secret");
    fs::write(&file, CANARY).unwrap();
    let site = format!("site lab\nuse door {{ token (secret)door }}\nsecret door file=\"{}\"\n", file.display());
    let inner = Folder::with(&format!("{site}{MODULE}"));
    silent(&inner.run(&["build"]).ended(0), "build");
    silent(&inner.run(&["why", "use.door.token"]).ended(0), "why");
    for (path, bytes) in files(&inner.0.join("out")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "out/{path} holds the secret");
        // Whoever builds the boot server anew must know which files to write.
        assert_eq!(text.contains("the-secret"), path == "docs/README.md", "out/{path} and where the secret lies");
    }
}

#[test]
fn a_secret_goes_nowhere_but_where_one_is_wanted() {
    for (what, config) in [
        ("a word of the command line", "profile p { kernel \"debian-12/vmlinuz\"; cmdline \"t={token}\" }"),
        ("a whole word", "profile p { kernel \"debian-12/vmlinuz\"; cmdline \"{token}\" }"),
        ("a label", "profile p label=\"{token}\" { local }"),
        ("a record", "dns { txt door \"{token}\" }"),
        ("a let on the way", "let t \"{token}\"; dns { txt door \"{t}\" }"),
        ("a text", "profile p { local; file \"a\" from=\"a.tera\" }"),
        ("another module's option", "use other { word \"{token}\" }"),
        ("another module's settings", "use other { settings { word \"{token}\" } }"),
    ] {
        let folder = Folder::with(&format!(
            "site lab\nassets \"/srv\"\nuse leaky {{ token (secret)door }}\nsecret door file=\"/run/secrets/door\"\n\
            // file: modules/leaky.kdl\nmodule leaky {{\noption token (secret)required doc=\"d\"\nconfig {{ {config} }}\n}}\n\
            // file: modules/leaky/a.tera\n{{{{ token }}}}\n\
            // file: modules/other.kdl\nmodule other {{ option word (string)\"\" doc=\"w\"; settings doc=\"s\" }}\n"
        ));
        let run = folder.run(&["build"]);
        assert!(run.code() == 1 && run.err().contains("secret/leak"), "{what}: {}", run.err());
        assert!(!folder.0.join("out").exists(), "{what}: nothing is written");
    }
    // From module to module it may go.
    let folder = Folder::with(
        "site lab\nuse outer { token (secret)door }\nsecret door file=\"/run/secrets/door\"\n\
        // file: modules/outer.kdl\nmodule outer { option token (secret)required doc=\"d\"; config { use door { token \"{token}\" } } }\n\
        // file: modules/door.kdl\nmodule door { option token (secret)required doc=\"d\" }\n",
    );
    folder.run(&["build"]).ended(0);
}

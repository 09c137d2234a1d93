//! The language takes what was made of a how-to.

use std::fmt::Write;

use pxelator::compile;
use pxelator::source::Inputs;

use super::golden::{HOWTOS, made};

#[test]
fn made_modules_compile_by_one_line_in_a_site() {
    for name in HOWTOS {
        let site = format!(
            "site lab domain=\"lab.example\"\nnetwork lan \"10.77.0.0/24\" {{ host pc-01 21 \"a0:36:9f:00:00:15\" }}\nuse {name} {{ on \"host:pc-01\" }}\n"
        );
        let mut inputs = Inputs::from([("site.kdl".to_owned(), site.into_bytes())]);
        inputs.extend(made(name).into_iter().map(|(path, bytes)| (format!("modules/{name}/{path}"), bytes)));
        let compiled = compile(inputs, "site.kdl");
        let findings = compiled.diags.iter().fold(String::new(), |mut all, diag| {
            writeln!(all, "{diag:?}").unwrap();
            all
        });
        assert!(compiled.diags.is_empty(), "{name}: {findings}");
        assert!(compiled.tree.is_some(), "{name}");
    }
}

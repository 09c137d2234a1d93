//! How-tos as people write them, each beside the module that it becomes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pxelator::howto::read;
use pxelator::howto::write::module;
use pxelator::syntax;

use crate::harness::{ROOT, files};

pub(super) const HOWTOS: &[&str] = &["shares", "time-and-users", "web-server"];

/// The module of a how-to: path below its folder → bytes.
pub(super) fn made(name: &str) -> BTreeMap<String, Vec<u8>> {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/howto").join(name).join("HOWTO.md")).unwrap();
    let module = module(name, &read(&text).unwrap());
    let mut files = module.files;
    files.insert("module.kdl".to_owned(), module.text.into_bytes());
    files
}

#[test]
fn how_tos_become_the_modules_beside_them() {
    let mut wrong = Vec::new();
    for name in HOWTOS {
        let made = made(name);
        let folder = Path::new(ROOT).join("tests/howto").join(name).join("rules");
        if std::env::var_os("UPDATE").is_some() {
            let _none_before = fs::remove_dir_all(&folder);
            for (path, bytes) in &made {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        if files(&folder) != made {
            wrong.push(format!("{name}:\n{}", String::from_utf8_lossy(&made["module.kdl"])));
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 writes these:\n{}", wrong.join("\n"));
}

#[test]
fn they_are_laid_out_as_fmt_does() {
    for name in HOWTOS {
        let text = String::from_utf8(made(name).remove("module.kdl").unwrap()).unwrap();
        assert_eq!(syntax::format(&text).unwrap(), text);
    }
}

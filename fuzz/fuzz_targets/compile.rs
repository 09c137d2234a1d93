//! Any bytes as a site of several files, `// file: NAME` before each but the first: the compiler ends, and a tree comes of it
//! exactly where no finding is an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pxelator::compile;
use pxelator::source::Inputs;

/// What the sites of the corpus boot; a hash of zeros is as good as any.
const ASSETS: [&str; 6] =
    ["debian-12/initrd.img", "debian-12/vmlinuz", "pxelinux.0", "rescue/initrd.img", "rescue/vmlinuz", "snponly.efi"];

fn inputs(bytes: &[u8]) -> Inputs {
    let lock: String = ASSETS.iter().map(|path| format!("{} 1000 {path}\n", "0".repeat(64))).collect();
    let mut inputs = Inputs::from([("assets.lock".to_owned(), lock.into_bytes()), ("site.kdl".to_owned(), Vec::new())]);
    let mut name = "site.kdl".to_owned();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"// file: ") {
            Some(next) => name = String::from_utf8_lossy(next).trim().to_owned(),
            None => inputs.entry(name.clone()).or_default().extend(line),
        }
    }
    inputs
}

fuzz_target!(|bytes: &[u8]| {
    let compiled = compile(inputs(bytes), "site.kdl");
    assert_eq!(compiled.tree.is_some(), compiled.diags.errors() == 0);
    for label in compiled.diags.iter().flat_map(|diag| &diag.labels) {
        assert!(compiled.sources.text(label.span.file).get(label.span.range()).is_some(), "a finding between characters");
    }
});

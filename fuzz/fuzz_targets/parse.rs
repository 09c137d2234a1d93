//! Any text: the parser ends, its findings lie in the text, and what it accepts it reads again from the normal form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pxelator::diag::Diags;
use pxelator::source::FileId;
use pxelator::syntax::{normal, parse, parse_any};

fuzz_target!(|text: &str| {
    let mut diags = Diags::default();
    parse(text, FileId::new(0), &mut diags);
    for label in diags.iter().flat_map(|diag| &diag.labels) {
        assert!(text.get(label.span.range()).is_some(), "a finding between characters");
    }
    let mut diags = Diags::default();
    let nodes = parse_any(text, FileId::new(0), &mut diags);
    if diags.is_empty() {
        let first = normal::print(text, &nodes);
        let again = parse_any(&first, FileId::new(0), &mut diags);
        assert!(diags.is_empty(), "the normal form is not read: {first:?}");
        assert_eq!(normal::print(&first, &again), first);
    }
});

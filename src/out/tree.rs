//! Path → bytes, and for each line of text the lines of the site behind it.

use std::collections::BTreeMap;
use std::fmt;

use crate::source::Span;

/// All that a site compiles to.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Artifact>,
}

/// One file in `out/`.
#[derive(Debug)]
pub struct Artifact {
    pub emitter: &'static str,
    lines: Lines,
}

/// Text in the making, a line at a time, each with its origins.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
    /// All origins, line after line.
    origins: Vec<Span>,
    /// Where each line's origins end in `origins`.
    ends: Vec<u32>,
}

impl Lines {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a line. `origins` says which lines of the site made it, and is never empty.
    pub fn line(&mut self, origins: &[Span], text: impl fmt::Display) {
        use fmt::Write;
        assert!(!origins.is_empty(), "every line of out/ knows where it came from");
        let _infallible = writeln!(self.text, "{text}");
        self.origins.extend_from_slice(origins);
        self.ends.push(self.origins.len() as u32);
    }
}

impl Artifact {
    pub fn bytes(&self) -> &[u8] {
        self.lines.text.as_bytes()
    }

    pub fn line_count(&self) -> usize {
        self.lines.ends.len()
    }

    /// The lines of the site behind line `number`, counted from 1.
    pub fn origins(&self, number: usize) -> &[Span] {
        let end = |at: usize| self.lines.ends.get(at).map(|end| *end as usize);
        let start = number.checked_sub(2).and_then(end).unwrap_or(0);
        let range = number.checked_sub(1).and_then(end).map(|end| start..end);
        range.and_then(|range| self.lines.origins.get(range)).unwrap_or_default()
    }
}

impl Tree {
    pub fn files(&self) -> impl Iterator<Item = (&str, &Artifact)> {
        self.files.iter().map(|(path, artifact)| (path.as_str(), artifact))
    }

    pub fn get(&self, path: &str) -> Option<&Artifact> {
        self.files.get(path)
    }

    /// The part of the tree in which one emitter writes.
    pub fn wing(&mut self, emitter: &'static str, prefix: &'static str) -> Wing<'_> {
        Wing { tree: self, emitter, prefix }
    }
}

/// An emitter's own prefix: it can write nowhere else, and nothing twice.
pub struct Wing<'t> {
    tree: &'t mut Tree,
    emitter: &'static str,
    prefix: &'static str,
}

impl Wing<'_> {
    pub fn write(&mut self, path: String, lines: Lines) {
        let (emitter, prefix) = (self.emitter, self.prefix);
        assert!(path.starts_with(prefix), "emitter {emitter} wrote {path}, which is outside of {prefix}");
        let before = self.tree.files.insert(path.clone(), Artifact { emitter, lines });
        assert!(before.is_none(), "emitter {emitter} wrote {path} twice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn one_line() -> Lines {
        let mut lines = Lines::default();
        lines.line(&[Span::new(FileId::new(0), 1, 2)], "a");
        lines.line(&[Span::new(FileId::new(0), 3, 4), Span::new(FileId::new(1), 5, 6)], "b");
        lines
    }

    #[test]
    fn every_line_knows_its_origins() {
        let mut tree = Tree::default();
        tree.wing("x", "x/").write("x/file".into(), one_line());
        let file = tree.get("x/file").unwrap();
        assert_eq!(file.bytes(), b"a\nb\n");
        assert_eq!(file.origins(1).len(), 1);
        assert_eq!(file.origins(2).len(), 2);
        assert!(file.origins(0).is_empty() && file.origins(3).is_empty());
    }

    #[test]
    #[should_panic(expected = "outside of x/")]
    fn an_emitter_stays_in_its_wing() {
        Tree::default().wing("x", "x/").write("y/file".into(), one_line());
    }
}

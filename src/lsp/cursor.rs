//! What stands at the cursor of a text that may be half written.
//!
//! The parser goes on after mistakes, but leaves the broken line out, and that is the one in which somebody
//! types. So a word that nobody writes is put at the cursor, what is missing on its line is tried (a
//! quote, a parenthesis), and the parser says where the word came to stand.

use std::ops::Range;

use super::braces::open_end;
use super::index::nodes_of;
use crate::syntax::{Entry, Node};

/// A word that nobody writes.
const MARK: &str = "cursor-5b0e7f";
/// What may be missing behind the cursor, likely ones first.
const ENDS: &[&str] = &["", "\"", "}\"", ")x", "\"\"\"", "\n\"\"\""];

/// A node around the cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) title: Option<String>,
    /// The names of its children that stand before the cursor.
    pub(super) children: Vec<String>,
}

/// Where the cursor is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spot {
    /// The name of a node.
    Node,
    /// `(…)`.
    Note,
    /// The nth argument, or a property that is about to be named.
    Argument { at: usize },
    /// The value of a property.
    Property(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cursor {
    /// Nodes around the one at the cursor, outermost first; the first is the file itself.
    pub(super) around: Vec<Frame>,
    /// The node at the cursor: its name, first argument, and properties that it has.
    pub(super) node: String,
    pub(super) title: Option<String>,
    pub(super) props: Vec<String>,
    pub(super) spot: Spot,
    /// `(secret)` and the like before the value.
    pub(super) note: Option<String>,
    /// What stands before the word in the same value, such as `group:`.
    pub(super) before: String,
    /// The value stands in quotes.
    pub(super) is_quoted: bool,
    /// The part of the word before the cursor, and its place: this is what gets replaced.
    pub(super) typed: String,
    pub(super) range: Range<usize>,
}

impl Cursor {
    /// What stands at `offset`; `line` is its line. `None` within a comment, or where nothing makes sense.
    pub(super) fn find(text: &str, line: Range<usize>, offset: usize) -> Option<Cursor> {
        let before = text.get(line.start..offset)?;
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '#');
        let typed = before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or("", |(at, _)| before.get(at..).unwrap_or_default());
        let range = offset - typed.len()..offset;
        let rest = text.get(offset..line.end).unwrap_or_default();
        let rest = rest.trim_start_matches(is_part);
        let head = text.get(..line.start).unwrap_or_default();
        let start = before.strip_suffix(typed).unwrap_or(before);
        // The lines above say where we are; where they end within a string, only the whole does.
        let above = locate(&format!("{head}{MARK}")).filter(|found| found.spot == Spot::Node);
        let found = match above {
            Some(above) => tails(rest).find_map(|tail| locate(&format!("{start}{MARK}{tail}"))).map(|found| found.within(above))?,
            None => tails(rest).find_map(|tail| locate(&format!("{head}{start}{MARK}{tail}")))?,
        };
        Some(Cursor { typed: typed.to_owned(), range, ..found })
    }

    fn within(self, above: Cursor) -> Cursor {
        let mut around = above.around;
        let mut own = self.around.into_iter();
        // The file itself of the line alone is the innermost node of the lines above.
        if let (Some(innermost), Some(first)) = (around.last_mut(), own.next()) {
            innermost.children.extend(first.children);
        }
        around.extend(own);
        Cursor { around, ..self }
    }

    /// The nearest node around that is no `repeat`, which changes nothing about what may stand in it.
    pub(super) fn parent(&self) -> &str {
        self.around.iter().rev().find(|frame| frame.name != "repeat").map_or("", |frame| &frame.name)
    }

    /// The module whose options are given here, and the submodules in which we stand.
    pub(super) fn used(&self) -> Option<(&str, Vec<&str>)> {
        let at = self.around.iter().position(|frame| frame.name == "use")?;
        let module = self.around.get(at)?.title.as_deref()?;
        Some((module, self.around.iter().skip(at + 1).map(|frame| frame.name.as_str()).collect()))
    }

    /// The module that is declared here.
    pub(super) fn module(&self) -> Option<&str> {
        self.around.iter().find(|frame| frame.name == "module")?.title.as_deref()
    }

    /// What is written behind an open brace.
    pub(super) fn in_braces(&self) -> bool {
        open_end(&self.before).is_some()
    }
}

fn tails(rest: &str) -> impl Iterator<Item = String> {
    std::iter::once(rest.to_owned()).chain(ENDS.iter().map(|end| (*end).to_owned()))
}

/// Where the mark came to stand.
fn locate(text: &str) -> Option<Cursor> {
    let nodes = nodes_of(text);
    let mut around = vec![Frame::default()];
    search(&nodes, text, &mut around)
}

/// Nodes nest no deeper than `syntax::DEPTH_MAX`. The mark is near the end: the last nodes come first.
fn search(nodes: &[Node<'_>], text: &str, around: &mut Vec<Frame>) -> Option<Cursor> {
    let at = text.find(MARK)?;
    // The head of a node that holds the mark begins before it; nodes stand in the order of the text.
    let behind = nodes.partition_point(|node| start(node) <= at);
    let (index, node) = nodes.iter().enumerate().take(behind).next_back()?;
    if let Some(frame) = around.last_mut() {
        /// Among more neighbours nobody wants to know what is there already.
        const SIBLINGS_MAX: usize = 1000;
        frame.children = nodes.iter().take(index).take(SIBLINGS_MAX).map(|node| node.name.text.to_string()).collect();
    }
    if let Some(found) = in_head(node, text, around) {
        return Some(found);
    }
    around.push(Frame { name: node.name.text.to_string(), title: node.title().map(str::to_owned), children: Vec::new() });
    search(&node.children, text, around)
}

fn start(node: &Node<'_>) -> usize {
    node.note.as_ref().map_or(node.span.range().start, |note| note.span.range().start.min(node.span.range().start))
}

fn in_head(node: &Node<'_>, text: &str, around: &[Frame]) -> Option<Cursor> {
    let props = node.props().filter(|(name, _)| !name.text.contains(MARK)).map(|(name, _)| name.text.to_string());
    let cursor = Cursor {
        around: around.to_vec(),
        node: node.name.text.to_string(),
        title: node.title().filter(|title| !title.contains(MARK)).map(str::to_owned),
        props: props.collect(),
        spot: Spot::Node,
        note: None,
        before: String::new(),
        is_quoted: false,
        typed: String::new(),
        range: 0..0,
    };
    if node.note.as_ref().is_some_and(|note| note.text.contains(MARK)) {
        return Some(Cursor { spot: Spot::Note, ..cursor });
    }
    if node.name.text.contains(MARK) {
        return Some(cursor);
    }
    let mut position = 0;
    for entry in &node.entries {
        if let Some(spot) = in_entry(entry, position) {
            let before = entry.text().and_then(|text| text.split_once(MARK)).map_or("", |(before, _)| before).to_owned();
            let is_quoted = text.get(entry.value_span.range()).is_some_and(|raw| raw.starts_with(['"', '#']));
            let note = entry.note.as_ref().map(|note| note.text.to_string());
            return Some(Cursor { spot, note, before, is_quoted, ..cursor });
        }
        position += usize::from(entry.name.is_none());
    }
    None
}

fn in_entry(entry: &Entry<'_>, position: usize) -> Option<Spot> {
    if entry.note.as_ref().is_some_and(|note| note.text.contains(MARK)) {
        return Some(Spot::Note);
    }
    match (&entry.name, entry.text().is_some_and(|text| text.contains(MARK))) {
        (Some(name), _) if name.text.contains(MARK) => Some(Spot::Argument { at: position }),
        (Some(name), true) => Some(Spot::Property(name.text.to_string())),
        (None, true) => Some(Spot::Argument { at: position }),
        (Some(_) | None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor stands at `|`.
    fn find(text: &str) -> Option<Cursor> {
        let offset = text.find('|').unwrap_or(text.len());
        let text = text.replacen('|', "", 1);
        let line = text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
        let end = text.get(offset..)?.find('\n').map_or(text.len(), |at| offset + at);
        Cursor::find(&text, line..end, offset)
    }

    fn told(text: &str) -> String {
        let Some(found) = find(text) else { return "nothing".into() };
        let around: Vec<&str> = found.around.iter().map(|frame| frame.name.as_str()).collect();
        format!("{} > {} {:?} {:?}{:?}", around.join("/"), found.node.replace(MARK, "|"), found.spot, found.before, found.typed)
    }

    #[test]
    fn half_written_lines_are_understood() {
        let head = "site lab\nnetwork lan \"10.0.0.0/24\" {\n    host a \"broken\n    group g { host b 1 }\n";
        let said = |line: &str| told(&format!("{head}    {line}"));
        assert_eq!(said("ho|"), "/network > | Node \"\"\"ho\"");
        assert_eq!(said("|"), "/network > | Node \"\"\"\"");
        assert_eq!(said("host pc prof|"), "/network > host Argument { at: 1 } \"\"\"prof\"");
        assert_eq!(said("host pc profile=ki|"), "/network > host Property(\"profile\") \"\"\"ki\"");
        assert_eq!(said("host pc profile=|"), "/network > host Property(\"profile\") \"\"\"\"");
        assert_eq!(said("host pc profile=\"k| lease=\"1h\"\n}"), "/network > host Property(\"profile\") \"\"\"k\"");
        assert_eq!(said("group g { host x tags=\"a,b|"), "/network/group > host Property(\"tags\") \"a,\"\"b\"");
        assert_eq!(said("host \"x-{n|"), "/network > host Argument { at: 0 } \"x-{\"\"n\"");
        assert_eq!(said("x (sec|"), "/network > x Note \"\"\"sec\"");
        assert_eq!(said("x (secret)a|"), "/network > x Argument { at: 0 } \"\"\"a\"");
        assert_eq!(said("// host |"), "nothing");
        assert_eq!(said("}\nassert group:k|"), " > assert Argument { at: 0 } \"group:\"\"k\"");
        assert_eq!(told("use kiosk {\n  ur|\n}\n"), "/use > | Node \"\"\"ur\"");
        assert_eq!(told("use kiosk { url \"x\"; i|"), "/use > | Node \"\"\"i\"");
        assert_eq!(find("use kiosk { url \"x\"; i|").map(|found| found.around.iter().flat_map(|f| f.children.clone()).collect::<Vec<_>>()), Some(vec!["url".to_owned()]));
        assert_eq!(find("host pc 1 | profile=a").map(|found| found.props), Some(vec!["profile".to_owned()]));
    }
}

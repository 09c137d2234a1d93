//! A tree → text, in the normal form of the official KDL 2 test suite, or as JSON.
//!
//! The normal form: no comments, four-space indent, arguments before properties, properties sorted by name, words without quotes
//! wherever they may stand so, strings with escapes, whole numbers in decimal digits and those with an exponent as `1.5E+9`.
//! Numbers are taken from the text itself, so that not a digit is lost.
//! Source: the README beside the suite, <https://github.com/kdl-org/kdl/tree/main/tests>.

use super::cursor::{is_forbidden, is_newline, is_word};
use super::{Entry, Node, Value, Word, numbers};

/// The nodes of the text `source`, a line each; an empty document is one line break, as in the suite.
pub fn print(source: &str, nodes: &[Node<'_>]) -> String {
    let mut out = String::new();
    nodes.iter().for_each(|node| print_node(source, node, 0, &mut out));
    if out.is_empty() { "\n".to_owned() } else { out }
}

fn print_node(source: &str, node: &Node<'_>, depth: usize, out: &mut String) {
    let indent = "    ".repeat(depth);
    out.push_str(&indent);
    print_note(node.note.as_ref(), out);
    print_text(&node.name.text, out);
    for entry in node.args().chain(sorted(node)) {
        out.push(' ');
        if let Some(name) = &entry.name {
            print_text(&name.text, out);
            out.push('=');
        }
        print_note(entry.note.as_ref(), out);
        print_value(source, entry, out);
    }
    if !node.children.is_empty() {
        out.push_str(" {\n");
        node.children.iter().for_each(|child| print_node(source, child, depth + 1, out));
        out.push_str(&indent);
        out.push('}');
    }
    out.push('\n');
}

fn sorted<'a, 's>(node: &'a Node<'s>) -> impl Iterator<Item = &'a Entry<'s>> {
    let mut props: Vec<_> = node.props().map(|(name, entry)| (&name.text, entry)).collect();
    props.sort_by_key(|(name, _)| *name);
    props.into_iter().map(|(_, entry)| entry)
}

fn print_note(note: Option<&Word<'_>>, out: &mut String) {
    if let Some(word) = note {
        out.push('(');
        print_text(&word.text, out);
        out.push(')');
    }
}

fn print_value(source: &str, entry: &Entry<'_>, out: &mut String) {
    match &entry.value {
        Value::Text(text) => print_text(text, out),
        Value::Int(_) | Value::Float(_) => out.push_str(&number(source, entry)),
        Value::Bool(flag) => out.push_str(if *flag { "#true" } else { "#false" }),
        Value::Null => out.push_str("#null"),
    }
}

/// A number as the source has it, in decimal digits; `#inf` and its like as they are.
fn number(source: &str, entry: &Entry<'_>) -> String {
    let word = source.get(entry.value_span.range()).unwrap_or_default();
    if word.starts_with('#') { word.to_owned() } else { numbers::exact(word) }
}

fn print_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if is_newline(c) || is_forbidden(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// May the text stand without quotes?
fn is_plain(text: &str) -> bool {
    let keyword = matches!(text, "true" | "false" | "null" | "inf" | "-inf" | "nan");
    !text.is_empty() && !keyword && text.chars().all(is_word) && !numbers::looks_like(text)
}

/// The nodes as JSON: `[{"name","type"?,"args":[{"value","type"?}],"props":{NAME:{"value","type"?}},"children":[…]}]`. Numbers keep
/// all their digits; `#inf`, `#-inf` and `#nan`, which JSON lacks, are strings.
pub fn json(source: &str, nodes: &[Node<'_>]) -> String {
    let mut out = String::new();
    json_nodes(source, nodes, &mut out);
    out.push('\n');
    out
}

fn json_nodes(source: &str, nodes: &[Node<'_>], out: &mut String) {
    out.push('[');
    list(nodes, out, |node, out| {
        out.push_str("{\"name\":");
        json_text(&node.name.text, out);
        json_note(node.note.as_ref(), out);
        out.push_str(",\"args\":[");
        list(node.args(), out, |entry, out| json_entry(source, entry, out));
        out.push_str("],\"props\":{");
        list(sorted(node), out, |entry, out| {
            json_text(entry.name.as_ref().map_or("", |name| &name.text), out);
            out.push(':');
            json_entry(source, entry, out);
        });
        out.push_str("},\"children\":");
        json_nodes(source, &node.children, out);
        out.push('}');
    });
    out.push(']');
}

fn list<T>(items: impl IntoIterator<Item = T>, out: &mut String, write: impl Fn(T, &mut String)) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
}

fn json_entry(source: &str, entry: &Entry<'_>, out: &mut String) {
    out.push_str("{\"value\":");
    match &entry.value {
        Value::Text(text) => json_text(text, out),
        Value::Int(_) | Value::Float(_) => {
            let digits = number(source, entry);
            if digits.starts_with('#') { json_text(&digits, out) } else { out.push_str(&digits) }
        }
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Null => out.push_str("null"),
    }
    json_note(entry.note.as_ref(), out);
    out.push('}');
}

fn json_note(note: Option<&Word<'_>>, out: &mut String) {
    if let Some(word) = note {
        out.push_str(",\"type\":");
        json_text(&word.text, out);
    }
}

fn json_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

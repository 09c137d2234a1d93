//! For people in a terminal: an overview of all nodes, or everything about one.

use super::super::{FAMILIES, NodeSpec, OPTION_TYPES, OptionType, Slot};
use super::{ModuleDoc, OptionDoc, Topic, declaration, homes, is_more, is_prop, synopsis, type_name, type_notes, written};

/// Every node in a line, by family.
pub fn overview() -> String {
    let widest = FAMILIES.iter().flat_map(|family| family.nodes).map(|spec| spec.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for family in FAMILIES {
        out.push_str(&format!("{}\n", family.title));
        for spec in family.nodes {
            out.push_str(&format!("  {:<widest$}  {}\n", spec.name, spec.doc));
        }
        out.push('\n');
    }
    let types: Vec<&str> = OPTION_TYPES.iter().map(|kind| kind.name).collect();
    out + &format!("Types of a module's options\n  {}\n\n`pxelator options NODE` tells all about one.\n", types.join(", "))
}

/// All about some parts, one behind the other.
pub fn text(topics: &[Topic]) -> String {
    let one = |topic: &Topic| match topic {
        Topic::Node(spec) => node(spec),
        Topic::Slot(spec, slot) => format!("{} of {}\n{}", slot_name(spec, slot), spec.name, self::slot(spec, slot)),
        Topic::OptionType(kind) => type_text(kind),
    };
    topics.iter().map(one).collect::<Vec<String>>().join("\n")
}

fn node(spec: &'static NodeSpec) -> String {
    let once = if spec.once { ", once" } else { "" };
    let mut out =
        format!("{}\n  {}\n  Stands in {}{once}. Since {}.\n", synopsis(spec), spec.doc, homes(spec).join(", "), spec.since);
    let children: Vec<&str> = spec.children().map(|child| child.name).collect();
    if !children.is_empty() {
        out.push_str(&format!("  May hold {}.\n", children.join(", ")));
    }
    for slot in spec.slots() {
        out.push_str(&format!("\n  {}\n{}", slot_name(spec, slot), self::slot(spec, slot)));
    }
    out + &format!("\n  Example\n      {}\n", spec.example)
}

fn slot_name(spec: &NodeSpec, slot: &Slot) -> String {
    match is_prop(spec, slot) {
        true => format!("{}=", slot.name),
        false if is_more(spec, slot) => format!("{} …", slot.name),
        false => slot.name.to_owned(),
    }
}

fn slot(spec: &NodeSpec, slot: &Slot) -> String {
    let must = if slot.required { ", required" } else { "" };
    let default = slot.default.map(|value| format!(", {value} if absent")).unwrap_or_default();
    let since = if slot.since == spec.since { String::new() } else { format!("      Since {}.\n", slot.since) };
    format!(
        "      {}\n      {}{must}{default}\n{since}      For example: {}\n",
        slot.doc,
        type_name(slot.kind),
        written(spec, slot)
    )
}

/// A type of options.
pub fn type_text(kind: &OptionType) -> String {
    let notes = type_notes(kind);
    let notes = if notes.is_empty() { String::new() } else { format!("  {notes}.\n") };
    format!(
        "{}, a type of options\n  Wants {}.\n{notes}\n  Declared\n      {}\n  Set\n      {}\n",
        kind.name,
        kind.wants,
        declaration(kind),
        kind.example
    )
}

impl ModuleDoc {
    /// For people in a terminal.
    pub fn text(&self) -> String {
        let doc = self.doc.as_ref().map(|doc| format!("  {doc}\n")).unwrap_or_default();
        let mut out = format!("use {} {{ … }}\n{doc}", self.module);
        self.options.iter().for_each(|option| out.push_str(&option.text("  ")));
        if let Some(settings) = &self.settings {
            out.push_str(&format!("\n  settings {{ NAME VALUE }}\n      {settings}\n"));
        }
        for old in &self.renamed {
            out.push_str(&format!("\n  {} (the old name of {}, since {})\n", old.option, old.to, old.since));
        }
        for old in &self.removed {
            out.push_str(&format!("\n  {} (removed in {}: {})\n", old.option, old.since, old.why));
        }
        out
    }
}

impl OptionDoc {
    fn text(&self, indent: &str) -> String {
        let mut out = format!("\n{indent}{}\n{indent}    {}\n{indent}    {}\n", self.name, self.doc, self.facts());
        if let Some(example) = &self.example {
            out.push_str(&format!("{indent}    For example: {} {example}\n", self.name));
        }
        self.options.iter().for_each(|option| out.push_str(&option.text(&format!("{indent}    "))));
        out
    }
}

//! The language reference of the manual.

use super::super::{FAMILIES, NodeSpec, OPTION_TYPES, Slot};
use super::{ModuleDoc, OptionDoc, declaration, homes, is_more, is_prop, synopsis, type_name, type_notes};

const HEAD: &str = "\
# The language

Every node that a site or a module may hold.
This page is made by `pxelator options --format markdown`; write nothing into it by hand.
`pxelator options NODE` tells the same in a terminal.

In the forms below, words in capitals are arguments, square brackets hold what may be absent, and `…` stands for a value or for more of the same.
A property is written `name=value`.
How values are computed, and what wins, is told in [expressions](expressions.md).
";

/// The reference of the whole language.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    for family in FAMILIES {
        let names: Vec<String> = family.nodes.iter().map(|spec| format!("[{0}](#{0})", spec.name)).collect();
        out.push_str(&format!("\n- {}: {}", family.title, names.join(", ")));
    }
    out.push_str("\n- [Types of options](#types-of-options)\n");
    for family in FAMILIES {
        out.push_str(&format!("\n## {}\n", family.title));
        family.nodes.iter().for_each(|spec| out.push_str(&node(spec)));
    }
    out + &option_types()
}

fn node(spec: &'static NodeSpec) -> String {
    let once = if spec.once { ", once" } else { "" };
    let mut out = format!("\n### {}\n\n{}\n\n", spec.name, spec.doc);
    out.push_str(&format!("```text\n{}\n```\n\n", synopsis(spec)));
    out.push_str(&format!("It stands in {}{once}.\n", homes(spec).join(", ")));
    let children: Vec<String> = spec.children().map(|child| format!("[{0}](#{0})", child.name)).collect();
    if !children.is_empty() {
        out.push_str(&format!("It may hold {}.\n", children.join(", ")));
    }
    out.push_str(&format!("Since {}.\n", spec.since));
    if spec.slots().next().is_some() {
        out.push_str("\n| word | type | if absent | meaning | example |\n| --- | --- | --- | --- | --- |\n");
        spec.slots().for_each(|slot| out.push_str(&row(spec, slot)));
    }
    out + &format!("\n```kdl part\n{}\n```\n", spec.example)
}

fn row(spec: &NodeSpec, slot: &Slot) -> String {
    let name = match is_prop(spec, slot) {
        true => format!("`{}=`", slot.name),
        false if is_more(spec, slot) => format!("{} …", slot.name),
        false => slot.name.to_owned(),
    };
    let absent = match (slot.required, slot.default) {
        (true, _) => "an error".to_owned(),
        (false, Some(value)) => format!("`{value}`"),
        (false, None) => String::new(),
    };
    let since = if slot.since == spec.since { String::new() } else { format!(" (since {})", slot.since) };
    format!("| {name} | {} | {absent} | {}{since} | `{}` |\n", type_name(slot.kind), cell(slot.doc), cell(slot.example))
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn option_types() -> String {
    let mut out = "\n## Types of options\n\nWhat stands before the default of an [option](#option), in brackets.\n".to_owned();
    out.push_str("[Modules](modules.md) shows them at work.\n\n");
    out.push_str("| type | wants | declared | set |\n| --- | --- | --- | --- |\n");
    for kind in OPTION_TYPES {
        let notes = type_notes(kind);
        let notes = if notes.is_empty() { notes } else { format!("; {notes}") };
        let (wants, declared, set) = (cell(kind.wants), cell(&declaration(kind)), cell(kind.example));
        out.push_str(&format!("| {} | {wants}{notes} | `{declared}` | `{set}` |\n", kind.name));
    }
    out
}

impl ModuleDoc {
    /// A page about a module.
    pub fn markdown(&self) -> String {
        let doc = self.doc.as_ref().map(|doc| format!("\n{doc}\n")).unwrap_or_default();
        let mut out = format!("# Module {}\n{doc}\n", self.module);
        if !self.options.is_empty() {
            out.push_str("| option | type and bounds | meaning | example |\n| --- | --- | --- | --- |\n");
            self.options.iter().for_each(|option| out.push_str(&option.row("")));
        }
        if let Some(settings) = &self.settings {
            out.push_str(&format!("\n`settings {{ NAME VALUE }}`: {settings}.\n"));
        }
        for old in &self.renamed {
            out.push_str(&format!("\n`{}` is the old name of `{}`, since {}.\n", old.option, old.to, old.since));
        }
        for old in &self.removed {
            out.push_str(&format!("\n`{}` was removed in {}: {}.\n", old.option, old.since, old.why));
        }
        out
    }
}

impl OptionDoc {
    fn row(&self, prefix: &str) -> String {
        let name = format!("{prefix}{}", self.name);
        let example = self.example.as_ref().map(|example| format!("`{} {}`", self.name, cell(example))).unwrap_or_default();
        let own = format!("| {name} | {} | {} | {example} |\n", cell(&self.facts()), cell(&self.doc));
        own + &self.options.iter().map(|option| option.row(&format!("{name}."))).collect::<String>()
    }
}

//! The man page pxelator-site(5).

use super::super::{FAMILIES, NodeSpec, OPTION_TYPES, Slot};
use super::{declaration, homes, is_more, is_prop, synopsis, type_name, type_notes, written};

const INTRO: &[&str] = &[
    "A site is written in KDL 2: a node, its arguments, its properties, and its children in braces.",
    "Addresses, MACs, times and paths are quoted strings.",
    "In the forms below, words in capitals are arguments, and square brackets hold what may be absent.",
    "The order of files and lines changes nothing, except the order of menu entries and command line words.",
];

/// The page in roff (man macros).
pub fn man() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(".TH PXELATOR\\-SITE 5 \"\" \"pxelator {version}\" \"pxelator\"\n");
    out.push_str(".SH NAME\npxelator\\-site \\- the language of site.kdl and of modules\n");
    out.push_str(".SH DESCRIPTION\n");
    out.push_str(&lines(INTRO.iter().copied()));
    for family in FAMILIES {
        out.push_str(&format!(".SH {}\n", quoted(&family.title.to_uppercase())));
        family.nodes.iter().for_each(|spec| out.push_str(&node(spec)));
    }
    out.push_str(".SH TYPES OF OPTIONS\n");
    for kind in OPTION_TYPES {
        let notes = type_notes(kind);
        let notes = if notes.is_empty() { notes } else { format!("; {notes}") };
        out.push_str(&tagged(kind.name, &format!("{}{notes}.", kind.wants)));
        out.push_str(&example(&[declaration(kind).as_str(), kind.example]));
    }
    out.push_str(".SH FILES\n");
    out.push_str(&tagged("site.kdl", "The site; what it imports and uses lies beside it."));
    out.push_str(&tagged("modules/NAME.kdl, modules/NAME/module.kdl", "A module."));
    out.push_str(&tagged("assets.lock", "Sizes and hashes of the assets, written by `pxelator lock`."));
    out + ".SH SEE ALSO\n.BR pxelator (1)\n"
}

fn node(spec: &'static NodeSpec) -> String {
    let once = if spec.once { ", once" } else { "" };
    let mut out = format!(".SS {}\n", quoted(spec.name));
    out.push_str(&format!(".B {}\n.PP\n", quoted(&synopsis(spec))));
    let stands = format!("It stands in {}{once}. Since {}.", homes(spec).join(", "), spec.since);
    let children: Vec<&str> = spec.children().map(|child| child.name).collect();
    let holds = format!("It may hold {}.", children.join(", "));
    let holds = Some(holds.as_str()).filter(|_| !children.is_empty());
    out.push_str(&lines([spec.doc, &stands].into_iter().chain(holds)));
    spec.slots().for_each(|slot| out.push_str(&self::slot(spec, slot)));
    out + &example(&[spec.example])
}

fn slot(spec: &NodeSpec, slot: &Slot) -> String {
    let name = match is_prop(spec, slot) {
        true => format!("{}=", slot.name),
        false if is_more(spec, slot) => format!("{} …", slot.name),
        false => slot.name.to_owned(),
    };
    let must = if slot.required { ", required" } else { "" };
    let default = slot.default.map(|value| format!(", {value} if absent")).unwrap_or_default();
    let since = if slot.since == spec.since { String::new() } else { format!(" Since {}.", slot.since) };
    let text = format!("{} ({}{must}{default}). For example: {}{since}", slot.doc, type_name(slot.kind), written(spec, slot));
    tagged(&name, &text)
}

/// Sentences, each on a line of its own.
fn lines<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(|text| format!("{}\n", escaped(text))).collect::<Vec<String>>().join(".br\n")
}

fn tagged(tag: &str, text: &str) -> String {
    format!(".TP\n.B {}\n{}\n", quoted(tag), escaped(text))
}

fn example(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{}\n", escaped(line))).collect();
    format!(".PP\n.RS 4\n.nf\n{lines}.fi\n.RE\n")
}

/// An argument of a macro.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\\(dq"))
}

/// Text that roff prints as it stands: a line that began with a point or a quote would be a request.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            '…' => out.push_str("..."),
            c => out.push(c),
        }
    }
    out
}

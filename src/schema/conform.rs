//! Holds a node against the table: unknown words, missing and mistyped values, what may stand once.

use super::{Kind, NodeSpec, Slot, Type, find, nodes};
use crate::diag::{Diag, Diags};
use crate::syntax::{Entry, Node, Word, shorten};

/// Drops what the table does not know (and says so); the rest can be read without fear.
///
/// The children of `use` are a module's options: `eval` holds them against the module.
pub fn conform(nodes: &mut Vec<Node<'_>>, parent: &'static str, diags: &mut Diags) {
    let mut kept: Vec<Node<'_>> = Vec::with_capacity(nodes.len());
    // Most neighbours are of one kind: what was found for one is tried first for the next.
    let mut last: Option<&'static NodeSpec> = None;
    for mut node in std::mem::take(nodes) {
        let Some(spec) = last.filter(|spec| spec.name == node.name.text).or_else(|| find(&node.name.text, parent)) else {
            refuse(&node, parent, diags);
            continue;
        };
        last = Some(spec);
        mark(node.note.as_ref(), MERGED.contains(&parent), diags);
        if spec.once
            && let Some(first) = kept.iter().find(|other| other.name.text == node.name.text)
        {
            diags.push(twice(&node, first));
            continue;
        }
        let before = diags.errors();
        let sound = entries(&mut node, spec, diags);
        if spec.name != "use" {
            conform(&mut node.children, spec.name, diags);
        }
        if diags.errors() > before {
            node.title().into_iter().for_each(|title| diags.lose(title));
        }
        if sound {
            kept.push(node);
        }
    }
    *nodes = kept;
}

/// Nodes whose values and lists merge, so that a priority means something in them.
const MERGED: &[&str] = &["profile", "menu", "dns", "nfs", "overlay", "audit"];

/// A priority before a value or a list: one of two words, and only where things merge.
pub fn mark(note: Option<&Word<'_>>, merges: bool, diags: &mut Diags) {
    let Some(note) = note else { return };
    if !matches!(&*note.text, "force" | "default") {
        let diag = Diag::new("schema/type", note.span, format!("unknown mark `({})`", note.text));
        diags.push(diag.help("a value, or a list, may be marked (force) or (default)"));
    } else if !merges {
        let diag = Diag::new("eval/force-nothing", note.span, format!("`({})` overrides nothing", note.text));
        diags.push(diag.help("delete it: only the values of profile, menu, dns, nfs and overlay merge"));
    }
}

/// Says that a node is unknown here, unless a brace that was never closed explains it.
fn refuse(node: &Node<'_>, parent: &str, diags: &mut Diags) {
    let elsewhere = nodes().any(|spec| spec.name == node.name.text);
    if !(elsewhere && diags.has("syntax/unterminated")) {
        diags.push(unknown(node, parent, diags));
    }
    node.title().into_iter().for_each(|title| diags.lose(title));
}

/// The finding about a second node of which there may be one.
pub fn twice(node: &Node<'_>, first: &Node<'_>) -> Diag {
    let title = node.title().map(|title| format!(" {}", shorten(title))).unwrap_or_default();
    let same = node.title() == first.title();
    let message = format!("`{}{}` is declared twice", node.name.text, if same { title.as_str() } else { "" });
    Diag::new("schema/too-many", node.span, message)
        .here("again here")
        .label(first.span, "first declared here")
        .help("delete one of them")
}

fn unknown(node: &Node<'_>, parent: &str, diags: &Diags) -> Diag {
    let name = &node.name.text;
    let homes = nodes().find(|spec| spec.name == *name).map(|spec| spec.within);
    let here = if parent.is_empty() { "here".to_owned() } else { format!("in `{parent}`") };
    let diag = Diag::new("schema/unknown-node", node.name.span, format!("unknown node `{name}` {here}"));
    match homes {
        Some(homes) => {
            let shown: Vec<String> = homes
                .iter()
                .filter(|home| **home != "config")
                .map(|home| if home.is_empty() { "the file itself".into() } else { format!("`{home}`") })
                .collect();
            diag.help(format!("`{name}` stands in {}", shown.join(" or ")))
        }
        None => {
            let known: Vec<&str> = nodes().filter(|spec| spec.within.contains(&parent)).map(|spec| spec.name).collect();
            match diags.nearest(name, known.iter().copied()) {
                Some(near) => diag.help(format!("did you mean `{near}`?")).fix_near(name, known),
                None if known.is_empty() => diag.help(format!("`{parent}` has no children: delete the braces")),
                None => diag.help(format!("known {here}: {}", known.join(", "))),
            }
        }
    }
}

/// Holds arguments and properties against the table; false where a required one is missing or wrong, so that the node is dropped.
pub fn entries(node: &mut Node<'_>, spec: &NodeSpec, diags: &mut Diags) -> bool {
    let mut sound = required(node, spec, diags);
    let mut position = 0;
    node.entries.retain(|entry| {
        let slot = match &entry.name {
            Some(name) => spec.props.iter().find(|slot| slot.name == name.text),
            None => {
                position += 1;
                spec.args.get(position - 1).or(spec.more.as_ref())
            }
        };
        let Some(slot) = slot else {
            if matches!(spec.name, "secret" | "use") {
                diags.redact(entry.value_span); // perhaps the secret itself
            }
            diags.push(leftover(entry, spec, diags));
            return false;
        };
        let fits = value(entry, slot, spec, diags);
        sound &= fits || !slot.required;
        if !fits {
            diags.lose(&format!("{}.{}", spec.name, slot.name));
        }
        fits
    });
    sound
}

fn required(node: &Node<'_>, spec: &NodeSpec, diags: &mut Diags) -> bool {
    const ORDINALS: &[&str] = &["first", "second", "third"];
    let given = node.args().count();
    let missing_arg = spec.args.iter().enumerate().skip(given).find(|(_, slot)| slot.required);
    let place = |at: usize| format!("as its {} argument", ORDINALS.get(at).unwrap_or(&"next"));
    let missing_prop = spec.props.iter().find(|slot| slot.required && node.prop(slot.name).is_none());
    let missing = missing_arg
        .map(|(at, slot)| (format!("{} {}", slot.name, place(at)), slot))
        .or(missing_prop.map(|slot| (format!("{}=", slot.name), slot)));
    let Some((what, slot)) = missing else { return true };
    let (name, article) = (spec.name, if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" });
    let diag = Diag::new("schema/missing", node.span, format!("`{name}` needs {article} {what}"));
    diags.push(diag.here(slot.doc).help(format!("for example: {}", spec.example)));
    false
}

fn leftover(entry: &Entry<'_>, spec: &NodeSpec, diags: &Diags) -> Diag {
    match &entry.name {
        Some(name) => {
            let diag = Diag::new("schema/unknown-property", name.span, format!("unknown property `{}` of `{}`", name.text, spec.name));
            match diags.nearest(&name.text, spec.props.iter().map(|slot| slot.name)) {
                Some(near) => diag.help(format!("did you mean `{near}`?")).fix_near(&name.text, spec.props.iter().map(|slot| slot.name)),
                // `cmdline console=ttyS0`: KDL reads a property.
                None if spec.more.is_some() && spec.props.is_empty() => {
                    let value = entry.text().unwrap_or_default();
                    diag.help(format!("put it in quotes: \"{}={}\"", name.text, shorten(value)))
                }
                None => diag.help(format!("write it like this: {}", spec.example)),
            }
        }
        None => {
            let count = spec.args.len();
            let message = format!("`{}` takes {count} argument{}", spec.name, if count == 1 { "" } else { "s" });
            Diag::new("schema/too-many", entry.span, message)
                .here("one too many")
                .help(format!("for example: {}", spec.example))
        }
    }
}

fn value(entry: &Entry<'_>, slot: &Slot, spec: &NodeSpec, diags: &mut Diags) -> bool {
    // Where nothing but a secret can be meant, its name alone will do.
    let names_secret = slot.kind == Type::Refers(Kind::Secret);
    if names_secret && !slot.kind.fits(entry) {
        refuse_literal(entry, slot.name, diags);
        return false;
    }
    if slot.kind == Type::Secret || (entry.is_secret() && !names_secret) {
        return secret(entry, slot, spec, diags);
    }
    if slot.kind != Type::Any && !entry.is_secret() {
        // Properties merge, and the one argument of a child of which there is one; arguments of lists do not.
        let merges = match entry.name {
            Some(_) => MERGED.contains(&spec.name),
            None => spec.once && spec.within.iter().any(|home| MERGED.contains(home)),
        };
        mark(entry.note.as_ref(), merges, diags);
    }
    let shown = entry.text().map_or_else(|| entry.value.kind().to_owned(), |text| format!("`{}`", shorten(text)));
    if !slot.kind.fits(entry) {
        let message = format!("`{}` wants {}, found {shown}", slot.name, slot.kind.wants());
        let near = match (&slot.kind, entry.text()) {
            (Type::OneOf(words), Some(text)) => diags.nearest(text, words.iter().copied()),
            _ => None,
        };
        let help = near.map_or_else(|| format!("write it like this: {}", like(entry, slot, spec)), |near| format!("did you mean `{near}`?"));
        diags.push(Diag::new("schema/type", entry.value_span, message).help(help));
        return false;
    }
    if let Some(bound) = slot.kind.range_error(entry) {
        let shown = entry.text().map_or_else(|| entry.int().unwrap_or_default().to_string(), shorten);
        let diag = Diag::new("schema/range", entry.value_span, format!("`{}` is {shown}; {bound}", slot.name));
        diags.push(diag.help(format!("choose {bound}: {}", slot.doc)));
        return false;
    }
    true
}

/// How an author would write it: a property by itself, an argument with its node.
fn like(entry: &Entry<'_>, slot: &Slot, spec: &NodeSpec) -> String {
    let is_shown = |word: &str| spec.example.split(' ').any(|shown| shown == word);
    match &entry.name {
        Some(_) if !is_shown(&format!("{}={}", slot.name, slot.example)) => format!("{}={}", slot.name, slot.example),
        Some(_) | None => spec.example.to_owned(),
    }
}

/// `(secret)name` where a secret is wanted, and nowhere else.
fn secret(entry: &Entry<'_>, slot: &Slot, spec: &NodeSpec, diags: &mut Diags) -> bool {
    if slot.kind == Type::Any || (slot.kind == Type::Secret && slot.kind.fits(entry)) {
        return true;
    }
    if slot.kind == Type::Secret {
        refuse_literal(entry, slot.name, diags);
        return false;
    }
    let name = shorten(entry.text().unwrap_or_default());
    let message = format!("secret `{name}` would be written to out/: `{}` of `{}` is shown to everybody", slot.name, spec.name);
    diags.push(Diag::new("secret/leak", entry.value_span, message).help("give it to an option or a property that wants a secret"));
    false
}

/// Reports a value where the name of a secret is wanted; nobody repeats the value.
pub fn refuse_literal(entry: &Entry<'_>, what: &str, diags: &mut Diags) {
    diags.redact(entry.value_span);
    let found = if entry.is_secret() { "no name" } else { "a literal value" };
    let diag = Diag::new("secret/literal", entry.value_span, format!("{found} where `{what}` wants the name of a secret"));
    let how = "put the value into a file on the boot server, declare `secret NAME file=\"/run/secrets/NAME\"`, and write (secret)NAME";
    diags.push(diag.help(how));
}

//! Rules → the text of a module, and the files that lie beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, HowTo, Rule, Step};

/// How long the name of a rule may be, with that of its module.
pub const NAME_BYTES_MAX: usize = 64;
/// How long a `doc=` is.
const DOC_CHARS_MAX: usize = 160;
/// A text longer than this is broken into the lines that it has.
const LINE_BYTES_MAX: usize = 100;

/// `modules/NAME/module.kdl`, and paths below its folder with their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    pub text: String,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The module `name`, whose option `on` says where its rules hold.
pub fn module(name: &str, howto: &HowTo) -> Module {
    let names = names(name, &howto.rules);
    let mut files = BTreeMap::new();
    let mut out = format!("/- kdl-version 2\nmodule {name} {{\n");
    if !howto.doc.is_empty() {
        out.push_str(&format!("    doc {}\n", quote(&short(&howto.doc), 1)));
    }
    out.push_str("    option on (string)required doc=\"Where it holds: host:NAME, group:NAME, tag:NAME or a network\" example=\"group:web\"\n    config {\n");
    for (at, rule) in howto.rules.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let own = names.get(at).map_or("", String::as_str);
        let after = rule.after.filter(|after| *after < at).and_then(|after| names.get(after));
        push_rule(own, after, rule, &mut files, &mut out);
    }
    out.push_str("    }\n}\n");
    Module { text: out, files }
}

fn push_rule(name: &str, after: Option<&String>, rule: &Rule, files: &mut BTreeMap<String, Vec<u8>>, out: &mut String) {
    out.push_str(&format!("        rule {} on=\"{{on}}\"", quote(name, 2)));
    if let Some(after) = after {
        out.push_str(&format!(" after={}", quote(after, 2)));
    }
    if let Some(doc) = rule.doc.as_ref().filter(|doc| !doc.trim().is_empty()) {
        out.push_str(&format!(" doc={}", quote(&short(doc), 2)));
    }
    out.push_str(" {\n");
    rule.steps.iter().for_each(|step| push_step(step, files, out));
    out.push_str("        }\n");
}

fn push_step(step: &Step, files: &mut BTreeMap<String, Vec<u8>>, out: &mut String) {
    let text = |text: &str| quote(text, 3);
    let line = match step {
        Step::Package(names) => format!("package {}", names.iter().map(|name| text(name)).collect::<Vec<_>>().join(" ")),
        Step::File { path, content, access } => {
            let from = keep(path, content, files);
            format!("file {} from={}{}", text(path), text(&from), access.props())
        }
        Step::Folder { path, access } => format!("folder {}{}", text(path), access.props()),
        Step::Link { path, to } => format!("link {} to={}", text(path), text(to)),
        Step::Absent(path) => format!("absent {}", text(path)),
        Step::Check(script) => format!("check {}", text(script)),
        Step::Apply(script) => format!("apply {}", text(script)),
        Step::Manual(told) => format!("manual {}", text(told)),
    };
    out.push_str(&format!("            {line}\n"));
}

impl Access {
    fn props(&self) -> String {
        let known = [("mode", &self.mode), ("owner", &self.owner), ("group", &self.group)];
        let known = known.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        known.map(|(name, value)| format!(" {name}={}", quote(value, 3))).collect()
    }
}

/// Puts the bytes among the files of the module: below files/, the path of the machine.
fn keep(path: &str, content: &[u8], files: &mut BTreeMap<String, Vec<u8>>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut own = String::from("files");
    for part in path.split('/').filter(|part| !part.is_empty()) {
        own.push('/');
        // A hidden file would be overlooked beside the module.
        own.extend(part.strip_prefix('.').map(|_| "dot"));
        own.extend(part.chars().map(plain));
    }
    // What ends so is a template beside a module; this text is none.
    own.extend(own.ends_with(".tera").then_some(".text"));
    let free = |name: &String| files.get(name).is_none_or(|held| held == content);
    let numbered = (2..).map(|number| format!("{own}-{number}"));
    let name = std::iter::once(own.clone()).chain(numbered).find(free).unwrap_or_default();
    files.insert(name.clone(), content.to_vec());
    name
}

/// The names of the rules: `MODULE/NAME`, each once, short enough.
fn names(module: &str, rules: &[Rule]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::with_capacity(rules.len());
    for rule in rules {
        let own = slug(&rule.name);
        let full = if own.is_empty() { module.to_owned() } else { format!("{module}/{own}") };
        let numbered = (2..).map(|number| {
            let end = format!("-{number}");
            cut(&full, NAME_BYTES_MAX.saturating_sub(end.len())) + &end
        });
        let name =
            std::iter::once(cut(&full, NAME_BYTES_MAX)).chain(numbered).find(|name| !seen.contains(name)).unwrap_or_default();
        seen.insert(name.clone());
        names.push(name);
    }
    names
}

/// Any text → `[a-z0-9-]+(/[a-z0-9-]+)*`, or nothing where no letter or digit is left.
pub fn slug(text: &str) -> String {
    let part = |part: &str| {
        let dashed: String = part.to_lowercase().chars().map(letter).collect();
        dashed.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    };
    text.split('/').map(part).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The letter without its marks, as far as the alphabets of our readers go.
fn letter(c: char) -> char {
    match c {
        'a'..='z' | '0'..='9' => c,
        'à'..='å' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'đ' | 'ď' => 'd',
        'è'..='ë' | 'ę' | 'ě' => 'e',
        'ì'..='ï' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ß' => 's',
        'ť' => 't',
        'ù'..='ü' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        _ => '-',
    }
}

/// At most so many bytes, ending where a name may end.
fn cut(name: &str, bytes: usize) -> String {
    name.get(..bytes.min(name.len())).unwrap_or(name).trim_end_matches(['-', '/']).to_owned()
}

/// One line, not too long.
fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= DOC_CHARS_MAX {
        return words;
    }
    let head: String = words.chars().take(DOC_CHARS_MAX).collect();
    let head = head.rsplit_once(' ').map_or(head.as_str(), |(head, _)| head).to_owned();
    head + " …"
}

/// A text as a string of KDL that means it, at so many levels of indent. A brace of the text is written
/// twice, since one alone begins an expression.
pub fn quote(text: &str, level: usize) -> String {
    let text = text.replace('{', "{{");
    let strange = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{feff}')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(strange) {
        return escaped(&text);
    }
    if text.contains('\n') {
        return lines(&text, level);
    }
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if text.starts_with('"') {
        return escaped(&text); // three quotes in a row would begin a string of several lines
    }
    let hashes = fence(&text, "\"");
    format!("{hashes}\"{text}\"{hashes}")
}

/// `#"""…"""#`, where each line keeps what it is.
fn lines(text: &str, level: usize) -> String {
    // Such a line would come back empty.
    if text.split('\n').any(|line| !line.is_empty() && line.trim().is_empty())
        || text.len() <= LINE_BYTES_MAX && text.ends_with('\n')
    {
        return escaped(text);
    }
    let indent = "    ".repeat(level + 1);
    let hashes = if text.contains(['\\', '"']) { fence(text, "\"\"\"") } else { String::new() };
    let body: String =
        text.split('\n').map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") }).collect();
    format!("{hashes}\"\"\"\n{body}{indent}\"\"\"{hashes}")
}

/// As many `#` as the text needs around it.
fn fence(text: &str, quote: &str) -> String {
    let behind = |rest: &str| rest.bytes().take_while(|byte| *byte == b'#').count();
    let most = text.split(quote).skip(1).map(behind).max().unwrap_or(0);
    "#".repeat(most + 1)
}

fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || !c.is_ascii() => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

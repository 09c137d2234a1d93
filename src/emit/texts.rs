//! # Name
//! `texts`: what machines fetch while they start, such as an installer's answers.
//!
//! # Description
//! `boot/files/PROFILE/NAME` is a copy of a source file, or made from it where it ends in `.tera`.
//! Templates are tera's, and total: they see options and names of the site, and may use `{{ name }}`,
//! `{% if %}`, `{% for x in list %}` and a few filters. Whatever could run for long or grow without
//! bound is refused before it is rendered.
//!
//! # Syntax
//! Reads `file` within `profile`, and the texts that it names.
//!
//! # Example
//! ```kdl
//! site lab
//! profile disk { local }
//! ```

use std::io::{self, Write};

use tera::{Context, ErrorKind, Kwargs, State, Tera, Value};

use crate::check::Checked;
use crate::diag::{Diag, Diags};
use crate::eval::TemplateScope;
use crate::model::{Site, TextFile};
use crate::out::table::TEXTS;
use crate::out::{Lines, Wing};
use crate::source::{FileId, Span};

/// What templates may do besides `{{ name }}`.
const TAGS: &[&str] = &["if", "elif", "else", "endif", "for", "endfor", "raw", "endraw"];
const FILTERS: &[&str] = &["upper", "lower", "trim", "default", "join", "length", "first", "last", "json"];
/// How many `elif` a template may have: tera nests them.
const ELIFS_MAX: usize = 128;
/// How deep blocks may nest.
const DEPTH_MAX: u32 = 16;
/// How many brackets one expression may have.
const BRACKETS_MAX: usize = 16;
/// How many filters one expression may have.
const FILTERS_MAX: usize = 4;
/// How often the loops of one template may run together.
const RUNS_MAX: usize = 100_000;
/// How large a text may become, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// How much all texts of a site may be together, read once for each profile, and made, in bytes.
const ALL_BYTES_MAX: usize = 16 << 20;
/// What every template sees, besides the name of its owner.
const OWN: [&str; 2] = ["site", "domain"];

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, diags: &mut Diags) {
    let mut maker = Maker::new(checked.site());
    for profile in &checked.site().profiles {
        for file in &profile.texts {
            let made = maker.make(Owner("profile", &profile.name), file, diags);
            made.into_iter().for_each(|lines| wing.write(format!("{TEXTS}{}/{}", profile.name, file.name.value), lines));
        }
    }
}

/// Whose text it is: what a template calls it, and its name.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a>(pub(super) &'static str, pub(super) &'a str);

/// Makes texts until they are too many.
pub(super) struct Maker<'s> {
    site: &'s Site,
    nothing: TemplateScope,
    /// How many bytes may still be read and made.
    left: usize,
}

impl<'s> Maker<'s> {
    pub(super) fn new(site: &'s Site) -> Self {
        Maker { site, nothing: TemplateScope::default(), left: ALL_BYTES_MAX }
    }

    /// The lines of a text; `None` where it has none, or is refused.
    pub(super) fn make(&mut self, owner: Owner<'_>, file: &TextFile, diags: &mut Diags) -> Option<Lines> {
        let (id, text) = file.text.as_ref().filter(|_| self.left > 0)?;
        let scope = self.site.templates.get(&file.span.file.instance()).unwrap_or(&self.nothing);
        self.left = self.left.saturating_sub(text.len());
        let made = if self.left > 0 { one(self.site, owner, file, *id, text, scope, diags) } else { None };
        self.left = self.left.saturating_sub(made.as_ref().map_or(0, String::len));
        if self.left == 0 {
            let message = format!("the texts of all {}s are more than {} MiB together", owner.0, ALL_BYTES_MAX >> 20);
            diags.push(Diag::new("eval/limit", file.span, message).help("put large files into the assets folder"));
            return None;
        }
        Some(lines(file, *id, text, &made?))
    }
}

fn one(site: &Site, owner: Owner<'_>, file: &TextFile, id: FileId, text: &str, scope: &TemplateScope, diags: &mut Diags) -> Option<String> {
    if !file.is_template() {
        return Some(text.to_owned());
    }
    if let Err((at, why)) = guard(text, scope) {
        diags.push(found(file, Span::new(id, at, (at + 2).min(text.len())), &why));
        return None;
    }
    render(site, owner, text, scope).map_err(|trouble| diags.push(told(&trouble, owner, file, id, text, scope))).ok()
}

/// A finding in a template, whose line in the site is shown too.
fn found(file: &TextFile, span: Span, what: &str) -> Diag {
    Diag::new("boot/template", span, what.to_owned())
        .label(file.span, "used here")
        .help("a template may say {{ name }}, {% if name %}, {% for x in list %} and the filters upper, lower, trim, default, join, length, first, last and json")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn render(site: &Site, owner: Owner<'_>, text: &str, scope: &TemplateScope) -> Result<String, tera::Error> {
    let mut tera = Tera::new();
    tera.register_filter("json", json);
    tera.add_raw_template("text", text)?;
    let mut context = Context::new();
    for (name, value) in &scope.values {
        context.insert(name.clone(), value);
    }
    OWN.iter().zip([site.name.as_str(), site.domain.as_str()]).for_each(|(name, value)| context.insert(*name, value));
    context.insert(owner.0, owner.1);
    let mut out = Capped(Vec::new());
    tera.render_to("text", &context, &mut out)?;
    Ok(String::from_utf8_lossy(&out.0).into_owned())
}

/// A value as JSON, quotes and all; tera has no filter for it.
fn json(value: &Value, _: Kwargs, _: &State) -> tera::TeraResult<String> {
    serde_json::to_string(value).map_err(tera::Error::message)
}

/// Takes so many bytes and no more.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tera found, at its place in the template.
fn told(error: &tera::Error, owner: Owner<'_>, file: &TextFile, id: FileId, text: &str, scope: &TemplateScope) -> Diag {
    let first = |text: &str| text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
    let (message, span) = if let ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) = error.kind() {
        let range = report.span().range.clone();
        let cut = |at: usize| text.floor_char_boundary(at.min(text.len()));
        (first(report.message()), Span::new(id, cut(range.start), cut(range.end)))
    } else if *error.kind() == ErrorKind::Io(io::ErrorKind::FileTooLarge) {
        (format!("the text becomes more than {} KiB", TEXT_BYTES_MAX >> 10), Span::new(id, 0, 0))
    } else {
        (first(&error.to_string()), Span::new(id, 0, 0))
    };
    let named = text.get(span.range()).unwrap_or_default().trim();
    if scope.secrets.contains(named) {
        let message = format!("secret `{named}` would be written to out/");
        let diag = Diag::new("secret/leak", span, message).label(file.span, "used here");
        return diag.help("let the machine fetch the secret itself: what lies in out/ is shown to everybody");
    }
    let known = scope.values.keys().map(String::as_str).chain(OWN).chain([owner.0]);
    let near = crate::diag::nearest(named, known);
    // tera's sentence begins with a capital, and may list all that it knows.
    let message = message.split(" Available").next().unwrap_or_default().trim_end_matches('.').to_owned();
    let undefined = !named.is_empty() && message.contains("not defined") || message.contains("not found");
    let diag = match undefined {
        true => found(file, span, &format!("`{{{{ {named} }}}}` is not defined")),
        false => found(file, span, &format!("template: {}", lower_first(&message))),
    };
    match near {
        Some(near) => diag.help(format!("did you mean `{near}`?")),
        None => diag,
    }
}

/// Refuses what could run for long: unknown tags and filters, calls, loops over anything but a name,
/// and loops in loops that multiply beyond [`RUNS_MAX`]. Gives the place and the reason.
fn guard(text: &str, scope: &TemplateScope) -> Result<(), (usize, String)> {
    let longest = scope.values.values().map(longest).max().unwrap_or(0).max(1);
    let (mut at, mut elifs, mut ifs, mut depth, mut deepest, mut loops) = (0, 0, 0_u32, 0_u32, 0, 0_usize);
    while let Some((start, open)) = next_open(text, at) {
        let close = match open {
            "{#" => "#}",
            "{%" => "%}",
            _ => "}}",
        };
        let inside = text.get(start + 2..).unwrap_or_default();
        let Some(length) = inside.find(close) else { return Ok(()) }; // tera says so
        at = start + 2 + length + 2;
        let inside = inside.get(..length).unwrap_or_default();
        if open == "{#" {
            continue;
        }
        let code = without_quotes(inside.trim_matches('-').trim());
        let refuse = |what: String| Err((start, what));
        if open == "{%" {
            let word = code.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if !TAGS.contains(&word) {
                return refuse(format!("`{{% {word} %}}` is not for our templates; they know {}", TAGS.join(", ")));
            }
            match word {
                "for" => {
                    let (_, over) = code.split_once(" in ").unwrap_or_default();
                    if !over.trim().chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
                        return refuse("a loop runs over a name and nothing else".into());
                    }
                    (depth, loops) = (depth + 1, loops + 1);
                    deepest = deepest.max(depth);
                }
                "endfor" => depth = depth.saturating_sub(1),
                "elif" => {
                    elifs += 1;
                    if elifs > ELIFS_MAX {
                        return refuse(format!("more than {ELIFS_MAX} `elif` in one template"));
                    }
                }
                "if" => ifs += 1,
                "endif" => ifs = ifs.saturating_sub(1),
                _ => {}
            }
            if ifs + depth > DEPTH_MAX {
                return refuse(format!("blocks nest more than {DEPTH_MAX} deep"));
            }
        }
        if let Some(why) = costly(&code) {
            return refuse(why);
        }
    }
    let runs = longest.checked_pow(deepest).and_then(|runs| runs.checked_mul(loops));
    if runs.is_none_or(|runs| runs > RUNS_MAX) {
        return Err((0, format!("loops in loops may run more than {RUNS_MAX} times")));
    }
    Ok(())
}

fn next_open(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let opens = ["{{", "{%", "{#"];
    let braces = text.get(from..)?.match_indices('{').map(|(at, _)| from + at);
    braces.filter_map(|at| Some((at, *opens.iter().find(|open| text.get(at..).is_some_and(|rest| rest.starts_with(**open)))?))).next()
}

/// Why an expression is not for us: it calls, joins texts, or has filters that we do not know.
fn costly(code: &str) -> Option<String> {
    let words = || code.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words().skip(1).any(|word| word == "for") {
        return Some("a list is not made by a loop in brackets".into());
    }
    if code.matches(['(', '[', '{']).count() > BRACKETS_MAX {
        return Some(format!("more than {BRACKETS_MAX} brackets in one expression"));
    }
    if code.contains('~') {
        return Some("`~` is not needed: write the parts one behind the other".into());
    }
    let filters: Vec<&str> = code.split('|').skip(1).map(|part| part.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()).collect();
    if filters.len() > FILTERS_MAX {
        return Some(format!("more than {FILTERS_MAX} filters in one expression"));
    }
    if let Some(unknown) = filters.iter().find(|filter| !FILTERS.contains(*filter)) {
        return Some(format!("filter `{unknown}` is not for our templates; they know {}", FILTERS.join(", ")));
    }
    let mut before = code;
    while let Some((head, _)) = before.rsplit_once('(') {
        let word = head.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !FILTERS.contains(&word) && !word.is_empty() && !matches!(word, "and" | "or" | "not" | "if" | "elif" | "in") {
            return Some(format!("`{word}(…)`: templates call nothing"));
        }
        before = head;
    }
    None
}

/// The same without what stands in quotes.
fn without_quotes(code: &str) -> String {
    let mut quote = None;
    let keep = |c: &char| match (quote, *c) {
        (None, '"' | '\'' | '`') => {
            quote = Some(*c);
            true
        }
        (Some(open), c) if c == open => {
            quote = None;
            true
        }
        (Some(_), _) => false,
        (None, _) => true,
    };
    code.chars().filter(keep).collect()
}

/// The longest list, map or text in a value.
fn longest(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(longest).max().unwrap_or(0).max(items.len()),
        serde_json::Value::Object(fields) => fields.values().map(longest).max().unwrap_or(0).max(fields.len()),
        serde_json::Value::String(text) => text.chars().count(),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => 1,
    }
}

/// Each line with its origins: the same line of the source where lines stay lines, or else its first,
/// and the `file` node.
fn lines(file: &TextFile, id: FileId, source: &str, made: &str) -> Lines {
    let sources: Vec<&str> = source.split_inclusive('\n').collect();
    let starts = sources.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len())));
    let spans: Vec<Span> = starts.zip(&sources).map(|(at, line)| Span::new(id, at, at + line.trim_end().len().max(1))).collect();
    let same = !source.contains("{%") && sources.len() == made.split_inclusive('\n').count();
    let mut lines = Lines::default();
    for (number, line) in made.split_inclusive('\n').enumerate() {
        let own = spans.get(if same { number } else { 0 }).copied().unwrap_or(file.span);
        lines.line(&[own, file.span], line.strip_suffix('\n').unwrap_or(line));
    }
    lines
}

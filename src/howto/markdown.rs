//! As much of Markdown as a how-to needs: headings, prose, and blocks of code.

/// How many headings, paragraphs and blocks a how-to may have.
pub(super) const PARTS_MAX: usize = 20_000;
/// Marks are taken out of lines up to this length: no hand wrote a longer one.
const LINE_BYTES_MAX: usize = 1024;
/// A line indented so far, behind an empty one, is code.
const INDENT_COLUMNS: usize = 4;

/// One piece of a how-to, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Heading {
        level: usize,
        text: String,
    },
    Prose(String),
    /// `language` is empty where the fence has none; `is_fenced` is false for a block that is only indented.
    Block {
        language: String,
        text: String,
        is_fenced: bool,
    },
}

/// The pieces of a text; what stands behind [`PARTS_MAX`] of them is not read.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let lines: Vec<String> = text.lines().map(|line| line.trim_end_matches('\r').replace('\t', "    ")).collect();
    let raw: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let mut reader = Reader { lines: &lines, raw: &raw, at: 0, parts: Vec::new(), prose: Vec::new() };
    while reader.at < lines.len() && reader.parts.len() < PARTS_MAX {
        reader.step();
    }
    reader.end_prose();
    reader.parts
}

struct Reader<'a> {
    lines: &'a [String],
    /// The same with their tabs, for the insides of blocks.
    raw: &'a [&'a str],
    at: usize,
    parts: Vec<Part>,
    prose: Vec<String>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", String::as_str)
    }

    fn step(&mut self) {
        let line = self.line(self.at).to_owned();
        let bare = line.trim();
        if let Some((mark, language)) = fence(bare) {
            return self.fenced(&line, mark, language);
        }
        if bare.starts_with("<!--") {
            return self.comment();
        }
        if line.starts_with(&" ".repeat(INDENT_COLUMNS)) && self.prose.is_empty() && !bare.is_empty() {
            return self.indented();
        }
        self.at += 1;
        if let Some((level, text)) = heading(bare).filter(|_| !line.starts_with(&" ".repeat(INDENT_COLUMNS))) {
            self.end_prose();
            self.parts.push(Part::Heading { level, text: plain(text) });
        } else if let Some(level) =
            underline(bare).filter(|_| self.prose.len() == 1 && !is_item(self.line(self.at.saturating_sub(2))))
        {
            let text = self.prose.drain(..).collect::<String>();
            self.parts.push(Part::Heading { level, text });
        } else if bare.is_empty() {
            self.end_prose();
        } else {
            if is_item(bare) {
                self.end_prose();
            }
            self.prose.push(plain(item(bare)));
        }
    }

    fn end_prose(&mut self) {
        let text = self.prose.drain(..).collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            self.parts.push(Part::Prose(text));
        }
    }

    /// A block between fences; one without an end goes to the end of the text.
    fn fenced(&mut self, line: &str, mark: &str, language: &str) {
        self.end_prose();
        let indent = line.len() - line.trim_start().len();
        self.at += 1;
        let mut text = String::new();
        while self.at < self.lines.len() {
            let inside = self.line(self.at).trim();
            if inside.starts_with(mark) && inside.chars().all(|c| mark.starts_with(c)) {
                self.at += 1;
                break;
            }
            let raw = self.raw.get(self.at).copied().unwrap_or_default();
            let spaces = raw.len() - raw.trim_start_matches(' ').len();
            text.push_str(raw.get(indent.min(spaces)..).unwrap_or_default());
            text.push('\n');
            self.at += 1;
        }
        self.parts.push(Part::Block { language: language.to_owned(), text, is_fenced: true });
    }

    fn indented(&mut self) {
        let first = self.line(self.at);
        let indent = first.len() - first.trim_start().len();
        let mut text = String::new();
        while self.at < self.lines.len() {
            let line = self.line(self.at);
            if !line.trim().is_empty() && !line.starts_with(&" ".repeat(INDENT_COLUMNS)) {
                break;
            }
            let spaces = line.len() - line.trim_start().len();
            text.push_str(line.get(indent.min(spaces)..).unwrap_or_default());
            text.push('\n');
            self.at += 1;
        }
        let text = format!("{}\n", text.trim_end());
        self.parts.push(Part::Block { language: String::new(), text, is_fenced: false });
    }

    fn comment(&mut self) {
        self.end_prose();
        while self.at < self.lines.len() {
            let ends = self.line(self.at).contains("-->");
            self.at += 1;
            if ends {
                return;
            }
        }
    }
}

/// ` ```sh title="x" ` → the mark and the first word behind it.
fn fence(line: &str) -> Option<(&str, &str)> {
    let c = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let width = line.chars().take_while(|other| *other == c).count();
    let (mark, rest) = line.split_at_checked(width).filter(|(_, rest)| width >= 3 && !rest.contains('`'))?;
    let word = rest.trim().trim_start_matches(['{', '.']);
    Some((mark, word.split(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ':')).next().unwrap_or_default()))
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = line.get(level..)?.strip_prefix(' ')?;
    (1..=6).contains(&level).then(|| (level, rest.trim().trim_end_matches('#').trim_end()))
}

fn underline(line: &str) -> Option<usize> {
    let all = |c: char| line.len() >= 3 && line.chars().all(|other| other == c);
    if all('=') { Some(1) } else { all('-').then_some(2) }
}

/// Does the line begin an item of a list?
fn is_item(line: &str) -> bool {
    item(line.trim()).len() < line.trim().len()
}

fn item(line: &str) -> &str {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = line.get(digits..).filter(|_| digits > 0).and_then(|rest| rest.strip_prefix(". ").or(rest.strip_prefix(") ")));
    numbered.or_else(|| ["- ", "* ", "+ ", "> "].iter().find_map(|mark| line.strip_prefix(mark))).unwrap_or(line).trim_start()
}

/// A line without its marks: links are their text, emphasis is gone.
fn plain(line: &str) -> String {
    if line.len() > LINE_BYTES_MAX {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(text, tail)| Some((text, tail.split_once(')')?.1)));
        out.push_str(before);
        match link.filter(|(text, _)| !text.contains('[')) {
            Some((text, tail)) => {
                out.push_str(text);
                rest = tail;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.replace("**", "").replace("__", "").replace('`', "")
}

//! Markdown → rules: a heading with blocks is a rule.

use thiserror::Error;

use super::blocks::Block;
use super::markdown::{PARTS_MAX, Part, parts};
use super::verbs::{self, Made};
use super::{BLOCK_LINES_MAX, COMMANDS_MAX, HOWTO_BYTES_MAX, HowTo, RULES_MAX, Step, blocks, settle, shell};

/// How long a block is quoted where a person must do its work, in bytes; the rest is in the how-to.
const QUOTED_BYTES_MAX: usize = 8 << 10;

/// Why a text is no how-to for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("the how-to is larger than {} MiB", HOWTO_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the how-to has more than {PARTS_MAX} headings, paragraphs and blocks")]
    TooManyParts,
    #[error("the how-to would become more than {RULES_MAX} rules")]
    TooManyRules,
    #[error("the how-to has more than {COMMANDS_MAX} commands")]
    TooManyCommands,
    #[error("a block of the how-to has more than {BLOCK_LINES_MAX} lines")]
    BlockTooLong,
    #[error("the how-to has no block of shell commands: put them between ```sh and ```")]
    NoCommands,
}

/// The rules of a how-to in Markdown.
pub fn read(text: &str) -> Result<HowTo, Refused> {
    if text.len() > HOWTO_BYTES_MAX {
        return Err(Refused::TooLarge);
    }
    let parts = parts(text);
    if parts.len() >= PARTS_MAX {
        return Err(Refused::TooManyParts);
    }
    let mut reader = Reader::default();
    for part in &parts {
        reader.part(part)?;
    }
    reader.end();
    if !reader.has_commands {
        return Err(Refused::NoCommands);
    }
    if reader.drafts.iter().flat_map(|draft| &draft.made).map(weight).sum::<usize>() > COMMANDS_MAX {
        return Err(Refused::TooManyCommands);
    }
    let rules = settle::settle(reader.drafts);
    if rules.len() > RULES_MAX {
        return Err(Refused::TooManyRules);
    }
    let doc =
        if reader.title.is_empty() { "From a how-to.".to_owned() } else { format!("From the how-to \"{}\".", reader.title) };
    Ok(HowTo { doc, rules })
}

/// A rule whose steps still know what they were made from.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) made: Vec<Made>,
    /// The commands that it was made from.
    pub(super) blocks: Vec<String>,
}

#[derive(Default)]
struct Reader {
    title: String,
    /// The headings that we stand below, with their levels.
    path: Vec<(usize, String)>,
    drafts: Vec<Draft>,
    draft: Draft,
    has_commands: bool,
}

impl Reader {
    fn part(&mut self, part: &Part) -> Result<(), Refused> {
        match part {
            Part::Heading { level, text } => {
                self.end();
                if *level == 1 && self.title.is_empty() && self.drafts.is_empty() && self.path.is_empty() {
                    text.clone_into(&mut self.title);
                    return Ok(());
                }
                self.path.retain(|(above, _)| above < level);
                self.path.push((*level, text.clone()));
            }
            Part::Prose(text) if self.draft.doc.is_empty() => text.clone_into(&mut self.draft.doc),
            Part::Prose(_) => {}
            Part::Block { language, text, is_fenced } => {
                if text.lines().count() > BLOCK_LINES_MAX {
                    return Err(Refused::BlockTooLong);
                }
                match blocks::block(language, text, *is_fenced) {
                    Block::Shell(commands) => {
                        self.has_commands = true;
                        self.draft.made.extend(block(&commands));
                        self.draft.blocks.push(commands);
                    }
                    Block::Either => {
                        self.has_commands = true;
                        self.draft.made.push(Made::Told(quoted("Run by hand:", text)));
                    }
                    // Prose that is only indented is nobody's work.
                    Block::Other if !is_fenced => {}
                    Block::Other => self.draft.made.push(Made::Told(quoted("The how-to shows:", text))),
                }
            }
        }
        Ok(())
    }

    /// What stood below the last heading.
    fn end(&mut self) {
        let mut draft = std::mem::take(&mut self.draft);
        if draft.made.iter().all(|made| *made == Made::Nothing) {
            return;
        }
        let headings: Vec<&str> = self.path.iter().map(|(_, text)| without_number(text)).collect();
        draft.name = headings.iter().map(|text| super::write::slug(&text.replace('/', " "))).collect::<Vec<_>>().join("/");
        if draft.name.trim_matches('/').is_empty() {
            "start".clone_into(&mut draft.name);
        }
        draft.doc = sentence(&draft.doc, headings.last().copied().unwrap_or_default());
        self.drafts.push(draft);
    }
}

/// `2. Install`, `Step 3: Install` → `Install`.
fn without_number(heading: &str) -> &str {
    let rest = heading.strip_prefix("Step ").or(heading.strip_prefix("step ")).unwrap_or(heading);
    let bare = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is_numbered = bare.len() < rest.len();
    let bare = bare.trim_start_matches([')', ':', '-', '–', '—', ' ']);
    if is_numbered && !bare.is_empty() { bare } else { heading }
}

/// The first sentence of the prose, or the heading.
fn sentence(prose: &str, heading: &str) -> String {
    let end = prose.find(". ").map_or(prose.len(), |at| at + 1);
    let first = prose.get(..end).unwrap_or(prose).trim_end_matches(':').trim();
    if first.is_empty() { heading.to_owned() } else { first.to_owned() }
}

/// How many lines of a rule it may become, at least one.
fn weight(made: &Made) -> usize {
    let lines = |step: &Step| if let Step::Package(names) = step { names.len() } else { 1 };
    match made {
        Made::Steps(steps) | Made::Access { steps, .. } | Made::Behind { steps, .. } => {
            steps.iter().map(lines).sum::<usize>().max(1)
        }
        Made::Edited { steps, .. } | Made::Copied { steps, .. } => steps.len(),
        Made::Nothing | Made::Again(_) | Made::Told(_) | Made::Unknown => 1,
    }
}

/// Programs that say whether a daemon would take its files. A restart behind one shall not happen where it would not.
const GUARDS: &[&str] = &["apache2ctl", "apachectl", "nginx", "sshd"];

/// A block is understood as a whole or not at all: what we do not know may be what the rest stands on.
fn block(commands: &str) -> Vec<Made> {
    match shell::script(commands).and_then(|script| understood(&script)) {
        Some(made) => made,
        None => vec![Made::Told(quoted("Run by hand:", commands))],
    }
}

fn understood(script: &[shell::Pipeline]) -> Option<Vec<Made>> {
    let mut all: Vec<Made> = Vec::new();
    let mut guard: Option<String> = None;
    for pipeline in script {
        let mut made = verbs::read(pipeline);
        if made.contains(&Made::Unknown) {
            return None;
        }
        if let Some(guard) = &guard {
            made.iter_mut().for_each(|made| guarded(made, guard));
        }
        guard = None;
        if let ([Made::Nothing], [command]) = (made.as_slice(), pipeline.as_slice()) {
            let words: Vec<&str> = command.words.iter().map(String::as_str).skip_while(|word| *word == "sudo").collect();
            let program = words.first().copied().unwrap_or_default();
            if GUARDS.contains(&program) {
                guard = Some(words.join(" "));
            } else if command.leads && !matches!(program, "apt" | "apt-get" | "echo") {
                return None; // whether the next one runs hangs on what is seen
            }
        }
        all.extend(made);
    }
    Some(all)
}

/// The guard stays before what it guards.
fn guarded(made: &mut Made, guard: &str) {
    let restarts = |line: &str| {
        ["restart", "reload", "graceful"]
            .iter()
            .any(|verb| line.split_whitespace().nth(1).is_some_and(|word| word.contains(verb)))
            || line.ends_with(" reload")
    };
    match made {
        Made::Again(line) if restarts(line) && !line.contains("daemon-reload") => *line = format!("{guard} && {line}"),
        Made::Steps(steps) => {
            for step in steps {
                if let Step::Apply(line) = step
                    && restarts(line)
                {
                    *line = format!("{guard} && {line}");
                }
            }
        }
        Made::Again(_) | Made::Nothing | Made::Access { .. } | Made::Behind { .. } => {}
        Made::Edited { .. } | Made::Copied { .. } | Made::Told(_) | Made::Unknown => {}
    }
}

pub(super) fn quoted(what: &str, text: &str) -> String {
    let text = text.trim_matches('\n');
    if text.len() > QUOTED_BYTES_MAX {
        let head: String = text.char_indices().take_while(|(at, _)| *at < QUOTED_BYTES_MAX).map(|(_, c)| c).collect();
        return format!("{what}\n{head}\n… and what follows in the how-to.");
    }
    if text.contains('\n') { format!("{what}\n{text}") } else { format!("{what} {text}") }
}

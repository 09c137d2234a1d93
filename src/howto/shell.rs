//! The shell of how-tos: plain commands with their quotes, pipes, redirections and here-documents.
//!
//! What depends on anything but its text (variables, patterns, loops, choices, jobs) is not read:
//! [`script`] gives nothing, and the block stays with a person.

use std::collections::VecDeque;

/// Commands that stand behind pipes of each other.
pub(super) type Pipeline = Vec<Command>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) output: Option<Output>,
    /// The text of `<<EOF`.
    pub(super) input: Option<String>,
    /// The next one runs only where this one ends well: `&&` stands behind it.
    pub(super) leads: bool,
    /// As the how-to has it.
    pub(super) source: String,
}

/// Where the output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Over(String),
    Behind(String),
}

/// Words that begin something that we do not follow.
const KEYWORDS: &[&str] = &[
    "!", "[[", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then", "until", "while",
    "{", "}",
];

/// The commands of a block in their order, or nothing where one of them is not plain.
pub(super) fn script(text: &str) -> Option<Vec<Pipeline>> {
    let mut lexer = Lexer {
        text,
        at: 0,
        waiting: VecDeque::new(),
        pipelines: Vec::new(),
        pipeline: Vec::new(),
        command: Command::default(),
        start: 0,
    };
    lexer.run()?;
    let plain = |command: &Command| command.words.first().is_some_and(|word| !KEYWORDS.contains(&word.as_str()));
    lexer.pipelines.iter().flatten().all(plain).then_some(lexer.pipelines)
}

/// A here-document that begins on the next line.
struct Here {
    end: String,
    is_literal: bool,
    strips_tabs: bool,
    /// Which command reads it.
    pipeline: usize,
    command: usize,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    waiting: VecDeque<Here>,
    pipelines: Vec<Pipeline>,
    pipeline: Pipeline,
    command: Command,
    start: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    fn run(&mut self) -> Option<()> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                ' ' | '\t' => self.at += 1,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                '\n' => {
                    // Behind `|` the next command may stand on the next line.
                    if self.command != Command::default() {
                        self.end_pipeline(false)?;
                    }
                    self.at += 1;
                    self.here_documents()?;
                    self.start = self.at;
                }
                ';' => self.end_after(";")?,
                '&' if self.rest().starts_with("&&") => self.end_after("&&")?,
                '|' if !self.rest().starts_with("||") && !self.rest().starts_with("|&") => {
                    self.end_command(true)?;
                    self.at += 1;
                    self.start = self.at;
                }
                '>' | '<' => self.redirect()?,
                '&' | '|' | '(' | ')' | '`' => return None,
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '1' | '2' if self.is_numbered() => self.numbered()?,
                _ => {
                    let (word, _) = self.word()?;
                    self.command.words.push(word);
                }
            }
        }
        self.end_pipeline(false)?;
        self.waiting.is_empty().then_some(())
    }

    fn end_after(&mut self, mark: &str) -> Option<()> {
        self.end_pipeline(true)?;
        if let Some(last) = self.pipelines.last_mut().and_then(|pipeline| pipeline.last_mut()) {
            last.leads = mark == "&&";
        }
        self.at += mark.len();
        self.start = self.at;
        Some(())
    }

    /// `must`: an operator without a command before it is no plain text.
    fn end_command(&mut self, must: bool) -> Option<()> {
        if self.command == Command::default() {
            return (!must).then_some(());
        }
        if self.command.words.is_empty() {
            return None;
        }
        self.text.get(self.start..self.at).unwrap_or_default().trim().clone_into(&mut self.command.source);
        self.pipeline.push(std::mem::take(&mut self.command));
        Some(())
    }

    fn end_pipeline(&mut self, must: bool) -> Option<()> {
        self.end_command(must || !self.pipeline.is_empty())?;
        if !self.pipeline.is_empty() {
            self.pipelines.push(std::mem::take(&mut self.pipeline));
        }
        Some(())
    }

    fn is_numbered(&self) -> bool {
        self.rest().get(1..).is_some_and(|rest| rest.starts_with('>'))
    }

    /// `2>/dev/null` and `2>&1` change nothing that lasts.
    fn numbered(&mut self) -> Option<()> {
        if self.eat("2>&1") || self.eat("1>&2") {
            return Some(());
        }
        let is_errors = self.rest().starts_with('2');
        self.at += 1;
        if !is_errors {
            return self.redirect();
        }
        self.at += 1;
        self.blanks();
        let (word, _) = self.word()?;
        (word == "/dev/null").then_some(())
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn redirect(&mut self) -> Option<()> {
        if self.rest().starts_with("<<<") || self.rest().starts_with(">&") || self.rest().starts_with(">|") {
            return None;
        }
        if self.eat("<<") {
            return self.here();
        }
        let behind = self.eat(">>");
        if !behind && !self.eat(">") {
            return None; // what a file holds is not in the how-to
        }
        self.blanks();
        let (word, _) = self.word()?;
        if word == "/dev/null" {
            return Some(());
        }
        let output = if behind { Output::Behind(word) } else { Output::Over(word) };
        self.command.output.replace(output).is_none().then_some(())
    }

    fn here(&mut self) -> Option<()> {
        let strips_tabs = self.eat("-");
        self.blanks();
        let (end, is_literal) = self.word()?;
        let here = Here { end, is_literal, strips_tabs, pipeline: self.pipelines.len(), command: self.pipeline.len() };
        self.waiting.push_back(here);
        Some(())
    }

    fn here_documents(&mut self) -> Option<()> {
        while let Some(here) = self.waiting.pop_front() {
            let mut body = String::new();
            loop {
                let line = self.rest().split_inclusive('\n').next()?;
                self.at += line.len();
                let line = if here.strips_tabs { line.trim_start_matches('\t') } else { line };
                if line.trim_end_matches('\n') == here.end {
                    break;
                }
                body.push_str(line);
            }
            if !here.is_literal && body.contains(['$', '`', '\\']) {
                return None;
            }
            let command = self.pipelines.get_mut(here.pipeline)?.get_mut(here.command)?;
            command.input = Some(body);
        }
        Some(())
    }

    /// A word without its quotes, and whether it had any.
    fn word(&mut self) -> Option<(String, bool)> {
        let mut word = String::new();
        let mut was_quoted = false;
        let begin = self.at;
        while let Some(c) = self.rest().chars().next() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    was_quoted = true;
                    let (inside, _) = self.rest().get(1..)?.split_once('\'')?;
                    word.push_str(inside);
                    self.at += inside.len() + 2;
                }
                '"' => {
                    was_quoted = true;
                    self.double(&mut word)?;
                }
                '\\' => {
                    was_quoted = true;
                    self.at += 1;
                    let next = self.rest().chars().next()?;
                    self.at += next.len_utf8();
                    word.extend((next != '\n').then_some(next));
                }
                '$' | '`' | '*' | '?' | '[' | '{' => return None,
                '~' if word.is_empty() => return None,
                c => {
                    word.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        (self.at > begin).then_some((word, was_quoted))
    }

    /// `"…"`, in which a variable would mean something else.
    fn double(&mut self, word: &mut String) -> Option<()> {
        self.at += 1;
        loop {
            let c = self.rest().chars().next()?;
            self.at += c.len_utf8();
            let next = self.rest().chars().next();
            match c {
                '"' => return Some(()),
                '`' => return None,
                '$' if next.is_some_and(|next| next.is_alphanumeric() || "_{(@*#?$!-".contains(next)) => return None,
                '\\' if next.is_some_and(|next| matches!(next, '"' | '\\' | '$' | '`' | '\n')) => {
                    self.at += 1;
                    word.extend(next.filter(|next| *next != '\n'));
                }
                c => word.push(c),
            }
        }
    }
}

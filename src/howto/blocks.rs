//! Is a block shell? And what of it was typed.

use super::verbs::is_program;

const SHELLS: &[&str] = &["bash", "sh", "shell", "zsh"];
const SESSIONS: &[&str] = &["console", "sh-session", "shell-session", "shellsession", "terminal"];
/// A prompt has no more characters than this before its mark.
const PROMPT_CHARS_MAX: usize = 64;

/// What a block is.
pub(super) enum Block {
    /// Its commands.
    Shell(String),
    /// `# ` stands before a command: a comment, or what root types? A person knows.
    Either,
    Other,
}

pub(super) fn block(language: &str, text: &str, is_fenced: bool) -> Block {
    let language = language.to_ascii_lowercase();
    if SESSIONS.contains(&language.as_str()) {
        return Block::Shell(typed(text, true));
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_shell = SHELLS.contains(&language.as_str());
    if !is_shell && !language.is_empty() {
        return Block::Other;
    }
    let as_root = |line: &&str| line.trim_start().strip_prefix("# ").is_some_and(starts_a_program);
    let has_prompts = lines.iter().any(|line| prompt(line, false).is_some());
    // In a script such a line is a comment.
    if lines.iter().any(as_root) && (has_prompts || !is_shell) {
        return Block::Either;
    }
    if has_prompts {
        let begins = lines.first().is_some_and(|line| prompt(line, true).is_some());
        return if is_shell || begins { Block::Shell(typed(text, false)) } else { Block::Other };
    }
    let first = lines.iter().find(|line| !line.trim_start().starts_with('#'));
    let looks = first.is_some_and(|line| starts_a_program(line));
    let all = is_fenced || lines.iter().all(|line| line.trim_start().starts_with('#') || starts_a_program(line));
    if is_shell || (looks && all) { Block::Shell(text.to_owned()) } else { Block::Other }
}

fn starts_a_program(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(is_program)
}

/// What stands behind `$ `, `# `, `anna@pc:~$ ` or `[root@pc ~]# `.
fn prompt(line: &str, root_too: bool) -> Option<&str> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("$ ") {
        return Some(rest);
    }
    if let Some(rest) = line.strip_prefix("# ").filter(|_| root_too) {
        return Some(rest);
    }
    let at = line.find(['$', '#', '%']).filter(|at| *at <= PROMPT_CHARS_MAX)?;
    let (head, rest) = line.split_at_checked(at)?;
    let named = head.contains('@') && !head.trim_start_matches('[').contains(['"', '\'', '=', '|', ';', '[']);
    let named = named && head.split_whitespace().count() <= 2 && (head.contains(':') || head.ends_with(']'));
    rest.get(1..)?.strip_prefix(' ').filter(|_| named)
}

/// The lines behind prompts, with those that go on from them; the rest is what the programs answered.
fn typed(text: &str, root_too: bool) -> String {
    let mut out = String::new();
    let mut end: Option<String> = None;
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(mark) = &end {
            let line = line.strip_prefix("> ").unwrap_or(line);
            out.push_str(line);
            if line.trim() == *mark {
                end = None;
            }
        } else if goes_on {
            out.push_str(line.strip_prefix("> ").unwrap_or(line));
            goes_on = line.trim_end().ends_with('\\');
        } else if let Some(command) = prompt(line, root_too) {
            out.push_str(command);
            end = here(command);
            goes_on = command.trim_end().ends_with('\\');
        } else {
            continue;
        }
        out.push('\n');
    }
    out
}

/// The word that ends the text which begins on the next line.
fn here(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<")?;
    let word = rest.trim_start_matches('-').split_whitespace().next()?;
    let word = word.trim_matches(['\'', '"', '\\']);
    (!word.starts_with('<')).then(|| word.to_owned())
}
